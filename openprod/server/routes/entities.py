"""One entity, and all that ever happened to it."""

from __future__ import annotations

from typing import Any

from openprod.server.calls import Asked, Call
from openprod.server.payloads import AsOf, EntityAnswer, HistoryAnswer


async def show(asked: Asked) -> dict[str, Any]:
    query: AsOf = asked.query
    return await asked.workspace.entity(asked.part("entity"), as_of=query.as_of)


async def history(asked: Asked) -> dict[str, Any]:
    return await asked.workspace.history(asked.part("entity"))


CALLS = (
    Call(
        method="GET",
        path="/entities/{entity}",
        handle=show,
        does="An entity: its facets, edges and open conflicts, now or as of a bundle",
        query=AsOf,
        gives=EntityAnswer,
    ),
    Call(
        method="GET",
        path="/history/{entity}",
        handle=history,
        does="All versions of each field: author, time, what it knew",
        gives=HistoryAnswer,
    ),
)
