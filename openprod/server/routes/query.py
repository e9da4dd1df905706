"""Queries over facets."""

from __future__ import annotations

from typing import Any

from openprod.core import queries
from openprod.errors import InputError
from openprod.server.auth import require_document
from openprod.server.calls import Asked, Call
from openprod.server.payloads import QueryAnswer, QueryRequest


async def run(asked: Asked) -> dict[str, Any]:
    request: QueryRequest = asked.body
    query = request.model_dump(exclude_defaults=True)
    text = query.pop("text", None)
    if text is not None:
        if query:
            raise InputError("A query is given as text or as data, not both.")
        query = queries.parse(text)
    require_document(asked.grant, str(query.get("facet", "")).partition(".")[0])
    return await asked.workspace.query(query)


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
