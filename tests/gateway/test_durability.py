"""What others have seen survives ``kill -9``; what was received survives the sender. See benchmarks/durability.py."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from openprod.gateway import protocol
from tests.gateway.serving import TIMEOUT_S, Peer, peer

pytestmark = pytest.mark.anyio
ROUNDS = 5
BURST = 200
ROOT = Path(__file__).parent.parent.parent


@asynccontextmanager
async def node(folder: Path) -> AsyncIterator[tuple[str, asyncio.subprocess.Process]]:
    """(URL of the document, the process)."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.gateway.node_process",
        str(folder / "killed.openprod"),
        str(folder / "home"),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        with anyio.fail_after(TIMEOUT_S):
            port, token = (await process.stdout.readline()).decode().split()
        yield f"ws://127.0.0.1:{port}/yjs/-/cues?token={token}", process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await process.stdout.read()


async def burst(writer: Peer, name: str) -> None:
    messages = [protocol.update_message(writer.change(f"{name}_{at}/start", at)) for at in range(BURST)]
    for message in messages:
        await writer.send(message)


async def all_of(reader: Peer, name: str) -> None:
    wanted = {f"{name}_{at}/start" for at in range(BURST)}
    while not wanted <= set(reader.fields):
        reader.doc.apply_update(protocol.read_message(await reader.receive(0, 2))[1])


async def test_nothing_that_others_have_seen_dies_with_the_node(tmp_path: Path) -> None:
    """INV-SPEAK-1, INV-LOSS-1."""
    for number in range(ROUNDS):
        name = f"killed{number}"
        async with node(tmp_path) as (url, process), peer(url) as writer, peer(url) as reader:
            await writer.synchronise()
            await reader.synchronise()
            await burst(writer, name)
            await all_of(reader, name)
            process.kill()
            await process.wait()
        async with node(tmp_path) as (url, _), peer(url) as late:
            await late.synchronise()
            held = [key for key in late.fields if key.startswith(name)]
            assert len(held) == BURST


async def test_a_burst_followed_by_a_close_is_kept_whole(tmp_path: Path) -> None:
    async with node(tmp_path) as (url, _):
        for number in range(ROUNDS):
            name = f"left{number}"
            async with peer(url) as writer:
                await writer.synchronise()
                await burst(writer, name)
            async with peer(url) as reader:
                await reader.synchronise()
                await all_of(reader, name)
