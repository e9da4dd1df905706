"""``schema.toml`` → the schema that travels in a workspace.

::

    [facet.thing]
    label = "Thing"
    title = "{list} {number}"              # how conflicts and history name an entity
    unique = [["list", "number"]]          # two live entities sharing these are a duplicate conflict
    [facet.thing.field]
    number = { type = "decimal", label = "No.", required = true }
    [edge.placed_in]
    from = "thing"                         # a facet of this plugin, plugin.facet, or *
    to = "*"
    cardinality = "one"                    # "one" or "many"
    unique_pair = false
    [edge.placed_in.property]
    order = { type = "integer" }

A field may as well be its own table, ``[facet.thing.field.number]``: TOML reads both the same.
"""

from __future__ import annotations

import re
from typing import Any

from openprod.core import titles
from openprod.core.schema import FIELD_TYPES, Edge, Facet, Field, Schema
from openprod.plugin_host.toml_lines import TomlFile

NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
"""Facets, edges: they become parts of storage keys, which never change."""

FIELD_NAME = re.compile(r"[a-z][A-Za-z0-9_]{0,62}")
"""Fields and properties may be called as other programs call theirs: displayName."""

_NAME_HINT = "Names are lower-case letters, digits and underscores, and start with a letter: start_time."
_FIELD_KEYS = frozenset({"type", "label", "unit", "required", "choices", "was", "description", "private"})
_FACET_KEYS = frozenset({"label", "title", "unique", "field"})
_EDGE_KEYS = frozenset({"label", "from", "to", "cardinality", "unique_pair", "property"})


def read_schema(file: TomlFile, *, plugin: str, version: str, label: str) -> Schema:
    """The schema in ``file``. Raises InvalidManifest, naming file, line and what to do."""
    file.only(file.data, frozenset({"facet", "edge"}), ())
    facets = {name: _facet(file, name, table) for name, table in _tables(file, file.data, ("facet",), "facet").items()}
    edges = {
        name: _edge(file, name, table, facets) for name, table in _tables(file, file.data, ("edge",), "edge").items()
    }
    return Schema(plugin=plugin, version=version, label=label, facets=facets, edges=edges)


def _facet(file: TomlFile, name: str, table: dict[str, Any]) -> Facet:
    where = ("facet", name)
    file.only(table, _FACET_KEYS, where)
    fields = {
        key: _field(file, key, value, (*where, "field", key))
        for key, value in _tables(file, table, (*where, "field"), "field").items()
    }
    title = file.text(table, "title", where)
    for place in titles.fields_of(title):
        if place not in fields:
            raise file.problem(
                f"the title of {name} names a field “{place}” that it doesn't have.",
                f"Declare it under [facet.{name}.field], or use one of: {', '.join(fields) or 'none yet'}.",
                *where,
                "title",
            )
        if fields[place].private:
            raise file.problem(
                f"the title of {name} shows “{place}”, which is private.",
                "Titles stand in histories, conflicts and whatever is shared: name it by fields that may.",
                *where,
                "title",
            )
    return Facet(
        label=file.text(table, "label", where) or name.replace("_", " ").capitalize(),
        title=title,
        unique=_unique(file, name, table.get("unique", []), fields),
        order=tuple(fields),
        fields=fields,
    )


def _unique(file: TomlFile, name: str, value: Any, fields: dict[str, Field]) -> tuple[tuple[str, ...], ...]:
    where = ("facet", name, "unique")
    hint = 'Write a list of lists of fields: unique = [["list", "number"]].'
    if not isinstance(value, list):
        raise file.problem(f"“unique” of {name} isn't a list.", hint, *where)
    for group in value:
        if not isinstance(group, list) or not group or not all(isinstance(item, str) for item in group):
            raise file.problem(f"“unique” of {name} holds something that isn't a list of fields.", hint, *where)
        for field in group:
            if field not in fields:
                raise file.problem(
                    f"“unique” of {name} names a field “{field}” that it doesn't have.",
                    f"Use fields declared under [facet.{name}.field].",
                    *where,
                )
            if fields[field].type in ("text", "richtext"):
                raise file.problem(
                    f"“unique” of {name} names “{field}”, a text that several people write at once.",
                    "Give it type string, or leave it out of “unique”.",
                    *where,
                )
    return tuple(tuple(group) for group in value)


def _field(file: TomlFile, name: str, table: dict[str, Any], where: tuple[str, ...]) -> Field:
    file.only(table, _FIELD_KEYS, where)
    kind = table.get("type", "string")
    if kind not in FIELD_TYPES:
        raise file.problem(f"“{kind}” isn't a type of field.", f"Use one of: {', '.join(FIELD_TYPES)}.", *where, "type")
    choices = file.texts(table, "choices", where)
    if (kind == "choice") != bool(choices):
        raise file.problem(
            f"{name} is a choice without choices." if kind == "choice" else f"{name} has choices but isn't a choice.",
            'Write type = "choice", choices = ["one", "other"].',
            *where,
        )
    return Field(
        type=kind,
        label=file.text(table, "label", where) or name.replace("_", " "),
        unit=file.text(table, "unit", where) or ("s" if kind == "duration" else ""),
        required=file.flag(table, "required", where),
        choices=choices,
        was=file.texts(table, "was", where),
        description=file.text(table, "description", where),
        private=file.flag(table, "private", where),
    )


def _edge(file: TomlFile, name: str, table: dict[str, Any], facets: dict[str, Facet]) -> Edge:
    where = ("edge", name)
    file.only(table, _EDGE_KEYS, where)
    cardinality = table.get("cardinality", "many")
    if cardinality not in ("one", "many"):
        raise file.problem(
            f"the cardinality of {name} is “{cardinality}”.", 'Write "one" or "many".', *where, "cardinality"
        )
    return Edge(
        label=file.text(table, "label", where) or name.replace("_", " "),
        source=_end(file, table, "from", where, facets),
        target=_end(file, table, "to", where, facets),
        cardinality=cardinality,
        unique_pair=file.flag(table, "unique_pair", where),
        properties={
            key: _field(file, key, value, (*where, "property", key))
            for key, value in _tables(file, table, (*where, "property"), "property").items()
        },
    )


def _end(file: TomlFile, table: dict[str, Any], key: str, where: tuple[str, ...], facets: dict[str, Facet]) -> str:
    """A facet of this plugin, another plugin's ``plugin.facet``, or ``*``."""
    end = file.text(table, key, where) or "*"
    outside = end.count(".") == 1 and all(NAME.fullmatch(part) for part in end.split("."))
    if end != "*" and end not in facets and not outside:
        raise file.problem(
            f"{where[1]} goes {key} “{end}”, which isn't a facet here.",
            f"Use one of: {', '.join(facets)}; another plugin's as plugin.facet; or *.",
            *where,
            key,
        )
    return end


def _tables(file: TomlFile, table: dict[str, Any], where: tuple[str, ...], what: str) -> dict[str, dict[str, Any]]:
    """The named tables under the last key of ``where``, names checked."""
    value = table.get(where[-1], {})
    if not isinstance(value, dict):
        raise file.problem(f"“{where[-1]}” isn't a table.", f"Write [{'.'.join(where)}.name].", *where)
    for name, inner in value.items():
        if not (FIELD_NAME if what in ("field", "property") else NAME).fullmatch(name):
            raise file.problem(f"“{name}” can't be the name of a {what}.", _NAME_HINT, *where, name)
        if not isinstance(inner, dict):
            raise file.problem(
                f"{what} “{name}” isn't a table.", f'Write {name} = {{ type = "string" }}.', *where, name
            )
    return value
