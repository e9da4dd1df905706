"""Reading: entities, histories, the log, the state hash. Everything also as of any bundle.

"As of" a bundle means all bundles up to its timestamp, which is the same on every replica.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from openprod.core import ids, resolutions
from openprod.core.clock import is_far_future, moment
from openprod.engine import edges, text_history, trees
from openprod.engine.bonds import Bonds
from openprod.engine.commit import Committer
from openprod.engine.describe import Describer
from openprod.engine.identities import Identities
from openprod.engine.queries_past import merges
from openprod.errors import InputError, NotFound
from openprod.storage.ports import BundleRow, RegisterRow
from openprod.yjs import layout


class Views:
    def __init__(self, committer: Committer) -> None:
        self._committer = committer
        self._storage = committer.storage
        self._schemas = committer.schemas
        self._merges: dict[str, Bonds] = {}
        self.describer = Describer(committer.storage, committer.schemas, committer.detector)
        self.identities = Identities(committer, self)

    # -- bundles -------------------------------------------------------------------------------------------

    def find_bundle(self, text: str) -> BundleRow:
        """By id or unique beginning. Raises NotFound or InputError."""
        text = text.strip().lower()
        found = self._storage.bundles_like(text) if re.fullmatch(r"[0-9a-f]{4,32}", text) else []
        if not found:
            raise NotFound(f"There is no bundle {text[:40]}.", hint="`openprod log` lists them.")
        if len(found) > 1:
            raise InputError(f"More than one bundle begins with {text}.", hint="Give more digits.")
        return found[0]

    def bundle(self, row: BundleRow) -> dict[str, Any]:
        return {
            "number": row.number, "bundle": row.id, "at": moment(row.hlc), "hlc": row.hlc,
            "author": row.name, "user": row.user, "device": row.device, "via": row.via, "intent": row.intent,
            "message": row.message, "undoes": row.undoes or None, "log": row.log, "seq": row.seq,
            "clock_ahead": is_far_future(row.hlc, self._committer.now_ms()),
        }  # fmt: skip

    def log(self, *, after: str | None, limit: int, newest_first: bool) -> list[dict[str, Any]]:
        number = self.find_bundle(after).number if after else None
        if newest_first:
            rows = self._storage.bundles(before=number, limit=limit, newest_first=True)
        else:
            rows = self._storage.bundles(after=number or 0, limit=limit)
        return [self.bundle(row) for row in rows]

    # -- entities ------------------------------------------------------------------------------------------

    def _value(self, row: RegisterRow, as_of: str | None) -> Any:
        """The shown value; ``ABSENT``-like None for null and absent alike."""
        if as_of is None:
            return None if row.value is None else json.loads(row.value)
        history = self._committer.detector.history(row, as_of=as_of)
        return None if history.state.shown_value is None else json.loads(history.state.shown_value)

    def _time_of(self, as_of: str | None) -> str | None:
        return self.find_bundle(as_of).hlc if as_of else None

    def entity(self, id: str, *, as_of: str | None = None) -> dict[str, Any]:
        """A merged entity is shown as the one that it stands for; of a concept entity, its values and members.

        Raises NotFound.
        """
        time = self._time_of(as_of)
        bonds = self._bonds(time)
        id = bonds.survivor(id)
        if time is None and id in bonds.concept_entities:
            return self._concept_entity(id)
        facets, deleted = self._facets(id, time)
        for name, fields in facets.items():
            self._add_texts(name, id, fields, time)
        return {
            "id": id, "title": self.describer.thing(id) if time is None else self._schemas.thing(facets, id),
            "deleted": deleted, "facets": facets, "edges": self.edges(id, time),
            **({} if time is not None else self.identities.identity(id)),
            "conflicts": [
                row.id
                for row in self._storage.conflicts_of(id)
                if row.status == "open" and not self._schemas.is_hidden(row.facet, row.document)
            ],
        }  # fmt: skip

    def facets(self, ids: Iterable[str]) -> dict[str, dict[str, dict[str, Any]]]:
        """{id: its facets with their fields}, without those that aren't there. Quicker than ``entity`` for many."""
        found: dict[str, dict[str, dict[str, Any]]] = {}
        for id in ids:
            try:
                found[id], _deleted = self._facets(self._committer.detector.bonds.survivor(id), None)
            except NotFound:
                continue
            for name, fields in found[id].items():
                self._add_texts(name, id, fields, None)
        return found

    def _facets(self, id: str, time: str | None) -> tuple[dict[str, dict[str, Any]], bool]:
        """The attached facets with their registers' values, and whether the entity is deleted. Raises NotFound."""
        rows = self._storage.registers_of_entity(id)
        facets: dict[str, dict[str, Any]] = {}
        markers: dict[str, Any] = {}
        deleted = False
        known = False
        for row in rows:
            root = layout.parse_root(row.root)
            if not layout.belongs(row.root, row.document) or root.kind not in ("facet", "entity"):
                continue
            if self._schemas.is_hidden(root.name):
                known = True
                continue
            if time is not None and not self._existed(row, time):
                continue
            known = True
            value = self._value(row, time)
            if root.kind == "entity":
                deleted = deleted or (not row.field and value is None)
            elif not row.field:
                markers[root.name] = value
            else:
                facets.setdefault(root.name, {})[row.field] = value
        if not known:
            raise NotFound(f"There is no entity {id[:80]}.", hint="Check the id: queries list them.")
        for name in [name for name in facets if name not in markers]:
            if all(value is None for value in facets[name].values()):
                del facets[name]  # without a marker, only what has a value is there
        for name, value in markers.items():
            if value is None:
                facets.pop(name, None)
            else:
                facets.setdefault(name, {})
        return {name: self._schemas.renamed(name, fields) for name, fields in facets.items()}, deleted

    def _concept_entity(self, id: str) -> dict[str, Any]:
        found = self.identities.concept_entity(id)
        edges = {
            (edge["edge"], edge["id"]): edge
            for entity in sorted({member["entity"] for member in found["bound"]})
            for edge in self.edges(entity)
        }
        return {**found, "deleted": False, "facets": {}, "edges": [edges[name] for name in sorted(edges)]}

    def _bonds(self, time: str | None) -> Bonds:
        """Who stands for whom, or stood at a time."""
        if time is None:
            return self._committer.detector.bonds
        if time not in self._merges:
            self._merges[time] = merges(self._storage, time)
        return self._merges[time]

    def edges(self, entity: str, time: str | None = None) -> list[dict[str, Any]]:
        """The edges of an entity and of those merged into it, between what stands for their ends."""
        bonds = self._bonds(time)
        ids = bonds.one(entity)
        found = [edge for id in ids for edge in self._edges(id, time)]
        if len(ids) == 1 and not bonds:
            return found
        by_name = {(edge["edge"], edge["id"]): edge for edge in found}
        for edge in by_name.values():
            for end in ("from", "to"):
                edge[end] = bonds.survivor(edge[end]) if isinstance(edge[end], str) else edge[end]
        return [by_name[name] for name in sorted(by_name)]

    def _existed(self, row: RegisterRow, time: str) -> bool:
        return any(version.bundle.hlc <= time for version in self._storage.versions_of(row.id))

    def _add_texts(self, facet: str, entity: str, fields: dict[str, Any], time: str | None) -> None:
        declared = self._schemas.facet(facet)
        for name, field in (declared.fields if declared else {}).items():
            if field.type == "text":
                # Of an entity that has none, what of those merged into it has one.
                ids = (entity, *self._bonds(time).absorbed(entity))
                contents = (self.text(facet.partition(".")[0], layout.text_root(facet, id, name), time) for id in ids)
                fields[name] = next(filter(None, contents), "")

    def text(self, document: str, root: str, time: str | None) -> str:
        live = self._committer.document(document)
        if time is None:
            return live.text(root)
        return self._committer.past(document, time).text(root)

    def _edges(self, entity: str, time: str | None) -> list[dict[str, Any]]:
        """The standing edges from and to an entity, with what people call the one at the other end."""
        found: list[dict[str, Any]] = []
        for name, declared in edges.names(self._schemas):
            document, root = edges.place(name)
            ids = self._ids_of_edges(root, entity, time)
            drawn = (self._edge(document, root, edge, time) for edge in sorted(ids))
            for id, source, target, properties in (one for one in drawn if one is not None):
                if entity not in (source, target):
                    continue
                other = target if source == entity else source
                found.append(
                    {
                        "id": id, "edge": name, "label": declared.label or name.partition(".")[2], "from": source,
                        "to": target, "direction": "out" if source == entity else "in",
                        "title": self._title(other, time), "properties": properties,
                    }
                )  # fmt: skip
        return found

    def _ids_of_edges(self, root: str, entity: str, time: str | None) -> set[str]:
        if time is None:
            return {edge for end in edges.ENDS for edge in edges.ids_at(self._storage, root, end, entity)}
        text = json.dumps(entity, ensure_ascii=False)
        numbers = {id for id, one in self._storage.versions_of_root(root) if one.version.value == text}
        registers = (self._storage.register(id) for id in numbers)
        return {row.entity for row in registers if row is not None and row.field in edges.ENDS}

    def _title(self, id: Any, time: str | None) -> str:
        """How people call what stands at an end; "" for nothing, the id for what isn't there."""
        if not isinstance(id, str):
            return ""
        if time is None:
            return self.describer.thing(self._committer.detector.bonds.survivor(id))
        try:
            facets: dict[str, dict[str, Any]] = self._facets(self._bonds(time).survivor(id), time)[0]
        except NotFound:
            return id
        return self._schemas.thing(facets, id)

    def _edge(
        self, document: str, root: str, edge: str, time: str | None
    ) -> tuple[str, Any, Any, dict[str, Any]] | None:
        rows = edges.rows(self._storage, document, root, edge)
        if time is not None:
            rows = {field: row for field, row in rows.items() if self._existed(row, time)}
        values = {field: self._value(row, time) for field, row in rows.items()}
        source, target = values.get(layout.FROM_FIELD), values.get(layout.TO_FIELD)
        if values[""] is None if "" in values else source is None and target is None:
            return None
        return edge, source, target, {name: value for name, value in values.items() if name and name not in edges.ENDS}

    # -- queries -------------------------------------------------------------------------------------------

    def rows_of(self, facet: str, *, time: str | None = None) -> Iterator[tuple[str, dict[str, Any]]]:
        """(entity, fields) of everything that has the facet, by entity."""
        declared = self._schemas.facet(facet)
        if declared is None:
            known = ", ".join(f"{p}.{f}" for p, schema in sorted(self._schemas.items()) for f in sorted(schema.facets))
            raise InputError(
                f"No adopted plugin has the facet “{facet[:80]}”.", hint=f"Known facets: {known or 'none'}."
            )
        columns = declared.columns()
        document = facet.partition(".")[0]
        entities: dict[str, dict[str, Any]] = {}
        for row in self._storage.registers_of_root(facet):
            if row.document != document or not row.entity:
                continue
            if time is not None and not self._existed(row, time):
                continue
            entities.setdefault(row.entity, {})[row.field] = self._value(row, time)
        for entity, fields in entities.items():
            marker = fields.pop("", True)
            if marker is None or self._is_deleted(entity, time):
                continue
            if (
                "" not in fields
                and marker is True
                and not any(value is not None for value in fields.values())
                and not (self._storage.register_at(document, facet, entity))
            ):
                continue
            fields = self._schemas.renamed(facet, fields)
            self._add_texts(facet, entity, fields, time)
            yield entity, {name: fields.get(name) for name in columns}

    def _is_deleted(self, entity: str, time: str | None) -> bool:
        if time is None:
            return self._committer.detector.is_deleted(entity)
        row = self._storage.register_at(layout.CORE, layout.ENTITY_ROOT, entity)
        return row is not None and self._existed(row, time) and self._value(row, time) is None

    # -- history -------------------------------------------------------------------------------------------

    def history(self, entity: str) -> dict[str, Any]:
        rows = [
            row
            for row in self._storage.registers_of_entity(entity)
            if not row.root.startswith("edge:") and not self._schemas.is_hidden(row.root)
        ]
        if not rows:
            raise NotFound(f"There is no entity {entity[:80]}.", hint="Check the id: queries list them.")
        fields = []
        bundles: dict[int, BundleRow] = {}
        for row in rows:
            history = self._committer.detector.history(row)
            name = layout.parse_root(row.root).name
            versions = self._versions(row, history)
            for bundle in history.bundles.values():
                bundles[bundle.number] = bundle
            fields.append({"facet": name, "field": row.field, "label": self._label(row), "versions": versions})
        fields += text_history.of_entity(self._committer, entity)
        return {
            "entity": entity, "title": self.describer.thing(entity), "fields": fields,
            "bundles": [self.bundle(bundles[number]) for number in sorted(bundles)],
            "conflicts": [self.describer.describe(row).to_json() for row in self._storage.conflicts_of(entity)],
        }  # fmt: skip

    def _label(self, row: RegisterRow) -> str:
        """What people call a register in a history."""
        if row.root == layout.ENTITY_ROOT:
            return "merged into" if row.field == layout.REDIRECT_FIELD else "exists"
        if row.root == layout.BINDING_ROOT and row.field:
            return f"one thing, as {row.field}"
        return self._schemas.label(layout.parse_root(row.root).name, row.field)

    def _versions(self, row: RegisterRow, history: trees.History) -> list[dict[str, Any]]:
        heads = {head.id for head in history.state.heads}
        joined = {
            key: resolution.id
            for resolution, _bundle, record in history.decisions
            for text in record.heads
            if (key := resolutions.parse_local(text)) is not None
        }
        decided = {
            key: record.heads
            for _resolution, _bundle, record in history.decisions
            for text in record.wrote
            if (key := resolutions.parse_local(text)) is not None
        }
        result = []
        for id, version in sorted(
            history.tree.versions.items(), key=lambda item: (history.bundles[item[0]].hlc, item[0])
        ):
            bundle = history.bundles[id]
            if id == history.state.shown:
                status = "shown"
            elif id in heads:
                status = "head"
            elif id in joined:
                status = "resolved"
            else:
                status = "overwritten" if id in history.tree.children else "lost"
            knowing = decided.get(id) or ([resolutions.local_text(version.parent)] if version.parent else [])
            result.append(
                {
                    "version": ids.version_text(row.document, id),
                    "value": None if version.value is None else json.loads(version.value),
                    "known": version.value is not None, "author": bundle.name, "user": bundle.user,
                    "device": bundle.device, "via": bundle.via, "at": moment(bundle.hlc), "bundle": bundle.id,
                    "clock_ahead": is_far_future(bundle.hlc, self._committer.now_ms()),
                    "message": bundle.message, "intent": bundle.intent, "status": status,
                    "parent": None if version.parent is None else ids.version_text(row.document, version.parent),
                    "knowing": [f"{row.document}:{text}" for text in knowing], "decision": id in decided,
                }
            )  # fmt: skip
        return result

    # -- the state hash ------------------------------------------------------------------------------------

    def state_hash(self) -> str:
        """SHA-256 over what replicas with the same bundles share: states, heads, decisions, open conflicts."""
        hashed = hashlib.sha256()

        def feed(*parts: object) -> None:
            hashed.update(json.dumps(parts, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass"))

        for name in sorted(self._committer.documents):
            # Not the deletions: which losing items are marked so depends on who has reported them.
            document = self._committer.documents[name]
            if document.gate.state:
                feed("document", name, sorted(document.gate.state.items()))
        for name, root in self._storage.text_roots():
            feed("text", name, root, self._committer.document(name).text(root))
        for row in self._storage.all_registers():
            feed("register", row.document, row.root, row.key, row.client, row.clock, row.value)
        for resolution in self._storage.all_resolutions():
            feed("resolution", resolution.document, resolution.client, resolution.clock, resolution.body)
        for conflict in self._storage.conflicts():
            heads = sorted(json.loads(conflict.heads))
            feed("conflict", conflict.id, conflict.kind, conflict.status, conflict.reopened, heads)
        return hashed.hexdigest()
