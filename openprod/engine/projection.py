"""Carrying a value along a bond: what a write to one register means for the others (CRDT.md §4)."""

from __future__ import annotations

import json
from collections.abc import Container

from openprod.core.versions import NULL
from openprod.engine.bonds import Bond, Register, is_structure
from openprod.engine.detect import Detector
from openprod.engine.index import Entry, Index
from openprod.storage.ports import Storage
from openprod.yjs import layout
from openprod.yjs.documents import SetKey, Write


def along(detector: Detector, storage: Storage, place: Register) -> list[Register]:
    """The registers that a write to ``place`` goes to: all of its bond, or itself alone while its bond disagrees."""
    named = layout.place(*place)
    bond = detector.bonds.of(place[0], place[1], named.entity, named.field)
    if bond is None or is_open(detector, storage, bond):
        return [place]
    places = detector.bonds.places(bond)
    return places if place in places else [place, *places]


def is_open(detector: Detector, storage: Storage, bond: Bond) -> bool:
    row = storage.conflict(detector.bond_id(bond))
    return row is not None and row.status == "open"


def is_asked(detector: Detector, index: Index, storage: Storage, place: Register) -> bool:
    """Whether people are asked about a register already, or about the bond that it is part of."""
    entry = index.find(*place)
    if entry is None:
        return False
    bond = detector.bonds.of(entry.document, entry.root, entry.entity, entry.field)
    return detector.is_disputed(entry) or (bond is not None and is_open(detector, storage, bond))


def completions(
    index: Index, detector: Detector, storage: Storage, due: Container[int]
) -> dict[int, dict[str, list[Write]]]:
    """What the bundles ``due`` still have to write: {bundle: {document: writes}}.

    A register's new value is carried on if its author had seen what the whole bond showed. One that was written beside
    another value is a conflict instead, and one that ends with its entity ends alone.
    """
    found: dict[int, dict[str, list[Write]]] = {}
    touched = list(index.touched.values())
    if any(map(is_structure, touched)):
        return {}  # who changes what stands for what writes what they mean
    ending = {(entry.root, entry.entity) for entry in touched if not entry.field and entry.value in (None, NULL)}
    for entry in touched:
        bond = detector.bonds.of(entry.document, entry.root, entry.entity, entry.field)
        if bond is None or detector.is_gone(entry.root, entry.entity):
            continue
        if (entry.root, entry.entity) in ending or (layout.ENTITY_ROOT, entry.entity) in ending:
            continue
        said = index.said(entry)
        if said is None or said.bundle not in due or is_open(detector, storage, bond):
            continue
        stored = storage.register(entry.id)
        before = stored.value if stored is not None else None
        places = [place for place in detector.bonds.places(bond) if place != (entry.document, entry.root, entry.key)]
        if not all(_follows(index, index.find(*place), before, said.value) for place in places):
            continue
        writes = found.setdefault(said.bundle, {})
        for place in places:
            other = index.find(*place)
            if (other.value if other is not None else None) != said.value:
                writes.setdefault(place[0], []).append(SetKey(place[1], place[2], json.loads(said.value)))
    return found


def _follows(index: Index, entry: Entry | None, before: str | None, value: str) -> bool:
    """Whether a register showed what the author saw, or nothing yet, or shows the new value already."""
    if entry is None or entry.value is None:
        return True
    return index.is_known(entry) and entry.value in (before or NULL, value)
