"""Reads and writes iCalendar (RFC 5545), and knows time zones.

With the library icalendar (BSD-2, the one that is kept up, used by most Python calendar servers), and dateutil
(BSD-3, a dependency of it) for what repeats. It takes 0.1 s to load, so nothing loads this module before it is used.
"""

from __future__ import annotations

import datetime as dt
import re
import threading
from collections.abc import Iterable, Iterator
from typing import Any, Final
from zoneinfo import ZoneInfo

import icalendar
from dateutil import rrule
from icalendar import vBroken, vRecur, vText, vUnknown
from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

from openprod.errors import InputError, InvalidFile, LimitExceeded
from openprod.plugin_api.components import Component, Moment, Property, Repetition
from openprod.plugin_api.exports import without_controls

PREAMBLE_MAX: Final = 10_000
COMPONENTS_MAX: Final = 50_000
OCCURRENCES_MAX: Final = 1_000
YEARS_MAX: Final = 10
_CYCLE: Final = 400
_LAST_CYCLE: Final = 9999 - YEARS_MAX - 1
"""How far something that repeats is followed."""

YEAR_MIN, YEAR_MAX = 1000, 9000
"""Outside these, clocks can't be moved to another zone, nor days counted on: such a date counts as none."""

_ESCAPE: Final = re.compile(r"\\(.)")
_READING: Final = threading.Lock()
_OFTEN: Final = ("SECONDLY", "MINUTELY", "HOURLY")


# ---- reading ------------------------------------------------------------------------------------------------


def read(text: str, file_name: str = "") -> tuple[Component, ...]:
    """The calendars in a file's text.

    Raises InvalidFile for what isn't iCalendar, LimitExceeded for more components than a file may hold.
    """
    if "BEGIN:VCALENDAR" not in text[:PREAMBLE_MAX].upper():
        raise InvalidFile(
            f"“{file_name}” isn't a calendar.", hint="A calendar file (.ics) begins with BEGIN:VCALENDAR."
        )
    with _READING:
        # The library keeps the zones that files define, by name, for all files after them: another calendar may call
        # other rules so. This makes it forget them.
        icalendar.use_zoneinfo()  # type: ignore[no-untyped-call]
        try:
            return _read(text, file_name)
        except (InvalidFile, LimitExceeded):
            raise
        except Exception as error:  # whatever the libraries stumble over
            raise InvalidFile(
                f"“{file_name}” isn't a calendar that can be read ({str(error)[:120] or type(error).__name__}).",
                hint="Export it again as iCalendar (.ics) from the calendar it comes from.",
            ) from error


def _read(text: str, file_name: str) -> tuple[Component, ...]:
    found = icalendar.Calendar.from_ical(text, multiple=True)
    calendars = [one for one in found if one.name == "VCALENDAR"]
    if not calendars:
        raise InvalidFile(
            f"“{file_name}” holds no whole calendar.",
            hint="It doesn't end with END:VCALENDAR, so some of it is missing: get it again.",
        )
    count = 0
    for calendar in calendars:
        for _ in calendar.walk():
            count += 1
            if count > COMPONENTS_MAX:
                raise LimitExceeded(
                    f"“{file_name}” holds more than {COMPONENTS_MAX:,} entries.",
                    hint="Export a shorter span of the calendar.",
                )
    return tuple(map(_component, calendars))


def _component(component: Any) -> Component:
    properties: list[Property] = []
    unread = [str(line) for name, line in component.errors if name is None]
    for name, value in component.property_items(recursive=False):
        if name in ("BEGIN", "END"):
            continue
        if isinstance(value, vBroken):
            unread.append(f"{name}:{str(value)[:120]}")
        else:
            properties.append(_property(name, value))
    return Component(component.name, tuple(properties), tuple(map(_component, component.subcomponents)), tuple(unread))


def _property(name: str, value: Any) -> Property:
    params = {key: ",".join(one) if isinstance(one, list) else str(one) for key, one in value.params.items()}
    times: Iterable[Any] = [entry.dt for entry in value.dts] if hasattr(value, "dts") else [getattr(value, "dt", None)]
    called = params.get("TZID", "")
    moments = tuple(moment for time in times if (moment := _moment(time, called)) is not None)
    if isinstance(value, vUnknown):
        # X-WR-CALNAME and its like: written as texts by everybody, though nothing says that they are.
        text = _ESCAPE.sub(lambda match: "\n" if match[1] in "nN" else match[1], value)
    elif isinstance(value, str):
        text = str(value)
    elif hasattr(value, "cats"):
        text = ",".join(map(str, value.cats))
    else:
        raw = value.to_ical()
        text = raw if isinstance(raw, str) else raw.decode("utf-8", "replace")
    return Property(name, text, params, moments)


def _moment(value: Any, called: str = "") -> Moment | None:
    """Of a date, a date and time, or a period's beginning. None for anything else, such as a duration.

    ``called``: what the file calls its zone.
    """
    if isinstance(value, tuple):
        value = value[0]
    if isinstance(value, dt.date) and not YEAR_MIN <= value.year <= YEAR_MAX:
        return None
    if isinstance(value, dt.datetime):
        if value.tzinfo is None:
            return _at(value, "")
        key = getattr(value.tzinfo, "key", "")
        if key and is_zone(key):
            return _at(value, key)
        if (zone := _known_as(called)) and value.replace(tzinfo=ZoneInfo(zone)).utcoffset() == value.utcoffset():
            return _at(value, zone)
        return _at(value.astimezone(dt.UTC), "UTC")
    if isinstance(value, dt.date):
        return Moment(value.isoformat())
    return None


def _known_as(called: str) -> str:
    """The zone of the IANA list that Outlook (``W. Europe Standard Time``) or another program
    (``/example.org/20050126_1/Europe/Berlin``) calls so; "" when nothing tells.
    """
    parts = called.strip('"/').split("/")
    names = (WINDOWS_TO_OLSON.get(called.strip('"'), ""), *("/".join(parts[at:]) for at in range(1, len(parts) - 1)))
    return next((name for name in names if is_zone(name)), "")


def _at(value: dt.datetime, zone: str) -> Moment:
    time = value.time().replace(microsecond=0, tzinfo=None)
    return Moment(value.date().isoformat(), time.isoformat("minutes" if not time.second else "seconds"), zone)


# ---- times --------------------------------------------------------------------------------------------------


def is_zone(name: str) -> bool:
    """Whether it is a time zone of the IANA list, such as ``Europe/London``."""
    try:
        return bool(name) and bool(ZoneInfo(name).key)
    except (ValueError, OSError, LookupError):  # unknown names, folders of names, names that lead elsewhere
        return False


def in_zone(moment: Moment, zone: str) -> Moment:
    """The same instant on the clocks of ``zone``. Whole days, and times without a zone, stay as they are."""
    if not moment.time or not moment.zone:
        return moment
    return _at(_aware(moment).astimezone(ZoneInfo(zone)), zone)


def end_of(component: Component) -> Moment | None:
    """When it ends, on the clocks of its start: ``DTEND``, or ``DTSTART`` and ``DURATION``. A day's end is the day
    after it. None when the component doesn't say.
    """
    start, end = component.moment("DTSTART"), component.moment("DTEND")
    if end is not None:
        return in_zone(end, start.zone) if start is not None and start.zone else end
    duration = component.get("DURATION")
    if start is None or duration is None:
        return None
    try:
        length: dt.timedelta = icalendar.vDuration.from_ical(duration.value)  # type: ignore[no-untyped-call]
        return shifted(start, length)
    except (ValueError, OverflowError):
        return None


def shifted(moment: Moment, by: dt.timedelta) -> Moment:
    """``by`` later: whole days on the calendar, anything else as a clock that is never put back counts."""
    if not moment.time:
        return Moment((dt.date.fromisoformat(moment.date) + by).isoformat())
    if moment.zone and by % dt.timedelta(days=1):
        return _at((_aware(moment).astimezone(dt.UTC) + by).astimezone(ZoneInfo(moment.zone)), moment.zone)
    return _at(_naive(moment) + by, moment.zone)


def _naive(moment: Moment) -> dt.datetime:
    return dt.datetime.fromisoformat(f"{moment.date}T{moment.time or '00:00'}")


def _aware(moment: Moment) -> dt.datetime:
    return _naive(moment).replace(tzinfo=ZoneInfo(moment.zone))


# ---- repetition ---------------------------------------------------------------------------------------------


def occurrences(component: Component) -> Repetition:
    """When it takes place, by ``DTSTART``, ``RRULE``, ``RDATE`` and ``EXDATE``: once, when it has none of the last."""
    start = component.moment("DTSTART")
    if start is None:
        return Repetition((), "has no start")
    if component.all("EXRULE"):
        return Repetition((), "leaves out dates by a rule (EXRULE), which no calendar writes any more")
    found = {_naive(start): start}
    for rule in component.all("RRULE"):
        try:
            ruled = list(_ruled(start, rule.value))
        except _Refused as refused:
            return Repetition((), str(refused))
        except Exception as error:  # whatever the libraries stumble over
            return Repetition((), f"repeats by a rule that can't be read ({error})")
        found |= {time: _like(start, time) for time in ruled}
    for extra in component.all("RDATE"):
        for moment in extra.moments:
            found[_naive(_beside(start, moment))] = _beside(start, moment)
    left_out = [moment for one in component.all("EXDATE") for moment in one.moments]
    times = {_naive(_beside(start, moment)) for moment in left_out}
    days = {_day(moment) for moment in left_out if not moment.time}  # some programs leave out a day by its date alone
    found = {time: moment for time, moment in found.items() if time not in times and time.date() not in days}
    if len(found) > OCCURRENCES_MAX:
        return Repetition((), f"repeats more than {OCCURRENCES_MAX:,} times")
    return Repetition(tuple(found[time] for time in sorted(found)))


class _Refused(Exception):
    """What a rule asks for that isn't followed, to follow "It"."""


def _ruled(start: Moment, text: str) -> Iterator[dt.datetime]:
    rule = vRecur.from_ical(text)
    if str(rule.get("FREQ", [""])[0]).upper() in _OFTEN:
        raise _Refused("repeats more often than once a day")
    if "UNTIL" not in rule and "COUNT" not in rule:
        raise _Refused("repeats for ever")
    first = _naive(start)
    horizon = first + dt.timedelta(days=366 * YEARS_MAX)
    until = _until(start, rule.pop("UNTIL")[0]) if "UNTIL" in rule else None
    count = int(rule.pop("COUNT")[0]) if "COUNT" in rule else None
    # A rule that never comes true is followed to the year 9999. Days and weekdays come again every 400 years, so it is
    # asked about years near that.
    later = (_LAST_CYCLE - first.year) // _CYCLE * _CYCLE
    times = rrule.rrulestr(rule.to_ical().decode(), dtstart=first.replace(year=first.year + later))
    assert isinstance(times, rrule.rrule)
    last = min(until or horizon, horizon)
    number = 0
    for time in times.replace(until=last.replace(year=last.year + later)):
        if number == count or number > OCCURRENCES_MAX:
            return
        number += 1
        yield time.replace(year=time.year - later)
    if (until is None or until > horizon) and number != count:
        raise _Refused(f"repeats for more than {YEARS_MAX} years")


def _until(start: Moment, value: Any) -> dt.datetime:
    """The last possible start, on the clocks of ``start``."""
    moment = _moment(value)
    if moment is None:
        raise ValueError("UNTIL is no date")
    return _naive(_beside(start, moment)) if moment.time else dt.datetime.combine(_day(moment), dt.time.max)


def _beside(start: Moment, moment: Moment) -> Moment:
    """``moment`` on the clocks of ``start``, as a day where that is a day, at its time where only a day is given."""
    if not start.time:
        return Moment(in_zone(moment, start.zone or moment.zone).date)
    if not moment.time:
        return start._replace(date=moment.date)
    return in_zone(moment, start.zone) if start.zone else moment._replace(zone="")


def _like(start: Moment, time: dt.datetime) -> Moment:
    return _at(time, start.zone) if start.time else Moment(time.date().isoformat())


def _day(moment: Moment) -> dt.date:
    return dt.date.fromisoformat(moment.date)


# ---- writing ------------------------------------------------------------------------------------------------


def write(calendar: Component) -> bytes:
    """The calendar as a file: escaped, folded, with the rules of each time zone that its moments name.

    The same component always gives the same bytes; properties stand in the order given. Raises InputError for a zone
    that isn't on the IANA list.
    """
    made = _made(calendar)
    moments = [moment for component in _all(calendar) for one in component.properties for moment in one.moments]
    for zone in sorted({moment.zone for moment in moments if moment.time} - {"", "UTC"}):
        if not is_zone(zone):
            raise InputError(f"“{zone}” isn't a time zone.", hint="Name it by a city of the IANA list: Europe/London.")
        years = [_day(moment).year for moment in moments if moment.zone == zone]
        # Whole years, so that one event more in the same season changes nothing here.
        first, last = dt.date(max(min(years) - 1, 1), 1, 1), dt.date(min(max(years) + 1, 9999), 12, 31)
        made.subcomponents.insert(0, _rules(zone, first, last))
    written: bytes = made.to_ical(sorted=False)
    return written


def _rules(zone: str, first: dt.date, last: dt.date) -> icalendar.Timezone:
    rules = icalendar.Timezone.from_tzid(zone, first_date=first, last_date=last)
    part: Any
    for part in rules.subcomponents:
        # RFC 5545, 3.6.5: the onset is told on the clock before it. icalendar 7.3 tells it on the clock after it, which
        # differs where an hour is left out.
        skipped = part.TZOFFSETTO - part.TZOFFSETFROM
        if skipped > dt.timedelta(0):
            part.DTSTART -= skipped
            if "RDATE" in part:
                part["RDATE"] = icalendar.vDDDLists([entry.dt - skipped for entry in part["RDATE"].dts])
    return rules


def _made(component: Component) -> Any:
    made: Any = icalendar.Component.get_component_class(component.name)()
    for one in component.properties:
        params = icalendar.Parameters(one.params)
        if one.moments:
            text, more = _written(one.moments)
            params.update(more)
        else:
            text = vText(without_controls(one.value)).to_ical().decode()
        # Already as it stands in the file: given as bytes' text, it isn't escaped again.
        made.add(one.name, _Raw(text, params), encode=False)
    for inner in component.components:
        made.add_component(_made(inner))
    return made


class _Raw:
    """A value as it stands in a file."""

    def __init__(self, text: str, params: icalendar.Parameters) -> None:
        self._text = text
        self.params = params

    def to_ical(self) -> bytes:
        return self._text.encode()


def _written(moments: tuple[Moment, ...]) -> tuple[str, dict[str, str]]:
    """The value and its parameters. All moments are of one kind and zone."""
    zone = moments[0].zone
    if not moments[0].time:
        return ",".join(moment.date.replace("-", "") for moment in moments), {"VALUE": "DATE"}
    suffix = "Z" if zone == "UTC" else ""
    text = ",".join(_basic(moment) + suffix for moment in moments)
    return text, {"TZID": zone} if zone and not suffix else {}


def _basic(moment: Moment) -> str:
    return _naive(moment).isoformat(timespec="seconds").replace("-", "").replace(":", "")


def _all(component: Component) -> Iterator[Component]:
    yield component
    for inner in component.components:
        yield from _all(inner)
