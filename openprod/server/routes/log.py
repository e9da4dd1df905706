"""The oplog, and taking bundles back."""

from __future__ import annotations

from typing import Any

from openprod.engine.events import Receipt
from openprod.server.calls import Asked, Call
from openprod.server.payloads import LogPage, LogQuery, Nothing, UndoRequest


async def listing(asked: Asked) -> dict[str, Any]:
    query: LogQuery = asked.query
    found = await asked.workspace.log(after=query.after, limit=query.limit + 1, newest_first=query.newest_first)
    page = found[: query.limit]
    return {"bundles": page, "next": page[-1]["bundle"] if len(found) > query.limit else None}


async def undo(asked: Asked) -> Receipt:
    request: UndoRequest = asked.body
    return await asked.workspace.undo(request.bundle, actor=asked.actor)


async def redo(asked: Asked) -> Receipt:
    return await asked.workspace.redo(actor=asked.actor)


CALLS = (
    Call(
        method="GET",
        path="/log",
        handle=listing,
        does="Bundles in the order this replica took them in, a page at a time",
        query=LogQuery,
        gives=LogPage,
    ),
    Call(
        method="POST",
        path="/undo",
        handle=undo,
        does="Take back a bundle, one's own latest unless named; a new bundle does it",
        role="editor",
        body=UndoRequest,
        gives=Receipt,
    ),
    Call(
        method="POST",
        path="/redo",
        handle=redo,
        does="Take back one's own latest undo",
        role="editor",
        body=Nothing,
        gives=Receipt,
    ),
)
