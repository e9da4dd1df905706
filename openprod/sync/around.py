"""What can be seen of other devices on the network, as people are told it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio

from openprod.sync import known
from openprod.sync.discovery import Discovery, Found, own_addresses, today


async def listen(seconds: float, interfaces: Sequence[str] = ()) -> tuple[list[Found], str]:
    """(who is there, why this device can't look around or "")."""
    discovery = Discovery(interfaces=(lambda: list(interfaces)) if interfaces else own_addresses)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(discovery.run)
        await anyio.sleep(seconds)
        found, problem = discovery.found(), discovery.problem
        tasks.cancel_scope.cancel()
    return found, problem


def productions(folder: Path) -> dict[str, known.KnownDevices]:
    """The workspaces that this device has been in together with others."""
    try:
        return {file.stem: known.KnownDevices(folder, file.stem) for file in sorted(folder.glob("*.json"))}
    except OSError:
        return {}


def described(found: Found, productions: dict[str, known.KnownDevices]) -> dict[str, Any]:
    """``name``: what the device was called when this one met it; the network says no names."""
    day = today()
    workspace = next((id for id in productions if found.is_of(id, day)), None)
    devices = productions[workspace].all() if workspace is not None else []
    name = next((one.name for one in devices if one.device == found.device), "")
    return {
        "device": found.device, "name": name, "addresses": list(found.addresses), "known": workspace is not None,
        "workspace": workspace, "gathering": found.gathering or None, "code": found.code,
    }  # fmt: skip
