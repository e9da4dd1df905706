"""How an entity is named for people: a template over its fields, such as ``"{list} {number}"``.

``{when:day}`` shows a date as people say it: Tue 24 Nov. Templates know no other format.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from openprod.core import values as values_

_PLACE = re.compile(r"\{([^{}]*?)(:day)?\}")
_DATE = re.compile(r"\d{4}-\d\d-\d\d(?!\d)", re.ASCII)
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def title(template: str, values: Mapping[str, Any], *, entity: str = "") -> str:
    """``template`` with each ``{field}`` replaced by the field's value.

    A missing field gives nothing, runs of white space become one space. When nothing is left, the entity's id.
    """

    def shown(match: re.Match[str]) -> str:
        value = values.get(match.group(1).strip())
        return day(value) if match.group(2) else plain(value)

    return " ".join(_PLACE.sub(shown, template).split()) or entity


def fields_of(template: str) -> tuple[str, ...]:
    """The fields a template names, in order of appearance."""
    return tuple(match.group(1).strip() for match in _PLACE.finditer(template))


def day(value: Any) -> str:
    """``2026-11-24``, or a date and time that begins so → ``Tue 24 Nov``. Anything else is shown as it is."""
    match = _DATE.match(value) if isinstance(value, str) else None
    try:
        found = date.fromisoformat(match.group()) if match else None
    except ValueError:
        found = None
    if found is None:
        return plain(value)
    return f"{_DAYS[found.weekday()]} {found.day} {_MONTHS[found.month - 1]}"


def without_fields(template: str) -> str:
    """What a template says beside its fields."""
    return _PLACE.sub("", template)


def plain(value: Any) -> str:
    """A value as people write it: ``3``, ``10:30``, ``yes``, ``LX, SND``."""
    value = values_.normal(value)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return ", ".join(plain(item) for item in value)
    if isinstance(value, dict):
        return ", ".join(f"{key}: {plain(item)}" for key, item in value.items())
    return str(value)
