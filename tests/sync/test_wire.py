"""INV-BOUND-1 for frames between nodes; versions that are negotiated."""

from __future__ import annotations

import contextlib
import random
from typing import Annotated, Any

import cbor2
import msgspec
import pytest

from openprod.errors import MalformedFrame
from openprod.sync import messages
from openprod.sync.messages import CODEC, Have, Heartbeat, Hello, Live, Ops, Signed, Stretch, Tip, common_version
from openprod.sync.wire import DEPTH_MAX, FRAME_BYTES_MAX, Codec
from tests.seeds import fresh

LOG = "0123456789abcdef-01234567"
HELLO = Hello(
    versions=[1], key=b"k" * 32, workspace="ws_1", gathering="", nonce=b"n" * 32, clock_ms=1_780_000_000_000,
    history=[Stretch(3, LOG[:16], 250)],
)  # fmt: skip


@pytest.mark.parametrize(
    "message",
    [
        HELLO,
        Have([Tip(LOG, 7, b"h" * 32)], [b"m" * 32]),
        Ops([Signed(b"body", b"s" * 64)]),
        Live(3, 9, 8, Signed(b"", b"s" * 64)),
        messages.End("0" * 32, 4),
        messages.ManifestWanted(),
    ],
)
def test_what_is_said_is_heard(message: msgspec.Struct) -> None:
    assert CODEC.decode(CODEC.encode(message)) == message


def test_every_kind_has_a_number_of_its_own() -> None:
    tags = [kind.__struct_config__.tag for kind in messages.TYPES]
    assert len(tags) == len(set(tags))
    assert messages.Message.__args__ == messages.TYPES


HOSTILE = {
    "nothing": b"",
    "not an array": cbor2.dumps({1: 2}),
    "an empty array": cbor2.dumps([]),
    "a kind that is no number": cbor2.dumps(["1"]),
    "a kind that is true": cbor2.dumps([True, []]),
    "too deep": b"\x81" * (DEPTH_MAX + 1) + b"\x01",
    "very deep": b"\x81" * 200_000,
    "an array of 2^64 elements": b"\x9b" + b"\xff" * 8,
    "a string of 2^40 bytes": b"\x82\x05\x5b\x00\x00\x01\x00\x00\x00\x00\x00abc",
    "an endless array": b"\x9f\x05\xff",
    "a tag": cbor2.dumps([5, cbor2.CBORTag(4711, [])]),
    "a pattern": cbor2.dumps([5, cbor2.CBORTag(35, "(a+)+$")]),
    "a big number": cbor2.dumps([5, 2**200]),
    "a cycle": b"\xd8\x1c\x82\x05\xd8\x1d\x00",
    "a key twice": b"\x82\x05\xa2\x61a\x01\x61a\x02",
    "bytes after the end": CODEC.encode(HELLO) + b"\x00",
    "cut short": CODEC.encode(HELLO)[:-1],
    "text that isn't UTF-8": b"\x82\x05\x62\xff\xff",
    "a text for bytes": cbor2.dumps([5, [[LOG, 1, "h" * 32]]]),
    "a hash too short": cbor2.dumps([5, [[LOG, 1, b"h"]]]),
    "a log that isn't one": cbor2.dumps([5, [["../../x", 1, b"h" * 32]]]),
    "a negative place": cbor2.dumps([5, [[LOG, -1, b"h" * 32]]]),
    "too many": cbor2.dumps([5, [[LOG, 1, b"h" * 32]] * 3001]),
    "a field missing": cbor2.dumps([5]),
    "too large": b"\x82\x0f\x5a\x00\x04\x00\x00" + bytes(FRAME_BYTES_MAX),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_frames_are_one_clear_error(name: str) -> None:
    """INV-BOUND-1"""
    with pytest.raises(MalformedFrame):
        CODEC.decode(HOSTILE[name])


def test_random_and_altered_frames_never_do_worse() -> None:
    """INV-BOUND-1"""
    seed = fresh("wire.random_and_altered_frames_never_do_worse")
    print(f"seed {seed}")
    chance = random.Random(seed)
    good = [
        CODEC.encode(one) for one in (HELLO, Have([Tip(LOG, 7, b"h" * 32)] * 5), Live(1, 2, 1, Signed(b"x", b"s" * 64)))
    ]
    for _ in range(3000):
        frame = bytearray(chance.choice(good) if chance.random() < 0.8 else chance.randbytes(chance.randrange(60)))
        for _ in range(chance.randrange(4)):
            if frame:
                frame[chance.randrange(len(frame))] = chance.randrange(256)
        with contextlib.suppress(MalformedFrame):
            CODEC.decode(bytes(frame))


def test_a_message_that_no_frame_holds_is_its_makers_fault() -> None:
    with pytest.raises(ValueError, match="frame of"):
        CODEC.encode(Ops([Signed(bytes(FRAME_BYTES_MAX), b"s" * 64)]))


def test_the_largest_of_every_list_fits() -> None:
    CODEC.encode(Have([Tip(LOG, 2**53, b"h" * 32)] * 3000, [b"m" * 32] * 64))
    CODEC.encode(messages.Manifest("w" * 200, 2**53, 2**36, 2**26, [b"c" * 32] * 4096, b"k" * 32, b"s" * 64))


# -- versions ----------------------------------------------------------------------------------------------


class HeartbeatOf2(msgspec.Struct, array_like=True, frozen=True, tag=16):
    term: int
    leader: str
    direct: bool
    clock_ms: int
    stored: list[Any] = []
    joined: list[Any] = []
    battery: Annotated[int, msgspec.Meta(ge=0, le=100)] = 100


class Wave(msgspec.Struct, array_like=True, frozen=True, tag=90):
    text: str


OF_2 = Codec([HeartbeatOf2, Wave, *(kind for kind in messages.TYPES if kind is not Heartbeat)])


def test_an_old_and_a_new_program_understand_each_other() -> None:
    assert common_version([1], [1, 2]) == 1
    assert common_version([1, 2], [2, 3]) == 2
    assert common_version([1], [2]) is None
    new = OF_2.encode(HeartbeatOf2(3, LOG[:16], True, 5, [], [], 40))
    assert CODEC.decode(new) == Heartbeat(3, LOG[:16], True, 5, [])
    old = CODEC.encode(Heartbeat(3, LOG[:16], True, 5))
    assert OF_2.decode(old) == HeartbeatOf2(3, LOG[:16], True, 5)
    assert CODEC.decode(OF_2.encode(Wave("hello"))) is None, "a kind that only newer programs know is left unread"
