"""A whole copy between two real processes, one of which is killed in the middle."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

from openprod.engine import identity
from openprod.engine.workspace import Workspace
from openprod.sync.flow import WINDOW_BYTES
from openprod.sync.messages import PIECE_BYTES_MAX
from tests.sync.desks import fill
from tests.sync.laptops import SECONDS_MAX, SHOW, laptops
from tests.sync.proxy import proxy

BUNDLES = 2_100
SIZE = 3_000
WHOLE = BUNDLES * 2 * SIZE
"""At least: a bundle holds what was asked for, and what became of it."""


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])


def test_killed_in_the_middle_and_joined_again(tmp_path: Path) -> None:
    with laptops(tmp_path, "alex", "blake") as (alex, blake):

        async def write() -> None:
            who = identity.load(alex.laptop.folder / "home", name="alex", device_name="laptop")
            async with Workspace.open(alex.folder, identity_=who) as workspace:
                await fill(workspace, BUNDLES, SIZE)

        asyncio.run(write())
        port = _free_port()
        with proxy(port) as wire:
            wire.bytes_max = WHOLE * 2 // 3
            address = f"127.0.0.1:{wire.port}"
            alex.process = alex.laptop.start(
                "host",
                SHOW,
                "--trust-link",
                "--listen",
                "127.0.0.1",
                "--peer-port",
                str(port),
                "--port",
                "0",
                "--address",
                address,
            )
            link = alex._printed("openprod://")
            blake.join(link, "--yes")
            assert wire.full.wait(SECONDS_MAX)
            blake.kill()
            part = blake.folder / "run" / "copy-for-me.part"
            copy = part.read_bytes()
            assert len(copy) >= WHOLE
            pieces = [copy[at : at + PIECE_BYTES_MAX] for at in range(0, len(copy), PIECE_BYTES_MAX)]
            missing = len([piece for piece in pieces if not any(piece)]) * PIECE_BYTES_MAX
            assert 0 < missing < len(copy)
            before, wire.bytes_max = wire.passed, None
            # The same command, without the link: those from before.
            blake.join_later("", "--yes")
            alex.approve()
            whole = alex.hash()
            blake.until(lambda session: session["copy"] is None and blake.hash() == whole, "the rest", every_s=1)
            # Beside that, one window of bundles may have come before the copy was asked for.
            assert wire.passed - before < missing + 2 * WINDOW_BYTES, (wire.passed, before, missing)
            assert not part.exists()
