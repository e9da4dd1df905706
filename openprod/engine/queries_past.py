"""How things stood at a time, for queries: which registers were otherwise, and who stood for whom."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol, cast

from openprod.core.queries.plan import Past
from openprod.engine import trees
from openprod.engine.bonds import Bonds
from openprod.engine.index import Index
from openprod.engine.queries import CORE_ROOTS
from openprod.storage.ports import RegisterRow, Storage
from openprod.yjs import layout

_BOND_ROOTS = frozenset((layout.CONCEPT_ROOT, *CORE_ROOTS))


class Reads(Protocol):
    """What is read for it. ``storage`` only reads."""

    @property
    def storage(self) -> Storage: ...

    def unsettled(self, roots: frozenset[str], after: str) -> tuple[list[RegisterRow], list[int]]: ...


def past(reads: Reads, roots: frozenset[str], time: str) -> Past:
    """Of the registers in ``roots``, with all bundles up to ``time`` (an HLC) and no others."""
    roots |= _BOND_ROOTS
    rows, unborn = reads.unsettled(roots, time)
    values: dict[int, str | None] = {}
    gone = set(unborn)
    for row in rows:
        # What was removed is known by who removed it: a removal without an author isn't told by time.
        history = trees.read(reads.storage, row, is_deleted=lambda _id: True, as_of=time)
        if not history.tree.versions:
            gone.add(row.id)
        else:
            values[row.id] = history.state.shown_value
    bonds = Bonds(cast("Storage", _Then(reads.storage, values, gone)), cast("Index", None), lambda _facet, _id: False)
    return Past(roots, values, frozenset(gone), dict(_redirects(bonds, reads.storage)), dict(bonds.all()))


def _redirects(bonds: Bonds, storage: Storage) -> Iterator[tuple[str, str]]:
    for row in storage.registers_of_root(layout.ENTITY_ROOT):
        if row.field == layout.REDIRECT_FIELD and bonds.survivor(row.entity) != row.entity:
            yield row.entity, bonds.survivor(row.entity)


def merges(storage: Storage, time: str) -> Bonds:
    """Who stood for whom at ``time`` (an HLC): bonds without any but those of merges."""
    return Bonds(cast("Storage", _Merges(storage, time)), cast("Index", None), lambda _facet, _id: False)


class _Merges:
    """The redirects as they were."""

    def __init__(self, storage: Storage, time: str) -> None:
        self._storage = storage
        self._time = time

    def registers_of_root(self, root: str) -> Iterable[RegisterRow]:
        for row in self._storage.registers_of_root(root) if root == layout.ENTITY_ROOT else ():
            if row.field == layout.REDIRECT_FIELD:
                history = trees.read(self._storage, row, is_deleted=lambda _id: True, as_of=self._time)
                yield row._replace(value=history.state.shown_value)


class _Then:
    """A storage's registers as they were, as far as bonds are made of them."""

    def __init__(self, storage: Storage, values: dict[int, str | None], gone: set[int]) -> None:
        self._storage = storage
        self._values = values
        self._gone = gone

    def registers_of_root(self, root: str) -> Iterable[RegisterRow]:
        for row in self._storage.registers_of_root(root):
            if row.id not in self._gone:
                yield row._replace(value=self._values.get(row.id, row.value))
