"""The conflicts that stand: their rows, and what each is about."""

from __future__ import annotations

import json

from openprod.core import resolutions
from openprod.storage.ports import ConflictRow, Storage


class Listing:
    """``put`` and ``drop`` add the ids of what changed to the set that they are given."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._known: dict[str, set[str]] = {}
        self._subjects: dict[str, set[str]] = {}
        for row in storage.conflicts():
            self._remember(row)
        self.decided = {row.conflict for row in storage.all_resolutions()}
        """Ids of the conflicts that somebody recorded a decision about, here or not."""

    def __contains__(self, id: str) -> bool:
        return id in self._known

    def is_heard_of(self, id: str) -> bool:
        """Whether the conflict is here, or a decision about it."""
        return id in self._known or id in self.decided

    def about(self, subject: str) -> list[str]:
        """Ids of the conflicts about something, by id."""
        return sorted(self._subjects.get(subject, ()))

    def decisions(self, id: str) -> list[tuple[str, int, resolutions.Resolution]]:
        """(record's id, Yjs client that wrote it, record), in the order they were made."""
        return [
            (row.id, row.client, record)
            for row, _bundle in self._storage.resolutions_of(id)
            if (record := resolutions.parse(row.body)) is not None
        ]

    def decisions_about(self, id: str) -> tuple[bool, bool]:
        """Whether anything was ever decided about a conflict, and whether a decision stands."""
        records = self.decisions(id)
        return any(not record.withdraws for _id, _client, record in records), resolutions.standing(records)

    def put(self, id: str, row: ConflictRow | None, changed: set[str]) -> None:
        if row is None:
            self.drop(id, changed)
            return
        if self._storage.conflict(id) == row:
            return
        self._storage.put_conflict(row)
        self._forget(id)
        self._remember(row)
        changed.add(id)

    def drop(self, id: str, changed: set[str]) -> None:
        if id in self._known:
            self._storage.drop_conflict(id)
            self._forget(id)
            changed.add(id)

    def _remember(self, row: ConflictRow) -> None:
        subjects = _subjects(row)
        self._known[row.id] = subjects
        for subject in subjects:
            self._subjects.setdefault(subject, set()).add(row.id)

    def _forget(self, id: str) -> None:
        for subject in self._known.pop(id, ()):
            same = self._subjects.get(subject)
            if same is not None:
                same.discard(id)
                if not same:
                    del self._subjects[subject]


def _subjects(row: ConflictRow) -> set[str]:
    subject = json.loads(row.subject)
    if row.kind == "duplicate":
        return {f"duplicate/{entity}" for entity in subject["entities"]}
    if row.kind == "cardinality" and row.register is None:
        return {f"cardinality/{subject['root']}/{edge}" for edge in subject["edges"]}
    return {subject["subject"]}
