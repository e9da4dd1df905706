"""Schedules and people from spreadsheets."""

from typing import Any

import pytest

from openprod.plugin_api import InvalidFile, Proposal, SetField, Snapshot, Source
from openprod.plugin_api.testing import applied
from plugins.schedule.jobs import people, sheet

NOTHING = Snapshot("workspace")

WEEK = """\
Hamlet – week 3,November 2026,,,,,
,,,,,,
Date,Time,What,Where,Called,Status,Mood
Tue 24 Nov,12:00–12:45,Fight call,Studio 1,"Jane Doe, LAERTES",TBC,
,2-5pm,Scene 1.5,Studio 1,Jane Doe & Sam Poe,confirmed,good
Wed 25 Nov,,Day off,,,,
,25:99,Late,,Nobody,maybe,
,,,,,,
sometime,10:00,Lost,,,,
,10:00,Lost too,,,,
"""
COMPANY = """\
Name;Character;Dept;E-Mail;Mobile
Jane Doe;Hamlet;Cast;jane@example.com;+44 1
Sam Poe;Laertes;Cast;not an address;
Jane  doe;Ophelia;Cast;;
;;LX;;
"""


def week(text: str = WEEK) -> Source:
    return Source(text.encode(), "week.csv")


def company() -> Snapshot:
    return applied(NOTHING, people.plan(Source(COMPANY.encode(), "company.csv"), NOTHING).operations)


def events(snapshot: Snapshot) -> list[dict[str, Any]]:
    rows = [dict(fields) for fields in snapshot.entities("schedule.event").values()]
    return sorted(rows, key=lambda row: (row["date"], row.get("start") or "", row["title"]))


def said(proposal: Proposal) -> dict[str, str]:
    return {one.where: one.why for one in proposal.skipped}


def test_people_are_taken_and_what_is_wrong_is_told() -> None:
    proposal = people.plan(Source(COMPANY.encode(), "company.csv"), NOTHING)
    after = applied(NOTHING, proposal.operations)
    assert list(after.entities("schedule.attendee").values()) == [
        {
            "displayName": "Jane Doe",
            "role": "Hamlet",
            "department": "Cast",
            "email": "jane@example.com",
            "phone": "+44 1",
        },
        {"displayName": "Sam Poe", "role": "Laertes", "department": "Cast"},
    ]
    assert said(proposal) == {
        "row 3, column E-Mail": "“not an address” isn't an email address.",
        "row 4": "Jane doe is already on row 2; the first is taken.",
        "row 5": "No name: “LX”.",
    }
    assert proposal.mapping["Character"] == "role"
    assert people.plan(Source(COMPANY.encode(), "again.csv"), after).changes_nothing


def test_names_in_two_columns() -> None:
    source = Source(b"First name,Surname,Email\nJane,Doe,j@x.y\n", "c.csv")
    (found,) = applied(NOTHING, people.plan(source, NOTHING).operations).entities("schedule.attendee").values()
    assert found == {"displayName": "Jane Doe", "email": "j@x.y"}


def test_people_of_one_name_with_two_addresses_are_two() -> None:
    source = Source(b"Name,Email\nJane Doe,a@x.y\nJane Doe,b@x.y\n", "c.csv")
    after = applied(NOTHING, people.plan(source, NOTHING).operations)
    assert len(after.entities("schedule.attendee")) == 2
    assert people.plan(source, after).changes_nothing


def test_a_week_as_it_is_written() -> None:
    here = company()
    proposal = sheet.plan(week(), here)
    after = applied(here, proposal.operations)
    assert events(after) == [
        {"title": "Fight call", "date": "2026-11-24", "start": "12:00", "end": "12:45", "status": "planned"},
        {"title": "Scene 1.5", "date": "2026-11-24", "start": "14:00", "end": "17:00", "status": "confirmed"},
        {"title": "Day off", "date": "2026-11-25"},
        {"title": "Late", "date": "2026-11-25"},
    ]
    assert said(proposal) == {
        "row 1": "Stands above the header: “Hamlet – week 3 · November 2026”.",
        "column Mood": "This header isn't known here; filled in 1 row.",
        "row 7, column Time": "“25:99” isn't a time such as 10:30 or 10:30–13:00.",
        "row 7, column Status": "“maybe” isn't one of planned, confirmed, cancelled.",
        "row 9": "“sometime” isn't a date such as 2026-11-24.",
        "row 10": "No date: “10:00 · Lost too”.",
        "Nobody, called for 1 event": (
            "Nobody here is called so: import the people first (schedule.people), then this again."
        ),
    }
    assert proposal.summary[:3] == (
        "Header on row 3.",
        "Dates without a year are taken as 2026.",
        "2 rows without a date: taken as on the day above.",
    )
    named = {
        (after.entities("schedule.attendee")[view.source]["displayName"],
         after.entities("schedule.event")[view.target]["title"])
        for view in after.edges("schedule.attends").values()
    }  # fmt: skip
    assert named == {
        ("Jane Doe", "Fight call"), ("Sam Poe", "Fight call"), ("Jane Doe", "Scene 1.5"), ("Sam Poe", "Scene 1.5"),
    }  # fmt: skip
    assert [dict(room) for room in after.entities("schedule.room").values()] == [{"name": "Studio 1"}]
    assert sheet.plan(week(), after).changes_nothing


def test_two_laptops_apart_make_the_same_events() -> None:
    assert sheet.plan(week(), NOTHING) == sheet.plan(week(), Snapshot("workspace"))
    assert sheet.plan(week(), NOTHING).operations != sheet.plan(week(), Snapshot("other")).operations


def test_a_departments_call_is_advised_as_a_query() -> None:
    here = company()
    proposal = sheet.plan(Source(b"Date,What,Called\n2026-11-24,Notes,Cast\n2026-11-24,Talk,everyone\n", "x.csv"), here)
    why = said(proposal)
    assert "schedule.attendee where department = Cast " in why["Cast, called for 1 event"]
    assert "the query schedule.attendee into" in why["everyone, called for 1 event"]


ROWS = "Date,Start,Title\n2026-11-24,10:00,Rehearsal\n2026-11-24,14:00,Rehearsal\n"


def test_a_changed_time_changes_the_event_and_an_added_session_shifts_none() -> None:
    before = applied(NOTHING, sheet.plan(week(ROWS), NOTHING).operations)
    assert len(before.entities("schedule.event")) == 2
    (moved,) = sheet.plan(week(ROWS.replace("14:00", "15:00")), before).operations
    assert isinstance(moved, SetField)
    assert before.entities("schedule.event")[moved.entity]["start"] == "14:00"
    added = sheet.plan(week(ROWS + "2026-11-24,12:00,Rehearsal\n"), before)
    assert added.counts == {"rows": 3, "created": 1, "changed": 0, "unchanged": 2, "skipped": 0}


def test_an_event_moved_here_and_a_new_one_at_its_old_time_stay_apart() -> None:
    before = applied(NOTHING, sheet.plan(week("Date,Start,Title\n2026-11-24,10:00,Class\n"), NOTHING).operations)
    (entity,) = before.entities("schedule.event")
    moved = applied(before, [SetField(entity=entity, facet="schedule.event", field="start", value="11:00")])
    text = "Date,Start,Title\n2026-11-24,10:00,Class\n2026-11-24,11:00,Class\n"
    after = applied(moved, sheet.plan(week(text), moved).operations)
    assert {row["start"] for row in events(after)} == {"10:00", "11:00"}
    assert after.entities("schedule.event")[entity]["start"] == "11:00"
    assert sheet.plan(week(text), after).changes_nothing


def test_rows_with_an_id_are_found_whatever_changes() -> None:
    text = "ID,Date,Title\n7,2026-11-24,Dress\n"
    before = applied(NOTHING, sheet.plan(week(text), NOTHING).operations)
    changed = sheet.plan(week("ID,Date,Title\n7,2026-11-26,Dress 2\n"), before)
    assert {one.field for one in changed.operations} == {"date", "title"}  # type: ignore[union-attr]
    assert "already" in sheet.plan(week(text + "7,2026-11-25,Again\n"), before).skipped[0].why


def test_dates_that_may_be_two_days_are_refused_unless_the_column_tells() -> None:
    one = sheet.plan(week("Date,Title\n03/04/2026,A\n"), NOTHING)
    assert said(one) == {"row 2": "“03/04/2026” may be two different days: write it as 2026-04-03 or 2026-03-04."}
    two = sheet.plan(week("Date,Title\n03/04/2026,A\n13/04/2026,B\n"), NOTHING)
    assert [row["date"] for row in events(applied(NOTHING, two.operations))] == ["2026-04-03", "2026-04-13"]
    three = sheet.plan(week("Date,Title\n24 Nov,A\n"), NOTHING)
    assert said(three) == {"row 2": "“24 Nov” isn't a date with a year: write it as 2026-11-24."}


def test_zones_last_days_and_venues() -> None:
    text = (
        "Date,End date,Title,Zone,Venue,Room,Query\n"
        "2026-11-24,2026-11-28,Tech,Europe/London,Old Hall,Stage,schedule.attendee\n"
        "2026-11-24,2026-11-20,Fit,London,Old Hall,,\n"
    )
    proposal = sheet.plan(week(text), NOTHING)
    after = applied(NOTHING, proposal.operations)
    fit, tech = events(after)
    assert tech == {
        "title": "Tech", "date": "2026-11-24", "end_date": "2026-11-28", "zone": "Europe/London",
        "attendees_query": "schedule.attendee",
    }  # fmt: skip
    assert fit == {"title": "Fit", "date": "2026-11-24"}
    rooms = {room["name"]: room.get("venue") for room in after.entities("schedule.room").values()}
    assert rooms == {"Stage": "Old Hall", "Old Hall": None}
    assert said(proposal) == {
        "row 3, column End date": "“2026-11-20” isn't a day from then on.",
        "row 3, column Zone": "“London” isn't a time zone such as Europe/London.",
    }


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "Title,Room\nA,B\n"])
def test_a_sheet_without_a_header_is_refused_with_advice(text: str) -> None:
    with pytest.raises(InvalidFile, match="No header row") as refused:
        sheet.plan(week(text), NOTHING)
    assert "title or kind and date" in refused.value.hint


FITTINGS = """\
Date,Time,What,Where,Who,Notes
2026-04-13,10:00,Fitting,Wardrobe A,Jane Doe,bring shoes
2026-04-13,10:00,Fitting,Wardrobe B,Sam Poe,
2026-04-13,10:00,Fitting,Wardrobe B,,wigs
2026-04-13,10:00,Fitting,,Jane Doe,
"""


def test_events_alike_but_for_room_people_or_details_keep_them_when_the_sheet_comes_again() -> None:
    before = company()
    after = applied(before, sheet.plan(week(FITTINGS), before).operations)
    assert sheet.plan(week(FITTINGS), after).changes_nothing
    head, *rows = FITTINGS.splitlines(keepends=True)
    assert sheet.plan(week("".join([head, *reversed(rows)])), after).changes_nothing
    assert sheet.plan(week("".join([head, *rows[1:]])), after).changes_nothing
    (moved,) = sheet.plan(week(FITTINGS.replace("bring shoes", "bring boots")), after).operations
    assert isinstance(moved, SetField)
    assert moved.value == "bring boots"


def test_an_event_moved_to_another_day_here_is_not_made_again() -> None:
    text = "Date,Time,What\n2026-04-13,10:00,Fitting\n2026-04-14,10:00,Tech\n"
    after = applied(NOTHING, sheet.plan(week(text), NOTHING).operations)
    (fitting,) = (id for id, fields in after.entities("schedule.event").items() if fields["title"] == "Fitting")
    move = SetField(entity=fitting, facet="schedule.event", field="date", value="2026-04-15")
    moved = applied(after, [move])
    again = sheet.plan(week(text), moved)
    assert again.changes_nothing
    assert said(again) == {
        "row 2": "What such a row made before is Fitting 2026-04-15 10:00 here now, and stays so. If this is another "
        "event, give it an id column or a title of its own."
    }


def test_many_events_alike_are_told_apart_in_one_go() -> None:
    text = "Date,Time,What,Where\n" + "".join(f"2026-04-13,10:00,Fitting,Room {n % 7}\n" for n in range(3_000))
    after = applied(NOTHING, sheet.plan(week(text), NOTHING).operations)
    assert len(after.entities("schedule.event")) == 3_000
    assert sheet.plan(week(text), after).changes_nothing


def test_which_number_is_the_day_is_told() -> None:
    summary = sheet.plan(week("Date,What\n03/04/2026,Act 1\n24/04/2026,Act 2\n"), NOTHING).summary
    assert "Dates such as 03/04/2026 are read as day/month: others of the column can only be that." in summary


def test_a_header_that_is_repeated_on_each_page_is_no_row() -> None:
    text = COMPANY + "Name;Character;Dept;E-Mail;Mobile\nKim Lee;;LX;;\n"
    proposal = people.plan(Source(text.encode(), "company.csv"), NOTHING)
    after = applied(NOTHING, proposal.operations)
    names = {fields["displayName"] for fields in after.entities("schedule.attendee").values()}
    assert names == {"Jane Doe", "Sam Poe", "Kim Lee"}
    assert said(proposal)["row 6"] == "The header once more."
    pages = "Date,Time,What\n2026-04-13,10:00,Act 1\nDate,Time,What\n,11:00,Act 2\n"
    after = applied(NOTHING, sheet.plan(week(pages), NOTHING).operations)
    assert [(one["date"], one["title"]) for one in events(after)] == [("2026-04-13", "Act 1"), ("2026-04-13", "Act 2")]
