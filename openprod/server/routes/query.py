"""Queries over facets."""

from __future__ import annotations

from typing import Any

from openprod.server.auth import require_document
from openprod.server.calls import Asked, Call
from openprod.server.payloads import QueryAnswer, QueryRequest


async def run(asked: Asked) -> dict[str, Any]:
    request: QueryRequest = asked.body
    require_document(asked.grant, request.facet.partition(".")[0])
    return await asked.workspace.query(request.model_dump(exclude_defaults=True))


CALLS = (
    Call(
        method="POST",
        path="/query",
        handle=run,
        does="Rows of a facet, now or as of a bundle",
        body=QueryRequest,
        gives=QueryAnswer,
        scoped=True,
    ),
)
