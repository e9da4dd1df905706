"""`openprod have`, `pack` and `merge`: carrying bundles between laptops as files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from openprod.cli.calls import Node, call
from openprod.cli.options import folder_argument, json_option, output_option, plural
from openprod.cli.output import note, print_json, say
from openprod.errors import InputError, InvalidFile

HAVE_BYTES_MAX = 4 * 1024 * 1024


@click.command()
@folder_argument
@output_option
@json_option
def have(folder: Path, file: Path, as_json: bool) -> None:
    """Write down what this laptop has.

    With that file another laptop packs just what this one lacks.
    """
    found = call(folder, lambda node: node.post("have", body={"path": str(file.absolute())}))
    if as_json:
        print_json(found)
        return
    say(f"{file} says what this laptop has. On the other one: openprod pack DIR --for {file.name} -o FILE")


@click.command()
@folder_argument
@output_option
@click.option(
    "--for",
    "lacking",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="What the other laptop has: its `have` file.",
)
@json_option
def pack(folder: Path, file: Path, lacking: Path | None, as_json: bool) -> None:
    """Write bundles to a file for another laptop.

    All of them, or with --for those that it lacks.
    """
    body: dict[str, Any] = {"path": str(file.absolute())}
    if lacking is not None:
        body["have"] = _read_have(lacking)
    found = call(folder, lambda node: node.work("Packing", "pack", body=body))
    if as_json:
        print_json(found)
        return
    say(f"{file} holds {plural(found['bundles'], 'bundle')}. On the other laptop: openprod merge DIR {file.name}")


def _read_have(file: Path) -> Any:
    if not file.is_file():
        raise InputError(f"There is no file {file}.", hint="Make it on the other laptop with `openprod have`.")
    data = file.read_bytes()
    try:
        found = json.loads(data) if len(data) <= HAVE_BYTES_MAX else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise InvalidFile(f"{file} isn't a list of what a laptop has.", hint="Make it with `openprod have`.")
    return found


@click.command()
@folder_argument
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--apply", is_flag=True, help="Take the bundles in; without it they are only looked at.")
@json_option
def merge(folder: Path, file: Path, apply: bool, as_json: bool) -> None:
    """Show what a packed file would bring, or take it in.

    Shows the bundles, their authors and the conflicts to come, and changes nothing. With --apply, takes it in.
    """
    body = {"path": str(file.absolute())}

    async def work(node: Node) -> tuple[Any, Any]:
        plan = await node.work("Looking ahead", "merge", "plan", body=body)
        return plan, await node.work("Merging", "merge", body=body) if apply else None

    plan, done = call(folder, work)
    if as_json:
        print_json({"applied": apply, **plan, **(done or {})})
        return
    _show(plan, applied=apply)
    if done is not None:
        taken = "Taken in. " if plan["bundles"] else ""
        say(f"{taken}{plural(done['open_conflicts'], 'open conflict')} in all.")
    elif plan["bundles"]:
        note("Nothing was changed. Take it in with --apply.")


def _show(plan: dict[str, Any], *, applied: bool) -> None:
    if not plan["bundles"]:
        say("There is nothing new in it.")
        return
    authors = ", ".join(f"{one['author']} ({one['bundles']})" for one in plan["authors"])
    say(f"{plural(plan['bundles'], 'bundle')} {'came' if applied else 'would come'}, by {authors}.")
    if plan["conflicts"]:
        say(f"{plural(len(plan['conflicts']), 'conflict')} {'opened' if applied else 'would open'}:")
        for conflict in plan["conflicts"]:
            say(f"  {conflict['sentence']}")
    if plan["held"]:
        are = ("is" if plan["held"] == 1 else "are") if applied else "would be"
        say(f"{plural(plan['held'], 'bundle')} {are} held for review: `openprod held`.")
    if plan["closes"]:
        were = ("was" if plan["closes"] == 1 else "were") if applied else "would be"
        say(f"{plural(plan['closes'], 'open conflict')} {were} settled by what {'came' if applied else 'comes'}.")
