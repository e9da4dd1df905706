"""A node in a process of its own, to be killed: ``python node_process.py WORKSPACE HOME``.

Makes the workspace when there is none, and prints the port and a token once it listens.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from openprod.engine import identity
from openprod.engine.workspace import Workspace
from tests.gateway.serving import CUES, listening


async def main(place: Path, home: Path) -> None:
    who = identity.load(home, name="Host", device_name="laptop")
    if not place.exists():
        await Workspace.create(place, name="Killed", schemas=[CUES], identity_=who)
    async with Workspace.open(place, identity_=who) as workspace:
        token = (await workspace.token_create(label="test"))["token"]
        async with listening(workspace, None) as (_, port):
            print(port, token, flush=True)
            await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2])))
