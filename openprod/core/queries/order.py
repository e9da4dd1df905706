"""How values compare: what is equal, what comes before what, what contains what. Functions of canonical JSON texts.

Missing values (absent or null) are None everywhere here; they are equal to nothing and stand in no order.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

from openprod.core.queries.ast import Json, Wanted
from openprod.core.values import canonical

_NUMBER: Final = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
_SPELLED: Final = re.compile(r"[+-]?[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]{1,3})?")
_PARTS: Final = re.compile(r"[0-9]+(?:\.[0-9]+)?|[^0-9]+")
_CONTROL: Final = re.compile("[\x00-\x1f]")
_BETWEEN: Final = "\x02"
END: Final = "\x01"
"""Follows an order key where something else is to be compared after it."""

_DIGITS_MAX: Final = 2000
_CACHED_MAX: Final = 1 << 17


def value_of(text: str | None) -> Any:
    """The value of a canonical JSON text; None for a missing one, and for what is nested too deeply to be read."""
    if text is None:
        return None
    try:
        return json.loads(text)
    except RecursionError:
        return None


def present(text: str | None) -> str | None:
    """The text of a value that is there: null is as good as nothing."""
    return None if text is None or text == "null" else text


def spellings(value: Wanted) -> tuple[str, ...]:
    """The canonical JSON texts that are asked for by a value: a text also means the number or boolean it spells."""
    if value is None:
        return ()
    if isinstance(value, Json):
        return (value.text,)
    found = [json.dumps(value, ensure_ascii=False)]
    if value.casefold() in ("true", "false"):
        found.append(value.casefold())
    elif len(value) < 40 and _SPELLED.fullmatch(value):
        number = float(value)
        if number - number == 0:  # not infinite
            found.append(canonical(int(value) if value.lstrip("+-").isdigit() else number))
    return tuple(found)


def plain(value: Any) -> str:
    """A value as text to look for words in: a list's members with commas between, numbers as JSON writes them."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return ", ".join(plain(item) for item in value)
    return "" if value is None else canonical(value)


def order_key(value: Any) -> str | None:
    """A text that sorts as people sort: 2 < 10 < 42 = 42.0 < 42A < LX 2 < LX 10, whatever the case. None for None."""
    if value is None:
        return None
    if isinstance(value, bool):
        text = "1" if value else "0"
    elif isinstance(value, (int, float)):
        text = format(Decimal(repr(value)), "f")
    else:
        text = value if isinstance(value, str) else canonical(value)
    if _NUMBER.fullmatch(text):
        return _number(text)
    text = _CONTROL.sub(" ", text)
    return _BETWEEN.join(
        _number(part) if "0" <= part[0] <= "9" else "1" + part.casefold() for part in _PARTS.findall(text)
    )


def _number(text: str) -> str:
    whole, _, fraction = text.removeprefix("-").partition(".")
    whole, fraction = whole.lstrip("0"), fraction.rstrip("0")
    length = min(len(whole), _DIGITS_MAX)
    digits = f"{whole}.{fraction}" if fraction else whole
    if not text.startswith("-") or not digits:
        return f"0{chr(48 + length)}{digits}"
    # Below zero the larger comes first: each digit is turned round, and the shorter of two stands after the longer.
    return f"/{chr(60_048 - length)}{digits.translate(_TURNED)}~"


_TURNED: Final = str.maketrans("0123456789", "9876543210")


@lru_cache(_CACHED_MAX)
def key_of(text: str | None) -> str | None:
    """The order key of a canonical JSON text."""
    if text is None:
        return None
    if text[0] == '"' and "\\" not in text:
        return order_key(text[1:-1])
    return order_key(value_of(text))


def contains(text: str | None, folded: str) -> bool:
    """Whether a value, or a member of a list, has a part ``folded`` (case folded already)."""
    if text is None:
        return False
    if text[0] == '"' and "\\" not in text:
        return folded in text[1:-1].casefold()
    value = value_of(text)
    if isinstance(value, list):
        return any(folded in plain(item).casefold() for item in value)
    return value is not None and folded in plain(value).casefold()


def starts(text: str | None, folded: str) -> bool:
    """Whether a value, or a member of a list, begins so (case folded already)."""
    if text is None:
        return False
    if text[0] == '"' and "\\" not in text:
        return text[1:-1].casefold().startswith(folded)
    value = value_of(text)
    if isinstance(value, list):
        return any(plain(item).casefold().startswith(folded) for item in value)
    return value is not None and plain(value).casefold().startswith(folded)


def words_of(text: str) -> tuple[str, ...]:
    """What must be found of a text to match: its words, case folded, each once."""
    return tuple(dict.fromkeys(text.casefold().split()))


def number_of(text: str | None) -> float | int | None:
    """What a value adds to a sum: a number, or a text that spells one; else None."""
    value = value_of(text)
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        if not _NUMBER.fullmatch(value) or len(value) > 40:
            return None
        return float(value) if "." in value else int(value)
    return value if isinstance(value, (int, float)) else None


def total(numbers: Iterable[float | int | None]) -> str | None:
    """The sum as canonical JSON, exact in decimals; None when there is nothing to add."""
    known = [Decimal(repr(number)) for number in numbers if number is not None]
    if not known:
        return None
    result = sum(known, Decimal(0))
    return canonical(int(result) if result == result.to_integral_value() and abs(result) < 2**53 else float(result))
