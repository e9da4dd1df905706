"""Commits, and changes of the session, as they happen."""

from __future__ import annotations

from starlette.responses import Response, StreamingResponse

from openprod.server.answers import NEVER_KEPT
from openprod.server.calls import Asked, Call


async def listen(asked: Asked) -> Response:
    access, token = asked.services.access, asked.token
    # Listening begins before the answer does: whoever sees the answer and then asks for the state misses nothing.
    stream = asked.services.events.listen(allowed=lambda: access.check(token) is not None)
    return StreamingResponse(stream, media_type="text/event-stream", headers=NEVER_KEPT)


CALLS = (
    Call(
        method="GET",
        path="/events",
        handle=listen,
        does="Server-sent events: `commit` with {bundle, actor, intent, conflicts, entities, documents}; `session` "
        "with {revision} when `GET /session` would answer something else. A listener that falls behind is closed: "
        "connect again and ask for the state anew",
        gives_file="text/event-stream",
    ),
)
