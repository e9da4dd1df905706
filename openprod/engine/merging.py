"""Two entities that turn out to be one, and the way back.

A merge writes where the absorbed entity points, gives the survivor what it lacks, and sets both to what was chosen
where they disagree; what wasn't chosen stays a conflict. From then on their fields are bonds. A split ends that: the
absorbed entity has again what it had, the survivor what it had where nobody changed it since.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from openprod.core import validity, values
from openprod.core.operations import MergeEntities
from openprod.engine import inverse, inverse_text, projection
from openprod.engine.bonds import Register
from openprod.errors import InvalidOperation, NotFound
from openprod.storage.ports import RegisterRow
from openprod.yjs import layout

if TYPE_CHECKING:
    from openprod.engine.commit import Committer
    from openprod.engine.lower import Lowering


def merge(committer: Committer, it: Lowering, operation: MergeEntities) -> None:
    """Raises InvalidOperation or NotFound."""
    survivor, absorbed = check(committer, it, operation.survivor, operation.absorbed)
    now = committer.schemas.keys_of
    chosen = {(facet, now(facet, key)[0]): value for facet, of in operation.values.items() for key, value in of.items()}
    for facet in facets_of(committer, it, absorbed):
        document = facet.partition(".")[0]
        if not it.has_facet(survivor, facet):
            it.write(document, facet, layout.marker_key(survivor), True)
        for field in fields_of(committer, facet, survivor, absorbed):
            places, joining = _places(committer, facet, field, survivor, absorbed)
            if (facet, field) in chosen:
                value = _checked(committer, facet, field, chosen.pop((facet, field)))
                for place in places:
                    it.write(*place, value)
            else:
                it.agree(places, joining=joining)
        _copy_texts(committer, it, facet, survivor, absorbed)
    if chosen:
        facet, field = min(chosen)
        raise InvalidOperation(f"The two don't both have {facet[:80]}/{field[:80]}.", hint="Look at the preview again.")
    for facet, owner in committer.detector.bonds.memberships(absorbed):
        own = committer.detector.bonds.concept_entity(facet, survivor)
        left = {entity for _facet, entity in committer.detector.bonds.members(owner)} - {absorbed}
        if own is not None and own != owner and not left:
            it.write(layout.CORE, layout.CONCEPT_ENTITY_ROOT, owner, None)
    it.write(layout.CORE, layout.ENTITY_ROOT, layout.field_key(absorbed, layout.REDIRECT_FIELD), survivor)


def check(committer: Committer, it: Lowering, survivor: str, absorbed: str) -> tuple[str, str]:
    """The two as they stand. Raises InvalidOperation or NotFound."""
    bonds = committer.detector.bonds
    for entity in (survivor, absorbed):
        it.require_entity(entity)
    if survivor == absorbed:
        raise InvalidOperation("That is one and the same.", hint="Name two different ones.")
    if bonds.survivor(absorbed) != absorbed:
        raise InvalidOperation(
            f"{absorbed} was merged into {bonds.survivor(absorbed)} already.", hint="Merge that one, or split it first."
        )
    asked, survivor = survivor, bonds.survivor(survivor)
    if survivor == absorbed:
        raise InvalidOperation(
            "These two are one already; the other way round would go in circles.",
            hint=f"To turn it round, split {asked} first.",
        )
    return survivor, absorbed


def facets_of(committer: Committer, it: Lowering, entity: str) -> list[str]:
    rows = committer.storage.registers_of_entity(entity)
    found = {
        row.root
        for row in rows
        if layout.parse_root(row.root).kind == "facet" and layout.belongs(row.root, row.document)
    }
    return [facet for facet in sorted(found) if it.has_facet(entity, facet)]


def fields_of(committer: Committer, facet: str, survivor: str, absorbed: str) -> list[str]:
    rows = [*committer.storage.registers_of_entity(survivor), *committer.storage.registers_of_entity(absorbed)]
    return sorted({committer.schemas.keys_of(facet, row.field)[0] for row in rows if row.root == facet and row.field})


def leaves(committer: Committer, facet: str, survivor: str, absorbed: str) -> bool:
    """Whether what the absorbed is of a facet leaves its concept entity: the survivor belongs to another one."""
    concept_entity = committer.detector.bonds.concept_entity
    return concept_entity(facet, absorbed) != concept_entity(facet, survivor) is not None


def _places(
    committer: Committer, facet: str, field: str, survivor: str, absorbed: str
) -> tuple[list[Register], list[Register]]:
    """The registers that will be one, and which of them leave others for that."""
    detector, document = committer.detector, facet.partition(".")[0]
    found: list[Register] = []
    own = [(document, facet, layout.field_key(entity, field)) for entity in (survivor, absorbed)]
    left = leaves(committer, facet, survivor, absorbed)
    for place in own:
        if not left or place == own[0]:
            found += projection.along(detector, committer.storage, place)
        found.append(place)
    joining = detector.bonds.named(document, facet, absorbed, field) if left else []
    return list(dict.fromkeys([*found, *joining])), joining


def _checked(committer: Committer, facet: str, field: str, value: Any) -> Any:
    value = values.check(value, where=f"{facet}/{field}")
    declared = committer.schemas.field(facet, field)
    wrong = validity.fault(declared, value) if declared is not None else ""
    if wrong:
        raise InvalidOperation(f"The value for {facet}/{field} {wrong}.", hint="Nothing was merged.")
    return value


def _copy_texts(committer: Committer, it: Lowering, facet: str, survivor: str, absorbed: str) -> None:
    declared = committer.schemas.facet(facet)
    live = committer.document(facet.partition(".")[0])
    for name, field in declared.fields.items() if declared is not None else ():
        if field.type == "text":
            text = live.text(layout.text_root(facet, absorbed, name))
            if text and not live.text(layout.text_root(facet, survivor, name)):
                it.set_text(survivor, facet, name, text)


def split(committer: Committer, it: Lowering, entity: str) -> None:
    """Raises NotFound."""
    storage, bonds = committer.storage, committer.detector.bonds
    key = layout.field_key(entity, layout.REDIRECT_FIELD) if layout.is_id(entity) else ""
    redirect = storage.register_at(layout.CORE, layout.ENTITY_ROOT, key)
    version = storage.version(redirect.document, redirect.client, redirect.clock) if redirect is not None else None
    if redirect is None or version is None or redirect.value in (None, "null"):
        raise NotFound(
            f"{entity[:80]} wasn't merged into another.", hint="`openprod entity show` says what stands for what."
        )
    survivor = bonds.survivor(entity)
    it.write(layout.CORE, layout.ENTITY_ROOT, key, None)
    wrote = inverse.of_bundle(committer, version.bundle).values
    unsaid = inverse.unsaid(committer, version.bundle, wrote)
    filled = _one_with(committer, survivor)
    for document, root, at, value in wrote:
        owner = layout.place(document, root, at).entity
        dissolved = root == layout.CONCEPT_ENTITY_ROOT and "/" not in at
        own = root != layout.ENTITY_ROOT and (root, owner) in filled and owner != entity
        if (dissolved or own) and (document, root, at) not in unsaid:
            it.write(document, root, at, value)
    for document, splice in inverse_text.of_bundle(committer, version.bundle):
        if layout.parse_root(splice.root).entity == survivor:
            it.splice(document, splice)
    for row in storage.registers_of_entity(entity):
        if (
            layout.parse_root(row.root).kind == "facet"
            and row.field
            and not committer.detector.is_gone(row.root, entity)
        ):
            it.write(row.document, row.root, row.key, _before(committer, row, version.bundle.hlc))


def _one_with(committer: Committer, survivor: str) -> set[tuple[str, str]]:
    """(root, entity) of what a merge may have filled in: the survivor, and what is one thing with it."""
    bonds = committer.detector.bonds
    found = {(row.root, row.entity) for row in committer.storage.registers_of_entity(survivor)}
    for _facet, owner in bonds.memberships(survivor):
        found |= {(layout.CONCEPT_ENTITY_ROOT, owner), *bonds.members(owner)}
    return found


def _before(committer: Committer, row: RegisterRow, hlc: str) -> Any:
    """What a register showed before a time, along the values that its present one grew from."""
    version = committer.storage.version(row.document, row.client, row.clock)
    while version is not None and version.bundle.hlc >= hlc:
        parent = version.version
        if parent.parent_client is None:
            return None
        version = committer.storage.version(row.document, parent.parent_client, parent.parent_clock or 0)
    return None if version is None or version.version.value is None else json.loads(version.version.value)
