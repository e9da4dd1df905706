"""Proposals: operations that somebody may approve, with what a person needs to decide.

An importer or a job makes one from a read-only view; nothing is written until it is committed.
"""

from __future__ import annotations

from typing import Any

import msgspec

from openprod.core.operations import Operation


class Skipped(msgspec.Struct, frozen=True):
    """What was left out. ``where``: "row 12", "column Gel"; ``why``: a sentence."""

    where: str
    why: str


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """Operations not yet committed.

    ``summary``: plain lines for the preview. ``mapping``: a column of the file → the field it fills.
    ``counts``: what was found and what would change, such as {"rows": 12, "created": 3, "changed": 1}.
    """

    operations: tuple[Operation, ...] = ()
    summary: tuple[str, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    mapping: dict[str, str] = {}
    counts: dict[str, int] = {}

    @property
    def changes_nothing(self) -> bool:
        return not self.operations

    def to_json(self) -> dict[str, Any]:
        """JSON for previews. Operations are tagged unions as in requests."""
        record = msgspec.to_builtins(self)
        assert isinstance(record, dict)
        return record
