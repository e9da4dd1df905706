"""A whole copy between two real processes, one of which is killed in the middle."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

from openprod.engine import identity
from openprod.engine.workspace import Workspace
from tests.sync.desks import fill
from tests.sync.laptops import SECONDS_MAX, SHOW, laptops
from tests.sync.proxy import proxy

BUNDLES = 2_100
SIZE = 6_000
WHOLE = BUNDLES * SIZE


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
                "host", SHOW, "--listen", "127.0.0.1", "--peer-port", str(port), "--port", "0", "--address", address
            )
            link = alex._printed("openprod://")
            blake.join(link, "--yes")
            assert wire.full.wait(SECONDS_MAX)
            blake.kill()
            part = blake.folder / "run" / "copy-for-me.part"
            assert part.stat().st_size >= WHOLE
            before, wire.bytes_max = wire.passed, None
            # The same command, without the link: those from before.
            blake.join("", "--yes")
            whole = alex.hash()
            blake.until(lambda session: session["copy"] is None and blake.hash() == whole, "the rest", every_s=1)
            # Less than half of it is fetched again, whatever the window and what was under way.
            assert wire.passed - before < WHOLE * 2 // 3, (wire.passed, before)
            assert not part.exists()
