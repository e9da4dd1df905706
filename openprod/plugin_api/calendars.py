"""What plugins may ask about calendars: each loads the library only when it is called."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openprod.plugin_api.components import Component, Moment, Repetition

if TYPE_CHECKING:
    from datetime import timedelta
    from types import ModuleType


def occurrences(component: Component) -> Repetition:
    """When it takes place, by ``DTSTART``, ``RRULE``, ``RDATE`` and ``EXDATE``: once, when it doesn't repeat."""
    found: Repetition = _ical().occurrences(component)
    return found


def end_of(component: Component) -> Moment | None:
    """When it ends, on the clocks of its start; a day's end is the day after it. None when it doesn't say."""
    found: Moment | None = _ical().end_of(component)
    return found


def shifted(moment: Moment, by: timedelta) -> Moment:
    """``by`` later: whole days on the calendar, anything else as a clock that is never put back counts."""
    found: Moment = _ical().shifted(moment, by)
    return found


def in_zone(moment: Moment, zone: str) -> Moment:
    """The same instant on the clocks of ``zone``. Whole days, and times without a zone, stay as they are."""
    found: Moment = _ical().in_zone(moment, zone)
    return found


def is_zone(name: str) -> bool:
    """Whether it is a time zone of the IANA list, such as ``Europe/London``."""
    return bool(_ical().is_zone(name))


def write_calendar(calendar: Component) -> bytes:
    """The calendar as an iCalendar file, with the rules of each time zone that its moments name.

    Raises InputError for a zone that isn't on the IANA list.
    """
    written: bytes = _ical().write(calendar)
    return written


def _ical() -> ModuleType:
    from openprod.plugin_api import ical  # it takes 0.1 s to load, and few commands need a calendar

    return ical
