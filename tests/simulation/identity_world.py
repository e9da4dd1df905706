"""A world where people say what is the same thing: concepts, bindings, merges, and edits through every door.

The oracle: every value is written once in the world's life, and the world keeps which bundles its author knew. A value
that nobody who knew it has written over must be shown, or stand in an open conflict, or have been decided about.
"""

from __future__ import annotations

import json
import random
from typing import Any

from pycrdt import Doc, Map, TransactionEvent

from openprod.core import ids
from openprod.core.bundles import Actor
from openprod.core.concepts import ConceptField
from openprod.core.operations import (
    AssertSame,
    AttachFacet,
    BindFacet,
    CreateEntity,
    DefineConcept,
    DeleteEntity,
    DetachFacet,
    MergeEntities,
    Operation,
    RestoreEntity,
    SetConceptField,
    SetField,
    SplitEntity,
    Unbind,
    UnbindFacet,
)
from openprod.core.schema import Facet, Field, Schema
from openprod.engine import projection
from openprod.engine.commit import Committer
from openprod.engine.drafts import OutsideUpdate, Writes
from openprod.engine.lower import Lowering
from openprod.engine.views import Views
from openprod.errors import InvalidOperation, NotFound, OpenprodError, Stale
from openprod.storage.memory import MemoryStorage
from openprod.yjs import layout
from openprod.yjs.documents import Write
from tests.engine.replica import Replica, Time
from tests.simulation.world import _same

REPLICAS = ("alex", "blake", "casey")
PROGRAMS = ("desk", "page")
ENTITIES = {"p1": "contacts.person", "p2": "contacts.person", "p3": "contacts.person", "a1": "schedule.attendee",
            "a2": "schedule.attendee"}  # fmt: skip
MAPPING = {
    "contacts.person": {"name": "name", "email": "email"},
    "schedule.attendee": {"name": "displayName", "email": "mail"},
}
FIELDS = {facet: tuple(fields.values()) for facet, fields in MAPPING.items()}
SCHEMAS = [
    Schema(
        plugin=facet.partition(".")[0],
        facets={facet.partition(".")[2]: Facet(label=facet, fields={name: Field() for name in fields})},
    )
    for facet, fields in FIELDS.items()
]
RENAMED = Facet(label="contacts.person", fields={"fullname": Field(was=("name",)), "email": Field()})
TWICE = Facet(label="contacts.person", fields={"display": Field(was=("fullname", "name")), "email": Field()})
VERSIONS = [
    SCHEMAS[0],
    Schema(plugin="contacts", version="2", facets={"person": RENAMED}),
    Schema(plugin="contacts", version="3", facets={"person": TWICE}),
]
NAMES = ("name", "fullname", "display")
"""What people of an older and a newer version call one field."""
PERSON = DefineConcept(concept="Person", fields={"name": ConceptField(), "email": ConceptField()})


class Program:
    """Somebody's Yjs program, connected to one laptop or working alone."""

    def __init__(self, name: str, chance: random.Random) -> None:
        self.actor = Actor(f"user_{name}", name.title(), "outside", "program")
        self.documents: dict[str, Doc[Any]] = {
            document: Doc(client_id=chance.getrandbits(32), skip_gc=True)
            for document in ("core", "contacts", "schedule")
        }
        self.known: set[str] = set()
        self.peer: str | None = None
        self.own: set[str] = set()


class World:
    def __init__(self, seed: int, *, evolving: bool = False) -> None:
        self.chance = random.Random(seed)
        self.evolving = evolving
        self.count = 0
        self.time = Time()
        self.replicas = {name: Replica(name, time=self.time, chance=self.chance) for name in REPLICAS}
        self.programs = {name: Program(name, self.chance) for name in PROGRAMS}
        self.knew: dict[str, frozenset[str]] = {}
        self.said: dict[str, tuple[str, str, str]] = {}
        first = self.replicas["alex"]
        first.adopt(*SCHEMAS)
        first.commit(PERSON)
        first.commit(*(BindFacet(facet=facet, concept="Person", fields=fields) for facet, fields in MAPPING.items()))
        for entity, facet in ENTITIES.items():
            fields = {name: self.value() for name in FIELDS[facet] if self.chance.random() < 0.5}
            first.commit(CreateEntity(entity=entity, facets={facet: fields}))
        for name in REPLICAS[1:]:
            self.replicas[name].pull(first)

    def value(self) -> str:
        self.count += 1
        return f"v{self.count}"

    def values(self, name: str) -> frozenset[str]:
        """Every value that a laptop has ever seen, as canonical JSON."""
        storage = self.replicas[name].storage
        return frozenset(
            one.version.value
            for row in storage.all_registers()
            for one in storage.versions_of(row.id)
            if one.version.value is not None
        )

    # -- moves ---------------------------------------------------------------------------------------------

    def native(self, name: str, *operations: Operation) -> bool:
        replica, before = self.replicas[name], self.values(name)
        try:
            receipt = replica.commit(*operations)
        except (InvalidOperation, NotFound):
            return False
        self.heard(name, receipt.bundle, before)
        return bool(receipt.bundle)

    def heard(self, name: str, bundle: str, before: frozenset[str]) -> None:
        if bundle:
            self.knew[bundle] = before
            for program in self.programs.values():
                if program.peer == name:
                    self.sync(program)

    def edit(self, name: str, entity: str) -> None:
        facet = ENTITIES[entity] if self.chance.random() < 0.8 else self.chance.choice(list(FIELDS))
        field, value = self.chance.choice(FIELDS[facet]), self.value()
        # What is said of an absorbed entity is said of its survivor.
        at = self.replicas[name].committer.detector.bonds.survivor(entity)
        if self.native(name, SetField(entity=entity, facet=facet, field=field, value=value)):
            self.said[f'"{value}"'] = (facet.partition(".")[0], facet, f"{at}/{field}")

    def attach(self, name: str, entity: str) -> None:
        """A facet that it may not have, with a value in one field."""
        facet = self.chance.choice(list(FIELDS))
        field, value = self.chance.choice(FIELDS[facet]), self.value()
        at = self.replicas[name].committer.detector.bonds.survivor(entity)
        if self.native(name, AttachFacet(entity=entity, facet=facet, fields={field: value})):
            self.said[f'"{value}"'] = (facet.partition(".")[0], facet, f"{at}/{field}")

    def define(self, name: str) -> None:
        """Anew, with another field or without it."""
        fields = {"name": ConceptField(), "email": ConceptField()}
        if self.chance.random() < 0.5:
            fields["nick"] = ConceptField()
        self.native(name, DefineConcept(concept="Person", fields=fields))

    def edit_concept(self, name: str) -> None:
        owners = sorted(self.replicas[name].committer.detector.bonds.concept_entities)
        if owners:
            owner, field, value = self.chance.choice(owners), self.chance.choice(["name", "email"]), self.value()
            if self.native(name, SetConceptField(entity=owner, field=field, value=value)):
                self.said[f'"{value}"'] = ("core", layout.CONCEPT_ENTITY_ROOT, f"{owner}/{field}")

    def unbind(self, name: str, entity: str) -> None:
        before = self.shown(name)
        if self.native(name, Unbind(entity=entity)):
            self.same_shown(name, before, "INV-UNBIND-1")

    def unbind_facet(self, name: str, facet: str) -> None:
        before = self.shown(name)
        if self.native(name, UnbindFacet(facet=facet)):
            self.same_shown(name, before, "INV-UNBIND-1")

    def bind_facet(self, name: str, facet: str) -> None:
        self.native(name, BindFacet(facet=facet, concept="Person", fields=MAPPING[facet]))

    def adopt(self, name: str) -> None:
        self.replicas[name].adopt(self.chance.choice(VERSIONS))

    def drop(self, name: str) -> None:
        replica = self.replicas[name]

        def plan(committer: Committer) -> dict[str, list[Write]]:
            lowering = Lowering(committer)
            lowering.write(layout.CORE, layout.ADOPTION_ROOT, "contacts", None)
            return lowering.plan()

        replica.one(Writes(plan=plan, actor=replica.actor, intent="drop"))

    def rebind(self, name: str) -> None:
        """With the fields as one of the versions calls them, or the other way round."""
        field = self.chance.choice(NAMES)
        fields = self.chance.choice([{"name": field, "email": "email"}, {"name": "email", "email": field}])
        self.native(name, BindFacet(facet="contacts.person", concept="Person", fields=fields))

    def shown(self, name: str) -> dict[tuple[str, str, str], str]:
        return {place: value for place, value in self.replicas[name].registers().items() if place[0] != "core"}

    def same_shown(self, name: str, before: dict[tuple[str, str, str], str], rule: str) -> None:
        assert self.shown(name) == before, rule

    def resolve(self, name: str) -> None:
        replica, before = self.replicas[name], self.values(name)
        rows = replica.conflicts("open")
        if not rows:
            return
        row = self.chance.choice(rows)
        described = replica.describe(row)
        try:
            if row.kind in ("edit-delete",):
                receipt = replica.resolve(row.id, value=self.chance.random() < 0.5)
            elif row.kind in ("cardinality", "schema") or self.chance.random() < 0.6:
                known = [one for one in described.candidates if one.known]
                if not known:
                    return
                receipt = replica.resolve(row.id, choose=self.chance.choice(known).version)
            else:
                receipt = replica.resolve(row.id, value=self.value())
        except (InvalidOperation, Stale):
            return
        self.heard(name, receipt.bundle, before)
        now = replica.storage.conflict(row.id)
        assert now is None or now.status != "open", ("INV-RESOLVE", row.kind, described.sentence)

    def undo(self, name: str) -> None:
        before = self.values(name)
        try:
            receipt = self.replicas[name].undo()
        except (InvalidOperation, NotFound, Stale):
            return
        self.heard(name, receipt.bundle, before)

    def redo(self, name: str) -> None:
        before = self.values(name)
        try:
            receipt = self.replicas[name].redo()
        except (InvalidOperation, NotFound, Stale):
            return
        self.heard(name, receipt.bundle, before)

    def pull(self, name: str, other: str) -> None:
        self.replicas[name].pull(self.replicas[other])
        for program in self.programs.values():
            if program.peer == name:
                self.sync(program)

    def restart(self, name: str) -> None:
        self.replicas[name].restart()

    # -- programs ------------------------------------------------------------------------------------------

    def connect(self, program: Program, name: str) -> None:
        """What it wrote alone goes up, then what it lacks comes down."""
        program.peer = name
        replica = self.replicas[name]
        for document, doc in program.documents.items():
            live = replica.committer.document(document)
            state, seen = bytes(doc.get_update(live.state_vector())), bytes(doc.get_state())
            (outcome,) = replica.submit(
                OutsideUpdate(document=document, update=state, actor=program.actor, live=False, seen=seen)
            )
            assert not isinstance(outcome, OpenprodError), outcome
            if outcome is not None and outcome.bundle:
                self.knew[outcome.bundle] = frozenset(program.known)
        self.sync(program)

    def sync(self, program: Program) -> None:
        assert program.peer is not None
        committer = self.replicas[program.peer].committer
        for document, doc in program.documents.items():
            doc.apply_update(committer.document(document).state_as_update(bytes(doc.get_state())))
        program.known |= self.values(program.peer)

    def outside(self, program: Program, entity: str) -> None:
        facet = ENTITIES[entity]
        document, field = facet.partition(".")[0], self.chance.choice(FIELDS[facet])
        self._outside(program, document, facet, f"{entity}/{field}")

    def outside_concept(self, program: Program) -> None:
        keys = [key for key in program.documents["core"].get(layout.CONCEPT_ENTITY_ROOT, type=Map) if "/" in key]
        if keys:
            self._outside(program, "core", layout.CONCEPT_ENTITY_ROOT, self.chance.choice(sorted(keys)))

    def _outside(self, program: Program, document: str, root: str, key: str) -> None:
        doc, value = program.documents[document], self.value()
        updates: list[bytes] = []

        def keep(event: TransactionEvent) -> None:
            updates.append(bytes(event.update))

        subscription = doc.observe(keep)
        seen = layout.value_text(doc.get(root, type=Map).get(key))
        doc.get(root, type=Map)[key] = value
        doc.unobserve(subscription)
        for earlier, place in list(self.said.items()):
            if place == (document, root, key) and earlier in program.own:
                del self.said[earlier]  # its own author wrote over it
        self.said[f'"{value}"'] = (document, root, key)
        program.own.add(f'"{value}"')
        if program.peer is None:
            return
        (update,) = updates
        name = program.peer
        committer = self.replicas[name].committer
        named = layout.place(document, root, key)
        bond = committer.detector.bonds.of(document, root, named.entity, named.field)
        before = self.replicas[name].registers()
        here = before.get((document, root, key)) or "null"
        quiet = (
            bond is not None
            and not committer.detector.is_gone(root, named.entity)
            and not projection.is_open(committer.detector, committer.storage, bond)
            # Nobody may have filled in a bond that two laptops' statements made, and a program may not have heard of
            # what another one brought: what is written beside another value is asked about.
            and seen == here
            and all(before.get(place) in (None, here) for place in committer.detector.bonds.places(bond))
        )
        (outcome,) = self.replicas[name].submit(
            OutsideUpdate(document=document, update=update, actor=program.actor, origin=program)
        )
        assert outcome is not None
        assert not isinstance(outcome, OpenprodError), outcome
        if quiet and not self.evolving:
            assert bond is not None
            after = self.replicas[name].registers()
            shown = {after.get(place) for place in committer.detector.bonds.places(bond)}
            assert shown == {f'"{value}"'}, ("INV-BOND-1: what it wrote over all is carried on", bond, value, shown)
        self.knew[outcome.bundle] = frozenset(program.known)
        self.sync(program)
        for other in self.programs.values():
            if other.peer == name:
                self.sync(other)

    # -- what must hold ------------------------------------------------------------------------------------

    def check(self, name: str) -> None:
        replica = self.replicas[name]
        self._check_bonds(replica)
        self._check_tables(replica)
        if not self.evolving:
            self._check_loss(name)

    def _check_bonds(self, replica: Replica) -> None:
        """INV-BOND-1: the registers of a bond that nobody disagrees about show one value."""
        detector = replica.committer.detector
        for row in replica.storage.all_registers():
            bond = detector.bonds.of(row.document, row.root, row.entity, row.field)
            if bond is None:
                continue
            conflict = replica.storage.conflict(detector.bond_id(bond))
            shown = {entry.value for entry in detector.bond_entries(bond) if entry.value is not None}
            if conflict is None or conflict.status != "open":
                assert len(shown) < 2, ("INV-BOND-1", bond, shown)

    def _check_tables(self, replica: Replica) -> None:
        bonds = replica.committer.detector.bonds
        everyone = {*ENTITIES}
        survivors = {id: bonds.survivor(id) for id in everyone if bonds.survivor(id) != id}
        assert replica.storage.redirects() == survivors, "INV-IDENTITY-1"
        bound = {member: owner for owner in bonds.concept_entities for member in bonds.members(owner)}
        assert replica.storage.bound() == bound, "INV-IDENTITY-1"

    def _check_loss(self, name: str) -> None:
        """INV-BOND-2: no value vanishes that nobody, knowing it, wrote over."""
        replica = self.replicas[name]
        detector, registers = replica.committer.detector, replica.registers()
        everything = self.values(name)
        for value, place in self.said.items():
            document, root, _key = place
            row = replica.storage.register_at(*place)
            named = layout.place(*place)
            if value not in everything or row is None or detector.is_gone(root, named.entity):
                continue
            versions = replica.storage.versions_of(row.id)
            if any(one.version.value == value for one in versions) and any(
                one.version.value != value and value in self.knew.get(one.bundle.id, ()) for one in versions
            ):
                continue  # somebody who knew it wrote over it
            bond = detector.bonds.of(document, root, named.entity, named.field)
            # What a merged entity shows nobody looks at: its survivor shows it, or else people are asked.
            merged = bond is not None and bond.facet != "" and not detector.is_gone(root, bond.owner)
            seen = (document, root, f"{bond.owner}/{named.field}") if bond is not None and merged else place
            if registers.get(place) == value == registers.get(seen):
                continue
            if root == layout.CONCEPT_ENTITY_ROOT and bond is None:
                continue  # the concept entity is no more
            id = ids.conflict_id(replica.committer.workspace, *place) if bond is None else detector.bond_id(bond)
            conflict = replica.storage.conflict(id)
            assert conflict is not None, ("INV-BOND-2", place, value, registers.get(place))
            if conflict.status == "open":
                said = {one.value for one in replica.describe(conflict).candidates}
                assert json.loads(value) in said, ("INV-BOND-2", name, place, value, said)

    def check_replay(self, name: str) -> None:
        replica = self.replicas[name]
        assert isinstance(replica.storage, MemoryStorage)
        copy = Replica(name, storage=replica.storage.clone(), time=Time(), chance=random.Random(1))
        _same("INV-RESTART-1", replica, copy)
        copy.committer.rebuild()
        _same("INV-REPLAY-1", replica, copy)
        assert copy.storage.redirects() == replica.storage.redirects(), "INV-REPLAY-1"
        assert copy.storage.bound() == replica.storage.bound(), "INV-REPLAY-1"

    def check_converged(self) -> None:
        for program in self.programs.values():
            if program.peer is None:
                self.connect(program, "alex")
        for _round in range(2):
            for name in REPLICAS:
                for other in REPLICAS:
                    if name != other:
                        self.pull(name, other)
        first, *others = self.replicas.values()
        for one in others:
            _same("INV-CONVERGE-1", first, one)
            assert first.storage.redirects() == one.storage.redirects(), "INV-CONVERGE-1"
            assert first.storage.bound() == one.storage.bound(), "INV-CONVERGE-1"
        for name in REPLICAS:
            self.check(name)
            self.check_replay(name)
        for entity in ENTITIES:
            shown = [Views(replica.committer).entity(entity) for replica in self.replicas.values()]
            assert shown[0] == shown[1] == shown[2], "INV-CONVERGE-1"


def walk(seed: int, steps: int, *, evolving: bool = False, trace: list[str] | None = None) -> World:
    """``evolving``: laptops also go on to other versions of a schema, and back; what is lost is then not looked for."""
    world = World(seed, evolving=evolving)
    chance = random.Random(seed + 1)
    weights = {
        "edit": 10, "edit_concept": 3, "same": 5, "unbind": 2, "merge": 2, "split": 2, "delete": 1, "restore": 2,
        "outside": 8, "outside_concept": 2, "connect": 3, "away": 2, "resolve": 6, "undo": 2, "pull": 6, "restart": 1,
        "unbind_facet": 0.3, "bind_facet": 0.5, "attach": 2, "detach": 0.7, "define": 0.3,
    }  # fmt: skip
    if evolving:
        weights |= {"adopt": 2, "drop": 0.7, "rebind": 1, "redo": 2}
    for step in range(steps):
        move = chance.choices(list(weights), list(weights.values()))[0]
        name, entity = chance.choice(REPLICAS), chance.choice(list(ENTITIES))
        other = chance.choice([one for one in ENTITIES if one != entity])
        program = world.programs[chance.choice(PROGRAMS)]
        if trace is not None:
            trace.append(f"{step} {move} {name} {entity} {other} {program.actor.name}")
        match move:
            case "edit" | "unbind" | "attach":
                getattr(world, move)(name, entity)
            case "edit_concept" | "resolve" | "undo" | "redo" | "restart" | "adopt" | "drop" | "rebind" | "define":
                getattr(world, move)(name)
            case "same":
                world.native(name, AssertSame(concept="Person", entities=(entity, other)))
            case "merge":
                if ENTITIES[entity] == ENTITIES[other]:
                    world.native(name, MergeEntities(survivor=entity, absorbed=other))
            case "split":
                world.native(name, SplitEntity(entity=entity))
            case "detach":
                world.native(name, DetachFacet(entity=entity, facet=chance.choice(list(MAPPING))))
            case "delete":
                world.native(name, DeleteEntity(entity=entity))
            case "restore":
                world.native(name, RestoreEntity(entity=entity))
            case "outside":
                world.outside(program, entity)
            case "outside_concept":
                world.outside_concept(program)
            case "connect":
                world.connect(program, name)
            case "away":
                program.peer = None
            case "pull":
                world.pull(name, chance.choice([one for one in REPLICAS if one != name]))
            case "unbind_facet" | "bind_facet":
                getattr(world, move)(name, chance.choice(list(MAPPING)))
        if step % 5 == 0:
            world.check(name)
    world.check_converged()
    return world
