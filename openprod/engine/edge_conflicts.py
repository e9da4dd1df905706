"""What disagrees about edges: ends that lead nowhere, edits of what another ended, two targets for one place.

Part of the detector: each result is a pure function of the documents and the decisions.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from openprod.core import ids, resolutions, validity
from openprod.core.versions import NULL
from openprod.engine import edges
from openprod.engine.index import Entry, Index
from openprod.engine.listing import Listing
from openprod.engine.schemas import Schemas
from openprod.storage.ports import ConflictRow, RegisterRow, Storage
from openprod.yjs import layout

if TYPE_CHECKING:
    from openprod.engine.detect import Detector

Place = tuple[str, str, str]
"""(document, root, edge id)"""


class EdgeJudge:
    def __init__(
        self, detector: Detector, storage: Storage, index: Index, schemas: Schemas, listing: Listing, workspace: str
    ) -> None:
        self._detector = detector
        self._storage = storage
        self._index = index
        self._schemas = schemas
        self._listing = listing
        self._workspace = workspace

    # -- one register --------------------------------------------------------------------------------------

    def has_ended(self, entry: Entry) -> bool:
        marker = self._index.find(entry.document, entry.root, layout.marker_key(entry.entity))
        return marker is not None and marker.value in (None, NULL)

    def kind(self, entry: Entry) -> str:
        declared = self._schemas.edge(layout.parse_root(entry.root).name)
        single = declared is not None and declared.cardinality == "one" and entry.field == layout.TO_FIELD
        return "cardinality" if single else "field"

    def owner(self, document: str, root: str, edge: str) -> str:
        """The entity that an edge starts from, or did before it ended; the edge itself where nobody can tell."""
        source = edges.last(self._storage, self._storage.register_at(document, root, f"{edge}/{layout.FROM_FIELD}"))
        return source if isinstance(source, str) and layout.is_id(source) else edge

    def fault(self, entry: Entry, text: str | None) -> str:
        """Why a value doesn't fit its place in a standing edge, to follow "which …", or ""."""
        name = layout.parse_root(entry.root).name
        declared = self._schemas.edge(name)
        if text not in (None, NULL) and (former := self._schemas.gone(entry.root, entry.field)) is not None:
            return self._detector.gone_fault(former)
        if declared is None or not entry.field:
            return ""
        if entry.field not in edges.ENDS:
            field = declared.properties.get(entry.field)
            return "" if field is None or text in (None, NULL) else validity.fault(field, json.loads(text or NULL))
        starts = entry.field == layout.FROM_FIELD
        if text in (None, NULL):
            return "leaves it starting nowhere" if starts else "leaves it leading nowhere"
        wrong = self._end_fault(
            json.loads(text or NULL), edges.demanded(name, declared.source if starts else declared.target)
        )
        other = layout.TO_FIELD if starts else layout.FROM_FIELD
        if not wrong and self._index.find(entry.document, entry.root, f"{entry.entity}/{other}") is None:
            return "leads nowhere" if starts else "starts nowhere"
        return wrong

    def _end_fault(self, entity: object, facet: str) -> str:
        if not isinstance(entity, str) or not layout.is_id(entity):
            return "names no entity"
        entity = self._detector.bonds.survivor(entity)
        if self._detector.is_deleted(entity):
            return "was deleted"
        attached = self._attached(entity)
        known = self._index.find(layout.CORE, layout.ENTITY_ROOT, layout.marker_key(entity))
        if not attached and known is None:
            return "isn't there"
        if facet and facet not in attached:
            declared = self._schemas.facet(facet)
            return f"isn't a {declared.label}" if declared and declared.label else f"hasn't the facet {facet}"
        return ""

    def _attached(self, entity: str) -> set[str]:
        """The facets that an entity has; outside programs may have written fields only."""
        marked: dict[str, bool] = {}
        filled: set[str] = set()
        for row in self._storage.registers_of_entity(entity):
            if layout.parse_root(row.root).kind == "facet" and layout.belongs(row.root, row.document):
                if not row.field:
                    marked[row.root] = not edges.is_empty(row)
                elif not edges.is_empty(row):
                    filled.add(row.root)
        return {root for root, attached in marked.items() if attached} | (filled - marked.keys())

    # -- the pass over what a group touched ----------------------------------------------------------------

    def settle(self, touched: Iterable[Entry], changed: set[str]) -> None:
        """Judge the edges that were touched or decided about, and those at entities that came, went, or lost or gained
        a facet."""
        places: set[Place] = set()
        entities: set[str] = set()
        declared = any(schema.edges for schema in self._schemas.values())
        for entry in touched:
            kind = entry.kind
            if kind == "resolution":
                places.update(self._decided(entry))
            elif kind == "edge" and entry.entity:
                places.add((entry.document, entry.root, entry.entity))
            elif not declared or kind not in ("entity", "facet") or not entry.entity:
                continue
            elif entry.field == layout.REDIRECT_FIELD and kind == "entity":
                # Merged, or itself again: all that leads there or starts there stands for another.
                for one in self._detector.bonds.one(entry.entity):
                    places.update((row.document, row.root, row.entity) for row in self._ends_at(one))
            elif not entry.field or (entry.came_or_went and not self._is_marked(entry)):
                entities.update(self._detector.bonds.one(entry.entity))
        for entity in sorted(entities):
            for register in self._ends_at(entity):
                if (register.document, register.root, register.entity) not in places:
                    self._detector.judge(register, changed)
        for place in sorted(places):
            self.judge(place, changed)

    def _decided(self, entry: Entry) -> Iterator[Place]:
        """The edges that a record is about."""
        record = resolutions.parse(entry.value)
        if record is None:
            return
        if record.register_ is not None:
            root, key = record.register_
            edge = layout.place(entry.document, root, key).entity
            if edge and layout.parse_root(root).kind == "edge":
                yield entry.document, root, edge
        row = self._storage.conflict(record.conflict)
        subject = json.loads(row.subject) if row is not None and row.register is None else {}
        for edge in subject.get("edges", ()):
            yield entry.document, subject["root"], edge

    def _is_marked(self, entry: Entry) -> bool:
        # Where there is a marker it alone says whether the entity has the facet.
        return self._index.find(entry.document, entry.root, layout.marker_key(entry.entity)) is not None

    def _ends_at(self, entity: str) -> Iterator[RegisterRow]:
        text = json.dumps(entity, ensure_ascii=False)
        for name, _declared in edges.names(self._schemas):
            document, root = edges.place(name)
            for end in edges.ENDS:
                yield from (row for row in self._storage.registers_valued(root, end, text) if row.document == document)

    def judge(self, place: Place, changed: set[str]) -> None:
        """Judge one edge as a whole: every register of it, whether an edit stands against its end, its siblings."""
        registers = edges.rows(self._storage, *place)
        for field, row in registers.items():
            if field:
                self._detector.judge(row, changed)
        self._edit_delete(place, registers, changed)
        self._siblings(place, registers, changed)

    def judge_all(self, name: str, changed: set[str]) -> None:
        """Judge every edge of a name again, after its schema changed."""
        document, root = edges.place(name)
        found = {row.entity for row in self._storage.registers_of_root(root) if row.document == document and row.entity}
        for edge in sorted(found):
            self.judge((document, root, edge), changed)

    # -- edited apart from its end -------------------------------------------------------------------------

    def _edit_delete(self, place: Place, registers: dict[str, RegisterRow], changed: set[str]) -> None:
        document, root, edge = place
        id = ids.conflict_id(self._workspace, "edit-delete", root, edge)
        marker = registers.get("")
        ended = marker is not None and edges.is_empty(marker)
        if not ended and not self._listing.is_heard_of(id):
            return
        heads = [head for row in registers.values() for head in self._live_heads(row)] if ended else []
        subject = json.dumps({"subject": f"edit-delete/{root}/{edge}", "root": root, "edges": [edge]})
        decided, standing = self._listing.decisions_about(id)
        if ended and heads:
            assert marker is not None
            heads += self._detector.endings(marker)
        elif not standing:
            self._listing.put(id, None, changed)
            return
        found = ConflictRow(
            id, "edit-delete", "open" if heads else "resolved", bool(heads) and decided,
            self.owner(*place), layout.parse_root(root).name, "", document, None,
            json.dumps(sorted(set(heads))), subject, "",
        )  # fmt: skip
        self._listing.put(id, found, changed)

    def _live_heads(self, row: RegisterRow) -> list[str]:
        """Versions of what wasn't known to have ended. A marker counts where somebody had drawn the edge again."""
        if row.forked or self._detector.is_recorded(row):
            heads = self._detector.history(row).state.heads
            live = [head.id for head in heads if head.value != NULL and (row.field or head.value is not None)]
        else:
            live = [] if edges.is_empty(row) or not row.field else [(row.client, row.clock)]
        return [ids.version_text(row.document, id) for id in live]

    # -- several where there is one place ------------------------------------------------------------------

    def _siblings(self, place: Place, registers: dict[str, RegisterRow], changed: set[str]) -> None:
        """Outside programs may draw an edge of cardinality one under an id of their own: two then start from one."""
        document, root, edge = place
        declared = self._schemas.edge(layout.parse_root(root).name)
        sources = {edge}  # the id that an edge from there should have: decisions are recorded under it
        for id in self._listing.about(f"cardinality/{root}/{edge}"):
            row = self._storage.conflict(id)
            assert row is not None
            sources.add(json.loads(row.subject)["source"])
        source = registers.get(layout.FROM_FIELD)
        if source is not None and not edges.is_empty(source):
            value = json.loads(source.value or NULL)
            if isinstance(value, str):
                sources.add(self._detector.bonds.survivor(value))
        for one in sorted(sources):
            self._cardinality(document, root, one, declared is not None and declared.cardinality == "one", changed)

    def _cardinality(self, document: str, root: str, source: str, single: bool, changed: set[str]) -> None:
        id = ids.conflict_id(self._workspace, "cardinality", root, source)
        found: dict[str, RegisterRow] = {}
        bonds = self._detector.bonds
        if single and bonds.survivor(source) == source:
            drawn = (edges.ids_at(self._storage, root, layout.FROM_FIELD, one) for one in bonds.one(source))
            for edge in set().union(*drawn):
                registers = edges.rows(self._storage, document, root, edge)
                target = registers.get(layout.TO_FIELD)
                if edges.stands(registers) and target is not None and not edges.is_empty(target):
                    found[edge] = target
        targets = [json.loads(row.value or NULL) for row in found.values()]
        shown = {bonds.survivor(one) if isinstance(one, str) else json.dumps(one) for one in targets}
        several = len(shown) > 1
        if not several and not self._listing.is_heard_of(id):
            return
        decided, standing = self._listing.decisions_about(id)
        if not several and not standing:
            self._listing.put(id, None, changed)
            return
        heads = sorted(ids.version_text(row.document, (row.client, row.clock)) for row in found.values())
        subject = {"source": source, "root": root, "edges": sorted(found)}
        row = ConflictRow(
            id, "cardinality", "open" if several else "resolved", several and decided, source,
            layout.parse_root(root).name, layout.TO_FIELD, document, None,
            json.dumps(heads if several else []), json.dumps(subject), "",
        )  # fmt: skip
        self._listing.put(id, row, changed)
