"""Calendars: events with their rooms and the people invited.

What repeats becomes one event for each time it takes place, because a production moves and cancels them one by one;
what repeats for ever is left out, and said. Times stand as the calendar's own clocks show them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

from openprod.plugin_api import (
    Component,
    Moment,
    Property,
    Proposal,
    Snapshot,
    Source,
    end_of,
    in_zone,
    is_zone,
    occurrences,
)

from .book import EVENT, IN_ROOM, NAME_LENGTH_MAX, ROOM, Book, location

STATUSES = {"TENTATIVE": "planned", "CONFIRMED": "confirmed", "CANCELLED": "cancelled"}
ANSWERS = {"NEEDS-ACTION": "invited", "ACCEPTED": "accepted", "TENTATIVE": "tentative", "DECLINED": "declined"}
_USED = frozenset({
    "UID", "SUMMARY", "DTSTART", "DTEND", "DURATION", "DTSTAMP", "LAST-MODIFIED", "SEQUENCE", "STATUS", "DESCRIPTION",
    "LOCATION", "ATTENDEE", "CATEGORIES", "CLASS", "RRULE", "RDATE", "EXDATE", "EXRULE", "RECURRENCE-ID",
})  # fmt: skip
_PEOPLE = ("", "INDIVIDUAL", "UNKNOWN")


def plan(source: Source, snapshot: Snapshot) -> Proposal:
    """The events of every calendar in the file; everything else is said in ``skipped``."""
    return _Reader(snapshot).read(source.calendars)


class _Reader:
    def __init__(self, snapshot: Snapshot) -> None:
        self._book = Book(snapshot)
        self._snapshot = snapshot
        self._by_uid = {
            str(fields["uid"]): entity
            for entity, fields in sorted(snapshot.entities(EVENT).items(), reverse=True)
            if fields.get("uid")
        }
        self._locations = {
            view.source: " ".join(location(snapshot.entities(ROOM).get(view.target, {})).split())
            for _edge, view in sorted(snapshot.edges(IN_ROOM).items())
        }
        self._unused: Counter[str] = Counter()
        self._zone = ""
        self._cancelled = False
        self._utc = 0

    def read(self, calendars: Iterable[Component]) -> Proposal:
        summary: list[str] = []
        count = 0
        for calendar in calendars:
            events = [one for one in calendar.components if one.name == "VEVENT"]
            count += len(events)
            zone = calendar.text("X-WR-TIMEZONE")
            self._zone = zone if is_zone(zone) else ""
            self._cancelled = calendar.text("METHOD").upper() == "CANCEL"
            name = calendar.text("NAME") or calendar.text("X-WR-CALNAME")
            found = f"{len(events)} event{'s' * (len(events) != 1)}" if events else "no events"
            summary.append(f"The calendar {f'“{name}” ' if name else ''}holds {found}.")
            self._series(events)
            self._say(calendar, events)
        if self._utc:
            times = "1 event has its times" if self._utc == 1 else f"{self._utc} events have their times"
            summary.append(f"{times} in UTC: the file doesn't say whose clocks count.")
        if self._unused:
            names = ", ".join(f"{name} ({count})" for name, count in sorted(self._unused.items()))
            self._book.skip("properties", f"Not kept: {names}.")
        return self._book.proposal(rows=count, summary=summary, mapping={}, unit="events")

    def _series(self, events: list[Component]) -> None:
        """Events by UID: the one that repeats, and those that stand for one of its times."""
        moved: dict[str, set[str]] = {}
        zones = {one.text("UID"): one.moment("DTSTART") for one in reversed(events) if not one.get("RECURRENCE-ID")}
        for one in events:
            if (which := self._which(one, zones)) is not None:
                moved.setdefault(one.text("UID"), set()).add(which)
        for one in events:
            which = self._which(one, zones)
            if which is not None:
                self._event(one, f"{one.text('UID')}/{which}", one.moment("DTSTART"))
            else:
                self._repeated(one, moved.get(one.text("UID"), set()))

    @staticmethod
    def _which(component: Component, masters: dict[str, Moment | None]) -> str | None:
        """Which of a series' times the component stands for, as the series' clocks had it."""
        moment = component.moment("RECURRENCE-ID")
        if moment is None:
            return None
        master = masters.get(component.text("UID"))
        return (in_zone(moment, master.zone) if master and master.zone else moment).local

    def _repeated(self, component: Component, moved: set[str]) -> None:
        uid = component.text("UID")
        if not any(component.all(name) for name in ("RRULE", "RDATE", "EXDATE", "EXRULE")):
            self._event(component, uid, component.moment("DTSTART"))
            return
        found = occurrences(component)
        if found.problem:
            hint = "Give it an end in the calendar it comes from, and export again."
            self._book.skip(self._where(component), f"It {found.problem}. {hint}")
            return
        for name in ("RDATE", "EXDATE"):
            for one in component.all(name):
                if not one.moments:
                    self._book.skip(self._where(component), f"{name} “{one.value[:40]}” is no date; left out.")
        if found.starts == (component.moment("DTSTART"),) and not component.all("RRULE"):
            self._event(component, uid, found.starts[0])
            return
        kept = {f"{uid}/{start.local}" for start in found.starts}
        for start in found.starts:
            if start.local not in moved:
                self._event(component, f"{uid}/{start.local}", start)
        self._say_left(component, kept | {f"{uid}/{which}" for which in moved})

    def _say_left(self, component: Component, kept: set[str]) -> None:
        """Times of a series that were imported once and that it doesn't have any more."""
        uid = component.text("UID")
        left = [one for one in self._by_uid if one.startswith(f"{uid}/") and one not in kept]
        for one in sorted(left) if uid else ():
            self._book.skip(
                self._where(component),
                f"{one.removeprefix(f'{uid}/')} isn't in the calendar any more; it is left as it is.",
            )

    def _event(self, component: Component, uid: str, start: Moment | None) -> None:
        where = self._where(component)
        if component.text("CLASS").upper() in ("PRIVATE", "CONFIDENTIAL"):
            self._book.skip(where, "Its owner marked it as private.")
            return
        if start is None:
            self._book.skip(where, "It has no start that can be read.")
            return
        if not component.text("UID"):
            uid = ""
        key = uid or f"{component.text('SUMMARY')}/{start.local}"
        own = self._own(uid)
        entity = own or self._by_uid.get(uid) or self._book.id_of(EVENT, key)
        present = self._snapshot.entities(EVENT).get(entity, {})
        sequence = _number(component.text("SEQUENCE"))
        if isinstance(present.get("sequence"), int) and sequence is not None and sequence < present["sequence"]:
            self._book.skip(where, f"An older copy: revision {sequence}, and {present['sequence']} is here.")
            return
        fields: dict[str, Any] = {
            "title": " ".join(component.text("SUMMARY").split()) or "Untitled",
            "kind": component.text("CATEGORIES").split(",")[0].strip() or None,
            **self._times(component, start),
            "status": "cancelled" if self._cancelled else STATUSES.get(component.text("STATUS").upper()),
            "details": component.text("DESCRIPTION") or None,
            "uid": None if own else uid or None,
            "sequence": None if own else sequence,
        }
        if self._book.event(where, entity, fields):
            self._room(where, component, entity)
            self._attendees(where, component, entity)

    def _own(self, uid: str) -> str:
        """The event of this schedule that was exported under that id and comes back; "" for any other."""
        entity = self._snapshot.survivor(uid.removesuffix(f".{self._snapshot.workspace}@openprod"))
        return entity if entity != uid and entity in self._snapshot.entities(EVENT) else ""

    def _times(self, component: Component, start: Moment) -> dict[str, Any]:
        """As fields; an occurrence lasts as long as the first of its series."""
        first, end = component.moment("DTSTART"), end_of(component)
        days = 0
        if first is not None and end is not None:
            first, end = self._here(first), self._here(end)
            days = (date.fromisoformat(end.date) - date.fromisoformat(first.date)).days
        start = self._here(start)
        self._utc += start.zone == "UTC"
        times: dict[str, Any] = {"date": start.date, "start": start.time or None, "zone": start.zone or None}
        last = date.fromisoformat(start.date) + timedelta(days=days)
        if not start.time:
            # A day's end is the day after it.
            return {**times, "end_date": (last - timedelta(days=1)).isoformat() if days > 1 else None}
        if end is None or not end.time or (days == 0 and end.time <= start.time):
            return times
        overnight = days == 0 or (days == 1 and end.time < start.time)
        return {**times, "end": end.time, "end_date": None if overnight else last.isoformat()}

    def _room(self, where: str, component: Component, event: str) -> None:
        name = " ".join(component.text("LOCATION").split())
        if not name or name == self._stands_at(event):
            return
        if len(name) > NAME_LENGTH_MAX:
            self._book.skip(f"{where}, LOCATION", f"Too long for the name of a room: “{name[:60]}…”.")
        elif (room := self._book.room(where, name)) is not None:
            self._book.place(event, room)

    def _stands_at(self, event: str) -> str:
        """The place as this schedule's own calendars call it: its room's name, venue and address."""
        return self._locations.get(event, "")

    def _attendees(self, where: str, component: Component, event: str) -> None:
        for one in component.all("ATTENDEE"):
            name, email = _person(one)
            if one.params.get("CUTYPE", "").upper() not in _PEOPLE:
                self._book.skip(f"{where}, ATTENDEE", f"{name or 'It'} is a {one.params['CUTYPE'].lower()}, no person.")
            elif not name:
                self._book.skip(f"{where}, ATTENDEE", "It has neither a name nor an email address.")
            else:
                # The name is only a guess where somebody is known already.
                fields = {"displayName": name, "email": email or None}
                attendee = self._book.known_by(email) if email else None
                attendee = attendee or self._book.attendee(where, fields, renames=False)
                if attendee is not None:
                    answer = ANSWERS.get(one.params.get("PARTSTAT", "").upper())
                    self._book.attends(attendee, event, {"status": answer})

    def _where(self, component: Component) -> str:
        start = component.moment("DTSTART")
        name = " ".join(component.text("SUMMARY").split()) or component.text("UID") or "untitled"
        return f"event “{name[:60]}”" + (f" {self._here(start).local.replace('T', ' ')}" if start else "")

    def _here(self, moment: Moment) -> Moment:
        """On the calendar's own clocks, where it told the time in UTC."""
        return in_zone(moment, self._zone) if moment.zone == "UTC" and self._zone else moment

    def _say(self, calendar: Component, events: list[Component]) -> None:
        for one in events:
            for line in one.unread:
                self._book.skip(self._where(one), f"This line can't be read: “{line[:120]}”.")
            self._unused.update({entry.name for entry in one.properties} - _USED)
            if alarms := sum(1 for inner in one.components if inner.name == "VALARM"):
                alarm = "1 alarm" if alarms == 1 else f"{alarms} alarms"
                self._book.skip(self._where(one), f"{alarm}: each reader's calendar sets its own.")
        others = Counter(one.name for one in calendar.components if one.name not in ("VEVENT", "VTIMEZONE"))
        for name, count in sorted(others.items()):
            self._book.skip(f"{count} {name}", "No events: a schedule keeps nothing else.")


def _person(attendee: Property) -> tuple[str, str]:
    """Name and address. Somebody without a name is called by what stands before the @ of the address."""
    address = attendee.value.strip()
    scheme, _, rest = address.partition(":")
    email = rest.strip() if scheme.lower() == "mailto" else ""
    name = " ".join(attendee.params.get("CN", "").split())
    if not name or "@" in name:
        name = (name or email).partition("@")[0]
    return name[:NAME_LENGTH_MAX], email


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
