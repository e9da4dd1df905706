"""From one version of a schema to the next: what is free, and what would need a migration.

Free is what leaves every stored value readable under the new schema: labels, new facets, fields, edges and choices,
wider types (``WIDER``), renames by ``was``. Everything else would hide or misread values, so a migration has to say
what becomes of them.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from openprod.core.schema import TEXT_TYPES, Edge, Facet, Field, Schema

WIDER: Final[dict[str, frozenset[str]]] = {
    "integer": frozenset({"number", "string"}),
    "number": frozenset({"string"}),
    "duration": frozenset({"number", "string"}),
    "decimal": frozenset({"string"}),
    "date": frozenset({"string"}),
    "time": frozenset({"string"}),
    "datetime": frozenset({"string"}),
    "choice": frozenset({"string"}),
    "color": frozenset({"string"}),
    "reference": frozenset({"string"}),
}
"""{type: the types that it may become}. Values stay as they were written: a 3 stays a 3 in a field of text, and fits.

Not here: decimal and number, which write the same value differently (42.10 and 42.1); the texts, which are kept
elsewhere than other fields; blob and list, which nothing else can show.
"""

_NUMBER = re.compile(r"\d+")


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One difference. ``where``: ``facet.thing.field.number``; ``sentence`` for people; ``free``: no migration."""

    where: str
    sentence: str
    free: bool


def changes(old: Schema, new: Schema) -> tuple[Change, ...]:
    """Every difference that matters to data, facets before edges, in the order of the schemas."""
    found = _Found()
    for name, facet in old.facets.items():
        if name in new.facets:
            _facet(found, name, facet, new.facets[name])
        else:
            found.barred(f"facet.{name}", f"“{facet.label or name}” is gone.")
    for name, facet in new.facets.items():
        if name not in old.facets:
            found.free(f"facet.{name}", f"“{facet.label or name}” is new.")
    for name, edge in old.edges.items():
        if name in new.edges:
            _edge(found, name, edge, new.edges[name])
        else:
            found.barred(f"edge.{name}", f"The relation “{edge.label or name}” is gone.")
    for name, edge in new.edges.items():
        if name not in old.edges:
            found.free(f"edge.{name}", f"The relation “{edge.label or name}” is new.")
    return tuple(found.changes)


def needs_migration(found: tuple[Change, ...]) -> bool:
    return any(not change.free for change in found)


def continues(facet: Facet, field: str) -> str | None:
    """The field of ``facet`` that goes on with an older version's ``field``: of the same name, or by ``was``."""
    if field in facet.fields:
        return field
    return next((name for name, declared in facet.fields.items() if field in declared.was), None)


def version_key(version: str) -> tuple[tuple[int, ...], bool]:
    """Orders versions: 1.10 after 1.9, 2.0-beta before 2.0, 1 like 1.0.0."""
    core, mark, _rest = re.sub(r"\+.*", "", version).partition("-")
    numbers = [int(part) for part in _NUMBER.findall(core)[:3]]
    return (*numbers, *[0] * (3 - len(numbers))), not mark


def former_types(earlier: list[Schema], facet: str, name: str, field: Field) -> tuple[str, ...]:
    """The narrower types that a field, or what it ``was``, had in earlier schemas: values of those fit it still."""
    found = {
        before.type
        for schema in earlier
        if facet in schema.facets
        for key in (name, *field.was)
        if (before := schema.facets[facet].fields.get(key)) is not None and field.type in WIDER.get(before.type, ())
    }
    return tuple(sorted(found))


class _Found:
    def __init__(self) -> None:
        self.changes: list[Change] = []

    def free(self, where: str, sentence: str) -> None:
        self.changes.append(Change(where=where, sentence=sentence, free=True))

    def barred(self, where: str, sentence: str) -> None:
        self.changes.append(Change(where=where, sentence=sentence, free=False))


def _facet(found: _Found, name: str, old: Facet, new: Facet) -> None:
    where, thing = f"facet.{name}", new.label or name
    for key, field in old.fields.items():
        follower = continues(new, key)
        if follower is None:
            found.barred(f"{where}.field.{key}", f"{thing}: the field “{key}” is gone.")
            continue
        if follower != key:
            found.free(f"{where}.field.{follower}", f"{thing}: “{key}” is called “{follower}” now.")
        _field(found, f"{where}.field.{follower}", f"{thing}: “{follower}”", field, new.fields[follower])
        lost = [was for was in field.was if was != follower and was not in new.fields[follower].was]
        if lost:
            found.barred(
                f"{where}.field.{follower}",
                f"{thing}: “{follower}” doesn't say any more that it was “{lost[0]}”; "
                "values under that name would not be shown.",
            )
    for key in new.fields:
        before = (key, *new.fields[key].was)
        if not any(earlier in old.fields for earlier in before):
            found.free(f"{where}.field.{key}", f"{thing}: the field “{key}” is new.")
    if old.unique != new.unique:
        found.free(f"{where}.unique", f"{thing}: what tells two of them apart has changed.")


def _field(found: _Found, where: str, what: str, old: Field, new: Field) -> None:
    if old.type != new.type:
        if new.type in WIDER.get(old.type, ()):
            found.free(where, f"{what} holds {new.type} now, not only {old.type}.")
        elif (old.type in TEXT_TYPES) != (new.type in TEXT_TYPES) or old.type in TEXT_TYPES:
            found.barred(
                where, f"{what} was {old.type} and is {new.type}: what several people write is merged otherwise."
            )
        else:
            found.barred(where, f"{what} was {old.type} and is {new.type}: not every value that it had fits.")
    elif gone := [choice for choice in old.choices if choice not in new.choices]:
        found.barred(where, f"{what} can't be “{gone[0]}” any more.")
    elif added := [choice for choice in new.choices if choice not in old.choices]:
        found.free(where, f"{what} can be “{added[0]}” too.")
    if old.unit != new.unit and old.unit:
        found.barred(where, f"{what} was in {old.unit} and is in {new.unit or 'no unit'}.")


def _edge(found: _Found, name: str, old: Edge, new: Edge) -> None:
    where, what = f"edge.{name}", f"The relation “{new.label or name}”"
    for end, before, after in (("from", old.source, new.source), ("to", old.target, new.target)):
        if before != after:
            if after == "*":
                found.free(f"{where}.{end}", f"{what} may go {end} anything now.")
            else:
                found.barred(f"{where}.{end}", f"{what} went {end} {before} and goes {end} {after}.")
    if old.cardinality != new.cardinality:
        if new.cardinality == "many":
            found.free(f"{where}.cardinality", f"{what} may be there more than once now.")
        else:
            found.barred(f"{where}.cardinality", f"{what} could be there more than once, and can't any more.")
    elif old.unique_pair != new.unique_pair:
        if new.unique_pair:
            found.barred(f"{where}.unique_pair", f"{what} could join the same two more than once, and can't any more.")
        else:
            found.free(f"{where}.unique_pair", f"{what} may join the same two more than once now.")
    for key, field in old.properties.items():
        if key in new.properties:
            _field(found, f"{where}.property.{key}", f"{what}: “{key}”", field, new.properties[key])
        else:
            found.barred(f"{where}.property.{key}", f"{what}: the property “{key}” is gone.")
    for key in new.properties:
        if key not in old.properties:
            found.free(f"{where}.property.{key}", f"{what}: the property “{key}” is new.")
