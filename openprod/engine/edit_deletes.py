"""What one deleted or detached while another edited it. Part of the detector."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

from openprod.core import ids, resolutions
from openprod.core.versions import NULL, Version
from openprod.engine.listing import Listing
from openprod.engine.trees import Records
from openprod.engine.typed import Typed
from openprod.storage.ports import ConflictRow, RegisterRow, Storage
from openprod.yjs import layout

if TYPE_CHECKING:
    from openprod.engine.detect import Detector


class EditDeletes:
    def __init__(self, detector: Detector, storage: Storage, listing: Listing, typed: Typed, workspace: str) -> None:
        self._detector = detector
        self._storage = storage
        self._listing = listing
        self._typed = typed
        self._workspace = workspace

    def id(self, entity: str) -> str:
        return ids.conflict_id(self._workspace, "edit-delete", entity)

    def judge_texts(self, entities: Iterable[str], changed: set[str]) -> None:
        """Once the texts of these are another: of what is away, or said to be."""
        for entity in sorted(filter(None, entities)):
            markers = [row for row in self._storage.registers_of_entity(entity) if not row.field]
            if any(row.forked or self._detector.has_left(row.root, entity) for row in markers):
                self.judge(entity, changed)

    def judge(self, entity: str, changed: set[str]) -> None:
        id = self.id(entity)
        rows = self._storage.registers_of_entity(entity)
        gone = [
            row for row in rows
            if not row.field and (self._detector.has_left(row.root, entity) or self._is_disputed(row))
        ]  # fmt: skip
        heads: list[str] = []
        facet = ""
        whole = self._detector.is_deleted(entity)
        for row in rows:
            kind = layout.parse_root(row.root).kind
            if kind not in ("facet", "entity") or not (self._detector.is_gone(row.root, entity) or row in gone):
                continue
            if kind == "entity" and row.field:
                continue
            if row.forked or self._detector.is_recorded(row):
                state = self._detector.history(row).state
                live = [head for head in state.heads if head.value != NULL]
            else:
                # A marker that still says "attached" is no edit; a field that still has a value is.
                live = [] if row.value in (None, NULL) else [Version((row.client, row.clock), None, row.value, 0)]
            if not row.field:
                # The marker: somebody attached it again while another deleted it.
                live = [head for head in live if row.forked and head.value == "true"]
            if live:
                heads += [ids.version_text(row.document, head.id) for head in live]
                facet = facet or (layout.parse_root(row.root).name if kind == "facet" else "")
        decisions = self._listing.decisions(id)
        read = set().union(*resolutions.accepted(decisions))
        for span in self._typed.unaware(entity, rows, gone, self._detector.history, read):
            heads.append(ids.version_text(span.document, (span.client, span.clock)))
            facet = facet or layout.parse_root(span.root).name
        decided = any(not record.withdraws for _id, _client, record in decisions)
        if gone and heads:
            heads += [text for row in gone for text in self._detector.endings(row)]
            found = ConflictRow(
                id, "edit-delete", "open", decided, entity, "" if whole else facet, "", gone[0].document, None,
                json.dumps(sorted(set(heads))), json.dumps({"subject": f"entity/{entity}"}), "",
            )  # fmt: skip
            self._listing.put(id, found, changed)
        elif resolutions.standing(decisions):
            facet = "" if whole else self._left(gone, decisions)
            found = ConflictRow(
                id, "edit-delete", "resolved", False, entity, facet, "", layout.CORE, None,
                "[]", json.dumps({"subject": f"entity/{entity}"}), "",
            )  # fmt: skip
            self._listing.put(id, found, changed)
        else:
            self._listing.drop(id, changed)

    def _is_disputed(self, row: RegisterRow) -> bool:
        """Whether one marked it again while another took it away, also where Yjs settled on its being there."""
        if not row.forked or layout.parse_root(row.root).kind not in ("facet", "entity"):
            return False
        if not layout.belongs(row.root, row.document):
            return False
        return {NULL, "true"} <= {head.value for head in self._detector.history(row).state.heads}

    def _left(self, gone: list[RegisterRow], decisions: Records) -> str:
        """The facet that people decided to leave taken away: where they think again, that one comes back."""
        decided = {text for _id, _client, record in decisions for text in (*record.heads, *record.wrote)}
        for row in gone:
            if any(text.partition(":")[2] in decided for text in self._detector.endings(row)):
                return layout.parse_root(row.root).name
        return ""
