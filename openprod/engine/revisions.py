"""Who wrote what another value: for exports that must say which revision of a thing they are.

It follows from the versions alone, so replicas with the same bundles count the same, and more bundles never count less.
"""

from __future__ import annotations

from collections.abc import Iterable

from openprod.core.clock import moment
from openprod.plugin_api.snapshot import Written
from openprod.storage.ports import Storage, VersionWithAuthor
from openprod.yjs import layout

NULL = "null"


def written(storage: Storage, facets: Iterable[str], edges: Iterable[str]) -> dict[str, dict[str, dict[str, Written]]]:
    """{facet or edge: {entity or edge id: {field: who wrote it}}}, the field "" being the marker."""
    roots = {**{name: name for name in facets}, **{name: layout.edge_root(name) for name in edges}}
    return {name: _of_root(storage, root, name.partition(".")[0]) for name, root in roots.items()}


def _of_root(storage: Storage, root: str, document: str) -> dict[str, dict[str, Written]]:
    registers = {
        row.id: (row.entity, row.field)
        for row in storage.registers_of_root(root)
        if row.document == document and row.entity
    }
    versions: dict[int, list[VersionWithAuthor]] = {}
    for register, version in storage.versions_of_root(root):
        if register in registers:
            versions.setdefault(register, []).append(version)
    found: dict[str, dict[str, Written]] = {}
    for register, rows in versions.items():
        entity, field = registers[register]
        found.setdefault(entity, {})[field] = _written(rows, marker=not field)
    return found


def _written(rows: list[VersionWithAuthor], *, marker: bool) -> Written:
    values = {(row.version.client, row.version.clock): _value(row) for row in rows}
    bundles: dict[str, str] = {}
    first: set[str] = set()
    for row in rows:
        version = row.version
        parent = None if version.parent_client is None else (version.parent_client, version.parent_clock)
        if parent is None:
            first.add(_value(row))
        # Of a marker only the making counts: what was deleted and is restored was made once.
        before = NULL if parent is None else values.get((version.parent_client or 0, version.parent_clock or 0), NULL)
        if _value(row) != before and not (marker and parent is not None):
            bundles[row.bundle.id] = moment(row.bundle.hlc)
    return Written(bundles, 0 if marker else max(len(first) - 1, 0))


def _value(row: VersionWithAuthor) -> str:
    return NULL if row.version.value is None else row.version.value
