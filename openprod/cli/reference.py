"""The reference page of all commands, made from the commands themselves: `python -m openprod.cli.reference`."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import click

from openprod.cli.main import cli

HEAD = """# Command line

Made from the program by `make reference`; a test holds the two together.

Every command that prints data takes `--json`. Errors go to stderr as `error[CODE]: sentence` and `hint: …`.
Exit status: 0 done, 1 refused, 2 wrong usage, 130 interrupted. `DIR` is a workspace folder; every command works on it
whether or not its node is running.
"""


def reference() -> str:
    return HEAD + "".join(_sections(cli, "openprod"))


def _sections(group: click.Group, path: str) -> Iterator[str]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        full = f"{path} {name}"
        if isinstance(command, click.Group):
            yield from _sections(command, full)
        else:
            yield _section(command, full)


def _section(command: click.Command, path: str) -> str:
    context = click.Context(command, info_name=path, terminal_width=100, max_content_width=100)
    usage = " ".join([path, *command.collect_usage_pieces(context)])
    lines = [f"\n## {path}\n\n```\n{usage}\n```\n\n{_text(command)}\n"]
    options = [
        record for option in command.params
        if isinstance(option, click.Option) and (record := option.get_help_record(context)) is not None
    ]  # fmt: skip
    if options:
        lines.append("\n| option | |\n|---|---|\n")
        lines += [f"| `{_cell(names)}` | {_cell(text)} |\n" for names, text in options]
    return "".join(lines)


def _text(command: click.Command) -> str:
    paragraphs = (command.help or "").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(reference())
