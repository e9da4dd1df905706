"""Times as people say them in ``as of``, made into an instant. Who asks says what time it is, and where.

``2026-11-20`` and words for days (``yesterday``, ``last friday``, ``3 days ago``) mean the end of that day, so that
all that happened on it is in; ``2026-11-20 18:00`` and ``2 hours ago`` mean that minute.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Final

from openprod.errors import InputError

DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_AGO: Final = re.compile(r"([0-9]{1,5}) (minute|hour|day|week)s? ago")
_BUNDLE: Final = re.compile(r"[0-9a-f]{4,32}")
_MS_MAX: Final = (1 << 48) - 1


def is_bundle(text: str) -> bool:
    """Whether ``text`` can only name a bundle."""
    return _BUNDLE.fullmatch(text.strip().lower()) is not None


def instant(text: str, now: datetime, placed: Callable[[datetime], datetime]) -> int:
    """Milliseconds since 1970, the last one that is meant. ``now``: the present as clocks show it, without a time zone.

    ``placed`` says which moment such a time is. Raises InputError.
    """
    words = " ".join(text.casefold().split())
    try:
        found = _day(words, now)
        if found is not None:
            end = datetime(found.year, found.month, found.day) + timedelta(days=1)
            return _ms(placed(end)) - 1
        moment = _minute(words, now)
        return _ms(moment if moment.tzinfo is not None else placed(moment))
    except (ValueError, OverflowError):
        column = getattr(text, "at", 0)  # of a name in the text form
        raise InputError(
            f"“{text[:80]}” is neither a bundle nor a time.",
            hint=f"{f'At column {column}. ' if column else ''}Such as: as of 2026-11-20, as of 2026-11-20 18:00, "
            "as of yesterday, as of last friday, or a bundle from `openprod log`.",
            details={"column": column} if column else {},
        ) from None


def _day(words: str, now: datetime) -> date | None:
    today = now.date()
    if words == "yesterday":
        return today - timedelta(days=1)
    if words == "today":
        return today
    ago = _AGO.fullmatch(words)
    if ago is not None and ago[2] in ("day", "week"):
        return today - timedelta(days=int(ago[1]) * (7 if ago[2] == "week" else 1))
    name = words.removeprefix("last ")
    if name in DAYS:
        return today - timedelta(days=(today.weekday() - DAYS.index(name) - 1) % 7 + 1)
    return date.fromisoformat(words) if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", words) else None


def _minute(words: str, now: datetime) -> datetime:
    if words == "now":
        return now
    ago = _AGO.fullmatch(words)
    if ago is not None:
        return now - timedelta(**{f"{ago[2]}s": int(ago[1])})
    if not re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[t ][0-9]", words):
        raise ValueError(words)
    return datetime.fromisoformat(words.upper())


def _ms(moment: datetime) -> int:
    found = (moment.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    if not 0 <= found <= _MS_MAX:
        raise ValueError(found)
    return found
