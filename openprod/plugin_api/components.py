"""What calendar files hold, as plain data: components with properties, and moments on a clock.

Names are those of RFC 5545 (iCalendar): ``VCALENDAR`` holds ``VEVENT``, which has ``DTSTART``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import msgspec


class Moment(NamedTuple):
    """A day, or a time of day as the clocks of ``zone`` show it.

    ``date``: ``2026-11-24``. ``time``: ``12:00`` or ``12:00:30``; "" means the whole day. ``zone``: a name of the IANA
    list, such as ``Europe/London`` or ``UTC``; "" means wherever the reader is.
    """

    date: str
    time: str = ""
    zone: str = ""

    @property
    def local(self) -> str:
        """``2026-11-24T12:00``, or the day alone."""
        return f"{self.date}T{self.time}" if self.time else self.date


class Property(NamedTuple):
    """``value`` is text without escapes. ``moments``: what it means, for a property that holds dates or times."""

    name: str
    value: str = ""
    params: Mapping[str, str] = {}
    moments: tuple[Moment, ...] = ()


class Component(msgspec.Struct, frozen=True):
    """``unread``: lines that break the format, as they stand in the file."""

    name: str
    properties: tuple[Property, ...] = ()
    components: tuple[Component, ...] = ()
    unread: tuple[str, ...] = ()

    def all(self, name: str) -> tuple[Property, ...]:
        return tuple(one for one in self.properties if one.name == name)

    def get(self, name: str) -> Property | None:
        """The first property of that name."""
        return next(iter(self.all(name)), None)

    def text(self, name: str) -> str:
        """The first property's value without white space around it, "" when there is none."""
        found = self.get(name)
        return found.value.strip() if found else ""

    def moment(self, name: str) -> Moment | None:
        found = self.get(name)
        return found.moments[0] if found and found.moments else None

    def walk(self, name: str) -> Iterator[Component]:
        """Every component of that name, this one and those inside it, in the order of the file."""
        if self.name == name:
            yield self
        for component in self.components:
            yield from component.walk(name)


class Repetition(NamedTuple):
    """When something that repeats takes place.

    ``starts``: in order, the first one among them. ``problem``: why they can't be told, to follow "It"; then
    ``starts`` is empty.
    """

    starts: tuple[Moment, ...]
    problem: str = ""
