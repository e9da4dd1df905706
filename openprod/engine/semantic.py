"""Judging a bond: registers that carry one value, and the people who set it apart from each other.

The versions that one bundle wrote to a bond with one value count as one **side**, which stands while it is a head in
some register. Writing over it in another register isn't enough to cover it: when that was done, the two may not have
been one thing (docs/decisions/0009).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from openprod.core import ids, resolutions
from openprod.core.versions import NULL, Version
from openprod.engine import trees
from openprod.engine.bonds import Bond
from openprod.engine.index import Entry
from openprod.storage.ports import BundleRow


class Side(NamedTuple):
    """``places``: (register, version) of it, the canonical register first where it has a version there."""

    value: str | None
    bundle: BundleRow
    places: tuple[tuple[Entry, Version], ...]

    @property
    def text(self) -> str:
        """Its name: that of its first version."""
        entry, version = self.places[0]
        return ids.version_text(entry.document, version.id)


class BondState(NamedTuple):
    """``sides`` in the order of their names; more than one value among them is a conflict.

    ``hidden``: a value stands where nobody looks, at what was merged into something that has none: that is one, too.
    """

    bond: Bond
    registers: list[tuple[Entry, trees.History]]
    sides: tuple[Side, ...]
    hidden: bool = False

    @property
    def disagrees(self) -> bool:
        return self.hidden or len({side.value for side in self.sides}) > 1

    @property
    def overtaken(self) -> bool:
        return any(history.state.overtaken for _entry, history in self.registers)

    @property
    def records(self) -> trees.Records:
        """The decisions about any of its registers, whatever they were called when they were made."""
        return [one for _entry, history in self.registers for one in history.records]


def is_quiet(entries: Iterable[Entry]) -> bool:
    """Whether a bond can't disagree: its registers show one value (where they show any), each with one leaf."""
    shown = set()
    for entry in entries:
        if entry.forked:
            return False
        if entry.value is not None:
            shown.add(entry.value)
    return len(shown) < 2


def judge(
    bond: Bond, entries: list[Entry], history: Callable[[Entry], trees.History], *, hidden: bool = False
) -> BondState:
    """``entries``: the registers of the bond that there are, the canonical one first. ``hidden``: as of the result."""
    registers = [(entry, history(entry)) for entry in entries]
    sides: dict[tuple[int, str | None], list[tuple[Entry, Version]]] = {}
    for entry, one in registers:
        for head in one.state.heads:
            sides.setdefault((head.bundle, head.value), []).append((entry, head))
    found = [_side(places, registers) for places in sides.values()]
    if len({side.value for side in found}) == 1:
        # Whatever shows another value although nobody's word stands for it is a side as well.
        value = found[0].value
        for entry, one in registers:
            shown = one.tree.versions.get(one.state.shown) if one.state.shown is not None else None
            if shown is not None and shown.value != value:
                found.append(_side([(entry, shown)], registers))
    return BondState(bond, registers, tuple(sorted(found, key=lambda side: side.text)), hidden)


def _side(places: list[tuple[Entry, Version]], registers: list[tuple[Entry, trees.History]]) -> Side:
    histories = {entry.id: history for entry, history in registers}
    entry, version = places[0]
    return Side(version.value, histories[entry.id].bundles[version.id], tuple(places))


def apart(state: BondState, side: Side) -> tuple[Side, ...]:
    """The other sides whose author didn't know this one, nor this one's author them."""
    histories = {entry.id: history for entry, history in state.registers}

    def knows(one: Side, other: Side) -> bool:
        for entry, version in one.places:
            known = histories[entry.id].known_to(version.id)
            if any(at.id == entry.id and there.id in known for at, there in other.places):
                return True
        return False

    return tuple(other for other in state.sides if other != side and not knows(side, other) and not knows(other, side))


def shown(state: BondState) -> tuple[Entry, str | None]:
    """The register whose value stands for all until a choice: the canonical one, or else the first that has one."""
    for entry, _history in state.registers:
        if entry.value is not None and entry.value != NULL:
            return entry, entry.value
    return state.registers[0][0], state.registers[0][0].value


def chosen_in(history: trees.History, text: str, document: str) -> str | None:
    """A chosen version as a register's record names it; None when it isn't this register's."""
    at, key = ids.parse_version(text)
    return resolutions.local_text(key) if at == document and key in history.tree.versions else None
