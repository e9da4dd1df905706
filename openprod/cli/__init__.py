"""The command line: the only ring that prints."""
