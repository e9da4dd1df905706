"""What every connection passes first: is it meant for this node, and does whatever happens end in an answer?"""

from __future__ import annotations

from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from openprod.server.answers import answer
from openprod.server.errors import refuse

LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})


class Guard:
    """``hosts``: the names under which this node may be asked for; None: any.

    On loopback the name matters: another site's page could have its own name point here (DNS rebinding), and would
    then be this node's page to the browser. ``sockets`` gets the WebSockets of /yjs/.
    """

    def __init__(self, app: ASGIApp, *, hosts: Collection[str] | None, sockets: ASGIApp | None) -> None:
        self._app = app
        self._hosts = hosts
        self._sockets = sockets

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            if self._sockets is None or not self._is_for_us(scope) or not scope["path"].startswith("/yjs/"):
                await receive()
                await send({"type": "websocket.close", "code": 1008})
            else:
                await self._sockets(scope, receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._is_for_us(scope):
            error = {
                "code": "MISDIRECTED",
                "sentence": "This node isn't known by that name.",
                "hint": "Use the address that it printed.",
                "details": {},
            }
            await answer({"error": error}, status=421)(scope, receive, send)
            return
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:
            refusal = refuse(error)
            if not begun:
                await refusal(scope, receive, send)

    def _is_for_us(self, scope: Scope) -> bool:
        return self._hosts is None or host_name(Headers(scope=scope).get("host", "")) in self._hosts


def host_name(host: str) -> str:
    """``Host`` without the port and the brackets of an IPv6 address."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()
