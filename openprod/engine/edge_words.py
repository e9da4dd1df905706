"""Conflicts about edges in the words of the domain: who led what where, and who ended it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import msgspec

from openprod.core import conflicts as words
from openprod.core import ids
from openprod.core.conflicts import Candidate, Conflict, Decision
from openprod.core.versions import NULL, Version
from openprod.engine import edges, trees
from openprod.engine.schemas import Schemas
from openprod.engine.trees import History
from openprod.storage.ports import BundleRow, ConflictRow, RegisterRow, Storage
from openprod.yjs import layout

Said = TypeVar("Said", Candidate, Decision)


def is_about_edges(row: ConflictRow) -> bool:
    """Whether a conflict is about whole edges, not about one register of one."""
    return row.register is None and '"edges":' in row.subject and row.kind in ("edit-delete", "cardinality")


class EdgeWords:
    """Part of the describer, whose ways of naming things and people it is given."""

    def __init__(
        self,
        storage: Storage,
        schemas: Schemas,
        history: Callable[[RegisterRow], History],
        *,
        thing: Callable[[str], str],
        candidate: Callable[[str, Version, BundleRow, tuple[Version, ...], str], Candidate],
        decisions: Callable[[list[tuple[Any, BundleRow]]], tuple[Decision, ...]],
    ) -> None:
        self._storage = storage
        self._schemas = schemas
        self._history = history
        self._thing = thing
        self._candidate = candidate
        self._parsed_decisions = decisions

    def _edge_label(self, name: str) -> str:
        declared = self._schemas.edge(name)
        return (declared.label if declared else "") or name.partition(".")[2].replace("_", " ")

    def _property_label(self, name: str, field: str) -> str:
        declared = self._schemas.edge(name)
        property = declared.properties.get(field) if declared else None
        return property.label if property and property.label else field

    def label(self, register: RegisterRow) -> str:
        """How people call a register of an edge: an end by the edge, a property by that and where it leads."""
        name = layout.parse_root(register.root).name
        label = self._edge_label(name)
        if register.field in edges.ENDS:
            return label
        row = self._storage.register_at(
            register.document, register.root, layout.field_key(register.entity, layout.TO_FIELD)
        )
        target = self._title(edges.last(self._storage, row))
        return " ".join(part for part in (label, target, self._property_label(name, register.field)) if part)

    def titled(self, said: Iterable[Said], field: str) -> tuple[Said, ...]:
        """Candidates or decisions, with the titles of the entities that the values of an end name."""
        if field not in edges.ENDS:
            return tuple(said)
        return tuple(msgspec.structs.replace(one, title=self._title(one.value)) for one in said)

    def _title(self, value: Any) -> str:
        return self._thing(value) if isinstance(value, str) and layout.is_id(value) else ""

    def _decisions(self, id: str) -> tuple[Decision, ...]:
        return self._parsed_decisions(self._storage.resolutions_of(id))

    @staticmethod
    def _standing(decisions: tuple[Decision, ...]) -> Decision | None:
        return next((decision for decision in reversed(decisions) if not decision.withdrawn), None)

    def describe(self, row: ConflictRow) -> Conflict:
        return self._siblings(row) if row.kind == "cardinality" else self._edit_delete(row)

    def _edit_delete(self, row: ConflictRow) -> Conflict:
        subject = json.loads(row.subject)
        (edge,) = subject["edges"]
        root, wanted = subject["root"], set(json.loads(row.heads))
        candidates: list[Candidate] = []
        edits: list[tuple[str, Candidate]] = []
        ended_by, shown = trees.NOBODY, None
        for field, register in sorted(edges.rows(self._storage, row.document, root, edge).items()):
            history = self._history(register)
            for head in history.state.heads:
                text = ids.version_text(register.document, head.id)
                if text not in wanted:
                    continue
                candidate = self._candidate(
                    register.document, head, history.author_of(head), history.state.heads, field
                )
                (candidate,) = self.titled([candidate], field)
                candidates.append(candidate)
                if field:
                    label = "" if field == layout.TO_FIELD else self._property_label(row.facet, field)
                    edits.append((label, candidate))
                elif head.value in (None, NULL):
                    ended_by, shown = candidate.author, text
        decisions = tuple(one for one in self._decisions(row.id) if isinstance(one.value, bool))
        decided = self._standing(decisions)
        thing, label = self._thing(row.entity), self._edge_label(row.facet)
        target = self._last_target(row.document, root, edge, wanted)
        sentence = words.edge_end_sentence(
            thing, label, target, ended_by, tuple(edits), decided=decided, status=row.status
        )
        return Conflict(
            id=row.id, kind=row.kind, status=row.status, reopened=row.reopened, heads=tuple(sorted(wanted)),
            entity=row.entity, facet=row.facet, field="", title=thing, label=label, sentence=sentence, base=None,
            shown=shown, candidates=tuple(candidates), resolution=decided, resolutions=decisions,
        )  # fmt: skip

    def _last_target(self, document: str, root: str, edge: str, edited: set[str]) -> str:
        """Where an edge led before it was ended: not where the one led it who didn't know."""
        row = self._storage.register_at(document, root, layout.field_key(edge, layout.TO_FIELD))
        if row is None:
            return ""
        history = self._history(row)
        if history.state.base is not None and history.state.base.value is not None:
            return self._title(json.loads(history.state.base.value))
        if ids.version_text(document, (row.client, row.clock)) in edited:
            return ""
        return self._title(edges.last(self._storage, row))

    def _siblings(self, row: ConflictRow) -> Conflict:
        subject = json.loads(row.subject)
        candidates = []
        for edge in subject["edges"]:
            register = self._storage.register_at(row.document, subject["root"], layout.field_key(edge, layout.TO_FIELD))
            version = self._storage.version(row.document, register.client, register.clock) if register else None
            if register is not None and version is not None:
                head = Version((register.client, register.clock), None, register.value, 0)
                candidates.append(self._candidate(row.document, head, version.bundle, (), edge))
        candidates.sort(key=lambda candidate: (candidate.at, candidate.version))
        titled = self.titled(candidates, layout.TO_FIELD)
        decisions = self.titled((one for one in self._decisions(row.id) if one.value is not None), layout.TO_FIELD)
        decided = self._standing(decisions)
        thing, label = self._thing(row.entity), self._edge_label(row.facet)
        sentence = words.siblings_sentence(thing, label, titled, decided=decided, status=row.status)
        return Conflict(
            id=row.id, kind=row.kind, status=row.status, reopened=row.reopened, heads=tuple(json.loads(row.heads)),
            entity=row.entity, facet=row.facet, field=row.field, title=thing, label=label, sentence=sentence, base=None,
            shown=None, candidates=titled, resolution=decided, resolutions=decisions,
        )  # fmt: skip
