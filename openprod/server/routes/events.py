"""Commits, and changes of the session, as they happen."""

from __future__ import annotations

from starlette.responses import Response

from openprod.server.calls import Asked, Call


async def listen(asked: Asked) -> Response:
    access, token = asked.services.access, asked.token
    # Listening begins before the answer does: whoever sees the answer and then asks for the state misses nothing.
    return asked.services.events.listen(allowed=lambda: access.check(token) is not None)


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
