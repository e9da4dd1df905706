"""The smallest node that keeps the socket's promises: one document, tokens, "saved" messages. For the examples only.

It asks first (SyncStep1) and tells nothing until it has been answered; it says "saved" after it has applied.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

from pycrdt import Doc, Map, create_sync_message, handle_sync_message, write_var_uint
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

SYNC, STEP1, SAVED = 0, 0, 40


class Node:
    """``cues`` is the root ``cues.cue`` of the document served at ``url``. ``paths`` lists the addresses asked for."""

    def __init__(self) -> None:
        self.doc: Doc[Any] = Doc()
        self.cues = self.doc.get("cues.cue", type=Map)
        self.paths: list[str] = []
        self.url = ""
        self._left = asyncio.Event()

    async def wait_for_leave(self) -> None:
        """Until a program has gone and everything it sent has been read."""
        await self._left.wait()

    async def serve(self, connection: ServerConnection) -> None:
        try:
            await self._talk(connection)
        except ConnectionClosed:
            pass  # a program may end without a word
        finally:
            self._left.set()

    async def _talk(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        address = urlsplit(connection.request.path)
        asked = parse_qs(address.query)
        self.paths.append(address.path)
        if asked.get("token") != ["secret"]:
            await connection.close(4401, "unknown token")
            return
        saved = 0
        held: list[bytes] | None = []
        await connection.send(create_sync_message(self.doc))
        async for message in connection:
            assert isinstance(message, bytes)
            if message[0] != SYNC:
                continue
            if message[1] == STEP1:
                reply = handle_sync_message(message[1:], self.doc)
                assert reply is not None
                if held is None:
                    await connection.send(reply)
                else:
                    held.append(message)
                continue
            handle_sync_message(message[1:], self.doc)
            saved += 1
            if asked.get("ack") == ["1"]:
                await connection.send(bytes([SAVED]) + write_var_uint(saved))
            questions, held = held or [], None
            for question in questions:
                reply = handle_sync_message(question[1:], self.doc)
                assert reply is not None
                await connection.send(reply)

    def plain(self) -> dict[str, Any]:
        """The cues as a program reads them: id → field → value."""
        keys = dict(self.cues.items())
        return {
            entity: {key.partition("/")[2]: value for key, value in keys.items() if key.startswith(f"{entity}/")}
            for entity, marker in keys.items()
            if "/" not in entity and marker is True
        }


@asynccontextmanager
async def running() -> AsyncIterator[Node]:
    node = Node()
    async with serve(node.serve, "127.0.0.1", 0) as server:
        node.url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield node
