"""A process that announces one device and says whom it finds: for tests in network namespaces.

``python discovery_node.py DEVICE PORT WORKSPACE``; DEVICE ``-`` only looks. Prints a JSON line at each change.
"""

from __future__ import annotations

import json
import sys

import anyio

from openprod.sync.discovery import Announcement, Discovery, today


async def main(device: str, port: int, workspace: str) -> None:
    discovery = Discovery(poll_s=0.2)
    if device != "-":
        discovery.announce(Announcement(device, port, workspace))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(discovery.run)
        while True:
            found = [
                {"device": one.device, "addresses": one.addresses, "known": one.is_of(workspace, today())}
                for one in discovery.found()
                if one.device != device
            ]
            print(json.dumps({"found": found, "problem": discovery.problem}), flush=True)
            await discovery.changed()


anyio.run(main, sys.argv[1], int(sys.argv[2]), sys.argv[3])
