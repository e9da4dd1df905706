"""A small world of laptops and other people's programs, and what must hold in it whatever happens.

The world keeps an oracle of its own: for every item ever made, the state vector of whoever made it, so it knows who
had seen what without asking the engine.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from typing import Any

import msgspec
from pycrdt import Doc, Map, Text, merge_updates

from openprod.core.bundles import SignedBundle
from openprod.core.operations import (
    AddEdge,
    AttachFacet,
    CreateEntity,
    DeleteEntity,
    DetachFacet,
    EditText,
    RemoveEdge,
    RestoreEntity,
    SetEdgeProperty,
    SetField,
)
from openprod.core.schema import Edge, Field
from openprod.core.values import canonical
from openprod.core.versions import NULL
from openprod.engine.drafts import OutsideUpdate, Submission
from openprod.errors import DiskFull, InvalidOperation, NotFound, OpenprodError, Stale, StorageError
from openprod.storage.memory import MemoryStorage
from openprod.yjs import layout
from openprod.yjs.decoder import ANY, decode_update
from tests.engine.replica import CUES, Replica, Time
from tests.simulation import texts
from tests.simulation.outsiders import DOCUMENTS, Outsider

ENTITIES = ("cue_1", "cue_2")
FIELDS = {"cues.cue": ("list", "start", "number"), "cues.note": ("body",)}
EDGES = ("follows", "near")
SCHEMA = msgspec.structs.replace(
    CUES,
    edges={
        **CUES.edges,
        "near": Edge(
            label="near", source="cue", target="*", unique_pair=True, properties={"weight": Field(type="integer")}
        ),
    },
)
MAPS = (
    "cues.cue", "cues.note", "edge:cues.follows", "edge:cues.near", layout.ENTITY_ROOT, layout.RESOLUTION_ROOT,
    layout.ADOPTION_ROOT,
)  # fmt: skip
VALUES = ("10:00", "10:15", "10:30", "10:45", None, "later")
REPLICAS = ("alex", "blake", "casey")
OUTSIDERS = ("desk", "page", "script")

Item = tuple[str, int, int]


class World:
    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.knowledge: dict[Item, dict[int, int]] = {}
        self.times: dict[str, Time] = {}
        self.replicas: dict[str, Replica] = {}
        self.heard: dict[str, int] = {}
        self.acknowledged: dict[str, set[str]] = {name: set() for name in REPLICAS}
        self.promised: dict[str, list[tuple[str, bytes]]] = {name: [] for name in REPLICAS}
        self.outsiders: dict[str, Outsider] = {}
        self.backups: dict[str, tuple[MemoryStorage, set[str], list[tuple[str, bytes]]]] = {}
        for name in REPLICAS:
            self.times[name] = Time()
            self.replicas[name] = Replica(name, time=self.times[name], chance=self.chance)
            self.heard[name] = 0
        first = self.replicas[REPLICAS[0]]
        self.acknowledged[first.name].add(first.adopt(SCHEMA).bundle)
        self.native(
            first.name,
            CreateEntity(entity="cue_1", facets={"cues.cue": {"list": "LX", "number": "1", "start": "09:00"}}),
        )
        self.outsiders = {
            name: Outsider(name, keeps=index % 2 == 0, chance=self.chance, knew=self._knew)
            for index, name in enumerate(OUTSIDERS)
        }

    def _knew(self, document: str, client: int, clock: int, before: dict[int, int]) -> None:
        self.knowledge[document, client, clock] = before

    # -- natives -------------------------------------------------------------------------------------------

    def _act(self, name: str, action: Any) -> bool:
        """Do something on a replica; False when it was refused, as it may be."""
        replica = self.replicas[name]
        states = {key: dict(live.gate.state) for key, live in replica.committer.documents.items()}
        clients = {key: live.client_id for key, live in replica.committer.documents.items()}
        try:
            receipt = action(replica)
        except (InvalidOperation, NotFound, Stale):
            return False
        for key, live in replica.committer.documents.items():
            before = states.get(key, {})
            if clients.get(key) == live.client_id:
                for clock in range(before.get(live.client_id, 0), live.gate.state.get(live.client_id, 0)):
                    self._knew(key, live.client_id, clock, {**before, live.client_id: clock})
        if receipt.bundle:
            self.acknowledged[name].add(receipt.bundle)
        self._broadcast(name)
        return bool(receipt.bundle)

    def native(self, name: str, *operations: Any) -> bool:
        return self._act(name, lambda replica: replica.commit(*operations))

    def set_field(self, name: str, entity: str, facet: str, field: str, value: Any) -> bool:
        return self.native(name, SetField(entity=entity, facet=facet, field=field, value=value))

    def create(self, name: str, entity: str) -> bool:
        return self.native(name, CreateEntity(entity=entity, facets={"cues.cue": {"list": "LX"}}))

    def delete(self, name: str, entity: str) -> bool:
        return self.native(name, DeleteEntity(entity=entity))

    def restore_entity(self, name: str, entity: str) -> bool:
        return self.native(name, RestoreEntity(entity=entity))

    def attach(self, name: str, entity: str) -> bool:
        return self.native(name, AttachFacet(entity=entity, facet="cues.note", fields={"body": "a"}))

    def detach(self, name: str, entity: str, facet: str) -> bool:
        return self.native(name, DetachFacet(entity=entity, facet=facet))

    def relate(self, name: str, source: str, target: str) -> bool:
        return self.native(name, AddEdge(edge="cues.follows", source=source, target=target))

    def unrelate(self, name: str, source: str) -> bool:
        return self.native(name, RemoveEdge(edge="cues.follows", id=source))

    def place_near(self, name: str, source: str, target: str, weight: int) -> bool:
        edge = AddEdge(edge="cues.near", source=source, target=target, properties={"weight": weight})
        return self.native(name, edge)

    def weigh(self, name: str, source: str, target: str, weight: int) -> bool:
        id = layout.pair_edge_id(source, target)
        return self.native(name, SetEdgeProperty(edge="cues.near", id=id, property="weight", value=weight))

    def part(self, name: str, source: str, target: str) -> bool:
        return self.native(name, RemoveEdge(edge="cues.near", id=layout.pair_edge_id(source, target)))

    def write_text(self, name: str, entity: str, text: str) -> bool:
        return self.set_field(name, entity, "cues.cue", "notes", text)

    def edit_text(self, name: str, entity: str, at: int, delete: int, insert: str) -> bool:
        text = self.replicas[name].committer.document("cues").text(f"text:cues.cue/{entity}/notes")
        start = min(at, len(text))
        edit = EditText(
            entity=entity, facet="cues.cue", field="notes", index=start, delete=min(delete, len(text) - start),
            insert=insert,
        )  # fmt: skip
        return self.native(name, edit)

    def undo(self, name: str) -> bool:
        return self._act(name, lambda replica: replica.undo())

    def redo(self, name: str) -> bool:
        return self._act(name, lambda replica: replica.redo())

    def resolve(self, name: str, which: int, side: int, own: Any) -> bool:
        """Decide the conflict ``which`` of those open: take side ``side``, or the own value when side is negative."""
        replica = self.replicas[name]
        rows = replica.conflicts("open")
        if not rows:
            return False
        row = rows[which % len(rows)]
        heads = json.loads(row.heads)
        if row.kind == "edit-delete":
            choice: dict[str, Any] = {"value": bool(side % 2)} if side < 2 else {"choose": heads[side % len(heads)]}
        elif side < 0 and row.kind == "duplicate":
            choice = {"value": {json.loads(row.subject)["entities"][0]: {"number": str(100 + which)}}}
        elif side < 0 and row.kind == "cardinality":
            choice = {"value": ENTITIES[which % 2]}
        elif side < 0:
            choice = {"value": own}
        else:
            choice = {"choose": heads[side % len(heads)]}
        done = self._act(name, lambda one: one.resolve(row.id, heads=heads, **choice))
        if done:
            now = replica.storage.conflict(row.id)
            assert now is None or now.status != "open" or now.kind != row.kind or now.kind == "edit-delete", row
            if now is not None and now.status == "open":
                assert json.loads(now.heads) != heads or now.kind != row.kind, ("decided, and still open", row, choice)
        return done

    def revise(self, name: str, which: int, own: Any) -> bool:
        rows = [row for row in self.replicas[name].conflicts("resolved") if row.kind == "field"]
        if not rows:
            return False
        row = rows[which % len(rows)]
        return self._act(name, lambda one: one.resolve(row.id, value=own))

    def reopen(self, name: str, which: int) -> bool:
        rows = self.replicas[name].conflicts("resolved")
        return bool(rows) and self._act(name, lambda one: one.reopen(rows[which % len(rows)].id))

    # -- trouble -------------------------------------------------------------------------------------------

    def crash(self, name: str) -> None:
        replica = self.replicas[name]
        before = replica.hash()
        replica.restart()
        assert replica.hash() == before, "INV-RESTART-1: another state after a crash"
        self._drop_connections(name)

    def stop(self, name: str) -> None:
        """Close as one should: with a snapshot."""
        self.replicas[name].committer.snapshot()
        self.crash(name)

    def disk_fails(self, name: str, after: int, entity: str) -> None:
        """The disk is full in the middle of a commit: refused, and nothing of it remains."""
        replica = self.replicas[name]
        assert isinstance(replica.storage, MemoryStorage)
        before, bundles = replica.hash(), len(replica.storage.bundles())
        replica.storage.fail_next(DiskFull("No room."), after=after)
        try:
            if not self.set_field(name, entity, "cues.cue", "label", f"x{after}") or replica.storage.fault_pending:
                replica.storage.fail_next(DiskFull("No room."), times=0)
                return
        except StorageError:
            assert (replica.hash(), len(replica.storage.bundles())) == (before, bundles), "INV-ATOMIC-1"
        self._drop_connections(name)

    def take_backup(self, name: str) -> None:
        storage = self.replicas[name].storage
        assert isinstance(storage, MemoryStorage)
        copy = storage.clone()
        with copy.transaction():
            copy.set_meta("log", "")
        self.backups[name] = (copy, set(self.acknowledged[name]), list(self.promised[name]))

    def restore_backup(self, name: str) -> bool:
        """The laptop goes on from an older copy, under the same device key, in a log of its own."""
        if name not in self.backups:
            return False
        copy, acknowledged, promised = self.backups[name]
        self.acknowledged[name], self.promised[name] = set(acknowledged), list(promised)
        self.replicas[name] = Replica(name, storage=copy.clone(), time=self.times[name], chance=self.chance)
        self.heard[name] = 0
        self._drop_connections(name)
        return True

    def jump(self, name: str, seconds: int) -> None:
        self.times[name].ms += seconds * 1000

    # -- between laptops -----------------------------------------------------------------------------------

    def pull(self, name: str, other: str, *, most: int | None = None, shuffle: bool = False) -> None:
        """Bring bundles from another laptop; ``shuffle``: logs interleaved otherwise than they came."""
        target = self.replicas[name]
        bundles = self.replicas[other].bundles()
        if shuffle:
            logs: dict[str, list[Any]] = {}
            for one in bundles:
                logs.setdefault(one[1].log, []).append(one)
            bundles = []
            while logs:
                log = self.chance.choice(sorted(logs))
                bundles.append(logs[log].pop(0))
                if not logs[log]:
                    del logs[log]
        if most is not None:
            held = {log: seq for log, (seq, _hash) in target.storage.logs().items()}
            bundles = [one for one in bundles if one[1].seq > held.get(one[1].log, 0)][:most]
        target.merge(bundles)
        self._broadcast(name)

    # -- programs ------------------------------------------------------------------------------------------

    def _drop_connections(self, name: str) -> None:
        for outsider in self.outsiders.values():
            if outsider.peer == name:
                outsider.away()

    def _broadcast(self, name: str) -> None:
        replica = self.replicas[name]
        for event in replica.events[self.heard[name] :]:
            for outsider in self.outsiders.values():
                if outsider.peer == name and outsider.session is not event.origin:
                    outsider.inbox.extend(
                        (document, update) for document, update in event.updates if document in outsider.joined
                    )
        self.heard[name] = len(replica.events)

    def dial(self, outsider: str, replica: str) -> bool:
        peer = self.replicas[replica].committer
        if "cues" not in peer.schemas:
            return False
        self.outsiders[outsider].dial(replica, {name: peer.document(name).state_vector() for name in DOCUMENTS})
        return True

    def hang_up(self, outsider: str) -> None:
        self.outsiders[outsider].away()

    def answer(self, outsider: str) -> bool:
        one = self.outsiders[outsider]
        if not one.asked:
            return False
        one.answer(min(one.asked))
        return True

    def send(self, outsider: str, most: int) -> bool:
        """Messages arrive at the laptop, in one group."""
        one = self.outsiders[outsider]
        if one.peer is None or not one.outbox:
            return False
        replica = self.replicas[one.peer]
        group = [one.outbox.popleft() for _ in range(min(most, len(one.outbox)))]
        submissions: list[Submission] = [
            OutsideUpdate(
                document=document, update=update, actor=one.actor, origin=one.session, live=live, seen=seen
            )
            for document, update, live, seen in group
        ]  # fmt: skip
        outcomes = replica.submit(*submissions)
        for (document, update, live, seen), outcome in zip(group, outcomes, strict=True):
            assert not isinstance(outcome, OpenprodError), outcome
            if outcome is not None:
                self.acknowledged[replica.name].add(outcome.bundle)
            self.promised[replica.name].append((document, update))
            if not live and document not in one.joined:
                one.joined.add(document)
                one.inbox.append((document, replica.committer.document(document).state_as_update(seen)))
        # What this group itself brought is in the state just sent, or is heard like any other edit.
        self._broadcast(replica.name)
        return True

    def read(self, outsider: str, most: int) -> bool:
        one = self.outsiders[outsider]
        count = min(most, len(one.inbox))
        for _ in range(count):
            one.read()
        return count > 0

    def outside_set(self, outsider: str, entity: str, facet: str, field: str, value: Any) -> bool:
        key = layout.field_key(entity, field) if field else layout.marker_key(entity)
        return bool(self.outsiders[outsider].set("cues", facet, key, value))

    def outside_remove(self, outsider: str, entity: str, facet: str, field: str) -> bool:
        key = layout.field_key(entity, field) if field else layout.marker_key(entity)
        return bool(self.outsiders[outsider].remove("cues", facet, key))

    def outside_type(self, outsider: str, entity: str, at: int, delete: int, text: str) -> bool:
        """Type in a text, in characters."""

        def change(doc: Doc[Any]) -> None:
            notes = doc.get(f"text:cues.cue/{entity}/notes", type=Text)
            before = str(notes)
            start, end = (len(before[:place].encode()) for place in (at, at + delete))  # pycrdt counts bytes
            if end > start:
                del notes[start:end]
            if text:
                notes.insert(start, text)

        return bool(self.outsiders[outsider].edit("cues", change))

    def outside_relate(self, outsider: str, edge: str, id: str, keys: dict[str, Any]) -> bool:
        """Draw an edge, or parts of one, in one transaction; whatever comes to somebody's mind. Key "": the marker."""

        def change(doc: Doc[Any]) -> None:
            drawn = doc.get(f"edge:cues.{edge}", type=Map)
            for field, value in keys.items():
                drawn[f"{id}/{field}" if field else id] = value

        return bool(self.outsiders[outsider].edit("cues", change))

    def outside_mark(self, outsider: str, entity: str, value: Any) -> bool:
        return bool(self.outsiders[outsider].set("core", layout.ENTITY_ROOT, entity, value))

    def reload(self, outsider: str) -> None:
        self.outsiders[outsider].reload()

    def forge(self, outsider: str, entity: str, which: int) -> bool:
        """A record that claims another's value as a decision."""
        one = self.outsiders[outsider]
        items = sorted(
            item for item in self.knowledge if item[0] == "cues" and item[1] != one.documents["cues"].client_id
        )
        if not items:
            return False
        _document, client, clock = items[which % len(items)]
        record = {
            "conflict": "c_forged", "register": ["cues.cue", f"{entity}/start"],
            "heads": [f"{item[1]}:{item[2]}" for item in items[-8:]], "wrote": [f"{client}:{clock}"],
            "chosen": None, "value": "forged", "by": {"user": "user_alex", "name": "Alex"}, "at": "",
            "supersedes": None,
        }  # fmt: skip
        return bool(one.set("cues", layout.RESOLUTION_ROOT, f"r_forged{which}", record))

    # -- what must hold ------------------------------------------------------------------------------------

    def check(self, name: str) -> None:
        self.check_acknowledged(name)
        self.check_shown(name)
        self.check_losses(name)

    def check_acknowledged(self, name: str) -> None:
        """INV-LOSS-1: what was acknowledged is in the log, and in the tables with its value."""
        replica = self.replicas[name]
        held = {row.id for row in replica.storage.bundles()}
        assert self.acknowledged[name] <= held, "INV-LOSS-1: an acknowledged bundle is gone"
        assert replica.storage.check() == [], "INV-LOSS-1: a version can't be found by its field"
        for document, update in self.promised[name]:
            live = replica.committer.document(document)
            decoded = decode_update(update)
            parked = any(item.update == update for item in live.gate.parked)
            for client, clock, length in decoded.sections:
                assert parked or clock + length <= live.gate.state.get(client, 0), "INV-LOSS-1: an edit is gone"
            if parked:
                continue
            for client, clock, _length, ref, _origin, _right, _parent, _key, content in decoded.structs:
                if ref == ANY:
                    version = replica.storage.version(document, client, clock)
                    assert version is not None
                    assert version.version.value == layout.value_text(content[0]), "INV-LOSS-1: a value is gone"

    def plain(self, name: str) -> dict[str, Doc[Any]]:
        """What a plain Yjs program makes of every update in the log that doesn't wait for another, all at once."""
        updates: dict[str, list[bytes]] = {}
        waiting = {
            item.update for live in self.replicas[name].committer.documents.values() for item in live.gate.parked
        }
        for _signed, bundle in self.replicas[name].bundles():
            for part in bundle.updates:
                if part.update in waiting:
                    continue
                updates.setdefault(part.document, []).append(part.update)
        docs: dict[str, Doc[Any]] = {}
        for document, all_of_it in updates.items():
            docs[document] = Doc(skip_gc=True)
            docs[document].apply_update(merge_updates(*all_of_it))
        return docs

    def check_shown(self, name: str) -> None:
        """INV-SHOWN-1: the tables, the live documents and a plain Yjs program show the same."""
        replica = self.replicas[name]
        shown: dict[tuple[str, str, str], str] = {}
        for document, doc in self.plain(name).items():
            live = replica.committer.documents[document]
            if not live.gate.parked:
                assert _vector(doc) == live.gate.state, "INV-SHOWN-1: states differ"
            for entity in ENTITIES:
                root = f"text:cues.cue/{entity}/notes"
                assert str(doc.get(root, type=Text)) == live.text(root), "INV-SHOWN-1: a text differs"
            for root in MAPS:
                values = dict(doc.get(root, type=Map).items())
                assert values == dict(live._map(root).items()), "INV-SHOWN-1: the live document differs"
                shown.update({(document, root, key): canonical(value) for key, value in values.items()})
        assert replica.registers() == shown, "INV-SHOWN-1: the tables differ"

    def check_losses(self, name: str) -> None:
        """INV-LOSS-2: a value that nobody overwrote knowingly is shown, or stands in an open conflict."""
        replica = self.replicas[name]
        committer = replica.committer
        contested: dict[str, list[Any]] = {}
        for conflict in replica.conflicts("open"):
            for head in json.loads(conflict.heads):
                contested.setdefault(head, []).append(conflict)
        for register in replica.storage.all_registers():
            if register.root in (layout.RESOLUTION_ROOT, layout.ADOPTION_ROOT):
                continue
            ended = (
                register.root.startswith("edge:")
                and register.field
                and not self._edges(replica)[register.root, register.entity].get("", True)
            )
            history = committer.detector.history(register)
            # A decision taken back stands for what it had decided about.
            withdrawn = {record.supersedes for _id, _client, record in history.records if record.withdraws}
            undone = {
                text for id, _client, record in history.records if id in withdrawn for text in record.wrote
            }  # fmt: skip
            # So does what an undo (or the redo of one) wrote back in its place.
            undos = {
                bundle.number
                for _row, bundle, record in history.decisions
                if record.withdraws and bundle.intent in ("undo", "redo")
            }
            back = {id for id, bundle in history.bundles.items() if bundle.number in undos}
            undone |= {f"{id[0]}:{id[1]}" for id in back}
            # What that took the place of is gone knowingly, where an undo of something later had said it again.
            again = {history.tree.versions[id].parent for id in back} & {
                id for id, bundle in history.bundles.items() if bundle.intent in ("undo", "redo")
            }  # fmt: skip
            again = {id for id in again if _says_again(history.tree.versions, id, undone)}
            items = [id for id in history.tree.versions if len(id) == 2 and f"{id[0]}:{id[1]}" not in undone]
            known = {id: self.knowledge[register.document, id[0], id[1]] for id in items}
            maxima = [
                id
                for id in items
                if not any(id[1] < known[other].get(id[0], 0) for other in items if other != id) and id not in again
            ]
            for id in maxima:
                version = history.tree.versions[id]
                cleared = committer.document(register.document).gate.deleted.contains(*id) and (
                    id == history.state.shown or (*id, 1) in history.tree.versions or register.value is None
                )
                if version.value in (NULL, None) or cleared or (version.value == register.value and not ended):
                    continue
                if not register.field and (not register.forked or register.value != NULL):
                    continue  # a mark of attachment carries no words: it matters where another took it away
                text = f"{register.document}:{id[0]}:{id[1]}"
                assert text in contested, ("INV-LOSS-2: a value was swallowed", name, register, version)
            heads = {head.id for head in history.state.heads}
            assert {id for id in maxima if (*id, 1) not in history.tree.versions} <= heads | {
                id for id in maxima if history.tree.versions[id].value == register.value
            }, ("INV-CONFLICT-1: true concurrency isn't among the heads", register)
        self._check_no_false_alarm(name)
        self._check_edges(name)

    @staticmethod
    def _edges(replica: Replica) -> dict[tuple[str, str], dict[str, Any]]:
        """{(root, edge): {field: value}} of every edge; "" is the marker, None where it is absent."""
        found: dict[tuple[str, str], dict[str, Any]] = {}
        for row in replica.storage.all_registers():
            if row.root.startswith("edge:"):
                value = None if row.value is None else json.loads(row.value)
                found.setdefault((row.root, row.entity), {})[row.field] = value
        return found

    def _check_edges(self, name: str) -> None:
        """INV-EDGE-1: standing edges that lead where they can't, or are two in one place, are listed."""
        replica = self.replicas[name]
        rows = {(row.root, row.key): row.value not in (None, NULL) for row in replica.storage.all_registers()}
        fields: dict[tuple[str, str], bool] = {}
        for row in replica.storage.all_registers():
            if row.root in FIELDS and row.field and row.value not in (None, NULL):
                fields[row.root, row.entity] = True
        listed = {(row.facet, row.entity, row.field): row for row in replica.conflicts()}
        of_registers = {row.register: row for row in replica.conflicts() if row.register}
        single: dict[str, set[Any]] = {}
        for (root, edge), values in self._edges(replica).items():
            ends = {end: values.get(end) for end in ("from", "to")}
            if not values[""] if "" in values else ends == {"from": None, "to": None}:
                continue
            for end, entity in ends.items():
                cue = rows.get(("cues.cue", entity), fields.get(("cues.cue", entity), False)) if entity else False
                note = rows.get(("cues.note", entity), fields.get(("cues.note", entity), False)) if entity else False
                there = rows.get((layout.ENTITY_ROOT, entity), True) and (
                    cue or (root, end) == ("edge:cues.near", "to")
                )
                there = there and (cue or note or (layout.ENTITY_ROOT, entity) in rows)
                register = replica.storage.register_at("cues", root, f"{edge}/{end}")
                if not there and register is not None:
                    assert register.id in of_registers, (
                        "INV-EDGE-1: leads nowhere, unnoticed",
                        root,
                        edge,
                        end,
                        values,
                    )
            if root == "edge:cues.follows" and ends["to"] is not None:
                single.setdefault(ends["from"], set()).add(ends["to"])
        for source, targets in single.items():
            if source is not None and len(targets) > 1:
                row = listed.get(("cues.follows", source, "to"))
                assert row is not None, ("INV-EDGE-1: two where there is place for one", source, targets)

    def _check_no_false_alarm(self, name: str) -> None:
        """INV-CONFLICT-2: an open conflict about a field holds two values of which neither author knew the other."""
        replica = self.replicas[name]
        for conflict in replica.conflicts("open"):
            if conflict.kind != "field":
                continue
            register = replica.storage.register(conflict.register or 0)
            assert register is not None
            history = replica.committer.detector.history(register)
            items = [id for id in history.tree.versions if len(id) == 2]
            if register.value is None or any(len(id) == 3 for id in history.tree.versions):
                continue  # somebody took it away
            known = {id: self.knowledge[register.document, id[0], id[1]] for id in items}
            versions = history.tree.versions
            withdrawn = {record.supersedes for _id, _client, record in history.records if record.withdraws}
            if withdrawn:
                continue  # a decision taken back stands against what it had decided about
            agreed = {head.value for head in history.state.heads}
            if any(one.parent and not one.log and versions[one.parent].value in agreed for one in versions.values()):
                continue  # nobody can tell what an outside program, that wrote over an agreed value, had seen
            assert any(
                a[1] >= known[b].get(a[0], 0) and b[1] >= known[a].get(b[0], 0)
                for a in items
                for b in items
                if history.tree.versions[a].value != history.tree.versions[b].value
            ), ("INV-CONFLICT-2: nobody disagreed", register)

    def check_replay(self, name: str) -> None:
        """INV-REPLAY-1: every table follows from the log alone."""
        replica = self.replicas[name]
        assert isinstance(replica.storage, MemoryStorage)
        copy = Replica(name, storage=replica.storage.clone(), time=Time(), chance=random.Random(1))
        copy.committer.rebuild()
        _same("INV-REPLAY-1", replica, copy)

    def check_converged(self, shuffle: bool = False) -> None:
        """INV-CONVERGE-1: replicas with the same bundles are the same."""
        for _round in range(2):
            for name in REPLICAS:
                for other in REPLICAS:
                    if name != other:
                        self.pull(name, other, shuffle=shuffle)
        first, *others = (self.replicas[name] for name in REPLICAS)
        for other in others:
            _same("INV-CONVERGE-1", first, other)
        for name in REPLICAS:
            self.check(name)
        texts.check(self.replicas[REPLICAS[0]])

    def check_groups(self) -> None:
        """INV-CONVERGE-1, for pairs that happen to hold the same bundles."""
        seen: dict[str, Replica] = {}
        for replica in self.replicas.values():
            held = json.dumps(sorted(row.id for row in replica.storage.bundles()))
            if held in seen:
                _same("INV-CONVERGE-1", seen[held], replica)
            seen[held] = replica

    def check_settled(self) -> None:
        """INV-SHOWN-2: programs that have sent and read everything show what their laptop shows."""
        for outsider in self.outsiders.values():
            if outsider.peer is None:
                continue
            while outsider.asked:
                self.answer(outsider.name)
            while outsider.outbox:
                self.send(outsider.name, 100)
        for outsider in self.outsiders.values():
            if outsider.peer is None:
                continue
            self.read(outsider.name, 1_000_000)
            committer = self.replicas[outsider.peer].committer
            for document in DOCUMENTS:
                if committer.document(document).gate.parked:
                    continue
                for root in ("cues.cue", "cues.note", "edge:cues.follows", "edge:cues.near", layout.ENTITY_ROOT):
                    assert dict(outsider.map(document, root).items()) == dict(
                        committer.document(document)._map(root).items()
                    ), "INV-SHOWN-2"


def _says_again(versions: Mapping[Any, Any], id: Any, undone: set[str]) -> bool:
    """Whether a version says what one before it said that is undone."""
    value, at = versions[id].value, versions[id].parent
    while at is not None:
        if versions[at].value == value and f"{at[0]}:{at[1]}" in undone:
            return True
        at = versions[at].parent
    return False


def _vector(doc: Doc[Any]) -> Mapping[int, int]:
    from openprod.yjs.decoder import decode_state_vector

    return decode_state_vector(bytes(doc.get_state()))


def _same(rule: str, a: Replica, b: Replica) -> None:
    mine, theirs = a.tables(), b.tables()
    for table in mine:
        if mine[table] != theirs[table]:
            keys = (
                [key for key in {*mine[table], *theirs[table]} if mine[table].get(key) != theirs[table].get(key)]
                if isinstance(mine[table], dict)
                else [None]
            )
            raise AssertionError(
                (
                    rule,
                    a.name,
                    b.name,
                    table,
                    [
                        (key, mine[table].get(key), theirs[table].get(key)) if key else (mine[table], theirs[table])
                        for key in keys[:2]
                    ],
                )
            )
    assert a.hash() == b.hash(), rule


def signed_of(bundles: list[tuple[SignedBundle, Any]]) -> list[SignedBundle]:
    return [one for one, _bundle in bundles]
