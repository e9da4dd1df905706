"""Queries over facets and concepts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from typing import Any

from starlette.responses import Response

from openprod.core import queries
from openprod.core.queries import Query
from openprod.engine.queries_live import Watch
from openprod.errors import InputError, OpenprodError
from openprod.server.answers import encode
from openprod.server.calls import Asked, Call
from openprod.server.events import ALIVE, HELLO, Stream
from openprod.server.payloads import QueryAnswer, QueryRequest


async def run(asked: Asked) -> dict[str, Any]:
    request: QueryRequest = asked.body
    return await asked.workspace.query(read(request), allowed=allowed(asked), explain=request.explain)


async def live(asked: Asked) -> Response:
    watch = asked.workspace.watch(read(asked.body), allowed=allowed(asked))
    try:
        first = await watch.news()
    except BaseException:
        watch.close()
        raise
    return Stream(_told(asked, watch, first), watch.close)


async def _told(asked: Asked, watch: Watch, answer: dict[str, Any] | None) -> AsyncIterator[bytes]:
    events, access, token = asked.services.events, asked.services.access, asked.token
    try:
        with events.attached() as listener:
            yield HELLO + _frame("answer", answer)
            while not listener.closed:
                # What came between the first answer and now was heard by the watch.
                answer = await watch.news()
                if answer is not None:
                    yield _frame("answer", answer)
                woken = await listener.take(events.keepalive_s)
                if access.check(token) is None:
                    return
                if not woken and not listener.closed:
                    yield ALIVE
    except OpenprodError as error:
        yield _frame("error", {"code": error.code, "sentence": error.sentence, "hint": error.hint})


def _frame(kind: str, data: object) -> bytes:
    return f"event: {kind}\ndata: ".encode() + encode(data) + b"\n\n"


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
    Call(
        method="POST",
        path="/query/live",
        handle=live,
        does="Server-sent events: `answer` now, and again whenever it is another one",
        body=QueryRequest,
        gives_file="text/event-stream",
        scoped=True,
    ),
)
