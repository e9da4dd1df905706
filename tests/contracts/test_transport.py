"""What every transport between nodes promises; each test runs on the one in memory and on WebSocket over TLS."""

from __future__ import annotations

import asyncio
import ssl
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import websockets.asyncio.client
from websockets.exceptions import InvalidStatus

from openprod.errors import DamagedFile, InputError, Unreachable, Untrusted
from openprod.sync import certificates
from openprod.sync.memory_transport import MemoryNetwork
from openprod.sync.transport import Channel, Closed, Transport, WebSocketTransport
from openprod.sync.wire import FRAME_BYTES_MAX

SECONDS_MAX = 30
Scene = Callable[[Transport, Transport], Awaitable[None]]


def run(kind: str, folder: Path, scene: Scene) -> None:
    """``scene`` gets the transports of two devices."""
    network = MemoryNetwork()

    def make(name: str) -> Transport:
        if kind == "memory":
            return network.transport(name)
        return WebSocketTransport(certificates.load(folder / name))

    async def play() -> None:
        await asyncio.wait_for(scene(make("alex"), make("jordan")), SECONDS_MAX)

    asyncio.run(play())


@pytest.fixture(params=["memory", "websocket"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@asynccontextmanager
async def pair(called: Transport, calling: Transport) -> AsyncIterator[tuple[Channel, Channel]]:
    """(the caller's end, the called one's)."""
    came: asyncio.Future[Channel] = asyncio.get_running_loop().create_future()
    over = asyncio.Event()

    async def accepted(channel: Channel) -> None:
        came.set_result(channel)
        await over.wait()

    listening = await called.listen("127.0.0.1", 0, accepted)
    try:
        caller = await calling.call("127.0.0.1", listening.port, called.certificate)
        yield caller, await came
        await caller.close()
    finally:
        over.set()
        await listening.close()


def test_frames_come_whole_and_in_order_both_ways(kind: str, tmp_path: Path) -> None:
    async def scene(alex: Transport, jordan: Transport) -> None:
        async with pair(alex, jordan) as (caller, called):
            frames = [b"", b"one", bytes(FRAME_BYTES_MAX), *(b"%d" % number for number in range(100))]
            for one, other in ((caller, called), (called, caller)):
                sending = asyncio.ensure_future(_send(one, frames))
                assert [await other.receive() for _ in frames] == frames
                await sending

    run(kind, tmp_path, scene)


async def _send(channel: Channel, frames: list[bytes]) -> None:
    for frame in frames:
        await channel.send(frame)


def test_both_ends_see_the_certificate_of_who_was_called(kind: str, tmp_path: Path) -> None:
    async def scene(alex: Transport, jordan: Transport) -> None:
        assert alex.certificate != jordan.certificate
        async with pair(alex, jordan) as (caller, called):
            assert caller.certificate == called.certificate == alex.certificate
            assert called.remote == "127.0.0.1"

    run(kind, tmp_path, scene)


def test_what_was_sent_before_closing_arrives(kind: str, tmp_path: Path) -> None:
    async def scene(alex: Transport, jordan: Transport) -> None:
        async with pair(alex, jordan) as (caller, called):
            await caller.send(b"last words")
            closing = asyncio.ensure_future(caller.close())
            assert await called.receive() == b"last words"
            with pytest.raises(Closed):
                await called.receive()
            await closing
            with pytest.raises(Closed):
                await caller.send(b"too late")
            with pytest.raises(Closed):
                await caller.receive()

    run(kind, tmp_path, scene)


def test_a_frame_that_is_too_large_ends_the_connection(kind: str, tmp_path: Path) -> None:
    async def scene(alex: Transport, jordan: Transport) -> None:
        async with pair(alex, jordan) as (caller, called):
            with suppress(Closed):
                await caller.send(bytes(FRAME_BYTES_MAX + 1))
            with pytest.raises(Closed):
                await called.receive()

    run(kind, tmp_path, scene)


def test_who_reads_nothing_holds_the_sender_up(kind: str, tmp_path: Path) -> None:
    """Nothing piles up in memory: the sender waits."""

    async def scene(alex: Transport, jordan: Transport) -> None:
        async with pair(alex, jordan) as (caller, called):
            sent = 0

            async def flood() -> None:
                nonlocal sent
                while sent < 400:
                    await caller.send(bytes(FRAME_BYTES_MAX))
                    sent += 1

            flooding = asyncio.ensure_future(flood())
            await called.receive()
            before = -1
            while before != sent:  # until it doesn't get on any more
                before = sent
                for _ in range(1000):
                    await asyncio.sleep(0)
            assert sent < 400
            for _ in range(399):
                await called.receive()
            await flooding

    run(kind, tmp_path, scene)


def test_nobody_there(kind: str, tmp_path: Path) -> None:
    async def scene(alex: Transport, jordan: Transport) -> None:
        async def accepted(channel: Channel) -> None:
            raise AssertionError("nobody calls")

        listening = await alex.listen("127.0.0.1", 0, accepted)
        with pytest.raises(InputError):
            await jordan.listen("127.0.0.1", listening.port, accepted)
        await listening.close()
        with pytest.raises(Unreachable):
            await jordan.call("127.0.0.1", listening.port)

    run(kind, tmp_path, scene)


def test_another_certificate_than_the_pinned_one(kind: str, tmp_path: Path) -> None:
    async def scene(alex: Transport, jordan: Transport) -> None:
        came: list[Channel] = []

        async def accepted(channel: Channel) -> None:
            came.append(channel)

        listening = await alex.listen("127.0.0.1", 0, accepted)
        with pytest.raises(Untrusted):
            await jordan.call("127.0.0.1", listening.port, jordan.certificate)
        await listening.close()

    run(kind, tmp_path, scene)


def test_closing_ends_every_connection(kind: str, tmp_path: Path) -> None:
    async def scene(alex: Transport, jordan: Transport) -> None:
        ended = asyncio.Event()

        async def accepted(channel: Channel) -> None:
            with pytest.raises(Closed):
                await channel.receive()
            ended.set()

        listening = await alex.listen("127.0.0.1", 0, accepted)
        caller = await jordan.call("127.0.0.1", listening.port)
        closing = asyncio.ensure_future(listening.close())
        with pytest.raises(Closed):
            await caller.receive()
        await closing
        await ended.wait()

    run(kind, tmp_path, scene)


# -- the real one only -------------------------------------------------------------------------------------


def test_only_tls_1_3_and_only_nodes(tmp_path: Path) -> None:
    """INV-PEER-7"""

    async def scene(alex: Transport, jordan: Transport) -> None:
        async def accepted(channel: Channel) -> None:
            await channel.receive()

        listening = await alex.listen("127.0.0.1", 0, accepted)
        old = certificates.client_context()
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asyncio.open_connection("127.0.0.1", listening.port, ssl=old)
        for path, origin in (("/peer", "https://stranger.example"), ("/other", None)):
            with pytest.raises(InvalidStatus) as refused:
                await websockets.asyncio.client.connect(
                    f"wss://127.0.0.1:{listening.port}{path}", ssl=certificates.client_context(), origin=origin,
                    subprotocols=["openprod.1"],
                )  # fmt: skip
            assert refused.value.response.status_code == 404
        channel = await jordan.call("127.0.0.1", listening.port)
        await channel.close()
        await listening.close()

    run("websocket", tmp_path, scene)


def test_the_certificate_is_made_once_and_is_its_owners_only(tmp_path: Path) -> None:
    first = certificates.load(tmp_path / "home")
    assert certificates.load(tmp_path / "home").hash == first.hash
    assert stat.S_IMODE(first.file.stat().st_mode) == 0o600
    first.file.write_bytes(b"-----BEGIN CERTIFICATE-----\nnonsense\n")
    with pytest.raises(DamagedFile):
        certificates.load(tmp_path / "home")
