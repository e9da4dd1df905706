"""Days and times of day as people write them in schedules."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from typing import Literal, NamedTuple, TypeAlias

DayOrder: TypeAlias = Literal["dmy", "mdy", ""]
"""Which of two numbers is the day in ``03/04/2026``; "" when nothing tells."""

_ISO = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[T ].*)?")
_DOTTED = re.compile(r"(\d{1,2})\.\s?(\d{1,2})\.\s?(\d{4}|\d{2})?")
_SLASHED = re.compile(r"(\d{1,2})[/-](\d{1,2})(?:[/-](\d{4}|\d{2}))?")
_DAY_MONTH = re.compile(r"(\d{1,2})(?:st|nd|rd|th|\.)?[ -]([a-z]{3,9})\.?(?:[ ,-]+(\d{4}|\d{2}))?")
_MONTH_DAY = re.compile(r"([a-z]{3,9})\.? (\d{1,2})(?:st|nd|rd|th)?(?:[ ,]+(\d{4}|\d{2}))?")
_WEEKDAY = re.compile(r"(?:mon|tues?|wed(?:nes)?|thu(?:rs?)?|fri|sat(?:ur)?|sun)(?:day)?\.?,? *", re.IGNORECASE)
_YEAR = re.compile(r"(?<!\d)(20\d\d)(?!\d)")
_CLOCK = re.compile(
    r"(?P<hour>\d{1,2})(?:[:.h](?P<minute>\d{2})(?::(?P<second>\d{2}))?|h)?\s*(?P<half>[ap])?\.?m?\.?", re.IGNORECASE
)
_MILITARY = re.compile(r"(\d{2})(\d{2})")
_BETWEEN = re.compile(r"\s*(?:–|—|-|\bto\b|\btill\b|\buntil\b)\s*", re.IGNORECASE)

_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
_WORDS = {"noon": "12:00", "midday": "12:00", "midnight": "24:00"}


class Span(NamedTuple):
    """``end`` is "" when only a start is told."""

    start: str
    end: str


def day_order(texts: Iterable[str]) -> DayOrder:
    """What a column of dates tells by numbers above twelve; "" when it tells nothing, or both."""
    orders: set[DayOrder] = set()
    for text in texts:
        if match := _SLASHED.fullmatch(_WEEKDAY.sub("", text.strip(), count=1)):
            first, second = int(match[1]), int(match[2])
            if first > 12 >= second:
                orders.add("dmy")
            elif second > 12 >= first:
                orders.add("mdy")
    return orders.pop() if len(orders) == 1 else ""


def ambiguous(text: str) -> bool:
    """Whether it is a date only for who knows which number is the day."""
    match = _SLASHED.fullmatch(_WEEKDAY.sub("", text.strip(), count=1))
    return match is not None and int(match[1]) <= 12 and int(match[2]) <= 12 and match[1] != match[2]


def year_of(texts: Iterable[str]) -> int | None:
    """The one year that is named in all of them; None when there is none, or several."""
    years = {int(year) for text in texts for year in _YEAR.findall(text)}
    return years.pop() if len(years) == 1 else None


def day(text: str, *, order: DayOrder = "", year: int | None = None) -> str | None:
    """``Tue 24 Nov 2026``, ``24.11.2026``, ``24/11/26``, ``Nov 24, 2026``, ``2026-11-24``: as 2026-11-24.

    ``year`` is for dates without one. None for anything else.
    """
    text = " ".join(_WEEKDAY.sub("", text.strip(), count=1).split()).lower()
    if match := _ISO.fullmatch(text):
        return _date(int(match[1]), int(match[2]), int(match[3]))
    if match := _DOTTED.fullmatch(text):
        return _date(_year(match[3], year), int(match[2]), int(match[1]))
    if match := _SLASHED.fullmatch(text):
        first, second = int(match[1]), int(match[2])
        if order == "mdy" or (not order and second > 12):
            first, second = second, first
        elif not order and ambiguous(text):
            return None
        return _date(_year(match[3], year), second, first)
    if match := _DAY_MONTH.fullmatch(text):
        return _date(_year(match[3], year), _month(match[2]), int(match[1]))
    if match := _MONTH_DAY.fullmatch(text):
        return _date(_year(match[3], year), _month(match[1]), int(match[2]))
    return None


def clock(text: str, *, half: str = "") -> str | None:
    """``10:30``, ``10.30``, ``9h05``, ``7pm``, ``7:30 pm``, ``1930``, ``24:30``, ``noon``: as HH:MM or HH:MM:SS.

    ``half`` is "a" or "p" where the text doesn't say. None for anything else.
    """
    text = text.strip().lower().removesuffix("h").strip()
    if text in _WORDS:
        return _WORDS[text]
    if match := _MILITARY.fullmatch(text):
        hour, minute, second = int(match[1]), int(match[2]), 0
    elif match := _CLOCK.fullmatch(text):
        hour, minute, second = int(match["hour"]), int(match["minute"] or 0), int(match["second"] or 0)
        half = (match["half"] or half).lower()
        if match["half"] and not 1 <= hour <= 12:
            return None
        if half and 1 <= hour <= 12:
            hour = hour % 12 + (12 if half == "p" else 0)
    else:
        return None
    # Running sheets count past midnight: 24:30 belongs to the evening before.
    if hour > 47 or minute > 59 or second > 59:
        return None
    return f"{hour:02}:{minute:02}" + (f":{second:02}" if second else "")


def span(text: str) -> Span | None:
    """``10:00–13:00``, ``2-5pm``, ``10:30 till 13``, or a start alone. None for anything else."""
    pieces = _BETWEEN.split(text.strip())
    if len(pieces) == 1:
        start = clock(text)
        return None if start is None else Span(start, "")
    if len(pieces) != 2:
        return None
    end = clock(pieces[1])
    half = re.search(r"(?:\d|\s)([ap])\.?m\.?$", pieces[1].strip(), re.IGNORECASE)
    # 2-5pm: the half of the day is said once. 11-2pm begins in the morning.
    start = clock(pieces[0], half=half[1] if half else "")
    if half and start is not None and end is not None and start > end:
        start = clock(pieces[0], half="a")
    return None if start is None or end is None else Span(start, end)


def _month(name: str) -> int:
    """1 to 12 for ``nov`` to ``november``; 0 for what is no month."""
    found = [number for number, month in enumerate(_MONTHS, start=1) if month.startswith(name)]
    return found[0] if len(found) == 1 and len(name) >= 3 else 0


def _year(text: str | None, otherwise: int | None) -> int:
    if not text:
        return otherwise or 0
    return int(text) if len(text) == 4 else 2000 + int(text)


def _date(year: int, month: int, number: int) -> str | None:
    try:
        return date(year, month, number).isoformat()
    except ValueError:
        return None
