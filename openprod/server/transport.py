"""The application without a socket: for commands on a workspace that no node serves.

Unlike httpx's own ASGI transport this one hands out the answer while it is made, so that progress shows as it happens.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import unquote

import httpx
from starlette.types import ASGIApp, Message


class InProcessTransport(httpx.AsyncBaseTransport):
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        assert isinstance(request.stream, httpx.AsyncByteStream)
        exchange = _Exchange(self._app, _scope(request), aiter(request.stream))
        await exchange.begun.wait()
        if exchange.status == 0:
            # It ended without an answer: say why.
            await exchange.task
            raise httpx.RemoteProtocolError("The application gave no answer.", request=request)
        return httpx.Response(exchange.status, headers=exchange.headers, stream=exchange)


class _Exchange(httpx.AsyncByteStream):
    """One request on its way through the application; as a stream, the answer's body."""

    def __init__(self, app: ASGIApp, scope: dict[str, Any], body: AsyncIterator[bytes]) -> None:
        self.begun = asyncio.Event()
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self._body = body
        self._sent = False
        self._left = asyncio.Event()
        # One chunk at a time: what makes the answer waits for who reads it.
        self._chunks: asyncio.Queue[bytes | None] = asyncio.Queue(1)
        self.task = asyncio.ensure_future(self._run(app, scope))

    async def _run(self, app: ASGIApp, scope: dict[str, Any]) -> None:
        try:
            await app(scope, self._receive, self._send)
        finally:
            self.begun.set()
        await self._chunks.put(None)

    async def _receive(self) -> Message:
        if not self._sent:
            chunk = await anext(self._body, None)
            if chunk is not None:
                return {"type": "http.request", "body": chunk, "more_body": True}
            self._sent = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = list(message.get("headers", ()))
            self.begun.set()
        elif message["type"] == "http.response.body" and message.get("body"):
            await self._chunks.put(message["body"])

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (chunk := await self._chunks.get()) is not None:
            yield chunk
        await self.task

    async def aclose(self) -> None:
        self._left.set()
        if not self.task.done():
            self.task.cancel()
            await asyncio.wait([self.task])


def _scope(request: httpx.Request) -> dict[str, Any]:
    path, _, query = request.url.raw_path.partition(b"?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": request.method,
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "scheme": request.url.scheme,
        "path": unquote(path.decode("ascii")),
        "raw_path": path,
        "query_string": query,
        "server": (request.url.host, request.url.port),
        "client": ("127.0.0.1", 0),
        "root_path": "",
    }
