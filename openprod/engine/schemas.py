"""The adopted schemas, and what they say of registers: labels, titles, types, unique sets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from openprod.core import titles
from openprod.core.schema import Edge, Facet, Field, Schema
from openprod.storage.ports import RegisterRow, Storage
from openprod.yjs import layout

_TITLE_MAX = 160


class Schemas(dict[str, Schema]):
    """{plugin: schema}, read from ``core.adoption``: what the workspace adopted, installed here or not."""

    def load(self, storage: Storage) -> None:
        self.clear()
        for row in storage.registers_of_root(layout.ADOPTION_ROOT):
            if row.field or row.value is None or row.document != layout.CORE:
                continue
            try:
                schema = Schema.from_record(json.loads(row.value))
            except msgspec.ValidationError:
                continue  # a newer program's schema: its data are kept and synced, unnamed
            if schema.plugin == row.entity and is_usable(schema):
                self[row.entity] = schema

    def facet(self, name: str) -> Facet | None:
        plugin, _, short = name.partition(".")
        schema = self.get(plugin)
        return schema.facets.get(short) if schema else None

    def edge(self, name: str) -> Edge | None:
        plugin, _, short = name.partition(".")
        schema = self.get(plugin)
        return schema.edges.get(short) if schema else None

    def field(self, facet: str, field: str) -> Field | None:
        found = self.facet(facet)
        return found.fields.get(field) if found else None

    def is_sought(self, root: str, field: str) -> bool:
        """Whether registers of a field must be found by value: the ends of edges, and what tells duplicates."""
        parsed = layout.parse_root(root)
        if parsed.kind == "edge":
            return field in (layout.FROM_FIELD, layout.TO_FIELD)
        facet = self.facet(parsed.name) if parsed.kind == "facet" else None
        return facet is not None and any(field == unique[-1] for unique in facet.unique if unique)

    def label(self, facet: str, field: str) -> str:
        declared = self.field(facet, field)
        return (declared.label if declared and declared.label else field) if field else ""

    def thing(self, facets: Mapping[str, Mapping[str, Any]], entity: str) -> str:
        """How people call an entity: the facet's label and title of the first facet that gives one."""
        for name in sorted(facets):
            facet = self.facet(name)
            if facet is None or not facet.title:
                continue
            title = titles.title(facet.title, facets[name])
            if title:
                return _short(f"{facet.label} {title}".strip())
        return entity


def _short(text: str) -> str:
    # Any program may have written anything into a title's fields.
    return text if len(text) <= _TITLE_MAX else text[: _TITLE_MAX - 1] + "…"


def is_usable(schema: Schema) -> bool:
    """Whether the layout can hold what a schema names. Anybody who may write to ``core`` may have written it."""
    if not layout.is_plugin(schema.plugin):
        return False
    names = [*schema.facets, *schema.edges]
    for facet in schema.facets.values():
        names += facet.fields
        if not all(facet.unique):
            return False
        names += [field for unique in facet.unique for field in unique]
    for edge in schema.edges.values():
        names += edge.properties
    return all(map(layout.is_name, names))


def facet_of(register: RegisterRow) -> str:
    """``plugin.facet`` of a field's register, "" for anything else."""
    root = layout.parse_root(register.root)
    return root.name if root.kind == "facet" and register.entity else ""
