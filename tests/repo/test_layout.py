"""Where things may be."""

from __future__ import annotations

import pytest

from tests.repo.files import kept, python, text

TOP = {
    ".ci", ".gitignore", "Makefile", "README.md", "benchmarks", "client", "crdt_schema", "docs", "openprod", "plugins",
    "pyproject.toml", "tests",
}  # fmt: skip

LINES_MAX = 500
LONGER: dict[str, str] = {}


def test_the_top_level_is_fixed() -> None:
    assert {path.partition("/")[0] for path in kept()} <= TOP


def test_modules_are_small() -> None:
    lengths = {path: text(path).count("\n") for path in python("openprod", "crdt_schema", "plugins", "benchmarks")}
    long = {path: length for path, length in lengths.items() if length > LINES_MAX}
    assert long.keys() - LONGER.keys() == set(), f"longer than {LINES_MAX} lines: split them, or say why here"
    assert LONGER.keys() - long.keys() == set(), "not longer any more: take them out of the list"


@pytest.mark.parametrize("path", python("openprod"))
def test_every_module_says_what_it_is(path: str) -> None:
    assert not text(path).strip() or text(path).startswith('"""'), f"{path} has no docstring"
