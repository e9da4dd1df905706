"""`openprod undo` and `openprod redo`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from openprod.cli.calls import call
from openprod.cli.options import folder_argument, json_option, plural
from openprod.cli.output import note, print_json, say


@click.command()
@folder_argument
@click.argument("bundle", required=False)
@json_option
def undo(folder: Path, bundle: str | None, as_json: bool) -> None:
    """Take back your latest bundle, or the one named.

    A new bundle does it; a field that somebody has changed since is left as it is.
    """
    body = {"bundle": bundle} if bundle else {}
    _told("Taken back", call(folder, lambda node: node.post("undo", body=body)), as_json)


@click.command()
@folder_argument
@json_option
def redo(folder: Path, as_json: bool) -> None:
    """Do again what you undid last."""
    _told("Done again", call(folder, lambda node: node.post("redo")), as_json)


def _told(what: str, receipt: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(receipt)
        return
    say(f"{what}, as bundle {receipt['bundle'][:12]}." if receipt["bundle"] else "Nothing had to be changed.")
    if receipt["conflicts"]:
        note(
            f"{plural(len(receipt['conflicts']), 'conflict')} changed: `openprod conflicts` shows those that are open."
        )
