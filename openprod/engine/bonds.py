"""Which registers carry one value: the fields bound to a concept entity's, those of merged entities, and the keys
that one field has had (``was``).

Everything here follows from what the registers of ``core`` show now: definitions, bindings, memberships, redirects,
and the schemas.
A **bond** is named by what owns it: a concept entity and a field of its concept, or the survivor of a merge with a
facet and a field. Its first place is the canonical one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TypeAlias

from openprod.core.concepts import Binding, Concept
from openprod.engine.index import Entry, Index
from openprod.engine.schemas import Schemas
from openprod.storage.ports import RegisterRow, Storage
from openprod.yjs import layout

Register: TypeAlias = tuple[str, str, str]
"""(document, root, key)"""

_ROOTS = (layout.CONCEPT_ROOT, layout.BINDING_ROOT, layout.CONCEPT_ENTITY_ROOT, layout.ENTITY_ROOT)


class Bond(NamedTuple):
    """``facet`` is "" for a concept entity's field."""

    owner: str
    facet: str
    field: str

    @property
    def subject(self) -> str:
        return f"bond/{self.owner}/{self.facet}/{self.field}"


class Changes(NamedTuple):
    """``registers`` and ``bonds``: those that may be judged otherwise now. ``over``: bonds that are no more."""

    registers: set[Register]
    bonds: set[Bond]
    over: set[Bond]


def is_structure(entry: Entry) -> bool:
    """Whether a register says what stands for what, and what means what."""
    if entry.root not in _ROOTS or entry.document != layout.CORE or not entry.entity:
        return False
    if entry.root == layout.ENTITY_ROOT:
        return entry.field == layout.REDIRECT_FIELD
    return entry.root != layout.CONCEPT_ENTITY_ROOT or not entry.field


class Bonds:
    def __init__(
        self, storage: Storage, index: Index, is_gone: Callable[[str, str], bool], schemas: Schemas | None = None
    ) -> None:
        self._schemas = Schemas() if schemas is None else schemas
        self._storage = storage
        self._index = index
        self._is_gone = is_gone
        self.load()

    def load(self) -> None:
        self.concepts: dict[str, Concept] = {}
        self.bindings: dict[str, Binding] = {}
        self._said: dict[str, Binding] = {}
        self.concept_entities: dict[str, str] = {}
        self._targets: dict[str, str] = {}
        self._survivors: dict[str, str] = {}
        self._absorbed: dict[str, list[str]] = {}
        self._memberships: dict[tuple[str, str], str] = {}
        self._members: dict[str, set[tuple[str, str]]] = {}
        for root in _ROOTS:
            for row in self._storage.registers_of_root(root):
                if row.document == layout.CORE and row.entity:
                    self._learn(row)
        self._follow()

    def __bool__(self) -> bool:
        return bool(self._memberships or self._targets or self._schemas.renames)

    # -- what the registers say ----------------------------------------------------------------------------

    def _learn(self, row: RegisterRow | Entry) -> None:
        value = None if row.value is None else json.loads(row.value)
        match row.root, bool(row.field):
            case layout.CONCEPT_ROOT, False:
                concept = Concept.from_record(value)
                if concept is not None and concept.name == row.entity:
                    self.concepts[row.entity] = concept
                else:
                    self.concepts.pop(row.entity, None)
            case layout.BINDING_ROOT, False:
                binding = Binding.from_record(value)
                if binding is not None and binding.facet == row.entity:
                    self._said[row.entity] = binding
                    self.bindings[row.entity] = self._schemas.present(binding)
                else:
                    self._said.pop(row.entity, None)
                    self.bindings.pop(row.entity, None)
            case layout.BINDING_ROOT, True:
                self._learn_membership(row.field, row.entity, value)
            case layout.CONCEPT_ENTITY_ROOT, False:
                if isinstance(value, str):
                    self.concept_entities[row.entity] = value
                else:
                    self.concept_entities.pop(row.entity, None)
            case layout.ENTITY_ROOT, True if row.field == layout.REDIRECT_FIELD:
                if isinstance(value, str) and layout.is_id(value) and value != row.entity:
                    self._targets[row.entity] = value
                else:
                    self._targets.pop(row.entity, None)

    def take_names(self) -> None:
        """Follow what bound fields are called now. After the schemas changed."""
        self.bindings = {facet: self._schemas.present(binding) for facet, binding in self._said.items()}

    def _learn_membership(self, facet: str, entity: str, value: object) -> None:
        before = self._memberships.pop((facet, entity), None)
        if before is not None:
            self._members[before].discard((facet, entity))
        if isinstance(value, str) and value:
            self._memberships[facet, entity] = value
            self._members.setdefault(value, set()).add((facet, entity))

    def _follow(self) -> None:
        """Chains to their end. Of a ring (two laptops merged in opposite directions) the lowest id stays."""
        self._survivors.clear()
        self._absorbed.clear()
        for entity in sorted(self._targets):
            path = [entity]
            while (following := self._targets.get(path[-1])) is not None and following not in path:
                path.append(following)
            end = path[-1] if following is None else min(path[path.index(following) :])
            if end != entity:
                self._survivors[entity] = end
                self._absorbed.setdefault(end, []).append(entity)

    # -- entities ------------------------------------------------------------------------------------------

    def survivor(self, entity: str) -> str:
        return self._survivors.get(entity, entity)

    def absorbed(self, entity: str) -> list[str]:
        """By id."""
        return self._absorbed.get(entity, [])

    def one(self, entity: str) -> list[str]:
        """All ids of what ``entity`` is part of, the survivor first."""
        survivor = self.survivor(entity)
        return [survivor, *self.absorbed(survivor)]

    def concept_entity(self, facet: str, entity: str) -> str | None:
        """The concept entity whose canonical values a facet of an entity shows."""
        binding = self.bindings.get(facet)
        if binding is None or not self._memberships:
            return None
        for id in self.one(entity):
            owner = self._memberships.get((facet, id))
            if owner is not None and self.concept_entities.get(owner) == binding.concept:
                return owner
        return None

    def all(self) -> list[tuple[tuple[str, str], str]]:
        """((facet, entity), concept entity) of everything bound, by facet."""
        return sorted((member, owner) for owner in self._members for member in self.members(owner))

    def memberships(self, entity: str) -> list[tuple[str, str]]:
        """(facet, concept entity) of an entity, by facet."""
        found = {facet: owner for facet in self.bindings if (owner := self.concept_entity(facet, entity)) is not None}
        return sorted(found.items())

    def members(self, owner: str) -> list[tuple[str, str]]:
        """(facet, entity) of everything that belongs to a concept entity."""
        return sorted(
            {
                (facet, id)
                for facet, entity in self._members.get(owner, ())
                for id in self.one(entity)
                if self.concept_entity(facet, id) == owner
            }
        )

    # -- bonds ---------------------------------------------------------------------------------------------

    def of(self, document: str, root: str, entity: str, field: str) -> Bond | None:
        """The bond that a register is part of."""
        if not field or not (self or root == layout.CONCEPT_ENTITY_ROOT):
            return None
        if root == layout.CONCEPT_ENTITY_ROOT:
            concept = self.concepts.get(self.concept_entities.get(entity, ""))
            return Bond(entity, "", field) if concept is not None and field in concept.fields else None
        if layout.parse_root(root).kind != "facet" or not layout.belongs(root, document):
            return None
        field, *earlier = self._schemas.keys_of(root, field)
        owner = self.concept_entity(root, entity)
        if owner is not None:
            own = self.bindings[root].concept_field(field)
            concept = self.concepts.get(self.concept_entities[owner])
            if own is not None and concept is not None and own in concept.fields:
                return Bond(owner, "", own)
        survivor = self.survivor(entity)
        if survivor == entity and entity not in self._absorbed and not self._kept(document, root, entity, earlier):
            return None
        return Bond(survivor, root, field)

    def stands(self, bond: Bond) -> bool:
        """Whether there is such a bond (still)."""
        document, root = layout.CORE, layout.CONCEPT_ENTITY_ROOT
        if bond.facet:
            document, root = bond.facet.partition(".")[0], bond.facet
        return self.of(document, root, bond.owner, bond.field) == bond

    def places(self, bond: Bond) -> list[Register]:
        """The registers of a bond, the canonical one first. Those of deleted and detached things aren't of it."""
        found: list[Register]
        if bond.facet:
            document = bond.facet.partition(".")[0]
            found = [place for id in self.one(bond.owner) for place in self._keys(document, bond.facet, id, bond.field)]
            own = (document, bond.facet, layout.field_key(bond.owner, bond.field))
            # What was merged may have been given a facet, apart, that the one it stands for never had.
            return found if own in found or self._is_gone(bond.facet, bond.owner) else [own, *found]
        found = [(layout.CORE, layout.CONCEPT_ENTITY_ROOT, layout.field_key(bond.owner, bond.field))]
        for facet, entity in self.members(bond.owner):
            field = self.bindings[facet].fields.get(bond.field)
            if field is not None and layout.is_name(field):
                found += self._keys(facet.partition(".")[0], facet, entity, field)
        return found

    def _keys(self, document: str, facet: str, entity: str, field: str) -> list[Register]:
        """The register of a field, and those of what it was that there are."""
        if self._is_gone(facet, entity):
            return []
        own, *kept = self.named(document, facet, entity, field)
        return [own, *kept] if kept or self._has(document, facet, entity, own[2]) else []

    def named(self, document: str, facet: str, entity: str, field: str) -> list[Register]:
        """The register of a field, there or not, then those of what it was that there are."""
        field, *earlier = self._schemas.keys_of(facet, field)
        own = (document, facet, layout.field_key(entity, field))
        return [own, *self._kept(document, facet, entity, earlier)]

    def _kept(self, document: str, facet: str, entity: str, earlier: list[str]) -> list[Register]:
        """Registers of earlier keys that there are."""
        places = [(document, facet, layout.field_key(entity, key)) for key in earlier]
        return [place for place in places if self._index.find(*place) is not None]

    def _has(self, document: str, facet: str, entity: str, key: str) -> bool:
        if self._is_gone(facet, entity):
            return False
        marker = self._index.find(document, facet, layout.marker_key(entity))
        return marker is not None or self._index.find(document, facet, key) is not None

    def owned(self, owner: str) -> Iterator[Bond]:
        """The bonds of a concept entity, of a survivor, or of an entity whose fields were called otherwise."""
        concept = self.concepts.get(self.concept_entities.get(owner, ""))
        for field in sorted(concept.fields) if concept is not None else ():
            yield Bond(owner, "", field)
        if owner in self._absorbed or self._schemas.renames:
            found = set()
            for id in self.one(owner):
                for row in self._storage.registers_of_entity(id):
                    bond = self.of(row.document, row.root, row.entity, row.field)
                    if bond is not None and bond.facet:
                        found.add(bond)
            yield from sorted(found)

    # -- changes -------------------------------------------------------------------------------------------

    def update(self, touched: Iterable[Entry]) -> Changes:
        """Take in what the touched registers of ``core`` show now."""
        touched = list(filter(is_structure, touched))
        if not touched:
            return Changes(set(), set(), set())
        owners = self._owners(touched)
        before = {bond: self.places(bond) for owner in owners for bond in self.owned(owner)}
        standing = self._standing(owners)
        for entry in touched:
            self._learn(entry)
        self._follow()
        owners |= self._owners(touched)
        after = {bond: self.places(bond) for owner in owners for bond in self.owned(owner)}
        self._write(standing, self._standing(owners))
        registers = {place for places in (*before.values(), *after.values()) for place in places}
        return Changes(registers, set(after), before.keys() - after.keys())

    def _owners(self, touched: Iterable[Entry]) -> set[str]:
        """What owns the bonds that changes of these registers may concern, as it is known now."""
        owners: set[str] = set()
        entities: set[str] = set()
        for entry in touched:
            if entry.root != layout.ENTITY_ROOT and not (entry.root == layout.BINDING_ROOT and entry.field):
                owners |= self._absorbed.keys()  # what a concept no longer holds together a merge still may
                if self._schemas.renames:  # and so may the names that a field has had
                    owners |= self._concerned(entry)
            if entry.root == layout.CONCEPT_ENTITY_ROOT:
                owners.add(entry.entity)
            elif entry.root == layout.ENTITY_ROOT:
                entities.add(entry.entity)
                entities.add(self._targets.get(entry.entity, entry.entity))
                target = json.loads(entry.value or "null")
                entities.add(target if isinstance(target, str) else entry.entity)
            elif entry.field:
                entities.add(entry.entity)
            else:
                binding = self.bindings.get(entry.entity)
                concepts = {entry.entity, binding.concept if binding else ""}
                owners |= {owner for owner, concept in self.concept_entities.items() if concept in concepts}
        for entity in entities:
            for id in self.one(entity):
                owners.add(id)
                owners |= {self._memberships[facet, id] for facet in self.bindings if (facet, id) in self._memberships}
        return owners

    def _concerned(self, entry: Entry) -> set[str]:
        """The entities that a concept, a binding or a concept entity is about."""
        if entry.root == layout.CONCEPT_ENTITY_ROOT:
            members = self._members.get(entry.entity, set())
        else:
            members = {
                member
                for member, owner in self._memberships.items()
                if entry.entity in (member[0], self.concept_entities.get(owner))
            }
        return {self.survivor(id) for _facet, id in members}

    def _standing(self, owners: Iterable[str]) -> tuple[dict[str, str], dict[tuple[str, str], str]]:
        owners = sorted(owners)
        redirects = {id: owner for owner in owners for id in self.absorbed(owner)}
        bound = {member: owner for owner in owners for member in self.members(owner)}
        return redirects, bound

    def _write(
        self, before: tuple[dict[str, str], dict[tuple[str, str], str]],
        after: tuple[dict[str, str], dict[tuple[str, str], str]],
    ) -> None:  # fmt: skip
        # What left one may belong to another that nothing here concerns.
        redirects = {id: self._survivors.get(id) for id in before[0].keys() | after[0].keys()}
        bound = {member: self.concept_entity(*member) for member in before[1].keys() | after[1].keys()}
        self._storage.put_redirects({id: to for id, to in sorted(redirects.items()) if before[0].get(id) != to})
        self._storage.put_bound({at: to for at, to in sorted(bound.items()) if before[1].get(at) != to})
