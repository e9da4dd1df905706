"""The gate: what passes, when, and that a document behind it always arrives."""

from __future__ import annotations

import base64
import json
import random
from pathlib import Path
from typing import Any

import pytest
from pycrdt import Doc, Text, merge_updates

from openprod.core.ranges import IdSet
from openprod.errors import LimitExceeded, MalformedUpdate
from openprod.yjs.decoder import decode_state_vector, decode_update
from openprod.yjs.gate import Gate
from tests.seeds import fresh
from tests.yjs.gated import Gated
from tests.yjs.updates import after, damaged, deleting, inside, root, sections, string, text, update

VECTORS = Path(__file__).parents[2] / "crdt_schema" / "vectors"
ORDERS = [json.loads(line) for line in (VECTORS / "orders.jsonl").read_text(encoding="utf-8").splitlines()]
SHUFFLES = 12  # per line and way
NOTHING = b"\0\0"


def admit(gate: Gate, encoded: bytes, tag: object = None) -> list[list[object]]:
    """The tags that come out, together what passes together."""
    return [[item.tag for item in release.items] for release in gate.admit(encoded, decode_update(encoded), tag)]


def in_pairs(updates: list[bytes]) -> list[bytes]:
    """Each update merged with the next: they then need each other crosswise."""
    return [
        merge_updates(*updates[at : at + 2]) if at + 1 < len(updates) else updates[at]
        for at in range(0, len(updates), 2)
    ]


@pytest.mark.parametrize("way", ["in order", "shuffled", "doubled", "in pairs", "doubled, in pairs"])
def test_every_order_arrives(way: str) -> None:
    seed = fresh("gate.every_order_arrives")
    print(f"seed {seed}")
    chance = random.Random(seed)
    joined = 0
    for line in ORDERS:
        log = [base64.b64decode(entry) for entry in line["log"]]
        expected = Gated().feed_all(log).contents()
        assert expected[0] == dict(line["sv"])
        assert expected[2] == line["t"]
        for _ in range(1 if way == "in order" else SHUFFLES):
            updates = log * 2 if "doubled" in way else list(log)
            if way != "in order":
                chance.shuffle(updates)
            if "pairs" in way:
                updates = in_pairs(updates)
            gated = Gated().feed_all(updates)
            assert gated.contents() == expected
            assert gated.gate.state == expected[0]
            assert not gated.gate.parked
            assert gated.gate.parked_bytes == 0
            assert sorted(gated.tags) == list(range(len(updates)))  # type: ignore[type-var]
            joined += gated.joined
            assert gated.feed(gated.doc.get_update())[0].added == []
    assert bool(joined) == ("pairs" in way)


def test_parked_until_what_it_builds_on_is_in() -> None:
    gate = Gate()
    assert admit(gate, update(1, 4, string("c")), "c") == []
    assert admit(gate, update(2, 0, after(4, 1, 4, text("d"))), "d") == []
    assert admit(gate, b"\0" + deleting(2, (0, 1)), "x") == []
    assert admit(gate, update(1, 2, string("bb")), "b") == []
    assert [item.tag for item in gate.parked] == ["c", "d", "x", "b"]
    assert gate.parked_bytes == sum(len(item.update) for item in gate.parked)
    assert admit(gate, update(1, 0, string("aa")), "a") == [["a"], ["b"], ["c"], ["d"], ["x"]]
    assert gate.state == {1: 5, 2: 1}
    assert gate.deleted == IdSet([(2, 0, 1)])
    assert (gate.parked, gate.parked_bytes) == ([], 0)


@pytest.mark.parametrize(
    "needy",
    [
        after(4, 9, 2, text("a")),
        bytes([0x44, 9, 2]) + text("a"),
        inside(4, 9, 2, text("a")),
    ],
    ids=["origin", "right origin", "parent"],
)
def test_each_kind_of_reference_is_waited_for(needy: bytes) -> None:
    gate = Gate({9: 2})
    assert admit(gate, update(1, 0, needy), "needy") == []
    assert admit(gate, update(9, 2, root(7, b"\1")), "needed") == [["needed"], ["needy"]]


def test_a_delete_waits_for_its_end() -> None:
    gate = Gate({9: 5})
    assert admit(gate, b"\0" + deleting(9, (3, 3)), "delete") == []
    assert admit(gate, update(9, 5, string("a")), "rest") == [["rest"], ["delete"]]


def test_what_is_new_and_what_was_known() -> None:
    gate = Gate({1: 3}, [(1, 0, 1)])
    encoded = update(1, 1, string("abcd"), deletes=deleting(1, (0, 2)))
    decoded = decode_update(encoded)
    assert gate.overlaps(decoded) == [(1, 1, 2)]
    (release,) = gate.admit(encoded, decoded)
    assert (release.added, release.deleted, release.known) == ([(1, 3, 2)], [(1, 1, 1)], [(1, 1, 2)])
    assert not release.redundant
    (again,) = gate.admit(encoded, decoded)
    assert (again.added, again.deleted, again.known) == ([], [], [(1, 1, 4)])
    assert again.redundant
    (empty,) = gate.admit(NOTHING, decode_update(NOTHING))
    assert empty.redundant


def test_a_gap_waits_for_what_fills_it() -> None:
    gate = Gate()
    assert admit(gate, update(1, 0, string("ab"), b"\x0a\x02", string("e")), "gap") == []
    assert admit(gate, update(1, 0, string("abcd")), "filling") == [["filling"], ["gap"]]
    assert gate.state == {1: 5}


def test_two_that_need_each_other_pass_as_one() -> None:
    first = sections((1, 0, (string("a"),)), (2, 0, (after(4, 3, 0, text("c")),)))
    second = update(3, 0, after(4, 1, 0, text("b")))
    for one, other in ((first, second), (second, first)):
        gated = Gated()
        assert gated.feed(one, 1) == []
        (release,) = gated.feed(other, 2)
        assert [item.tag for item in release.items] == [1, 2]
        assert sorted(release.added) == [(1, 0, 1), (2, 0, 1), (3, 0, 1)]
        assert str(gated.doc.get("t", type=Text)) == "abc"


def test_a_gap_and_its_filling_that_builds_on_the_beginning() -> None:
    gate = Gate()
    assert admit(gate, update(1, 0, string("ab"), b"\x0a\x02", string("e")), "around") == []
    assert admit(gate, update(7, 0, string("z")), "other") == [["other"]]
    assert admit(gate, update(1, 2, after(4, 1, 1, text("cd"))), "middle") == [["around", "middle"]]
    assert gate.state == {1: 5, 7: 1}


def test_no_more_are_joined_than_need_it() -> None:
    gate = Gate()
    first = sections((1, 0, (string("a"),)), (2, 0, (after(4, 3, 0, text("c")),)))
    assert admit(gate, update(4, 0, after(4, 2, 0, text("d"))), "later") == []
    assert admit(gate, update(5, 1, string("never")), "never") == []
    assert admit(gate, first, "first") == []
    assert admit(gate, update(3, 0, after(4, 1, 0, text("b"))), "second") == [["first", "second"], ["later"]]
    assert [item.tag for item in gate.parked] == ["never"]


def test_a_circle_is_refused_and_never_joined() -> None:
    one = (1, 0, (after(4, 2, 0, text("a")),))
    two = (2, 0, (after(4, 1, 0, text("b")),))
    gate = Gate()
    with pytest.raises(MalformedUpdate):
        admit(gate, sections(one, two))
    assert admit(gate, sections(one)) == []
    assert admit(gate, sections(two)) == []
    assert gate.state == {}


def test_a_circle_that_is_none() -> None:
    """Two clients that answered each other again and again."""
    one = (1, 0, (string("a"), after(4, 2, 0, text("c"))))
    two = (2, 0, (after(4, 1, 0, text("b")), after(4, 1, 1, text("d"))))
    for parts in ((one, two), (two, one)):
        gated = Gated()
        assert len(gated.feed(sections(*parts))) == 1
        assert str(gated.doc.get("t", type=Text)) == "abcd"


def test_no_more_is_parked_than_allowed() -> None:
    early = update(1, 1, string("a"))
    gate = Gate(parked_bytes_max=2 * len(early) + 1)
    admit(gate, early)
    admit(gate, early)
    with pytest.raises(LimitExceeded):
        admit(gate, early)
    assert len(gate.parked) == 2
    gate = Gate(parked_max=1)
    admit(gate, early, 1)
    with pytest.raises(LimitExceeded):
        admit(gate, early, 2)
    assert admit(gate, update(1, 0, string("a")), 3) == [[3], [1]]


def test_reverted_as_if_it_had_not_come() -> None:
    gate = Gate({1: 1}, [(1, 0, 1)])
    deleting_both = update(2, 0, after(4, 1, 1, text("c")), deletes=deleting(1, (0, 2)))
    assert admit(gate, deleting_both, "waited") == []
    encoded = update(1, 1, string("b"))
    releases = gate.admit(encoded, decode_update(encoded), "failed")
    assert gate.state == {1: 2, 2: 1}
    gate.revert(releases)
    assert (gate.state, list(gate.deleted)) == ({1: 1}, [(1, 0, 1)])
    assert [item.tag for item in gate.parked] == ["waited"]
    assert gate.parked_bytes == len(deleting_both)
    assert admit(gate, encoded, "again") == [["again"], ["waited"]]
    assert gate.state == {1: 2, 2: 1}


def test_reverting_any_step_changes_nothing() -> None:
    seed = fresh("gate.reverting_any_step_changes_nothing")
    print(f"seed {seed}")
    chance = random.Random(seed)
    for line in ORDERS:
        updates = [base64.b64decode(entry) for entry in line["log"]] * 2
        chance.shuffle(updates)
        gated = Gated()
        for encoded in in_pairs(updates):
            decoded = decode_update(encoded)
            before = dict(gated.gate.state), gated.gate.deleted.copy(), gated.gate.halves.copy()
            parked = gated.gate.parked
            releases = gated.gate.admit(encoded, decoded, "tried")
            if releases:
                gated.gate.revert(releases)
                assert (gated.gate.state, gated.gate.deleted, gated.gate.halves) == before
                assert gated.gate.parked[: len(parked)] == parked
            gated.feed(encoded, "fed")
        assert gated.contents() == Gated().feed_all(updates).contents()


@pytest.mark.parametrize("loads", [0, 1])
def test_from_a_whole_state(loads: int) -> None:
    for line in ORDERS:
        gated = Gated().feed_all(base64.b64decode(entry) for entry in line["log"])
        state = gated.doc.get_update()
        gate = Gate.from_state(state)
        assert gate.state == gated.gate.state
        assert gate.halves == gated.gate.halves
        # A document also deletes what lost against something else, without an update ever saying so.
        assert gate.deleted == gated.contents()[1]
        (release,) = gate.admit(state, decode_update(state))
        assert release.redundant


@pytest.mark.parametrize(
    "state", [b"", b"\x01", update(1, 1, string("a")), update(1, 0, string("a"), b"\x0a\x01", string("a"))]
)
def test_no_whole_state(state: bytes) -> None:
    with pytest.raises(MalformedUpdate):
        Gate.from_state(state)


EMOJI = update(5, 0, string("a😀b"))


@pytest.mark.parametrize(
    "cutting",
    [
        b"\0" + deleting(5, (1, 1)),
        b"\0" + deleting(5, (2, 1)),
        b"\0" + deleting(5, (0, 2)),
        update(6, 0, after(4, 5, 1, text("x"))),
        update(6, 0, b"\xc4\x05\x01\x05\x02" + text("x")),
        update(6, 0, b"\x44\x05\x02" + text("x")),
        update(5, 2, string("x")),
    ],
)
def test_an_edit_that_cuts_a_character_in_half(cutting: bytes) -> None:
    """pycrdt 0.14 would shift the clocks of all that follows."""
    gate = Gate()
    admit(gate, EMOJI)
    doc: Doc[Any] = Doc()
    doc.apply_update(EMOJI)
    for known in (gate, Gate.from_state(doc.get_update())):
        if cutting == update(5, 2, string("x")):
            assert admit(known, cutting)  # all of it is known: nothing is cut
            continue
        with pytest.raises(MalformedUpdate, match="in half"):
            admit(known, cutting)
        assert known.state == {5: 4}
        assert admit(known, b"\0" + deleting(5, (1, 2)))
    late = Gate()
    assert admit(late, cutting, "cutting") == []
    releases = late.admit(EMOJI, decode_update(EMOJI), "text")
    assert [bool(release.refused) for release in releases] == [False, cutting[0] != 1 or cutting[2] != 5]
    assert late.parked == []


def test_pairs_in_one_update_with_their_cut() -> None:
    gate = Gate()
    with pytest.raises(MalformedUpdate, match="in half"):
        admit(gate, update(5, 0, string("a😀b"), deletes=deleting(5, (1, 1))))
    assert gate.state == {}
    assert len(gate.halves) == 0


def test_damaged_updates_leave_gate_and_document_agreed() -> None:
    seed = fresh("gate.damaged_updates_leave_gate_and_document_agreed")
    print(f"seed {seed}")
    chance = random.Random(seed)
    agreed = 0
    for _ in range(150):
        log = [base64.b64decode(entry) for entry in chance.choice(ORDERS)["log"]]
        at = chance.randrange(len(log))
        gated = Gated().feed_all(log[:at])
        for _ in range(30):
            encoded = damaged(chance.choice(log[max(0, at - 3) : at + 5]), chance)
            if not _survives(gated, encoded):
                break
            assert gated.gate.state == decode_state_vector(gated.doc.get_state()), encoded.hex()
            agreed += 1
    assert agreed > 1_000


def _survives(gated: Gated, encoded: bytes) -> bool:
    """False when pycrdt can't take what the gate let pass: the node then rebuilds the document from its log."""
    try:
        gated.feed(encoded)
    except (MalformedUpdate, LimitExceeded, KeyboardInterrupt, SystemExit) as error:
        return isinstance(error, (MalformedUpdate, LimitExceeded))
    except BaseException:
        return False
    return True
