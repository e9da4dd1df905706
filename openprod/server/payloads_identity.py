"""What calls about identity take and give: concepts, same things, merging, what rules propose."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from openprod.server.payloads import EdgeRecord, Form, Id, Member, Named, Payload


class SameRequest(Payload):
    entities: Annotated[list[Id], Field(min_length=1, max_length=1000)]


class MergePreviewQuery(Payload):
    absorbed: Annotated[Id, Field(description="The entity that will stand for this one.")]


class ConceptRecord(Form):
    concept: str
    label: str
    fields: Annotated[dict[str, dict[str, str]], Field(description="{field: {type, label}}")]
    bindings: Annotated[list[dict[str, Any]], Field(description="{facet, fields: {of the concept: of the facet}}")]
    concept_entities: Annotated[int, Field(description="How many there are")]


class ConceptsAnswer(Form):
    concepts: list[ConceptRecord]


class ConceptEntityRecord(Form):
    id: str
    concept: str
    title: str
    values: dict[str, Any]
    bound: list[Member]
    conflicts: list[str]


class ConceptEntitiesAnswer(Form):
    concept_entities: list[ConceptEntityRecord]


class SameField(Form):
    field: str
    state: Literal["same", "fills", "differs"]
    values: Annotated[list[dict[str, Any]], Field(description="{facet, entity, title, value}")]


class SamePreview(Form):
    fields: list[SameField]


class MergeField(Form):
    facet: str
    field: str
    label: str = ""
    survivor: Any
    absorbed: Any
    state: Literal["same", "fills", "differs", "stays"]


class MergePreview(Form):
    survivor: Named
    absorbed: Named
    fields: list[MergeField]
    attaches: Annotated[list[str], Field(description="Facets that the survivor will get")]
    texts: list[MergeField]
    edges: Annotated[list[EdgeRecord], Field(description="Edges that will count for the survivor")]


class Proposal(Form):
    kind: Literal["merge", "assert"]
    about: str
    by: list[str]
    values: list[str]
    entities: list[Named]


class ProposalsAnswer(Form):
    proposals: list[Proposal]
