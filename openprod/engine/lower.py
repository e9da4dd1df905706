"""From operations to register writes: what each operation means in the documents as they stand.

Writes of one bundle see each other. Nothing is ever removed from a document: what ends is written null.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from openprod.core import validity, values
from openprod.core.operations import (
    AddEdge,
    AttachFacet,
    ClearField,
    CreateEntity,
    DeleteEntity,
    DetachFacet,
    EditText,
    MergeEntities,
    Operation,
    RemoveEdge,
    RestoreEntity,
    SetEdgeProperty,
    SetField,
    SplitEntity,
)
from openprod.core.schema import Edge, Facet
from openprod.engine import inverse, merging, projection
from openprod.engine.concepts import Concepts
from openprod.errors import InvalidOperation, NotFound
from openprod.storage.ports import RegisterRow
from openprod.yjs import layout
from openprod.yjs.documents import SetKey, SpliceText, Write

if TYPE_CHECKING:
    from openprod.engine.commit import Committer
    from openprod.engine.schemas import Schemas

_ABSENT = object()


class Lowering:
    """Collects the writes of one bundle."""

    def __init__(self, committer: Committer, *, schemas: Schemas | None = None) -> None:
        """``schemas``: what operations are checked against, when it isn't what the workspace has adopted."""
        self._committer = committer
        self._schemas = committer.schemas if schemas is None else schemas
        self._writes: dict[tuple[str, str, str], Any] = {}
        self._texts: list[tuple[str, SpliceText]] = []

    def plan(self) -> dict[str, list[Write]]:
        plan: dict[str, list[Write]] = {}
        for (document, root, key), value in self._writes.items():
            plan.setdefault(document, []).append(SetKey(root, key, value))
        for document, splice in self._texts:
            plan.setdefault(document, []).append(splice)
        return plan

    # -- registers -----------------------------------------------------------------------------------------

    def read(self, document: str, root: str, key: str) -> Any:
        """The value as this bundle sees it; None for null and for absent."""
        value = self._writes.get((document, root, key), _ABSENT)
        if value is not _ABSENT:
            return value
        entry = self._committer.index.find(document, root, key)
        return None if entry is None or entry.value is None else json.loads(entry.value)

    def write(self, document: str, root: str, key: str, value: Any) -> None:
        """Set a register, unless it shows that value and nobody disagrees."""
        entry = self._committer.index.find(document, root, key)
        if entry is None:
            if value is None and (document, root, key) not in self._writes:
                return
        elif not entry.forked and entry.value is not None and values.canonical(value) == entry.value:
            self._writes.pop((document, root, key), None)
            return
        self._writes[(document, root, key)] = value

    def keys(self, document: str, root: str) -> list[str]:
        """The keys of a root that this bundle writes."""
        return [key for at, of, key in self._writes if (at, of) == (document, root)]

    def agree(self, places: Sequence[tuple[str, str, str]]) -> None:
        """Where registers show one value, or none yet, let all of them show it."""
        entries = [entry for place in places if (entry := self._committer.index.find(*place)) is not None]
        shown = {values.canonical(value): value for place in places if (value := self.read(*place)) is not None}
        if len(shown) == 1 and not any(map(self._committer.detector.is_disputed, entries)):
            for place in places:
                self.write(*place, next(iter(shown.values())))

    # -- what is there -------------------------------------------------------------------------------------

    def exists(self, entity: str) -> bool:
        marker = self._committer.index.find(layout.CORE, layout.ENTITY_ROOT, entity)
        own = self._writes.get((layout.CORE, layout.ENTITY_ROOT, entity), _ABSENT)
        if own is not _ABSENT:
            return own is not None
        if marker is not None:
            return marker.value not in (None, "null")
        return any(
            name == entity and value is not None
            for (_d, root, name), value in self._writes.items()
            if root in self._facets()
        ) or any(
            row.value not in (None, "null")
            for row in self._committer.storage.registers_of_entity(entity)
            if layout.parse_root(row.root).kind == "facet" and layout.belongs(row.root, row.document)
        )

    def _facets(self) -> set[str]:
        return {f"{plugin}.{facet}" for plugin, schema in self._schemas.items() for facet in schema.facets}

    def has_facet(self, entity: str, facet: str) -> bool:
        document = facet.partition(".")[0]
        key = layout.marker_key(entity)
        if (document, facet, key) in self._writes:
            return self._writes[(document, facet, key)] is not None
        marker = self._committer.index.find(document, facet, key)
        if marker is not None:
            return marker.value not in (None, "null")
        # An outside program may have written fields only.
        return any(
            row.root == facet and row.field and row.value not in (None, "null")
            for row in self._committer.storage.registers_of_entity(entity)
        )

    def require_entity(self, entity: str) -> None:
        if not layout.is_id(entity):
            raise InvalidOperation(f"“{entity[:80]}” can't be the id of an entity.", hint="Ids hold no “/”.")
        if not self.exists(entity):
            raise NotFound(
                f"There is no entity {entity}.", hint="It may have been deleted; `restore_entity` brings it back."
            )

    def _facet(self, name: str) -> Facet:
        found = self._schemas.facet(name)
        if found is None:
            known = ", ".join(sorted(self._facets())) or "none"
            raise InvalidOperation(f"No adopted plugin has the facet “{name[:80]}”.", hint=f"Known facets: {known}.")
        return found

    def _edge(self, name: str) -> Edge:
        found = self._schemas.edge(name)
        if found is None:
            raise InvalidOperation(f"No adopted plugin has the edge “{name[:80]}”.")
        return found

    # -- operations ----------------------------------------------------------------------------------------

    def add(self, operations: Sequence[Operation]) -> None:
        """Raises InvalidOperation or NotFound, naming the operation; the collected writes are then useless."""
        for operation in map(self._standing_for, operations):
            match operation:
                case CreateEntity():
                    self._create(operation)
                case DeleteEntity():
                    self._delete(operation.entity)
                case RestoreEntity():
                    self.restore(operation.entity)
                case AttachFacet():
                    self.require_entity(operation.entity)
                    self._attach(operation.entity, operation.facet, operation.fields)
                case DetachFacet():
                    self._require_facet(operation.entity, operation.facet)
                    self._detach(operation.entity, operation.facet)
                case SetField():
                    self._require_facet(operation.entity, operation.facet)
                    self._set(operation.entity, operation.facet, operation.field, operation.value)
                case ClearField():
                    self._require_facet(operation.entity, operation.facet)
                    self._set(operation.entity, operation.facet, operation.field, None)
                case EditText():
                    self._edit_text(operation)
                case AddEdge():
                    self._add_edge(operation)
                case RemoveEdge():
                    self._end_edge(operation.edge, operation.id)
                case SetEdgeProperty():
                    self._set_property(operation)
                case MergeEntities():
                    merging.merge(self._committer, self, operation)
                case SplitEntity():
                    merging.split(self._committer, self, operation.entity)
                case _:
                    Concepts(self._committer, self).add(operation)

    def _standing_for(self, operation: Operation) -> Operation:
        """What is said of a merged entity is said of the one that it stands for."""
        bonds = self._committer.detector.bonds
        if isinstance(operation, AddEdge):
            source, target = bonds.survivor(operation.source), bonds.survivor(operation.target)
            return msgspec.structs.replace(operation, source=source, target=target)
        if isinstance(operation, (AttachFacet, DetachFacet, SetField, ClearField, EditText, DeleteEntity)):
            return msgspec.structs.replace(operation, entity=bonds.survivor(operation.entity))
        return operation

    def _create(self, operation: CreateEntity) -> None:
        entity = operation.entity
        if not layout.is_id(entity):
            raise InvalidOperation(f"“{entity[:80]}” can't be the id of an entity.", hint="Ids hold no “/”.")
        if self.exists(entity):
            raise InvalidOperation(f"The entity {entity} exists already.", hint="Change it with set_field.")
        gone = self._committer.index.find(layout.CORE, layout.ENTITY_ROOT, entity)
        if not operation.facets or gone is not None:
            self.write(layout.CORE, layout.ENTITY_ROOT, entity, True)
        for facet, fields in operation.facets.items():
            self._attach(entity, facet, fields)

    def _attach(self, entity: str, facet: str, fields: dict[str, Any]) -> None:
        self._facet(facet)
        self.write(facet.partition(".")[0], facet, layout.marker_key(entity), True)
        for field, value in fields.items():
            self._set(entity, facet, field, value)

    def _require_facet(self, entity: str, facet: str) -> None:
        self._facet(facet)
        self.require_entity(entity)
        if not self.has_facet(entity, facet):
            raise InvalidOperation(
                f"The entity {entity} doesn't have the facet {facet}.", hint="Attach it first (attach_facet)."
            )

    def _set(self, entity: str, facet: str, field: str, value: Any) -> None:
        declared = self._facet(facet).fields.get(field)
        if declared is None:
            known = ", ".join(sorted(self._facet(facet).fields))
            raise InvalidOperation(f"{facet} has no field “{field[:80]}”.", hint=f"Its fields: {known}.")
        where = f"{facet}/{field} of {entity}"
        value = values.check(value, where=where)
        if declared.type == "text":
            self.set_text(entity, facet, field, value)
            return
        wrong = validity.fault(declared, value)
        if wrong:
            raise InvalidOperation(f"The value for {where} {wrong}.", hint=f"The field is of type {declared.type}.")
        place = (facet.partition(".")[0], facet, layout.field_key(entity, field))
        for at in projection.along(self._committer.detector, self._committer.storage, place):
            self.write(*at, value)

    def splice(self, document: str, splice: SpliceText) -> None:
        self._texts.append((document, splice))

    def set_text(self, entity: str, facet: str, field: str, value: Any) -> None:
        if value is not None and not isinstance(value, str):
            raise InvalidOperation(f"{facet}/{field} of {entity} is a text.")
        document, root, new = facet.partition(".")[0], layout.text_root(facet, entity, field), value or ""
        old = self._committer.document(document).text(root)
        # Only what differs is replaced, so that what others type elsewhere in it keeps its place.
        start = 0
        while start < min(len(old), len(new)) and old[start] == new[start]:
            start += 1
        end = 0
        while end < min(len(old), len(new)) - start and old[-1 - end] == new[-1 - end]:
            end += 1
        if len(old) - end > start or len(new) - end > start:
            splice = SpliceText(root, start, len(old) - end - start, new[start : len(new) - end])
            self._texts.append((document, splice))

    def _edit_text(self, operation: EditText) -> None:
        self._require_facet(operation.entity, operation.facet)
        declared = self._facet(operation.facet).fields.get(operation.field)
        if declared is None or declared.type != "text":
            raise InvalidOperation(f"{operation.facet} has no text field “{operation.field[:80]}”.")
        values.check(operation.insert, where=f"{operation.facet}/{operation.field}")
        document = operation.facet.partition(".")[0]
        root = layout.text_root(operation.facet, operation.entity, operation.field)
        length = len(self._committer.document(document).text(root))
        if operation.index < 0 or operation.delete < 0 or operation.index + operation.delete > length:
            raise InvalidOperation(
                f"The text has {length} characters; the change reaches outside of it.", hint="Read it again first."
            )
        self._texts.append((document, SpliceText(root, operation.index, operation.delete, operation.insert)))

    # -- ending and bringing back --------------------------------------------------------------------------

    def _delete(self, entity: str) -> None:
        self.require_entity(entity)
        for row in self._committer.storage.registers_of_entity(entity):
            if layout.parse_root(row.root).kind == "facet" and row.value not in (None, "null"):
                self.write(row.document, row.root, row.key, None)
        for (document, root, key), value in list(self._writes.items()):
            if value is not None and root in self._facets() and key.partition("/")[0] == entity:
                self.write(document, root, key, None)
        for plugin, schema in (*self._schemas.items(), *self._schemas.dropped.items()):
            for short in schema.edges:
                self._end_edges(plugin, layout.edge_root(f"{plugin}.{short}"), entity)
        # The marker is written even where there was none: it is what says "deleted".
        self._writes[(layout.CORE, layout.ENTITY_ROOT, entity)] = None

    def _end_edges(self, document: str, root: str, entity: str) -> None:
        text = values.canonical(entity)
        for end in (layout.FROM_FIELD, layout.TO_FIELD):
            for row in self._committer.storage.registers_valued(root, end, text):
                if self.read(document, root, row.entity) is not None:
                    self.write(document, root, row.entity, None)

    def _detach(self, entity: str, facet: str) -> None:
        for row in self._committer.storage.registers_of_entity(entity):
            if row.root == facet and row.value not in (None, "null"):
                self.write(row.document, row.root, row.key, None)
        self._writes[(facet.partition(".")[0], facet, layout.marker_key(entity))] = None

    def values(self) -> dict[tuple[str, str, str], Any]:
        """What would be written: {(document, root, key): value}."""
        return dict(self._writes)

    def reattach(self, entity: str, facet: str) -> None:
        """Bring one facet back, with the values it had."""
        document, key = facet.partition(".")[0], layout.marker_key(entity)
        marker = self._committer.storage.register_at(document, facet, key)
        if marker is None or marker.value not in (None, "null"):
            raise InvalidOperation(f"The entity {entity} has the facet {facet}.")
        self._bring_back(marker, facet=facet)
        self._writes[(document, facet, key)] = True

    def _bring_back(self, marker: RegisterRow, *, facet: str = "") -> None:
        """The values that the bundle which took a thing away had written over: those of that thing alone."""
        version = self._committer.storage.version(marker.document, marker.client, marker.clock)
        assert version is not None
        for document, root, key, value in inverse.of_bundle(self._committer, version.bundle).values:
            if value is not None and self._is_of(document, root, key, marker.entity, facet):
                self.write(document, root, key, value)

    def _is_of(self, document: str, root: str, key: str, entity: str, facet: str) -> bool:
        kind, owner = layout.parse_root(root).kind, layout.place(document, root, key).entity
        if kind == "facet":
            return owner == entity and facet in ("", root)
        if kind != "edge" or facet:
            return False
        ends = (self.read(document, root, layout.field_key(owner, end)) for end in (layout.FROM_FIELD, layout.TO_FIELD))
        return entity in ends

    def restore(self, entity: str) -> None:
        if not layout.is_id(entity):
            raise InvalidOperation(f"“{entity[:80]}” can't be the id of an entity.")
        marker = self._committer.storage.register_at(layout.CORE, layout.ENTITY_ROOT, entity)
        if marker is None or marker.value not in (None, "null"):
            raise InvalidOperation(f"The entity {entity} isn't deleted.")
        self._bring_back(marker)
        self._writes[(layout.CORE, layout.ENTITY_ROOT, entity)] = True

    # -- edges ---------------------------------------------------------------------------------------------

    def _add_edge(self, operation: AddEdge) -> None:
        declared = self._edge(operation.edge)
        for end, facet in ((operation.source, declared.source), (operation.target, declared.target)):
            self.require_entity(end)
            plugin = operation.edge.partition(".")[0]
            name = facet if "." in facet or facet == "*" else f"{plugin}.{facet}"
            if name != "*" and not self.has_facet(end, name):
                raise InvalidOperation(
                    f"{operation.edge} joins {declared.source} to {declared.target}; {end} isn't one."
                )
        if declared.cardinality == "one":
            edge = operation.source
        elif declared.unique_pair:
            edge = layout.pair_edge_id(operation.source, operation.target)
        else:
            edge = operation.id
            if not layout.is_id(edge):
                raise InvalidOperation("An edge of this kind needs an id.", hint="Give a new id such as edge_<ULID>.")
        document, root = operation.edge.partition(".")[0], layout.edge_root(operation.edge)
        self.write(document, root, layout.marker_key(edge), True)
        self.write(document, root, layout.field_key(edge, layout.FROM_FIELD), operation.source)
        self.write(document, root, layout.field_key(edge, layout.TO_FIELD), operation.target)
        for name, value in operation.properties.items():
            self._property(operation.edge, declared, edge, name, value)

    def _require_edge(self, name: str, edge: str) -> tuple[str, str]:
        self._edge(name)
        document, root = name.partition(".")[0], layout.edge_root(name)
        if not layout.is_id(edge) or self.read(document, root, edge) is None:
            raise NotFound(f"There is no edge {edge[:80]} in {name}.")
        return document, root

    def _end_edge(self, name: str, edge: str) -> None:
        document, root = self._require_edge(name, edge)
        self.write(document, root, edge, None)

    def _set_property(self, operation: SetEdgeProperty) -> None:
        self._require_edge(operation.edge, operation.id)
        self._property(operation.edge, self._edge(operation.edge), operation.id, operation.property, operation.value)

    def _property(self, name: str, declared: Edge, edge: str, property: str, value: Any) -> None:
        field = declared.properties.get(property)
        if field is None:
            raise InvalidOperation(f"{name} has no property “{property[:80]}”.")
        value = values.check(value, where=f"{name}/{property}")
        wrong = validity.fault(field, value)
        if wrong:
            raise InvalidOperation(f"The value for {name}/{property} {wrong}.")
        self.write(name.partition(".")[0], layout.edge_root(name), layout.field_key(edge, property), value)
