"""Nodes within the test's process: real workspaces on disk, and peers that talk over TLS on the loopback interface."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from openprod.core.bundles import SignedBundle
from openprod.core.operations import CreateEntity
from openprod.engine.copying import empty_copy
from openprod.engine.workspace import Workspace
from openprod.errors import OpenprodError
from openprod.sync import certificates, checking, hosting
from openprod.sync.checking import Checking
from openprod.sync.messages import CODEC, Chunk
from openprod.sync.service import PeerService
from openprod.sync.transport import PAIRING, Accepted, Channel, Closed, Listening, WebSocketTransport
from tests.engine.laptops import ROOT, identity
from tests.engine.replica import CUES

SECONDS_MAX = 120
HERE = {"listen": "127.0.0.1", "port": 0}


class Watched:
    """The real network; what comes here is counted, by kind, and may be cut after ``cut_after`` bytes
    of chunks."""

    def __init__(self, folder: Path) -> None:
        self._real = WebSocketTransport(certificates.load(folder))
        self.certificate = self._real.certificate
        self.came: dict[str, int] = {}
        self.chunk_bytes = 0
        self.cut_after = 0

    async def listen(self, host: str, port: int, accepted: Accepted) -> Listening:
        return await self._real.listen(host, port, lambda channel: accepted(_Wire(self, channel)))

    async def call(self, *where: Any, **how: Any) -> Channel:
        return _Wire(self, await self._real.call(*where, **how))

    def count(self, frame: bytes) -> bool:
        """Whether the connection is to be cut here."""
        message = CODEC.decode(frame)
        kind = type(message).__name__
        self.came[kind] = self.came.get(kind, 0) + 1
        if isinstance(message, Chunk):
            self.chunk_bytes += len(message.data)
        cut = 0 < self.cut_after <= self.chunk_bytes
        self.cut_after = 0 if cut else self.cut_after
        return cut


class _Wire:
    def __init__(self, watched: Watched, real: Channel) -> None:
        self._watched, self._real = watched, real
        self.certificate, self.remote, self.protocol = real.certificate, real.remote, real.protocol

    async def send(self, frame: bytes) -> None:
        await self._real.send(frame)

    async def receive(self) -> bytes:
        frame = await self._real.receive()
        if self.protocol != PAIRING and self._watched.count(frame):
            await self._real.close()
            raise Closed
        return frame

    async def close(self) -> None:
        await self._real.close()


class Desk:
    def __init__(self, workspace: Workspace, network: Watched, home: Path) -> None:
        self.workspace, self.network = workspace, network
        self.peers = PeerService(workspace, home=home, transport=network)

    async def host(self) -> str:
        return str((await self.peers.host(trust_link=True, listen="127.0.0.1", port=0))["link"])

    async def join(self, link: str = "") -> None:
        await self.peers.join(link, yes=True, listen="127.0.0.1", port=0)

    async def until(self, holds: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        """The first status of which ``holds`` is true."""
        found = self.peers.status()
        try:
            async with asyncio.timeout(SECONDS_MAX):
                while not holds(found):
                    found = await self.peers.changed(found["revision"], 1)
        except TimeoutError:
            raise AssertionError(f"{found} {self.network.came}") from None
        return found

    async def holds_what(self, other: Desk) -> None:
        """Until it has every bundle that the other has."""
        async with asyncio.timeout(SECONDS_MAX):
            while await self.bundles() != await other.bundles():
                await self.peers.changed(self.peers.status()["revision"], 0.1)

    async def until_held(self, count: int) -> None:
        """Until so many bundles are held for review here."""
        async with asyncio.timeout(SECONDS_MAX):
            while len(await self.workspace.held()) != count:
                await self.peers.changed(self.peers.status()["revision"], 0.1)

    async def bundles(self) -> list[str]:
        rows = await self.workspace.on_thread(lambda it: [row.id for row in it.storage.bundles()])
        return sorted(rows)

    def said(self) -> str:
        return "\n".join(one["sentence"] for one in self.peers.status()["events"])


def verify_ahead(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Every bundle's signature is verified by the other process, however few come. What that said."""
    said: list[bool] = []

    class Ahead(Checking):
        def begin(self, bundles: Sequence[SignedBundle]) -> asyncio.Future[bool]:
            async def waited() -> bool:
                while (verdict := Checking.begin(self, bundles)) is None:
                    await asyncio.sleep(0.005)
                said.append(await verdict)
                return said[-1]

            return asyncio.ensure_future(waited())

    monkeypatch.setattr(checking, "MANY", 0)
    monkeypatch.setattr(hosting, "Checking", Ahead)
    return said


@asynccontextmanager
async def desk(folder: Path, name: str, *, of: str = "", place: str = "") -> AsyncIterator[Desk]:
    """With a new production, or with an empty copy of the one with the id ``of``; what is there already is kept.

    ``place``: its folder, where that isn't called as the person.
    """
    where, who = folder / (place or name), identity(name)
    if not where.exists():
        if of:
            empty_copy(where, of)
        else:
            await Workspace.create(where, name="Hamlet", schemas=[CUES], identity_=who)
    home = folder / f"{name}-home"
    async with Workspace.open(where, identity_=who, home=home) as workspace, anyio.create_task_group() as tasks:
        one = Desk(workspace, Watched(home), home)
        tasks.start_soon(one.peers.run)
        await anyio.sleep(0)  # it has begun
        try:
            yield one
        finally:
            one.peers.close()
            tasks.cancel_scope.cancel()


async def fill(workspace: Workspace, count: int, size: int = 20) -> None:
    """``count`` bundles, each a cue with a label of ``size`` letters."""
    for start in range(0, count, 100):
        async with anyio.create_task_group() as tasks:
            for number in range(start, min(start + 100, count)):
                label = f"{number:06d}-{workspace.replica[:4]}".ljust(size, "x")
                made = CreateEntity(entity=f"cue_{number}", facets={ROOT: {"label": label}})
                tasks.start_soon(workspace.commit, [made])


__all__ = ["HERE", "Desk", "OpenprodError", "Watched", "desk", "fill", "verify_ahead"]
