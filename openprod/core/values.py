"""Values that a field may hold: JSON, and the word that stands for a missing one.

Numbers follow JavaScript (a float with no fraction is the same value as the integer), because every Yjs
program in the workspace reads them so.
"""

from __future__ import annotations

import json
import math
from typing import Any, TypeAlias

from openprod.errors import InvalidOperation, LimitExceeded

Value: TypeAlias = "bool | int | float | str | list[Value] | dict[str, Value] | None"

VALUE_BYTES_MAX = 256 * 1024
NESTING_MAX = 32
_SAFE_INTEGER_MAX = 2**53


def normal(value: Any) -> Any:
    """``value`` with integral floats as integers, recursively, so that equal values compare and hash equal."""
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) <= _SAFE_INTEGER_MAX else value
    if isinstance(value, list):
        return [normal(item) for item in value]
    if isinstance(value, dict):
        return {key: normal(item) for key, item in value.items()}
    return value


def canonical(value: Any) -> str:
    """The one JSON text of a value: sorted keys, no spaces. Two values are the same when these are equal."""
    return json.dumps(normal(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def check(value: Any, *, where: str) -> Any:
    """Return ``value`` normalised when every Yjs program can hold it.

    Raises InvalidOperation for what JSON or a Yjs program can't carry (NaN, lone surrogates, integers beyond
    2^53, keys that aren't text) and LimitExceeded for what is too large or too deep.
    """
    _check(value, where, 0)
    text = canonical(value)
    if len(text) > VALUE_BYTES_MAX or len(text.encode()) > VALUE_BYTES_MAX:
        raise LimitExceeded(
            f"The value for {where} is larger than {VALUE_BYTES_MAX // 1024} KiB.",
            hint="Store large things as a file (a blob) and refer to it.",
        )
    return normal(value)


def _check(value: Any, where: str, depth: int) -> None:
    if depth > NESTING_MAX:
        raise LimitExceeded(f"The value for {where} is nested more than {NESTING_MAX} deep.")
    if value is None or isinstance(value, bool):
        return
    if isinstance(value, int):
        if abs(value) > _SAFE_INTEGER_MAX:
            raise InvalidOperation(
                f"The number for {where} is beyond what every program can hold exactly.",
                hint="Write very large numbers as text.",
            )
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise InvalidOperation(f"The number for {where} is not finite.")
    elif isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise InvalidOperation(f"The text for {where} holds half a character (a lone surrogate).") from None
    elif isinstance(value, list):
        for item in value:
            _check(item, where, depth + 1)
    elif isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise InvalidOperation(f"A key inside the value for {where} isn't text.")
            _check(key, where, depth + 1)
            _check(item, where, depth + 1)
    else:
        raise InvalidOperation(f"The value for {where} is a {type(value).__name__}, which JSON can't carry.")
