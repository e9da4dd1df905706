"""Operations: one field-level change each, as people and programs ask for them.

Operations are what a proposal or a request holds. The committed form is a bundle, whose updates are Yjs
transactions; the operations travel inside it as the readable record of the intent.
Facets and edges are named ``plugin.facet`` and ``plugin.edge``.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec

from openprod.core.concepts import ConceptField


class _Operation(msgspec.Struct, frozen=True, kw_only=True, tag_field="op", forbid_unknown_fields=True):
    pass


class CreateEntity(_Operation, frozen=True, kw_only=True, tag="create_entity"):
    """Make an entity, with facets attached and fields set. ``facets``: {"plugin.facet": {field: value}}."""

    entity: str
    facets: dict[str, dict[str, Any]] = {}


class DeleteEntity(_Operation, frozen=True, kw_only=True, tag="delete_entity"):
    """Mark deleted, and write null to every field that is seen, so that a concurrent edit stays visible."""

    entity: str


class RestoreEntity(_Operation, frozen=True, kw_only=True, tag="restore_entity"):
    """Undelete, with the values the fields had when the deletion was written."""

    entity: str


class AttachFacet(_Operation, frozen=True, kw_only=True, tag="attach_facet"):
    entity: str
    facet: str
    fields: dict[str, Any] = {}


class DetachFacet(_Operation, frozen=True, kw_only=True, tag="detach_facet"):
    entity: str
    facet: str


class SetField(_Operation, frozen=True, kw_only=True, tag="set_field"):
    entity: str
    facet: str
    field: str
    value: Any


class ClearField(_Operation, frozen=True, kw_only=True, tag="clear_field"):
    entity: str
    facet: str
    field: str


class EditText(_Operation, frozen=True, kw_only=True, tag="edit_text"):
    """Replace ``delete`` characters at ``index`` of a collaborative text by ``insert``.

    ``index`` and ``delete`` count Unicode code points of the text as it stands.
    """

    entity: str
    facet: str
    field: str
    index: int
    delete: int = 0
    insert: str = ""


class AddEdge(_Operation, frozen=True, kw_only=True, tag="add_edge"):
    """Relate two entities. ``id`` is derived when the schema says so (cardinality one, unique pair)."""

    edge: str
    source: str
    target: str
    id: str = ""
    properties: dict[str, Any] = {}


class RemoveEdge(_Operation, frozen=True, kw_only=True, tag="remove_edge"):
    edge: str
    id: str


class SetEdgeProperty(_Operation, frozen=True, kw_only=True, tag="set_edge_property"):
    edge: str
    id: str
    property: str
    value: Any


class DefineConcept(_Operation, frozen=True, kw_only=True, tag="define_concept"):
    """Define a concept, or define it anew. ``fields``: {field: {"type", "label"}}."""

    concept: str
    fields: dict[str, ConceptField]
    label: str = ""


class BindFacet(_Operation, frozen=True, kw_only=True, tag="bind_facet"):
    """Say what a facet's fields mean: {field of the concept: field of the facet}. It fuses nothing."""

    facet: str
    concept: str
    fields: dict[str, str]


class UnbindFacet(_Operation, frozen=True, kw_only=True, tag="unbind_facet"):
    """Take a binding back; every field keeps its value."""

    facet: str


class AssertSame(_Operation, frozen=True, kw_only=True, tag="assert_same"):
    """Say that entities are one real thing. One entity alone is fine: it then is something that has a concept entity.

    ``id`` names the concept entity; "" derives it from what is asserted, or joins the one that is there.
    """

    concept: str
    entities: tuple[str, ...]
    id: str = ""


class Unbind(_Operation, frozen=True, kw_only=True, tag="unbind"):
    """Take an entity (or one facet of it) out of its concept entity; every field keeps its value."""

    entity: str
    facet: str = ""


class SetConceptField(_Operation, frozen=True, kw_only=True, tag="set_concept_field"):
    """Set a canonical value, and with it every bound field."""

    entity: str
    field: str
    value: Any


class MergeEntities(_Operation, frozen=True, kw_only=True, tag="merge_entities"):
    """Let ``absorbed`` stand for ``survivor`` from now on. ``values``: {"plugin.facet": {field: value}} where the two
    disagree; what isn't named there stays a conflict.
    """

    survivor: str
    absorbed: str
    values: dict[str, dict[str, Any]] = {}


class SplitEntity(_Operation, frozen=True, kw_only=True, tag="split_entity"):
    """Take a merge back: the absorbed entity is itself again, with what it had where nobody changed that since."""

    entity: str


class SetRule(_Operation, frozen=True, kw_only=True, tag="set_rule"):
    """Say by which fields entities are proposed as one. ``about``: a facet or a concept; ``fields``: sets of its
    fields, none to end the rule. Nothing is ever merged by a rule.
    """

    about: str
    fields: tuple[tuple[str, ...], ...] = ()


Operation: TypeAlias = (
    CreateEntity
    | DeleteEntity
    | RestoreEntity
    | AttachFacet
    | DetachFacet
    | SetField
    | ClearField
    | EditText
    | AddEdge
    | RemoveEdge
    | SetEdgeProperty
    | DefineConcept
    | BindFacet
    | UnbindFacet
    | AssertSame
    | Unbind
    | SetConceptField
    | MergeEntities
    | SplitEntity
    | SetRule
)
