"""`openprod members`, `invite`, `remove` and `held`: who may work on a production, and what waits for review."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from openprod.cli.calls import Node, call
from openprod.cli.options import folder_argument, json_option, plural
from openprod.cli.output import note, print_json, print_table, say

_ROLES = ("viewer", "editor", "owner")


@click.command()
@folder_argument
@json_option
def members(folder: Path, as_json: bool) -> None:
    """List the devices that may work on a production, and as what."""
    found = call(folder, lambda node: node.get("members"))
    if as_json:
        print_json(found)
        return
    rows = [
        [
            one["name"],
            one["device_name"] + (" (this one)" if one["device"] == found["device"] else ""),
            one["role"],
            ", ".join(f"{document}={role}" for document, role in sorted(one["grants"].items())),
            one["device"],
        ]
        for one in found["members"]
    ]
    print_table(
        ["name", "device", "role", "grants", "id"], rows,
        empty="Nobody was let in yet: whoever has a copy may change it. `openprod invite` begins with it.",
    )  # fmt: skip
    if found["held"]:
        note(f"{plural(found['held'], 'bundle')} held for review: `openprod held`.")


@click.command()
@folder_argument
@click.option("--role", type=click.Choice(_ROLES), default="editor", show_default=True)
@click.option("--grant", "grants", metavar="DOCUMENT=ROLE", multiple=True, help="Another role for one document.")
@json_option
def invite(folder: Path, role: str, grants: tuple[str, ...], as_json: bool) -> None:
    """Make this device the production's owner, and say what a pairing needs.

    From the first time on only members may change the production.
    """
    body = {"role": role, "grants": dict(map(_grant, grants))}
    found = call(folder, lambda node: node.post("invite", body=body))
    if as_json:
        print_json(found)
        return
    say(f"{found['name']} ({found['workspace']}) has an owner; its anchor is {found['anchor']}.")
    say(f"A device that is paired as asked for here becomes a member as {role}.")


def _grant(text: str) -> tuple[str, str]:
    document, _equals, role = text.partition("=")
    if not document or role not in _ROLES:
        raise click.BadParameter(f"“{text}” isn't DOCUMENT=ROLE, such as core=viewer.", param_hint="--grant")
    return document, role


@click.command()
@folder_argument
@click.argument("device", metavar="DEVICE")
@json_option
def remove(folder: Path, device: str, as_json: bool) -> None:
    """End a device's membership: openprod remove DIR DEVICE

    DEVICE is its id or the beginning of it. What it did so far stays; what it does without knowing is held for review.
    By its whole id a device can be removed again whose changes somebody else keeps letting in.
    """

    async def drop(node: Node) -> Any:
        return await node.delete("members", device)

    found = call(folder, drop)
    if as_json:
        print_json(found)
        return
    say(f"{found['removed']} is no member any more.")


@click.command()
@folder_argument
@click.option("--accept", metavar="BUNDLE", multiple=True, help="Let it in, and what is held before it.")
@click.option("--accept-all", is_flag=True, help="Let all of it in.")
@json_option
def held(folder: Path, accept: tuple[str, ...], accept_all: bool, as_json: bool) -> None:
    """Show what is held for review, or let it in.

    It was written by a device that had lost the right to and didn't know. It is kept, and applied nowhere until then.
    """
    if accept or accept_all:
        done = call(folder, lambda node: node.post("held", body={"bundles": list(accept)}))
        if as_json:
            print_json(done)
            return
        say(f"{plural(done['accepted'], 'bundle')} let in; {done['held']} held.")
        return
    found = call(folder, lambda node: node.get("held"))
    if as_json:
        print_json(found)
        return
    rows = [
        [one["bundle"][:12], one["at"], one["author"], one["device"], ", ".join(one["documents"]), one["message"]]
        for one in found["held"]
    ]
    print_table(["bundle", "at", "author", "device", "changes", "message"], rows, empty="Nothing is held.")
