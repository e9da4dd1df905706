"""What the terminal shows: tables, plain lines for pipes, JSON for programs. Errors and progress on stderr."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

Report = Callable[[int, int], None]
_COMMANDING: Final = re.compile("[\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""Control characters beyond ASCII's, line and paragraph separators, and what turns the direction of writing."""
_UNPRINTABLE: Final = re.compile(f"[\x00-\x08\x0a-\x1f]|{_COMMANDING.pattern}")


def say(line: str = "") -> None:
    """One line of result."""
    sys.stdout.write(printable(line) + "\n")


def note(line: str) -> None:
    """One line beside the result, on stderr."""
    sys.stderr.write(printable(line) + "\n")


def print_json(data: Any) -> None:
    try:
        text = json.dumps(data, ensure_ascii=False, indent=2)
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(data, indent=2)
    # Characters that could command a terminal stand in JSON's strings only: the line breaks between are ours.
    sys.stdout.write(_COMMANDING.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n")


def print_error(code: str, sentence: str, hint: str = "") -> None:
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(Text.assemble((f"error[{code}]", "bold red"), f": {printable(sentence)}"))
    if hint:
        console.print(Text(f"hint: {printable(hint)}"))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], *, empty: str = "") -> None:
    """A table on a terminal; otherwise lines of cells with a tab between, the first one naming the columns."""
    console = Console(highlight=False)
    if not rows and empty:
        note(empty)
        if console.is_terminal:
            return
    if not console.is_terminal:
        for row in (columns, *rows):
            say("\t".join(cell(value) for value in row))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for number, column in enumerate(columns):
        # The first one is what other commands want to be told: whole, so that it can be copied.
        table.add_column(Text(column), overflow="fold", no_wrap=number == 0)
    for row in rows:
        table.add_row(*(Text(printable(cell(value))) for value in row))
    console.print(table)


def print_facts(facts: Sequence[tuple[str, Any]]) -> None:
    """Named values, one a line."""
    width = max((len(name) for name, _value in facts), default=0)
    for name, value in facts:
        say(f"{name + ':':<{width + 1}} {cell(value)}")


def cell(value: Any) -> str:
    """A value in one cell: no line breaks, no tabs."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return " ".join(value.split()) if any(character in value for character in "\t\n\r\v\f") else value
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, (int, float)):
        return str(value)
    return json.dumps(value, ensure_ascii=False)


def now_and_then(before: Any, after: Any) -> tuple[str, str]:
    """Two values beside each other. Those that look alike, such as a number and a text, as JSON."""
    texts = cell(before) or "nothing", cell(after) or "nothing"
    return texts if texts[0] != texts[1] else (json.dumps(before), json.dumps(after))


def printable(text: str) -> str:
    """Without characters that could command the terminal, or make a line read in another order than it is written
    (who wants to join, say), and without half characters, which it can't show."""
    return _UNPRINTABLE.sub("�", text.encode("utf-8", "replace").decode("utf-8"))


@contextmanager
def progress(label: str) -> Iterator[Report]:
    """A bar on stderr while long work is done; nothing when stderr isn't a terminal. Report (done, total)."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _done, _total: None
        return
    columns = (
        SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(label, total=None)

        def report(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total or None)

        yield report
