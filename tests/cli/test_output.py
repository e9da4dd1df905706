"""What values look like in a terminal."""

from __future__ import annotations

import json
from typing import Any

import pytest

from openprod.cli.commands.conflicts import _said
from openprod.cli.output import now_and_then, print_json, printable


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


HOSTILE = "Sam\x1b[2J\x9b2J\x7f\r\n\u202egnirb \u2066x\u2069\u2028y"
"""Clears the screen (twice), goes back to the line's beginning, turns the direction of writing."""


def test_what_others_wrote_commands_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    shown = printable(HOSTILE)
    print_json({HOSTILE: [HOSTILE]})
    told = capsys.readouterr().out
    for character in "\x1b\x9b\x7f\r\u202e\u2066\u2069\u2028":
        assert character not in shown
        assert character not in told
    assert "\n" not in shown
    assert json.loads(told) == {HOSTILE: [HOSTILE]}
    assert printable("Zoë\tשלום 👩‍🎤") == "Zoë\tשלום 👩‍🎤"


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
