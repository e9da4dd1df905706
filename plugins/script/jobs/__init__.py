"""Importers of plays."""
