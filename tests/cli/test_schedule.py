"""A schedule from the command line, from sheets to calendars; and a plugin newer than what was agreed to."""

from __future__ import annotations

import shutil
from pathlib import Path

import icalendar
import pytest

from tests.cli.program import ROOT, Laptop

DATA = ROOT / "plugins" / "schedule" / "tests" / "data"
WEEK = "Date,Start,End,What,Where,Called\n2026-11-24,12:00,12:45,Fight call,Studio 1,Jane Doe\n"


@pytest.fixture
def stage_manager(tmp_path: Path) -> Laptop:
    (tmp_path / "people.csv").write_text("Name,Dept,Email\nJane Doe,Cast,jane@private.example\nSam Poe,LX,\n")
    (tmp_path / "week.csv").write_text(WEEK)
    return Laptop(tmp_path, "Robin")


def test_from_sheets_and_calendars_to_calendars(stage_manager: Laptop) -> None:
    robin = stage_manager
    robin.done("new", "show.openprod", "--name", "A Show", "--plugin", "schedule")
    unknown = robin.done("import", "show.openprod", "schedule.csv", "week.csv")
    assert "Jane Doe, called for 1 event: Nobody here is called so: import the people first" in unknown
    assert "Nothing was changed" in robin.run("import", "show.openprod", "schedule.people", "people.csv").err
    assert robin.run("query", "show.openprod", "schedule.attendee", "--json").json["rows"] == []
    robin.done("import", "show.openprod", "schedule.people", "people.csv", "--apply")
    robin.done("import", "show.openprod", "schedule.csv", "week.csv", "--apply")
    alarms = robin.done("import", "show.openprod", "schedule.ical", DATA / "google-alarms.ics", "--apply")
    assert "4 alarms: each reader's calendar sets its own." in alarms
    assert "Nothing had to be changed" in robin.done(
        "import", "show.openprod", "schedule.ical", DATA / "google-alarms.ics", "--apply"
    )
    refused = robin.run("import", "show.openprod", "schedule.ical", "week.csv")
    assert refused.status == 1
    assert "“week.csv” isn't a calendar." in refused.err
    asked = robin.run("query", "show.openprod", "schedule.event where title = 'Fight call'", "--json").json
    assert len(asked["rows"]) == 1
    assert robin.done("export", "show.openprod", "schedule.ical", "-o", "out") == "5 files are written to out.\n"
    first = {path.name: path.read_bytes() for path in (robin.folder / "out").rglob("*.ics")}
    assert sorted(first) == ["Cast.ics", "Jane Doe.ics", "LX.ics", "Sam Poe.ics", "schedule.ics"]
    assert not any(b"private.example" in data for data in first.values())
    calendar = icalendar.Calendar.from_ical(first["Jane Doe.ics"])
    (call,) = calendar.walk("VEVENT")
    assert (call["SUMMARY"], call["SEQUENCE"]) == ("Fight call", 0)
    robin.done("export", "show.openprod", "schedule.ical", "-o", "out", "--force")
    assert {path.name: path.read_bytes() for path in (robin.folder / "out").rglob("*.ics")} == first
    (robin.folder / "week.csv").write_text(WEEK.replace("12:00,", "12:15,"))
    robin.done("import", "show.openprod", "schedule.csv", "week.csv", "--apply")
    robin.done("export", "show.openprod", "schedule.ical", "-o", "jane.ics", "--arg", "who=Jane Doe")
    (moved,) = icalendar.Calendar.from_ical((robin.folder / "jane.ics").read_bytes()).walk("VEVENT")
    assert (moved["UID"], moved["SEQUENCE"], moved["DTSTART"].dt.minute) == (call["UID"], 1, 15)


def test_what_is_newer_than_what_was_agreed_to_waits_for_it(stage_manager: Laptop) -> None:
    robin = stage_manager
    shutil.copytree(ROOT / "plugins" / "schedule", robin.folder / "older", ignore=shutil.ignore_patterns("tests"))
    schema = (robin.folder / "older" / "schema.toml").read_text()
    without = [line for line in schema.splitlines() if not line.startswith("department ")]
    (robin.folder / "older" / "schema.toml").write_text("\n".join(without))
    manifest = (robin.folder / "older" / "plugin.toml").read_text()
    (robin.folder / "older" / "plugin.toml").write_text(manifest.replace('version = "1.0.0"', 'version = "0.9"'))
    robin.done("plugin", "install", "older")
    robin.done("new", "show.openprod", "--name", "A Show", "--plugin", "schedule")
    robin.done("plugin", "uninstall", "schedule")
    shown = robin.done("import", "show.openprod", "schedule.people", "people.csv", "--apply")
    assert "agreed to schedule 0.9, which doesn't know it, or no such value: schedule.attendee/department (2)." in shown
    assert "Imported as bundle" in shown
    robin.done("plugin", "adopt", "show.openprod", "schedule")
    shown = robin.done("import", "show.openprod", "schedule.people", "people.csv", "--apply")
    assert "0 new, 2 changed" in shown
    assert "agreed to" not in shown
