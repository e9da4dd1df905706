"""One document's live readers: what was committed, in commit order, and who is here.

Nothing is copied per reader. The room keeps the last committed updates as a numbered log of batches (a batch is what
became durable together); a reader is a position in that log. A reader that keeps up gets each batch as one frame,
whose bytes all readers share, at once; one whose socket was busy finds several batches ahead of its position and gets
them as one coalesced update. A reader too far behind is dropped; its program resynchronises.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Protocol

from pycrdt import merge_updates

from openprod.gateway import protocol
from openprod.gateway.frames import frame
from openprod.gateway.limits import Limits
from openprod.gateway.presence import Participant, Presence

_log = logging.getLogger(__name__)

_BATCHES_PER_FRAME = 64
_BYTES_PER_FRAME = 256 * 1024
# merge_updates is superlinear in the number of updates: 512 at once 1.7 ms, by 32 and then the results 0.7 ms.
_MERGED_AT_ONCE = 32


class Reader(Protocol):
    """A connection in this document. ``position``: number of its next batch, None before it has the state."""

    position: int | None
    stale_presence: set[int]
    loading: bool

    def wake(self) -> None: ...
    def drop(self) -> None: ...
    def write_now(self, frames: bytes) -> bool:
        """Write frames that follow what it was sent last; False when something else has to go first."""


class _Batch:
    """``parts``: (update, the reader that it came from). ``start``: bytes that the room announced before it."""

    __slots__ = ("origins", "parts", "size", "start")

    def __init__(self, parts: list[tuple[bytes, object]], start: int) -> None:
        self.parts = parts
        self.origins = {origin for _, origin in parts}
        self.size = sum(len(update) for update, _ in parts)
        self.start = start


class Room:
    """Created with its first reader, gone with its last."""

    def __init__(self, document: str, limits: Limits) -> None:
        self.document = document
        self.presence = Presence(limits)
        self._limits = limits
        self._readers: set[Reader] = set()
        self._log: list[_Batch] = []
        self._tail = 0  # number of the first batch in the log
        self._announced_bytes = 0
        self._fresh: list[tuple[bytes, object]] = []
        self._bodies: dict[tuple[int, int], list[bytes]] = {}

    @property
    def head(self) -> int:
        """Number of the next batch."""
        return self._tail + len(self._log)

    @property
    def empty(self) -> bool:
        return not self._readers

    def enter(self, reader: Reader) -> None:
        self._readers.add(reader)
        if clients := self.presence.clients:
            reader.stale_presence.update(clients)

    def leave(self, reader: Reader, participant: Participant) -> None:
        self._readers.discard(reader)
        self.presence_changed(self.presence.leave(participant), reader)
        self._trim()

    def presence_changed(self, clients: Sequence[int], origin: Reader) -> None:
        if not clients:
            return
        for reader in self._readers:
            if reader is not origin:
                reader.stale_presence.update(clients)
                reader.wake()

    def announce(self, update: bytes, origin: object) -> None:
        """A committed update. What is announced within one turn of the event loop makes one batch."""
        if not self._readers:
            return
        if not self._fresh:
            asyncio.get_running_loop().call_soon(self._close_batch)
        self._fresh.append((update, origin))

    def read(self, reader: Reader) -> list[bytes]:
        """The message bodies from the reader's position on (normally one), and moves it there; [] when it has all."""
        position = reader.position
        assert position is not None
        assert position >= self._tail
        end = position
        size = 0
        batches: list[_Batch] = []
        while end < self.head and len(batches) < _BATCHES_PER_FRAME and size < _BYTES_PER_FRAME:
            batch = self._log[end - self._tail]
            batches.append(batch)
            size += batch.size
            end += 1
        reader.position = end
        if any(reader in batch.origins for batch in batches):
            others = [update for batch in batches for update, origin in batch.parts if origin is not reader]
            return _bodies(others)
        key = (position, end)
        bodies = self._bodies.get(key)
        if bodies is None:
            bodies = self._bodies[key] = _bodies([update for batch in batches for update, _ in batch.parts])
        return bodies

    def _close_batch(self) -> None:
        batch = _Batch(self._fresh, self._announced_bytes)
        self._fresh = []
        self._announced_bytes += batch.size
        self._log.append(batch)
        self._bodies.clear()
        head = self.head
        frames = b""
        for reader in list(self._readers):
            position = reader.position
            if position is None:
                continue
            if position == head - 1:
                if reader not in batch.origins:
                    frames = frames or b"".join(map(frame, _bodies([update for update, _ in batch.parts])))
                    if reader.write_now(frames):
                        reader.position = head
                        continue
                reader.wake()
            elif self._too_far_behind(reader, position):
                reader.drop()
            else:
                reader.wake()
        self._trim()

    def _too_far_behind(self, reader: Reader, position: int) -> bool:
        # While a large state is on its way to a slow client, what is committed meanwhile may pile up further.
        patience = 8 if reader.loading else 1
        waiting = self._announced_bytes - self._log[position - self._tail].start
        return (
            waiting > self._limits.backlog_bytes_max * patience
            or self.head - position > self._limits.backlog_batches_max * patience
        )

    def _trim(self) -> None:
        """Forget what every reader has."""
        head = self.head
        needed = min((reader.position for reader in self._readers if reader.position is not None), default=head)
        # In steps: at each batch, most readers have not been woken yet.
        if needed - self._tail >= min(_BATCHES_PER_FRAME, len(self._log)):
            del self._log[: needed - self._tail]
            self._tail = needed


def coalesce(updates: Sequence[bytes]) -> bytes:
    """One update that says what ``updates`` say, in order."""
    level = list(updates)
    while len(level) > 1:
        chunks = [level[at : at + _MERGED_AT_ONCE] for at in range(0, len(level), _MERGED_AT_ONCE)]
        level = [merge_updates(*chunk) if len(chunk) > 1 else chunk[0] for chunk in chunks]
    return level[0]


def _bodies(updates: list[bytes]) -> list[bytes]:
    if len(updates) > 1:
        try:
            updates = [coalesce(updates)]
        except ValueError:  # coalescing only saves work: each goes alone
            _log.exception("Updates could not be coalesced")
    return [protocol.update_message(update) for update in updates]
