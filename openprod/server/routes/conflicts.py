"""Conflicts and what people decide about them."""

from __future__ import annotations

from typing import Any

import msgspec

from openprod.core.conflicts import Conflict
from openprod.engine.events import Receipt
from openprod.engine.resolve import UNSET
from openprod.errors import InputError, NotFound, Stale
from openprod.server.calls import Asked, Call
from openprod.server.errors import refuse
from openprod.server.payloads import (
    ConflictPage,
    ConflictsQuery,
    ReopenRequest,
    ResolutionAnswer,
    ResolutionRequest,
)


async def listing(asked: Asked) -> dict[str, Any]:
    query: ConflictsQuery = asked.query
    found = await asked.workspace.conflicts(
        query.status, kind=query.kind, entity=query.entity, after=query.after, limit=query.limit + 1
    )
    page = found[: query.limit]
    return {
        "conflicts": [conflict.to_json() for conflict in page],
        "next": page[-1].id if len(found) > query.limit else None,
    }


async def show(asked: Asked) -> Conflict:
    return await asked.workspace.conflict(asked.part("conflict"))


async def resolve(asked: Asked) -> Any:
    request: ResolutionRequest = asked.body
    given = request.model_fields_set & {"choose", "value"}
    if len(given) != 1 or (request.choose is None and "value" not in given):
        raise InputError(
            "A resolution either chooses one of the versions or gives a value.",
            hint='Send {"choose": VERSION} or {"value": …}.',
        )
    id = asked.part("conflict")
    try:
        receipt = await asked.workspace.resolve(
            id,
            choose=request.choose,
            value=request.value if "value" in given else UNSET,
            heads=request.heads,
            actor=asked.actor,
            message=request.message,
        )
    except Stale as error:
        present = await asked.workspace.conflict(id)
        return refuse(error, conflict=present.to_json())
    return await _decided(asked, id, receipt)


async def reopen(asked: Asked) -> dict[str, Any]:
    request: ReopenRequest = asked.body
    id = asked.part("conflict")
    receipt = await asked.workspace.reopen(id, actor=asked.actor, message=request.message)
    return await _decided(asked, id, receipt)


async def _decided(asked: Asked, id: str, receipt: Receipt) -> dict[str, Any]:
    try:
        present = (await asked.workspace.conflict(id)).to_json()
    except NotFound:
        # Something restored and that taken back: what remains is a disagreement about its fields.
        present = None
    return {**msgspec.to_builtins(receipt), "conflict": present}


CALLS = (
    Call(
        method="GET",
        path="/conflicts",
        handle=listing,
        does="Conflicts by id, a page at a time",
        query=ConflictsQuery,
        gives=ConflictPage,
    ),
    Call(
        method="GET",
        path="/conflicts/{conflict}",
        handle=show,
        does="One conflict, with every value and decision",
        gives=Conflict,
    ),
    Call(
        method="POST",
        path="/conflicts/{conflict}/resolutions",
        handle=resolve,
        does="Decide; 409 with the present conflict when `heads` aren't the present ones",
        role="editor",
        body=ResolutionRequest,
        gives=ResolutionAnswer,
    ),
    Call(
        method="POST",
        path="/conflicts/{conflict}/reopen",
        handle=reopen,
        does="Take the decision back",
        role="editor",
        body=ReopenRequest,
        gives=ResolutionAnswer,
    ),
)
