"""The decoder: the vectors, what is refused, and that no bytes at all make it do anything else."""

from __future__ import annotations

import base64
import json
import random
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycrdt import Doc

from openprod.errors import LimitExceeded, MalformedUpdate
from openprod.yjs.decoder import UNDEFINED, Limits, decode_state_vector, decode_update
from tests.seeds import fresh
from tests.yjs.described import comparable, described, without_bigints
from tests.yjs.updates import after, damaged, deleting, inside, root, sections, string, text, update, varuint

VECTORS = Path(__file__).parents[2] / "crdt_schema" / "vectors"
DAMAGED_COUNT = 20_000


def lines(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (VECTORS / name).read_text(encoding="utf-8").splitlines()]


def test_every_vector() -> None:
    for line in lines("decode.jsonl"):
        decoded = decode_update(base64.b64decode(line["update"]))
        expected = {"structs": line["structs"], "deletes": sorted(line["deletes"])}
        assert comparable(described(decoded, tags=False)) == comparable(without_bigints(expected)), line["update"]


def content(encoded: bytes, **options: Any) -> Any:
    return decode_update(encoded, **options).structs[0][8]


def test_values_keep_their_kind() -> None:
    values = b"\x7f\x7e\x7d\x40\x7d\x05\x74\x02hi\x7a" + (2**62).to_bytes(8, "big") + b"\x7c\x3f\x80\x00\x00\x78"
    decoded = content(update(1, 0, root(8, b"\x09" + values + b"\x79")))
    assert decoded[0] is UNDEFINED
    assert not UNDEFINED
    assert decoded[1:] == [None, 0, 5, b"hi", 2**62, 1.0, True, False]
    assert str(decoded[2]) == "-0.0"
    assert isinstance(decoded[6], float)


def test_runs_of_structs_without_a_gap() -> None:
    decoded = decode_update(update(7, 3, string("ab"), b"\x0a\x05", string("😀"), b"\x0a\x01"))
    assert decoded.sections == [(7, 3, 2), (7, 10, 2)]
    assert [(struct[1], struct[2], struct[3]) for struct in decoded.structs] == [
        (3, 2, 4),
        (5, 5, 10),
        (10, 2, 4),
        (12, 1, 10),
    ]


def test_content_that_pycrdt_misreads_only_when_asked() -> None:
    old = update(1, 0, root(2, b"\x03" + text("undefined") + text('{"a":1}') + text("1e999"[:3])))
    hook = update(1, 0, root(7, b"\5" + text("hook")))
    for encoded in (old, hook):
        with pytest.raises(MalformedUpdate):
            decode_update(encoded)
    assert content(old, limits=Limits(legacy=True)) == [UNDEFINED, {"a": 1}, 1e9]
    assert content(hook, limits=Limits(legacy=True)) == ("XmlHook", "hook")


NESTED = b"\x08\x01" + b"\x75\x01" * 100_000
REFUSED = {
    "nothing": b"",
    "bytes after the end": update(1, 0, string("a")) + b"\0",
    "a client beyond 2^53": update(2**53, 0, string("a")),
    "a clock beyond 2^32": update(1, 2**32, string("a")),
    "a clock that overflows": update(1, 2**32 - 2, string("abc")),
    "a number of nine bytes": b"\x01\x01" + b"\x80" * 8 + b"\x00\x00",
    "2^53 structs": b"\x01" + varuint(2**53 - 1) + b"\x01\x00",
    "2^53 clients": varuint(2**53 - 1),
    "2^53 deletes": b"\x00\x01\x01" + varuint(2**53 - 1),
    "2^53 clients that delete": b"\x00" + varuint(2**53 - 1),
    "a text of 2^53 bytes": update(1, 0, root(4, varuint(2**53 - 1) + b"abc")),
    "2^53 values": update(1, 0, root(8, varuint(2**53 - 1) + b"\x7e")),
    "an array of 2^53": update(1, 0, root(8, b"\x01\x75" + varuint(2**53 - 1))),
    "an object of 2^53": update(1, 0, root(8, b"\x01\x76" + varuint(2**53 - 1))),
    "2^32 deleted": update(1, 0, root(1, varuint(2**32))),
    "an empty section": sections((1, 0, ())),
    "two sections of a client": sections((1, 0, (string("a"),)), (1, 1, (string("a"),))),
    "a struct of no length": update(1, 0, string("")),
    "no values": update(1, 0, root(8, b"\0", key="k")),
    "a gap of no length": update(1, 0, b"\x0a\0"),
    "GC with flags": update(1, 0, b"\x20\x01"),
    "its own origin": update(1, 5, after(4, 1, 5, text("a"))),
    "a later origin": update(1, 5, after(4, 1, 9, text("a"))),
    "its own parent": update(1, 5, inside(4, 1, 5, text("a"))),
    "a parent of a third kind": update(1, 0, b"\x04\x02" + text("a") + text("b")),
    "an unknown content": update(1, 0, root(11, b"\0\0")),
    "an unknown type": update(1, 0, root(7, b"\7")),
    "an unknown value": update(1, 0, root(8, b"\x01\x73")),
    "a number beyond 2^53": update(1, 0, root(8, b"\x01\x7d\x80" + varuint(2**50))),
    "text that is no UTF-8": update(1, 0, root(4, text(b"\xff"))),
    "half a character in UTF-8": update(1, 0, root(4, text(b"\xed\xa0\x80"))),
    "half a character in JSON": update(1, 0, root(5, text('{"a":"\\ud83d"}'))),
    "no JSON": update(1, 0, root(5, text("undefined"))),
    "NaN in JSON": update(1, 0, root(5, text("[NaN]"))),
    "infinity in JSON": update(1, 0, root(5, text("1e999"))),
    "a huge number in JSON": update(1, 0, root(5, text("9" * 100_000))),
    "a delete range that overflows": b"\x00" + deleting(1, (2**32 - 1, 1)),
}
TOO_MUCH = {
    "deep values": update(1, 0, bytes([8, 1]) + text("a") + NESTED[1:]),
    "deep objects": update(1, 0, root(8, b"\x01" + b"\x76\x01\x01k" * 100_000)),
    "deep JSON": update(1, 0, root(5, text("[" * 100_000 + "]" * 100_000))),
    "JSON deeper than pycrdt takes": update(1, 0, root(5, text("[" * 130 + "]" * 130))),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    with pytest.raises(MalformedUpdate) as caught:
        decode_update(REFUSED[name])
    assert caught.value.sentence.startswith("The bytes are not a Yjs update: ")
    assert caught.value.hint


@pytest.mark.parametrize("name", TOO_MUCH)
def test_too_much(name: str) -> None:
    with pytest.raises(LimitExceeded):
        decode_update(TOO_MUCH[name])


@pytest.mark.parametrize(
    ("limits", "encoded"),
    [
        (Limits(update_bytes_max=5), update(1, 0, string("abc"))),
        (Limits(structs_max=1), update(1, 0, string("a"), string("b"))),
        (Limits(structs_max=1), b"\x00" + deleting(1, (0, 1), (2, 1))),
        (Limits(values_max=1), update(1, 0, root(8, b"\x01\x75\x02\x7e\x7e"))),
        (Limits(nesting_max=1), update(1, 0, root(8, b"\x01\x75\x01\x75\x00"))),
    ],
)
def test_limits(limits: Limits, encoded: bytes) -> None:
    decode_update(encoded)
    with pytest.raises(LimitExceeded):
        decode_update(encoded, limits=limits)


def test_a_caller_near_the_end_of_its_stack() -> None:
    def deeper(left: int) -> None:
        if left:
            deeper(left - 1)
        else:
            decode_update(update(1, 0, root(8, b"\x01" + b"\x75\x01" * 60 + b"\x7e")))

    with pytest.raises(LimitExceeded):
        deeper(sys.getrecursionlimit() - _stack_depth() - 40)


def _stack_depth() -> int:
    frame, depth = sys._getframe(), 0
    while frame := frame.f_back:  # type: ignore[assignment]
        depth += 1
    return depth


@given(st.binary(max_size=60))
@settings(max_examples=2_000, deadline=None)
def test_any_bytes(data: bytes) -> None:
    _expect_no_surprise(data)


def test_damaged_updates() -> None:
    seed = fresh("decoder.damaged_updates")
    print(f"seed {seed}")
    chance = random.Random(seed)
    real = [base64.b64decode(line["update"]) for line in lines("decode.jsonl")]
    real += [base64.b64decode(entry) for line in lines("orders.jsonl") for entry in line["log"]]
    accepted = sum(_expect_no_surprise(damaged(chance.choice(real), chance)) for _ in range(DAMAGED_COUNT))
    assert accepted > DAMAGED_COUNT / 100, "too few pass for this to test what passes"


def _expect_no_surprise(data: bytes) -> bool:
    """Whether it was accepted; and if so, that pycrdt can read it, too, and says the same of its clocks."""
    try:
        decoded = decode_update(data)
    except (MalformedUpdate, LimitExceeded):
        return False
    assert sum(length for _, _, length in decoded.sections) == sum(s[2] for s in decoded.structs if s[3] != 10)
    if not all(clock == 0 for _, clock, _ in decoded.sections):
        return True  # pycrdt may panic at what comes too early: that is what the gate is for
    assert "Cannot decode update" not in _complaint(data), data.hex()
    return True


def _complaint(data: bytes) -> str:
    doc: Doc[Any] = Doc(skip_gc=True)
    try:
        doc.apply_update(data)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a Rust panic is one
        return str(error)
    return ""


def test_state_vectors() -> None:
    doc: Doc[Any] = Doc(client_id=2**53 - 1)
    doc.apply_update(update(300, 0, string("abc")))
    assert decode_state_vector(doc.get_state()) == {300: 3}
    for broken in (b"", b"\x01\x01", b"\x00\x00", b"\x01\x01" + varuint(2**32), varuint(2**53 - 1)):
        with pytest.raises(MalformedUpdate):
            decode_state_vector(broken)
