"""What values look like in a terminal."""

from __future__ import annotations

from typing import Any

import pytest

from openprod.cli.commands.conflicts import _said
from openprod.cli.output import now_and_then


@pytest.mark.parametrize(
    ("before", "after", "texts"),
    [
        (None, "x", ("nothing", "x")),
        ("1", 1, ('"1"', "1")),
        ("a\nb", "a b", ('"a\\nb"', '"a b"')),
        (1.0, 2, ("1", "2")),
    ],
)
def test_what_differs_looks_different(before: Any, after: Any, texts: tuple[str, str]) -> None:
    assert now_and_then(before, after) == texts


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("schema", {"plugin": "a", "version": "1.2.0", "facets": {"thing": {}}}, "version 1.2.0"),
        ("schema", {"fields": {"name": {}, "mail": {"type": "string"}}}, "name, mail"),
        ("schema", {"concept": "Thing", "fields": {"name": "title"}}, "name=title"),
        ("schema", None, ""),
        ("field", {"version": "1"}, '{"version": "1"}'),
    ],
)
def test_a_definition_is_told_in_short(kind: str, value: Any, text: str) -> None:
    assert _said(kind, value) == text
