"""`openprod discover`."""

from __future__ import annotations

from functools import partial

import anyio
import click

from openprod import settings
from openprod.cli.options import json_option
from openprod.cli.output import note, print_json, print_table
from openprod.errors import Unreachable


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
    from openprod.sync import around, discovery  # heavy: only who looks around needs it

    found, problem = anyio.run(partial(around.listen, seconds, interfaces))
    if problem and not found:
        raise Unreachable(problem, hint=discovery.HINT)
    productions = around.productions(settings.home() / "peers")
    rows = [around.described(one, productions) for one in found]
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
