"""The text form of queries."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openprod.core import queries
from openprod.errors import InputError


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("things.thing", {"facet": "things.thing"}),
        (
            "things.thing where list = LX and number = 42 sort number limit 20",
            {"facet": "things.thing", "where": {"list": "LX", "number": "42"}, "sort": ["number"], "limit": 20},
        ),
        ('a.b where label="two words" AND x = null', {"facet": "a.b", "where": {"label": "two words", "x": None}}),
        (r"a.b where label = 'it\'s' ", {"facet": "a.b", "where": {"label": "it's"}}),
        ("a.b where x = “so”", {"facet": "a.b", "where": {"x": "so"}}),
        ("a.b where x = “”", {"facet": "a.b", "where": {"x": ""}}),
        ("a.b sort -x , y as of 12ab limit 0", {"facet": "a.b", "sort": ["-x", "y"], "as_of": "12ab", "limit": 0}),
        ("a.b where start = 10:45", {"facet": "a.b", "where": {"start": "10:45"}}),
        ('{"facet": "a.b", "limit": 3}', {"facet": "a.b", "limit": 3}),
    ],
)
def test_text_becomes_data(text: str, query: dict[str, Any]) -> None:
    assert queries.parse(text) == query


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("", 1),
        ("   ", 4),
        ("a.b hwere x = 1", 5),
        ("a.b where", 10),
        ("a.b where x", 12),
        ("a.b where x > 1", 13),
        ("a.b where x = ", 15),
        ("a.b where x = 1 and", 20),
        ("a.b where x = 1 and x = 2", 21),
        ("a.b where x = = ", 15),
        ("a.b where x = 'open", 15),
        ("a.b limit many", 11),
        ("a.b limit ٣", 11),
        ("a.b limit 1 limit 2", 13),
        ("a.b as at 12", 8),
        ("a.b sort x,", 12),
        ("'a.b'", 1),
        ('{"facet": }', 11),
    ],
)
def test_errors_point_at_the_column(text: str, column: int) -> None:
    with pytest.raises(InputError) as raised:
        queries.parse(text)
    assert raised.value.details["column"] == column
    assert f"column {column}." in raised.value.hint


@pytest.mark.parametrize(
    ("wanted", "value", "same"),
    [
        ("42", "42", True), ("42", 42, True), ("42.0", 42, True), ("x", 42, False), ("true", True, True),
        ("1", True, False), (1, True, False), (True, True, True), (None, None, True), ("null", None, False),
        (5, "5", False), (5, 5.0, True), ([1], [1], True),
    ],
)  # fmt: skip
def test_a_text_also_means_the_number_it_spells(wanted: Any, value: Any, same: bool) -> None:
    assert queries.matches(wanted, value) is same


@given(st.text(max_size=60) | st.text(alphabet="a.b =,'\"“”\\{}wheresortlimitasof1", max_size=60))
def test_any_text_is_a_query_or_an_input_error(text: str) -> None:
    with contextlib.suppress(InputError):
        assert isinstance(queries.parse(text), dict)
