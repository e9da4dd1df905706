"""How entities are named for people."""

import pytest

from openprod.core.titles import fields_of, title


@pytest.mark.parametrize(
    ("template", "values", "expected"),
    [
        ("{list} {number}", {"list": "LX", "number": "42.10"}, "LX 42.10"),
        ("{list} {number}", {"number": "42"}, "42"),
        ("{list} {number} {label}", {"list": "LX", "label": "Dawn"}, "LX Dawn"),
        ("{list} {number}", {}, "thing_1"),
        ("{list}", {"list": None}, "thing_1"),
        ("", {"list": "LX"}, "thing_1"),
        ("No. {n}", {"n": 3.0}, "No. 3"),
        ("{a}", {"a": 2.5}, "2.5"),
        ("{a}", {"a": True}, "yes"),
        ("{a}", {"a": ["x", 1]}, "x, 1"),
        ("{a}", {"a": {"x": 1}}, "x: 1"),
        ("{a}", {"a": "{b}", "b": "no"}, "{b}"),
        ("{a}", {"a": " two\n lines "}, "two lines"),
        (
            "{title} {date:day} {start}",
            {"title": "Fight", "date": "2026-11-24", "start": "12:00"},
            "Fight Tue 24 Nov 12:00",
        ),
        ("{at:day}", {"at": "2026-03-01T09:00"}, "Sun 1 Mar"),
        ("{at:day}", {"at": "2026-02-30"}, "2026-02-30"),
        ("{at:day}", {"at": "soon"}, "soon"),
        ("{at:day}", {"at": 3}, "3"),
        ("{at:day}", {}, "thing_1"),
        ("{at:week}", {"at": "2026-03-01"}, "thing_1"),
    ],
)
def test_a_title_is_its_template_filled(template: str, values: dict[str, object], expected: str) -> None:
    assert title(template, values, entity="thing_1") == expected


def test_fields_of_a_template() -> None:
    assert fields_of("{list} {number}: { label }") == ("list", "number", "label")
    assert fields_of("{date:day} {date:week}") == ("date", "date:week")
