"""The command `openprod`. Exit status: 0 done, 1 refused, 2 wrong usage, 130 interrupted."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Sequence

import click

import openprod
from openprod import settings
from openprod.cli.calls import Refused
from openprod.cli.output import print_error
from openprod.errors import OpenprodError

INTERRUPTED = 130

_HELP = "`openprod --help` lists commands."
_HINTS = {
    "NOT_FOUND": "Check how it is written.",
    "STORAGE": "Check the path, and that the disk is there.",
    "INTERNAL": "Try again, and report it if it stays.",
    "INPUT": "Nothing was changed. `openprod COMMAND --help` shows what it takes.",
    "INVALID_OPERATION": "Nothing was changed. Look at how things stand, and try again.",
    "INVALID_FILE": "Nothing was changed. Check that it is the right file, and whole.",
    "INVALID_MANIFEST": "Nothing was changed. `openprod plugin lint FOLDER` says all that is wrong with a plugin.",
    "LIMIT_EXCEEDED": "Nothing was changed. Split it into smaller parts.",
    "MALFORMED_UPDATE": "Nothing was changed. It was damaged on the way: get it again.",
    "MALFORMED_FRAME": "Nothing was changed. Check that both devices run the same version.",
    "UNTRUSTED": "Nothing was taken in. Get it again, from the device that made it.",
    "STALE": "Nothing was changed. Look at it again.",
    "DENIED": "Ask whoever runs the production.",
    "UNREACHABLE": "Check that the other device is on and in the same network.",
}
"""What to do next, where the error itself doesn't say."""


_COMMANDS = {
    "conflicts": "conflicts resolve",
    "demo": "demo",
    "derived": "view",
    "discover": "discover",
    "edits": "undo redo",
    "exchange": "have pack merge",
    "exports": "export",
    "history": "log history",
    "identity": "concept bind unbind assert entity duplicates",
    "imports": "import",
    "members": "members invite remove held",
    "peers": "host join leave end peers approve decline",
    "plugins": "plugin",
    "query": "query",
    "serve": "serve",
    "tokens": "token",
    "upkeep": "hash doctor rebuild backup",
    "workspace": "new restore",
}
"""{module: its commands}. A module is loaded when one of its commands is called."""
_MODULES = {name: module for module, names in _COMMANDS.items() for name in names.split()}
_RESERVED = ("assert", "hash", "import")
"""Commands whose functions can't be called so in Python."""


class _Commands(click.Group):
    def list_commands(self, context: click.Context) -> list[str]:
        return sorted(_MODULES)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        module = _MODULES.get(name)
        if module is None:
            return None
        loaded = importlib.import_module(f"openprod.cli.commands.{module}")
        command: click.Command = getattr(loaded, f"{name}_" if name in _RESERVED else name)
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(openprod.__version__, prog_name="openprod", message="%(prog)s %(version)s")
def cli() -> None:
    """Edit a production's data together, and never lose an edit unseen."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status. Prints every error as a sentence, never a traceback."""
    try:
        result = cli.main(args=arguments, prog_name="openprod", standalone_mode=False)
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except BaseException as error:
        return _explain(_cause(error))


def _cause(error: BaseException) -> BaseException:
    """The error inside groups that task groups make around it."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def _explain(error: BaseException) -> int:
    if isinstance(error, (KeyboardInterrupt, click.exceptions.Abort)):
        return INTERRUPTED
    if isinstance(error, BrokenPipeError):
        # Whoever read the output has enough. Nothing may be written to it at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1
    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    if isinstance(error, click.UsageError):
        return _wrong_usage(error)
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else 1
    if isinstance(error, (OpenprodError, Refused)):
        print_error(error.code, error.sentence, error.hint or _HINTS.get(error.code, _HELP))
    elif isinstance(error, click.ClickException):
        print_error("INPUT", error.format_message(), _HELP)
    elif isinstance(error, OSError):
        print_error("STORAGE", _of_system(error), "Check that the folder exists, can be written and has room.")
    else:
        print_error(
            "INTERNAL", "Something went wrong inside Openprod. What was confirmed before is kept.", _kept(error)
        )
    return 1


def _wrong_usage(error: click.UsageError) -> int:
    path = error.ctx.command_path if error.ctx else "openprod"
    print_error("USAGE", error.format_message(), f"`{path} --help` shows how to call it.")
    return 2


def _of_system(error: OSError) -> str:
    reason = error.strerror or str(error) or type(error).__name__
    return f"{error.filename}: {reason}." if error.filename else f"{reason}."


def _kept(error: BaseException) -> str:
    """Write what happened to a file, for whoever mends it, and say where."""
    file = settings.home() / "last-error.txt"
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
    except OSError:
        return f"Please report it: {type(error).__name__}."
    return f"Please report it with the file {file}."


if __name__ == "__main__":
    sys.exit(main())
