"""`openprod export`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from openprod.cli.calls import Node, call
from openprod.cli.options import folder_argument, json_option, plural
from openprod.cli.output import note, print_json, print_table, say


def _pairs(_context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for value in values:
        name, equals, text = value.partition("=")
        if not equals or not name.strip():
            raise click.BadParameter(f"“{value}” isn't an option and a value, such as order=name.")
        found[name.strip()] = text
    return found


@click.command()
@folder_argument
@click.argument("exporter", metavar="[PLUGIN.FORMAT]", required=False)
@click.option(
    "-o", "--output", "target", metavar="FILE_OR_FOLDER", type=click.Path(path_type=Path),
    help="The file to write, or the folder when there are several.",
)  # fmt: skip
@click.option("--arg", "options", metavar="NAME=VALUE", multiple=True, callback=_pairs, help="An option of the format.")
@click.option("--private", is_flag=True, help="Private fields too. Not for sharing.")
@click.option("--force", is_flag=True, help="Replace files that are there.")
@json_option
def export(
    folder: Path,
    exporter: str | None,
    target: Path | None,
    options: dict[str, str],
    private: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Write data to files for other programs and people.

    Fields that a plugin calls private are left out, unless --private asks for them. Without PLUGIN.FORMAT, lists the
    formats and their options.
    """
    if exporter is None:
        _list(folder, as_json=as_json)
        return
    if target is None:
        raise click.UsageError("Say where to write: -o FILE_OR_FOLDER.")
    body = {"path": str(target.absolute()), "options": options, "private": private, "force": force}

    async def work(node: Node) -> Any:
        return await node.post("exports", exporter, body=body)

    found = call(folder, work)
    if private:
        note("This holds private fields, readable by you alone. Give it only to those who must have it.")
    if as_json:
        print_json(found)
        return
    files = found["files"]
    if len(files) > 1:
        say(f"{plural(len(files), 'file')} are written to {target}.")
    else:
        say(f"{target / Path(files[0]).name if target.is_dir() else target} is written.")


def _list(folder: Path, *, as_json: bool) -> None:
    found = call(folder, lambda node: node.get("exports"))
    if as_json:
        print_json(found)
        return
    rows = [
        (
            one["name"], one["label"], "yes" if one["adopted"] else "no",
            "; ".join(f"{name}: {meaning}" for name, meaning in one["options"].items()),
        )
        for one in found["exports"]
    ]  # fmt: skip
    print_table(["format", "what", "adopted", "options"], rows, empty="No installed plugin exports anything.")
