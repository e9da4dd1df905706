"""Importers and exporters of people."""
