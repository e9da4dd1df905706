"""Fresh random histories of real Yjs and pycrdt programs, against our decoder and our gate."""

from __future__ import annotations

import base64
import random
from typing import Any

import pytest
from pycrdt import Array, Doc, Map, Text, UndoManager, XmlElement, XmlFragment, XmlText, merge_updates

from openprod.errors import MalformedUpdate
from openprod.yjs.decoder import decode_update
from openprod.yjs.gate import Gate
from tests.interop.node import node
from tests.seeds import fresh
from tests.yjs.described import comparable, described, without_bigints
from tests.yjs.gated import Gated

pytestmark = pytest.mark.interop

HISTORIES = 120  # some 30 updates each
ORDERS = 6  # of each history


@pytest.fixture(scope="module")
def seed() -> int:
    """To see a failure that another program met, return the printed one here."""
    return fresh("updates.seed")


@pytest.fixture(scope="module")
def histories(seed: int) -> list[dict[str, Any]]:
    return node("updates.mjs", "--seed", seed, "--count", HISTORIES)


def check(line: dict[str, Any]) -> None:
    decoded = decode_update(base64.b64decode(line["update"]))
    expected = {"structs": line["structs"], "deletes": sorted(line["deletes"])}
    assert comparable(described(decoded)) == comparable(without_bigints(expected)), line["update"]


def test_decoder_agrees_with_yjs(histories: list[dict[str, Any]], seed: int) -> None:
    print(f"seed {seed}")
    lines = [line for history in histories for line in history["decoded"]]
    assert len(lines) > 2_000
    assert any(struct["struct"] == "Skip" for line in lines for struct in line["structs"])
    for line in lines:
        check(line)


def test_gated_documents_arrive(histories: list[dict[str, Any]], seed: int) -> None:
    print(f"seed {seed}")
    chance = random.Random(seed)
    for history in histories:
        log = [base64.b64decode(update) for update in history["log"]]
        merged = [base64.b64decode(line["update"]) for line in history["decoded"]][len(log) :]
        expected = Gated().feed_all(log).contents()
        assert (expected[0], expected[2]) == (dict(history["sv"]), history["t"]), history["seed"]
        for number in range(ORDERS):
            updates = log + chance.sample(merged, len(merged) // 2) if number % 2 else list(log)
            chance.shuffle(updates)
            gated = Gated().feed_all(updates)
            assert gated.contents() == expected, history["seed"]
            assert gated.gate.state == expected[0]
            assert not gated.gate.parked


def test_edits_that_cut_characters_never_reach_a_document(seed: int) -> None:
    """A client that cuts an emoji in half is refused, and until then document and gate agree."""
    print(f"seed {seed}")
    refused = 0
    for history in node("updates.mjs", "--seed", seed, "--count", HISTORIES, "--halves", 1):
        gated = Gated()
        for update in history["log"]:
            try:
                gated.feed(base64.b64decode(update))
            except MalformedUpdate:
                refused += 1
        assert gated.contents()[0] == gated.gate.state, history["seed"]
        assert Gate.from_state(gated.doc.get_update()).halves == gated.gate.halves
        for line in history["decoded"]:
            check(line)
    assert refused


def test_what_pycrdt_writes(seed: int) -> None:
    print(f"seed {seed}")
    updates: list[bytes] = []
    for number in range(HISTORIES):
        chance = random.Random(seed + number)
        log, others, contents = pycrdt_history(chance)
        updates += log + others
        expected = Gated().feed_all(log).contents()
        assert expected[0] == contents[0], seed + number
        assert expected[2:] == contents[2:], seed + number
        for way in range(ORDERS):
            mixed = log + others if way % 2 else list(log)
            chance.shuffle(mixed)
            assert Gated().feed_all(mixed).contents() == expected, seed + number
    assert len(updates) > 2_000
    for line in node("decode.mjs", lines=(base64.b64encode(update).decode() for update in updates)):
        check(line)


VALUES: list[Any] = [None, True, 1, -7, 2.5, "x", "é😀", b"\x00\xff", [1, [None]], {"a": {"b": "c"}}, 1e300, ""]


def pycrdt_history(chance: random.Random) -> tuple[list[bytes], list[bytes], Any]:
    """(every transaction's update, differences and merges of them, what all see in the end)."""
    log: list[bytes] = []
    others: list[bytes] = []
    applying = False
    docs: list[Doc[Any]] = []
    undos: list[UndoManager] = []
    for number in range(chance.randrange(2, 5)):
        client_id = chance.choice([199, 2**32, 2**53]) - chance.randrange(1, 30) - 30 * number
        doc: Doc[Any] = Doc(client_id=client_id, skip_gc=chance.random() < 0.5)
        doc.observe(lambda event: None if applying else log.append(event.update))
        types = [
            doc.get("t", type=Text),
            doc.get("a", type=Array),
            doc.get("m", type=Map),
            doc.get("x", type=XmlFragment),
        ]
        docs.append(doc)
        undos.append(UndoManager(scopes=types, capture_timeout_millis=0))

    def tell(update: bytes, doc: Doc[Any]) -> None:
        nonlocal applying
        applying = True
        doc.apply_update(update)
        applying = False

    for _ in range(chance.randrange(5, 40)):
        at = chance.randrange(len(docs))
        what = chance.randrange(12)
        if what < 8:
            with docs[at].transaction():
                for _ in range(chance.choice([1, 1, 1, 4])):
                    _edit(docs[at], chance)
        elif what == 8:
            undos[at].undo()
        elif what == 9:
            undos[at].redo()
        else:
            update = chance.choice(docs).get_update(docs[at].get_state())
            others.append(update)
            tell(update, docs[at])
    if len(log) > 2:
        others += [merge_updates(*chance.sample(log, 2)) for _ in range(4)]
    whole = Gated()
    for doc in docs:
        whole.feed(doc.get_update())
        others.append(doc.get_update())
    return log, others, whole.contents()


def _edit(doc: Doc[Any], chance: random.Random) -> None:
    text, array = doc.get("t", type=Text), doc.get("a", type=Array)
    map_, xml = doc.get("m", type=Map), doc.get("x", type=XmlFragment)
    # pycrdt counts UTF-8 bytes; these are the places between characters.
    places = [len(str(text)[:at].encode()) for at in range(len(str(text)) + 1)]
    start = chance.randrange(len(places))
    end = min(start + chance.randrange(1, 6), len(places) - 1)
    match chance.randrange(9):
        case 0 | 1:
            text.insert(places[start], chance.choice(["a", "typed", "é", "日本", "x😀y"]))
        case 2 if start < end:
            del text[places[start] : places[end]]
        case 3 if start < end:
            text.format(places[start], places[end], {"bold": chance.choice([True, None, "x"])})
        case 4:
            array.insert(
                chance.randrange(len(array) + 1), chance.choice([*VALUES, Map({"k": 1}), Array([1]), Text("in")])
            )
        case 5 if len(array):
            del array[chance.randrange(len(array))]
        case 6:
            map_[chance.choice(["k", "clé", "😀"])] = chance.choice([*VALUES, Map({"k": "v"}), Text("in")])
        case 7:
            key = chance.choice(["k", "clé", "😀"])
            if key in map_:
                del map_[key]
        case 8:
            xml.children.insert(0, chance.choice([XmlElement("p", {"id": "1"}), XmlText("hey")]))
