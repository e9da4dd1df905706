"""Calendars that others subscribe to: read back with the icalendar library."""

from __future__ import annotations

import datetime as dt
from typing import Any

import icalendar
import pytest

from openprod.plugin_api import (
    AddEdge,
    Answer,
    CreateEntity,
    EdgeView,
    InputError,
    SetField,
    Snapshot,
    Source,
    Written,
)
from openprod.plugin_api.testing import applied, exported
from plugins.schedule.jobs.ical_in import plan
from plugins.schedule.jobs.ical_out import export

PEOPLE: dict[str, dict[str, Any]] = {
    "jane": {"displayName": "Jane Doe", "department": "Cast", "email": "jane@private.example", "phone": "+44 999"},
    "sam": {"displayName": "Sam Poe", "department": "LX", "notes": "owes us a lamp"},
    "kim": {"displayName": "Kim / Lee", "department": "lx "},
    "al": {"displayName": "Al"},
}
EVENTS: dict[str, dict[str, Any]] = {
    "fight": {
        "title": "Fight call; A, B", "kind": "Fight call", "date": "2026-11-24", "start": "12:00", "end": "12:45",
        "status": "confirmed", "details": "Bring shoes\nand water", "notes": "secret remark", "uid": "fight@elsewhere",
        "sequence": 3,
    },
    "tech": {"title": "Tech", "date": "2026-11-28", "end_date": "2026-11-30", "status": "planned"},
    "late": {"title": "Notes", "date": "2026-11-25", "start": "23:30", "end": "0:30", "zone": "America/New_York"},
    "focus": {
        "title": "Focus", "date": "2026-11-26", "start": "25:00", "status": "cancelled",
        "attendees_query": "schedule.attendee where department = LX",
    },
}  # fmt: skip
ANSWERS = {"schedule.attendee where department = LX": Answer(("kim", "sam"))}


def schedule(
    events: dict[str, dict[str, Any]] = EVENTS, *, answers: dict[str, Answer] | None = None, **revisions: Any
) -> Snapshot:
    return Snapshot(
        "w",
        {
            "schedule.event": events,
            "schedule.attendee": PEOPLE,
            "schedule.room": {
                "stage": {"name": "Stage", "venue": "Old Hall", "zone": "Europe/London", "notes": "key 4711"}
            },
        },
        {
            "schedule.attends": {
                "a1": EdgeView("jane", "fight", {"call": "11:45", "role": "Captain"}),
                "a2": EdgeView("sam", "tech"),
            },
            "schedule.in_room": {"fight": EdgeView("fight", "stage"), "tech": EdgeView("tech", "stage")},
        },
        revisions=revisions.get("revisions"),
        answers=ANSWERS if answers is None else answers,
    )


def read(data: bytes) -> dict[str, Any]:
    """{title: event}, checked as a calendar."""
    calendar: Any = icalendar.Calendar.from_ical(data)
    assert [component.errors for component in calendar.walk()] == [[] for _ in calendar.walk()]
    assert (calendar["VERSION"], calendar["METHOD"]) == ("2.0", "PUBLISH")
    assert calendar["PRODID"]
    events = list(calendar.walk("VEVENT"))
    assert len({event["UID"] for event in events}) == len(events)
    for event in events:
        assert event["DTSTAMP"].dt.tzinfo is not None
        assert event["SEQUENCE"] >= 0
    zones = {zone["TZID"] for zone in calendar.walk("VTIMEZONE")}
    used = {event["DTSTART"].params["TZID"] for event in events if "TZID" in event["DTSTART"].params}
    assert used == zones
    return {str(event["SUMMARY"]): event for event in events}


def test_one_calendar_for_everything_each_person_and_each_department() -> None:
    files = exported(export, schedule())
    assert {name: sorted(read(data)) for name, data in files.items()} == {
        "schedule.ics": ["Fight call; A, B", "Focus", "Notes", "Tech"],
        "people/Jane Doe.ics": ["Fight call; A, B"],
        "people/Sam Poe.ics": ["Focus", "Tech"],
        "people/Kim - Lee.ics": ["Focus"],
        "people/Al.ics": [],
        "departments/Cast.ics": ["Fight call; A, B"],
        "departments/lx.ics": ["Focus", "Tech"],
    }


def test_times_stand_in_the_venues_zone() -> None:
    events = read(exported(export, schedule(), {"zone": "Europe/Berlin"})["schedule.ics"])
    fight, tech, late, focus = (events[name] for name in ("Fight call; A, B", "Tech", "Notes", "Focus"))
    assert (str(fight["DTSTART"].dt.tzinfo), fight["DTSTART"].dt.hour) == ("Europe/London", 12)
    assert fight["DTEND"].dt - fight["DTSTART"].dt == dt.timedelta(minutes=45)
    assert (tech["DTSTART"].dt, tech["DTEND"].dt) == (dt.date(2026, 11, 28), dt.date(2026, 12, 1))
    assert str(late["DTSTART"].dt.tzinfo) == "America/New_York"
    assert late["DTEND"].dt.replace(tzinfo=None) == dt.datetime(2026, 11, 26, 0, 30)
    # 25:00 is one in the morning of the day after; nothing says where, so the zone that was asked for.
    assert focus["DTSTART"].dt.replace(tzinfo=None) == dt.datetime(2026, 11, 27, 1)
    assert str(focus["DTSTART"].dt.tzinfo) == "Europe/Berlin"
    assert "DTEND" not in focus
    assert read(exported(export, schedule())["schedule.ics"])["Focus"]["DTSTART"].dt.tzinfo is None


def test_what_an_event_says_and_the_cancelled_is_kept() -> None:
    files = exported(export, schedule())
    events = read(files["schedule.ics"])
    fight = events["Fight call; A, B"]
    assert fight["UID"] == "fight@elsewhere"
    assert fight["LOCATION"] == "Stage, Old Hall"
    assert fight["DESCRIPTION"] == "Bring shoes\nand water"
    assert [event.get("STATUS") for event in events.values()] == ["CONFIRMED", None, "CANCELLED", "TENTATIVE"]
    own = read(files["people/Jane Doe.ics"])["Fight call; A, B"]
    assert own["DESCRIPTION"] == "Your call: 11:45\nAs: Captain\nBring shoes\nand water"
    assert "Your call" not in files["departments/Cast.ics"].decode()


def test_nothing_private_stands_in_any_calendar() -> None:
    text = b"".join(exported(export, schedule(), {"private": "yes"}).values()).decode().replace("\r\n ", "")
    for secret in ("private.example", "+44 999", "owes us", "secret remark", "4711", "schedule.attendee"):
        assert secret not in text


def written(**fields: dict[str, str]) -> dict[str, Written]:
    return {"" if name == "made" else name: Written(bundles) for name, bundles in fields.items()}


MADE = {"b1": "2026-11-01T09:00:00Z"}
TWICE = {**MADE, "b2": "2026-11-02T10:30:00.5Z"}


def test_the_revision_counts_the_bundles_that_changed_what_is_shown() -> None:
    def sequence(event: dict[str, Written], **more: Any) -> tuple[int, dt.datetime]:
        found = schedule(revisions={"schedule.event": {"fight": event}, **more})
        shown = read(exported(export, found)["schedule.ics"])["Fight call; A, B"]
        assert shown["DTSTAMP"].dt == shown["LAST-MODIFIED"].dt
        return int(shown["SEQUENCE"]), shown["DTSTAMP"].dt.replace(tzinfo=None)

    # It came with revision 3 from another calendar.
    assert sequence(written(made=MADE, title=MADE)) == (3, dt.datetime(2026, 11, 1, 9))
    assert sequence(written(made=MADE, title=TWICE)) == (4, dt.datetime(2026, 11, 2, 10, 30))
    # One bundle is one revision, whatever it changed; notes and the query stand in no calendar.
    assert sequence(written(made=MADE, title=TWICE, start=TWICE))[0] == 4
    assert sequence(written(made=MADE, title=MADE, notes=TWICE, attendees_query=TWICE))[0] == 3
    # Moving to another room shows.
    room = {"schedule.in_room": {"fight": {"to": Written(TWICE)}}}
    assert sequence(written(made=MADE), **room)[0] == 4
    # Renaming the room is dated, and no revision of the event: the number must not fall when it moves elsewhere.
    renamed = {"schedule.room": {"stage": {"name": Written(TWICE)}}}
    assert sequence(written(made=MADE), **renamed) == (3, dt.datetime(2026, 11, 2, 10, 30))


def test_a_persons_own_call_changes_only_their_calendar() -> None:
    revisions = {"schedule.event": {"fight": written(made=MADE)}, "schedule.attends": {"a1": {"call": Written(TWICE)}}}
    files = exported(export, schedule(revisions=revisions))
    numbers = {
        name: read(data)["Fight call; A, B"]["SEQUENCE"]
        for name, data in files.items()
        if "Jane" in name or "/" not in name
    }
    assert numbers == {"schedule.ics": 3, "people/Jane Doe.ics": 4}


def test_a_query_that_cannot_be_asked_is_told_in_the_calendar() -> None:
    broken = {next(iter(ANSWERS)): Answer(problem="No such facet.")}
    data = exported(export, schedule(answers=broken))["people/Sam Poe.ics"]
    assert sorted(read(data)) == ["Tech"]
    assert Source(data, "x.ics").calendars[0].text("X-WR-CALDESC") == "Who comes can't be told by query for 1 event."


def test_whatever_another_program_wrote_gives_a_calendar() -> None:
    odd: list[Any] = [None, "", "soon", 3, 2.5, True, [1], {"a": 1}, "9999-12-31", "0001-01-01", "25:99", "47:59:59"]
    events = {
        f"e{index}": {"title": value, "date": "2026-11-24", "start": value, "end": value, "end_date": value,
                      "zone": value, "status": value, "details": value, "uid": None, "sequence": value}
        for index, value in enumerate(odd)
    }  # fmt: skip
    events |= {f"d{index}": {"title": f"d{index}", "date": value} for index, value in enumerate(odd)}
    data = exported(export, Snapshot("w", {"schedule.event": events}))["schedule.ics"]
    calendar: Any = icalendar.Calendar.from_ical(data)
    assert len(calendar.walk("VEVENT")) == len(odd)
    read_back = Source(data, "x.ics").calendars[0]
    assert read_back.text("X-WR-CALDESC").startswith(
        f"Without a date, and left out: {len(odd)} events. On the reader's"
    )


def test_what_a_calendar_may_not_hold_stays_out_of_it() -> None:
    """Pasted text brings control characters: one of them, and calendars refuse the whole feed."""
    odd = {"e": {"title": "Fly\x00 \x1bcall", "date": "2026-11-24", "details": "a\x0bb\u2028c\x85d\te\x7f"}}
    data = exported(export, Snapshot("w", {"schedule.event": odd}))["schedule.ics"]
    assert not [one for one in data.decode().replace("\r\n", "") if one not in "\t" and not one.isprintable()]
    assert b"SUMMARY:Fly call\r\n" in data
    assert b"DESCRIPTION:a\\nb\\nc\\nd\te\r\n" in data


@pytest.mark.parametrize(
    ("fields", "ends"),
    [
        ({"start": "24:30", "end": "00:10"}, dt.datetime(2026, 3, 31, 0, 10)),  # of the day after the next
        ({"start": "24:30", "end": "00:10", "end_date": "2026-03-30"}, None),
        ({"start": "01:30", "end": "02:15", "zone": "Europe/London"}, None),  # 01:30 is no time there that day
        ({"start": "00:30", "end": "02:15", "zone": "Europe/London"}, dt.datetime(2026, 3, 29, 2, 15)),
    ],
)
def test_nothing_ends_before_it_starts(fields: dict[str, Any], ends: dt.datetime | None) -> None:
    """RFC 5545, 3.8.2.2."""
    data = exported(export, Snapshot("w", {"schedule.event": {"e": {"title": "x", "date": "2026-03-29", **fields}}}))
    end = read(data["schedule.ics"])["x"].get("DTEND")
    assert (end.dt.replace(tzinfo=None) if end is not None else None) == ends


def test_people_of_one_name_have_files_of_their_own() -> None:
    same = {
        f"attendee_{letter * 10}": {"displayName": name} for letter, name in zip("abc", ("Jo", "JO", "Bo"), strict=True)
    }
    files = exported(export, Snapshot("w", {"schedule.event": EVENTS, "schedule.attendee": same}))
    assert sorted(files) == ["people/Bo.ics", "people/JO bbbbbbbb.ics", "people/Jo aaaaaaaa.ics", "schedule.ics"]


def test_options() -> None:
    files = exported(export, schedule(), {"who": "jane  DOE", "name": "Hamlet"})
    assert list(files) == ["people/Jane Doe.ics"]
    assert icalendar.Calendar.from_ical(files["people/Jane Doe.ics"])["X-WR-CALNAME"] == "Hamlet · Jane Doe"
    with pytest.raises(InputError, match="Nobody"):
        export(schedule(), {"who": "Zoe"})
    with pytest.raises(InputError, match="time zone"):
        export(schedule(), {"zone": "Oz"})
    assert export(Snapshot("w"), {}) == {}


def test_what_is_exported_can_be_imported_again_and_changes_nothing() -> None:
    data = exported(export, schedule(), {"zone": "Europe/London"})["schedule.ics"]
    once = applied(Snapshot("other"), plan(Source(data, "s.ics"), Snapshot("other")).operations)
    assert plan(Source(data, "s.ics"), once).changes_nothing
    titles = {fields["title"] for fields in once.entities("schedule.event").values()}
    assert titles == {fields["title"] for fields in EVENTS.values()}
    again = exported(export, once)["schedule.ics"]
    times = {name: event["DTSTART"].dt for name, event in read(data).items()}
    assert {name: event["DTSTART"].dt for name, event in read(again).items()} == times


def test_a_calendar_that_comes_back_means_the_events_it_was_made_of() -> None:
    """Somebody took the feed into another program, moved one event there, and sent it back."""
    here = schedule({**EVENTS, "tea": {"title": "Tea", "date": "2026-11-27", "start": "16:00", "end": "16:00"}})
    data = exported(export, here)["schedule.ics"]
    assert plan(Source(data, "schedule.ics"), here).counts["created"] == 0
    moved = data.replace(b"DTSTART:20261127T160000", b"DTSTART:20261127T170000")
    assert moved != data
    proposal = plan(Source(moved, "schedule.ics"), here)
    assert {one.value for one in proposal.operations if isinstance(one, SetField) and one.entity == "tea"} == {"17:00"}
    assert not [one for one in proposal.operations if isinstance(one, (CreateEntity, AddEdge))]


def test_what_ends_as_it_starts_is_a_moment() -> None:
    tea = {"title": "Tea", "date": "2026-11-27", "start": "16:00", "end": "16:00"}
    data = exported(export, schedule({"tea": tea}))["schedule.ics"]
    assert b"DTEND" not in data
