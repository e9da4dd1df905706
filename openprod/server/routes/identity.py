"""Concepts, what is bound to them, and what stands for what. Changes are operations, sent to ``POST /bundles``."""

from __future__ import annotations

from typing import Any

from openprod.server.calls import Asked, Call
from openprod.server.payloads_identity import (
    ConceptEntitiesAnswer,
    ConceptsAnswer,
    MergePreview,
    MergePreviewQuery,
    ProposalsAnswer,
    SamePreview,
    SameRequest,
)


async def concepts(asked: Asked) -> dict[str, Any]:
    return {"concepts": await asked.workspace.concepts()}


async def concept_entities(asked: Asked) -> dict[str, Any]:
    return {"concept_entities": await asked.workspace.concept_entities(asked.part("concept"))}


async def preview_same(asked: Asked) -> dict[str, Any]:
    request: SameRequest = asked.body
    return {"fields": await asked.workspace.preview_same(asked.part("concept"), request.entities)}


async def preview_merge(asked: Asked) -> dict[str, Any]:
    query: MergePreviewQuery = asked.query
    return await asked.workspace.preview_merge(asked.part("entity"), query.absorbed)


async def proposals(asked: Asked) -> dict[str, Any]:
    return {"proposals": await asked.workspace.proposals()}


CALLS = (
    Call(
        method="GET",
        path="/concepts",
        handle=concepts,
        does="Concepts, their fields, and the facets bound to them",
        gives=ConceptsAnswer,
    ),
    Call(
        method="GET",
        path="/concepts/{concept}/entities",
        handle=concept_entities,
        does="Concept entities with their values and everything that belongs to them",
        gives=ConceptEntitiesAnswer,
    ),
    Call(
        method="POST",
        path="/concepts/{concept}/preview",
        handle=preview_same,
        does="What asserting that entities are one will do, field by field; changes nothing",
        body=SameRequest,
        gives=SamePreview,
    ),
    Call(
        method="GET",
        path="/entities/{entity}/merge-preview",
        handle=preview_merge,
        does="What merging another entity into this one will do: fields, texts, edges; changes nothing",
        query=MergePreviewQuery,
        gives=MergePreview,
    ),
    Call(
        method="GET",
        path="/proposals",
        handle=proposals,
        does="Entities that may be one, by the rules that people set; nothing is merged by a rule",
        gives=ProposalsAnswer,
    ),
)
