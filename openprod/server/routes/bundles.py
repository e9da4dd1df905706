"""Committing operations."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from openprod.core.operations import (
    AddEdge,
    AssertSame,
    BindFacet,
    CreateEntity,
    DefineConcept,
    DeleteEntity,
    MergeEntities,
    Operation,
    RemoveEdge,
    RestoreEntity,
    SetConceptField,
    SetEdgeProperty,
    SetRule,
    SplitEntity,
    Unbind,
    UnbindFacet,
)
from openprod.engine.events import Receipt
from openprod.errors import InvalidOperation
from openprod.server.auth import require_document
from openprod.server.calls import Asked, Call
from openprod.server.payloads import BundleRequest


async def commit(asked: Asked) -> Receipt:
    request: BundleRequest = asked.body
    try:
        operations = msgspec.convert(request.operations, list[Operation])
    except msgspec.ValidationError as error:
        raise InvalidOperation(
            f"The operations can't be used: {error}.", hint="They are described at /api/v1/openapi.json."
        ) from None
    if asked.grant.document:
        for document in sorted({one for operation in operations for one in touched(operation)}):
            require_document(asked.grant, document)
    return await asked.workspace.commit(operations, message=request.message, actor=asked.actor)


def touched(operation: Operation) -> Iterator[str]:
    """The documents that an operation may write to; "" stands for more than one can say."""
    match operation:
        case DeleteEntity() | RestoreEntity():
            yield ""
        case CreateEntity(facets=facets):
            yield from (facet.partition(".")[0] for facet in facets or ("",))
        case AddEdge(edge=edge) | RemoveEdge(edge=edge) | SetEdgeProperty(edge=edge):
            yield edge.partition(".")[0]
        case (
            DefineConcept() | BindFacet() | UnbindFacet() | AssertSame() | Unbind() | SetConceptField()
            | MergeEntities() | SplitEntity() | SetRule()
        ):  # fmt: skip
            yield ""
        case _:
            yield operation.facet.partition(".")[0]


CALLS = (
    Call(
        method="POST",
        path="/bundles",
        handle=commit,
        does="Commit operations as one bundle, durably; `bundle` is empty when nothing changed",
        role="editor",
        body=BundleRequest,
        gives=Receipt,
        scoped=True,
    ),
)
