"""Stored files between those who have joined: each says which it holds, and asks for what it lacks, by hash.

A few pieces are asked for at a time on a connection: enough to keep it busy, so few that edits never wait behind a
film. Only what a value names is asked for: who may only look puts no files on the others' disks. What has come of a
file stays on the disk, but for the last mebibyte: after a lost connection it goes on there, from whoever has the file.
Nothing is a stored file before its hash is what its name says.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
from collections.abc import Awaitable, Callable, Collection
from pathlib import Path
from typing import Final

import msgspec
from anyio import to_thread

from openprod.engine.blobs import BLOB_BYTES_MAX, Blobs
from openprod.errors import NotFound, OpenprodError
from openprod.storage.sqlite.connection import DATABASE, translated
from openprod.storage.sqlite.reader import Reader
from openprod.sync.messages import PIECE_BYTES_MAX, BlobsHeld, Chunk, ChunkWanted

NAMES_MAX: Final = 4096
OFFERED_MAX: Final = 100_000
AHEAD: Final = 8
"""Pieces under way on a connection."""
WRITE_BYTES: Final = 1024 * 1024
"""Pieces are written so many at once: handing one to a thread costs more than writing it."""
WHOLE_MAX: Final = 4
"""Files that wait to be looked at: with a slow disk no more are asked for."""
_log = logging.getLogger(__name__)
Say = Callable[[msgspec.Struct, int | None], None]
Named = Callable[[], Awaitable[set[bytes]]]


class _Incoming:
    """A file that one connection is asked for. ``end``: how much of it is here, on the disk or ``waiting``."""

    __slots__ = ("end", "hash", "size", "waiting")

    def __init__(self, hash: bytes, end: int) -> None:
        self.hash, self.end, self.size = hash, end, 0
        self.waiting: list[bytes] = []

    def add(self, data: bytes) -> None:
        self.waiting.append(data)
        self.size += len(data)
        self.end += len(data)


class BlobExchange:
    """``folder``: where parts are until they are whole, on the blobs' disk. ``say``: (message, connection or all).
    ``waits``: whether something goes before; ``go_on`` is to be called once it has gone. ``named``: which files the
    production's values name."""

    def __init__(self, blobs: Blobs, folder: Path, say: Say, waits: Callable[[], bool], named: Named) -> None:
        self._blobs, self._folder, self._say, self._waits, self._find_named = blobs, folder, say, waits, named
        self._named: set[bytes] = set()
        self._named_at: object = None
        self._unseen = ""
        self._held: set[bytes] = set()
        self._offered: dict[int, dict[bytes, None]] = {}
        self._asked: dict[int, _Incoming] = {}
        self._busy: set[bytes] = set()  # on their way to the disk
        self._whole: asyncio.Queue[_Incoming] = asyncio.Queue()

    async def run(self) -> None:
        """Look at what has come whole. Until cancelled."""
        while True:
            incoming = await self._whole.get()
            if await self._on_disk(incoming, self._finish):
                self._held.add(incoming.hash)
                self._tell([incoming.hash], None)
            self.go_on()

    async def look(self, at: object = None) -> None:
        """Tell everybody of files that are here since the last time; ask for those that are named since. ``at``: equal
        while the production's values are the same. With a folder or a disk that is gone, say, edits go on all the same.
        """
        try:
            await self._look(at)
            self._unseen = ""
        except OpenprodError as error:
            if error.sentence != self._unseen:  # once, until they can be looked at again
                self._unseen = error.sentence
                _log.warning("stored files can't be looked at: %s", error.sentence)

    async def _look(self, at: object) -> None:
        """Raises StorageError."""
        names = await to_thread.run_sync(self._names)
        fresh = [hash for name in names if (hash := bytes.fromhex(name)) not in self._held]
        self._held.update(fresh)
        self._tell(fresh, None)
        if at != self._named_at and any(hash not in self._named for one in self._offered.values() for hash in one):
            self._named, self._named_at = await self._find_named(), at
            self.go_on()

    def joined(self, connection: int) -> None:
        self._tell(self._held, connection)

    def gone(self, connection: int) -> None:
        self._offered.pop(connection, None)
        if self._asked.pop(connection, None) is not None:
            self.go_on()

    def go_on(self) -> None:
        for connection in list(self._offered):
            self._ask(connection)

    async def heard(self, connection: int, message: msgspec.Struct) -> None:
        if isinstance(message, BlobsHeld):
            offered = self._offered.setdefault(connection, {})
            for hash in message.hashes:
                if hash not in self._held and len(offered) < OFFERED_MAX:
                    offered[hash] = None
            self._ask(connection)
        elif isinstance(message, ChunkWanted):
            self._say(await to_thread.run_sync(self._piece, message), connection)
        elif isinstance(message, Chunk):
            incoming = self._asked.get(connection)
            if incoming is not None and incoming.hash == message.hash:
                await self._came(connection, incoming, message)

    # -- inside --------------------------------------------------------------------------------------------

    def _names(self) -> list[str]:
        with translated(str(self._folder)):
            return list(self._blobs.names())

    def _tell(self, hashes: Collection[bytes], connection: int | None) -> None:
        listed = sorted(hashes)
        for start in range(0, len(listed), NAMES_MAX):
            self._say(BlobsHeld(listed[start : start + NAMES_MAX]), connection)

    def _ask(self, connection: int) -> None:
        if connection in self._asked or self._waits() or self._whole.qsize() >= WHOLE_MAX:
            return
        asked = {*(one.hash for one in self._asked.values()), *self._busy}
        offered = self._offered.get(connection, {})
        for hash in list(offered):
            if hash in self._held:
                del offered[hash]
            elif hash in self._named and hash not in asked:
                start = self._size(hash)
                self._asked[connection] = _Incoming(hash, start)
                for number in range(AHEAD):
                    self._say(ChunkWanted(hash, start + number * PIECE_BYTES_MAX), connection)
                return

    async def _came(self, connection: int, incoming: _Incoming, chunk: Chunk) -> None:
        hash, data = chunk.hash, chunk.data
        fits = chunk.offset == incoming.end and incoming.end + len(data) <= BLOB_BYTES_MAX
        if fits:
            incoming.add(data)
        if fits and len(data) == PIECE_BYTES_MAX:
            if incoming.size >= WRITE_BYTES:
                await self._on_disk(incoming, self._write)
            if self._asked.get(connection) is incoming:
                self._say(ChunkWanted(hash, chunk.offset + AHEAD * PIECE_BYTES_MAX), connection)
                return
        else:  # the last one, or none that was asked for
            self._forget(incoming)
            if fits:
                self._busy.add(hash)
                self._whole.put_nowait(incoming)  # the next one travels while this one is looked at
        self.go_on()

    async def _on_disk(self, incoming: _Incoming, work: Callable[[_Incoming], bool]) -> bool:
        """What ``work`` says, done on a thread; nobody is asked for the file meanwhile."""
        self._busy.add(incoming.hash)
        try:
            return await to_thread.run_sync(work, incoming)
        except OpenprodError as error:
            _log.warning("a stored file can't be taken in: %s", error.sentence)
            self._forget(incoming)
            return False
        finally:
            self._busy.discard(incoming.hash)

    def _forget(self, incoming: _Incoming) -> None:
        """Ask whoever was asked for it no more."""
        for connection in [connection for connection, one in self._asked.items() if one is incoming]:
            del self._asked[connection]
            self._offered.get(connection, {}).pop(incoming.hash, None)

    def _part(self, hash: bytes) -> Path:
        return self._folder / f"blob-{hash.hex()}.part"

    def _size(self, hash: bytes) -> int:
        try:
            return self._part(hash).stat().st_size
        except OSError:
            return 0

    def _write(self, incoming: _Incoming) -> bool:
        """Raises StorageError."""
        part = self._part(incoming.hash)
        with translated(str(part)), open(part, "ab") as file:
            file.writelines(incoming.waiting)
        incoming.waiting, incoming.size = [], 0
        return True

    def _finish(self, incoming: _Incoming) -> bool:
        """Whether the file is whole: the last piece is shorter than others, or empty. Raises StorageError."""
        part = self._part(incoming.hash)
        with translated(str(part)):
            self._write(incoming)
            digest = _digest(part)
            if digest != incoming.hash.hex():
                part.unlink()
                return False
            _settle(part)
        self._blobs.take(part, digest)
        return True

    def _piece(self, wanted: ChunkWanted) -> Chunk:
        try:
            with open(self._blobs.path(wanted.hash.hex()), "rb") as file:
                file.seek(wanted.offset)
                return Chunk(wanted.hash, wanted.offset, file.read(PIECE_BYTES_MAX))
        except (NotFound, OSError, OverflowError):
            return Chunk(wanted.hash, wanted.offset, b"")


def named_in(folder: Path) -> Named:
    """Of the workspace in that folder; read beside the writer."""

    async def named() -> set[bytes]:
        async with Reader.open(str(folder / DATABASE)) as reader:
            return await reader.stored_files()

    return named


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _settle(path: Path) -> None:
    with open(path, "rb+") as file:
        os.fsync(file.fileno())
