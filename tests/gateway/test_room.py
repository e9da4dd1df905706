"""What readers of a document get: everything once, in order, coalesced when it waited."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest
from pycrdt import Doc, Map, Text
from websockets.frames import Frame, Opcode
from websockets.streams import StreamReader

from openprod.gateway import protocol
from openprod.gateway.frames import frame
from openprod.gateway.limits import Limits
from openprod.gateway.presence import Participant
from openprod.gateway.room import Room, coalesce
from tests.seeds import fresh

pytestmark = pytest.mark.anyio


class Reader:
    def __init__(self, room: Room) -> None:
        self.position: int | None = None
        self.stale_presence: set[int] = set()
        self.loading = False
        self.woken = 0
        self.dropped = False
        self.doc: Doc[Any] = Doc()
        self.frames = 0
        self.at_once = False
        room.enter(self)
        self.position = room.head

    def wake(self) -> None:
        self.woken += 1

    def drop(self) -> None:
        self.dropped = True
        self.position = None

    def write_now(self, frames: bytes) -> bool:
        for payload in payloads(frames) if self.at_once else ():
            self.frames += 1
            self.doc.apply_update(protocol.read_message(payload)[1])
        return self.at_once

    def catch_up(self, room: Room) -> None:
        while self.position is not None and self.position < room.head:
            for body in room.read(self):
                self.frames += 1
                self.doc.apply_update(protocol.read_message(body)[1])


def payloads(frames: bytes) -> list[bytes]:
    """Read as a client reads them."""
    stream = StreamReader()
    stream.feed_data(frames)
    stream.feed_eof()
    found: list[bytes] = []
    while stream.buffer:
        reading = Frame.parse(stream.read_exact, mask=False)
        with pytest.raises(StopIteration) as read:
            next(reading)
        assert read.value.value.opcode is Opcode.BINARY
        assert read.value.value.fin
        found.append(bytes(read.value.value.data))
    return found


@pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 65_535, 65_536, 1_000_000])
def test_frames_are_those_of_the_standard(length: int) -> None:
    payload = random.Random(length).randbytes(length)
    assert frame(payload) == Frame(Opcode.BINARY, payload).serialize(mask=False)
    assert payloads(frame(payload) + frame(b"next")) == [payload, b"next"]


def edit(chance: random.Random, doc: Doc[Any]) -> list[bytes]:
    """A random change, as updates."""
    made: list[bytes] = []
    text, fields = doc.get("text", type=Text), doc.get("map", type=Map)
    subscription = doc.observe(lambda event: made.append(event.update))
    if chance.random() < 0.5:
        fields[f"cue_{chance.randrange(5)}/start"] = chance.randrange(100)
    elif len(text) and chance.random() < 0.4:
        at = chance.randrange(len(text))
        del text[at : at + 1]
    else:
        text.insert(chance.randrange(len(text) + 1), chance.choice("abc"))
    doc.unobserve(subscription)
    return made


def edits(chance: random.Random, count: int) -> list[bytes]:
    """Updates of three writers who hear each other now and then, in an order in which they could be committed."""
    docs: list[Doc[Any]] = [Doc() for _ in range(3)]
    updates: list[bytes] = []
    for _ in range(count):
        doc = chance.choice(docs)
        if chance.random() < 0.2:
            for update in updates:
                doc.apply_update(update)
        updates += edit(chance, doc)
    return updates


def content(doc: Doc[Any]) -> tuple[Any, str]:
    return doc.get("map", type=Map).to_py(), str(doc.get("text", type=Text))


async def test_coalesced_updates_say_the_same() -> None:
    seed = fresh("room.coalesced")
    print(f"seed {seed}")
    chance = random.Random(seed)
    for _ in range(30):
        updates = edits(chance, chance.randrange(1, 120))
        one_by_one, at_once = Doc(), Doc()
        for update in updates:
            one_by_one.apply_update(update)
        at_once.apply_update(coalesce(updates))
        assert content(one_by_one) == content(at_once)
        clocks = protocol.read_state_vector(one_by_one.get_state())
        assert protocol.read_state_vector(at_once.get_state()) == clocks


async def test_every_reader_gets_everything_at_its_own_pace_and_nobody_its_own() -> None:
    seed = fresh("room.readers")
    print(f"seed {seed}")
    chance = random.Random(seed)
    for _ in range(10):
        room = Room("cues", Limits())
        readers = [Reader(room) for _ in range(4)]
        whole: Doc[Any] = Doc()
        for _ in range(300):
            writer = chance.choice(readers)
            for update in edit(chance, writer.doc):
                whole.apply_update(update)
                room.announce(update, writer)
            if chance.random() < 0.5:
                await asyncio.sleep(0)
            if chance.random() < 0.1:
                chance.choice(readers).catch_up(room)
            for reader in readers:
                reader.at_once = chance.random() < 0.5
        await asyncio.sleep(0)
        for reader in readers:
            reader.catch_up(room)
            assert content(reader.doc) == content(whole)
            assert reader.frames < 300


async def test_an_idle_room_sends_each_update_as_it_came_to_all_alike() -> None:
    room = Room("cues", Limits())
    readers = [Reader(room) for _ in range(3)]
    for update in edits(random.Random(1), 5):
        room.announce(update, None)
        await asyncio.sleep(0)
        frames = [room.read(reader) for reader in readers]
        assert frames[0] == [protocol.update_message(update)]
        assert all(frame is frames[0] for frame in frames)


async def test_what_all_have_is_forgotten_and_who_lags_is_dropped() -> None:
    room = Room("cues", Limits(backlog_batches_max=500))
    quick, slow = Reader(room), Reader(room)
    update = edits(random.Random(1), 1)[0]
    for _ in range(400):
        room.announce(update, None)
        await asyncio.sleep(0)
        quick.catch_up(room)
    assert not slow.dropped
    assert len(room._log) == 400
    slow.catch_up(room)
    for _ in range(700):
        room.announce(update, None)
        await asyncio.sleep(0)
        quick.catch_up(room)
    assert slow.dropped
    assert not quick.dropped
    assert len(room._log) < 100
    room.leave(slow, Participant("a", "A"))
    room.leave(quick, Participant("a", "A"))
    assert room.empty
