"""Many edges and facets at once, for what reads a whole plugin: importers, exporters, migrations."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from typing import Any, NamedTuple

from openprod.engine import edges
from openprod.engine.bonds import Bonds
from openprod.storage.ports import RegisterRow, Storage


class Drawn(NamedTuple):
    """``edges``: {edge name: {id: (from, to, properties)}}. ``survivors``: {merged entity: the one it stands for}."""

    edges: dict[str, dict[str, tuple[Any, Any, dict[str, Any]]]]
    survivors: dict[str, str]


def drawn(storage: Storage, bonds: Bonds, names: Iterable[str], entities: Collection[str]) -> Drawn:
    """The standing edges from and to these entities and those merged with them, between what stands for their ends."""
    wanted = {bonds.survivor(entity) for entity in entities}
    found = {name: dict(_standing(storage, bonds, name, wanted)) for name in names}
    return Drawn(found, {absorbed: entity for entity in sorted(wanted) for absorbed in bonds.absorbed(entity)})


def _standing(
    storage: Storage, bonds: Bonds, name: str, wanted: set[str]
) -> Iterable[tuple[str, tuple[Any, Any, dict[str, Any]]]]:
    document, root = edges.place(name)
    each: dict[str, dict[str, RegisterRow]] = {}
    for row in storage.registers_of_root(root):
        if row.document == document and row.entity:
            each.setdefault(row.entity, {})[row.field] = row
    for edge, registers in sorted(each.items()):
        if not edges.stands(registers):
            continue
        values = {field: None if row.value is None else json.loads(row.value) for field, row in registers.items()}
        source, target = (_stands_for(bonds, values.pop(end, None)) for end in edges.ENDS)
        if any(isinstance(end, str) and end in wanted for end in (source, target)):
            yield edge, (source, target, {field: value for field, value in values.items() if field})


def _stands_for(bonds: Bonds, end: Any) -> Any:
    return bonds.survivor(end) if isinstance(end, str) else end
