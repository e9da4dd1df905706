"""Cue sheets for every department."""
