"""Calendars for everybody to subscribe to: everything, one for each person, one for each department.

The same schedule always gives the same bytes. Event ids never change; the revision (SEQUENCE) goes up with each change
of what stands in the calendar, and only then: it counts the bundles that made one, so that nobody has to keep a number,
and laptops with the same data publish the same. What the schema calls private is never read here.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, NamedTuple

from openprod.plugin_api import (
    Component,
    EdgeView,
    Files,
    InputError,
    Moment,
    Property,
    Snapshot,
    in_zone,
    is_zone,
    safe_name,
    write_calendar,
)

from .book import ATTENDEE, ATTENDS, EVENT, IN_ROOM, ROOM, location, plain
from .times import clock

EVERYTHING = "schedule.ics"
STATUSES = {"planned": "TENTATIVE", "confirmed": "CONFIRMED", "cancelled": "CANCELLED"}
SHOWN = ("title", "kind", "date", "start", "end", "end_date", "zone", "status", "details")
"""The event's fields that stand in a calendar."""
ROOM_SHOWN = ("name", "venue", "address", "zone")
ATTENDS_SHOWN = ("call", "role")
_NEVER = "1970-01-01T00:00:00Z"
_DAY = timedelta(days=1)


class _Feed(NamedTuple):
    """``events``: {event: the edge by which its reader attends, if there is one}"""

    file: str
    title: str
    events: Mapping[str, str]


def export(snapshot: Snapshot, options: Mapping[str, str]) -> Files:
    """{``schedule.ics``, ``people/NAME.ics``, ``departments/NAME.ics``}; with ``who``, only what that names."""
    zone = options.get("zone", "")
    if zone and not is_zone(zone):
        raise InputError(f"“{zone}” isn't a time zone.", hint="Name it by a city of the IANA list: Europe/London.")
    if not snapshot.entities(EVENT):
        return {}
    writer = _Writer(snapshot, zone)
    name = options.get("name", "").strip() or "Schedule"
    feeds = _feeds(snapshot, name)
    if who := options.get("who", "").strip():
        feeds = [feed for feed in feeds if plain(feed.title.removeprefix(f"{name} · ")) == plain(who)]
        if not feeds:
            raise InputError(f"Nobody and no department is called “{who}” here.", hint="Write it as the schedule does.")
    return {feed.file: writer.calendar(feed) for feed in feeds}


# ---- who gets what --------------------------------------------------------------------------------------------


def _feeds(snapshot: Snapshot, name: str) -> list[_Feed]:
    people = snapshot.entities(ATTENDEE)
    attended: dict[str, dict[str, str]] = {person: {} for person in people}
    for event, fields in snapshot.entities(EVENT).items():
        if query := fields.get("attendees_query"):
            for person in snapshot.answers[query].entities if query in snapshot.answers else ():
                attended.get(person, {})[event] = ""
    for edge, view in snapshot.edges(ATTENDS).items():
        attended.get(view.source, {})[view.target] = edge
    departments: dict[str, dict[str, str]] = {}
    called: dict[str, str] = {}
    for person in sorted(people):
        department = people[person].get("department")
        if isinstance(department, str) and department.strip():
            key = plain(department)
            called.setdefault(key, " ".join(department.split()))
            departments.setdefault(key, {}).update(dict.fromkeys(attended[person], ""))
    titles = {person: str(fields.get("displayName") or "").strip() or person for person, fields in people.items()}
    return [
        _Feed(EVERYTHING, name, dict.fromkeys(snapshot.entities(EVENT), "")),
        *(
            _Feed(file, f"{name} · {titles[person]}", attended[person])
            for person, file in sorted(_files("people", titles).items())
        ),
        *(
            _Feed(file, f"{name} · {called[key]}", departments[key])
            for key, file in sorted(_files("departments", called).items())
        ),
    ]


def _files(folder: str, names: Mapping[str, str]) -> dict[str, str]:
    """{key: a file's name of its own}. Those that would be alike all get the end of their key."""
    safe = {key: safe_name(name) for key, name in names.items()}
    alike: dict[str, int] = {}
    for name in safe.values():
        alike[_folded(name)] = alike.get(_folded(name), 0) + 1
    return {
        key: f"{folder}/{name}.ics" if alike[_folded(name)] == 1 else f"{folder}/{name} {safe_name(key)[-8:]}.ics"
        for key, name in safe.items()
    }


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


# ---- what stands in it ----------------------------------------------------------------------------------------


class _Writer:
    def __init__(self, snapshot: Snapshot, zone: str) -> None:
        self._snapshot, self._zone = snapshot, zone
        self._places: dict[str, EdgeView] = {}
        self._place_ids: dict[str, str] = {}
        for edge, view in sorted(snapshot.edges(IN_ROOM).items()):
            self._places[view.source], self._place_ids[view.source] = view, edge

    def calendar(self, feed: _Feed) -> bytes:
        made = [(self._event(event, edge), event) for event, edge in feed.events.items()]
        undated = sum(1 for component, _event in made if component is None)
        properties = [
            Property("VERSION", "2.0"), Property("PRODID", "-//Openprod//Schedule//EN"),
            Property("CALSCALE", "GREGORIAN"), Property("METHOD", "PUBLISH"),
            Property("X-WR-CALNAME", feed.title), Property("NAME", feed.title),
            Property("REFRESH-INTERVAL", "PT1H", {"VALUE": "DURATION"}),
        ]  # fmt: skip
        notes = [] if not undated else [f"Without a date, and left out: {_count(undated, 'event')}."]
        if unanswered := self._unanswered():
            notes.append(f"Who comes can't be told by query for {_count(unanswered, 'event')}.")
        moments = [component.moment("DTSTART") for component, _event in made if component is not None]
        if floating := sum(1 for moment in moments if moment is not None and moment.time and not moment.zone):
            notes.append(f"On the reader's own clocks, because no time zone is told: {_count(floating, 'event')}.")
        if notes:
            properties.append(Property("X-WR-CALDESC", " ".join(notes)))
        shown = [(_order(component), event, component) for component, event in made if component is not None]
        events = tuple(component for _when, _id, component in sorted(shown, key=lambda one: one[:2]))
        return write_calendar(Component("VCALENDAR", tuple(properties), events))

    def _unanswered(self) -> int:
        queries = [fields.get("attendees_query") for fields in self._snapshot.entities(EVENT).values()]
        answers = self._snapshot.answers
        return sum(1 for query in queries if query and (query not in answers or answers[query].problem))

    def _event(self, event: str, edge: str) -> Component | None:
        """None for an event without a day."""
        fields = self._snapshot.entities(EVENT).get(event)
        if fields is None:
            return None
        room = self._room(event)
        times = _times(fields, self._zone_of(fields, room))
        if times is None:
            return None
        revision = self._snapshot.revision(
            EVENT, event, SHOWN, (IN_ROOM, self._place_ids.get(event, ""), ("to",)), (ATTENDS, edge, ATTENDS_SHOWN)
        )
        first = fields.get("sequence")
        first = first if isinstance(first, int) and not isinstance(first, bool) and first > 0 else 0
        place = self._places[event].target if event in self._places else ""
        at = max(revision.at, self._snapshot.revision(ROOM, place, ROOM_SHOWN).at) or _NEVER
        stamp = (Moment(at[:10], at[11:19], "UTC"),)
        status = STATUSES.get(str(fields.get("status")), "")
        texts = {
            "SUMMARY": _text(fields, "title") or "Untitled",
            "LOCATION": location(room),
            "DESCRIPTION": "\n".join(filter(None, (*self._own(edge), _text(fields, "details")))),
            "CATEGORIES": _text(fields, "kind"),
            "STATUS": status,
        }
        return Component(
            "VEVENT",
            (
                Property("UID", _text(fields, "uid") or f"{event}.{self._snapshot.workspace}@openprod"),
                Property("DTSTAMP", moments=stamp),
                Property("LAST-MODIFIED", moments=stamp),
                Property("SEQUENCE", str(first + revision.changes)),
                *times,
                *(Property(name, text) for name, text in texts.items() if text),
            ),
        )

    def _own(self, edge: str) -> list[str]:
        """What only the person themselves is told."""
        view = self._snapshot.edges(ATTENDS).get(edge)
        if view is None:
            return []
        call, role = _text(view.properties, "call"), _text(view.properties, "role")
        return [f"Your call: {call}"] * bool(call) + [f"As: {role}"] * bool(role)

    def _room(self, event: str) -> Mapping[str, Any]:
        place = self._places.get(event)
        return self._snapshot.entities(ROOM).get(place.target, {}) if place else {}

    def _zone_of(self, fields: Mapping[str, Any], room: Mapping[str, Any]) -> str:
        """The event's, its room's, or the one that was asked for; "" for wherever the reader is."""
        named = (_text(fields, "zone"), _text(room, "zone"), self._zone)
        return next((zone for zone in named if zone and is_zone(zone)), "")


def _times(fields: Mapping[str, Any], zone: str) -> tuple[Property, ...] | None:
    """Start and end. None without a day; a time that can't be read counts as none."""
    first = _day(fields.get("date"))
    if first is None:
        return None
    last = _day(fields.get("end_date"))
    last = last if last is not None and last > first else None
    start, end = _clock(fields.get("start")), _clock(fields.get("end"))
    if start is None:
        return _properties(Moment(first.isoformat()), Moment(((last or first) + _DAY).isoformat()))
    begins = _at(first, start, zone)
    if end is None or (end == start and last is None):
        return _properties(begins, _at(last, timedelta(days=1), zone) if last else None)
    while last is None and end < start:
        end += _DAY  # past midnight
    return _properties(begins, _at(last or first, end, zone))


def _properties(start: Moment, end: Moment | None) -> tuple[Property, ...]:
    """An end that isn't after the start is no end: a calendar with one is refused. The hour that clocks leave out in
    spring can turn the two round."""
    times = [Property("DTSTART", moments=(start,))]
    if end is not None and _instant(start) < _instant(end):
        times.append(Property("DTEND", moments=(end,)))
    return tuple(times)


def _instant(moment: Moment) -> tuple[str, str]:
    found = in_zone(moment, "UTC")
    return found.date, f"{found.time}:00"[:8]


def _at(day: date, time: timedelta, zone: str) -> Moment:
    """``time`` after midnight of ``day``; 24:30 is half past midnight of the next."""
    seconds = time.seconds
    text = f"{seconds // 3600:02}:{seconds // 60 % 60:02}" + (f":{seconds % 60:02}" if seconds % 60 else "")
    return Moment((day + time.days * _DAY).isoformat(), text, zone)


def _clock(value: Any) -> timedelta | None:
    text = clock(value.partition(".")[0]) if isinstance(value, str) else None
    if text is None:
        return None
    hours, minutes, *seconds = map(int, text.split(":"))
    return timedelta(hours=hours, minutes=minutes, seconds=sum(seconds))


def _day(value: Any) -> date | None:
    try:
        found = date.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    # Room for the day after, and for the rules of its zone.
    return found if 1900 <= found.year <= 9000 else None


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    return value.strip() if isinstance(value, str) else ""


def _order(component: Component) -> str:
    moment = component.moment("DTSTART")
    assert moment is not None
    return moment.local


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"
