"""What fits a field. Nothing is refused for not fitting, so every value must get an answer."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openprod.core.schema import FIELD_TYPES, Field
from openprod.core.validity import fault
from tests.core.test_decisions import json_values

FITS: dict[str, list[Any]] = {
    "string": ["", "x", "10:30"],
    "integer": [0, -1, 2**53],
    "decimal": ["0", "-1.50", "42.5"],
    "number": [0, 1.5, -3],
    "boolean": [True, False],
    "date": ["2026-11-22"],
    "time": ["9:00", "19:30", "19:30:15.5", "25:10", "47:59"],
    "datetime": ["2026-11-22T19:30", "2026-11-22T19:30:00+01:00"],
    "duration": [0, 1.5],
    "choice": ["a", "b"],
    "color": ["#ffcc00", "#FFCC0080"],
    "reference": ["cue_1"],
    "list": [[], [1, "a", None]],
    "blob": ["blob:" + "0" * 64],
}
FITS_NOT: dict[str, list[Any]] = {
    "string": [1, [], {}, True],
    "integer": [1.5, "1", True],
    "decimal": [1.5, "1,5", "", ".5", "1.", "٣", "1e3", "1\n"],
    "number": ["1", False, None.__class__.__name__],
    "boolean": [0, "true"],
    "date": ["2026-13-01", "today", 7, "2026-11-22T19:30"],
    "time": ["48:00", "12:60", "noon", 12, "١٢:30", "12:30\n", ""],
    "datetime": ["soon", 5],
    "duration": [-1, "5", True],
    "choice": ["c", 1, []],
    "color": ["red", "#fff", 0, "#ffcc00\n"],
    "reference": [1, []],
    "list": ["a", [[1]], [{}]],
    "blob": ["blob:x", "0" * 64, 1],
}


def field(type_: str) -> Field:
    return Field(type=type_, choices=("a", "b") if type_ == "choice" else ())


@pytest.mark.parametrize(("type_", "value"), [(type_, value) for type_, values in FITS.items() for value in values])
def test_fits(type_: str, value: Any) -> None:
    assert fault(field(type_), value) == ""


@pytest.mark.parametrize(("type_", "value"), [(type_, value) for type_, values in FITS_NOT.items() for value in values])
def test_fits_not(type_: str, value: Any) -> None:
    assert fault(field(type_), value)


@given(st.sampled_from([*FIELD_TYPES, "spaceship"]), json_values)
def test_every_value_gets_an_answer(type_: str, value: Any) -> None:
    assert isinstance(fault(field(type_), json.loads(json.dumps(value))), str)
    assert fault(field(type_), None) == ""
