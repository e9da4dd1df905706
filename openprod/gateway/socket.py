"""The ASGI end of the gateway: ``/yjs/<workspace id>/<document>`` for y-websocket, ``/yjs/<workspace id>`` for
Hocuspocus. Plain ASGI, no framework between the socket and the session."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from typing import Any
from urllib.parse import parse_qs

from openprod.core.bundles import Actor
from openprod.engine.events import Committed
from openprod.engine.tokens import Grant
from openprod.engine.workspace import Workspace
from openprod.errors import LimitExceeded, MalformedUpdate, OpenprodError
from openprod.gateway import protocol
from openprod.gateway.frames import EXTENSION
from openprod.gateway.limits import Limits
from openprod.gateway.protocol import Kind
from openprod.gateway.room import Room
from openprod.gateway.session import BAD_TOKEN, REVOKED, Channel, YjsSession

_log = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

NO_SUCH_DOCUMENT = 4404
_RECHECK_S = 1.0
ANY_WORKSPACE = "-"


class YjsApp:
    """Serves one workspace's documents to any Yjs program.

    ``allowed_origins``: pages served from elsewhere that may connect, as ``scheme://host[:port]``; a page from this
    node always may, and so do programs, which send none. ``check_token``: who tokens are; the workspace's own unless
    given.
    """

    def __init__(
        self,
        workspace: Workspace,
        *,
        limits: Limits | None = None,
        allowed_origins: Collection[str] = (),
        check_token: Callable[[str], Grant | None] | None = None,
    ) -> None:
        self.limits = limits or Limits()
        self._workspace = workspace
        # Looked up at each call: the workspace reads its tokens anew now and then.
        self._check_token = check_token or (lambda token: workspace.token_check(token))
        self._allowed_origins = frozenset(allowed_origins)
        self._rooms: dict[str, Room] = {}
        self._sessions: set[YjsSession] = set()
        self._unsubscribe = workspace.feed.subscribe(self._committed)
        self._forget_revoked = workspace.on_revoked(self.recheck_tokens)
        self._timer: asyncio.TimerHandle | None = None

    @property
    def connections(self) -> int:
        return len(self._sessions)

    def close(self) -> None:
        """Stop announcing, and send every client away until the node is back."""
        self._unsubscribe()
        self._forget_revoked()
        for session in list(self._sessions):
            session.close(1012, "The node is stopping.")

    def recheck_tokens(self) -> None:
        """Close the sockets whose token no longer holds: at a withdrawal, and each second for those that expire."""
        check = self._check_token
        for session in list(self._sessions):
            if any(check(channel.token) is None for channel in session.channels.values()):
                session.close(REVOKED, "This access was withdrawn.")

    # ---- ASGI

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await _say_what_this_is(send)
            return
        await receive()  # websocket.connect
        headers = {name.lower(): value for name, value in scope["headers"]}
        place = _place(scope)
        if place is None or not self._origin_allowed(headers):
            await send({"type": "websocket.close", "code": 1008})  # refuses the handshake: HTTP 403
            return
        await send({"type": "websocket.accept"})
        parameters = parse_qs(scope.get("query_string", b"").decode("latin-1"))
        token = _bearer(headers) or parameters.get("token", [""])[0]
        acknowledges = parameters.get("ack", [""])[0] == "1"

        async def send_bytes(frame: bytes) -> None:
            await send({"type": "websocket.send", "bytes": frame})

        write_frames = scope.get("extensions", {}).get(EXTENSION)
        session = YjsSession(
            self._workspace, self.limits, send_bytes, acknowledges=acknowledges, write_frames=write_frames
        )
        workspace_id, document = place
        if workspace_id not in (ANY_WORKSPACE, self._workspace.id):
            session.close(NO_SUCH_DOCUMENT, "There is no such production here.")
        elif document is not None:
            self._open_for_y_websocket(session, document, token)
        await self._run(session, document is None, token, receive, send)

    async def _run(self, session: YjsSession, multiplexed: bool, token: str, receive: Receive, send: Send) -> None:
        loop = asyncio.get_running_loop()
        self._sessions.add(session)
        self._start_timer(loop)
        deadline: asyncio.TimerHandle | None = None
        reader = asyncio.current_task()
        assert reader is not None

        gave_up = False

        def give_up() -> None:
            nonlocal gave_up
            gave_up = True
            writer.cancel()
            reader.cancel()

        async def write() -> None:
            await session.write()
            if session.closing is not None:
                code, reason = session.closing
                try:
                    await send({"type": "websocket.close", "code": code, "reason": reason})
                except Exception:
                    _log.debug("The client was gone before it could be told", exc_info=True)

        def arm() -> None:
            nonlocal deadline
            deadline = deadline or loop.call_later(self.limits.close_s, give_up)

        session.on_closing = arm
        if session.closing is not None:
            arm()
        unauthenticated = None
        if multiplexed:
            unauthenticated = loop.call_later(self.limits.authenticate_s, _close_if_unknown, session)
        writer = loop.create_task(write())
        early: dict[str, list[bytes]] = {}
        try:
            while True:
                event = await receive()
                if event["type"] == "websocket.disconnect":
                    return
                if session.closing is not None:
                    continue
                try:
                    data = event.get("bytes")
                    if data is None:
                        raise MalformedUpdate("Yjs messages are binary; this was text.")
                    if len(data) > self.limits.message_bytes_max:
                        raise LimitExceeded("The message is larger than this node takes.")
                    if multiplexed:
                        self._receive_addressed(session, data, token, early)
                    else:
                        kind, payload = protocol.read_message(data)
                        session.channels[""].receive(kind, payload)
                except OpenprodError as error:
                    session.fail(error)
                if session.congested:
                    await session.drained()
        except asyncio.CancelledError:
            if not gave_up:
                raise
            reader.uncancel()
        finally:
            for timer in (deadline, unauthenticated):
                if timer is not None:
                    timer.cancel()
            writer.cancel()
            self._sessions.discard(session)
            session.leave()
            self._drop_empty_rooms()

    # ---- who may open what

    def _open_for_y_websocket(self, session: YjsSession, document: str, token: str) -> None:
        grant = self._check_token(token)
        if grant is None:
            session.close(BAD_TOKEN, "The access token is missing, wrong, expired or withdrawn.")
        elif not self._opens(grant, document):
            session.close(NO_SUCH_DOCUMENT, f"There is no document '{document}' that this token opens.")
        else:
            session.channels[""] = self._channel(session, document, token, grant, address=None)

    def _opens(self, grant: Grant, document: str) -> bool:
        return grant.allows(document) and self._workspace.keeps(document)

    def _channel(self, session: YjsSession, document: str, token: str, grant: Grant, *, address: str | None) -> Channel:
        room = self._rooms.get(document)
        if room is None:
            room = self._rooms[document] = Room(document, self.limits)
        host = self._workspace.actor
        actor = Actor(grant.user or host.user, grant.name or host.name, host.device, via=grant.label)
        return Channel(session, room, token=token, grant=grant, actor=actor, address=address)

    def _receive_addressed(
        self, session: YjsSession, data: bytes, url_token: str, early: dict[str, list[bytes]]
    ) -> None:
        """A Hocuspocus message. ``early``: what came for a document before its token did."""
        if len(data) == 1:
            if data == protocol.PING:
                session.notify(protocol.PONG)
            elif data != protocol.PONG:
                raise MalformedUpdate("A message of one byte is neither ping nor pong.")
            return
        address, at = protocol.read_text(data, 0)
        kind, payload = protocol.read_message(data, at)
        channel = session.channels.get(address)
        if channel is None:
            if kind is Kind.TOKEN:
                self._authenticate(session, address, payload, url_token, early)
            elif kind is not Kind.CLOSE:
                self._keep_early(session, address, data, early)
        elif kind is Kind.CLOSE:
            del session.channels[address]
            channel.leave()
            self._drop_empty_rooms()
        elif kind is Kind.TOKEN:
            session.notify(channel.prefix + protocol.authenticated(viewer=channel.viewer))
        else:
            channel.receive(kind, payload)

    def _authenticate(
        self, session: YjsSession, address: str, payload: bytes, url_token: str, early: dict[str, list[bytes]]
    ) -> None:
        token = payload.decode(errors="replace") or url_token
        document = protocol.split_address(address)
        grant = self._check_token(token)
        if grant is None or not self._opens(grant, document):
            early.pop(address, None)
            reason = "The access token doesn't open this document."
            session.notify(protocol.address_prefix(address) + protocol.permission_denied(reason, hocuspocus=True))
            return
        if len(session.channels) >= self.limits.documents_per_socket_max:
            raise LimitExceeded("Too many documents on one socket.")
        channel = self._channel(session, document, token, grant, address=address)
        session.channels[address] = channel
        for data in early.pop(address, ()):
            _, at = protocol.read_text(data, 0)
            channel.receive(*protocol.read_message(data, at))

    def _keep_early(self, session: YjsSession, address: str, data: bytes, early: dict[str, list[bytes]]) -> None:
        waiting = [message for messages in early.values() for message in messages]
        if (
            len(waiting) >= self.limits.early_messages_max
            or sum(map(len, waiting)) + len(data) > self.limits.early_bytes_max
        ):
            raise LimitExceeded("Too much came before an access token.")
        early.setdefault(address, []).append(data)

    def _origin_allowed(self, headers: dict[bytes, bytes]) -> bool:
        """A page of another site must not use this node through somebody's browser."""
        origin = headers.get(b"origin")
        if origin is None:
            return True
        text = origin.decode("latin-1")
        host = headers.get(b"host", b"").decode("latin-1")
        return text in self._allowed_origins or text in (f"http://{host}", f"https://{host}")

    # ---- what goes on

    def _committed(self, event: Committed) -> None:
        for document, update in event.updates:
            room = self._rooms.get(document)
            if room is not None:
                room.announce(update, event.origin)

    def _drop_empty_rooms(self) -> None:
        for document, room in list(self._rooms.items()):
            if room.empty:
                del self._rooms[document]

    def _start_timer(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._timer is None:
            self._timer = loop.call_later(_RECHECK_S, self._tick, loop)

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        self.recheck_tokens()
        now_s = loop.time()
        for session in self._sessions:
            session.keep_alive(now_s)
        if self._sessions:
            self._start_timer(loop)


def _place(scope: Scope) -> tuple[str, str | None] | None:
    """(workspace id, document or None) of a path, None when it isn't one of ours."""
    _, found, rest = scope["path"].partition("/yjs/")
    parts = rest.strip("/").split("/")
    if not found or len(parts) > 2 or not all(parts):
        return None
    return parts[0], parts[1] if len(parts) == 2 else None


async def _say_what_this_is(send: Send) -> None:
    text = b"Yjs programs connect here with a WebSocket.\n"
    headers = [(b"content-type", b"text/plain"), (b"upgrade", b"websocket")]
    await send({"type": "http.response.start", "status": 426, "headers": headers})
    await send({"type": "http.response.body", "body": text})


def _bearer(headers: dict[bytes, bytes]) -> str:
    scheme, _, token = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _close_if_unknown(session: YjsSession) -> None:
    if not session.channels:
        session.close(BAD_TOKEN, "No access token came.")
