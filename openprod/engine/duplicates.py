"""Entities that share what their schema says no two should. Part of the detector."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

from openprod.core import ids, resolutions
from openprod.core.schema import Facet
from openprod.engine.index import Entry
from openprod.engine.listing import Listing
from openprod.engine.schemas import Schemas
from openprod.storage.ports import ConflictRow, Storage
from openprod.yjs import layout

if TYPE_CHECKING:
    from openprod.engine.detect import Detector


class Duplicates:
    def __init__(
        self, detector: Detector, storage: Storage, schemas: Schemas, listing: Listing, workspace: str
    ) -> None:
        self._detector = detector
        self._storage = storage
        self._schemas = schemas
        self._listing = listing
        self._workspace = workspace

    def settle(self, touched: Iterable[Entry], entities: set[str], changed: set[str]) -> None:
        pending: set[tuple[str, str]] = set()
        for entry in touched:
            if entry.kind != "facet" or not entry.entity:
                continue
            declared = self._schemas.declared(entry.root, entry.field)
            if declared.tells_apart or (not entry.field and declared.facet and declared.facet.unique):
                pending.add((entry.root, entry.entity))
        # What was merged into one that comes or goes does so with it.
        one = self._detector.bonds.one
        for entity in sorted({id for concerned in entities for id in one(concerned)}):
            for row in self._storage.registers_of_entity(entity):
                root = layout.parse_root(row.root)
                facet = self._schemas.facet(root.name) if root.kind == "facet" else None
                if facet and facet.unique:
                    pending.add((root.name, entity))
        for name, entity in sorted(pending):
            facet = self._schemas.facet(name)
            assert facet is not None
            for known in self._listing.about(f"duplicate/{entity}"):
                self.judge_again(known, changed)
            for unique in facet.unique:
                self._judge(name, facet, unique, entity, changed)

    def _judge(self, name: str, facet: Facet, unique: tuple[str, ...], entity: str, changed: set[str]) -> None:
        values = self.values(name, unique, entity)
        if values is None:
            return
        id = ids.conflict_id(self._workspace, "duplicate", name, *unique, *values)
        row = self._row(id, name, unique, values)
        if row is not None or id in self._listing:
            self._listing.put(id, row, changed)

    def judge_again(self, id: str, changed: set[str]) -> None:
        row = self._storage.conflict(id)
        if row is not None:
            subject = json.loads(row.subject)
            unique, values = tuple(subject["unique"]), tuple(subject["values"])
            facet = self._schemas.facet(row.facet)
            stands = facet is not None and unique in facet.unique
            self._listing.put(id, self._row(id, row.facet, unique, values) if stands else None, changed)

    def values(self, name: str, unique: tuple[str, ...], entity: str) -> tuple[str, ...] | None:
        """Of these fields of a facet, as JSON, where the entity has them all."""
        if self._detector.is_gone(name, entity) or self._detector.is_gone(name, self._detector.bonds.survivor(entity)):
            return None
        document = name.partition(".")[0]
        values: list[str] = []
        for field in unique:
            entry = self._detector.shown_entry(document, name, entity, field)
            if entry is None or entry.value is None:
                return None
            values.append(entry.value)
        return tuple(values)

    def _row(self, id: str, name: str, unique: tuple[str, ...], values: tuple[str, ...]) -> ConflictRow | None:
        # The last field of a unique set tells most apart: a number within a list.
        keys = self._schemas.keys_of(name, unique[-1])
        rows = [row for key in keys for row in self._storage.registers_valued(name, key, values[-1])]
        same = sorted({row.entity for row in rows if self.values(name, unique, row.entity) == values})
        if len({self._detector.bonds.survivor(entity) for entity in same}) < 2:
            return None
        document = name.partition(".")[0]
        heads = []
        for entity in same:
            entry = self._detector.shown_entry(document, name, entity, unique[-1])
            assert entry is not None
            heads.append(ids.version_text(document, (entry.client, entry.clock)))
        local = {head.partition(":")[2] for head in heads}
        records = self._listing.decisions(id)
        accepted = any(local <= accept for accept in resolutions.accepted(records))
        reopened = not accepted and any(not record.withdraws for _id, _client, record in records)
        subject = {"unique": unique, "values": values, "entities": same}
        return ConflictRow(
            id, "duplicate", "resolved" if accepted else "open", reopened, same[0], name, unique[-1], document, None,
            json.dumps(sorted(heads)), json.dumps(subject), "",
        )  # fmt: skip
