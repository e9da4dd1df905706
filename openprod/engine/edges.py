"""Edges: whether one stands, and the writes that draw, move and end one.

An edge stands while its marker isn't null; one without a marker, as outside programs may draw it, while it has an end.
What ends is written null in every register of the edge that was seen, so that an edit made apart stays visible.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from openprod.core import validity, values
from openprod.core.operations import AddEdge, RemoveEdge, SetEdgeProperty
from openprod.core.schema import Edge
from openprod.core.versions import NULL
from openprod.engine.schemas import Schemas
from openprod.errors import InvalidOperation, NotFound
from openprod.storage.ports import RegisterRow, Storage
from openprod.yjs import layout

if TYPE_CHECKING:
    from openprod.engine.lower import Lowering

ENDS = (layout.FROM_FIELD, layout.TO_FIELD)


def place(name: str) -> tuple[str, str]:
    """(document, root) of the edges called ``plugin.edge``."""
    return name.partition(".")[0], layout.edge_root(name)


def rows(storage: Storage, document: str, root: str, edge: str) -> dict[str, RegisterRow]:
    """An edge's registers by field; "" is its marker."""
    found = storage.registers_of_entity(edge)
    return {row.field: row for row in found if row.root == root and row.document == document}


def is_empty(row: RegisterRow | None) -> bool:
    return row is None or row.value in (None, NULL)


def stands(registers: Mapping[str, RegisterRow]) -> bool:
    if "" in registers:
        return not is_empty(registers[""])
    return not all(is_empty(registers.get(end)) for end in ENDS)


def demanded(name: str, facet: str) -> str:
    """The facet that an end must have, as ``plugin.facet``; "" for any entity. ``facet`` is as the schema has it."""
    if facet == "*":
        return ""
    return facet if "." in facet else f"{name.partition('.')[0]}.{facet}"


def ids_at(storage: Storage, root: str, end: str, entity: str) -> set[str]:
    """Ids of the edges, standing or not, that show ``entity`` at one of their ends."""
    return {row.entity for row in storage.registers_valued(root, end, values.canonical(entity))}


def names(schemas: Schemas, *, dropped: bool = False) -> Iterator[tuple[str, Edge]]:
    """``dropped``: also those of plugins whose adoption was dropped."""
    for plugin, schema in sorted({**(schemas.dropped if dropped else {}), **schemas}.items()):
        for short, declared in sorted(schema.edges.items()):
            yield f"{plugin}.{short}", declared


def last(storage: Storage, row: RegisterRow | None) -> Any:
    """What a register shows, or showed before it was emptied."""
    if row is None:
        return None
    if row.value not in (None, NULL):
        return json.loads(row.value or NULL)
    version = storage.version(row.document, row.client, row.clock)
    while version is not None and version.version.parent_client is not None:
        parent = version.version
        version = storage.version(row.document, parent.parent_client or 0, parent.parent_clock or 0)
        if version is not None and version.version.value not in (None, NULL):
            return json.loads(version.version.value or NULL)
    return None


class EdgeWrites:
    """The edge operations of one bundle, which see what the bundle has written so far."""

    def __init__(self, lowering: Lowering, storage: Storage, schemas: Schemas, one: Callable[[str], list[str]]) -> None:
        """``one``: the ids of everything that was merged with an entity, itself among them."""
        self._one = one
        self._lowering = lowering
        self._storage = storage
        self._schemas = schemas
        self._drawn: dict[tuple[str, str, str], set[str]] = {}  # (root, end, entity) → edges
        self._fields: dict[tuple[str, str], set[str]] = {}  # (root, edge) → fields written

    # -- what is there -------------------------------------------------------------------------------------

    def _declared(self, name: str) -> Edge:
        found = self._schemas.edge(name)
        if found is None:
            known = ", ".join(known for known, _edge in names(self._schemas)) or "none"
            raise InvalidOperation(f"No adopted plugin has the edge “{name[:80]}”.", hint=f"Known edges: {known}.")
        return found

    def _stands(self, document: str, root: str, edge: str) -> bool:
        known, marker = self._lowering.lookup(document, root, layout.marker_key(edge))
        if known:
            return marker is not None
        return any(self._lowering.read(document, root, layout.field_key(edge, end)) is not None for end in ENDS)

    def _at(self, document: str, root: str, end: str, entity: str) -> list[str]:
        """Ids of the standing edges with the entity, or what was merged into it, at that end, by id."""
        ids = self._one(entity)
        found: set[str] = set()
        for id in ids:
            found |= ids_at(self._storage, root, end, id) | self._drawn.get((root, end, id), set())
        return [
            edge
            for edge in sorted(found)
            if self._stands(document, root, edge)
            and self._lowering.read(document, root, layout.field_key(edge, end)) in ids
        ]

    # -- operations ----------------------------------------------------------------------------------------

    def add(self, operation: AddEdge) -> None:
        """Draw an edge, or move the one there is where the schema allows only one.

        Raises InvalidOperation or NotFound for ends that don't fit.
        """
        name, source, target = operation.edge, operation.source, operation.target
        declared = self._declared(name)
        document, root = place(name)
        self.check_end(name, layout.FROM_FIELD, source)
        self.check_end(name, layout.TO_FIELD, target)
        if declared.cardinality == "one":
            # Outside programs may have drawn it under an id of their own: it is that one that moves.
            there = self._at(document, root, layout.FROM_FIELD, source)
            edge = source if source in there or not there else there[0]
        elif declared.unique_pair:
            edge = layout.pair_edge_id(source, target)
        else:
            edge = operation.id
            if not layout.is_id(edge):
                raise InvalidOperation("An edge of this kind needs an id.", hint="Give a new id such as edge_<ULID>.")
            if self._stands(document, root, edge) and self._ends(document, root, edge) != (source, target):
                raise InvalidOperation(
                    f"The edge {edge} of {name} joins two others already.", hint="Remove it first, or use a new id."
                )
        self.write(document, root, layout.marker_key(edge), True)
        self.write(document, root, layout.field_key(edge, layout.FROM_FIELD), source)
        self.write(document, root, layout.field_key(edge, layout.TO_FIELD), target)
        for property, value in operation.properties.items():
            self._set(name, declared, edge, property, value)

    def _ends(self, document: str, root: str, edge: str) -> tuple[Any, Any]:
        source, target = (self._lowering.read(document, root, layout.field_key(edge, end)) for end in ENDS)
        return source, target

    def check_end(self, name: str, end: str, entity: str) -> None:
        """Raises InvalidOperation or NotFound unless the entity may be at that end."""
        declared = self._declared(name)
        self._lowering.require_entity(entity)
        facet = demanded(name, declared.source if end == layout.FROM_FIELD else declared.target)
        if facet and not self._lowering.has_facet(entity, facet):
            raise InvalidOperation(
                f"{name} joins {declared.source} to {declared.target}; {entity} isn't one.",
                hint=f"It doesn't have the facet {facet}.",
            )

    def remove(self, operation: RemoveEdge) -> None:
        document, root = self._require(operation.edge, operation.id)
        self.end(document, root, operation.id)

    def set_property(self, operation: SetEdgeProperty) -> None:
        self._require(operation.edge, operation.id)
        declared = self._declared(operation.edge)
        self._set(operation.edge, declared, operation.id, operation.property, operation.value)

    def _require(self, name: str, edge: str) -> tuple[str, str]:
        self._declared(name)
        document, root = place(name)
        if not layout.is_id(edge) or not self._stands(document, root, edge):
            raise NotFound(f"There is no edge {edge[:80]} in {name}.", hint="It may have been removed.")
        return document, root

    def _set(self, name: str, declared: Edge, edge: str, property: str, value: Any) -> None:
        document, root = place(name)
        value = check_property(name, declared, property, value)
        self.write(document, root, layout.field_key(edge, property), value)

    def write(self, document: str, root: str, key: str, value: Any) -> None:
        """Write one of an edge's registers, so that the rest of the bundle finds the edge."""
        where = layout.place(document, root, key)
        if where.field in ENDS and isinstance(value, str):
            self._drawn.setdefault((root, where.field, value), set()).add(where.entity)
        self._fields.setdefault((root, where.entity), set()).add(where.field)
        self._lowering.write(document, root, key, value)

    # -- ending and bringing back --------------------------------------------------------------------------

    def end(self, document: str, root: str, edge: str) -> None:
        for field, row in rows(self._storage, document, root, edge).items():
            if field and not is_empty(row):
                self._lowering.write(document, root, row.key, None)
        for field in self._fields.get((root, edge), ()):
            if field:
                self._lowering.write(document, root, layout.field_key(edge, field), None)
        # Written even where there was none: it is what says "ended".
        self._lowering.force(document, root, layout.marker_key(edge), None)

    def end_at(self, entity: str, facet: str = "") -> None:
        """End the edges at an entity that goes, or those that demand of it the facet that it loses."""
        for name, declared in names(self._schemas, dropped=True):
            document, root = place(name)
            for end, facet_there in zip(ENDS, (declared.source, declared.target), strict=True):
                if not facet or demanded(name, facet_there) == facet:
                    for edge in self._at(document, root, end, entity):
                        self.end(document, root, edge)

    def ended_with(self, written: Iterable[tuple[str, str, str, Any]], entity: str) -> set[tuple[str, str]]:
        """(root, edge) of those at an entity that ended when ``written`` was: {document, root, key, value before}."""
        ids = self._one(entity)
        return {
            (root, layout.place(document, root, key).entity)
            for document, root, key, value in written
            if value in ids
            and layout.parse_root(root).kind == "edge"
            and layout.place(document, root, key).field in ENDS
        }


def check_property(name: str, declared: Edge, property: str, value: Any) -> Any:
    """The value as it can be kept. Raises InvalidOperation."""
    field = declared.properties.get(property)
    if field is None:
        known = ", ".join(sorted(declared.properties)) or "none"
        raise InvalidOperation(f"{name} has no property “{property[:80]}”.", hint=f"Its properties: {known}.")
    value = values.check(value, where=f"{name}/{property}")
    wrong = validity.fault(field, value)
    if wrong:
        raise InvalidOperation(
            f"The value for {name}/{property} {wrong}.", hint=f"The property is of type {field.type}."
        )
    return value
