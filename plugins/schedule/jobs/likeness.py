"""Which of several events with one title on one day a row means: the one that is most like it.

Two fittings at ten in two rooms are two rows. A file read again must find each of them as it was, whatever else stands
between them by now, or the rooms and people of one would be given to the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from openprod.plugin_api import Snapshot

from .book import ATTENDS, EVENT, IN_ROOM, ROOM, Book, plain

Way = tuple[str, ...]

_ROOM, _CALLED = "room", "attendees"
_FIELDS = ("start", "end", "end_date", "kind", "status", "details", "zone", "attendees_query")


class Seen(NamedTuple):
    """An event as a row tells it, or as it is here. ``called``: entities."""

    fields: Mapping[str, Any]
    room: str
    called: frozenset[str]

    def key(self, way: Way) -> tuple[Any, ...]:
        parts = (self.room if name == _ROOM else self.called if name == _CALLED else self._text(name) for name in way)
        return (plain(self._text("title")), self._text("date"), *parts)

    def _text(self, name: str) -> str:
        value = self.fields.get(name)
        return "" if value is None else str(value)


class Likeness:
    """The events that no row has been given yet. ``columns``: what the sheet tells; ``but``: events that are given."""

    def __init__(self, snapshot: Snapshot, book: Book, columns: Iterable[str], *, but: Iterable[str]) -> None:
        told = {*columns, "start"} | ({"end"} if "start" in columns else set())
        told |= {_ROOM} if "venue" in told else set()
        fields = tuple(name for name in _FIELDS if name in told)
        room, called = (tuple(name for name in (one,) if name in told) for one in (_ROOM, _CALLED))
        least: tuple[Way, ...] = ((*room, *called), room, called, ())
        ways = ((*fields, *room, *called), *(("start", *way) for way in least), ())
        self.ways: tuple[Way, ...] = tuple(dict.fromkeys(ways))
        given = set(but)
        people: dict[str, set[str]] = {}
        for view in snapshot.edges(ATTENDS).values():
            people.setdefault(view.target, set()).add(view.source)
        places = {
            view.source: plain(str(snapshot.entities(ROOM).get(view.target, {}).get("name") or ""))
            for _edge, view in sorted(snapshot.edges(IN_ROOM).items())
        }
        present = snapshot.entities(EVENT)
        self._free = {
            event: Seen(present[event], places.get(event, ""), frozenset(people.get(event, ())))
            for event in sorted(present, key=lambda event: (str(present[event].get("start") or ""), event))
            if event not in given
        }
        self._found: dict[tuple[Any, ...], list[str]] = {}

    def look(self, way: Way) -> None:
        """Sort the free events by what they have in common with a row in this way."""
        self._found = {}
        for event in reversed(self._free):
            self._found.setdefault(self._free[event].key(way), []).append(event)

    def take(self, seen: Seen, way: Way) -> str | None:
        """The first free event that is alike, which isn't free any more then. ``way``: the one looked for last."""
        events = self._found.get(seen.key(way))
        if not events:
            return None
        event = events.pop()
        del self._free[event]
        return event
