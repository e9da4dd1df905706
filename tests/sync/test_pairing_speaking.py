"""A spoken code over real connections: in memory, and by WebSocket over TLS with somebody in between."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import anyio
import pytest

from openprod.core.ids import device_id
from openprod.errors import Denied, OpenprodError, Unreachable
from openprod.sync import certificates, speaking
from openprod.sync.memory_transport import MemoryNetwork
from openprod.sync.spoken import Codes, Confirm, Me, Paired
from openprod.sync.transport import PAIRING, Channel, Closed, Transport, WebSocketTransport

SECONDS_MAX = 60
HOST = Me(b"h" * 32, "Helen", "Helens laptop")
GUEST = Me(b"g" * 32, "Gus", "Gus's tablet")


@pytest.fixture(params=["memory", "websocket"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], Transport]:
    network = MemoryNetwork()
    if request.param == "memory":
        return network.transport
    return lambda name: WebSocketTransport(certificates.load(tmp_path / name))


async def yes(_asked: Confirm) -> bool:
    return True


async def no(_asked: Confirm) -> bool:
    return False


class Host:
    """Answers one connection; ``paired`` are those it took in, ``outcome`` what came of it."""

    def __init__(self, transport: Transport, confirm: Callable[[Confirm], Awaitable[bool]] = yes) -> None:
        self.transport, self._confirm = transport, confirm
        self.codes = Codes(random_bytes=secrets.token_bytes, now_ms=lambda: 0)
        self.paired: list[Paired] = []
        self.outcome: asyncio.Future[Paired | OpenprodError] = asyncio.get_running_loop().create_future()

    async def accepted(self, channel: Channel) -> None:
        assert channel.protocol == PAIRING
        try:
            found: Paired | OpenprodError = await speaking.answer(
                channel, self.codes, HOST, workspace="ws_1", title="Hamlet", confirm=self._confirm,
                paired=self.paired.append,
            )  # fmt: skip
        except OpenprodError as error:
            found = error
        self.outcome.set_result(found)


async def ask(
    transport: Transport, port: int, code: str, confirm: Callable[[Confirm], Awaitable[bool]] = yes
) -> Paired:
    channel = await transport.call("127.0.0.1", port, protocol=PAIRING)
    return await speaking.ask(channel, code, GUEST, confirm=confirm, random_bytes=secrets.token_bytes)


def run(scene: Callable[[], Awaitable[None]]) -> None:
    async def play() -> None:
        with anyio.fail_after(SECONDS_MAX):
            await scene()

    anyio.run(play)


def test_two_pair_over_a_connection(make: Callable[[str], Transport]) -> None:
    async def scene() -> None:
        host = Host(make("host"))
        listening = await host.transport.listen("127.0.0.1", 0, host.accepted)
        found = await ask(make("guest"), listening.port, host.codes.make())
        assert found.device == device_id(HOST.key)
        assert found.certificate == host.transport.certificate
        theirs = await host.outcome
        assert isinstance(theirs, Paired)
        assert host.paired == [theirs]
        assert (theirs.key, theirs.device) == (found.key, device_id(GUEST.key))
        await listening.close()

    run(scene)


@pytest.mark.parametrize("who", ["guest", "host"])
def test_one_person_says_no(make: Callable[[str], Transport], who: str) -> None:
    async def scene() -> None:
        host = Host(make("host"), no if who == "host" else yes)
        listening = await host.transport.listen("127.0.0.1", 0, host.accepted)
        with pytest.raises(Denied):
            await ask(make("guest"), listening.port, host.codes.make(), no if who == "guest" else yes)
        assert isinstance(await host.outcome, Denied)
        assert host.paired == []
        await listening.close()

    run(scene)


def test_who_is_asked_is_told_when_the_other_side_gives_up(make: Callable[[str], Transport]) -> None:
    async def scene() -> None:
        shown = asyncio.Event()

        async def forever(_asked: Confirm) -> bool:
            shown.set()
            await anyio.sleep_forever()
            return True

        host = Host(make("host"), forever)
        listening = await host.transport.listen("127.0.0.1", 0, host.accepted)
        asking = asyncio.ensure_future(ask(make("guest"), listening.port, host.codes.make()))
        await shown.wait()
        asking.cancel()
        with suppress(asyncio.CancelledError):
            await asking
        assert isinstance(await host.outcome, Unreachable)
        assert host.paired == []
        await listening.close()

    run(scene)


def test_somebody_in_between_is_found(make: Callable[[str], Transport]) -> None:
    """Who answers in the host's place and passes everything on both ways gets no further than a wrong code."""

    async def scene() -> None:
        host, between = Host(make("host")), make("between")
        listening = await host.transport.listen("127.0.0.1", 0, host.accepted)
        passed: list[bytes] = []

        async def pass_on(source: Channel, target: Channel) -> None:
            with suppress(Closed):
                while True:
                    frame = await source.receive()
                    passed.append(frame)
                    await target.send(frame)
            await target.close()

        async def accepted(channel: Channel) -> None:
            onward = await between.call("127.0.0.1", listening.port, protocol=PAIRING)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(pass_on, channel, onward)
                tasks.start_soon(pass_on, onward, channel)

        trap = await between.listen("127.0.0.1", 0, accepted)
        with pytest.raises(Denied, match="wasn't the code"):
            await ask(make("guest"), trap.port, host.codes.make())
        assert isinstance(await host.outcome, Denied)
        assert host.paired == []
        assert passed
        assert not any(name in frame for frame in passed for name in (b"Hamlet", b"Helen", b"Gus"))
        await trap.close()
        await listening.close()

    run(scene)
