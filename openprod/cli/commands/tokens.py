"""`openprod token`: access for web pages and other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from openprod.cli.calls import Node, call
from openprod.cli.options import folder_argument, json_option
from openprod.cli.output import note, print_json, print_table, say


@click.group()
def token() -> None:
    """Make, list and withdraw access tokens."""


@token.command()
@folder_argument
@click.option("--document", metavar="D", help="Open only this document of the workspace.")
@click.option("--role", type=click.Choice(["viewer", "editor", "owner"]), default="editor", show_default=True)
@click.option("--label", default="", help="What it is for; shown beside the author of what comes in with it.")
@click.option("--name", help="The person who holds it. Without a name its edits are yours, with the label.")
@click.option("--expires", metavar="TIME", help="When it ends, such as 2026-12-24T18:00.")
@json_option
def create(
    folder: Path, document: str | None, role: str, label: str, name: str | None, expires: str | None, as_json: bool
) -> None:
    """Make a token. It is shown this once."""
    asked = {"document": document, "role": role, "label": label, "name": name, "expires": expires}
    body = {key: value for key, value in asked.items() if value}
    found = call(folder, lambda node: node.post("tokens", body=body))
    if as_json:
        print_json(found)
        return
    say(found["token"])
    note(f"{found['id']}: keep the token now, it isn't shown again.")


@token.command("list")
@folder_argument
@json_option
def list_(folder: Path, as_json: bool) -> None:
    """List tokens, without their secret."""
    found = call(folder, lambda node: node.get("tokens"))
    if as_json:
        print_json(found)
        return
    columns = ["id", "label", "name", "role", "document", "expires"]
    rows = [[one.get(column) for column in columns] for one in found["tokens"]]
    print_table(columns, rows, empty="There are no tokens.")


@token.command()
@folder_argument
@click.argument("id", metavar="ID")
@json_option
def revoke(folder: Path, id: str, as_json: bool) -> None:
    """Withdraw a token. Whoever is connected with it is let go at once."""

    async def drop(node: Node) -> Any:
        return await node.delete("tokens", id)

    call(folder, drop)
    if as_json:
        print_json({"revoked": id})
        return
    say(f"{id} is withdrawn.")
