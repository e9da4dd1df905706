"""Reads TOML and remembers on which line each key stands, so that an error can point at it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from openprod.errors import InvalidManifest

Where: TypeAlias = "tuple[str | int, ...]"

BYTES_MAX = 1024 * 1024
DOTS_MAX = 16
"""So deep may a key lead on one line; nothing here is half as deep, and reading it takes the square of that."""
TEXT_MAX = 400
DESCRIPTION_MAX = 4_000

_TABLE = re.compile(r"^\s*\[(\[)?\s*([^\]]+?)\s*\]")
_KEY = re.compile(r"^\s*((?:[A-Za-z0-9_-]+|\"[^\"]*\")(?:\s*\.\s*(?:[A-Za-z0-9_-]+|\"[^\"]*\"))*)\s*=")
_PART = re.compile(r"\"([^\"]*)\"|([A-Za-z0-9_-]+)")
_DOTS = re.compile(rf"^[\s\[]*(?:[^\s=\[\]\"'#.]+\s*\.\s*){{{DOTS_MAX},}}", re.MULTILINE)
_JOINERS = {ord("\u200c"): "", ord("\u200d"): ""}
"""What joins letters and emoji is part of words."""
_LONG = frozenset({"description", "query"})
_SYNTAX_LINE = re.compile(r"\(at line (\d+), column \d+\)")


class TomlFile:
    """One TOML file: ``data`` as tomllib gives it, and ``problem`` to complain about a place in it.

    Whatever is read within ``part()`` and is wrong is put down; ``finish()`` complains of all that was put down.
    """

    def __init__(self, path: Path, name: str) -> None:
        """``name`` is how errors call the file. Raises InvalidManifest when it can't be read or isn't TOML."""
        self.name = name
        self.problems: list[InvalidManifest] = []
        try:
            if path.exists() and not path.is_file():
                raise InvalidManifest(f"{name} is no ordinary file.", hint="Put the file itself there.")
            with path.open("rb") as file:
                data = file.read(BYTES_MAX + 1)
            if len(data) > BYTES_MAX:
                raise InvalidManifest(f"{name} is larger than 1 MiB.", hint="Descriptions belong into README.md.")
            text = data.decode("utf-8-sig")
        except FileNotFoundError:
            raise InvalidManifest(
                f"{name} is missing.", hint="Every plugin folder has a plugin.toml with at least a name and a version."
            ) from None
        except UnicodeDecodeError:
            raise InvalidManifest(f"{name} isn't UTF-8 text.", hint="Save it again as UTF-8.") from None
        except OSError as error:
            raise InvalidManifest(f"{name} can't be read: {error.strerror}.") from error
        if _DOTS.search(text):
            raise _too_deep(name)
        try:
            self.data: dict[str, Any] = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            match = _SYNTAX_LINE.search(str(error))
            line = int(match.group(1)) if match else text.count("\n") + 1
            what = _SYNTAX_LINE.sub("", str(error)).strip().replace("(at end of document)", "at the end of the file")
            twice = any(word in what for word in ("twice", "overwrite", "Cannot declare", "Cannot mutate"))
            raise InvalidManifest(
                f"{name}, line {line}: this isn't valid TOML ({what}).",
                hint="Each name may be declared once: rename one of the two, or take it away."
                if twice
                else 'Keys on one line go into braces: number = { type = "decimal", label = "Q" }.',
                details={"file": name, "line": line},
            ) from error
        except RecursionError:
            raise _too_deep(name) from None
        except ValueError:  # Python's own limit
            raise InvalidManifest(
                f"{name} holds a number with thousands of digits.", hint="No number here needs more than a few."
            ) from None
        self._lines = _index(text)

    def line(self, *where: str | int) -> int:
        """The line (from 1) of the key, or of the nearest table around it."""
        path: Where = where
        while path:
            if path in self._lines:
                return self._lines[path]
            path = path[:-1]
        return 1

    def problem(self, what: str, hint: str, *where: str | int) -> InvalidManifest:
        """An error that names this file, the line of ``where``, and what to do."""
        line = self.line(*where)
        return InvalidManifest(
            f"{self.name}, line {line}: {what}", hint=hint, details={"file": self.name, "line": line}
        )

    @contextmanager
    def part(self) -> Iterator[None]:
        """Put down what is wrong in here, and go on with the rest."""
        try:
            yield
        except InvalidManifest as problem:
            self.problems.append(problem)

    def finish(self) -> None:
        """Raises InvalidManifest: the first that was put down, with all of them in ``details``."""
        refuse(self.problems)

    def only(self, table: dict[str, Any], known: frozenset[str], where: Where) -> None:
        """Complain about a key that means nothing: it is a typing error more often than not."""
        for key in table:
            if key not in known:
                hint = f"Known here: {', '.join(sorted(known))}."
                raise self.problem(f"“{key}” means nothing here.", hint, *where, key)

    def text(self, table: dict[str, Any], key: str, where: Where) -> str:
        """The text under ``key``, "" when absent."""
        value = table.get(key, "")
        if not isinstance(value, str):
            raise self.problem(f"“{key}” isn't text.", f'Write {key} = "…".', *where, key)
        self.check_words(value, f"“{key}”", DESCRIPTION_MAX if key in _LONG else TEXT_MAX, *where, key)
        return value

    def check_words(self, value: str, what: str, length_max: int, *where: str | int) -> None:
        """Complain about what people can't read: characters that can't be seen or turn the line round; too much."""
        if len(value) > length_max:
            raise self.problem(
                f"{what} is longer than {length_max:,} characters.", "README.md has room for more.", *where
            )
        seen = value.translate(_JOINERS)
        if not (seen.replace("\n", "") if length_max == DESCRIPTION_MAX else seen).isprintable():
            raise self.problem(
                f"{what} holds a line end or a character that can't be seen.", "Type it again, on one line.", *where
            )

    def required(self, table: dict[str, Any], key: str, where: Where) -> str:
        value = self.text(table, key, where)
        if not value:
            raise self.problem(f"“{key}” is missing.", f'Add {key} = "…".', *where, key)
        return value

    def flag(self, table: dict[str, Any], key: str, where: Where) -> bool:
        value = table.get(key, False)
        if not isinstance(value, bool):
            raise self.problem(f"“{key}” is neither true nor false.", f"Write {key} = true.", *where, key)
        return value

    def texts(self, table: dict[str, Any], key: str, where: Where) -> tuple[str, ...]:
        """The list of texts under ``key``, empty when absent."""
        value = table.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.problem(f"“{key}” isn't a list of texts.", f'Write {key} = ["a", "b"].', *where, key)
        return tuple(value)

    def tables(self, table: dict[str, Any], key: str, where: Where) -> list[dict[str, Any]]:
        """The tables written ``[[where]]``, none when absent."""
        value = table.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            name = ".".join(str(part) for part in where)
            raise self.problem(f"“{key}” isn't a list of tables.", f"Write [[{name}]].", *where)
        return value


def _too_deep(name: str) -> InvalidManifest:
    return InvalidManifest(f"{name} is nested too deeply.", hint="Tables in tables in tables are all it takes.")


def refuse(problems: list[InvalidManifest]) -> None:
    """Raises the first of several, with all of them in its details; nothing when there is none."""
    if len(problems) > 1:
        first = problems[0]
        records = [{"sentence": one.sentence, "hint": one.hint, **one.details} for one in problems]
        raise InvalidManifest(first.sentence, hint=first.hint, details={**first.details, "problems": records})
    if problems:
        raise problems[0]


def _index(text: str) -> dict[Where, int]:
    """{path of keys: line}. A reading by line: values that span lines are skipped over, not understood."""
    lines: dict[Where, int] = {}
    counts: dict[Where, int] = {}
    table: Where = ()
    fence = ""
    # TOML ends lines with LF or CRLF alone.
    for number, line in enumerate(text.split("\n"), start=1):
        if fence:
            fence = "" if line.count(fence) % 2 else fence
            continue
        if match := _TABLE.match(line):
            table = _path(match.group(2))
            if match.group(1):
                counts[table] = counts.get(table, -1) + 1
                table = (*table, counts[table])
            elif table[:-1] and table[:-1] in counts:
                table = (*table[:-1], counts[table[:-1]], table[-1])
            lines.setdefault(table, number)
        elif match := _KEY.match(line):
            lines.setdefault((*table, *_path(match.group(1))), number)
            fence = next((quote for quote in ('"""', "'''") if line.count(quote) % 2), "")
    return lines


def _path(dotted: str) -> Where:
    return tuple(quoted or bare for quoted, bare in _PART.findall(dotted))
