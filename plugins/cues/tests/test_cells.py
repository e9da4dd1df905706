"""What the cells of cue sheets mean."""

import pytest

from plugins.cues.jobs.cells import Numbered, cue_number, department, fade, part_number, seconds, time_of_day


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("42", Numbered("", "42")),
        ("42.10", Numbered("", "42.10")),
        ("007", Numbered("", "007")),
        ("LX 42", Numbered("LX", "42")),
        ("LXQ42.5", Numbered("LX", "42.5")),
        ("lx-7", Numbered("LX", "7")),
        ("SQ 12", Numbered("SND", "12")),
        ("Sound 3", Numbered("SND", "3")),
        ("Q6", Numbered("", "6")),
        ("Cue #9", Numbered("", "9")),
        ("House 1", Numbered("House", "1")),
        ("42 part 2", Numbered("", "42", "2")),
        ("42.5P10", Numbered("", "42.5", "10")),
        ("LX 42 pt. 3", Numbered("LX", "42", "3")),
        ("LX P2", Numbered("LX P", "2")),
        ("42 part 2 part 3", None),
        ("Blackout", None),
        ("", None),
        ("12-14", None),
        ("1.2.3", None),
        ("٤٢", None),
        ("4²", None),
    ],
)
def test_a_cue_number_stays_as_written(text: str, expected: Numbered | None) -> None:
    assert cue_number(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("3", 3), ("3.5", 3.5), ("2,5", 2.5), (".5", 0.5), ("5s", 5), ("5 sec", 5), ("0:03", 3), ("1:30", 90),
     ("1:02:03.5", 3723.5), ("0", 0), ("", None), ("slow", None), ("-3", None), ("1e9", None), ("inf", None)],
)  # fmt: skip
def test_times_are_seconds(text: str, expected: float | None) -> None:
    assert seconds(text) == expected


def test_a_fade_may_be_split() -> None:
    assert fade("5/7") == (5, 7)
    assert fade("5") == (5, None)
    assert fade("5/x") is None
    assert fade("/7") is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [("10:30", "10:30"), ("9.05", "09:05"), ("7:30 pm", "19:30"), ("12:00 am", "00:00"), ("19:30:15", "19:30:15"),
     ("25:00", None), ("10:75", None), ("13:00 pm", None), ("soon", None)],
)  # fmt: skip
def test_times_of_day(text: str, expected: str | None) -> None:
    assert time_of_day(text) == expected


def test_parts_and_departments() -> None:
    assert [part_number(text) for text in ("2", "P2", "Part 12", "pt. 3", "", "two", "2a")] == [
        "2",
        "2",
        "12",
        "3",
        *[None] * 3,
    ]
    assert [department(name) for name in ("LX", "LX3", "SND", "1", "Wigs", "")] == [
        "Lighting", "Lighting", "Sound", None, None, None,
    ]  # fmt: skip
