"""Whether a value fits its field's declared type. Nothing is refused for not fitting: it is kept and flagged."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Any, Final

from openprod.core.schema import Field

_DECIMAL: Final = re.compile(r"-?\d+(\.\d+)?", re.ASCII)
_TIME: Final = re.compile(r"(\d{1,2}):[0-5]\d(:[0-5]\d(\.\d+)?)?", re.ASCII)
_COLOR: Final = re.compile(r"#[0-9a-fA-F]{6}([0-9a-fA-F]{2})?")
_BLOB: Final = re.compile(r"blob:[0-9a-f]{64}")


def fault(field: Field, value: Any) -> str:
    """Why ``value`` doesn't fit, to follow "which …", or "" when it does. null always fits: the field is empty."""
    if value is None:
        return ""
    check = _CHECKS.get(field.type)
    if check is None:
        return ""
    wrong = check(field, value)
    if wrong and any(not _CHECKS[type](field, value) for type in field.also if type in _CHECKS):
        return ""
    return wrong


def _text(_field: Field, value: Any) -> str:
    return "" if isinstance(value, str) else "isn't text"


def _integer(_field: Field, value: Any) -> str:
    fits = isinstance(value, int) and not isinstance(value, bool)
    return "" if fits else "isn't a whole number"


def _number(_field: Field, value: Any) -> str:
    fits = isinstance(value, (int, float)) and not isinstance(value, bool)
    return "" if fits else "isn't a number"


def _decimal(_field: Field, value: Any) -> str:
    return "" if isinstance(value, str) and _DECIMAL.fullmatch(value) else "isn't a decimal number written as text"


def _boolean(_field: Field, value: Any) -> str:
    return "" if isinstance(value, bool) else "isn't yes or no"


def _date(_field: Field, value: Any) -> str:
    try:
        date.fromisoformat(value)
    except (TypeError, ValueError):
        return "isn't a date such as 2026-11-22"
    return ""


def _time(_field: Field, value: Any) -> str:
    match = _TIME.fullmatch(value) if isinstance(value, str) else None
    # Shows run past midnight: 25:10 is ten past one of the next day, as running sheets write it.
    return "" if match and int(match[1]) < 48 else "isn't a time such as 19:30"


def _datetime(_field: Field, value: Any) -> str:
    try:
        datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return "isn't a date and time such as 2026-11-22T19:30"
    return ""


def _duration(_field: Field, value: Any) -> str:
    fits = isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0
    return "" if fits else "isn't a duration in seconds"


def _choice(field: Field, value: Any) -> str:
    return "" if value in field.choices else f"isn't one of {', '.join(field.choices)}"


def _color(_field: Field, value: Any) -> str:
    return "" if isinstance(value, str) and _COLOR.fullmatch(value) else "isn't a colour such as #ffcc00"


def _list(_field: Field, value: Any) -> str:
    fits = isinstance(value, list) and all(item is None or isinstance(item, (str, int, float, bool)) for item in value)
    return "" if fits else "isn't a list of plain values"


def _blob(_field: Field, value: Any) -> str:
    return "" if isinstance(value, str) and _BLOB.fullmatch(value) else "isn't a stored file"


_CHECKS: Final = {
    "string": _text,
    "integer": _integer,
    "decimal": _decimal,
    "number": _number,
    "boolean": _boolean,
    "date": _date,
    "time": _time,
    "datetime": _datetime,
    "duration": _duration,
    "choice": _choice,
    "color": _color,
    "reference": _text,
    "list": _list,
    "blob": _blob,
}
