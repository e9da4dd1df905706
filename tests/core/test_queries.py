"""The forms of queries: text, data and Python make the same; what is written can be read again."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openprod.core import queries
from openprod.core.queries import F, Q, moments, order
from openprod.core.queries.ast import (
    MEASURES,
    OPERATORS,
    Compare,
    Conflicted,
    Has,
    Hop,
    In,
    Matching,
    Measure,
    Name,
    Not,
    Query,
    Sort,
    all_of,
    any_of,
    wanted,
)
from openprod.core.queries.builder import against, along, conflicted, count, has, matching, max_of
from openprod.core.queries.text import GRAMMAR
from openprod.errors import InputError

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "queries.md"


def test_a_query_that_takes_long_to_be_read_is_refused_before_that() -> None:
    """INV-BOUND-1: a few megabytes of conditions kept a node busy for a quarter of a minute."""
    many = list(range(100_000))
    for where in ({"a": {"in": many}}, {"$or": [{"a": one} for one in many]}):
        with pytest.raises(InputError, match="too long"):
            queries.from_data({"facet": "cues.cue", "where": where})


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
        ("Person where name starts Al", {"concept": "Person", "where": {"name": {"starts": "Al"}}}),
        ("a.b where x>3 and x<=5", {"facet": "a.b", "where": {"$and": [{"x": {">": "3"}}, {"x": {"<=": "5"}}]}}),
        ("a.b where x <-3", {"facet": "a.b", "where": {"x": {"<": "-3"}}}),
        ("a.b where x in (1, null) offset 4", {"facet": "a.b", "where": {"x": {"in": ["1", None]}}, "offset": 4}),
        ("a.b where x not in (1)", {"facet": "a.b", "where": {"$not": {"x": {"in": ["1"]}}}}),
        ("a.b where x is null or y is not null", {
            "facet": "a.b", "where": {"$or": [{"x": None}, {"y": {"!=": None}}]},
        }),
        ("a.b where x = [1, \"a\"]", {"facet": "a.b", "where": {"x": [1, "a"]}}),
        ('a.b where x = {"a": 1}', {"facet": "a.b", "where": {"x": {"=": {"a": 1}}}}),
        ("a.b where not (x = 1 or y = 2) and matching “old king”", {
            "facet": "a.b", "where": {"$not": {"$or": [{"x": "1"}, {"y": "2"}]}, "$matching": "old king"},
        }),
        ("a.b where not = 3", {"facet": "a.b", "where": {"not": "3"}}),
        ("a.b where conflicted (x, y) or conflicted", {
            "facet": "a.b", "where": {"$or": [{"$conflicted": ["x", "y"]}, {"$conflicted": True}]},
        }),
        ("a.b where x = 1 -> a.e -> c.d where y = 2 <- c.f", {
            "facet": "a.b", "where": {"x": "1"},
            "along": [{"edge": "a.e", "to": "c.d", "where": {"y": "2"}}, {"edge": "c.f", "from": None}],
        }),
        ("a.b where has -> a.e where (p = 1) -> c.d where (y = 2) -> c.g and z = 1", {
            "facet": "a.b",
            "where": {
                "$has": [
                    {"edge": "a.e", "to": "c.d", "where": {"y": "2"}, "edge_where": {"p": "1"}},
                    {"edge": "c.g", "to": None},
                ],
                "z": "1",
            },
        }),
        ("a.b select x, count(), max(y) group by x sort -count(), x nulls first", {
            "facet": "a.b", "fields": ["x"], "measures": ["count()", "max(y)"], "group": ["x"],
            "sort": ["-count()", "x nulls first"],
        }),
        ("a.b as of last friday limit 1", {"facet": "a.b", "as_of": "last friday", "limit": 1}),
        ("a.b as of 2026-11-20 18:00", {"facet": "a.b", "as_of": "2026-11-20 18:00"}),
    ],
)  # fmt: skip
def test_text_becomes_data(text: str, query: dict[str, Any]) -> None:
    assert queries.to_data(queries.parse(text)) == query
    assert queries.from_data(query) == queries.parse(text)


@pytest.mark.parametrize(
    ("text", "built"),
    [
        ("a.b where x > 3 and y = null", Q("a.b").where(F("x") > 3, F("y").is_null())),
        ("a.b where x in (1, true) or not y != 2", Q("a.b").where(F("x").is_in(1, True) | ~(F("y") != 2))),
        (
            "a.b where x contains k -> a.e where p = 1 -> c.d where y starts 2 <- c.f",
            Q("a.b").where(F("x").contains("k")).along("a.e", to="c.d", edge_where=F("p") == 1)
            .where(F("y").starts(2)).against("c.f"),
        ),
        (
            "a.b where has -> a.e -> c.d where (y = 2) and not has <- c.f and matching ghost and conflicted (x)",
            Q("a.b").where(has(along("a.e", to="c.d", where=F("y") == 2)) & ~has(against("c.f")))
            .where(matching("ghost"), conflicted("x")),
        ),
        (
            "a.b select x, count(), max(y) group by x sort -x, count() limit 3 offset 6 as of yesterday",
            Q("a.b").select("x", count(), max_of("y")).group("x").sort("-x", "count()").limit(3).offset(6)
            .as_of("yesterday"),
        ),
    ],
)  # fmt: skip
def test_python_makes_the_same(text: str, built: Q) -> None:
    assert built.query == queries.parse(text)


def test_a_builder_never_changes_in_place() -> None:
    base = Q("a.b")
    base.where(F("x") == 1).limit(2)
    assert base == Q("a.b")


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("", 1),
        ("   ", 4),
        ("a.b hwere x = 1", 5),
        ("a.b where", 10),
        ("a.b where x", 12),
        ("a.b where x ~ 1", 13),
        ("a.b where x = ", 15),
        ("a.b where x = 1 and", 20),
        ("a.b where x = = ", 15),
        ("a.b where x < null", 15),
        ("a.b where x = 'open", 15),
        ("a.b where (x = 1", 17),
        ("a.b where x in 1", 16),
        ("a.b where x is nothing", 16),
        ("a.b where x = [1", 17),
        ("a.b where x = 1 where y = 2", 17),
        ("a.b ->", 7),
        ("a.b where has x", 15),
        ("a.b where has -> a.e -> c.d where x = 1", 35),
        ("a.b where has -> a.e where x = 1", 28),
        ("a.b select median(x)", 12),
        ("a.b group x", 11),
        ("a.b sort x nulls now", 18),
        ("a.b limit many", 11),
        ("a.b limit ٣", 11),
        ("a.b limit 1 limit 2", 13),
        ("a.b as at 12", 8),
        ("a.b sort x,", 12),
        ("a.b sort -", 11),
        ("'a.b'", 1),
        ('{"facet": }', 11),
        ("a.b where " + "not " * 60 + "x = 1", 171),
        ("a.b" + " -> a.e -> *" * 9, 101),
        ("a.b where x = \ud800", 15),
    ],
)
def test_errors_point_at_the_column(text: str, column: int) -> None:
    with pytest.raises(InputError) as raised:
        queries.parse(text)
    assert raised.value.details["column"] == column
    assert f"column {column}." in raised.value.hint


@pytest.mark.parametrize(
    "data",
    [
        {}, {"facet": ""}, {"facet": "a.b", "concept": "C"}, {"facet": "a b"}, {"facet": 3}, {"facet": "a.b", "x": 1},
        {"facet": "a.b", "where": []}, {"facet": "a.b", "where": {"a b": 1}}, {"facet": "a.b", "where": {"$x": 1}},
        {"facet": "a.b", "where": {"$or": []}}, {"facet": "a.b", "where": {"$not": {}}},
        {"facet": "a.b", "where": {"x": {"in": []}}}, {"facet": "a.b", "where": {"x": {"<": None}}},
        {"facet": "a.b", "where": {"$matching": 3}}, {"facet": "a.b", "where": {"$has": []}},
        {"facet": "a.b", "along": [{"to": "c.d"}]},
        {"facet": "a.b", "along": [{"edge": "a.e", "to": "x.y", "from": "x.y"}]},
        {"facet": "a.b", "along": [{"edge": "a.e"}] * 9}, {"facet": "a.b", "limit": -1},
        {"facet": "a.b", "limit": True},
        {"facet": "a.b", "sort": "x"}, {"facet": "a.b", "sort": ["--x"]}, {"facet": "a.b", "measures": ["min()"]},
        {"facet": "a.b", "where": {"x": "\ud800"}}, {"facet": "a.b", "where": {"x": float("nan")}},
        {"facet": "a.b", "as_of": 3},
    ],
)  # fmt: skip
def test_data_that_says_nothing_is_refused(data: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        queries.from_data(data)


def test_conditions_nested_without_end_are_refused() -> None:
    where: dict[str, Any] = {"x": 1}
    for _ in range(3000):
        where = {"$not": where}
    with pytest.raises(InputError):
        queries.from_data({"facet": "a.b", "where": where})


# -- there and back ----------------------------------------------------------------------------------------

FIELD = st.sampled_from(["x", "list", "where", "not", "in", "a-b", "Matching", "nulls", "entity", "_1"]).map(Name)
FULL = st.sampled_from(["a.b", "plug-in.facet_2", "a.where"]).map(Name)
VALUE = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    st.sampled_from(["null", "and", "->", "a b", '"', "\\"]),
    st.lists(st.integers() | st.text(st.characters(exclude_categories=["Cs"]), max_size=3), max_size=3),
    st.dictionaries(st.sampled_from(["a", "in", "<"]), st.integers(), max_size=2),
).map(wanted)  # fmt: skip
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)


def _compared(field: Name, operator: Any, value: Any) -> Compare:
    return Compare(field, operator if value is not None or operator == "!=" else "=", value)


def hops(conditions: st.SearchStrategy[Any], *, targets: st.SearchStrategy[Any]) -> st.SearchStrategy[Hop]:
    return st.builds(
        lambda edge, outward, target, where, edge_where: Hop(
            edge, outward, target, where, edge_where
        ),
        FULL, st.booleans(), targets, st.none() | conditions, st.none() | conditions,
    )  # fmt: skip


ATOM = st.one_of(
    st.builds(_compared, FIELD, st.sampled_from(OPERATORS), VALUE),
    st.builds(In, FIELD, st.lists(VALUE, min_size=1, max_size=3).map(tuple)),
    st.builds(Matching, TEXT),
    st.builds(Conflicted, st.lists(FIELD, max_size=2).map(tuple)),
)
CONDITION = st.recursive(
    ATOM,
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=3).map(all_of),
        st.lists(inner, min_size=2, max_size=3).map(any_of),
        inner.map(Not),
        st.lists(hops(inner, targets=st.none() | FULL), min_size=1, max_size=2).map(lambda found: Has(tuple(found))),
    ),
    max_leaves=6,
)
MEASURE = st.builds(
    lambda kind, field: Measure(kind, None if kind == "count" else field), st.sampled_from(MEASURES), FIELD
)
QUERY = st.builds(
    lambda **parts: Query(**parts),
    source=FULL | st.just(Name("Person")), where=st.none() | CONDITION,
    along=st.lists(hops(CONDITION, targets=st.none() | FULL), max_size=2).map(tuple),
    fields=st.lists(FIELD, max_size=3).map(tuple), measures=st.lists(MEASURE, max_size=2).map(tuple),
    group=st.lists(FIELD, max_size=2).map(tuple),
    sort=st.lists(st.builds(Sort, FIELD | MEASURE, st.booleans(), st.booleans()), max_size=2).map(tuple),
    limit=st.none() | st.integers(0, 999_999_999), offset=st.integers(0, 999_999_999), as_of=st.none() | TEXT,
)  # fmt: skip


@given(QUERY)
def test_text_and_data_come_back_as_they_were(query: Query) -> None:
    """INV-QUERY-1: what is written in one form and read again is the same query."""
    assert queries.parse(queries.to_text(query)) == query
    assert queries.from_data(queries.to_data(query)) == query


@given(st.text(max_size=60) | st.text(alphabet="a.b =,'\"“”\\{}[]()<>-!wheresortlimitasofnotinhas1", max_size=60))
def test_any_text_is_a_query_or_an_input_error(text: str) -> None:
    with contextlib.suppress(InputError):
        assert isinstance(queries.parse(text), Query)


# -- values ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "value", "same"),
    [
        ("42", '"42"', True), ("42", "42", True), ("42.0", "42", True), ("x", "42", False), ("TRUE", "true", True),
        ("1", "true", False), (1, "true", False), (True, "true", True), (5, '"5"', True), (5.0, "5", True),
        ("42.10", '"42.1"', False), ([1], "[1]", True), ("[1]", "[1]", False), ("é", '"é"', True),
        ("1e3", "1000", True),
        ("nan", '"nan"', True), ("inf", "null", False), ("1_0", "10", False),
    ],
)  # fmt: skip
def test_a_text_also_means_the_number_it_spells(asked: Any, value: str, same: bool) -> None:
    assert (value in order.spellings(wanted(asked))) is same


def test_order_is_that_of_people() -> None:
    rising: list[Any] = [
        -10, "-2.5", -2, "-1.55", "-1.5", -1, 0, 0.5, "0.75", 1, "2", "9.5", "9.50 b", 10, 42, "42A", "42a part 2",
        "42.5", "100", 1e21, "a2", "a10", "LX 2", "lx 10", "Zoë",
    ]  # fmt: skip
    keys = [order.order_key(value) for value in rising]
    assert keys == sorted(keys, key=lambda key: key or "")
    assert order.order_key("42.10") == order.order_key(42.1) == order.order_key("042.1")
    assert order.order_key(None) is None


@given(st.lists(st.decimals(-10_000, 10_000, places=3), min_size=2, max_size=6))
def test_decimals_sort_as_numbers(numbers: list[Any]) -> None:
    texts = [format(number, "f") for number in numbers]
    keyed = sorted(texts, key=lambda text: order.order_key(text) or "")
    assert [float(text) for text in keyed] == sorted(map(float, texts))


# -- times -------------------------------------------------------------------------------------------------

NOW = datetime(2026, 11, 22, 17, 30)  # a Sunday


@pytest.mark.parametrize(
    ("text", "until"),
    [
        ("2026-11-20", "2026-11-21T00:00"), ("yesterday", "2026-11-22T00:00"), ("today", "2026-11-23T00:00"),
        ("Last Friday", "2026-11-21T00:00"), ("friday", "2026-11-21T00:00"), ("last sunday", "2026-11-16T00:00"),
        ("3 days ago", "2026-11-20T00:00"), ("1 week ago", "2026-11-16T00:00"),
    ],
)  # fmt: skip
def test_a_day_lasts_to_its_end(text: str, until: str) -> None:
    found = moments.instant(text, NOW, lambda moment: moment.replace(tzinfo=UTC))
    assert found == datetime.fromisoformat(until).replace(tzinfo=UTC).timestamp() * 1000 - 1


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("now", "2026-11-22T17:30"), ("2 hours ago", "2026-11-22T15:30"), ("2026-11-20 18:00", "2026-11-20T18:00"),
        ("2026-11-20T18:00:30Z", "2026-11-20T18:00:30"), ("2026-11-20t18:00+02:00", "2026-11-20T16:00"),
    ],
)  # fmt: skip
def test_a_minute_is_meant_exactly(text: str, at: str) -> None:
    found = moments.instant(text, NOW, lambda moment: moment.replace(tzinfo=UTC))
    assert found == datetime.fromisoformat(at).replace(tzinfo=UTC).timestamp() * 1000


@pytest.mark.parametrize(
    "text", ["", "soon", "2026-13-01", "2026-11-20 25:00", "99999 weeks ago", "1969-01-01", "last"]
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="neither a bundle nor a time"):
        moments.instant(text, NOW, lambda moment: moment.replace(tzinfo=UTC))


def test_what_is_no_time_is_pointed_at() -> None:
    asked = queries.parse("a.b where x = 1 as of soon sort x").as_of
    assert asked == "soon"
    with pytest.raises(InputError) as raised:
        moments.instant(asked, NOW, lambda moment: moment.replace(tzinfo=UTC))
    assert raised.value.details == {"column": 23}


def test_the_guide_holds_the_grammar_and_its_examples_can_be_read() -> None:
    guide = GUIDE.read_text()
    assert GRAMMAR in guide
    lines = [
        line for part in guide.split("```query\n")[1:] for line in part.split("```")[0].splitlines() if line.strip()
    ]
    assert len(lines) > 15
    for line in lines:
        query = queries.parse(line)
        assert queries.parse(queries.to_text(query)) == query
