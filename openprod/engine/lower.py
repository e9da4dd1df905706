"""From operations to register writes: what each operation means in the documents as they stand.

Writes of one bundle see each other. Nothing is ever removed from a document: what ends is written null.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from openprod.core import resolutions, validity, values
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
from openprod.core.schema import Facet
from openprod.engine import inverse, merging, projection
from openprod.engine.concepts import Concepts
from openprod.engine.edges import EdgeWrites
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
        self.edges = EdgeWrites(self, committer.storage, self._schemas, committer.detector.bonds.one)

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

    def lookup(self, document: str, root: str, key: str) -> tuple[bool, Any]:
        """Whether there is such a register, and its value as this bundle sees it."""
        known = (document, root, key) in self._writes or self._committer.index.find(document, root, key) is not None
        return known, self.read(document, root, key)

    def force(self, document: str, root: str, key: str, value: Any) -> None:
        """Write even what shows already, or null where nothing was."""
        self._writes[(document, root, key)] = value

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

    def agree(self, places: Sequence[tuple[str, str, str]], *, joining: Sequence[tuple[str, str, str]] = ()) -> None:
        """Where registers show one value, or none yet, let all of them show it. What people are asked about stays so,
        but for what they are asked of a bond that ``joining`` registers leave.
        """
        detector, index, storage = self._committer.detector, self._committer.index, self._committer.storage
        shown = {values.canonical(value): value for place in places if (value := self.read(*place)) is not None}
        entries = [entry for place in joining if (entry := index.find(*place)) is not None]
        asked = any(projection.is_asked(detector, index, storage, place) for place in places if place not in joining)
        if len(shown) == 1 and not asked and not any(map(detector.is_disputed, entries)):
            for place in places:
                self.write(*place, next(iter(shown.values())))

    # -- what is there -------------------------------------------------------------------------------------

    def exists(self, entity: str) -> bool:
        known, marker = self.lookup(layout.CORE, layout.ENTITY_ROOT, entity)
        if known:
            return marker is not None
        facets = {facet for facet in self._facets() if (facet.partition(".")[0], facet, entity) in self._writes}
        facets |= {
            row.root
            for row in self._committer.storage.registers_of_entity(entity)
            if layout.parse_root(row.root).kind == "facet" and layout.belongs(row.root, row.document)
        }
        return any(self.has_facet(entity, facet) for facet in facets)

    def _facets(self) -> set[str]:
        return {f"{plugin}.{facet}" for plugin, schema in self._schemas.items() for facet in schema.facets}

    def has_facet(self, entity: str, facet: str) -> bool:
        known, marker = self.lookup(facet.partition(".")[0], facet, layout.marker_key(entity))
        if known:
            return marker is not None
        # An outside program may have written fields only.
        return any(
            row.root == facet and row.field and self.read(row.document, row.root, row.key) is not None
            for row in self._committer.storage.registers_of_entity(entity)
        )

    def require_entity(self, entity: str) -> None:
        if not layout.is_id(entity):
            raise InvalidOperation(f"“{entity[:80]}” can't be the id of an entity.", hint="Ids hold no “/”.")
        if not self.exists(entity):
            raise NotFound(
                f"There is no entity {entity}.",
                hint="Check the id: queries list them. What was deleted can be restored from its history.",
            )

    def _facet(self, name: str) -> Facet:
        found = self._schemas.facet(name)
        if found is None:
            known = ", ".join(sorted(self._facets())) or "none"
            raise InvalidOperation(f"No adopted plugin has the facet “{name[:80]}”.", hint=f"Known facets: {known}.")
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
                    self.edges.add(operation)
                case RemoveEdge():
                    self.edges.remove(operation)
                case SetEdgeProperty():
                    self.edges.set_property(operation)
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
        field = self._schemas.keys_of(facet, field)[0]
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
            raise InvalidOperation(f"{facet}/{field} of {entity} is a text.", hint="Give it text, or null for none.")
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
            raise InvalidOperation(
                f"{operation.facet} has no text field “{operation.field[:80]}”.",
                hint="Other fields are set as a whole, with set_field.",
            )
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
        self.edges.end_at(entity)
        # The marker is written even where there was none: it is what says "deleted".
        self._writes[(layout.CORE, layout.ENTITY_ROOT, entity)] = None

    def _detach(self, entity: str, facet: str) -> None:
        for row in self._committer.storage.registers_of_entity(entity):
            if row.root == facet and row.value not in (None, "null"):
                self.write(row.document, row.root, row.key, None)
        self._writes[(facet.partition(".")[0], facet, layout.marker_key(entity))] = None
        self.edges.end_at(entity, facet if self.exists(entity) else "")

    def values(self) -> dict[tuple[str, str, str], Any]:
        """What would be written: {(document, root, key): value}."""
        return dict(self._writes)

    def reattach(self, entity: str, facet: str) -> None:
        """Bring one facet back, with the values it had."""
        document, key = facet.partition(".")[0], layout.marker_key(entity)
        marker = self._committer.storage.register_at(document, facet, key)
        if marker is None or (marker.value not in (None, "null") and not marker.forked):
            raise InvalidOperation(f"The entity {entity} has the facet {facet}.", hint="There is nothing to restore.")
        self._bring_back(marker, facet=facet)
        self._writes[(document, facet, key)] = True

    def _bring_back(self, marker: RegisterRow, *, facet: str = "") -> None:
        """The values that the bundles which took a thing away had written over: those of that thing alone."""
        history = self._committer.detector.history(marker)
        ends = [head.id for head in history.state.heads if head.value == "null"]
        said = {resolutions.local_text(id) for id in ends}
        ends += [  # a decision to leave it away: what others had taken away before
            id
            for _row, _bundle, record in history.decisions
            if said & set(record.wrote)
            for id in map(resolutions.parse_local, record.heads)
            if id in history.bundles and history.tree.versions[id].value == "null"
        ]
        taken = {history.bundles[id].number: history.bundles[id] for id in (*ends, (marker.client, marker.clock))}
        before = inverse.before_all(self._committer, taken.values())
        edges = self.edges.ended_with(before, marker.entity)
        for document, root, key, value in before:
            owner = layout.place(document, root, key).entity
            own = layout.parse_root(root).kind == "facet" and owner == marker.entity and facet in ("", root)
            if value is not None and own:
                self.write(document, root, key, self._bound_value(document, root, key, value))
            elif value is not None and (root, owner) in edges:
                self.edges.write(document, root, key, value)

    def _bound_value(self, document: str, root: str, key: str, value: Any) -> Any:
        """What comes back says what the rest of its bond says now, where that is one thing."""
        detector, named = self._committer.detector, layout.place(document, root, key)
        bond = detector.bonds.of(document, root, named.entity, named.field)
        if bond is None or projection.is_open(detector, self._committer.storage, bond):
            return value
        others = (
            one for one in detector.bond_entries(bond) if (one.document, one.root, one.key) != (document, root, key)
        )
        shown = next((one.value for one in others if one.value not in (None, "null")), None)
        return value if shown is None else json.loads(shown)

    def reattach_edge(self, marker: RegisterRow) -> None:
        """Bring an ended edge back, with the values it had. ``marker``: its marker's register."""
        version = self._committer.storage.version(marker.document, marker.client, marker.clock)
        assert version is not None
        for document, root, key, value in inverse.of_bundle(self._committer, version.bundle).values:
            if root == marker.root and value is not None and layout.place(document, root, key).entity == marker.entity:
                self.edges.write(document, root, key, value)
        self._writes[(marker.document, marker.root, marker.key)] = True

    def restore(self, entity: str) -> None:
        if not layout.is_id(entity):
            raise InvalidOperation(f"“{entity[:80]}” can't be the id of an entity.", hint="Ids hold no “/”.")
        marker = self._committer.storage.register_at(layout.CORE, layout.ENTITY_ROOT, entity)
        if marker is None or (marker.value not in (None, "null") and not marker.forked):
            raise InvalidOperation(f"The entity {entity} isn't deleted.", hint="There is nothing to restore.")
        self._bring_back(marker)
        self._writes[(layout.CORE, layout.ENTITY_ROOT, entity)] = True
