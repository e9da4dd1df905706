"""Reads files as the importers do, and the people as a test wants to see them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from openprod.plugin_api import Proposal, Snapshot, Source
from openprod.plugin_api.testing import applied

DATA = Path(__file__).parent / "data"
NOTHING = Snapshot("workspace")
Plan = Callable[[Source, Snapshot], Proposal]


def read(
    plan: Plan, data: str | bytes, name: str = "file", before: Snapshot = NOTHING
) -> tuple[Snapshot, list[tuple[str, str]]]:
    """What the workspace then holds, and what was said to be left out."""
    proposal = plan(Source(data.encode() if isinstance(data, str) else data, name), before)
    return applied(before, proposal.operations), [(item.where, item.why) for item in proposal.skipped]


def people(snapshot: Snapshot) -> dict[str, dict[str, Any]]:
    """{name: the other filled fields}, without card ids; names must be different ones."""
    rows = [dict(fields) for fields in snapshot.entities("contacts.person").values()]
    found = {row["name"]: filled(row, but=("name", "uid")) for row in rows}
    assert len(found) == len(rows)
    return found


def filled(fields: Mapping[str, Any], *, but: tuple[str, ...] = ()) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value not in (None, "", []) and name not in but}
