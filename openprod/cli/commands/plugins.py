"""`openprod plugin`: what each kind of data in a workspace is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from openprod.cli.calls import Node, call
from openprod.cli.options import folder_argument, json_option
from openprod.cli.output import note, print_json, print_table, say


@click.group()
def plugin() -> None:
    """List plugins, and adopt one for a workspace."""


@plugin.command("list")
@folder_argument
@json_option
def list_(folder: Path, as_json: bool) -> None:
    """List plugins with their facets and import formats."""
    found = call(folder, lambda node: node.get("plugins"))
    if as_json:
        print_json(found)
        return
    rows = [
        (
            one["name"], one["version"], one["label"], "yes" if one["adopted"] else "no", ", ".join(one["facets"]),
            ", ".join(importer["name"] for importer in one["importers"]),
        )
        for one in found["installed"]
    ]  # fmt: skip
    known = {one["name"] for one in found["installed"]}
    rows += [(name, "", "not on this device", "yes", "", "") for name in found["adopted"] if name not in known]
    print_table(["plugin", "version", "what", "adopted", "facets", "imports"], rows)
    for problem in found["problems"]:
        note(f"{problem['sentence']} {problem['hint']}")


@plugin.command()
@folder_argument
@click.argument("name", metavar="PLUGIN")
@json_option
def adopt(folder: Path, name: str, as_json: bool) -> None:
    """Take a plugin's schema into the workspace. It travels with it."""

    async def take(node: Node) -> Any:
        return await node.post("plugins", name, "adopt")

    receipt = call(folder, take)
    if as_json:
        print_json(receipt)
        return
    say(f"{name} is adopted." if receipt["bundle"] else f"{name} was adopted already.")
