"""``schema.toml`` → the schema that travels in a workspace.

::

    [facet.thing]
    label = "Thing"
    title = "{list} {number}"              # how conflicts and history name an entity
    unique = [["list", "number"]]          # two live entities sharing these are a duplicate conflict
    [facet.thing.field]
    number = { type = "decimal", label = "No.", required = true }
    owner = { type = "string", was = ["holder"], concept = "Person.name" }
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
import unicodedata
from typing import Any, Final

from openprod.core import titles, values
from openprod.core.schema import FIELD_TYPES, TEXT_TYPES, Edge, Facet, Field, Schema
from openprod.plugin_host.toml_lines import TEXT_MAX, TomlFile, Where

NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")
"""Facets and edges: they become parts of storage keys, which never change."""
FIELD_NAME: Final = re.compile(r"[a-z][A-Za-z0-9_]{0,62}")
"""Fields and properties."""

RESERVED_FIELDS: Final = frozenset({"entity"})
"""Columns that every answer to a query has."""
RESERVED_PROPERTIES: Final = frozenset({"from", "to"})
"""What an edge's own ends are kept under."""
FACETS_MAX: Final = 500
"""Also of edges."""
FIELDS_MAX: Final = 500
"""Of one facet, and properties of one edge."""
DECLARED_MAX: Final = 5_000
"""Fields and properties of a whole schema: more wouldn't fit into what a workspace keeps of it."""
CHOICES_MAX: Final = 1_000

_NAME_HINT = "Names are letters, digits and underscores, and start with a small letter: start_time."
_CONCEPT = re.compile(r"[A-Z][A-Za-z0-9]{0,62}\.[a-z][A-Za-z0-9_]{0,62}")
_PROPERTY_KEYS = frozenset({"type", "label", "unit", "required", "choices", "description", "private"})
_FIELD_KEYS = _PROPERTY_KEYS | {"was", "indexed", "concept"}
_FACET_KEYS = frozenset({"label", "title", "unique", "field"})
_EDGE_KEYS = frozenset({"label", "from", "to", "cardinality", "unique_pair", "property"})
_MEASURED = frozenset({"integer", "number", "decimal", "duration"})


def read_schema(file: TomlFile, *, plugin: str, version: str, label: str) -> Schema:
    """The schema in ``file``. Raises InvalidManifest: the first of what is wrong by file and line, and all of it."""
    with file.part():
        file.only(file.data, frozenset({"facet", "edge"}), ())
    _bound(file)
    tables = _tables(file, file.data, ("facet",), "facet")
    facets: dict[str, Facet] = dict.fromkeys(_names(file.data, "facet"), Facet())
    for name, table in tables.items():
        with file.part():
            facets[name] = _facet(file, name, table)
    edges: dict[str, Edge] = {}
    for name, table in _tables(file, file.data, ("edge",), "edge").items():
        with file.part():
            edges[name] = _edge(file, name, table, facets, plugin)
    file.finish()
    schema = Schema(plugin=plugin, version=version, label=label, facets=facets, edges=edges)
    if len(values.canonical(schema.to_record()).encode()) > values.VALUE_BYTES_MAX:
        raise file.problem(
            f"this schema is larger than {values.VALUE_BYTES_MAX // 1024} KiB.", "Shorten the descriptions."
        )
    return schema


def _bound(file: TomlFile) -> None:
    """Raises InvalidManifest for more than a schema can hold, before any of it is looked at."""
    count = 0
    for key, inner in (("facet", "field"), ("edge", "property")):
        tables = file.data.get(key)
        tables = list(tables.values()) if isinstance(tables, dict) else []
        if len(tables) > FACETS_MAX:
            raise file.problem(f"this schema has more than {FACETS_MAX} {key}s.", "Make several plugins of it.", key)
        count += sum(len(_names(table, inner)) for table in tables if isinstance(table, dict))
    if count > DECLARED_MAX:
        raise file.problem(
            f"this schema has more than {DECLARED_MAX:,} fields and properties.", "Make several plugins of it."
        )


def _facet(file: TomlFile, name: str, table: dict[str, Any]) -> Facet:
    where = ("facet", name)
    with file.part():
        file.only(table, _FACET_KEYS, where)
    fields = _fields(file, table, (*where, "field"), _FIELD_KEYS, RESERVED_FIELDS)
    with file.part():
        _renames(file, name, fields)
    with file.part():
        _concepts(file, name, fields)
    return Facet(
        label=file.text(table, "label", where) or name.replace("_", " ").capitalize(),
        title=_title(file, name, table, fields),
        unique=_unique(file, name, table.get("unique", []), fields),
        order=tuple(fields),
        fields=fields,
    )


def _title(file: TomlFile, name: str, table: dict[str, Any], fields: dict[str, Field]) -> str:
    where = ("facet", name, "title")
    title = file.text(table, "title", where[:-1])
    for place in titles.fields_of(title):
        if place not in fields:
            raise file.problem(
                f"the title of {name} names a field “{place}” that it doesn't have.",
                f"Declare it under [facet.{name}.field], or use one of: {', '.join(fields) or 'none yet'}.",
                *where,
            )
        if fields[place].private:
            raise file.problem(
                f"the title of {name} shows “{place}”, which is private.",
                "Titles stand in histories, conflicts and whatever is shared: name it by fields that may.",
                *where,
            )
        if fields[place].type in TEXT_TYPES:
            raise file.problem(
                f"the title of {name} shows “{place}”, a text that several people write at once.",
                "Name it by short fields.",
                *where,
            )
    if any(brace in titles.without_fields(title) for brace in "{}"):
        raise file.problem(
            f"the title of {name} has a brace that stands alone.", 'Write title = "{list} {number}".', *where
        )
    return title


def _unique(file: TomlFile, name: str, value: Any, fields: dict[str, Field]) -> tuple[tuple[str, ...], ...]:
    where = ("facet", name, "unique")
    hint = 'Write a list of lists of fields: unique = [["list", "number"]].'
    if not isinstance(value, list):
        raise file.problem(f"“unique” of {name} isn't a list.", hint, *where)
    seen: set[frozenset[str]] = set()
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
            if fields[field].type in TEXT_TYPES:
                raise file.problem(
                    f"“unique” of {name} names “{field}”, a text that several people write at once.",
                    "Give it type string, or leave it out of “unique”.",
                    *where,
                )
        if len(set(group)) < len(group) or frozenset(group) in seen:
            raise file.problem(f"“unique” of {name} says the same twice.", "Take one of them away.", *where)
        seen.add(frozenset(group))
    return tuple(tuple(group) for group in value)


def _renames(file: TomlFile, facet: str, fields: dict[str, Field]) -> None:
    """No earlier key of one field is another's key, or another's earlier key."""
    owner: dict[str, str] = {}
    for name, field in fields.items():
        where = ("facet", facet, "field", name, "was")
        for key in field.was:
            if not FIELD_NAME.fullmatch(key):
                raise file.problem(f"“{key}” can't have been the name of a field.", _NAME_HINT, *where)
            if key in fields:
                raise file.problem(
                    f"{name} says that it was “{key}”, which is a field of {facet} itself.",
                    "A key belongs to one field: name what the key had been before, or take “was” away.",
                    *where,
                )
            if key in owner:
                raise file.problem(
                    f"{name} says that it was “{key}”, as {owner[key]} does." if owner[key] != name
                    else f"{name} says twice that it was “{key}”.",
                    "Only one field can go on with what was stored under a key.",
                    *where,
                )  # fmt: skip
            owner[key] = name


def _concepts(file: TomlFile, facet: str, fields: dict[str, Field]) -> None:
    """Suggestions of one facet go to one concept, each to another field of it."""
    suggested: dict[str, str] = {}
    for name, field in fields.items():
        if not field.concept:
            continue
        where = ("facet", facet, "field", name, "concept")
        concept = field.concept.partition(".")[0]
        if field.concept in suggested:
            raise file.problem(
                f"{name} and {suggested[field.concept]} both suggest {field.concept}.",
                "A field of a concept is shown by one field of a facet.",
                *where,
            )
        other = next((one for one in suggested if one.partition(".")[0] != concept), None)
        if other is not None:
            raise file.problem(
                f"{name} suggests {field.concept}, and {suggested[other]} suggests {other}.",
                f"A facet is bound to one concept: suggest fields of {other.partition('.')[0]}, or make another facet.",
                *where,
            )
        suggested[field.concept] = name


def _fields(
    file: TomlFile, table: dict[str, Any], where: Where, known: frozenset[str], reserved: frozenset[str]
) -> dict[str, Field]:
    tables = _tables(file, table, where, "property" if where[-1] == "property" else "field")
    # One that is wrong counts as declared, so that what names it isn't called wrong for it.
    fields: dict[str, Field] = dict.fromkeys(_names(table, str(where[-1])), Field())
    for name, inner in tables.items():
        with file.part():
            if name in reserved:
                raise file.problem(
                    f"“{name}” can't be the name of a {'property' if where[-1] == 'property' else 'field'}: "
                    "it means something already.",
                    f"Choose another, such as {name}_name.",
                    *where,
                    name,
                )
            fields[name] = _field(file, name, inner, (*where, name), known)
    return fields


def _field(file: TomlFile, name: str, table: dict[str, Any], where: Where, known: frozenset[str]) -> Field:
    if "was" in table and "was" not in known:
        raise file.problem(
            f"{name} is a property of an edge, which can't be renamed.", "Change its label instead.", *where, "was"
        )
    file.only(table, known, where)
    kind = table.get("type", "string")
    if kind not in FIELD_TYPES:
        raise file.problem(f"“{kind}” isn't a type of field.", f"Use one of: {', '.join(FIELD_TYPES)}.", *where, "type")
    if kind in TEXT_TYPES and where[-2] == "property":
        raise file.problem(
            f"{name} is a property, and can't be a text that several people write.", "Use string.", *where, "type"
        )
    was = file.texts(table, "was", where)
    if was and kind in TEXT_TYPES:
        raise file.problem(
            f"{name} is a text that several people write at once, which can't be renamed.",
            "Keep its name and change its label, or bring a migration.",
            *where,
            "was",
        )
    if kind in TEXT_TYPES and file.flag(table, "indexed", where):
        raise file.problem(
            f"{name} is a text that several people write at once, which has no index.",
            "Take “indexed” away: matching looks through texts as they are.",
            *where,
            "indexed",
        )
    unit = file.text(table, "unit", where)
    if unit and kind not in _MEASURED:
        raise file.problem(
            f"{name} has a unit but is no number.", f"Units go with {', '.join(sorted(_MEASURED))}.", *where, "unit"
        )
    concept = file.text(table, "concept", where)
    if concept and not _CONCEPT.fullmatch(concept):
        raise file.problem(
            f"“{concept}” isn't a field of a concept.", 'Write concept = "Person.name".', *where, "concept"
        )
    if concept and kind in TEXT_TYPES:
        raise file.problem(
            f"{name} is a text that several people write at once: it has no single value to share.",
            "Suggest a concept for fields of other types.",
            *where,
            "concept",
        )
    return Field(
        type=kind,
        label=file.text(table, "label", where) or name.replace("_", " "),
        unit=unit or ("s" if kind == "duration" else ""),
        required=file.flag(table, "required", where),
        choices=_choices(file, name, table, where, kind),
        was=was,
        description=file.text(table, "description", where),
        private=file.flag(table, "private", where),
        indexed=file.flag(table, "indexed", where),
        concept=concept,
    )


def _choices(file: TomlFile, name: str, table: dict[str, Any], where: Where, kind: str) -> tuple[str, ...]:
    choices = file.texts(table, "choices", where)
    if (kind == "choice") != bool(choices):
        raise file.problem(
            f"{name} is a choice without choices." if kind == "choice" else f"{name} has choices but isn't a choice.",
            'Write type = "choice", choices = ["one", "other"].',
            *where,
        )
    if len(choices) > CHOICES_MAX:
        raise file.problem(f"{name} has more than {CHOICES_MAX:,} choices.", "Give it type string.", *where, "choices")
    for choice in choices:
        file.check_words(choice, f"A choice of {name}", TEXT_MAX, *where, "choices")
    if not all(choice.strip() for choice in choices) or len(set(map(_alike, choices))) < len(choices):
        raise file.problem(
            f"{name} has an empty choice, or one that is there twice.",
            "Each choice is a word of its own; a field without a value is empty by itself.",
            *where,
            "choices",
        )
    return choices


def _alike(choice: str) -> str:
    """The same for what looks the same."""
    return unicodedata.normalize("NFC", choice)


def _edge(file: TomlFile, name: str, table: dict[str, Any], facets: dict[str, Facet], plugin: str) -> Edge:
    where = ("edge", name)
    with file.part():
        file.only(table, _EDGE_KEYS, where)
    cardinality = table.get("cardinality", "many")
    if cardinality not in ("one", "many"):
        raise file.problem(
            f"the cardinality of {name} is “{cardinality}”.", 'Write "one" or "many".', *where, "cardinality"
        )
    unique_pair = file.flag(table, "unique_pair", where)
    if unique_pair and cardinality == "one":
        raise file.problem(
            f"{name} has one end anyway, so that a pair can't be there twice.",
            "Take unique_pair away.",
            *where,
            "unique_pair",
        )
    return Edge(
        label=file.text(table, "label", where) or name.replace("_", " "),
        source=_end(file, table, "from", where, facets, plugin),
        target=_end(file, table, "to", where, facets, plugin),
        cardinality=cardinality,
        unique_pair=unique_pair,
        properties=_fields(file, table, (*where, "property"), _PROPERTY_KEYS, RESERVED_PROPERTIES),
    )


def _end(file: TomlFile, table: dict[str, Any], key: str, where: Where, facets: dict[str, Facet], plugin: str) -> str:
    """A facet of this plugin, another plugin's ``plugin.facet``, or ``*``."""
    end = file.text(table, key, where) if key in table else "*"
    outside = end.count(".") == 1 and all(NAME.fullmatch(part) for part in end.split("."))
    own = outside and end.partition(".")[0] == plugin
    if end != "*" and end not in facets and (not outside or (own and end.partition(".")[2] not in facets)):
        raise file.problem(
            f"{where[1]} goes {key} “{end}”, which isn't a facet here.",
            f"Use one of: {', '.join(facets)}; another plugin's as plugin.facet; or *.",
            *where,
            key,
        )
    return end


def _names(table: dict[str, Any], key: str) -> list[str]:
    """All that is declared there, rightly or not."""
    value = table.get(key)
    return list(value) if isinstance(value, dict) else []


def _tables(file: TomlFile, table: dict[str, Any], where: Where, what: str) -> dict[str, dict[str, Any]]:
    """The named tables under the last key of ``where``; what isn't one is put down as wrong."""
    key = str(where[-1])
    value = table.get(key, {})
    found: dict[str, dict[str, Any]] = {}
    with file.part():
        if not isinstance(value, dict):
            raise file.problem(
                f"“{key}” isn't a table.", f"Write [{'.'.join(str(part) for part in where)}.name].", *where
            )
        if len(where) > 1 and len(value) > FIELDS_MAX:
            many = "properties" if what == "property" else "fields"
            raise file.problem(f"{where[1]} has more than {FIELDS_MAX} {many}.", "Make several of it.", *where[:-1])
        for name, inner in value.items():
            with file.part():
                if not (FIELD_NAME if key in ("field", "property") else NAME).fullmatch(name):
                    raise file.problem(f"“{name}” can't be the name of a {what}.", _NAME_HINT, *where, name)
                if not isinstance(inner, dict):
                    raise file.problem(
                        f"{what} “{name}” isn't a table.", f'Write {name} = {{ type = "string" }}.', *where, name
                    )
                found[name] = inner
    return found
