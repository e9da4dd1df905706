"""Queries over facets and concepts."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from openprod.core import queries
from openprod.core.queries import Query
from openprod.errors import InputError
from openprod.server.calls import Asked, Call
from openprod.server.payloads import QueryAnswer, QueryRequest


async def run(asked: Asked) -> dict[str, Any]:
    request: QueryRequest = asked.body
    return await asked.workspace.query(read(request), allowed=allowed(asked), explain=request.explain)


def read(request: QueryRequest) -> Query:
    """What a request asks. Raises InputError."""
    data = request.model_dump(exclude_defaults=True)
    data.pop("explain", None)
    text = data.pop("text", None)
    if text is None:
        return queries.from_data(data)
    if data:
        raise InputError("A query is given as text or as data, not both.")
    return queries.parse(text)


def allowed(asked: Asked) -> Collection[str] | None:
    """The documents that the token opens, None for all."""
    return (asked.grant.document,) if asked.grant.document else None


CALLS = (
    Call(
        method="POST",
        path="/query",
        handle=run,
        does="Rows of a facet or concept, now or as of a bundle or a time",
        body=QueryRequest,
        gives=QueryAnswer,
        scoped=True,
    ),
)
