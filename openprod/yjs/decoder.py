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
from struct import error as StructError
from typing import Any, NamedTuple, TypeAlias

from openprod.errors import LimitExceeded
from openprod.yjs.lib0 import CLIENT_MAX as CLIENT_MAX
from openprod.yjs.lib0 import (
    CLOCK_MAX,
    TRUNCATED,
    clock_rest,
    malformed,
    parse_json,
    read_any,
    read_binary,
    read_clock,
    read_text,
    read_varuint,
    varuint_rest,
)
from openprod.yjs.lib0 import UNDEFINED as UNDEFINED

GC, DELETED, JSON, BINARY, STRING, EMBED, FORMAT, TYPE, ANY, DOC, SKIP = range(11)
TYPE_NAMES = ("Array", "Map", "Text", "XmlElement", "XmlFragment", "XmlHook", "XmlText")
_XML_ELEMENT, _XML_HOOK = 3, 5
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
        raise malformed(TRUNCATED) from None
    except RecursionError:
        raise LimitExceeded("A value in the update is nested too deep.") from None
    except StructError:
        raise malformed(TRUNCATED) from None
    except UnicodeDecodeError:
        raise malformed("a text in it isn't UTF-8") from None
    except ValueError:
        raise malformed("a value in it isn't JSON") from None
    finally:
        if bulk:
            gc.enable()


def decode_state_vector(data: bytes) -> dict[int, int]:
    """Decode an encoded state vector: {client: next clock}. Raises MalformedUpdate."""
    try:
        state: dict[int, int] = {}
        count, pos = read_varuint(data, 0)
        for _ in range(count):
            client, pos = read_varuint(data, pos)
            clock, pos = read_clock(data, pos)
            if clock > state.get(client, 0):
                state[client] = clock
    except IndexError:
        raise malformed(TRUNCATED) from None
    if pos != len(data):
        raise malformed("bytes follow its end")
    return state


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
        section_count, pos = varuint_rest(data, pos, section_count)
    for _ in range(section_count):
        struct_count = data[pos]
        pos += 1
        if struct_count > 127:
            struct_count, pos = varuint_rest(data, pos, struct_count)
            if struct_count > (size - pos) // 2:
                raise malformed(TRUNCATED)
            if struct_count + len(structs) > limits.structs_max:
                raise LimitExceeded(f"The update holds more than {limits.structs_max} structs.")
        elif not struct_count:
            raise malformed("a client's section is empty")  # pycrdt would panic on it
        start = pos
        client = own = data[pos]  # own: the first byte of the id, by which it is known again below
        pos += 1
        if client > 127:
            client, pos = varuint_rest(data, pos, client)
        own_bytes = data[start:pos]
        own_rest = pos - start - 1
        clock = data[pos]
        pos += 1
        if clock > 127:
            clock, pos = clock_rest(data, pos, clock)
        if section_count > 1:
            if client in seen:
                raise malformed("one client has two sections")
            seen.add(client)
        run = clock
        for _ in range(struct_count):
            info = data[pos]
            pos += 1
            ref = info & 31
            if ref == 0 or ref == 10:
                if info != ref:
                    raise malformed("a struct has flags that it can't have")
                length, pos = read_clock(data, pos)
                if not length or clock + length > CLOCK_MAX:
                    raise malformed("a struct has an impossible length")
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
                            other, pos = varuint_rest(data, pos, other)
                    at = data[pos]
                    pos += 1
                    if at > 127:
                        at, pos = clock_rest(data, pos, at)
                    if at >= clock and other == client:
                        raise malformed("a struct refers to itself or to a later one")
                    origin = (other, at)
                if info & 0x40:
                    other = data[pos]
                    pos += 1
                    if other > 127:
                        if other == own and data.startswith(own_bytes, pos - 1):
                            other = client
                            pos += own_rest
                        else:
                            other, pos = varuint_rest(data, pos, other)
                    at = data[pos]
                    pos += 1
                    if at > 127:
                        at, pos = clock_rest(data, pos, at)
                    if at >= clock and other == client:
                        raise malformed("a struct refers to itself or to a later one")
                    right = (other, at)
            else:
                named = data[pos]
                pos += 1
                if named == 1:
                    length = data[pos]
                    pos += 1
                    if length > 127:
                        length, pos = varuint_rest(data, pos, length)
                    end = pos + length
                    if end > size:
                        raise malformed(TRUNCATED)
                    parent = data[pos:end].decode()
                    pos = end
                elif named == 0:
                    other, pos = read_varuint(data, pos)
                    at, pos = read_clock(data, pos)
                    if at >= clock and other == client:
                        raise malformed("a struct refers to itself or to a later one")
                    parent = (other, at)
                else:
                    raise malformed("a struct has a parent of an unknown kind")
                if info & 0x20:
                    length = data[pos]
                    pos += 1
                    if length > 127:
                        length, pos = varuint_rest(data, pos, length)
                    end = pos + length
                    if end > size:
                        raise malformed(TRUNCATED)
                    key = data[pos:end].decode()
                    pos = end

            content: Any
            if ref == 8:
                length = data[pos]
                pos += 1
                if length > 127:
                    length, pos = varuint_rest(data, pos, length)
                if length == 1 and data[pos] == 119:  # one text: what most edits are
                    count = data[pos + 1]
                    pos += 2
                    if count > 127:
                        count, pos = varuint_rest(data, pos, count)
                    end = pos + count
                    if end > size:
                        raise malformed(TRUNCATED)
                    content = [data[pos:end].decode()]
                    pos = end
                else:
                    content = []
                    for _ in range(length):
                        value, pos = read_any(data, pos, nesting_max, budget)
                        content.append(value)
            elif ref == 4:
                content, pos = read_text(data, pos)
                length = len(content)
                if not content.isascii():
                    length = len(content.encode("utf-16-le")) // 2
            elif ref == 1:
                content = None
                length, pos = read_clock(data, pos)
            else:
                content, length, pos = _rare(data, pos, ref, limits, budget)
            if not length or clock + length > CLOCK_MAX:
                raise malformed("a struct has an impossible length")
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
        client_count, pos = varuint_rest(data, pos, client_count)
    for _ in range(client_count):
        client = data[pos]
        pos += 1
        if client > 127:
            if client == own and data.startswith(own_bytes, pos - 1):
                client = own_client
                pos += own_rest
            else:
                client, pos = varuint_rest(data, pos, client)
        range_count = data[pos]
        pos += 1
        if range_count > 127:
            range_count, pos = varuint_rest(data, pos, range_count)
            if range_count > (size - pos) // 2:
                raise malformed(TRUNCATED)
        if range_count + len(deletes) > limits.structs_max:
            raise LimitExceeded(f"The update deletes more than {limits.structs_max} ranges.")
        for _ in range(range_count):
            clock = data[pos]
            pos += 1
            if clock > 127:
                clock, pos = clock_rest(data, pos, clock)
            length = data[pos]
            pos += 1
            if length > 127:
                length, pos = clock_rest(data, pos, length)
            if clock + length > CLOCK_MAX:
                raise malformed("a delete range has an impossible length")
            if length:
                deletes.append((client, clock, length))
    if pos != size:
        raise malformed("bytes follow its end")
    return Update(structs, deletes, sections)


def _rare(data: bytes, pos: int, ref: int, limits: Limits, budget: list[int]) -> tuple[Any, int, int]:
    """(content, length, position) of the kinds that seldom come."""
    if ref == TYPE:
        kind = data[pos]
        pos += 1
        if kind >= len(TYPE_NAMES):
            raise malformed("a shared type is of an unknown kind")
        if kind == _XML_HOOK and not limits.legacy:
            raise malformed("it holds an XML hook, which can't be kept")
        tag: str | None = None
        if kind in (_XML_ELEMENT, _XML_HOOK):
            tag, pos = read_text(data, pos)
        return (TYPE_NAMES[kind], tag), 1, pos
    if ref == FORMAT:
        key, pos = read_text(data, pos)
        text, pos = read_text(data, pos)
        return (key, parse_json(text, limits.nesting_max)), 1, pos
    if ref == BINARY:
        content, pos = read_binary(data, pos)
        return content, 1, pos
    if ref == EMBED:
        text, pos = read_text(data, pos)
        return parse_json(text, limits.nesting_max), 1, pos
    if ref == DOC:
        guid, pos = read_text(data, pos)
        options, pos = read_any(data, pos, limits.nesting_max, budget)
        return (guid, options), 1, pos
    if ref == JSON:
        if not limits.legacy:
            raise malformed("it was written by a version of Yjs before 13")
        length, pos = read_varuint(data, pos)
        values: list[Any] = []
        for _ in range(length):
            text, pos = read_text(data, pos)
            values.append(UNDEFINED if text == "undefined" else parse_json(text, limits.nesting_max))
        return values, length, pos
    raise malformed("a struct is of an unknown kind")
