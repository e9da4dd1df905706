"""`openprod conflicts` and `openprod resolve`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from openprod.cli.calls import Node, call
from openprod.cli.options import folder_argument, json_option, limit_option, message_option, quoted
from openprod.cli.output import cell, note, print_json, say
from openprod.cli.times import moment
from openprod.core.conflicts import KINDS, STATUSES
from openprod.errors import InputError

_ANSWERS = {
    "cardinality": ("--choose VERSION", "or --value with the id of another entity, in quotes: '\"ID\"'"),
    "edit-delete": ("--value true", "restores it; --value false leaves it deleted"),
    "duplicate": ("--choose VERSION", "keeps them all, whichever you name; or change one of them"),
    "invalid": ("--choose VERSION", "accepts it as it is; --value JSON corrects it"),
    "text-overlap": ("--value true", "says that it was read; correct the text first if need be"),
}


@click.command()
@folder_argument
@click.option("--status", type=click.Choice([*STATUSES, "all"]), default="open", show_default=True)
@click.option("--kind", type=click.Choice(KINDS))
@click.option("--entity", help="Only those about this entity.")
@click.option("--after", metavar="CONFLICT", help="Go on after this one.")
@limit_option
@json_option
def conflicts(
    folder: Path, status: str, kind: str | None, entity: str | None, after: str | None, limit: int, as_json: bool
) -> None:
    """List conflicts, with the versions to choose from.

    A conflict: values that were set without knowing of each other, and what else needs a person's decision.
    """

    async def ask(node: Node) -> Any:
        return await node.get("conflicts", status=status, kind=kind, entity=entity, after=after, limit=limit)

    found = call(folder, ask)
    if as_json:
        print_json(found)
        return
    for conflict in found["conflicts"]:
        _show(conflict, folder)
    if not found["conflicts"]:
        some = " like that" if kind or entity or after else ""
        note(f"No conflicts{some}." if status == "all" else f"No {status} conflicts{some}.")
    if found.get("next"):
        note(f"There are more: --after {found['next']}")


def _show(conflict: dict[str, Any], folder: Path) -> None:
    state = "reopened" if conflict["reopened"] and conflict["status"] == "open" else conflict["status"]
    say(f"{conflict['id']}  {state}  {conflict['sentence']}")
    for candidate in conflict["candidates"]:
        value = _said(conflict["kind"], candidate["value"]) if candidate["known"] else "(not kept)"
        if candidate["title"]:
            value = f"{candidate['title']} ({value})"
        shown = "  (shown now)" if candidate["version"] == conflict["shown"] else ""
        say(f"    {candidate['version']}  {value}  {candidate['author']}, {moment(candidate['at'])}{shown}")
    if _shows_former(conflict):
        say("    Until then every program shows what the decision said that was taken back.")
    if conflict["status"] == "open":
        option, meaning = _ANSWERS.get(conflict["kind"], ("--choose VERSION", "or --value JSON for another one"))
        say(f"    openprod resolve {quoted(folder)} {conflict['id']} {option}    ({meaning})")


def _shows_former(conflict: dict[str, Any]) -> bool:
    """Whether the field still shows what a decision had set that was taken back: none of the candidates."""
    return (
        conflict["status"] == "open"
        and conflict["kind"] == "field"
        and any(decision["withdrawn"] for decision in conflict["resolutions"])
        and all(candidate["version"] != conflict["shown"] for candidate in conflict["candidates"])
    )


@click.command()
@folder_argument
@click.argument("conflict")
@click.option("--choose", metavar="VERSION", help="The version that holds, as `openprod conflicts` names it.")
@click.option("--value", metavar="JSON", help="A value of your own, as JSON: '\"10:45\"', 42, true, null.")
@click.option("--reopen", is_flag=True, help="Take the decision back.")
@message_option
@json_option
def resolve(
    folder: Path, conflict: str, choose: str | None, value: str | None, reopen: bool, message: str, as_json: bool
) -> None:
    """Decide a conflict, or take the decision back.

    The decision is kept, can be changed by another one, and travels with the workspace.
    """
    if (choose is not None) + (value is not None) + reopen != 1:
        raise click.UsageError("Give one of --choose VERSION, --value JSON and --reopen.")
    body: dict[str, Any] = {}
    if choose is not None:
        body["choose"] = choose
    elif value is not None:
        body["value"] = _parsed(value)
    action = "reopen" if reopen else "resolutions"

    async def work(node: Node) -> Any:
        subject = (await node.get("conflicts", conflict))["sentence"].partition(": ")[0]
        body["message"] = message or (f"{subject}: reopened" if reopen else subject)
        return await node.post("conflicts", conflict, action, body=body)

    done = call(folder, work)
    if as_json:
        print_json(done)
        return
    _show(done["conflict"], folder)


def _said(kind: str, value: Any) -> str:
    """A candidate's value. Of a definition what tells it from another: --json has all of it."""
    if kind == "schema" and isinstance(value, dict):
        fields = value.get("fields")
        if isinstance(value.get("version"), str):
            return f"version {value['version']}"
        if isinstance(fields, dict):
            return ", ".join(f"{own}={to}" if isinstance(to, str) else own for own, to in fields.items())
    return cell(value)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise InputError(
            f"{text[:80]} isn't JSON.", hint=f"A text needs its own quotes: --value '{json.dumps(text[:80])}'"
        ) from None
