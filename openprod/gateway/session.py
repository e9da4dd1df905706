"""One WebSocket of a third-party Yjs program, and its channels: one per document (y-websocket has exactly one).

A channel keeps no queue of messages: it holds flags and positions that say what its client lacks, and the session's
one writer turns them into frames when the socket takes them. So a slow client costs nothing but its position, and
what waits is coalesced by itself. The order of what a client is told:

1. SyncStep1: "what have you?" No state before its SyncStep2 has come and is durable: a client that collects garbage
   would otherwise drop its own losing offline values before telling us.
2. SyncStep2 with what it lacks, then each committed update of others, in commit order.
3. That its own updates are durable.

Updates of one connection are submitted in order and without waiting for each other; what was received is committed
whatever becomes of the socket.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable

from openprod.core.bundles import Actor
from openprod.engine.events import Receipt
from openprod.engine.reuse import ReusedClientId
from openprod.engine.tokens import Grant
from openprod.engine.workspace import Workspace
from openprod.errors import (
    Denied,
    LimitExceeded,
    MalformedUpdate,
    NotFound,
    OpenprodError,
    StorageError,
)
from openprod.gateway import protocol
from openprod.gateway.frames import WriteFrames
from openprod.gateway.limits import Limits
from openprod.gateway.presence import Participant
from openprod.gateway.protocol import Kind
from openprod.gateway.room import Room
from openprod.gateway.viewing import holds_news

_log = logging.getLogger(__name__)

Send = Callable[[bytes], Awaitable[None]]

# y-websocket takes 4400–4499 for final and reconnects after every other code.
BAD_TOKEN = 4401
REVOKED = 4403
STOPPING = 1012
TRY_AGAIN_LATER = 1013
_CLOSE_CODES: list[tuple[type[OpenprodError], int]] = [
    (MalformedUpdate, 4400),
    (LimitExceeded, 4413),
    (ReusedClientId, 4409),
    (Denied, 4403),
    (NotFound, 4404),
    (StorageError, 4503),
]
_REASON_BYTES_MAX = 123


class Channel:
    """One document on one socket."""

    def __init__(
        self, session: YjsSession, room: Room, *, token: str, grant: Grant, actor: Actor, address: str | None
    ) -> None:
        """``address``: the Hocuspocus address, None for y-websocket."""
        self.session = session
        self.room = room
        self.token = token
        self.actor = actor
        self.viewer = not grant.may_edit
        self.participant = Participant(actor.user, actor.name)
        self.prefix = b"" if address is None else protocol.address_prefix(address)
        self.hocuspocus = address is not None
        # What the client lacks:
        self.position: int | None = None
        self.stale_presence: set[int] = set()
        self.loading = False
        self._greeting = protocol.authenticated(viewer=self.viewer) if self.hocuspocus else b""
        self._asks = True  # it is owed our SyncStep1
        self._vector: bytes | None = None  # from its last SyncStep1
        self._answers = False  # it is owed a SyncStep2
        self._told = False  # its SyncStep2 has come and is durable
        self._denied = False
        self._presence_asked = False
        self._unsettled: deque[tuple[asyncio.Future[Receipt | None], int, bool]] = deque()
        self._durable = 0
        self._acknowledged = 0
        self._waking = False
        self._writing = False
        self._left = False
        room.enter(self)
        self.wake()

    # ---- from the client

    def receive(self, kind: Kind, payload: bytes) -> None:
        """Raises InputError when the client must go."""
        if kind is Kind.UPDATE:
            if self.viewer:
                self._deny()
            else:
                self._submit(payload, live=True)
        elif kind is Kind.AWARENESS:
            entries = protocol.read_awareness(payload, self.session.limits)
            self.room.presence_changed(self.room.presence.update(self.participant, entries), self)
        elif kind is Kind.SYNC_STEP1:
            protocol.read_state_vector(payload)
            # Hocuspocus programs count on being asked back each time: the answer's status is what they wait for.
            self._asks = self._asks or (self.hocuspocus and self._vector is not None)
            self._vector = payload
            self._answers = True
            self.wake()
        elif kind is Kind.SYNC_STEP2:
            if self.viewer:
                self.session.check_viewer_state(self, payload)
            else:
                self._submit(payload, live=False)
        elif kind is Kind.QUERY_AWARENESS:
            self.stale_presence.update(self.room.presence.clients)
            self._presence_asked = True
            self.wake()

    def _submit(self, update: bytes, *, live: bool) -> None:
        future = self.session.workspace.enqueue_update(
            self.room.document,
            update,
            actor=self.actor,
            origin=self,
            live=live,
            seen=None if live else self._vector,
        )
        self._unsettled.append((future, len(update), live))
        self.session.undurable(1, len(update))
        future.add_done_callback(self._settle)

    def _settle(self, _: asyncio.Future[Receipt | None]) -> None:
        """Count what is durable, as far as there is no gap."""
        while self._unsettled and self._unsettled[0][0].done():
            future, size, live = self._unsettled.popleft()
            self.session.undurable(-1, -size)
            if future.cancelled():
                self.session.close(STOPPING, "The node is stopping.")
                continue
            if (error := future.exception()) is not None:
                self.session.fail(error)
                continue
            self._durable += 1
            if not live:
                self._told = True
            receipt = future.result()
            if receipt is not None and receipt.waiting and self._told:
                self._asks = True  # it builds on something that never came: let it send all that we lack
        self.wake()

    def viewer_told(self, *, refused: bool) -> None:
        self._told = True
        if refused:
            self._deny()
        else:
            self._durable += 1
        self.wake()

    def _deny(self) -> None:
        self._denied = True
        self.wake()

    # ---- to the client

    def wake(self) -> None:
        if not self._waking:
            self._waking = True
            self.session.wake(self)

    def write_now(self, frames: bytes) -> bool:
        """While its writer has nothing to say; not with Hocuspocus, whose messages name the document."""
        return not (self._waking or self._writing or self.hocuspocus) and self.session.write_now(frames)

    def drop(self) -> None:
        self.position = None
        self.session.close(TRY_AGAIN_LATER, "Too slow: reconnect to catch up.")

    def leave(self) -> None:
        self._left = True
        self.position = None
        self.room.leave(self, self.participant)

    async def write(self, send: Send) -> None:
        """Bring the client up to date."""
        self._waking = False
        if self._left or self.session.closing is not None:
            return
        self._writing = True
        try:
            await self._write(send)
        finally:
            self._writing = False

    async def _write(self, send: Send) -> None:
        prefix = self.prefix
        workspace = self.session.workspace
        document = self.room.document
        if self._greeting:
            greeting, self._greeting = self._greeting, b""
            await send(prefix + greeting)
        if self._asks:
            self._asks = False
            await send(prefix + protocol.sync_step1(await workspace.state_vector(document)))
        if self.stale_presence or self._presence_asked:
            self._presence_asked = False
            clients, self.stale_presence = self.stale_presence, set()
            await send(prefix + protocol.awareness_message(self.room.presence.encode(clients)))
        if self._told and self._answers:
            await self._send_state(send)
        elif self._told and self.position is None:
            self.position = self.room.head
        while self.position is not None and self.position < self.room.head:
            for body in self.room.read(self):
                await send(prefix + body if prefix else body)
        if self._denied:
            self._denied = False
            await send(prefix + self._refusal())
        await self._acknowledge(send)

    async def _send_state(self, send: Send) -> None:
        self.loading = True
        try:
            # From here on the room keeps what is committed; the state is read after it, so that nothing falls
            # between the two (an update in both is harmless).
            self.position = self.room.head
            self._answers = False
            vector = self._vector or b"\x00"
            update = await self.session.workspace.state_as_update(self.room.document, vector)
            await send(self.prefix + protocol.sync_step2(update))
        finally:
            self.loading = False

    async def _acknowledge(self, send: Send) -> None:
        if self.hocuspocus:
            while self._acknowledged < self._durable:
                self._acknowledged += 1
                await send(self.prefix + protocol.sync_status(applied=True))
        elif self.session.acknowledges and self._acknowledged < self._durable:
            self._acknowledged = self._durable
            await send(protocol.saved(self._durable))

    def _refusal(self) -> bytes:
        if self.hocuspocus:
            return protocol.sync_status(applied=False)
        return protocol.permission_denied(
            "permission denied: this token only allows viewing, so the change was not taken.", hocuspocus=False
        )


class YjsSession:
    """A socket: what came in goes to its channels, one writer sends what they owe. ``send`` may wait; if it raises,
    the client is deaf, which stops nothing that it said. ``write_frames``: where the server has a quicker way."""

    def __init__(
        self, workspace: Workspace, limits: Limits, send: Send, *, acknowledges: bool,
        write_frames: WriteFrames | None = None,
    ) -> None:  # fmt: skip
        self.workspace = workspace
        self.limits = limits
        self.acknowledges = acknowledges
        self.channels: dict[str, Channel] = {}
        self.closing: tuple[int, str] | None = None
        self._loop = asyncio.get_running_loop()
        self.last_sent_s = self._loop.time()
        self.on_closing: Callable[[], None] = lambda: None
        self._send = send
        self._write_frames = write_frames
        self._notices: deque[bytes] = deque()
        self._woken: deque[Channel] = deque()
        self._wakeup = asyncio.Event()
        self._undurable_messages = 0
        self._undurable_bytes = 0
        self._drained = asyncio.Event()
        self._drained.set()

    # ---- reading

    def undurable(self, messages: int, size: int) -> None:
        self._undurable_messages += messages
        self._undurable_bytes += size
        limits = self.limits
        if (
            self._undurable_messages > limits.undurable_messages_max
            or self._undurable_bytes > limits.undurable_bytes_max
        ):
            self._drained.clear()
        elif (
            self._undurable_messages <= limits.undurable_messages_max // 2
            and self._undurable_bytes <= limits.undurable_bytes_max // 2
        ):
            self._drained.set()

    @property
    def congested(self) -> bool:
        """Too much of what it sent is not durable yet: don't read its socket before ``drained``."""
        return not self._drained.is_set()

    async def drained(self) -> None:
        await self._drained.wait()

    def check_viewer_state(self, channel: Channel, update: bytes) -> None:
        """A viewer's state is only looked at: is there anything in it that we would have to refuse?"""
        if update == b"\x00\x00":
            channel.viewer_told(refused=False)
            return
        task = asyncio.ensure_future(self.workspace.state_vector(channel.room.document))
        self.undurable(1, len(update))

        def compare(done: asyncio.Future[bytes]) -> None:
            self.undurable(-1, -len(update))
            try:
                channel.viewer_told(refused=holds_news(update, done.result()))
            except Exception as error:
                self.fail(error)

        task.add_done_callback(compare)

    # ---- closing

    def fail(self, error: BaseException) -> None:
        """Close for what ``error`` says. Only this socket is affected."""
        for kind, code in _CLOSE_CODES:
            if isinstance(error, kind):
                self.close(code, str(error))
                return
        if self.closing is None:
            _log.error("A Yjs connection failed", exc_info=error)
        self.close(1011, "The node could not take this. Its log says why.")

    def close(self, code: int, reason: str) -> None:
        """Stop reading and writing, and tell the client why."""
        if self.closing is not None:
            return
        self.closing = (code, reason.encode()[:_REASON_BYTES_MAX].decode(errors="ignore"))
        self._drained.set()
        self._wakeup.set()
        self.on_closing()

    def leave(self) -> None:
        """The socket is gone. What it sent is still committed."""
        for channel in self.channels.values():
            channel.leave()
        self.channels.clear()

    # ---- writing

    def wake(self, channel: Channel) -> None:
        self._woken.append(channel)
        self._wakeup.set()

    def notify(self, frame: bytes) -> None:
        """A message of the socket itself, or about a document it may not open."""
        if frame not in self._notices:
            self._notices.append(frame)
        if len(self._notices) > self.limits.documents_per_socket_max:
            self.close(TRY_AGAIN_LATER, "Too slow: reconnect to catch up.")
        self._wakeup.set()

    def keep_alive(self, now_s: float) -> None:
        """Send a data frame when nothing was sent for a while: programs reconnect after 30 s without a *message*."""
        if self.channels and now_s - self.last_sent_s >= self.limits.keepalive_s:
            self.last_sent_s = now_s
            self.notify(next(iter(self.channels.values())).prefix + protocol.EMPTY_AWARENESS)

    def write_now(self, frames: bytes) -> bool:
        """Write frames past the writer; False when that can't be."""
        if self._write_frames is None or self.closing is not None or not self._write_frames(frames):
            return False
        self.last_sent_s = self._loop.time()
        return True

    async def write(self) -> None:
        """Send until the session closes or the client is gone. Raises nothing but cancellation."""
        try:
            while True:
                await self._wakeup.wait()
                self._wakeup.clear()
                while self._notices:
                    await self._deliver(self._notices.popleft())
                while self._woken:
                    await self._woken.popleft().write(self._deliver)
                if self.closing is not None:
                    return
        except _Unreachable:
            for channel in self.channels.values():
                channel.position = None
        except Exception as error:
            self.fail(error)

    async def _deliver(self, frame: bytes) -> None:
        if self.closing is not None:
            raise _Unreachable
        try:
            await self._send(frame)
        except Exception:
            # Servers disagree about what a send to a gone client raises; whatever it is, it is about this client.
            raise _Unreachable from None
        self.last_sent_s = self._loop.time()


class _Unreachable(Exception):
    """Nothing more reaches this client: leaves a channel's writing in the middle."""
