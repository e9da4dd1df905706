"""A whole copy for a newcomer: a signed list of chunks, fetched from anybody who has them, resumed by their hashes.

The copy is a file that the giver made of its oplog (``openprod.engine.copying``), and ``openprod.sync.copying`` is who
makes, serves, fetches and takes in. Nothing of it is asked for before both sides joined.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Sequence
from typing import Final

import msgspec

from openprod.errors import Untrusted
from openprod.sync import auth
from openprod.sync.messages import PIECE_BYTES_MAX, Chunk, ChunkWanted, Manifest

CHUNK_BYTES_MIN: Final = PIECE_BYTES_MAX
CHUNKS_MAX: Final = 4096
IN_FLIGHT_MAX: Final = 8
_CONTEXT: Final = b"openprod copy 1\0"


def chunk_bytes(size: int) -> int:
    """Of a copy of ``size`` bytes: chunks such that a manifest holds them all."""
    length = CHUNK_BYTES_MIN
    while length * CHUNKS_MAX < size:
        length *= 2
    return length


def manifest(
    *, workspace: str, bundles: int, size: int, chunks: Sequence[bytes], key: bytes, sign: Callable[[bytes], bytes]
) -> Manifest:
    """``chunks``: the SHA-256 of each ``chunk_bytes(size)`` of the copy."""
    made = Manifest(workspace, bundles, size, chunk_bytes(size), list(chunks), key, bytes(64))
    return msgspec.structs.replace(made, signature=sign(_signed(made)))


def check(one: Manifest, *, workspace: str, admitted: Callable[[bytes], bool]) -> None:
    """Raises Untrusted unless a member of this workspace signed it."""
    if one.workspace != workspace:
        raise Untrusted("This copy is of another production.")
    if not admitted(one.key) or not auth.holds(one.key, one.signature, _signed(one)):
        raise Untrusted("This copy wasn't made by a member of this production.")
    if one.chunk_bytes != chunk_bytes(one.size) or len(one.chunks) != -(-one.size // one.chunk_bytes):
        raise Untrusted("This copy's list of chunks isn't as long as the copy.")


def _signed(one: Manifest) -> bytes:
    return _CONTEXT + hashlib.sha256(msgspec.msgpack.encode(msgspec.structs.replace(one, signature=bytes(64)))).digest()


class Download:
    """Which chunks to ask whom for. ``done``: hashes that are on the disk already, from an earlier try.

    ``wanted`` and ``came`` are per giver: each is asked for chunks that nobody else is asked for, and for whatever is
    left when it is the only one. What is asked for at once is bounded, so that edits never wait behind a copy.
    """

    def __init__(self, one: Manifest, done: Collection[bytes] = ()) -> None:
        self.manifest = one
        self._places: dict[bytes, list[int]] = {}
        for index, hash in enumerate(one.chunks):
            self._places.setdefault(hash, []).append(index)
        self._left = [hash for hash in self._places if hash not in done]
        self._asked: dict[bytes, str] = {}
        self._partial: dict[bytes, bytearray] = {}
        self._without: dict[str, set[bytes]] = {}

    def __contains__(self, hash: bytes) -> bool:
        return hash in self._places

    @property
    def left(self) -> int:
        """Chunks that aren't here yet."""
        return len(self._left)

    @property
    def under_way(self) -> int:
        """Chunks that somebody is asked for."""
        return len(self._asked)

    def wanted(self, giver: str) -> list[ChunkWanted]:
        """What to ask this giver for now; resumed where an earlier piece ended."""
        without = self._without.setdefault(giver, set())
        under_way = sum(1 for one in self._asked.values() if one == giver)
        found: list[ChunkWanted] = []
        for hash in self._left:
            if under_way + len(found) >= IN_FLIGHT_MAX:
                break
            if hash not in self._asked and hash not in without:
                found.append(ChunkWanted(hash, len(self._partial.get(hash, b""))))
        for one in found:
            self._asked[one.hash] = giver
        return found

    def came(self, giver: str, chunk: Chunk) -> tuple[list[tuple[int, bytes]], ChunkWanted | None]:
        """([(offset in the copy, data)] to be written, what to ask for next of the same chunk).

        Raises Untrusted for what isn't the chunk it claims to be: nothing of it is kept, and it is asked of others.
        """
        hash = chunk.hash
        if self._asked.get(hash) != giver:
            return [], None
        if not chunk.data:
            self._asked.pop(hash)
            self._without.setdefault(giver, set()).add(hash)
            return [], None
        part = self._partial.setdefault(hash, bytearray())
        if chunk.offset != len(part):
            return [], ChunkWanted(hash, len(part))
        part += chunk.data
        size = self._size(hash)
        if len(part) < size:
            return [], ChunkWanted(hash, len(part))
        self._asked.pop(hash)
        data = bytes(self._partial.pop(hash))
        if len(data) > size or hashlib.sha256(data).digest() != hash:
            self._without.setdefault(giver, set()).add(hash)
            raise Untrusted("A chunk of the copy isn't what its list says.")
        self._left.remove(hash)
        return [(index * self.manifest.chunk_bytes, data) for index in self._places[hash]], None

    def gone(self, giver: str) -> None:
        """A connection ended: others are asked for what it owed."""
        self._asked = {hash: one for hash, one in self._asked.items() if one != giver}
        self._without.pop(giver, None)

    def _size(self, hash: bytes) -> int:
        index = self._places[hash][0]
        return min(self.manifest.chunk_bytes, self.manifest.size - index * self.manifest.chunk_bytes)


def pieces(wanted: ChunkWanted, chunk: bytes) -> Chunk:
    """The answer: the next piece of the chunk, small enough for a frame; empty when there is no such chunk."""
    return Chunk(wanted.hash, wanted.offset, chunk[wanted.offset : wanted.offset + PIECE_BYTES_MAX])
