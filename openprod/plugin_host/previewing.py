"""What a proposal would change, field by field: what stands there now, and what would."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec

from openprod.core import titles
from openprod.core.operations import (
    AddEdge,
    AttachFacet,
    ClearField,
    CreateEntity,
    DetachFacet,
    EditText,
    Operation,
    SetEdgeProperty,
    SetField,
)
from openprod.core.schema import TEXT_TYPES, Facet, Field, Schema
from openprod.core.values import canonical
from openprod.plugin_api.snapshot import Snapshot

SHOWN_MAX: Final = 2_000
"""Fields listed in a preview; the counts are of all."""
NAMED_MAX: Final = 10


class FieldChange(msgspec.Struct, frozen=True, kw_only=True):
    """One field of one entity, or one property of an edge. ``entity`` is an id, ``title`` what people call it."""

    entity: str
    title: str
    facet: str
    field: str
    label: str
    before: Any
    after: Any


def field_changes(
    new: Schema, snapshot: Snapshot, operations: Iterable[Operation], *, old: Schema | None = None
) -> Iterator[FieldChange]:
    """``old``: the schema that the snapshot was taken under, where it is another than the one of the operations."""
    old = old or new
    for operation in operations:
        match operation:
            case CreateEntity(entity=entity, facets=facets):
                written = [(facet, field, value) for facet, fields in facets.items() for field, value in fields.items()]
            case AttachFacet(entity=entity, facet=facet, fields=fields):
                written = [(facet, field, value) for field, value in fields.items()]
            case SetField(entity=entity, facet=facet, field=field, value=value):
                written = [(facet, field, value)]
            case ClearField(entity=entity, facet=facet, field=field):
                written = [(facet, field, None)]
            case EditText(entity=entity, facet=facet, field=field, index=at, delete=length, insert=text):
                present = str(snapshot.entities(facet).get(entity, {}).get(field) or "")
                written = [(facet, field, present[:at] + text + present[at + length :])]
            case DetachFacet(entity=entity, facet=facet):
                there = snapshot.entities(facet).get(entity, {})
                written = [(facet, field, None) for field, value in there.items() if value is not None]
            case SetEdgeProperty():
                yield from _property_change(new, snapshot, operation)
                continue
            case _:
                continue
        entity = snapshot.survivor(entity)
        for facet, field, value in written:
            stands = snapshot.entities(facet).get(entity, {})
            short = facet.partition(".")[2]
            declared = new.facets[short].fields.get(field)
            before = _before(old.facets.get(short), declared, field, stands)
            if canonical(before) != canonical(value):
                yield FieldChange(
                    entity=entity, title=titles.title((old.facets.get(short) or new.facets[short]).title, stands,
                    entity=entity), facet=facet, field=field, label=declared.label if declared else field,
                    before=before, after=value,
                )  # fmt: skip


def _property_change(schema: Schema, snapshot: Snapshot, operation: SetEdgeProperty) -> Iterator[FieldChange]:
    view = snapshot.edges(operation.edge).get(operation.id)
    before = view.properties.get(operation.property) if view is not None else None
    if view is not None and canonical(before) != canonical(operation.value):
        declared = schema.edges[operation.edge.partition(".")[2]].properties.get(operation.property)
        yield FieldChange(
            entity=operation.id, title=" → ".join(_named(schema, snapshot, end) for end in (view.source, view.target)),
            facet=operation.edge, field=operation.property, label=declared.label if declared else operation.property,
            before=before, after=operation.value,
        )  # fmt: skip


def edge_changes(schema: Schema, snapshot: Snapshot, operations: Iterable[Operation]) -> Iterator[FieldChange]:
    """Edges between things that are there already, and those that take the place of the only one there may be: to
    what each leads now, and to what it would.
    """
    operations = tuple(operations)
    made = {one.entity: one.facets for one in operations if isinstance(one, CreateEntity)}
    drawn = [one for one in operations if isinstance(one, AddEdge)]
    declared = {edge: schema.edges[edge.partition(".")[2]] for edge in {one.edge for one in drawn}}
    there = {
        edge: {snapshot.survivor(view.source): view.target for view in snapshot.edges(edge).values()}
        for edge in declared
        if declared[edge].cardinality == "one"
    }
    for one in drawn:
        source, target = snapshot.survivor(one.source), snapshot.survivor(one.target)
        before = there.get(one.edge, {}).get(source)
        before = None if before is None else snapshot.survivor(before)
        if source in made or before == target or (before is None and target in made):
            continue
        yield FieldChange(
            entity=source, title=_named(schema, snapshot, source), facet=one.edge, field="to",
            label=declared[one.edge].label, before=before and _named(schema, snapshot, before),
            after=_named(schema, snapshot, target, made.get(target)),
        )  # fmt: skip


def made_again(schema: Schema, made: Iterable[CreateEntity], known: Collection[str]) -> str:
    """A line that names what was deleted here and would be back; "" for nothing. ``known``: entities that were here."""
    names = sorted(_titled(schema, one.facets) or one.entity for one in made if one.entity in known)
    more = f" and {len(names) - NAMED_MAX} more" if len(names) > NAMED_MAX else ""
    return f"Deleted here, and made again by this: {', '.join(names[:NAMED_MAX])}{more}." if names else ""


def _titled(schema: Schema, facets: Mapping[str, Mapping[str, Any]]) -> str:
    return next(
        (
            titles.title(facet.title, facets[name])
            for short, facet in schema.facets.items()
            if facet.title and (name := f"{schema.plugin}.{short}") in facets
        ),
        "",
    )


def _named(schema: Schema, snapshot: Snapshot, entity: str, made: Mapping[str, Mapping[str, Any]] | None = None) -> str:
    """``made``: the facets of one that isn't there yet."""
    names = [f"{schema.plugin}.{short}" for short in schema.facets]
    there = {name: snapshot.entities(name)[entity] for name in names if entity in snapshot.entities(name)}
    return _titled(schema, there or made or {}) or entity


def _before(facet: Facet | None, field: Field | None, name: str, present: Any) -> Any:
    """What the field, or what it was, shows now."""
    known = facet.fields if facet else {}
    value = next(
        (
            present[key]
            for key in (name, *(field.was if field else ()))
            if key in known and present.get(key) is not None
        ),
        None,
    )
    return None if value == "" and name in known and known[name].type in TEXT_TYPES else value
