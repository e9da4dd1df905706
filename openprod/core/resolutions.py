"""Decisions as records: what ``core.resolution`` holds, read leniently, written exactly (CRDT.md §3)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from openprod.core.ids import VersionKey
from openprod.core.versions import Join


class Author(msgspec.Struct, frozen=True, kw_only=True):
    user: str = ""
    name: str = ""


class Resolution(msgspec.Struct, frozen=True, kw_only=True, rename={"register_": "register"}):
    """One decision about one register, or (``register_`` None) about something wider.

    ``heads`` and ``wrote`` are versions of the document that holds the record, as ``<client>:<clock>``. No heads and
    ``supersedes``: the decision named is taken back. Heads and nothing in ``wrote``: they are accepted as they stand.
    """

    conflict: str = ""
    register_: tuple[str, str] | None = None
    heads: tuple[str, ...] = ()
    wrote: tuple[str, ...] = ()
    chosen: str | None = None
    value: Any = None
    by: Author = Author()
    at: str = ""
    supersedes: str | None = None

    @property
    def withdraws(self) -> bool:
        return not self.heads and not self.wrote and self.supersedes is not None


def parse(body: str | None) -> Resolution | None:
    """The record in a canonical JSON text; None for anything else, which then means nothing."""
    if body is None:
        return None
    try:
        return msgspec.json.decode(body.encode("utf-8", "surrogatepass"), type=Resolution)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def to_record(resolution: Resolution) -> dict[str, Any]:
    record = msgspec.to_builtins(resolution)
    assert isinstance(record, dict)
    return record


def local_text(key: VersionKey) -> str:
    """A version within its document."""
    return f"{key[0]}:{key[1]}:cleared" if len(key) == 3 else f"{key[0]}:{key[1]}"


def parse_local(text: str) -> VersionKey | None:
    parts = text.split(":")
    try:
        if len(parts) == 2:
            return int(parts[0]), int(parts[1])
        if len(parts) == 3 and parts[2] == "cleared":
            return int(parts[0]), int(parts[1]), 1
    except ValueError:
        pass
    return None


def joins(records: Iterable[tuple[str, int, Resolution]]) -> list[Join]:
    """Joins of one register from its records: (record id, Yjs client that wrote the record, record).

    A record counts only for versions that the same Yjs client wrote: nobody can pass another's value off as a decision.
    """
    records = list(records)
    withdrawn = {record.supersedes for _id, _client, record in records if record.withdraws}
    result: list[Join] = []
    for id, client, record in records:
        heads = frozenset(head for head in map(parse_local, record.heads) if head is not None)
        for text in record.wrote:
            wrote = parse_local(text)
            if wrote is not None and wrote[0] == client and len(wrote) == 2:
                result.append(Join(heads, wrote, id in withdrawn))
    return result


def standing(records: Iterable[tuple[str, int, Resolution]]) -> bool:
    """Whether a decision stands that nobody has taken back."""
    records = list(records)
    withdrawn = {record.supersedes for _id, _client, record in records if record.withdraws}
    return any(not record.withdraws and id not in withdrawn for id, _client, record in records)


def accepted(records: Sequence[tuple[str, int, Resolution]]) -> list[frozenset[str]]:
    """Sets of heads that somebody accepted as they stand, and hasn't taken back."""
    withdrawn = {record.supersedes for _id, _client, record in records if record.withdraws}
    return [
        frozenset(record.heads)
        for id, _client, record in records
        if record.heads and not record.wrote and id not in withdrawn
    ]
