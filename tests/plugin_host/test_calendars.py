"""What plugins are given of calendar files, and what the host writes for them."""

from __future__ import annotations

import datetime as dt
import random
from zoneinfo import ZoneInfo

import icalendar
import pytest

from openprod.errors import InputError, InvalidFile, LimitExceeded
from openprod.plugin_api import (
    Component,
    Moment,
    Property,
    Source,
    end_of,
    in_zone,
    is_zone,
    occurrences,
    shifted,
    write_calendar,
)
from openprod.plugin_api import ical as reader
from tests.seeds import fresh


def calendar(*lines: str) -> Source:
    text = "\r\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//test//", *lines, "END:VCALENDAR", ""])
    return Source(text.encode(), "file.ics")


def event(*lines: str) -> Component:
    (found,) = calendar("BEGIN:VEVENT", "UID:1", *lines, "END:VEVENT").calendars[0].walk("VEVENT")
    return found


def test_values_come_without_escapes_and_folds_and_times_with_their_zone() -> None:
    found = event(
        "SUMMARY:A\\, b\\; c\\nd and a long",
        "  line",
        "DTSTART;TZID=Europe/London:20261124T120000",
        "DTEND:20261124T133000Z",
        "CATEGORIES:One,Two",
        'ATTENDEE;CN="Doe, Jane";PARTSTAT=ACCEPTED:mailto:jane@example.com',
    )
    assert found.text("SUMMARY") == "A, b; c\nd and a long line"
    assert found.moment("DTSTART") == Moment("2026-11-24", "12:00", "Europe/London")
    assert found.moment("DTEND") == Moment("2026-11-24", "13:30", "UTC")
    assert end_of(found) == Moment("2026-11-24", "13:30", "Europe/London")
    assert found.text("CATEGORIES") == "One,Two"
    attendee = found.get("ATTENDEE")
    assert attendee is not None
    assert (attendee.value, attendee.params["CN"]) == ("mailto:jane@example.com", "Doe, Jane")
    assert found.text("LOCATION") == ""
    assert found.moment("RECURRENCE-ID") is None


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("DTSTART:20261124T120000", Moment("2026-11-24", "12:00")),
        ("DTSTART;VALUE=DATE:20261124", Moment("2026-11-24")),
        ("DTSTART:20261124T120030Z", Moment("2026-11-24", "12:00:30", "UTC")),
        # As Outlook names zones.
        ("DTSTART;TZID=W. Europe Standard Time:20261124T120000", Moment("2026-11-24", "12:00", "Europe/Berlin")),
    ],
)
def test_moments(line: str, expected: Moment) -> None:
    assert event(line).moment("DTSTART") == expected


def test_a_zone_that_only_the_file_knows_is_told_in_utc() -> None:
    source = calendar(
        "BEGIN:VTIMEZONE", "TZID:Ours", "BEGIN:STANDARD", "DTSTART:20200101T000000", "TZOFFSETFROM:+0130",
        "TZOFFSETTO:+0130", "END:STANDARD", "END:VTIMEZONE",
        "BEGIN:VEVENT", "UID:1", "DTSTART;TZID=Ours:20261124T120000", "END:VEVENT",
    )  # fmt: skip
    (found,) = source.calendars[0].walk("VEVENT")
    assert found.moment("DTSTART") == Moment("2026-11-24", "10:30", "UTC")


def test_lines_that_break_the_format_are_kept_apart() -> None:
    found = event("DTSTART:2026-11-24", "SEQUENCE:many", "FOO BAR", "SUMMARY:x")
    assert found.text("SUMMARY") == "x"
    assert found.moment("DTSTART") is None
    assert len(found.unread) == 3
    assert any("FOO BAR" in line for line in found.unread)


def zone(offset: str, *more: str) -> tuple[str, ...]:
    standard = ("BEGIN:STANDARD", "DTSTART:20000101T000000", f"TZOFFSETFROM:{offset}", f"TZOFFSETTO:{offset}")
    return ("BEGIN:VTIMEZONE", "TZID:House", *standard, *more, "END:STANDARD", "END:VTIMEZONE")


def test_each_calendar_has_its_own_zones_whatever_other_files_call_so() -> None:
    call = ("BEGIN:VEVENT", "UID:1", "DTSTART;TZID=House:20261124T120000", "END:VEVENT")
    times = []
    for lines in ((*zone("+0100"), *call), (*zone("+0500"), *call), (*call, *zone("-0300"))):
        (found,) = calendar(*lines).calendars[0].walk("VEVENT")
        times.append(found.moment("DTSTART"))
    assert times == [Moment("2026-11-24", time, "UTC") for time in ("11:00", "07:00", "15:00")]


def test_a_zone_whose_rules_make_no_sense_is_refused_with_advice() -> None:
    with pytest.raises(InvalidFile) as refused:
        _ = calendar(*zone("+0100", "RRULE:BYDAY=-1SU;BYMONTH=10")).calendars
    assert "“file.ics”" in refused.value.sentence


@pytest.mark.parametrize("text", ["", "hello", "BEGIN:VCALENDAR\n", "BEGIN:VEVENT\nUID:1\nEND:VEVENT\n", "a,b\n1,2\n"])
def test_what_is_no_calendar_is_refused_with_advice(text: str) -> None:
    with pytest.raises(InvalidFile) as refused:
        _ = Source(text.encode(), "week.ics").calendars
    assert "“week.ics”" in refused.value.sentence
    assert refused.value.hint


def test_any_bytes_are_read_or_refused() -> None:
    seed = fresh("calendars.any_bytes")
    print(f"seed {seed}")
    made = random.Random(seed)
    whole = write_calendar(SAMPLE)
    for _ in range(300):
        data = bytearray(whole)
        for _ in range(made.randrange(1, 8)):
            at = made.randrange(len(data))
            data[at : at + made.randrange(3)] = bytes(made.randrange(256) for _ in range(made.randrange(3)))
        try:
            for found in Source(bytes(data), "x.ics").calendars:
                for one in found.walk("VEVENT"):
                    occurrences(one)
                    end_of(one)
        except InvalidFile:
            pass


@pytest.mark.parametrize(
    "line", ["DTSTART:99991231T235959Z", "DTSTART;VALUE=DATE:00010101", "DTSTART:00010101T000000Z"]
)
def test_dates_beyond_every_calendar_count_as_none(line: str) -> None:
    assert event(line).moment("DTSTART") is None
    assert end_of(event("DTSTART:20261124T120000", "DURATION:P999999999D")) is None


def test_too_many_components_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "COMPONENTS_MAX", 3)
    with pytest.raises(LimitExceeded):
        _ = calendar(*["BEGIN:VEVENT", "UID:1", "END:VEVENT"] * 3).calendars


@pytest.mark.parametrize(
    ("lines", "dates"),
    [
        (["DTSTART:20261124T120000"], ["2026-11-24T12:00"]),
        (["DTSTART:20261124T120000", "RRULE:FREQ=DAILY;COUNT=2"], ["2026-11-24T12:00", "2026-11-25T12:00"]),
        # Across the end of summer time the clock's time stays.
        (
            ["DTSTART;TZID=Europe/London:20261018T120000", "RRULE:FREQ=WEEKLY;UNTIL=20261101T120000Z"],
            ["2026-10-18T12:00", "2026-10-25T12:00", "2026-11-01T12:00"],
        ),
        (
            ["DTSTART;VALUE=DATE:20261124", "RRULE:FREQ=DAILY;UNTIL=20261126", "EXDATE;VALUE=DATE:20261125"],
            ["2026-11-24", "2026-11-26"],
        ),
        # A day left out by its date alone, and one added.
        (
            ["DTSTART:20261124T120000", "RRULE:FREQ=DAILY;COUNT=2", "EXDATE;VALUE=DATE:20261124",
             "RDATE:20270101T090000"],
            ["2026-11-25T12:00", "2027-01-01T09:00"],
        ),
    ],
)  # fmt: skip
def test_what_repeats(lines: list[str], dates: list[str]) -> None:
    found = occurrences(event(*lines))
    assert [moment.local for moment in found.starts] == dates
    assert found.problem == ""


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ("FREQ=WEEKLY", "repeats for ever"),
        ("FREQ=HOURLY;COUNT=3", "repeats more often than once a day"),
        ("FREQ=DAILY;COUNT=2000", "repeats more than 1,000 times"),
        ("FREQ=YEARLY;COUNT=30", "repeats for more than 10 years"),
        ("FREQ=YEARLY;UNTIL=20990101", "repeats for more than 10 years"),
        ("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30;COUNT=1", "repeats for more than 10 years"),
    ],
)
def test_repetition_without_an_end_in_sight_is_told(rule: str, problem: str) -> None:
    found = occurrences(event("DTSTART:20261124T120000", f"RRULE:{rule}"))
    assert found == ((), problem)


def test_repetition_that_cannot_be_read_is_told() -> None:
    found = event("DTSTART:20261124T120000", "RRULE:FREQ=DAILY;COUNT=2;BYMONTHDAY=99")
    assert found.unread or occurrences(found).problem


def test_later_by_clock_and_by_calendar() -> None:
    night = Moment("2026-03-29", "00:30", "Europe/London")  # the clocks go forward at 01:00
    assert shifted(night, dt.timedelta(hours=2)) == Moment("2026-03-29", "03:30", "Europe/London")
    assert shifted(night, dt.timedelta(days=1)) == Moment("2026-03-30", "00:30", "Europe/London")
    assert shifted(Moment("2026-03-29", "00:30"), dt.timedelta(hours=2)) == Moment("2026-03-29", "02:30")
    assert end_of(event("DTSTART;VALUE=DATE:20261130", "DURATION:P2D")) == Moment("2026-12-02")
    assert end_of(event("DTSTART:20261124T120000")) is None


def test_zones() -> None:
    assert is_zone("Europe/London")
    assert not any(is_zone(name) for name in ("", "London", "../../etc/passwd", "/etc/passwd", "Europe", "x" * 300))
    assert in_zone(Moment("2026-07-01", "18:15", "UTC"), "Europe/London") == Moment(
        "2026-07-01", "19:15", "Europe/London"
    )
    assert in_zone(Moment("2026-07-01"), "Europe/London") == Moment("2026-07-01")
    assert in_zone(Moment("2026-07-01", "18:15"), "Europe/London") == Moment("2026-07-01", "18:15")


SAMPLE = Component(
    "VCALENDAR",
    (Property("VERSION", "2.0"), Property("PRODID", "-//test//"), Property("X-WR-CALNAME", "Ä, b; c")),
    (
        Component(
            "VEVENT",
            (
                Property("UID", "one"),
                Property("DTSTAMP", moments=(Moment("2026-11-01", "09:00", "UTC"),)),
                Property("DTSTART", moments=(Moment("2026-11-24", "12:00", "Europe/London"),)),
                Property("SUMMARY", "Zwölf, mit \\ und;\n" * 12),
            ),
        ),
        Component("VEVENT", (Property("UID", "two"), Property("DTSTART", moments=(Moment("2026-12-24"),)))),
    ),
)


def test_what_is_written_is_read_back_and_always_the_same() -> None:
    data = write_calendar(SAMPLE)
    assert data == write_calendar(SAMPLE)
    assert max(map(len, data.split(b"\r\n"))) <= 75
    assert data.count(b"BEGIN:VTIMEZONE") == 1
    first, second = Source(data, "x.ics").calendars[0].walk("VEVENT")
    assert first.moment("DTSTART") == Moment("2026-11-24", "12:00", "Europe/London")
    assert first.text("SUMMARY") == ("Zwölf, mit \\ und;\n" * 12).strip()
    assert second.moment("DTSTART") == Moment("2026-12-24")
    assert Source(data, "x.ics").calendars[0].text("X-WR-CALNAME") == "Ä, b; c"
    with pytest.raises(InputError, match="time zone"):
        write_calendar(Component("VCALENDAR", (Property("DTSTART", moments=(Moment("2026-01-01", "12:00", "Oz"),)),)))


@pytest.mark.parametrize("zone", ["Europe/London", "America/New_York", "Asia/Tokyo", "Australia/Lord_Howe"])
def test_the_rules_of_a_zone_are_those_of_the_zone(zone: str) -> None:
    """Read by RFC 5545 alone: the last onset before it, each told on the clock that stood before it."""
    entry = Component("VEVENT", (Property("DTSTART", moments=(Moment("2026-06-01", "12:00", zone),)),))
    parsed = icalendar.Calendar.from_ical(write_calendar(Component("VCALENDAR", (), (entry,))))
    onsets: list[tuple[dt.datetime, dt.timedelta]] = []
    for part in parsed.walk():
        if part.name in ("STANDARD", "DAYLIGHT"):
            starts = [part.DTSTART, *(extra.dt for extra in (part["RDATE"].dts if "RDATE" in part else []))]
            onsets += [(start - part.TZOFFSETFROM, part.TZOFFSETTO) for start in starts]
    onsets.sort()
    instant = dt.datetime(2026, 1, 1)
    while instant < dt.datetime(2027, 1, 1):
        expected = instant.replace(tzinfo=dt.UTC).astimezone(ZoneInfo(zone)).utcoffset()
        assert [offset for onset, offset in onsets if onset <= instant][-1] == expected, instant
        instant += dt.timedelta(minutes=30)
