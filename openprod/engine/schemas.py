"""The adopted schemas, and what they say of registers: labels, titles, types, unique sets."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec

from openprod.core import evolution, titles
from openprod.core.concepts import Binding, Concept
from openprod.core.schema import Edge, Facet, Field, Schema
from openprod.storage.ports import BundleRow, RegisterRow, Storage
from openprod.yjs import layout

_TITLE_MAX = 160
_DECLARED_MAX = 10_000


class Declared(NamedTuple):
    """What a schema says of a key of a facet, by any name of its field. ``tells_apart``: whether it is among the values
    that no two things may share."""

    facet: Facet | None
    field: Field | None
    tells_apart: bool


class Former(NamedTuple):
    """What an earlier schema had: a field, a property of an edge, or (as its end) an edge.

    ``log`` and ``seq``: of the bundle whose schema left it out, called ``version``; what its author had seen of it was
    considered there.
    """

    label: str
    version: str
    log: str
    seq: int


class Schemas(dict[str, Schema]):
    """{plugin: schema}, read from ``core.adoption``: what the workspace adopted, installed here or not.

    ``dropped``: the last schemas of plugins whose adoption was dropped: their data are kept and synced, and hidden.
    ``former``: {plugin: {(root, key): what is gone}}.
    """

    def __init__(self, schemas: Mapping[str, Schema] | None = None) -> None:
        super().__init__(schemas or {})
        self.dropped: dict[str, Schema] = dict(schemas.dropped) if isinstance(schemas, Schemas) else {}
        self.former: dict[str, dict[tuple[str, str], Former]] = (
            dict(schemas.former) if isinstance(schemas, Schemas) else {}
        )
        self._kept: set[str] = set(schemas._kept) if isinstance(schemas, Schemas) else set()
        self._renamed: dict[str, dict[str, tuple[str, ...]]] = {}
        self._declared: dict[tuple[str, str], Declared] = {}
        for schema in self.values():
            self._note_renames(schema)

    def __setitem__(self, plugin: str, schema: Schema) -> None:
        super().__setitem__(plugin, schema)
        self._declared.clear()
        self._note_renames(schema)

    def _note_renames(self, schema: Schema) -> None:
        for short, facet in schema.facets.items():
            name = f"{schema.plugin}.{short}"
            self._renamed.pop(name, None)
            for field, declared in facet.fields.items():
                for key in (field, *declared.was) if declared.was else ():
                    self._renamed.setdefault(name, {})[key] = (field, *declared.was)

    def load(self, storage: Storage) -> None:
        self.clear()
        self._renamed.clear()
        self._declared.clear()
        self.dropped.clear()
        self.former.clear()
        self._kept.clear()
        for row in storage.registers_of_root(layout.ADOPTION_ROOT):
            if row.field or not layout.is_plugin(row.entity) or row.document != layout.CORE:
                continue
            self._kept.add(row.entity)
            schema = _read(row.value, row.entity)
            path, aside = _history(storage, row)
            history = [one for one, _bundle in (*aside, *path)]
            if schema is not None:
                self[row.entity] = _widened(schema, history)
                self.former[row.entity] = _former(path)
            elif row.value in (None, "null") and history:
                self.dropped[row.entity] = history[-1]

    def keeps(self, plugin: str) -> bool:
        """Whether the workspace has a document of this plugin: adopted, dropped, or of a schema too new to be read."""
        return plugin in self._kept

    def is_hidden(self, facet: str, document: str = "") -> bool:
        """Whether a facet (or what a document holds) belongs to a plugin that was dropped."""
        return facet.partition(".")[0] in self.dropped or document in self.dropped

    def facet(self, name: str) -> Facet | None:
        plugin, _, short = name.partition(".")
        schema = self.get(plugin)
        return schema.facets.get(short) if schema else None

    def edge(self, name: str) -> Edge | None:
        plugin, _, short = name.partition(".")
        schema = self.get(plugin)
        return schema.edges.get(short) if schema else None

    def field(self, facet: str, field: str) -> Field | None:
        """The declaration of a field, by its name or by what it ``was``."""
        return self.declared(facet, field).field

    def declared(self, facet: str, key: str) -> Declared:
        """Asked for at every write: kept."""
        found = self._declared.get((facet, key))
        if found is None:
            declared, now = self.facet(facet), self.keys_of(facet, key)[0]
            found = Declared(
                declared,
                declared.fields.get(now) if declared else None,
                declared is not None and any(now in unique for unique in declared.unique),
            )
            if len(self._declared) < _DECLARED_MAX:  # outside programs write any key
                self._declared[facet, key] = found
        return found

    @property
    def renames(self) -> bool:
        """Whether any field has been called otherwise."""
        return bool(self._renamed)

    def gone(self, root: str, key: str) -> Former | None:
        """What an earlier schema had under this key, where the one that stands has nothing that goes on with it."""
        plugin = layout.parse_root(root).name.partition(".")[0]
        return self.former[plugin].get((root, key)) if plugin in self.former else None

    def keys_of(self, facet: str, field: str) -> tuple[str, ...]:
        """The keys of one field, by any of them: as it is called now first, then what it was, the latest first."""
        renamed = self._renamed.get(facet)
        return (field,) if renamed is None else renamed.get(field, (field,))

    def present(self, binding: Binding) -> Binding:
        """With the facet's fields as they are called now."""
        if binding.facet not in self._renamed:
            return binding
        fields = {own: self.keys_of(binding.facet, theirs)[0] for own, theirs in binding.fields.items()}
        return msgspec.structs.replace(binding, fields=fields)

    def renamed(self, facet: str, fields: dict[str, Any]) -> dict[str, Any]:
        """Values under the names that they go by now: the first of a field's keys that has one."""
        if facet not in self._renamed:
            return fields
        found: dict[str, Any] = {}
        for key in fields:
            keys = self.keys_of(facet, key)
            found[keys[0]] = next((fields[one] for one in keys if fields.get(one) is not None), None)
        return found

    def is_sought(self, root: str, field: str) -> bool:
        """Whether registers of a field must be found by value: edges' ends, what tells duplicates, what is indexed."""
        parsed = layout.parse_root(root)
        if parsed.kind == "edge":
            return field in (layout.FROM_FIELD, layout.TO_FIELD)
        facet = self.facet(parsed.name) if parsed.kind == "facet" else None
        return facet is not None and self.keys_of(parsed.name, field)[0] in self.sought_of(facet)

    @staticmethod
    def sought_of(facet: Facet) -> set[str]:
        """The fields of a facet that must be found by value."""
        return {
            *(unique[-1] for unique in facet.unique if unique),
            *(name for name, field in facet.fields.items() if field.indexed),
        }

    def is_private(self, facet: str, field: str) -> bool:
        """Whether the schema that stands, adopted or dropped, calls a field private."""
        plugin, _, short = facet.partition(".")
        schema = self.get(plugin) or self.dropped.get(plugin)
        declared = schema.facets.get(short) if schema else None
        return declared is not None and field in declared.fields and declared.fields[field].private

    def label(self, facet: str, field: str) -> str:
        declared = self.field(facet, field) or self.gone(facet, field)
        return (declared.label if declared and declared.label else field) if field else ""

    def facet_label(self, name: str) -> str:
        facet = self.facet(name)
        return facet.label if facet is not None and facet.label else name

    @staticmethod
    def concept_thing(concept: Concept, shown: Mapping[str, Any], entity: str) -> str:
        """How people call a concept entity: its concept, and its name or else its first value."""
        said = shown.get("name")
        if said is None:
            said = next((shown[field] for field in sorted(shown) if shown[field] is not None), None)
        return _short(f"{concept.label or concept.name} {said}") if said is not None else entity

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


def _read(value: str | None, plugin: str) -> Schema | None:
    """None for what is no schema of that plugin: a newer program's schema, or nothing."""
    if value is None or value == "null":
        return None
    try:
        schema = Schema.from_record(json.loads(value))
    except msgspec.ValidationError:
        return None
    return schema if schema.plugin == plugin and is_usable(schema) else None


_Adopted = list[tuple[Schema, BundleRow]]


def _history(storage: Storage, row: RegisterRow) -> tuple[_Adopted, _Adopted]:
    """Every schema that was ever adopted for a plugin: those that led to the present value, which is the last, and the
    others."""
    versions = {(one.version.client, one.version.clock): one for one in storage.versions_of(row.id)}
    path: list[tuple[int, int]] = []
    at = versions.get((row.client, row.clock))
    while at is not None:
        path.append((at.version.client, at.version.clock))
        parent = (at.version.parent_client or 0, at.version.parent_clock or 0)
        at = versions.get(parent) if at.version.parent_client is not None else None
    aside = sorted(versions.keys() - set(path), key=lambda id: (versions[id].bundle.hlc, id))

    def said_in(bundle: BundleRow) -> BundleRow:
        # A redo says again what was said then: it considers nothing that came between. Any other claim counts nothing:
        # what a bundle couldn't have seen may be here or not.
        first = storage.bundle(bundle.undoes) if bundle.intent == "redo" else None
        return first if first is not None and _follows(storage, bundle, first) else bundle

    def read(ids: Iterable[tuple[int, int]]) -> _Adopted:
        found = ((_read(versions[id].version.value, row.entity), said_in(versions[id].bundle)) for id in ids)
        return [(schema, bundle) for schema, bundle in found if schema is not None]

    return read(reversed(path)), read(aside)


def _follows(storage: Storage, later: BundleRow, earlier: BundleRow) -> bool:
    if later.log == earlier.log:
        return later.seq > earlier.seq
    return storage.depends(later.log, later.seq, earlier.log) >= earlier.seq


def _former(path: _Adopted) -> dict[tuple[str, str], Former]:
    """What schemas on the way to the last had that it doesn't go on with, and what left it out for good."""
    found: dict[tuple[str, str], Former] = {}
    had: dict[tuple[str, str], str] = {}
    for schema, bundle in path:
        has = _has(schema)
        for one in had.keys() - has.keys() - found.keys():
            found[one] = Former(had[one], schema.version, bundle.log, bundle.seq)
        had |= has
        found = {one: former for one, former in found.items() if one not in has}
    return found


def _has(schema: Schema) -> dict[tuple[str, str], str]:
    """{(root, key): label} of all that a schema shows, also by what it was called."""
    found = {
        (f"{schema.plugin}.{name}", one): field.label or key
        for name, facet in schema.facets.items() for key, field in facet.fields.items() for one in (key, *field.was)
    }  # fmt: skip
    for name, edge in schema.edges.items():
        root = layout.edge_root(f"{schema.plugin}.{name}")
        found[root, layout.TO_FIELD] = edge.label or name
        found |= {(root, key): field.label or key for key, field in edge.properties.items()}
    return found


def _widened(schema: Schema, history: list[Schema]) -> Schema:
    """With what each field's values may still be, since it once was narrower."""
    facets = {}
    for name, facet in schema.facets.items():
        fields = {
            key: msgspec.structs.replace(field, also=evolution.former_types(history, name, key, field))
            for key, field in facet.fields.items()
        }
        facets[name] = msgspec.structs.replace(facet, fields=fields)
    return msgspec.structs.replace(schema, facets=facets)


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
