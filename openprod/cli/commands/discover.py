"""`openprod discover`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import click

from openprod import settings
from openprod.cli.options import json_option
from openprod.cli.output import note, print_json, print_table
from openprod.errors import Unreachable
from openprod.sync import known
from openprod.sync.discovery import HINT, Discovery, Found, own_addresses, today


@click.command()
@click.option("--seconds", type=click.FloatRange(0.5, 300), default=4.0, show_default=True, help="How long to listen.")
@click.option(
    "--interface", "interfaces", metavar="ADDRESS", multiple=True,
    help="Look only where this device has this address; may be given again. Without: everywhere.",
)  # fmt: skip
@json_option
def discover(seconds: float, interfaces: tuple[str, ...], as_json: bool) -> None:
    """List devices nearby that host.

    Nothing is asked of them and nothing is told to them. `known` are those that host a production which this device
    has been in. What isn't listed may still be there: many guest networks keep devices apart. Join by link then.
    """
    look = (lambda: list(interfaces)) if interfaces else own_addresses
    found = anyio.run(partial(_listen, seconds, look))
    rows = [_described(one, _productions(settings.home() / "peers")) for one in found]
    if as_json:
        print_json({"devices": rows})
        return
    print_table(
        ["device", "name", "addresses", "known"],
        [[row["device"][:8], row["name"], ", ".join(row["addresses"]), row["known"]] for row in rows],
        empty="Nobody nearby hosts, or this network keeps devices apart.",
    )
    if rows:
        note("Ask somebody at the device that you mean for a link: openprod join LINK NEW-FOLDER")


async def _listen(seconds: float, interfaces: Callable[[], list[str]]) -> list[Found]:
    """Raises Unreachable when this device couldn't listen at all."""
    discovery = Discovery(interfaces=interfaces)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(discovery.run)
        await anyio.sleep(seconds)
        found, problem = discovery.found(), discovery.problem
        tasks.cancel_scope.cancel()
    if problem and not found:
        raise Unreachable(problem, hint=HINT)
    return found


def _productions(folder: Path) -> dict[str, known.KnownDevices]:
    """The workspaces that this device has been in together with others."""
    try:
        return {file.stem: known.KnownDevices(folder, file.stem) for file in sorted(folder.glob("*.json"))}
    except OSError:
        return {}


def _described(found: Found, productions: dict[str, known.KnownDevices]) -> dict[str, Any]:
    """``name``: what the device was called when this one met it; the network says no names."""
    day = today()
    workspace = next((id for id in productions if found.is_of(id, day)), None)
    devices = productions[workspace].all() if workspace is not None else []
    name = next((one.name for one in devices if one.device == found.device), "")
    return {
        "device": found.device, "name": name, "addresses": list(found.addresses), "known": workspace is not None,
        "workspace": workspace, "gathering": found.gathering or None,
    }  # fmt: skip
