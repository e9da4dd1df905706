"""Schedules as people keep them in spreadsheets: one event a row.

A row is found again by its id column; without one by its title and date, and among several of those by what else it
says. Dates that only one row has count for the rows below it, as schedules are usually written.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from openprod.plugin_api import Proposal, Row, Snapshot, Source, is_zone

from .book import EVENT, Book, plain
from .headers import EVENT_ALIASES, Columns, find_columns, say_columns
from .likeness import Likeness, Seen
from .times import DayOrder, ambiguous, clock, day, day_order, span, year_of

STATUSES = {
    "planned": "planned", "tentative": "planned", "pencilled": "planned", "penciled": "planned", "tbc": "planned",
    "provisional": "planned", "confirmed": "confirmed", "ok": "confirmed", "cancelled": "cancelled",
    "canceled": "cancelled", "cut": "cancelled",
}  # fmt: skip
_SEPARATOR = re.compile(r"\s*(?:[,;/\n]|\s\+\s|\s&\s)\s*")
_EVERYBODY = frozenset({"all", "everybody", "everyone", "full company", "company", "all called", "full call"})


class _Meant(NamedTuple):
    """A row as fields, before it is known which event it is."""

    row: Row
    key: str
    fields: dict[str, Any]
    room: str
    venue: str
    attendees: str


def plan(source: Source, snapshot: Snapshot) -> Proposal:
    """The events of a sheet whose header row can be found; everything else is said in ``skipped``."""
    columns = find_columns(source, EVENT_ALIASES, [("title", "kind"), ("date",)])
    return _Reader(source, snapshot, columns).read()


class _Reader:
    def __init__(self, source: Source, snapshot: Snapshot, columns: Columns) -> None:
        self._source, self._snapshot, self._columns = source, snapshot, columns
        self._book = Book(snapshot)
        self._date = ""
        self._carried = 0
        self._turned = ""
        self._unknown: Counter[str] = Counter()
        self._numbers: Counter[str] = Counter()

    def read(self) -> Proposal:
        body = say_columns(self._book, self._source, self._columns)
        header = self._columns.header.number
        above = [cell for row in self._source.table.rows if row.number < header for cell in row.cells]
        year = year_of([*above, self._source.name])
        order = day_order(self._columns.cells(row).get("date", "") for row in body)
        meant = [found for row in body if (found := self._row(row, order, year)) is not None]
        for one, entity in self._matched(meant):
            self._event(one, entity)
        self._say_unknown()
        summary = [f"Header on row {header}."]
        if year is not None and any("date" in self._columns.cells(row) for row in body):
            summary.append(f"Dates without a year are taken as {year}.")
        if order and self._turned:
            shown = {"dmy": "day/month", "mdy": "month/day"}[order]
            summary.append(f"Dates such as {self._turned} are read as {shown}: others of the column can only be that.")
        if self._carried:
            rows = "1 row" if self._carried == 1 else f"{self._carried} rows"
            summary.append(f"{rows} without a date: taken as on the day above.")
        return self._book.proposal(rows=len(body), summary=summary, mapping=self._columns.mapping)

    # ---- a row ----------------------------------------------------------------------------------------------

    def _row(self, row: Row, order: DayOrder, year: int | None) -> _Meant | None:
        where = f"row {row.number}"
        cells = self._columns.cells(row)
        if "date" in cells:
            found = day(cells["date"], order=order, year=year)
            if found is None:
                self._date = ""  # the rows below belong to a day that isn't known
                self._book.skip(where, _not_a_date(cells["date"]))
                return None
            self._date = found
            if not self._turned and ambiguous(cells["date"]):
                self._turned = cells["date"]
        title = " ".join((cells.get("title") or cells.get("kind") or "").split())
        if not title:
            if set(cells) - {"date"}:
                self._book.skip(where, f"No title: {row.excerpt}.")
            return None
        if not self._date:
            self._book.skip(where, f"No date: {row.excerpt}.")
            return None
        self._carried += "date" not in cells
        fields: dict[str, Any] = {
            "title": title, "date": self._date, "kind": cells.get("kind"), "details": cells.get("details"),
            "attendees_query": cells.get("attendees_query"),
        }  # fmt: skip
        fields |= self._times(row, cells) | self._last_day(row, cells, order, year)
        if "status" in cells:
            fields["status"] = STATUSES.get(plain(cells["status"]).rstrip("."))
            if fields["status"] is None:
                self._wrong(row, "status", "isn't one of planned, confirmed, cancelled")
        if "zone" in cells:
            fields["zone"] = cells["zone"] if is_zone(cells["zone"]) else None
            if fields["zone"] is None:
                self._wrong(row, "zone", "isn't a time zone such as Europe/London")
        room, venue = cells.get("room", ""), cells.get("venue", "")
        room, venue = (" ".join(room.split()), venue) if room else (" ".join(venue.split()), "")
        return _Meant(row, cells.get("id", ""), fields, room, venue, cells.get("attendees", ""))

    def _times(self, row: Row, cells: dict[str, str]) -> dict[str, Any]:
        times: dict[str, Any] = {}
        if "start" in cells and plain(cells["start"]) not in ("all day", "tba", "tbc", "-", "–"):
            found = span(cells["start"])
            if found is None:
                self._wrong(row, "start", "isn't a time such as 10:30 or 10:30–13:00")
            else:
                times = {"start": found.start, "end": found.end or None}
        if "end" in cells and plain(cells["end"]) not in ("tba", "tbc", "-", "–"):
            end = clock(cells["end"])
            if end is None:
                self._wrong(row, "end", "isn't a time such as 13:00")
            else:
                times["end"] = end
        return times

    def _last_day(self, row: Row, cells: dict[str, str], order: DayOrder, year: int | None) -> dict[str, Any]:
        if "end_date" not in cells:
            return {}
        last = day(cells["end_date"], order=order, year=year)
        if last is None or last < self._date:
            self._wrong(row, "end_date", "isn't a day from then on")
            return {}
        return {"end_date": last if last != self._date else None}

    def _wrong(self, row: Row, field: str, what: str) -> None:
        text = self._columns.cells(row)[field]
        self._book.skip(self._columns.place(row, field), f"“{text[:60]}” {what}.")

    # ---- which event it is ----------------------------------------------------------------------------------

    def _matched(self, rows: Sequence[_Meant]) -> list[tuple[_Meant, str]]:
        """Each row with its event's id: by the row's own id; else those most alike first, down to title and day."""
        survivor = self._snapshot.survivor
        found = {one.row.number: survivor(self._book.id_of(EVENT, f"row/{one.key}")) for one in rows if one.key}
        free = Likeness(self._snapshot, self._book, self._columns.fields.values(), but=found.values())
        open_ = [one for one in rows if not one.key]
        for alike in free.ways:
            free.look(alike)
            for one in open_:
                if (event := free.take(self._seen(one), alike)) is not None:
                    found[one.row.number] = event
            open_ = [one for one in open_ if one.row.number not in found]
        taken = set(found.values())
        for one in open_:
            if (new := self._new(one, taken)) is not None:
                found[one.row.number] = new
                taken.add(new)
        return [(one, found[one.row.number]) for one in rows if one.row.number in found]

    def _seen(self, one: _Meant) -> Seen:
        called = {person for name in self._called(one) for person in self._book.named(name)}
        return Seen(one.fields, plain(one.room), frozenset(called))

    def _new(self, one: _Meant, taken: set[str]) -> str | None:
        """A new event's id, the same on every laptop that reads the same sheet into the same schedule.

        None, and a line in ``skipped``, when such a row made an event before that is called otherwise or was moved to
        another day here: it would be there twice.
        """
        title, date = _day_and_title(one)
        key = f"{title}/{date}/{one.fields.get('start') or ''}"
        for number in itertools.count(self._numbers[key] + 1):
            event = self._snapshot.survivor(self._book.id_of(EVENT, key if number == 1 else f"{key}/{number}"))
            self._numbers[key] = number
            if event in taken:
                continue
            present = self._snapshot.entities(EVENT).get(event)
            if present is None:
                return event
            now = " ".join(str(present.get(field) or "") for field in ("title", "date", "start")).strip()
            self._book.skip(
                f"row {one.row.number}",
                f"What such a row made before is {now} here now, and stays so. If this is another event, "
                "give it an id column or a title of its own.",
            )
            return None
        raise AssertionError("numbers don't end")

    @staticmethod
    def _called(one: _Meant) -> list[str]:
        return [name for name in _SEPARATOR.split(one.attendees) if name]

    def _event(self, one: _Meant, entity: str) -> None:
        where = f"row {one.row.number}"
        if not self._book.event(where, entity, one.fields):
            return
        if one.room and (room := self._book.room(where, one.room, venue=one.venue)) is not None:
            self._book.place(entity, room)
        for name in self._called(one):
            found = self._book.named(name)
            for attendee in found:
                self._book.attends(attendee, entity)
            if not found:
                self._unknown[name] += 1

    def _say_unknown(self) -> None:
        for name, count in sorted(self._unknown.items()):
            times = "1 event" if count == 1 else f"{count} events"
            if plain(name) in self._book.departments or plain(name) in _EVERYBODY:
                department = self._book.departments.get(plain(name))
                query = "schedule.attendee" + (f" where department = {_quoted(department)}" if department else "")
                why = f"They aren't one person: put the query {query} into the field “Who, by query” of the event."
            else:
                why = "Nobody here is called so: import the people first (schedule.people), then this again."
            self._book.skip(f"{name[:60]}, called for {times}", why)


def _day_and_title(one: _Meant) -> tuple[str, str]:
    return plain(one.fields["title"]), one.fields["date"]


def _quoted(text: str) -> str:
    return text if text.isalnum() else f'"{text}"'


def _not_a_date(text: str) -> str:
    if ambiguous(text):
        both = " or ".join(filter(None, (day(text, order="dmy"), day(text, order="mdy"))))
        return f"“{text}” may be two different days: write it as {both or '2026-11-24'}."
    if re.search(r"\d", text) and not re.search(r"\d{4}", text):
        return f"“{text[:60]}” isn't a date with a year: write it as 2026-11-24."
    return f"“{text[:60]}” isn't a date such as 2026-11-24."
