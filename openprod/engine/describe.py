"""Conflicts in full, for people: who wrote what, when, from where, knowing what, in one sentence."""

from __future__ import annotations

import json
from typing import Any, TypeVar

import msgspec

from openprod.core import conflicts as words
from openprod.core import ids, resolutions, values
from openprod.core.clock import moment
from openprod.core.conflicts import Candidate, Conflict, Decision
from openprod.core.versions import NULL, Version
from openprod.engine import edge_words, edges, semantic, trees
from openprod.engine.bonds import Bond
from openprod.engine.detect import Detector
from openprod.engine.edge_words import EdgeWords
from openprod.engine.index import Entry
from openprod.engine.schemas import Schemas
from openprod.storage.ports import BundleRow, ConflictRow, Storage
from openprod.yjs import layout

Said = TypeVar("Said", Candidate, Decision)


class Describer:
    def __init__(self, storage: Storage, schemas: Schemas, detector: Detector) -> None:
        self._storage = storage
        self._schemas = schemas
        self._detector = detector
        self._edges = EdgeWords(
            storage, schemas, detector.history, thing=self.thing, candidate=self._candidate, decisions=self._decisions
        )

    def describe(self, row: ConflictRow) -> Conflict:
        if edge_words.is_about_edges(row):
            return self._edges.describe(row)
        if row.kind == "semantic":
            return self._bond(row)
        if row.kind == "edit-delete":
            return self._edit_delete(row)
        if row.kind == "duplicate":
            return self._duplicate(row)
        if row.kind == "text-overlap":
            return self._overlap(row)
        return self._register(row)

    # -- names ---------------------------------------------------------------------------------------------

    def thing(self, entity: str, *, facet: str = "") -> str:
        """How people call an entity, by its last values where it has been deleted."""
        facets: dict[str, dict[str, Any]] = {}
        concept = self._detector.bonds.concepts.get(self._detector.bonds.concept_entities.get(entity, ""))
        if concept is not None:
            return self._schemas.concept_thing(concept, self.canonical(entity), entity)
        for row in self._storage.registers_of_entity(entity):
            root = layout.parse_root(row.root)
            if root.kind == "facet" and row.field:
                facets.setdefault(root.name, {})[row.field] = edges.last(self._storage, row)
        facets = {name: self._schemas.renamed(name, fields) for name, fields in facets.items()}
        if facet in facets:
            return self._schemas.thing({facet: facets[facet]}, entity)
        return self._schemas.thing(facets, entity)

    def canonical(self, owner: str) -> dict[str, Any]:
        """The values of a concept entity: until a choice, a fixed one of those that its bound fields show."""
        found: dict[str, Any] = {}
        for bond in self._detector.bonds.owned(owner):
            entries = self._detector.bond_entries(bond)
            if not bond.facet:
                shown = next((one.value for one in entries if one.value not in (None, NULL)), None)
                found[bond.field] = None if shown is None else json.loads(shown)
        return found

    # -- parts ---------------------------------------------------------------------------------------------

    def _candidate(
        self, document: str, head: Version, bundle: BundleRow, others: tuple[Version, ...], field: str = ""
    ) -> Candidate:
        return Candidate(
            version=ids.version_text(document, head.id),
            value=None if head.value is None else json.loads(head.value),
            author=bundle.name, user=bundle.user, device=bundle.device, at=moment(bundle.hlc), bundle=bundle.id,
            unaware_of=tuple(ids.version_text(document, other.id) for other in others if other.id != head.id),
            known=head.value is not None, field=field,
        )  # fmt: skip

    def _decisions(self, rows: list[tuple[Any, BundleRow]]) -> tuple[Decision, ...]:
        parsed = [(row, bundle, record) for row, bundle in rows if (record := resolutions.parse(row.body)) is not None]
        withdrawn = {record.supersedes for _row, _bundle, record in parsed if record.withdraws}
        return tuple(
            Decision(
                # Who the record claims to be counts for nothing: its bundle's author does.
                id=row.id, by=bundle.name, user=bundle.user, device=bundle.device, at=moment(bundle.hlc),
                chosen=f"{row.document}:{record.chosen}" if record.chosen else None, value=record.value,
                supersedes=record.supersedes, heads=tuple(f"{row.document}:{head}" for head in record.heads),
                withdrawn=row.id in withdrawn or record.withdraws, bundle=bundle.id,
            )
            for row, bundle, record in parsed
        )  # fmt: skip

    @staticmethod
    def _standing(decisions: tuple[Decision, ...]) -> Decision | None:
        return next((decision for decision in reversed(decisions) if not decision.withdrawn), None)

    # -- bonds ---------------------------------------------------------------------------------------------

    def _bond(self, row: ConflictRow) -> Conflict:
        bond = Bond(*json.loads(row.subject)["bond"])
        state = self._detector.bond_state(bond)
        records = {
            resolution.id.partition(".")[0]: (resolution, bundle)
            for _entry, history in state.registers
            for resolution, bundle, record in reversed(history.decisions)
            if record.chosen is not None or resolution.id.partition(".")[0] == resolution.id
        }
        decisions = self._decisions(sorted(records.values(), key=lambda one: (one[1].hlc, one[0].id)))
        decided = self._standing(decisions)
        sides = state.sides if row.status == "open" else ()
        said: list[tuple[Candidate, str]] = []
        for side in sorted(sides, key=lambda one: (one.bundle.hlc, one.text)):
            entry, version = side.places[0]
            candidate = self._candidate(entry.document, version, side.bundle, (), self._place(entry))
            others = tuple(other.text for other in semantic.apart(state, side))
            where = "" if len(side.places) > 1 or len(state.registers) == 1 else self._where(entry.root)
            said.append((msgspec.structs.replace(candidate, unaware_of=others), where))
        thing = self.thing(bond.owner, facet=bond.facet)
        if bond.facet:
            label = self._schemas.label(bond.facet, bond.field)
        else:
            concept = self._detector.bonds.concepts[self._detector.bonds.concept_entities[bond.owner]]
            label = concept.fields[bond.field].label or bond.field
        if not said:
            over = {
                (history.bundles[version.id].id, version.value): (
                    self._candidate(entry.document, version, history.author_of(version), (), self._place(entry)), ""
                )
                for entry, history in reversed(state.registers)  # of one side the canonical register's version stands
                for version in self._sides(history, history.state.heads)
            }  # fmt: skip
            said = sorted(over.values(), key=lambda one: (one[0].at, one[0].version))
        sentence = words.bond_sentence(thing, label, tuple(said), decided=decided, status=row.status)
        shown, _value = semantic.shown(state)
        return Conflict(
            id=row.id, kind=row.kind, status=row.status, reopened=row.reopened, heads=tuple(json.loads(row.heads)),
            entity=row.entity, facet=row.facet, field=row.field, title=thing, label=label, sentence=sentence, base=None,
            shown=ids.version_text(shown.document, (shown.client, shown.clock)) if shown.client >= 0 else None,
            candidates=tuple(candidate for candidate, _where in said), resolution=decided, resolutions=decisions,
        )  # fmt: skip

    def _where(self, root: str) -> str:
        return "the thing itself" if root == layout.CONCEPT_ENTITY_ROOT else self._schemas.facet_label(root)

    @staticmethod
    def _place(entry: Entry) -> str:
        return f"{entry.root}/{entry.field}"

    # -- kinds ---------------------------------------------------------------------------------------------

    def _register(self, row: ConflictRow) -> Conflict:
        assert row.register is not None
        register = self._storage.register(row.register)
        assert register is not None
        history = self._detector.history(register)
        wanted = {head.partition(":")[2] for head in json.loads(row.heads)}
        heads = tuple(head for head in history.state.heads if resolutions.local_text(head.id) in wanted)
        decisions = self._decisions([(entry, bundle) for entry, bundle, _record in history.decisions])
        decided = self._standing(decisions)
        sides = heads if row.status == "open" else self._sides(history, heads)
        # In the order in which people set them, as they would tell it.
        shown_candidates = tuple(sorted(sides, key=lambda head: (history.bundles[head.id].hlc, head.id)))
        candidates = tuple(
            self._candidate(row.document, head, history.author_of(head), history.apart_from(head, shown_candidates))
            for head in shown_candidates
        )
        thing, label = self.thing(row.entity, facet=row.facet), self._schemas.label(row.facet, row.field)
        if row.facet == layout.ENTITY_ROOT or (row.facet == layout.BINDING_ROOT and row.field):
            merged = row.facet == layout.ENTITY_ROOT
            label = "merged into" if merged else f"({self._schemas.facet_label(row.field)}) belongs to"
            candidates, decisions = self._titled(candidates), self._titled(decisions)
            decided = self._standing(decisions)
        elif layout.parse_root(register.root).kind == "edge":
            label = self._edges.label(register)
            candidates = self._edges.titled(candidates, row.field)
            decisions = self._edges.titled(decisions, row.field)
            decided = self._standing(decisions)
        if row.kind == "invalid":
            why = self._detector.why_invalid(register, candidates[0].value) if candidates else "doesn't fit"
            sentence = words.invalid_sentence(thing, label, candidates[0], why, decided=None)
        elif row.kind == "schema":
            sentence = words.schema_sentence(f"“{row.entity}”", candidates, decided=decided, status=row.status)
        else:
            sentence = words.field_sentence(thing, label, candidates, decided=decided, status=row.status)
        shown = history.state.shown
        base = history.state.base
        return Conflict(
            id=row.id, kind=row.kind, status=row.status, reopened=row.reopened, heads=tuple(json.loads(row.heads)),
            entity=row.entity, facet=row.facet, field=row.field, title=thing, label=label, sentence=sentence,
            base=None if base is None or base.value is None
            else {"version": ids.version_text(row.document, base.id), "value": json.loads(base.value)},
            shown=None if shown is None else ids.version_text(row.document, shown), candidates=candidates,
            resolution=decided, resolutions=decisions,
        )  # fmt: skip

    def _titled(self, said: tuple[Said, ...]) -> tuple[Said, ...]:
        """Of what points to other things: those things' names."""
        titles = {one.value: self.thing(one.value) for one in said if isinstance(one.value, str)}
        twice = {title for title in titles.values() if list(titles.values()).count(title) > 1}
        found = []
        for one in said:
            title = titles.get(one.value, "") if isinstance(one.value, str) else ""
            # Of two things of one name the end of their ids tells them apart.
            title = f"{title} ({one.value[-4:]})" if title in twice else title
            found.append(msgspec.structs.replace(one, title=title))
        return tuple(found)

    @staticmethod
    def _sides(history: trees.History, heads: tuple[Version, ...]) -> tuple[Version, ...]:
        """For a conflict that is over: the values that had stood against each other, decisions aside."""
        wrote = {
            key for _row, _bundle, record in history.decisions for key in map(resolutions.parse_local, record.wrote)
        }
        joined = [
            history.tree.versions[key]
            for _row, _bundle, record in history.decisions
            for head in record.heads
            if (key := resolutions.parse_local(head)) in history.tree.versions and key is not None
        ]
        if not history.decisions:
            joined = history.tree.leaves()
        found = {version.id: version for version in (joined or heads) if version.id not in wrote}
        return tuple(found[id] for id in sorted(found)) or heads

    def _edit_delete(self, row: ConflictRow) -> Conflict:
        candidates: list[Candidate] = []
        edits: list[tuple[str, Candidate]] = []
        deleted_by = kept_by = trees.NOBODY
        wanted = set(json.loads(row.heads))
        shown: str | None = None
        for register in self._storage.registers_of_entity(row.entity):
            if not any(head.startswith(f"{register.document}:") for head in wanted):
                continue
            history = self._detector.history(register)
            for head in history.state.heads:
                text = ids.version_text(register.document, head.id)
                if text not in wanted:
                    continue
                others = tuple(other for other in history.state.heads)
                candidate = self._candidate(register.document, head, history.author_of(head), others, register.field)
                candidates.append(candidate)
                if register.field:
                    name = layout.parse_root(register.root).name
                    edits.append((self._schemas.label(name, register.field), candidate))
                elif head.value in (None, NULL):
                    deleted_by = candidate.author
                    shown = text if history.state.shown_value in (None, NULL) else shown
                else:
                    kept_by = candidate.author
                    shown = text if history.state.shown == head.id else shown
        typed = self._typed(wanted - {candidate.version for candidate in candidates})
        candidates += [one for _label, one in typed]
        decisions = self._decisions(
            [
                (entry, bundle)
                for entry, bundle in self._storage.resolutions_of(row.id)
                if '"register":null' in entry.body
            ]
        )
        decided = self._standing(decisions)
        thing = self.thing(row.entity, facet=row.facet)
        sentence = words.edit_delete_sentence(
            thing, deleted_by, tuple(edits), tuple(typed), kept_by, decided=decided, status=row.status
        )
        return Conflict(
            id=row.id, kind=row.kind, status=row.status, reopened=row.reopened, heads=tuple(sorted(wanted)),
            entity=row.entity, facet=row.facet, field="", title=thing, label="", sentence=sentence, base=None,
            shown=shown, candidates=tuple(candidates), resolution=decided, resolutions=decisions,
        )  # fmt: skip

    def _typed(self, versions: set[str]) -> list[tuple[str, Candidate]]:
        """What people typed in texts: (field label, candidate with the text as it is)."""
        found = []
        for version in sorted(versions):
            document, id = ids.parse_version(version)
            span = self._storage.span_at(document, id[0], id[1])
            bundle = self._storage.bundle_numbered(span.bundle) if span is not None else None
            if span is None or bundle is None:
                continue
            name = layout.parse_root(span.root)
            head = Version(id, None, values.canonical(self._detector.text(document, span.root)), 0)
            candidate = self._candidate(document, head, bundle, (), name.field)
            found.append((self._schemas.label(name.name, name.field), candidate))
        return found

    def _duplicate(self, row: ConflictRow) -> Conflict:
        subject = json.loads(row.subject)
        candidates = []
        things = []
        for entity in subject["entities"]:
            things.append(self.thing(entity, facet=row.facet))
            register = self._detector.shown_entry(row.document, row.facet, entity, row.field)
            if register is not None:
                version = self._storage.version(register.document, register.client, register.clock)
                if version is not None:
                    head = Version((register.client, register.clock), None, register.value, 0)
                    candidates.append(self._candidate(row.document, head, version.bundle, (), entity))
        labels = [self._schemas.label(row.facet, field) for field in subject["unique"]]
        values = [words.say(json.loads(value)) for value in subject["values"]]
        what = " and ".join(f"{label} {value}" for label, value in zip(labels, values, strict=True))
        decisions = self._decisions(self._storage.resolutions_of(row.id))
        decided = self._standing(decisions)
        return Conflict(
            id=row.id, kind=row.kind, status=row.status, reopened=row.reopened, heads=tuple(json.loads(row.heads)),
            entity=row.entity, facet=row.facet, field=row.field, title=things[0] if things else row.entity,
            label=labels[-1], sentence=words.duplicate_sentence(
                tuple(things), what, decided=decided, status=row.status
            ),
            base=None, shown=None, candidates=tuple(candidates), resolution=decided, resolutions=decisions,
        )  # fmt: skip

    def _overlap(self, row: ConflictRow) -> Conflict:
        candidates = []
        by = json.loads(row.subject)["by"]
        for head in json.loads(row.heads):
            document, version = ids.parse_version(head)
            for id in by[resolutions.local_text(version)]:
                bundle = self._storage.bundle(id)
                assert bundle is not None
                candidates.append(self._candidate(document, Version(version, None, NULL, 0), bundle, (), row.field))
        decisions = self._decisions(self._storage.resolutions_of(row.id))
        decided = self._standing(decisions)
        thing, label = self.thing(row.entity, facet=row.facet), self._schemas.label(row.facet, row.field)
        authors = tuple(dict.fromkeys(candidate.author for candidate in candidates))
        settled = decided if row.status == "resolved" else None
        if merged := json.loads(row.subject).get("merged"):
            content = self._detector.text(row.document, json.loads(row.subject)["root"])
            was = self.thing(merged, facet=row.facet)
            sentence = words.merged_text_sentence(thing, label, was, authors, content, decided=settled)
        else:
            sentence = words.overlap_sentence(thing, label, authors, decided=settled)
        return Conflict(
            id=row.id, kind=row.kind, status=row.status, reopened=row.reopened, heads=tuple(json.loads(row.heads)),
            entity=row.entity, facet=row.facet, field=row.field, title=thing, label=label, sentence=sentence, base=None,
            shown=None, candidates=tuple(candidates), resolution=decided, resolutions=decisions,
        )  # fmt: skip
