"""Read Yjs v1 updates: bytes to plain tuples, without a document and without trusting the bytes.

The format is the one of Yjs 13 (``writeStructs``, ``writeIdSet`` and lib0's ``any`` encoding), read as
``Y.decodeUpdate`` reads it. What differs on purpose, so that no Yjs program and no pycrdt document can
understand the same bytes differently, is refused as MalformedUpdate:

- numbers that yrs would truncate: client ids beyond 2^53 - 1, clocks beyond 2^32 - 1;
- bytes after the end, empty sections, two sections of one client, structs of length 0, flags on GC and Skip;
- a struct that refers to itself or to a later struct of its own client;
- text that isn't UTF-8, and JSON that holds half a character or no finite number;
- content that pycrdt 0.14 misreads (``ContentJSON`` of Yjs before 13, ``XmlHook``), unless ``Limits.legacy``.

Python forms of values: ``undefined`` is ``UNDEFINED``, binary is ``bytes``, a bigint or an integer is ``int``,
every number that was sent as a float stays a ``float`` (``1e20`` and ``-0.0`` too; ``core.values.normal`` makes
equal numbers equal). Memory is never reserved by a length that the bytes claim.
"""

from __future__ import annotations

import gc
import json
import math
from struct import error as StructError
from struct import unpack_from
from typing import Any, NamedTuple, TypeAlias

from openprod.errors import LimitExceeded, MalformedUpdate

GC, DELETED, JSON, BINARY, STRING, EMBED, FORMAT, TYPE, ANY, DOC, SKIP = range(11)
CLIENT_MAX = 2**53 - 1
CLOCK_MAX = 2**32 - 1
TYPE_NAMES = ("Array", "Map", "Text", "XmlElement", "XmlFragment", "XmlHook", "XmlText")
_XML_ELEMENT, _XML_HOOK = 3, 5
_TRUNCATED = "it ends early"
# From here on the garbage collector, which would look at every new tuple over and over, costs more than the work.
_BULK_BYTES = 64 * 1024

Id: TypeAlias = tuple[int, int]
"""(client, clock)"""
Struct: TypeAlias = tuple[int, int, int, int, "Id | None", "Id | None", "str | Id | None", "str | None", Any]
"""(client, clock, length, ref, origin, right origin, parent, key, content).

parent: the name of a root, or the id of a nested type; None where it isn't encoded, because an origin is.
content: a list of ``length`` values for JSON and ANY; str for STRING (``length`` counts UTF-16 units); bytes for
BINARY; the value for EMBED; (key, value) for FORMAT; (type name, tag or None) for TYPE; (guid, options) for DOC;
None for GC, DELETED and SKIP. ``length`` of these three is as claimed, up to 2^32: never expand it in memory.
"""
Range: TypeAlias = tuple[int, int, int]
"""(client, first clock, length)"""


class _Undefined:
    __slots__ = ()

    def __repr__(self) -> str:
        return "UNDEFINED"

    def __bool__(self) -> bool:
        return False


UNDEFINED = _Undefined()


class Limits(NamedTuple):
    """What one update may hold. Over it: LimitExceeded."""

    update_bytes_max: int = 64 * 1024 * 1024
    structs_max: int = 4_000_000  # structs and, apart from them, delete ranges
    values_max: int = 4_000_000  # values inside arrays and objects
    nesting_max: int = 64
    legacy: bool = False  # read content that pycrdt would misread, instead of refusing it


DEFAULT = Limits()


class Update(NamedTuple):
    """One decoded update, in the order of its bytes. ``sections`` are its runs of structs without a gap."""

    structs: list[Struct]
    deletes: list[Range]
    sections: list[Range]


def decode_update(data: bytes, *, limits: Limits = DEFAULT) -> Update:
    """Decode a v1 update. Raises MalformedUpdate or LimitExceeded, and nothing else, whatever the bytes are."""
    if len(data) > limits.update_bytes_max:
        raise LimitExceeded(f"The update is larger than {limits.update_bytes_max} bytes.", details={"bytes": len(data)})
    bulk = len(data) > _BULK_BYTES and gc.isenabled()
    if bulk:
        gc.disable()
    try:
        return _decode(data, limits)
    except IndexError:
        raise _malformed(_TRUNCATED) from None
    except RecursionError:
        raise LimitExceeded("A value in the update is nested too deep.") from None
    except StructError:
        raise _malformed(_TRUNCATED) from None
    except UnicodeDecodeError:
        raise _malformed("a text in it isn't UTF-8") from None
    except ValueError:
        raise _malformed("a value in it isn't JSON") from None
    finally:
        if bulk:
            gc.enable()


def decode_state_vector(data: bytes) -> dict[int, int]:
    """Decode an encoded state vector: {client: next clock}. Raises MalformedUpdate."""
    try:
        state: dict[int, int] = {}
        count, pos = _varuint(data, 0)
        for _ in range(count):
            client, pos = _varuint(data, pos)
            clock, pos = _clock(data, pos)
            if clock > state.get(client, 0):
                state[client] = clock
    except IndexError:
        raise _malformed(_TRUNCATED) from None
    if pos != len(data):
        raise _malformed("bytes follow its end")
    return state


def _malformed(reason: str) -> MalformedUpdate:
    return MalformedUpdate(
        f"The bytes are not a Yjs update: {reason}.",
        hint="Nothing of it was applied. Update the program that sent it, or reload it.",
        details={"reason": reason},
    )


def _decode(data: bytes, limits: Limits) -> Update:
    # One long function on purpose: at 150,000 updates a second a call per field would cost more than the work.
    size = len(data)
    structs: list[Struct] = []
    sections: list[Range] = []
    append = structs.append
    budget = [limits.values_max]
    nesting_max = limits.nesting_max
    seen: set[int] = set()
    client = own = own_rest = 0
    own_bytes = b""

    section_count = data[0]
    pos = 1
    if section_count > 127:
        section_count, pos = _varuint_rest(data, pos, section_count)
    for _ in range(section_count):
        struct_count = data[pos]
        pos += 1
        if struct_count > 127:
            struct_count, pos = _varuint_rest(data, pos, struct_count)
            if struct_count > (size - pos) // 2:
                raise _malformed(_TRUNCATED)
            if struct_count + len(structs) > limits.structs_max:
                raise LimitExceeded(f"The update holds more than {limits.structs_max} structs.")
        elif not struct_count:
            raise _malformed("a client's section is empty")  # pycrdt would panic on it
        start = pos
        client = own = data[pos]  # own: the first byte of the id, by which it is known again below
        pos += 1
        if client > 127:
            client, pos = _varuint_rest(data, pos, client)
        own_bytes = data[start:pos]
        own_rest = pos - start - 1
        clock = data[pos]
        pos += 1
        if clock > 127:
            clock, pos = _clock_rest(data, pos, clock)
        if section_count > 1:
            if client in seen:
                raise _malformed("one client has two sections")
            seen.add(client)
        run = clock
        for _ in range(struct_count):
            info = data[pos]
            pos += 1
            ref = info & 31
            if ref == 0 or ref == 10:
                if info != ref:
                    raise _malformed("a struct has flags that it can't have")
                length, pos = _clock(data, pos)
                if not length or clock + length > CLOCK_MAX:
                    raise _malformed("a struct has an impossible length")
                append((client, clock, length, ref, None, None, None, None, None))
                if ref == 10:
                    if clock > run:
                        sections.append((client, run, clock - run))
                    run = clock + length
                clock += length
                continue

            origin: Id | None = None
            right: Id | None = None
            parent: str | Id | None = None
            key: str | None = None
            if info & 0xC0:
                if info & 0x80:
                    other = data[pos]
                    pos += 1
                    if other > 127:
                        if other == own and data.startswith(own_bytes, pos - 1):
                            other = client
                            pos += own_rest
                        else:
                            other, pos = _varuint_rest(data, pos, other)
                    at = data[pos]
                    pos += 1
                    if at > 127:
                        at, pos = _clock_rest(data, pos, at)
                    if at >= clock and other == client:
                        raise _malformed("a struct refers to itself or to a later one")
                    origin = (other, at)
                if info & 0x40:
                    other = data[pos]
                    pos += 1
                    if other > 127:
                        if other == own and data.startswith(own_bytes, pos - 1):
                            other = client
                            pos += own_rest
                        else:
                            other, pos = _varuint_rest(data, pos, other)
                    at = data[pos]
                    pos += 1
                    if at > 127:
                        at, pos = _clock_rest(data, pos, at)
                    if at >= clock and other == client:
                        raise _malformed("a struct refers to itself or to a later one")
                    right = (other, at)
            else:
                named = data[pos]
                pos += 1
                if named == 1:
                    length = data[pos]
                    pos += 1
                    if length > 127:
                        length, pos = _varuint_rest(data, pos, length)
                    end = pos + length
                    if end > size:
                        raise _malformed(_TRUNCATED)
                    parent = data[pos:end].decode()
                    pos = end
                elif named == 0:
                    other, pos = _varuint(data, pos)
                    at, pos = _clock(data, pos)
                    if at >= clock and other == client:
                        raise _malformed("a struct refers to itself or to a later one")
                    parent = (other, at)
                else:
                    raise _malformed("a struct has a parent of an unknown kind")
                if info & 0x20:
                    length = data[pos]
                    pos += 1
                    if length > 127:
                        length, pos = _varuint_rest(data, pos, length)
                    end = pos + length
                    if end > size:
                        raise _malformed(_TRUNCATED)
                    key = data[pos:end].decode()
                    pos = end

            content: Any
            if ref == 8:
                length = data[pos]
                pos += 1
                if length > 127:
                    length, pos = _varuint_rest(data, pos, length)
                if length == 1 and data[pos] == 119:  # one text: what most edits are
                    count = data[pos + 1]
                    pos += 2
                    if count > 127:
                        count, pos = _varuint_rest(data, pos, count)
                    end = pos + count
                    if end > size:
                        raise _malformed(_TRUNCATED)
                    content = [data[pos:end].decode()]
                    pos = end
                else:
                    content = []
                    for _ in range(length):
                        value, pos = _any(data, pos, nesting_max, budget)
                        content.append(value)
            elif ref == 4:
                content, pos = _text(data, pos)
                length = len(content)
                if not content.isascii():
                    length = len(content.encode("utf-16-le")) // 2
            elif ref == 1:
                content = None
                length, pos = _clock(data, pos)
            else:
                content, length, pos = _rare(data, pos, ref, limits, budget)
            if not length or clock + length > CLOCK_MAX:
                raise _malformed("a struct has an impossible length")
            append((client, clock, length, ref, origin, right, parent, key, content))
            clock += length
        if clock > run:
            sections.append((client, run, clock - run))
    if len(structs) > limits.structs_max:
        raise LimitExceeded(f"The update holds more than {limits.structs_max} structs.")

    deletes: list[Range] = []
    own_client = client
    client_count = data[pos]
    pos += 1
    if client_count > 127:
        client_count, pos = _varuint_rest(data, pos, client_count)
    for _ in range(client_count):
        client = data[pos]
        pos += 1
        if client > 127:
            if client == own and data.startswith(own_bytes, pos - 1):
                client = own_client
                pos += own_rest
            else:
                client, pos = _varuint_rest(data, pos, client)
        range_count = data[pos]
        pos += 1
        if range_count > 127:
            range_count, pos = _varuint_rest(data, pos, range_count)
            if range_count > (size - pos) // 2:
                raise _malformed(_TRUNCATED)
        if range_count + len(deletes) > limits.structs_max:
            raise LimitExceeded(f"The update deletes more than {limits.structs_max} ranges.")
        for _ in range(range_count):
            clock = data[pos]
            pos += 1
            if clock > 127:
                clock, pos = _clock_rest(data, pos, clock)
            length = data[pos]
            pos += 1
            if length > 127:
                length, pos = _clock_rest(data, pos, length)
            if clock + length > CLOCK_MAX:
                raise _malformed("a delete range has an impossible length")
            if length:
                deletes.append((client, clock, length))
    if pos != size:
        raise _malformed("bytes follow its end")
    return Update(structs, deletes, sections)


def _rare(data: bytes, pos: int, ref: int, limits: Limits, budget: list[int]) -> tuple[Any, int, int]:
    """(content, length, position) of the kinds that seldom come."""
    if ref == TYPE:
        kind = data[pos]
        pos += 1
        if kind >= len(TYPE_NAMES):
            raise _malformed("a shared type is of an unknown kind")
        if kind == _XML_HOOK and not limits.legacy:
            raise _malformed("it holds an XML hook, which can't be kept")
        tag: str | None = None
        if kind in (_XML_ELEMENT, _XML_HOOK):
            tag, pos = _text(data, pos)
        return (TYPE_NAMES[kind], tag), 1, pos
    if ref == FORMAT:
        key, pos = _text(data, pos)
        text, pos = _text(data, pos)
        return (key, _json(text, limits.nesting_max)), 1, pos
    if ref == BINARY:
        content, pos = _binary(data, pos)
        return content, 1, pos
    if ref == EMBED:
        text, pos = _text(data, pos)
        return _json(text, limits.nesting_max), 1, pos
    if ref == DOC:
        guid, pos = _text(data, pos)
        options, pos = _any(data, pos, limits.nesting_max, budget)
        return (guid, options), 1, pos
    if ref == JSON:
        if not limits.legacy:
            raise _malformed("it was written by a version of Yjs before 13")
        length, pos = _varuint(data, pos)
        values: list[Any] = []
        for _ in range(length):
            text, pos = _text(data, pos)
            values.append(UNDEFINED if text == "undefined" else _json(text, limits.nesting_max))
        return values, length, pos
    raise _malformed("a struct is of an unknown kind")


def _varuint(data: bytes, pos: int) -> tuple[int, int]:
    value = data[pos]
    if value < 128:
        return value, pos + 1
    return _varuint_rest(data, pos + 1, value)


def _varuint_rest(data: bytes, pos: int, value: int) -> tuple[int, int]:
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
        raise _malformed("a number in it is too large")
    return value + ((byte - 1) << 49), pos + 7


def _clock(data: bytes, pos: int) -> tuple[int, int]:
    value = data[pos]
    if value < 128:
        return value, pos + 1
    return _clock_rest(data, pos + 1, value)


def _clock_rest(data: bytes, pos: int, value: int) -> tuple[int, int]:
    value, pos = _varuint_rest(data, pos, value)
    if value > CLOCK_MAX:
        raise _malformed("a clock in it is too large")
    return value, pos


def _binary(data: bytes, pos: int) -> tuple[bytes, int]:
    length, pos = _varuint(data, pos)
    end = pos + length
    if end > len(data):
        raise _malformed(_TRUNCATED)
    return data[pos:end], end


def _text(data: bytes, pos: int) -> tuple[str, int]:
    length, pos = _varuint(data, pos)
    end = pos + length
    if end > len(data):
        raise _malformed(_TRUNCATED)
    return data[pos:end].decode(), end


def _any(data: bytes, pos: int, depth: int, budget: list[int]) -> tuple[Any, int]:
    """One value in lib0's ``any`` encoding. ``depth``: containers that may still open; ``budget``: values left."""
    tag = data[pos]
    pos += 1
    if tag == 119:
        return _text(data, pos)
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
        return _binary(data, pos)
    if tag != 117 and tag != 118:
        raise _malformed("a value is of an unknown kind")
    if not depth:
        raise LimitExceeded("A value in the update is nested too deep.")
    count, pos = _varuint(data, pos)
    if count > len(data) - pos:
        raise _malformed(_TRUNCATED)
    budget[0] -= count
    if budget[0] < 0:
        raise LimitExceeded("The update holds too many values.")
    if tag == 117:
        array: list[Any] = []
        for _ in range(count):
            value, pos = _any(data, pos, depth - 1, budget)
            array.append(value)
        return array, pos
    table: dict[str, Any] = {}
    for _ in range(count):
        key, pos = _text(data, pos)
        table[key], pos = _any(data, pos, depth - 1, budget)
    return table, pos


def _varint(data: bytes, pos: int) -> tuple[int | float, int]:
    """A signed number: sign in bit 6 of the first byte, 6 bits of value there, 7 in each that follows."""
    first = data[pos]
    pos += 1
    value = first & 63
    if first & 128:
        more, pos = _varuint(data, pos)
        value += more << 6
        if value > CLIENT_MAX:
            raise _malformed("a number in it is too large")
    if first & 64:
        return (-value if value else -0.0), pos
    return value, pos


def _json(text: str, nesting_max: int) -> Any:
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
