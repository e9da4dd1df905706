"""Arguments and options that many commands share."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

folder_argument = click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
output_option = click.option(
    "-o", "--output", "file", metavar="FILE", required=True, type=click.Path(path_type=Path, dir_okay=False),
    help="The file to write.",
)  # fmt: skip
limit_option = click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="At most.")
message_option = click.option("-m", "--message", default="", help="Why, in a few words; kept in the history.")


def quoted(path: Path) -> str:
    """A path as it is typed in a command."""
    return shlex.quote(str(path))


def plural(count: int, one: str, many: str = "") -> str:
    """ "1 bundle", "2 bundles"."""
    return f"{count} {one if count == 1 else many or one + 's'}"
