"""`openprod log` and `openprod history`: who did what, when, knowing what."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from openprod.cli.calls import Node, call
from openprod.cli.options import folder_argument, json_option, limit_option
from openprod.cli.output import cell, note, print_json, print_table, say
from openprod.cli.times import moment


@click.command()
@folder_argument
@click.option("--after", metavar="BUNDLE", help="Only bundles after this one.")
@click.option("--newest", is_flag=True, help="The newest first.")
@limit_option
@json_option
def log(folder: Path, after: str | None, newest: bool, limit: int, as_json: bool) -> None:
    """List bundles, oldest first.

    A bundle is what was committed as one, by one author.
    """

    async def ask(node: Node) -> Any:
        return await node.get("log", after=after, limit=limit, newest_first=newest or None)

    found = call(folder, ask)
    if as_json:
        print_json(found)
        return
    rows = [(one["bundle"][:12], when(one), author(one), one["intent"], one["message"]) for one in found["bundles"]]
    print_table(["bundle", "when", "who", "kind", "message"], rows, empty="Nothing has been committed yet.")
    if found["next"]:
        note(f"There are more: --after {found['next'][:12]}")


@click.command()
@folder_argument
@click.argument("entity")
@json_option
def history(folder: Path, entity: str, as_json: bool) -> None:
    """Show every version of every field of an entity.

    Who set it, when, and what became of it; with --json also from which device and knowing what.
    """
    found = call(folder, lambda node: node.get("history", entity))
    if as_json:
        print_json(found)
        return
    say(found["title"])
    rows = [
        (
            field["label"] or field["field"] or field["facet"],
            cell(version["value"]) if version["known"] else "(not kept)",
            author(version),
            when(version),
            version["status"],
            version["version"],
        )
        for field in found["fields"]
        for version in field["versions"]
    ]
    print_table(["field", "value", "who", "when", "now", "version"], rows)
    for conflict in found["conflicts"]:
        say(f"{conflict['id']}  {conflict['status']}  {conflict['sentence']}")


def when(entry: dict[str, Any]) -> str:
    """The time that it bears, with a warning where no right clock can have said it."""
    return moment(entry["at"]) + (" (clock ahead)" if entry["clock_ahead"] else "")


def author(entry: dict[str, Any]) -> str:
    via = entry.get("via")
    return f"{entry['author']} ({via})" if via else str(entry["author"])
