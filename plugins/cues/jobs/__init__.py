"""Importers of cue sheets."""
