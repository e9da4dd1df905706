"""Finding conflicts: which of the registers, entities and texts that were touched disagree now.

The result for a subject is a pure function of the documents and the decisions, whatever the order they came in:
each ``_…`` method computes the one row that a subject should have, or None, and ``_put`` makes it so.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping

from openprod.core import ids, resolutions, validity, values
from openprod.core.versions import NULL, Version
from openprod.engine import semantic, trees
from openprod.engine.bonds import Bond, Bonds
from openprod.engine.duplicates import Duplicates
from openprod.engine.edge_conflicts import EdgeJudge
from openprod.engine.edit_deletes import EditDeletes
from openprod.engine.index import Entry, Index
from openprod.engine.listing import Listing
from openprod.engine.overlaps import Change, Overlaps
from openprod.engine.schemas import Former, Schemas
from openprod.engine.spans import TextTouch
from openprod.engine.typed import Typed
from openprod.storage.ports import BundleRow, ConflictRow, RegisterRow, Storage
from openprod.yjs import layout
from openprod.yjs.documents import LiveDocument


class Detector:
    def __init__(
        self, storage: Storage, index: Index, schemas: Schemas, document: Callable[[str], LiveDocument], workspace: str
    ) -> None:
        self._storage = storage
        self._index = index
        self._schemas = schemas
        self._document = document
        self._workspace = workspace
        self.load()

    def load(self) -> None:
        """Read what is kept in memory: conflicts' ids, and who is deleted or detached."""
        self._overlaps = Overlaps(self._storage)
        self._listing = listing = Listing(self._storage)
        # Registers that somebody recorded a decision about: judged even where all agree.
        records = self._storage.all_resolutions()
        self._recorded = {f"{row.document}/{row.root}/{row.key}" for row in records if row.root}
        self._gone: set[tuple[str, str]] = {
            (row.root, row.entity)
            for row in self._storage.markers_gone()
            if not row.field
            and layout.parse_root(row.root).kind in ("entity", "facet")
            and layout.belongs(row.root, row.document)
        }
        self.bonds = Bonds(self._storage, self._index, self.is_gone, self._schemas)
        storage, schemas, workspace = self._storage, self._schemas, self._workspace
        self.edges = EdgeJudge(self, storage, self._index, schemas, listing, workspace)
        self._typed = Typed(storage, schemas, self._document)
        self.edit_deletes = EditDeletes(self, storage, listing, self._typed, workspace)
        self.duplicates = Duplicates(self, storage, schemas, listing, workspace)

    # -- deleted and detached ------------------------------------------------------------------------------

    def is_deleted(self, entity: str) -> bool:
        return (layout.ENTITY_ROOT, entity) in self._gone

    def is_gone(self, root: str, entity: str) -> bool:
        """Whether the entity is deleted, or doesn't have that facet any more."""
        return (layout.ENTITY_ROOT, entity) in self._gone or (root, entity) in self._gone

    def has_left(self, root: str, entity: str) -> bool:
        """Whether the marker of the entity in that very root says that it is gone."""
        return (root, entity) in self._gone

    def text(self, document: str, root: str) -> str:
        return self._document(document).text(root)

    def endings(self, marker: RegisterRow) -> list[str]:
        """The versions that say that a thing is gone: its marker's null, or who removed the key."""
        found = [head.id for head in self.history(marker).state.heads if head.value == NULL] if marker.forked else []
        return [ids.version_text(marker.document, id) for id in found or [(marker.client, marker.clock)]]

    # -- the pass over what a group touched ----------------------------------------------------------------

    def settle(self, touched: Iterable[Entry], texts: Mapping[tuple[str, str], TextTouch], changed: set[str]) -> None:
        """Work out winners, then conflicts. ``changed`` collects conflicts' ids."""
        touched = list(touched)
        histories: dict[int, trees.History] = {}
        for entry in touched:
            if entry.unsure:
                histories[entry.id] = self._settle_winner(entry)
        self._index.store(touched)
        entities: set[str] = set()
        for entry in touched:
            if entry.entity and not entry.field and entry.root != layout.RESOLUTION_ROOT:
                self._mark(entry)
                entities.add(entry.entity)
        bonds: set[Bond] = set()
        rebound = self.bonds.update(touched)
        for entry in touched:
            self._judge(entry, histories.get(entry.id), changed, bonds)
            if entry.entity and (entry.entity in entities or self.is_gone(entry.root, entry.entity)):
                entities.add(entry.entity)
        for entity in sorted(entities):
            for row in self._storage.registers_of_entity(entity):
                if row.field:
                    found = self._index.find(row.document, row.root, row.key)
                    assert found is not None
                    self._judge(found, None, changed, bonds)
            if self.bonds.absorbed(entity):
                bonds.update(self.bonds.owned(entity))  # also those that it has no register of
            self.edit_deletes.judge(entity, changed)
        moved = [one for place in sorted(rebound.registers) if (one := self._index.find(*place)) is not None]
        for one in moved:
            self._judge(one, None, changed, bonds)
        self.duplicates.settle([*touched, *moved], entities, changed)
        for (document, root), touch in sorted(texts.items(), key=lambda one: one[0]):
            moved_texts = self._overlaps.note(self._document(document), root, touch)
            if moved_texts or self._is_absorbed(layout.parse_root(root).entity):
                self._overlap(document, root, changed)
        self._merged_texts({one.entity for one in touched if one.field == layout.REDIRECT_FIELD}, changed)
        self.edit_deletes.judge_texts({layout.parse_root(root).entity for _document, root in texts}, changed)
        self._decided(touched, changed, bonds)
        for bond in sorted(rebound.over):
            self._listing.drop(self.bond_id(bond), changed)
        for bond in sorted(bonds | rebound.bonds):
            self._bond(bond, changed)
        self.edges.settle(touched, changed)

    def _mark(self, entry: Entry) -> None:
        if entry.kind in ("entity", "facet") and layout.belongs(entry.root, entry.document):
            # An outside program may mark with anything: only null means gone.
            if self._says_gone(entry):
                self._gone.add((entry.root, entry.entity))
            else:
                self._gone.discard((entry.root, entry.entity))

    @staticmethod
    def _says_gone(marker: Entry | RegisterRow) -> bool:
        return marker.value == NULL or marker.value is None

    def _settle_winner(self, entry: Entry) -> trees.History:
        history = self.history(entry.row())
        winner = history.tree.winner()
        assert winner is not None, "a register without a version"
        linear = len(history.tree.leaves()) == 1 and history.state.shown is not None
        self._index.settle(entry, winner.id[0], winner.id[1], history.state.shown_value, forked=not linear)
        return history

    def history(self, register: RegisterRow, *, as_of: str | None = None) -> trees.History:
        deleted = self._document(register.document).gate.deleted
        return trees.read(self._storage, register, is_deleted=lambda id: deleted.contains(id[0], id[1]), as_of=as_of)

    def recheck(self, entries: Iterable[RegisterRow], changed: set[str]) -> None:
        """Judge registers again after a schema changed."""
        found = [entry for row in entries if (entry := self._index.find(row.document, row.root, row.key)) is not None]
        bonds: set[Bond] = set()
        for entry in found:
            self._judge(entry, None, changed, bonds)
        for bond in sorted(bonds):
            self._bond(bond, changed)
        entities = {entry.entity for entry in found}
        for known in sorted({id for entity in entities for id in self._listing.about(f"duplicate/{entity}")}):
            self.duplicates.judge_again(known, changed)  # also where the schema has nothing to say of it any more
        self.duplicates.settle(found, entities, changed)
        doubted = {one.entity for one in found if not one.field and (one.forked or self._says_gone(one))}
        for row in self._storage.registers_of_root(layout.ENTITY_ROOT):
            if row.entity in entities and (row.forked or self._says_gone(row)):
                doubted.add(row.entity)
        self.edit_deletes.judge_texts(doubted, changed)

    def recheck_bonds(self, changed: set[str]) -> None:
        """Judge again what was disagreed about after a schema changed: registers may have left a bond, and the schema
        in force may not take the keys of one for one field."""
        for row in self._storage.conflicts(kind="semantic"):
            bond = Bond(*json.loads(row.subject)["bond"])
            if self.bonds.stands(bond):
                self._bond(bond, changed)
            else:
                self._listing.drop(row.id, changed)

    def _judge(self, entry: Entry, history: trees.History | None, changed: set[str], bonds: set[Bond]) -> None:
        """Judge a register, or put down the bond that it is part of: one thing, one conflict."""
        bond = self.bonds.of(entry.document, entry.root, entry.entity, entry.field)
        if bond is not None:
            bonds.add(bond)
        if bond is None or self.is_gone(entry.root, entry.entity):
            self._register(entry, history, changed)

    def is_disputed(self, entry: Entry) -> bool:
        """Whether people disagree about a register."""
        row = self._storage.conflict(ids.conflict_id(self._workspace, entry.document, entry.root, entry.key))
        return entry.forked and row is not None and row.status == "open"

    # -- bonds ---------------------------------------------------------------------------------------------

    def bond_id(self, bond: Bond) -> str:
        return ids.conflict_id(self._workspace, "semantic", *bond)

    def bond_entries(self, bond: Bond) -> list[Entry]:
        """The registers of a bond that there are, the canonical one first."""
        return [entry for place in self.bonds.places(bond) if (entry := self._index.find(*place)) is not None]

    def bond_state(self, bond: Bond) -> semantic.BondState:
        return self._bond_state(bond, self.bond_entries(bond))

    def _bond_state(self, bond: Bond, entries: list[Entry]) -> semantic.BondState:
        hidden = self._hides(bond, entries)
        return semantic.judge(bond, entries, lambda entry: self.history(entry.row()), hidden=hidden)

    def _hides(self, bond: Bond, entries: list[Entry]) -> bool:
        """Whether only what was merged into a bond's owner shows a value: whoever set it didn't know of the merge.

        A null of the owner's own is a word, and stands against the value as any other does.
        """
        if not bond.facet or self.is_gone(bond.facet, bond.owner):
            return False
        shown = [entry for entry in entries if entry.value is not None]
        return all(one.entity != bond.owner for one in shown) and any(one.value != NULL for one in shown)

    def _bond(self, bond: Bond, changed: set[str]) -> None:
        id, entries = self.bond_id(bond), self.bond_entries(bond)
        row: ConflictRow | None = None
        recorded = any(entry.subject in self._recorded for entry in entries)
        known = id in self._listing or recorded
        if entries and (known or not semantic.is_quiet(entries) or self._hides(bond, entries)):
            row = self._bond_row(id, self._bond_state(bond, entries))
        self._listing.put(id, row, changed)
        for entry in entries:
            # A value that doesn't fit its field is a matter of that field.
            self._register(entry, None, changed, bound=True)

    def _bond_row(self, id: str, state: semantic.BondState) -> ConflictRow | None:
        records = state.records
        reopened = False
        if state.disagrees:
            status, reopened = "open", any(not record.withdraws for _id, _client, record in records)
        elif resolutions.standing(records):
            status = "resolved"
        elif state.overtaken:
            status = "overtaken"
        else:
            return None
        canonical = state.registers[0][0]
        bond = state.bond
        return ConflictRow(
            id, "semantic", status, reopened, bond.owner, bond.facet or layout.CONCEPT_ENTITY_ROOT, bond.field,
            canonical.document, None, json.dumps([side.text for side in state.sides]),
            json.dumps({"subject": bond.subject, "bond": bond}),
            min(self._first(history) for _entry, history in state.registers),
        )  # fmt: skip

    # -- field and invalid ---------------------------------------------------------------------------------

    def _register(self, entry: Entry, history: trees.History | None, changed: set[str], *, bound: bool = False) -> None:
        # Whole records (adoptions) can disagree too; markers are judged with their entity.
        if not (entry.entity and entry.field) and entry.kind != "record":
            return
        subject = entry.subject
        wrong = self._fault(entry)
        if not entry.forked and not wrong and not self._listing.about(subject) and subject not in self._recorded:
            return
        id = ids.conflict_id(self._workspace, entry.document, entry.root, entry.key)
        if entry.kind == "facet" and self.is_gone(entry.root, entry.entity):
            self._listing.drop(id, changed)  # judged with its entity: one thing, one conflict
            return
        if entry.kind == "edge" and self.edges.has_ended(entry):
            self._listing.drop(id, changed)  # judged as a whole
            return
        row: ConflictRow | None = None
        if wrong or not bound:
            row = self._field_row(id, entry, history or self.history(entry.row()), subject)
        self._listing.put(id, row if row is None or not bound or row.kind == "invalid" else None, changed)

    def _field_row(self, id: str, entry: Entry, history: trees.History, subject: str) -> ConflictRow | None:
        state, records = history.state, history.records
        decided = any(not record.withdraws for _id, _client, record in records)
        # Decisions about wider things (an entity, several entries) join a field's heads, and are listed there.
        own = [one for one in records if one[2].conflict in ("", id)]
        heads: tuple[Version, ...] = state.heads
        kind, reopened = "field", False
        if entry.root in (layout.BINDING_ROOT, layout.ENTITY_ROOT) and entry.field:
            kind = "cardinality"  # one thing stands for, or belongs to, one other
        elif entry.kind == "record":
            kind = "schema"
        if state.disagrees:
            status, reopened = "open", decided
        else:
            accepted = resolutions.accepted(records)
            faulty = tuple(
                head
                for head in heads
                if self._fault(entry, head.value)
                and not self._was_considered(entry, history.bundles[head.id])
                and not any(resolutions.local_text(head.id) in accept for accept in accepted)
            )
            if faulty:
                kind, status, heads = "invalid", "open", faulty
            elif resolutions.standing(own):
                status = "resolved"
            elif state.overtaken:
                status = "overtaken"
            else:
                return None
        root, entity = layout.parse_root(entry.root), entry.entity
        if root.kind == "edge":
            entity = self.edges.owner(entry.document, entry.root, entry.entity)
            kind = self.edges.kind(entry) if kind == "field" else kind
        return ConflictRow(
            id, kind, status, reopened, entity, root.name, entry.field, entry.document, entry.id,
            _heads(entry.document, heads), json.dumps({"subject": subject}), self._first(history),
        )  # fmt: skip

    @staticmethod
    def _first(history: trees.History) -> str:
        return min((bundle.hlc for bundle in history.bundles.values()), default="")

    def _fault(self, entry: Entry, value: str | None = None) -> str:
        """Why the shown (or the given) value doesn't fit its field, or ""."""
        text = entry.value if value is None else value
        if entry.kind == "edge":
            return self.edges.fault(entry, text)
        if text is None or text == NULL or not entry.field or entry.kind != "facet":
            return ""
        field = self._schemas.declared(entry.root, entry.field).field
        if field is None and (former := self._schemas.gone(entry.root, entry.field)) is not None:
            return self.gone_fault(former)
        if field is None or (text[0] == '"' and field.type in ("string", "reference")):
            return ""  # the common case, without decoding
        return validity.fault(field, json.loads(text))

    @staticmethod
    def gone_fault(former: Former) -> str:
        return f"is shown nowhere: “{former.label}” is gone since version {former.version}"

    def _was_considered(self, entry: Entry, bundle: BundleRow) -> bool:
        """Whether a value of a field that is gone was there for whoever left the field out: a migration says what
        becomes of those. Any other is as much an edit as if it had been made in time."""
        former = self._schemas.gone(entry.root, entry.field)
        if former is None:
            return False
        if bundle.log == former.log:
            return bundle.seq <= former.seq
        return self._storage.depends(former.log, former.seq, bundle.log) >= bundle.seq

    def why_invalid(self, register: RegisterRow, value: object) -> str:
        entry = self._index.find(register.document, register.root, register.key)
        return (self._fault(entry, values.canonical(value)) if entry else "") or "doesn't fit the field"

    # -- text-overlap --------------------------------------------------------------------------------------

    def _overlap(self, document: str, root: str, changed: set[str]) -> None:
        id = ids.conflict_id(self._workspace, document, root)
        changes = self._overlaps.pairs(self._document(document), root)
        found = sorted({(first.head, second.head) for first, second in changes})
        name = layout.parse_root(root)
        absorbed = self._is_absorbed(name.entity)
        if not found and id not in self._listing and not absorbed:
            return
        records = self._listing.decisions(id)
        accepted = resolutions.accepted(records)
        hidden, unread_hidden = self._typed_apart_from_merge(document, root, accepted) if absorbed else ({}, False)
        heads = sorted({head for pair in found for head in pair} | hidden.keys())
        unread = unread_hidden or any(not any(set(pair) <= accept for accept in accepted) for pair in found)
        if not heads:
            self._listing.drop(id, changed)
            return
        reopened = unread and any(not record.withdraws for _id, _client, record in records)
        subject = {"subject": f"text/{root}", "root": root, "pairs": found, "by": {**hidden, **self._hands(changes)}}
        row = ConflictRow(
            id, "text-overlap", "open" if unread else "resolved", reopened,
            self.bonds.survivor(name.entity) if hidden else name.entity, name.name, name.field,
            document, None, json.dumps([f"{document}:{head}" for head in heads]),
            json.dumps({**subject, "merged": name.entity} if hidden else subject), "",
        )  # fmt: skip
        self._listing.put(id, row, changed)

    def _is_absorbed(self, entity: str) -> bool:
        return bool(entity) and self.bonds.survivor(entity) != entity

    def _merged_texts(self, entities: Iterable[str], changed: set[str]) -> None:
        """Judge the texts of what was merged, or is itself again."""
        ones = {id for entity in entities if entity for id in self.bonds.one(self.bonds.survivor(entity))}
        for document, root in self._storage.text_roots() if ones else ():
            if layout.parse_root(root).entity in ones:
                self._overlap(document, root, changed)

    def _typed_apart_from_merge(
        self, document: str, root: str, accepted: Collection[frozenset[str]]
    ) -> tuple[dict[str, list[str]], bool]:
        """{head: the bundle} of what somebody typed in a text without knowing that it was merged away, and whether
        people have not decided about it yet."""
        entity = layout.parse_root(root).entity
        redirect = self._storage.register_at(
            layout.CORE, layout.ENTITY_ROOT, layout.field_key(entity, layout.REDIRECT_FIELD)
        )
        if redirect is None:
            return {}, False
        read = frozenset[str]().union(*accepted)
        unread = list(self._typed.unaware_of_merge(document, root, redirect, self.history, read))
        spans = unread or list(self._typed.unaware_of_merge(document, root, redirect, self.history, ()))
        found: dict[str, list[str]] = {}
        for span in spans:
            bundle = self._storage.bundle_numbered(span.bundle)
            assert bundle is not None
            found[f"{span.client}:{span.clock}"] = [bundle.id]
        return found, bool(unread)

    def _hands(self, changes: list[tuple[Change, Change]]) -> dict[str, list[str]]:
        """{head: bundles that wrote it, or removed it}"""
        numbers = {(change.head, change.row.bundle) for pair in changes for change in pair}
        found: dict[str, list[str]] = {}
        for head, number in sorted(numbers):
            bundle = self._storage.bundle_numbered(number)
            assert bundle is not None
            found[head] = sorted([*found.get(head, []), bundle.id])
        return found

    # -- decisions about wider things ----------------------------------------------------------------------

    def _decided(self, touched: Iterable[Entry], changed: set[str], bonds: set[Bond]) -> None:
        """A decision that came may close (or take back) a conflict none of whose registers was touched."""
        entities = {entry.entity for entry in touched if entry.entity}
        gone: set[str] = set()
        decided = self._listing.decided
        for entry in touched:
            if entry.root != layout.RESOLUTION_ROOT or entry.value is None:
                continue
            record = resolutions.parse(entry.value)
            if record is None:
                continue
            decided.add(record.conflict)
            if record.register_ is not None:
                self._recorded.add("/".join((entry.document, *record.register_)))
                found = self._index.find(entry.document, *record.register_)
                if found is not None:
                    entities.add(found.entity)
                    if found.entity and self.is_gone(found.root, found.entity):
                        gone.add(found.entity)
                    found.unsure = True
                    self._judge(found, self._settle_winner(found), changed, bonds)
            row = self._storage.conflict(record.conflict)
            if row is None:
                # What it was about is over here: it may have been decided without knowing why.
                entities |= self._entities_of(record.heads) if record.register_ is None else set()
                continue
            if row.kind == "edit-delete":
                entities.add(row.entity)
            elif row.kind == "duplicate":
                self.duplicates.judge_again(row.id, changed)
            elif row.kind == "text-overlap":
                self._overlap(row.document, json.loads(row.subject)["root"], changed)
        for entity in sorted(entities):
            # Also where the conflict isn't here: the decision may have come before what it is about.
            if entity in gone or (decided and self.edit_deletes.id(entity) in decided):
                self.edit_deletes.judge(entity, changed)

    def _entities_of(self, heads: Iterable[str]) -> set[str]:
        """What the registers belong to that these versions are of."""
        found = [
            self._index.entry_of(document, id[0], id[1])
            for id in map(resolutions.parse_local, heads) if id is not None
            for document in (layout.CORE, *self._schemas.keys())
        ]  # fmt: skip
        return {entry.entity for entry in found if entry is not None and entry.entity}

    # -- for what judges more than a register --------------------------------------------------------------

    def judge(self, row: RegisterRow, changed: set[str]) -> None:
        entry = self._index.find(row.document, row.root, row.key)
        assert entry is not None
        self._register(entry, None, changed)

    def is_recorded(self, row: RegisterRow) -> bool:
        """Whether somebody recorded a decision about the register."""
        return f"{row.document}/{row.root}/{row.key}" in self._recorded

    def shown_entry(self, document: str, facet: str, entity: str, field: str) -> Entry | None:
        """The register that a field shows: the first of its keys that has a value."""
        for key in self._schemas.keys_of(facet, field):
            entry = self._index.find(document, facet, layout.field_key(entity, key))
            if entry is not None and entry.value is not None and entry.value != NULL:
                return entry
        return None


def _heads(document: str, heads: Iterable[Version]) -> str:
    return json.dumps([ids.version_text(document, head.id) for head in heads])
