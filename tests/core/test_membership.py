"""INV-MEMBER-1: who may do what, whatever order the records come in."""

from __future__ import annotations

import itertools
import random
from typing import Any

import msgspec
import pytest
from nacl.signing import SigningKey

from openprod.core.membership import (
    ACCEPTS_MAX,
    Member,
    Membership,
    Record,
    SignedRecord,
    Verdict,
    decode,
    encode,
    sign,
)
from openprod.errors import Denied, LimitExceeded, Untrusted
from tests.seeds import fresh

WORKSPACE = "ws_test"
HLC = "019e6f6f0400-0000-00000000"
KEYS = {name: SigningKey(bytes([number]) * 32) for number, name in enumerate(["alex", "blake", "casey", "drew"], 1)}


def member(name: str, role: Any = "editor", **grants: Any) -> Member:
    return Member(bytes(KEYS[name].verify_key), f"user_{name}", name.title(), f"{name}'s laptop", role, grants)


def device(name: str) -> str:
    return member(name).device


def record(by: str, membership: Membership, kind: Any, **rest: Any) -> SignedRecord:
    parents = rest.pop("parents", membership.heads)
    made = Record(1, WORKSPACE, parents, HLC, bytes(KEYS[by].verify_key), kind, **rest)
    return sign(made, lambda part: KEYS[by].sign(part).signature)


def founded(*others: tuple[str, Any]) -> Membership:
    membership = Membership(WORKSPACE)
    membership.add(record("alex", membership, "found", member=member("alex", "owner")))
    for name, role in others:
        membership.add(record("alex", membership, "admit", member=member(name, role)))
    return membership


def copy(membership: Membership) -> Membership:
    made = Membership(WORKSPACE, membership.anchor)
    for one in membership.records():
        made.add(one)
    return made


def judge(membership: Membership, name: str, seq: int = 1, heads: Any = None, documents: Any = ("cues",)) -> Verdict:
    return membership.judge(
        device=device(name), log=f"{device(name)}-00000000", seq=seq, documents=documents,
        heads=membership.heads if heads is None else heads,
    )  # fmt: skip


def test_roles_and_grants() -> None:
    membership = founded(("blake", "editor"), ("casey", "viewer"))
    assert judge(membership, "blake") is Verdict.APPLY
    assert judge(membership, "casey") is Verdict.REFUSE
    assert judge(membership, "drew") is Verdict.REFUSE
    membership.add(record("alex", membership, "change", member=member("casey", "viewer", cues="editor")))
    assert judge(membership, "casey", documents=["core", "cues"]) is Verdict.APPLY
    assert judge(membership, "casey", documents=["cues", "notes"]) is Verdict.REFUSE
    membership.add(record("alex", membership, "change", member=member("blake", "editor", cues="viewer")))
    assert judge(membership, "blake") is Verdict.REFUSE
    assert judge(membership, "blake", documents=["notes", "core"]) is Verdict.APPLY


def test_what_is_written_unaware_of_a_removal_is_held_and_what_came_before_counts() -> None:
    """INV-MEMBER-1"""
    membership = founded(("blake", "editor"))
    seen = membership.heads
    log = f"{device('blake')}-00000000"
    assert judge(membership, "blake", 5) is Verdict.APPLY
    membership.add(record("alex", membership, "remove", device=device("blake"), until={log: 3}))
    assert judge(membership, "blake", 3, seen) is Verdict.APPLY
    assert judge(membership, "blake", 4, seen) is Verdict.HOLD
    assert judge(membership, "blake", 4) is Verdict.REFUSE, "it knew"
    assert list(membership.removed()) == [device("blake")]
    membership.add(record("alex", membership, "accept", until={log: 4}))
    assert judge(membership, "blake", 4, seen) is Verdict.APPLY
    assert judge(membership, "blake", 5, seen) is Verdict.HOLD
    assert judge(membership, "blake", 5, [b"?" * 32]) is Verdict.UNKNOWN


def test_what_the_founder_wrote_alone_names_no_records() -> None:
    membership = Membership(WORKSPACE)
    assert judge(membership, "drew", heads=[]) is Verdict.APPLY, "nobody has been let in yet"
    membership = founded(("blake", "editor"))
    assert judge(membership, "alex", heads=[]) is Verdict.APPLY
    assert judge(membership, "blake", heads=[]) is Verdict.HOLD, "as it wrote before it heard of any records"
    assert judge(membership, "drew", heads=[]) is Verdict.REFUSE
    log = f"{device('drew')}-00000000"
    membership.add(record("alex", membership, "accept", until={log: 1}))
    assert judge(membership, "drew", heads=[]) is Verdict.APPLY, "it was here before anybody founded anything"
    assert judge(membership, "drew", 2, heads=[]) is Verdict.REFUSE


def test_only_owners_decide() -> None:
    membership = founded(("blake", "editor"), ("casey", "viewer"))
    for by in ("blake", "casey", "drew"):
        with pytest.raises(Denied):
            membership.add(record(by, membership, "admit", member=member("drew")))
    with pytest.raises(Denied):
        membership.add(record("casey", membership, "accept", until={"x": 1}))
    assert membership.add(record("blake", membership, "accept", until={"x": 1}))
    for kind, rest in (("remove", {"device": device("alex")}), ("change", {"member": member("alex", "editor")})):
        with pytest.raises(Denied):
            membership.add(record("alex", membership, kind, **rest))


def test_owners_who_remove_each_other_apart() -> None:
    """INV-MEMBER-1: the one who was there first stands, whoever hears first."""
    base = founded(("blake", "owner"), ("casey", "editor"))
    one, other = copy(base), copy(base)
    first = record("alex", one, "remove", device=device("blake"))
    second = record("blake", other, "remove", device=device("alex"))
    one.add(first)
    other.add(second)
    late = record("blake", other, "admit", member=member("drew", "owner"))
    other.add(late)
    for order in itertools.permutations([first, second, late]):
        made = copy(base)
        waiting = list(order)
        while waiting:
            for signed in list(waiting):
                try:
                    made.add(signed)
                    waiting.remove(signed)
                except KeyError:
                    pass
        assert sorted(one.name for one in made.members().values()) == ["Alex", "Casey"]


def test_what_an_editor_accepts_ends_where_an_owner_cuts_it() -> None:
    """INV-MEMBER-1: a hostile editor lets a removed device, or one that was never let in, write for ever: until an
    owner who has seen that removes that device (again)."""
    for name, seen in (("drew", None), ("casey", "then")):
        membership = founded(("blake", "editor"), ("casey", "editor"))
        heads = [] if seen is None else membership.heads
        log = f"{device(name)}-00000000"
        if seen:
            membership.add(record("alex", membership, "remove", device=device(name), until={log: 1}))
        membership.add(record("blake", membership, "accept", until={log: 2**53}))
        assert judge(membership, name, 9, heads) is Verdict.APPLY
        membership.add(record("alex", membership, "remove", device=device("blake")))
        apart = membership.heads
        membership.add(record("alex", membership, "remove", device=device(name), until={log: 9}))
        assert judge(membership, name, 9, heads) is Verdict.APPLY, "what was there counts"
        assert judge(membership, name, 10, heads) in (Verdict.HOLD, Verdict.REFUSE)
        review = record("alex", membership, "accept", until={log: 10}, parents=apart)
        membership.add(review)
        if seen:
            assert judge(membership, name, 10, heads) is Verdict.APPLY, "accepted by somebody who hadn't heard"
            assert judge(membership, name, 11, heads) is Verdict.HOLD


def test_an_editor_leaves_room_to_be_removed() -> None:
    membership = founded(("blake", "editor"))
    parents = membership.heads
    for number in range(ACCEPTS_MAX):
        membership.add(record("blake", membership, "accept", until={str(number): 1}, parents=parents))
    with pytest.raises(LimitExceeded):
        membership.add(record("blake", membership, "accept", until={"": 1}, parents=parents))
    parents = membership.heads[:64]
    membership.add(record("alex", membership, "remove", device=device("blake"), parents=parents))
    assert [one.name for one in membership.members().values()] == ["Alex"]


def test_owners_who_step_down_apart_leave_one() -> None:
    """INV-MEMBER-1: each had seen that the other stays."""
    base = founded(("blake", "owner"))
    records = [
        record(name, base, kind, **rest)
        for name in ("alex", "blake")
        for kind, rest in (("change", {"member": member(name, "editor")}), ("remove", {"device": device(name)}))
    ]
    for one, other in itertools.product(records[:2], records[2:]):
        found = []
        for order in ([one, other], [other, one]):
            made = copy(base)
            for signed in order:
                made.add(signed)
            found.append(made.members())
        assert found[0] == found[1]
        assert [one.role for one in found[0].values()].count("owner") == 1


def test_any_order_gives_the_same() -> None:
    """INV-MEMBER-1"""
    seed = fresh("membership.any_order_gives_the_same")
    print(f"seed {seed}")
    chance = random.Random(seed)
    for _ in range(40):
        copies = [founded(("blake", "owner"), ("casey", "editor"))]
        copies += [copy(copies[0]) for _ in range(2)]
        for _ in range(12):
            here = chance.choice(copies)
            by = chance.choice(list(KEYS))
            kind = chance.choice(["admit", "change", "remove", "accept"])
            whom = chance.choice(list(KEYS))
            rest: dict[str, Any] = {"device": device(whom)} if kind == "remove" else {}
            if kind in ("admit", "change"):
                rest["member"] = member(whom, chance.choice(["owner", "editor", "viewer"]))
            rest["until"] = {f"{device(whom)}-00000000": chance.randrange(4)} if kind != "admit" else {}
            try:
                here.add(record(by, here, kind, **rest))
            except Denied:
                continue
            if chance.random() < 0.4:
                there = chance.choice(copies)
                for signed in here.lacking(there.heads):
                    there.add(signed)
        for there in copies:
            for here in copies:
                for signed in here.lacking(there.heads):
                    there.add(signed)
        asked = [
            (name, seq, heads) for name in KEYS for seq in range(1, 5)
            for heads in (copies[0].heads, [signed.hash for signed in list(copies[0].records())[2:3]])
        ]  # fmt: skip
        answers = [[judge(one, *question) for question in asked] for one in copies]
        assert answers[0] == answers[1] == answers[2]
        assert copies[0].members() == copies[1].members() == copies[2].members()


def test_records_that_arent() -> None:
    """INV-BOUND-1"""
    membership = founded()
    good = record("alex", membership, "admit", member=member("blake"))
    for bad in (
        SignedRecord(good.body, bytes(64)),
        SignedRecord(good.body[:-1], good.signature),
        SignedRecord(bytes(20_000), good.signature),
        record("alex", Membership("ws_test"), "found", member=member("alex", "editor")),
        record("blake", membership, "found", member=member("blake", "owner"), parents=[]),
        record("alex", membership, "admit"),
        record("alex", membership, "remove"),
        record("alex", membership, "admit", member=member("blake"), parents=[]),
        record("alex", membership, "admit", member=member("blake"), parents=membership.heads * 2),
    ):
        with pytest.raises(Untrusted):
            membership.add(bad)
    with pytest.raises(Untrusted):
        decode(b"\xc1")
    with pytest.raises(Untrusted):
        decode(bytes(20_000))
    assert decode(encode(good)) == good
    assert len(membership) == 1
    with pytest.raises(KeyError):
        membership.add(record("alex", membership, "admit", member=member("blake"), parents=[b"x" * 32]))
    other = msgspec.structs.replace(membership._records[membership.anchor], workspace="ws_other")
    with pytest.raises(Untrusted):
        membership.add(sign(other, lambda part: KEYS["alex"].sign(part).signature))
