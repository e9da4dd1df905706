"""Calendars of other programs."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openprod.plugin_api import InvalidFile, Proposal, SetField, Snapshot, Source
from openprod.plugin_api.testing import applied
from plugins.schedule.jobs.ical_in import plan

DATA = Path(__file__).parent / "data"
NOTHING = Snapshot("workspace")


def file(name: str) -> Source:
    return Source((DATA / f"{name}.ics").read_bytes(), f"{name}.ics")


def calendar(*lines: str, head: tuple[str, ...] = ()) -> Source:
    text = "\r\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", *head, *lines, "END:VCALENDAR", ""])
    return Source(text.encode(), "week.ics")


def event(*lines: str, uid: str = "one@calendar") -> tuple[str, ...]:
    return ("BEGIN:VEVENT", f"UID:{uid}", *lines, "END:VEVENT")


def events(snapshot: Snapshot) -> list[dict[str, Any]]:
    rows = [dict(fields) for fields in snapshot.entities("schedule.event").values()]
    return sorted(rows, key=lambda row: (row["date"], row.get("start") or "", row["title"]))


def only(source: Source) -> dict[str, Any]:
    (found,) = events(applied(NOTHING, plan(source, NOTHING).operations))
    return {name: value for name, value in found.items() if name not in ("title", "uid")}


def said(proposal: Proposal) -> dict[str, str]:
    return {one.where: one.why for one in proposal.skipped}


def test_a_calendar_from_google_with_its_alarms_told() -> None:
    proposal = plan(file("google-alarms"), NOTHING)
    assert events(applied(NOTHING, proposal.operations)) == [
        {
            "title": "event with alarms", "date": "2024-10-04", "start": "19:15", "end": "20:00",
            "zone": "Europe/London", "status": "confirmed", "uid": "79fs7pkqvht9m5igs0vjv1sfra@google.com",
            "sequence": 0,
        }
    ]  # fmt: skip
    assert said(proposal) == {
        "event “event with alarms” 2024-10-04 19:15": "4 alarms: each reader's calendar sets its own.",
        "properties": "Not kept: CREATED (1), TRANSP (1).",
    }
    assert proposal.summary[0] == "The calendar “Nicco Kunzmann” holds 1 event."


def test_a_zone_of_the_files_own_gives_times_in_utc_and_that_is_told() -> None:
    proposal = plan(file("own-timezone"), NOTHING)
    rows = events(applied(NOTHING, proposal.operations))
    assert [(row["date"], row["start"], row["zone"]) for row in rows] == [
        ("2024-03-02", "20:00", "UTC"),
        ("2024-05-04", "19:00:01", "UTC"),
        ("2024-05-04", "22:00:01", "UTC"),
        ("2024-08-02", "22:00", "UTC"),
    ]
    assert any("4 events have their times in UTC" in line for line in proposal.summary)


BERLIN = """\
BEGIN:VTIMEZONE
TZID:{name}
BEGIN:STANDARD
DTSTART:16010101T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:16010101T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3
END:DAYLIGHT
END:VTIMEZONE"""


@pytest.mark.parametrize("name", ["W. Europe Standard Time", "/example.org/20050126_1/Europe/Berlin"])
def test_the_zone_that_outlook_and_others_call_otherwise_keeps_its_clocks(name: str) -> None:
    """A rehearsal at ten each week is at ten when the clocks have changed, too."""
    series = event(
        "SUMMARY:Rehearsal", f'DTSTART;TZID="{name}":20260325T100000', f'DTEND;TZID="{name}":20260325T130000',
        "RRULE:FREQ=WEEKLY;COUNT=2",
    )  # fmt: skip
    proposal = plan(calendar(*BERLIN.format(name=name).splitlines(), *series), NOTHING)
    found = events(applied(NOTHING, proposal.operations))
    assert [(one["date"], one["start"], one["end"]) for one in found] == [
        ("2026-03-25", "10:00", "13:00"),
        ("2026-04-01", "10:00", "13:00"),
    ]
    assert {ZoneInfo(one["zone"]).utcoffset(datetime(2026, 7, 1)) for one in found} == {timedelta(hours=2)}


def test_zones_by_name_in_utc_and_without_one() -> None:
    proposal = plan(file("multiple-timezones"), NOTHING)
    rows = events(applied(NOTHING, proposal.operations))
    assert sorted(str(row.get("zone")) for row in rows) == ["America/New_York", "None", "UTC"]
    assert set(said(proposal).values()) == {
        "RDATE “083000” is no date; left out.",
        "RDATE “133000Z” is no date; left out.",
    }


def test_a_calendar_without_events_changes_nothing_and_says_so() -> None:
    proposal = plan(file("no-events"), NOTHING)
    assert proposal.changes_nothing
    assert proposal.summary[0] == "The calendar “RFC 7986 calendar” holds no events."


@pytest.mark.parametrize("name", ["google-alarms", "own-timezone", "multiple-timezones", "no-events"])
def test_importing_twice_proposes_nothing_and_every_laptop_makes_the_same(name: str) -> None:
    first = plan(file(name), NOTHING)
    assert first == plan(Source(file(name).data, "other name.ics"), Snapshot("workspace"))
    assert plan(file(name), applied(NOTHING, first.operations)).changes_nothing
    if first.operations:
        assert first.operations != plan(file(name), Snapshot("another")).operations


def test_people_rooms_status_and_what_it_is_about() -> None:
    source = calendar(*event(
        "SUMMARY:Fight call", "DTSTART;TZID=Europe/London:20261124T120000", "DURATION:PT45M", "STATUS:TENTATIVE",
        "LOCATION:Studio 1", "DESCRIPTION:Bring\\nshoes", "CATEGORIES:Fight,Other", "SEQUENCE:4",
        'ATTENDEE;CN="Doe, Jane";PARTSTAT=ACCEPTED:mailto:Jane@example.com',
        "ATTENDEE:mailto:sam.poe@example.com", "ATTENDEE;CUTYPE=ROOM;CN=Studio 1:mailto:s1@example.com",
    ))  # fmt: skip
    proposal = plan(source, NOTHING)
    after = applied(NOTHING, proposal.operations)
    assert events(after) == [
        {
            "title": "Fight call", "kind": "Fight", "date": "2026-11-24", "start": "12:00", "end": "12:45",
            "zone": "Europe/London", "status": "planned", "details": "Bring\nshoes", "uid": "one@calendar",
            "sequence": 4,
        }
    ]  # fmt: skip
    people = after.entities("schedule.attendee")
    assert sorted((one["displayName"], one["email"]) for one in people.values()) == [
        ("Doe, Jane", "Jane@example.com"),
        ("sam.poe", "sam.poe@example.com"),
    ]
    answers = {people[view.source]["displayName"]: view.properties for view in after.edges("schedule.attends").values()}
    assert answers == {"Doe, Jane": {"status": "accepted"}, "sam.poe": {}}
    (placed,) = after.edges("schedule.in_room").values()
    assert after.entities("schedule.room")[placed.target] == {"name": "Studio 1"}
    assert [one.why for one in proposal.skipped] == ["Studio 1 is a room, no person."]
    assert plan(source, after).changes_nothing


def test_somebody_who_is_here_already_is_found_and_not_renamed() -> None:
    here = Snapshot(
        "workspace",
        {
            "schedule.attendee": {
                "a1": {"displayName": "Jane Doe", "email": "jane@example.com"},
                "a2": {"displayName": "Sam Poe"},
            }
        },
    )
    lines = (
        "DTSTART:20261124T120000",
        "ATTENDEE;CN=J. D.:mailto:JANE@example.com",
        "ATTENDEE;CN=sam  poe:mailto:s@x.y",
    )
    after = applied(here, plan(calendar(*event(*lines)), here).operations)
    assert after.entities("schedule.attendee") == {
        "a1": {"displayName": "Jane Doe", "email": "jane@example.com"},
        "a2": {"displayName": "Sam Poe", "email": "s@x.y"},
    }
    assert {view.source for view in after.edges("schedule.attends").values()} == {"a1", "a2"}


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (("DTSTART;VALUE=DATE:20261124", "DTEND;VALUE=DATE:20261125"), {"date": "2026-11-24"}),
        (
            ("DTSTART;VALUE=DATE:20261124", "DTEND;VALUE=DATE:20261129"),
            {"date": "2026-11-24", "end_date": "2026-11-28"},
        ),
        (
            ("DTSTART:20261124T220000", "DTEND:20261125T013000"),
            {"date": "2026-11-24", "start": "22:00", "end": "01:30"},
        ),
        (
            ("DTSTART:20261124T100000", "DTEND:20261126T180000"),
            {"date": "2026-11-24", "start": "10:00", "end": "18:00", "end_date": "2026-11-26"},
        ),
        (("DTSTART:20261124T100000", "DTEND:20261124T100000"), {"date": "2026-11-24", "start": "10:00"}),
        (("DTSTART:20261124T100000", "DTEND:20261124T090000"), {"date": "2026-11-24", "start": "10:00"}),
    ],
)
def test_days_and_nights(lines: tuple[str, ...], expected: dict[str, str]) -> None:
    assert only(calendar(*event(*lines))) == expected


def test_times_in_utc_stand_as_the_calendars_own_clocks_show_them() -> None:
    source = calendar(
        *event("DTSTART:20260701T230000Z", "DTEND:20260702T003000Z"), head=("X-WR-TIMEZONE:Europe/London",)
    )
    assert only(source) == {"date": "2026-07-02", "start": "00:00", "end": "01:30", "zone": "Europe/London"}


SERIES = (
    "SUMMARY:Class", "DTSTART;TZID=Europe/London:20261019T090000", "DTEND;TZID=Europe/London:20261019T100000",
    "RRULE:FREQ=WEEKLY;COUNT=4", "EXDATE;TZID=Europe/London:20261102T090000",
)  # fmt: skip
MOVED = (
    "SUMMARY:Class, later", "RECURRENCE-ID;TZID=Europe/London:20261026T090000",
    "DTSTART;TZID=Europe/London:20261026T110000",
)  # fmt: skip


def test_what_repeats_is_one_event_each_time_and_the_moved_one_stands_where_it_was_moved() -> None:
    source = calendar(*event(*MOVED), *event(*SERIES))
    after = applied(NOTHING, plan(source, NOTHING).operations)
    assert [(row["date"], row["start"], row["title"], row["uid"]) for row in events(after)] == [
        ("2026-10-19", "09:00", "Class", "one@calendar/2026-10-19T09:00"),
        ("2026-10-26", "11:00", "Class, later", "one@calendar/2026-10-26T09:00"),
        ("2026-11-09", "09:00", "Class", "one@calendar/2026-11-09T09:00"),
    ]
    assert plan(source, after).changes_nothing
    # One of them moved on its own later: the same event.
    unmoved = applied(NOTHING, plan(calendar(*event(*SERIES)), NOTHING).operations)
    assert {type(one) for one in plan(source, unmoved).operations} == {SetField}


def test_a_time_that_the_series_lost_is_left_and_told() -> None:
    before = applied(NOTHING, plan(calendar(*event(*SERIES[:4])), NOTHING).operations)
    proposal = plan(calendar(*event(*SERIES)), before)
    assert proposal.changes_nothing
    assert [one.why for one in proposal.skipped] == [
        "2026-11-02T09:00 isn't in the calendar any more; it is left as it is."
    ]


def test_what_repeats_for_ever_is_refused_with_advice_and_the_rest_is_taken() -> None:
    source = calendar(
        *event("SUMMARY:Stand-up", "DTSTART:20261019T090000", "RRULE:FREQ=DAILY"),
        *event("SUMMARY:Dress", "DTSTART:20261124T190000", uid="two"),
    )
    proposal = plan(source, NOTHING)
    assert [row["title"] for row in events(applied(NOTHING, proposal.operations))] == ["Dress"]
    (one,) = proposal.skipped
    assert one.where == "event “Stand-up” 2026-10-19 09:00"
    assert one.why.startswith("It repeats for ever. Give it an end")


def test_private_entries_tasks_older_copies_and_broken_lines_are_left_out_and_told() -> None:
    here = applied(
        NOTHING, plan(calendar(*event("SUMMARY:A", "DTSTART:20261124T120000", "SEQUENCE:3")), NOTHING).operations
    )
    proposal = plan(
        calendar(
            *event("SUMMARY:A", "DTSTART:20261124T130000", "SEQUENCE:2"),
            *event("SUMMARY:Dentist", "DTSTART:20261124T130000", "CLASS:PRIVATE", uid="b"),
            *event("SUMMARY:Never", "DTSTART:2026-11-24", uid="c"),
            *("BEGIN:VTODO", "UID:t", "END:VTODO"),
        ),
        here,
    )
    assert proposal.changes_nothing
    whys = [one.why for one in proposal.skipped]
    assert whys[0] == "An older copy: revision 2, and 3 is here."
    assert "private" in whys[1]
    assert any("can't be read: “DTSTART" in why for why in whys)
    assert any("no start" in why for why in whys)
    assert said(proposal)["1 VTODO"] == "No events: a schedule keeps nothing else."


def test_a_cancelled_calendar_cancels() -> None:
    assert only(calendar(*event("DTSTART:20261124T120000"), head=("METHOD:CANCEL",)))["status"] == "cancelled"


def test_the_same_event_twice_is_taken_once() -> None:
    lines = event("SUMMARY:A", "DTSTART:20261124T120000")
    proposal = plan(calendar(*lines, *lines), NOTHING)
    assert proposal.counts["created"] == 1
    assert "already" in proposal.skipped[0].why


PIECES = (
    b"99991231", b"00010101", b"T", b"Z", b";", b":", b",", b"RRULE:FREQ=DAILY;UNTIL=99990101", b"\r\n", b"\n ", b"9",
    b"P", b"VALUE=DATE", b"TZID=Foo/Bar", b"=", b'"', b"FREQ=YEARLY", b"\\", b"\xc3",
)  # fmt: skip


WHOLE = [calendar(*event(*MOVED), *event(*SERIES)).data, *(path.read_bytes() for path in sorted(DATA.glob("*.ics")))]
CUTS = st.lists(
    st.tuples(st.integers(0, max(map(len, WHOLE))), st.integers(0, 5), st.sampled_from(PIECES)), min_size=1, max_size=5
)


@settings(max_examples=200, deadline=None, print_blob=True)
@given(st.sampled_from(WHOLE), CUTS)
def test_whatever_is_wrong_with_a_calendar_it_is_refused_or_taken_once(
    whole: bytes, cuts: list[tuple[int, int, bytes]]
) -> None:
    """INV-IMPORT-1"""
    data = bytearray(whole)
    for at, length, piece in cuts:
        data[at % len(data) : at % len(data) + length] = piece
    try:
        proposal = plan(Source(bytes(data), "x.ics"), NOTHING)
    except InvalidFile:
        return
    assert plan(Source(bytes(data), "x.ics"), applied(NOTHING, proposal.operations)).changes_nothing


@pytest.mark.parametrize("data", [b"", b"Title,Date\nA,2026-11-24\n"])
def test_another_file_is_refused_with_advice(data: bytes) -> None:
    with pytest.raises(InvalidFile) as refused:
        plan(Source(data, "other.ics"), NOTHING)
    assert ".ics" in refused.value.hint
