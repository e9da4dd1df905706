"""`openprod view`."""

from __future__ import annotations

from pathlib import Path

import click

from openprod.cli.calls import call
from openprod.cli.options import folder_argument, json_option
from openprod.cli.output import print_json, print_table


@click.command()
@folder_argument
@click.argument("view", metavar="PLUGIN.VIEW")
@click.option("--as-of", "as_of", metavar="BUNDLE_OR_TIME", help="As things stood then, such as 2026-11-20.")
@json_option
def view(folder: Path, view: str, as_of: str | None, as_json: bool) -> None:
    """Show a view that a plugin computes from what a query finds."""
    found = call(folder, lambda node: node.get("derived", view, as_of=as_of))
    if as_json:
        print_json(found)
        return
    print_table(found["columns"], found["rows"], empty="There is nothing to show.")
