"""Stored files that come faster than the disk takes them."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

import msgspec

from openprod.engine.blobs import Blobs
from openprod.sync.blob_exchange import WHOLE_MAX, BlobExchange
from openprod.sync.messages import BlobsHeld, Chunk, ChunkWanted


def test_no_more_are_asked_for_than_the_disk_takes(tmp_path: Path) -> None:
    files = {hashlib.sha256(data).digest(): data for data in (b"file %d" % number for number in range(40))}
    wanted: list[bytes] = []
    whole = asyncio.Event()

    def say(message: msgspec.Struct, _connection: int | None) -> None:
        if isinstance(message, ChunkWanted) and message.offset == 0:
            wanted.append(message.hash)
        if set(files) <= {bytes.fromhex(name) for name in blobs.names()}:
            whole.set()

    blobs = Blobs(tmp_path / "blobs")

    async def named() -> set[bytes]:
        return set(files)

    exchange = BlobExchange(blobs, tmp_path, say, lambda: False, named)

    async def answer() -> None:
        while wanted:
            hash = wanted.pop()
            await exchange.heard(1, Chunk(hash, 0, files[hash]))

    async def check() -> None:
        await exchange.heard(1, BlobsHeld([*sorted(files), bytes(32)]))
        assert not wanted, "nothing is known to name them"
        await exchange.look(1)
        assert bytes(32) not in wanted
        asked = 0
        while wanted:
            asked += len(wanted)
            await answer()
        assert asked <= WHOLE_MAX + 1, "nothing has been looked at yet"
        looking = asyncio.create_task(exchange.run())
        async with asyncio.timeout(60):
            while not whole.is_set():
                await answer()
                await asyncio.sleep(0)
        looking.cancel()
        assert {bytes.fromhex(name) for name in blobs.names()} == set(files)

    asyncio.run(check())
