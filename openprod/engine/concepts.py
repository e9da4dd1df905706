"""What people say about meaning and identity, as register writes: definitions, bindings, assertions, merges.

Nothing else fuses data. What is said here makes bonds (``engine.bonds``); where the fields of a new bond agree, the
same bundle fills in those that have no value yet; where they disagree, nothing is written and people choose.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from openprod.core import ids, validity, values
from openprod.core.concepts import Binding, Concept, check_binding, check_concept
from openprod.core.operations import (
    AssertSame,
    BindFacet,
    DefineConcept,
    SetConceptField,
    SetRule,
    Unbind,
    UnbindFacet,
)
from openprod.core.schema import Field
from openprod.engine import projection
from openprod.engine.bonds import Register
from openprod.errors import InvalidOperation, NotFound
from openprod.yjs import layout

if TYPE_CHECKING:
    from openprod.engine.commit import Committer
    from openprod.engine.lower import Lowering

_BOUND = "`openprod concept list` and `concept show` say what is bound."
Said = DefineConcept | BindFacet | UnbindFacet | AssertSame | Unbind | SetConceptField | SetRule


class Concepts:
    """The concepts' part of a bundle that is being collected."""

    def __init__(self, committer: Committer, lowering: Lowering) -> None:
        self._committer = committer
        self._bonds = committer.detector.bonds
        self._it = lowering

    def add(self, operation: Said) -> None:
        """Raises InvalidOperation or NotFound."""
        match operation:
            case DefineConcept():
                self._define(operation)
            case BindFacet():
                self._bind(operation)
            case UnbindFacet():
                self._unbind_facet(operation.facet)
            case AssertSame():
                self._assert_same(operation)
            case Unbind():
                self._unbind(operation.entity, operation.facet)
            case SetConceptField():
                self._set(operation)
            case SetRule():
                self._rule(operation)

    # -- reading what this bundle sees ---------------------------------------------------------------------

    def _concept(self, name: str) -> Concept:
        found = (
            Concept.from_record(self._it.read(layout.CORE, layout.CONCEPT_ROOT, name)) if layout.is_id(name) else None
        )
        if found is None or found.name != name:
            known = ", ".join(sorted(self._bonds.concepts)) or "none yet"
            raise NotFound(f"There is no concept “{name[:80]}”.", hint=f"Concepts: {known}.")
        return found

    def _binding(self, facet: str) -> Binding | None:
        found = Binding.from_record(self._it.read(layout.CORE, layout.BINDING_ROOT, facet))
        return found if found is not None and found.facet == facet else None

    def _bindings(self, concept: str) -> list[Binding]:
        """Those of a concept, by facet."""
        facets = {*self._bonds.bindings, *self._it.keys(layout.CORE, layout.BINDING_ROOT)}
        found = (self._binding(facet) for facet in sorted(facets) if "/" not in facet)
        return [binding for binding in found if binding is not None and binding.concept == concept]

    def _owner(self, facet: str, entity: str) -> str | None:
        for id in self._bonds.one(entity):
            owner = self._it.read(layout.CORE, layout.BINDING_ROOT, layout.membership_key(id, facet))
            if isinstance(owner, str) and self._it.read(layout.CORE, layout.CONCEPT_ENTITY_ROOT, owner) is not None:
                return owner
        return None

    # -- definitions and bindings --------------------------------------------------------------------------

    def _define(self, operation: DefineConcept) -> None:
        order = tuple(operation.fields)
        concept = Concept(name=operation.concept, label=operation.label, order=order, fields=operation.fields)
        check_concept(concept)
        for binding in self._bindings(concept.name):
            missing = sorted(set(binding.fields) - set(concept.fields))
            if missing:
                raise InvalidOperation(
                    f"{binding.facet} is bound to {concept.name}.{missing[0]}, which this definition doesn't have.",
                    hint="Bind the facet anew first, without that field.",
                )
        self._it.write(layout.CORE, layout.CONCEPT_ROOT, concept.name, concept.to_record())

    def _bind(self, operation: BindFacet) -> None:
        declared = self._committer.schemas.facet(operation.facet)
        if declared is None:
            known = [f"{plugin}.{facet}" for plugin, one in self._committer.schemas.items() for facet in one.facets]
            raise InvalidOperation(
                f"No adopted plugin has the facet “{operation.facet[:80]}”.",
                hint=f"Facets: {', '.join(known) or 'none'}.",
            )
        concept = self._concept(operation.concept)
        binding = Binding(facet=operation.facet, concept=concept.name, fields=operation.fields)
        check_binding(binding, concept, {name: field.type for name, field in declared.fields.items()})
        before = self._binding(operation.facet)
        if before is not None and before.concept != concept.name:
            raise InvalidOperation(
                f"{operation.facet} is bound to {before.concept} already.",
                hint=f"A facet means one concept. Take that binding back first: openprod unbind … {operation.facet}",
            )
        self._it.write(layout.CORE, layout.BINDING_ROOT, operation.facet, binding.to_record())
        for owner in sorted({owner for (facet, _id), owner in self._bonds.all() if facet == operation.facet}):
            self._project(owner, concept, {})

    def _unbind_facet(self, facet: str) -> None:
        if self._binding(facet) is None:
            raise NotFound(f"{facet[:80]} isn't bound to a concept.", hint=_BOUND)
        for (of, entity), _owner in self._bonds.all():
            if of == facet:
                self._leave(facet, entity)
        self._it.write(layout.CORE, layout.BINDING_ROOT, facet, None)

    # -- identity ------------------------------------------------------------------------------------------

    def _assert_same(self, operation: AssertSame) -> None:
        concept = self._concept(operation.concept)
        bindings = self._bindings(concept.name)
        if not operation.entities:
            raise InvalidOperation("Say which entities are the same thing.", hint="Name one or more by their ids.")
        joining: dict[tuple[str, str], str | None] = {}
        for entity in operation.entities:
            if self._bonds.concept_entities.get(entity) == concept.name:
                joining.update(dict.fromkeys(self._bonds.members(entity), entity))
                continue
            self._it.require_entity(entity)
            entity = self._bonds.survivor(entity)
            own = [binding.facet for binding in bindings if self._it.has_facet(entity, binding.facet)]
            if not own:
                known = ", ".join(binding.facet for binding in bindings) or "none yet"
                raise InvalidOperation(
                    f"Nothing of {entity} is bound to {concept.name}.",
                    hint=f"Facets bound to {concept.name}: {known}. `openprod bind` binds another.",
                )
            joining.update({(facet, entity): self._owner(facet, entity) for facet in own})
        there = sorted({owner for owner in joining.values() if owner is not None})
        owner = operation.id or (there[0] if there else self._new_owner(concept.name, operation.entities))
        if not layout.is_id(owner):
            raise InvalidOperation(f"“{owner[:80]}” can't be the id of a concept entity.", hint="Ids hold no “/”.")
        if self._it.read(layout.CORE, layout.CONCEPT_ENTITY_ROOT, owner) not in (None, concept.name):
            raise InvalidOperation(f"{owner} isn't a {concept.name}.", hint="Leave the id out, or give another.")
        self._it.write(layout.CORE, layout.CONCEPT_ENTITY_ROOT, owner, concept.name)
        for other in there:
            if other != owner:  # one thing has one concept entity: all that belongs to the other moves over
                joining.update(dict.fromkeys(self._bonds.members(other), other))
                self._it.write(layout.CORE, layout.CONCEPT_ENTITY_ROOT, other, None)
        for facet, entity in sorted(joining):
            self._it.write(layout.CORE, layout.BINDING_ROOT, layout.membership_key(entity, facet), owner)
        self._project(owner, concept, joining)

    def _new_owner(self, concept: str, entities: Iterable[str]) -> str:
        """Two laptops that assert the same make the same concept entity; one that was dissolved isn't used again."""
        named = "/".join(sorted(set(entities)))
        for turn in range(1000):
            made = f"concept_{ids.digest(self._committer.workspace, concept, named, str(turn))}"
            if self._committer.index.find(layout.CORE, layout.CONCEPT_ENTITY_ROOT, made) is None:
                return made
        raise InvalidOperation("This has been asserted and taken back too often.", hint="Give an id of your own.")

    def _unbind(self, entity: str, facet: str) -> None:
        left = [one for one, _owner in self._bonds.memberships(entity) if facet in ("", one)]
        if not left:
            what = f"{facet} of {entity}" if facet else entity
            raise NotFound(f"{what[:120]} isn't bound to a concept entity.", hint=_BOUND)
        for one in left:
            self._leave(one, entity)

    def _leave(self, facet: str, entity: str) -> None:
        owner = self._bonds.concept_entity(facet, entity)
        for id in self._bonds.one(entity):
            key = layout.membership_key(id, facet)
            if self._it.read(layout.CORE, layout.BINDING_ROOT, key) is not None:
                self._it.write(layout.CORE, layout.BINDING_ROOT, key, None)
        if owner is not None and all(self._owner(*member) != owner for member in self._bonds.members(owner)):
            self._it.write(layout.CORE, layout.CONCEPT_ENTITY_ROOT, owner, None)

    def _set(self, operation: SetConceptField) -> None:
        name = self._bonds.concept_entities.get(operation.entity)
        if name is None:
            raise NotFound(f"There is no concept entity {operation.entity[:80]}.", hint=_BOUND)
        field = self._concept(name).fields.get(operation.field)
        if field is None:
            known = ", ".join(sorted(self._concept(name).fields))
            raise InvalidOperation(f"{name} has no field “{operation.field[:80]}”.", hint=f"Its fields: {known}.")
        value = values.check(operation.value, where=f"{name}.{operation.field}")
        wrong = validity.fault(Field(type=field.type), value) if field.type != "choice" else ""
        if wrong:
            raise InvalidOperation(
                f"The value for {name}.{operation.field} {wrong}.", hint=f"{operation.field} is of type {field.type}."
            )
        place = (layout.CORE, layout.CONCEPT_ENTITY_ROOT, layout.field_key(operation.entity, operation.field))
        for at in projection.along(self._committer.detector, self._committer.storage, place):
            self._it.write(*at, value)

    def _rule(self, operation: SetRule) -> None:
        facet, concept = self._committer.schemas.facet(operation.about), self._bonds.concepts.get(operation.about)
        known = facet.fields if facet is not None else concept.fields if concept is not None else None
        if known is None:
            raise NotFound(
                f"There is no facet or concept “{operation.about[:80]}”.",
                hint=f"Facets are named plugin.facet. Concepts: {', '.join(sorted(self._bonds.concepts)) or 'none'}.",
            )
        for fields in operation.fields:
            wrong = sorted(set(fields) - set(known))
            if wrong or not fields:
                raise InvalidOperation(
                    f"{operation.about} has no field “{wrong[0][:80]}”." if wrong else "A rule names fields.",
                    hint=f"Its fields: {', '.join(sorted(known))}.",
                )
        rule = [list(fields) for fields in operation.fields] or None
        self._it.write(layout.CORE, layout.RULE_ROOT, operation.about, rule)

    def _project(self, owner: str, concept: Concept, joining: Iterable[tuple[str, str]]) -> None:
        """Where the fields of a concept entity agree, let all of them say so."""
        members = sorted({*self._bonds.members(owner), *joining})
        for field in sorted(concept.fields):
            places: list[Register] = [(layout.CORE, layout.CONCEPT_ENTITY_ROOT, layout.field_key(owner, field))]
            for facet, entity in members:
                binding = self._binding(facet)
                own = binding.fields.get(field) if binding is not None else None
                if own is not None and self._it.has_facet(entity, facet):
                    for id in self._bonds.one(entity):
                        places += self._bonds.named(facet.partition(".")[0], facet, id, own)
            self._it.agree(places)
