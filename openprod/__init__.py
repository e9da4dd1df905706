"""Openprod: a local-first collaboration engine for production teams.

Importing this package loads nothing else; import what you need from its rings
(see docs/ARCHITECTURE.md).
"""

__version__ = "0.1.0"
