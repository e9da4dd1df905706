"""Importers and exporters of schedules."""
