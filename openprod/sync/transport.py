"""Connections between nodes: WebSocket over TLS 1.3, one binary frame for one message.

Two subprotocols: ``openprod.1`` is a session, ``openprod-pair.1`` is what comes before one (``openprod.sync.spoken``).

``Transport`` is what the service needs of any network; ``WebSocketTransport`` is the real one,
``openprod.sync.memory_transport`` one within a process. Both pass the same tests.

Frames are bounded before they are held in memory, and nothing is compressed: a compressed frame would tell by its
length what is in it, and could unfold to more than was agreed.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final, Protocol

from websockets.asyncio.client import connect
from websockets.asyncio.connection import Connection
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.frames import CloseCode
from websockets.typing import Subprotocol

from openprod.errors import InputError, Unreachable, Untrusted
from openprod.sync.certificates import Certificate, client_context
from openprod.sync.wire import FRAME_BYTES_MAX

SESSION: Final = Subprotocol("openprod.1")
PAIRING: Final = Subprotocol("openprod-pair.1")
_PROTOCOLS: Final = (SESSION, PAIRING)
PATH: Final = "/peer"
OPEN_S: Final = 8.0
CLOSE_S: Final = 3.0
FRAMES_WAITING_MAX: Final = 16

_log = logging.getLogger(__name__)
_quiet = logging.getLogger("openprod.sync.websockets")
_quiet.setLevel(logging.CRITICAL)  # strangers who send garbage are no news


class Closed(Exception):
    """The connection has ended. Says why where that is more than that it did."""


class Channel(Protocol):
    """One connection. ``certificate``: SHA-256 of the called side's, as this end saw it. ``remote``: the other's IP.
    ``protocol``: ``SESSION`` or ``PAIRING``, as the caller asked for.
    """

    certificate: bytes
    remote: str
    protocol: str

    async def send(self, frame: bytes) -> None:
        """Returns once there is room for more. Raises Closed."""

    async def receive(self) -> bytes:
        """The next frame, at most 256 KiB. Raises Closed."""

    async def close(self) -> None:
        """After what was sent. Never raises."""


class Listening(Protocol):
    port: int

    async def close(self) -> None: ...


Accepted = Callable[[Channel], Awaitable[None]]


class Transport(Protocol):
    certificate: bytes

    async def listen(self, host: str, port: int, accepted: Accepted) -> Listening:
        """``accepted`` is called with each connection and ends it by returning. Raises InputError."""

    async def call(self, host: str, port: int, pin: bytes = b"", *, protocol: Subprotocol = SESSION) -> Channel:
        """``pin``: the SHA-256 that the other's certificate must have. Raises Unreachable, Untrusted."""


class _WebSocket:
    def __init__(self, socket: Connection, certificate: bytes) -> None:
        self._socket = socket
        self.certificate = certificate
        self.protocol = str(socket.subprotocol)
        self.remote = str((socket.remote_address or ("",))[0])

    async def send(self, frame: bytes) -> None:
        try:
            await self._socket.send(frame)
        except ConnectionClosed as error:
            raise Closed from error

    async def receive(self) -> bytes:
        try:
            frame = await self._socket.recv()
        except ConnectionClosed as error:
            too_large = error.sent is not None and error.sent.code == CloseCode.MESSAGE_TOO_BIG
            raise Closed("A message is larger than any this program sends." if too_large else "") from error
        if not isinstance(frame, bytes):
            await self.close()
            raise Closed("A message isn't one of ours.")
        return frame

    async def close(self) -> None:
        with suppress(Exception):
            await self._socket.close()


class _Server:
    def __init__(self, server: Server) -> None:
        self._server = server
        self.port = int(next(iter(server.sockets)).getsockname()[1])

    async def close(self) -> None:
        self._server.close()
        await self._server.wait_closed()


class WebSocketTransport:
    def __init__(self, certificate: Certificate) -> None:
        self._certificate = certificate
        self.certificate = certificate.hash

    async def listen(self, host: str, port: int, accepted: Accepted) -> Listening:
        async def handle(socket: ServerConnection) -> None:
            if socket.subprotocol not in _PROTOCOLS:
                return
            channel = _WebSocket(socket, self.certificate)
            try:
                await accepted(channel)
            except Exception:
                _log.exception("a connection from %s failed", channel.remote)

        try:
            server = await serve(
                handle, host or None, port, ssl=self._certificate.server_context(), subprotocols=_PROTOCOLS,
                process_request=_only_peers, server_header=None, ssl_handshake_timeout=OPEN_S, **_BOUNDS,
            )  # fmt: skip
        except (OSError, OverflowError) as error:
            raise InputError(
                f"Other devices can't be listened for on {host or 'this device'}, port {port}: "
                f"{getattr(error, 'strerror', None) or error}.",
                hint="Choose another port; 0 picks a free one.",
            ) from error
        return _Server(server)

    async def call(self, host: str, port: int, pin: bytes = b"", *, protocol: Subprotocol = SESSION) -> Channel:
        shown = f"[{host}]" if ":" in host else host
        try:
            socket = await connect(
                f"wss://{shown}:{port}{PATH}", ssl=client_context(), subprotocols=[protocol], proxy=None,
                user_agent_header=None, **_BOUNDS,
            )  # fmt: skip
        except (OSError, WebSocketException, ValueError, EOFError) as error:
            raise Unreachable(
                f"Nobody answers at {shown}:{port}.",
                hint="Is the other device on the same network, and is it hosting? Its firewall may be in the way.",
            ) from error
        channel = _WebSocket(socket, _hash_of(socket))
        if socket.subprotocol != protocol:
            await channel.close()
            raise Unreachable(f"What answers at {shown}:{port} isn't a device that hosts.")
        if pin and not hmac.compare_digest(pin, channel.certificate):
            await channel.close()
            raise Untrusted(
                f"Another device answers at {shown}:{port} than the one that the link is of.",
                hint="Ask for a new link. If this goes on, somebody may be listening on this network.",
            )
        return channel


_BOUNDS: Final[dict[str, Any]] = {
    "max_size": FRAME_BYTES_MAX, "max_queue": FRAMES_WAITING_MAX, "compression": None, "ping_interval": None,
    "open_timeout": OPEN_S, "close_timeout": CLOSE_S, "logger": _quiet,
}  # fmt: skip


def _only_peers(connection: ServerConnection, request: Any) -> Any:
    # A web page always says where it is from; a node never does.
    if request.path != PATH or request.headers.get_all("Origin"):
        return connection.respond(404, "Nothing is here.\n")
    return None


def _hash_of(socket: Connection) -> bytes:
    secured: ssl.SSLObject | None = socket.transport.get_extra_info("ssl_object")
    found = secured.getpeercert(binary_form=True) if secured is not None else None
    return hashlib.sha256(found).digest() if found else b""
