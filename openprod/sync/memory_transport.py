"""A network within one process, for tests: it behaves as the real transport does, without sockets and TLS."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from typing import Final, TypeAlias

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from websockets.typing import Subprotocol

from openprod.errors import InputError, Unreachable, Untrusted
from openprod.sync.transport import SESSION, Accepted, Channel, Closed, Listening
from openprod.sync.wire import FRAME_BYTES_MAX

FRAMES_WAITING_MAX: Final = 16
_FIRST_PORT: Final = 40_000
_Sends: TypeAlias = MemoryObjectSendStream[bytes]
_Receives: TypeAlias = MemoryObjectReceiveStream[bytes]


class MemoryNetwork:
    """``listening``: {port: who listens there}; all on one address, as on a loopback interface."""

    def __init__(self) -> None:
        self.listening: dict[int, _Listening] = {}

    def transport(self, name: str) -> MemoryTransport:
        return MemoryTransport(self, hashlib.sha256(name.encode()).digest())


class _Channel:
    """``hung_up``: the end that the other one sends into; closing it ends a ``receive`` that waits here."""

    def __init__(
        self, sends: _Sends, receives: _Receives, hung_up: _Sends, certificate: bytes, protocol: str
    ) -> None:  # fmt: skip
        self._sends, self._receives, self._hung_up = sends, receives, hung_up
        self.certificate, self.remote, self.protocol = certificate, "127.0.0.1", protocol

    async def send(self, frame: bytes) -> None:
        if len(frame) > FRAME_BYTES_MAX:
            await self.close()
            raise Closed
        try:
            await self._sends.send(frame)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
            raise Closed from error

    async def receive(self) -> bytes:
        try:
            return await self._receives.receive()
        except (anyio.EndOfStream, anyio.ClosedResourceError) as error:
            self._receives.close()
            raise Closed from error

    async def close(self) -> None:
        self._sends.close()
        self._hung_up.close()
        if not self._receives.statistics().tasks_waiting_receive:
            self._receives.close()


class _Listening:
    def __init__(self, network: MemoryNetwork, port: int, accepted: Accepted, certificate: bytes) -> None:
        self._network, self.port, self._accepted, self.certificate = network, port, accepted, certificate
        self._tasks: dict[asyncio.Task[None], Channel] = {}

    def accept(self, channel: Channel) -> None:
        async def serve() -> None:
            try:
                await self._accepted(channel)
            finally:
                await channel.close()

        task = asyncio.get_running_loop().create_task(serve())
        self._tasks[task] = channel
        task.add_done_callback(lambda done: self._tasks.pop(done, None))

    async def close(self) -> None:
        self._network.listening.pop(self.port, None)
        for channel in list(self._tasks.values()):
            await channel.close()
        if self._tasks:
            await asyncio.wait(list(self._tasks))


class MemoryTransport:
    def __init__(self, network: MemoryNetwork, certificate: bytes) -> None:
        self._network, self.certificate = network, certificate

    async def listen(self, host: str, port: int, accepted: Accepted) -> Listening:
        taken = self._network.listening
        port = port or next(number for number in range(_FIRST_PORT, 65536) if number not in taken)
        if port in taken:
            raise InputError(f"Other devices can't be listened for on port {port}: it is in use.")
        taken[port] = _Listening(self._network, port, accepted, self.certificate)
        return taken[port]

    async def call(self, host: str, port: int, pin: bytes = b"", *, protocol: Subprotocol = SESSION) -> Channel:
        called = self._network.listening.get(port)
        if called is None:
            raise Unreachable(f"Nobody answers at {host}:{port}.")
        if pin and not hmac.compare_digest(pin, called.certificate):
            raise Untrusted(f"Another device answers at {host}:{port} than the one that the link is of.")
        there, back = (anyio.create_memory_object_stream[bytes](FRAMES_WAITING_MAX) for _ in range(2))
        called.accept(_Channel(back[0], there[1], there[0], called.certificate, protocol))
        return _Channel(there[0], back[1], back[0], called.certificate, protocol)
