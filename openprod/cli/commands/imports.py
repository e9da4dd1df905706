"""`openprod import`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from openprod.cli.calls import Node, call
from openprod.cli.options import folder_argument, json_option, message_option
from openprod.cli.output import note, now_and_then, print_json, print_table, say

_SKIPPED_SHOWN_MAX = 20
_CHANGES_SHOWN_MAX = 40


@click.command("import")
@folder_argument
@click.argument("importer", metavar="PLUGIN.FORMAT")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--apply", is_flag=True, help="Import; without it the file is only looked at.")
@message_option
@json_option
def import_(folder: Path, importer: str, file: Path, apply: bool, message: str, as_json: bool) -> None:
    """Show what importing a file would change, or do it.

    Shows the columns, the counts, what would stand otherwise and what stands there now, what is left out and why, and
    changes nothing. With --apply, imports it.
    `openprod plugin list DIR` names the formats.
    """

    async def work(node: Node) -> Any:
        return await node.work(
            "Importing" if apply else "Reading",
            "imports", importer, path=str(file.absolute()), apply="true" if apply else None, message=message or None,
        )  # fmt: skip

    found = call(folder, work)
    if as_json:
        print_json(found)
        return
    _show(found["proposal"])
    if not found["applied"]:
        note("Nothing was changed. Import it with --apply.")
    elif found["receipt"]["bundle"]:
        say(f"Imported as bundle {found['receipt']['bundle'][:12]}.")
    else:
        say("Nothing had to be changed.")


def _show(proposal: dict[str, Any]) -> None:
    for line in proposal["summary"]:
        say(line)
    if proposal["mapping"]:
        say("Columns: " + ", ".join(f"{column} → {field}" for column, field in proposal["mapping"].items()))
    if proposal["counts"]:
        say("Counts: " + ", ".join(f"{count} {what}" for what, count in proposal["counts"].items()))
    _show_changes(proposal["changes"], proposal["changes_count"])
    skipped = proposal["skipped"]
    if skipped:
        say("Left out:")
        for one in skipped[:_SKIPPED_SHOWN_MAX]:
            say(f"  {one['where']}: {one['why']}")
        if len(skipped) > _SKIPPED_SHOWN_MAX:
            say(f"  … and {len(skipped) - _SKIPPED_SHOWN_MAX} more; --json lists all.")


def _show_changes(changes: list[dict[str, Any]], count: int) -> None:
    if not changes:
        return
    rows = [
        (one["title"], one["label"], *now_and_then(one["before"], one["after"])) for one in changes[:_CHANGES_SHOWN_MAX]
    ]
    print_table(["what", "field", "now", "then"], rows)
    if count > _CHANGES_SHOWN_MAX:
        say(f"… and {count - _CHANGES_SHOWN_MAX} more; --json lists {'them' if count == len(changes) else 'more'}.")
