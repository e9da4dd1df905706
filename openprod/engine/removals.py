"""Which registers an update's author emptied: Y.Map.delete leaves no version, only a range of removed ids.

One transaction of a Yjs program lists exactly what it removed itself. So a version that it lists and doesn't
overwrite was emptied by its author. Whole states, and what programs make out of them, list everything that was ever
removed: nothing follows from those. What is found depends on the update and on what it builds on, never on the order
in which updates arrive.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from openprod.core.bundles import NATIVE_INTENTS
from openprod.yjs.decoder import Id, Update

if TYPE_CHECKING:
    from openprod.engine.index import Entry, Index

Rank: TypeAlias = "tuple[bool, str, str, int]"

RANGES_MAX = 4096
"""A transaction that removes more than this many runs is taken for a whole state."""


def rank(intent: str, hlc: str, log: str, seq: int) -> Rank:
    """Orders bundles by how near they are to where a version was made."""
    return intent not in NATIVE_INTENTS, hlc, log, seq


class Part:
    """One update to take in: its bundle, and whether it is one transaction as it was made.

    A removal in a live update is its author's; a whole state repeats everybody's.
    """

    __slots__ = ("bundle", "live", "overwrites_only", "overwritten", "rank", "update")

    def __init__(self, update: Update, *, bundle: int, live: bool, rank: Rank) -> None:
        self.update = update
        self.overwritten: set[Id | None] = {struct[4] for struct in update.structs if struct[5] is None}
        """Ids that its structs follow, as a field's next value does."""
        self.overwrites_only = True
        """Whether it removes nothing, or only what it wrote another value over."""
        for client, clock, length in update.deletes:
            if length != 1 or (client, clock) not in self.overwritten:
                self.overwrites_only = False
                break
        self.bundle = bundle
        self.live = live
        self.rank = rank


def of(index: Index, document: str, part: Part) -> list[tuple[int, int, Entry]]:
    """(client, clock, register) of the versions that the author of a live update removed."""
    update = part.update
    overwritten = part.overwritten
    if len(update.deletes) > RANGES_MAX or part.overwrites_only:
        return []
    written: set[int] | None = None
    seen: dict[int, int] | None = None
    found: list[tuple[int, int, Entry]] = []
    for client, clock, length in update.deletes:
        for row in index.versions_in(document, client, clock, clock + length):
            if (client, row.clock) in overwritten:
                continue
            if written is None:
                written = _written(index, document, update)
            if row.register in written:
                # Programs pass on what they took in together with the losing items that this removed.
                continue
            for version in index.versions_of(row.register):
                if version.parent_client == client and version.parent_clock == row.clock:
                    seen = seen or _seen(update)
                    if version.clock < seen.get(version.client, 0):
                        return []  # its author knew it as overwritten: the list repeats old removals
            entry = index.by_number(row.register)
            assert entry is not None
            found.append((client, row.clock, entry))
    return found


def _written(index: Index, document: str, update: Update) -> set[int]:
    entries = (index.entry_of(document, struct[0], struct[1]) for struct in update.structs)
    return {entry.id for entry in entries if entry is not None}


def _seen(update: Update) -> dict[int, int]:
    """What the author must have had, at least: {client: next clock}."""
    seen: dict[int, int] = {}
    for client, clock, length in (*update.sections, *update.deletes):
        seen[client] = max(seen.get(client, 0), clock + length)
    for struct in update.structs:
        for id in (struct[4], struct[5], struct[6]):
            if id is not None and not isinstance(id, str):
                seen[id[0]] = max(seen.get(id[0], 0), id[1] + 1)
    return seen
