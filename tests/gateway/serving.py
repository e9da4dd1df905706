"""A node for the tests: the gateway on a real socket, and the programs that talk to it."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import uvicorn
from pycrdt import Doc, Map
from websockets.asyncio.client import ClientConnection, connect

from openprod.core.schema import Facet, Field, Schema
from openprod.engine import identity
from openprod.engine.workspace import Workspace
from openprod.gateway import protocol
from openprod.gateway.limits import Limits
from openprod.gateway.socket import YjsApp
from openprod.server.websocket import WebSocketProtocol

TIMEOUT_S = 20
PROGRAMS = Path(__file__).parent.parent / "interop" / "gateway"
EMPTY_UPDATE = b"\x00\x00"


CUES = Schema(plugin="cues", facets={"cue": Facet(fields={"start": Field(), "label": Field(), "notes": Field()})})


@dataclass
class Served:
    """``tokens``: by the name that the tests give them."""

    workspace: Workspace
    app: YjsApp
    port: int
    tokens: dict[str, dict[str, Any]]

    @property
    def base(self) -> str:
        return f"ws://127.0.0.1:{self.port}/yjs/-"

    def url(self, document: str = "cues", *, token: str = "editor", rest: str = "") -> str:
        return f"{self.base}/{document}?token={self.token(token)}{rest}"

    def token(self, name: str) -> str:
        """The token of that name; a name that nobody has is taken for a wrong token."""
        return self.tokens[name]["token"] if name in self.tokens else name

    async def revoke(self, name: str) -> None:
        await self.workspace.token_revoke(self.tokens[name]["id"])

    async def fields(self, document: str = "cues") -> dict[str, Any]:
        """What the node holds in ``cues.cue``."""
        copy: Doc[Any] = Doc()
        fields = copy.get("cues.cue", type=Map)
        copy.apply_update(await self.workspace.state_as_update(document))
        return fields.to_py() or {}

    @contextmanager
    def commits_held(self) -> Iterator[Callable[[], int]]:
        """Nothing that is handed in from here on becomes durable before the end. Yields the number that waits."""
        go = threading.Event()
        worker = self.workspace._worker
        held = worker.call(lambda _committer: go.wait())
        try:
            yield lambda: len(worker._queue)
        finally:
            go.set()
        assert held is not None


@asynccontextmanager
async def serve(folder: Path, *, limits: Limits | None = None) -> AsyncIterator[Served]:
    who = identity.load(folder / "home", name="Host", device_name="laptop")
    place = folder / "tests.openprod"
    await Workspace.create(place, name="Tests", schemas=[CUES], identity_=who)
    async with Workspace.open(place, identity_=who) as workspace:
        people = {
            "editor": {"name": "Alex"},
            "other": {"name": "Jordan"},
            "viewer": {"name": "Vera", "role": "viewer"},
            "cues-only": {"name": "Alex", "document": "cues"},
        }
        tokens = {label: await workspace.token_create(label=label, **about) for label, about in people.items()}
        async with listening(workspace, limits) as (app, port):
            yield Served(workspace, app, port, tokens)


@asynccontextmanager
async def listening(workspace: Workspace, limits: Limits | None) -> AsyncIterator[tuple[YjsApp, int]]:
    app = YjsApp(workspace, limits=limits)
    bound = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, ws=WebSocketProtocol, ws_per_message_deflate=False, log_level="error", lifespan="off")
    server = uvicorn.Server(config)
    running = asyncio.create_task(server._serve(sockets=[bound]))
    try:
        with anyio.fail_after(TIMEOUT_S):
            while not server.started:
                await anyio.sleep(0.01)
        yield app, bound.getsockname()[1]
    finally:
        app.close()
        server.should_exit = True
        await running
        bound.close()


class Peer:
    """A program that speaks y-websocket by hand, one message at a time."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.doc: Doc[Any] = Doc()
        self.fields = self.doc.get("cues.cue", type=Map)

    async def send(self, message: bytes) -> None:
        await self.connection.send(message)

    async def receive(self, first: int, second: int | None = None) -> bytes:
        """The next message that starts so; others are passed over."""
        with anyio.fail_after(TIMEOUT_S):
            while True:
                message = await self.connection.recv()
                assert isinstance(message, bytes)
                if message[0] == first and (second is None or message[1] == second):
                    return message

    async def synchronise(self) -> None:
        """The whole greeting, both ways."""
        asked = protocol.read_message(await self.receive(0, 0))[1]
        await self.send(protocol.sync_step1(self.doc.get_state()))
        await self.send(protocol.sync_step2(self.doc.get_update(asked)))
        self.doc.apply_update(protocol.read_message(await self.receive(0, 1))[1])

    def change(self, key: str, value: object) -> bytes:
        """The update that sets a field here."""
        updates: list[bytes] = []
        subscription = self.doc.observe(lambda event: updates.append(event.update))
        self.fields[key] = value
        self.doc.unobserve(subscription)
        return updates[0]

    async def set(self, key: str, value: object) -> None:
        await self.send(protocol.update_message(self.change(key, value)))

    async def until(self, key: str, value: object) -> None:
        """Until that value has come in an update."""
        while self.fields.get(key) != value:
            self.doc.apply_update(protocol.read_message(await self.receive(0, 2))[1])

    async def saved(self, count: int) -> None:
        """Until so many of its updates are durable (asked for with ``ack=1``)."""
        while await self.receive(40) != protocol.saved(count):
            pass

    async def closed(self) -> tuple[int, str]:
        with anyio.fail_after(TIMEOUT_S):
            await self.connection.wait_closed()
        return self.connection.close_code or 0, self.connection.close_reason or ""


@asynccontextmanager
async def peer(url: str, **options: Any) -> AsyncIterator[Peer]:
    options.setdefault("max_queue", None)
    async with connect(url, compression=None, max_size=None, **options) as connection:
        yield Peer(connection)


class Program:
    """A Node process with a real provider in it (tests/interop/gateway/program.mjs)."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.events: list[dict[str, Any]] = []

    async def do(self, command: str, **rest: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"do": command, **rest}).encode() + b"\n")
        await self.process.stdin.drain()

    async def event(self, name: str, **having: Any) -> dict[str, Any]:
        """The next event of that name and content; others are remembered in ``events``."""
        assert self.process.stdout is not None
        with anyio.fail_after(TIMEOUT_S):
            while line := await self.process.stdout.readline():
                event: dict[str, Any] = json.loads(line)
                self.events.append(event)
                if event["event"] == name and all(event[key] == value for key, value in having.items()):
                    return event
        raise AssertionError(f"the program ended before {name}; it said {self.events}")

    async def connect(self) -> None:
        await self.do("connect")
        await self.event("synced")

    async def until(self, **values: Any) -> None:
        await self.do("until", values=values)
        await self.event("arrived")

    async def values(self) -> dict[str, Any]:
        await self.do("get")
        values: dict[str, Any] = (await self.event("values"))["values"]
        return values


@asynccontextmanager
async def program(
    served: Served, kind: str, *, token: str = "editor", document: str = "cues", gc: bool = True
) -> AsyncIterator[Program]:
    process = await asyncio.create_subprocess_exec(
        "node",
        str(PROGRAMS / "program.mjs"),
        kind,
        served.base,
        document,
        served.token(token),
        "gc" if gc else "nogc",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        one = Program(process)
        await one.event("started")
        yield one
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        if process.stdin is not None:
            process.stdin.close()
        # Reads to the end so that the pipe's transport is closed before the loop is.
        if process.stdout is not None:
            await process.stdout.read()
