"""`openprod hash`, `doctor`, `rebuild` and `backup`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from openprod.cli.calls import call
from openprod.cli.options import folder_argument, json_option, plural
from openprod.cli.output import print_facts, print_json, say


@click.command("hash")
@folder_argument
@json_option
def hash_(folder: Path, as_json: bool) -> None:
    """Print the state hash.

    It is equal on replicas that hold the same bundles.
    """
    found = call(folder, lambda node: node.get("state-hash"))
    if as_json:
        print_json(found)
        return
    say(found["state_hash"])


@click.command()
@folder_argument
@json_option
def doctor(folder: Path, as_json: bool) -> None:
    """Check everything that can be checked.

    The database, every bundle's hash, signature and place, every stored file, and whether the tables are what the
    bundles say. Exit status 1 on a fault.
    """
    found = call(folder, lambda node: node.work("Checking", "doctor"))
    if as_json:
        print_json(found)
    else:
        say("All is well." if found["healthy"] else "Something is wrong here.")
        for fault in found["faults"]:
            say(f"  {fault}")
        print_facts(
            [
                ("bundles", found["bundles"]),
                ("devices' logs", found["logs"]),
                ("documents", ", ".join(found["documents"])),
                ("updates waiting for what they build on", found["waiting_updates"]),
                ("updates set aside", found["quarantined"]),
            ]
        )
    if not found["healthy"]:
        sys.stdout.flush()
        raise click.exceptions.Exit(1)


@click.command()
@folder_argument
@json_option
def rebuild(folder: Path, as_json: bool) -> None:
    """Derive every table again from the bundles.

    Prints the state hash, which stays the same.
    """
    found = call(folder, lambda node: node.work("Rebuilding", "rebuild"))
    if as_json:
        print_json(found)
        return
    say(found["state_hash"])


@click.command()
@folder_argument
@click.argument("target", metavar="FILE", type=click.Path(path_type=Path))
@json_option
def backup(folder: Path, target: Path, as_json: bool) -> None:
    """Write a whole, checked copy to a new folder.

    Everybody may go on working meanwhile.
    """
    body = {"path": str(target.absolute())}
    found = call(folder, lambda node: node.work("Backing up", "backup", body=body))
    if as_json:
        print_json(found)
        return
    say(f"{found['file']} holds everything ({plural(found['bytes'], 'byte')}).")
