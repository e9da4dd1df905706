"""How schedules write days and times."""

import pytest

from plugins.schedule.jobs.times import Span, ambiguous, clock, day, day_order, span, year_of


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-24", "2026-11-24 00:00:00", "24.11.2026", "24. 11. 2026", "24/11/2026", "24/11/26", "24-11-2026",
        "11/24/2026", "Tue 24 Nov 2026", "Tuesday, 24 November 2026", "24th Nov, 2026", "Nov 24, 2026",
        "November 24th 2026", "24-Nov-26", "tues 24.11.26", "Thurs 24 nov 2026",
    ],
)  # fmt: skip
def test_days(text: str) -> None:
    assert day(text) == "2026-11-24"


@pytest.mark.parametrize("text", ["Tue 24 Nov", "24.11.", "24/11", "Nov 24"])
def test_days_without_a_year_need_one(text: str) -> None:
    assert day(text) is None
    assert day(text, year=2026) == "2026-11-24"


@pytest.mark.parametrize(
    "text", ["", "soon", "31/02/2026", "2026-13-01", "32 Nov 2026", "24 Foo 2026", "24 ma 2026", "03/04/2026"]
)
def test_what_is_no_day(text: str) -> None:
    assert day(text) is None


def test_a_column_tells_which_number_is_the_day() -> None:
    assert day_order(["03/04/2026", "Mon 13/04/2026"]) == "dmy"
    assert day_order(["03/04/2026", "04/13/2026"]) == "mdy"
    assert day_order(["03/04/2026"]) == ""
    assert day_order(["13/04/2026", "04/13/2026"]) == ""
    assert day("03/04/2026", order="dmy") == "2026-04-03"
    assert day("03/04/2026", order="mdy") == "2026-03-04"
    assert ambiguous("03/04/2026")
    assert not ambiguous("04/04/2026")
    assert day("04/04/2026") == "2026-04-04"


def test_a_year_counts_only_when_it_is_the_only_one() -> None:
    assert year_of(["Week 3, November 2026", "Hamlet"]) == 2026
    assert year_of(["2026/2027"]) is None
    assert year_of(["120265"]) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10:30", "10:30"), ("10.30", "10:30"), ("9h05", "09:05"), ("19h", "19:00"), ("7pm", "19:00"),
        ("7:30 pm", "19:30"), ("7:30 p.m.", "19:30"), ("12am", "00:00"), ("12 PM", "12:00"), ("1930", "19:30"),
        ("10", "10:00"), ("24:30", "24:30"), ("noon", "12:00"), ("midnight", "24:00"), ("19:30:15", "19:30:15"),
        ("", None), ("48:00", None), ("10:75", None), ("13pm", None), ("soon", None), ("10:3", None),
    ],
)  # fmt: skip
def test_clocks(text: str, expected: str | None) -> None:
    assert clock(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10:00", Span("10:00", "")), ("10:00–13:00", Span("10:00", "13:00")), ("10 - 13.30", Span("10:00", "13:30")),
        ("2-5pm", Span("14:00", "17:00")), ("11-2pm", Span("11:00", "14:00")), ("10am to 1pm", Span("10:00", "13:00")),
        ("22:00-01:00", Span("22:00", "01:00")), ("10:00-", None), ("1-2-3", None), ("a-b", None),
    ],
)  # fmt: skip
def test_spans(text: str, expected: Span | None) -> None:
    assert span(text) == expected
