"""The primitives of Yjs bytes, as lib0 writes them: numbers, text, binary, and its ``any`` values.

Every reader takes the bytes and a position and returns what it read and the position behind it. At the end of the
bytes they raise IndexError or struct.error, for bad text UnicodeDecodeError, for bad JSON ValueError: the decoder,
which calls them, turns these into MalformedUpdate. Numbers are at most 2^53 - 1, clocks 2^32 - 1.
"""

from __future__ import annotations

import json
import math
from struct import unpack_from
from typing import Any

from openprod.errors import LimitExceeded, MalformedUpdate

CLIENT_MAX = 2**53 - 1
CLOCK_MAX = 2**32 - 1
TRUNCATED = "it ends early"


class _Undefined:
    __slots__ = ()

    def __repr__(self) -> str:
        return "UNDEFINED"

    def __bool__(self) -> bool:
        return False


UNDEFINED = _Undefined()


def malformed(reason: str) -> MalformedUpdate:
    return MalformedUpdate(
        f"The bytes are not a Yjs update: {reason}.",
        hint="Nothing of it was applied. Update the program that sent it, or reload it.",
        details={"reason": reason},
    )


def read_varuint(data: bytes, pos: int) -> tuple[int, int]:
    value = data[pos]
    if value < 128:
        return value, pos + 1
    return varuint_rest(data, pos + 1, value)


def varuint_rest(data: bytes, pos: int, value: int) -> tuple[int, int]:
    """The number whose first byte, ``value``, says that more follow from ``pos``; at most 2^53 - 1."""
    # Written out, as most ids take five to eight bytes. "Minus one" takes away the bit of the byte before that
    # said "more follow".
    byte = data[pos]
    value += (byte - 1) << 7
    if byte < 128:
        return value, pos + 1
    byte = data[pos + 1]
    value += (byte - 1) << 14
    if byte < 128:
        return value, pos + 2
    byte = data[pos + 2]
    value += (byte - 1) << 21
    if byte < 128:
        return value, pos + 3
    byte = data[pos + 3]
    value += (byte - 1) << 28
    if byte < 128:
        return value, pos + 4
    byte = data[pos + 4]
    value += (byte - 1) << 35
    if byte < 128:
        return value, pos + 5
    byte = data[pos + 5]
    value += (byte - 1) << 42
    if byte < 128:
        return value, pos + 6
    byte = data[pos + 6]
    if byte > 15:
        raise malformed("a number in it is too large")
    return value + ((byte - 1) << 49), pos + 7


def read_clock(data: bytes, pos: int) -> tuple[int, int]:
    value = data[pos]
    if value < 128:
        return value, pos + 1
    return clock_rest(data, pos + 1, value)


def clock_rest(data: bytes, pos: int, value: int) -> tuple[int, int]:
    value, pos = varuint_rest(data, pos, value)
    if value > CLOCK_MAX:
        raise malformed("a clock in it is too large")
    return value, pos


def read_binary(data: bytes, pos: int) -> tuple[bytes, int]:
    length, pos = read_varuint(data, pos)
    end = pos + length
    if end > len(data):
        raise malformed(TRUNCATED)
    return data[pos:end], end


def read_text(data: bytes, pos: int) -> tuple[str, int]:
    length, pos = read_varuint(data, pos)
    end = pos + length
    if end > len(data):
        raise malformed(TRUNCATED)
    return data[pos:end].decode(), end


def read_any(data: bytes, pos: int, depth: int, budget: list[int]) -> tuple[Any, int]:
    """One value in lib0's ``any`` encoding. ``depth``: containers that may still open; ``budget``: values left."""
    tag = data[pos]
    pos += 1
    if tag == 119:
        return read_text(data, pos)
    if tag == 125:
        return _varint(data, pos)
    if tag == 126:
        return None, pos
    if tag == 127:
        return UNDEFINED, pos
    if tag == 120:
        return True, pos
    if tag == 121:
        return False, pos
    if tag == 123:
        return unpack_from(">d", data, pos)[0], pos + 8
    if tag == 124:
        return unpack_from(">f", data, pos)[0], pos + 4
    if tag == 122:
        return unpack_from(">q", data, pos)[0], pos + 8
    if tag == 116:
        return read_binary(data, pos)
    if tag != 117 and tag != 118:
        raise malformed("a value is of an unknown kind")
    if not depth:
        raise LimitExceeded("A value in the update is nested too deep.")
    count, pos = read_varuint(data, pos)
    if count > len(data) - pos:
        raise malformed(TRUNCATED)
    budget[0] -= count
    if budget[0] < 0:
        raise LimitExceeded("The update holds too many values.")
    if tag == 117:
        array: list[Any] = []
        for _ in range(count):
            value, pos = read_any(data, pos, depth - 1, budget)
            array.append(value)
        return array, pos
    table: dict[str, Any] = {}
    for _ in range(count):
        key, pos = read_text(data, pos)
        table[key], pos = read_any(data, pos, depth - 1, budget)
    return table, pos


def _varint(data: bytes, pos: int) -> tuple[int | float, int]:
    """A signed number: sign in bit 6 of the first byte, 6 bits of value there, 7 in each that follows."""
    first = data[pos]
    pos += 1
    value = first & 63
    if first & 128:
        more, pos = read_varuint(data, pos)
        value += more << 6
        if value > CLIENT_MAX:
            raise malformed("a number in it is too large")
    if first & 64:
        return (-value if value else -0.0), pos
    return value, pos


def parse_json(text: str, nesting_max: int) -> Any:
    value = json.loads(text, parse_constant=_no_constant, parse_float=_finite, parse_int=_integer)
    if text.count("[") + text.count("{") > nesting_max and _depth(value) > nesting_max:
        raise LimitExceeded("A value in the update is nested too deep.")
    if "\\u" in text:
        json.dumps(value, ensure_ascii=False).encode()  # half a character can't be encoded: a UnicodeError
    return value


def _no_constant(text: str) -> float:
    raise ValueError(text)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def _integer(text: str) -> int | float:
    # JavaScript reads a long number as the nearest float.
    value = _finite(text)
    return int(text) if abs(value) <= CLIENT_MAX else value


def _depth(value: Any) -> int:
    depth = 0
    level = [value]
    while level := [
        inner
        for outer in level
        if isinstance(outer, (list, dict))
        for inner in (outer.values() if isinstance(outer, dict) else outer)
    ]:
        depth += 1
    return depth
