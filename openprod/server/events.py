"""Commits, and changes of the session, as server-sent events: encoded once, put into every listener's bounded queue."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import anyio
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from openprod.engine.events import Committed, Feed
from openprod.server.answers import NEVER_KEPT, encode

QUEUE_EVENTS_MAX: Final = 1024
KEEPALIVE_S: Final = 15.0
_FOLLOW_S: Final = 3600.0
HELLO: Final = b"retry: 1000\n: listening\n\n"
ALIVE: Final = b": still here\n\n"


class Listener:
    """One page or program that listens. One that falls behind is closed: it connects again and asks for all.

    ``latest_only``: it is only woken by what comes, so it can't fall behind.
    """

    def __init__(self, queue_events_max: int, *, latest_only: bool = False) -> None:
        self._waiting: deque[bytes] = deque()
        self._latest_only = latest_only
        self._max = queue_events_max
        self._woken = anyio.Event()
        self.closed = False

    def put(self, frame: bytes) -> None:
        if self._latest_only:
            self._waiting.clear()
        if len(self._waiting) >= self._max:
            self._waiting.clear()
            self.close()
        if not self.closed:
            self._waiting.append(frame)
            self._woken.set()

    def close(self) -> None:
        self.closed = True
        self._woken.set()

    def wake(self) -> None:
        self._woken.set()

    async def take(self, wait_s: float) -> bytes:
        """What has come since, joined; b"" when nothing came in ``wait_s`` or the listener is closed."""
        with anyio.move_on_after(wait_s):
            await self._woken.wait()
        frames = b"".join(self._waiting)
        self._waiting.clear()
        if not self.closed:
            self._woken = anyio.Event()
        return frames


class Stream(StreamingResponse):
    """Server-sent events. ``ended`` is called in any case: who goes away at once never begins to read ``frames``, and
    what stands in a generator that never began isn't run."""

    def __init__(self, frames: AsyncIterator[bytes], ended: Callable[[], None]) -> None:
        self.frames = frames
        super().__init__(frames, media_type="text/event-stream", headers=NEVER_KEPT)
        self._ended = ended

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._ended()


class EventHub:
    def __init__(
        self, feed: Feed, *, queue_events_max: int = QUEUE_EVENTS_MAX, keepalive_s: float = KEEPALIVE_S
    ) -> None:
        self._listeners: set[Listener] = set()
        self._queue_events_max = queue_events_max
        self._keepalive_s = keepalive_s
        self._closed = False
        self._unsubscribe = feed.subscribe(self._committed)

    @property
    def listeners(self) -> int:
        return len(self._listeners)

    def listen(self, *, allowed: Callable[[], bool]) -> Stream:
        """The stream of one listener, from now on. It ends when ``allowed`` no longer holds."""
        listener = self._new()
        return Stream(self._stream(listener, allowed), lambda: self._listeners.discard(listener))

    def _new(self, *, latest_only: bool = False) -> Listener:
        listener = Listener(self._queue_events_max, latest_only=latest_only)
        self._listeners.add(listener)
        if self._closed:  # the node began to stop while this was asked for
            listener.close()
        return listener

    async def _stream(self, listener: Listener, allowed: Callable[[], bool]) -> AsyncIterator[bytes]:
        yield HELLO
        while not listener.closed:
            frames = await listener.take(self._keepalive_s)
            if not allowed():
                return
            if frames or not listener.closed:
                yield frames or ALIVE

    def recheck(self) -> None:
        """Let every stream look at once whether it is still allowed."""
        for listener in self._listeners:
            listener.wake()

    @property
    def keepalive_s(self) -> float:
        return self._keepalive_s

    @contextmanager
    def attached(self) -> Iterator[Listener]:
        """A listener for a stream of another kind: woken by each commit, closed when the node stops."""
        listener = self._new(latest_only=True)
        try:
            yield listener
        finally:
            self._listeners.discard(listener)

    def close(self) -> None:
        """End every stream."""
        self._closed = True
        self._unsubscribe()
        for listener in self._listeners:
            listener.close()

    def _committed(self, event: Committed) -> None:
        if not self._listeners:
            return
        data = {
            "bundle": event.bundle,
            "actor": {
                "user": event.actor.user, "name": event.actor.name, "device": event.actor.device,
                "via": event.actor.via,
            },
            "intent": event.intent, "conflicts": event.conflicts, "entities": event.entities,
            "documents": sorted({document for document, _update in event.updates}),
        }  # fmt: skip
        self._tell("commit", data)

    async def follow_session(self, changed: Callable[[int, float], Awaitable[dict[str, Any]]]) -> None:
        """Tell of every other session than the one before, until cancelled. ``changed``: that of a ``PeerService``."""
        revision = (await changed(-1, 0))["revision"]
        while not self._closed:
            found = (await changed(revision, _FOLLOW_S))["revision"]
            if found != revision:
                revision = found
                self._tell("session", {"revision": revision})

    def _tell(self, name: str, data: dict[str, Any]) -> None:
        frame = b"event: " + name.encode() + b"\ndata: " + encode(data) + b"\n\n"
        for listener in list(self._listeners):
            listener.put(frame)
            if listener.closed:
                self._listeners.discard(listener)
