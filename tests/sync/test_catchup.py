"""What is lacking, in which order it comes, and forks (INV-PEER-3); with histories in dictionaries."""

from __future__ import annotations

import hashlib
import random

import pytest
from nacl.signing import SigningKey

from openprod.core.bundles import Actor, Bundle, SignedBundle, sign, signer
from openprod.core.ids import device_id
from openprod.errors import Untrusted
from openprod.sync.catchup import HELD_MAX, Branch, Intake, locate, must_leave, spread, survey
from openprod.sync.messages import Tip
from tests.seeds import fresh

KEYS = {name: SigningKey(name.encode().ljust(32, b".")) for name in ("alex", "blake")}


def log_of(name: str) -> str:
    return device_id(bytes(KEYS[name].verify_key)) + "-00000000"


class Author:
    """Writes a log; ``again(seq)`` is a restored copy of it."""

    def __init__(self, name: str, seq: int = 0, hash: bytes = b"") -> None:
        self.name, self.seq, self.hash = name, seq, hash
        self.at = {seq: hash}

    def again(self, seq: int) -> Author:
        return Author(self.name, seq, self.at[seq])

    def write(self, message: str = "", deps: dict[str, int] | None = None) -> SignedBundle:
        key = KEYS[self.name]
        bundle = Bundle(
            1, "ws_test", log_of(self.name), self.seq + 1, self.hash, deps or {}, "019e6f6f0400-0000-00000000",
            bytes(key.verify_key), Actor("u", "U", "d"), "edit", message, "", [], [],
        )  # fmt: skip
        signed, self.hash = sign(bundle, signer(key))
        self.seq += 1
        self.at[self.seq] = self.hash
        return signed


class Replica:
    def __init__(self) -> None:
        self.logs: dict[str, tuple[str, int, list[bytes]]] = {}
        self.bodies: list[SignedBundle] = []
        self.intake = Intake("ws_test")
        self.forks: list[str] = []

    def branches(self) -> list[Branch]:
        return [
            Branch(name, log, base, base + len(hashes), hashes[-1]) for name, (log, base, hashes) in self.logs.items()
        ]

    def find(self, log: str, hash: bytes) -> tuple[str, int] | None:
        for name, (of, base, hashes) in self.logs.items():
            if of == log and hash in hashes:
                return name, base + hashes.index(hash) + 1
        return None

    def hash_at(self, branch: Branch, seq: int) -> bytes:
        return self.logs[branch.name][2][seq - branch.base - 1]

    def take(self, *bundles: SignedBundle) -> int:
        taken = self.intake.take(self, bundles)
        self.forks += [fork.branch for fork in taken.forks]
        for one in taken.ready:
            name, log = one.bundle.log, one.bundle.log.partition("+")[0]
            self.logs.setdefault(name, (log, one.seq - 1, []))[2].append(one.hash)
            assert len(self.logs[name][2]) == one.bundle.seq
            self.bodies.append(one.signed)
        return len(taken.ready)

    def tips(self) -> list[Tip]:
        return [branch.tip for branch in self.branches()]

    def lacks(self, other: Replica) -> int:
        """How many bundles the survey says that ``self`` would send to ``other``, both having said where they fork."""
        mine, theirs = survey(self, other.tips()), survey(other, self.tips())
        points = {**{log: theirs.forks[log] for log in theirs.forks}}
        back = survey(other, self.tips(), mine.forks)
        points.update(back.forks)
        found = survey(self, other.tips(), points)
        return sum(branch.seq - found.after[branch.name] for branch in self.branches() if branch.name in found.after)


def test_in_whatever_order_they_come_they_go_in_by_cause() -> None:
    seed = fresh("catchup.in_whatever_order_they_come_they_go_in_by_cause")
    print(f"seed {seed}")
    chance = random.Random(seed)
    alex, blake = Author("alex"), Author("blake")
    written: list[SignedBundle] = []
    for _ in range(60):
        one, other = (alex, blake) if chance.random() < 0.5 else (blake, alex)
        written.append(one.write(deps={log_of(other.name): other.seq} if other.seq else {}))
    shuffled = written * 2
    chance.shuffle(shuffled)
    replica = Replica()
    while shuffled:
        replica.take(*[shuffled.pop() for _ in range(min(len(shuffled), chance.randrange(1, 9)))])
    assert [one.body for one in replica.bodies] == [one.body for one in written]
    assert replica.intake.held == 0
    assert not replica.forks


def test_what_waits_is_bounded() -> None:
    alex = Author("alex")
    written = [alex.write() for _ in range(HELD_MAX + 100)]
    replica = Replica()
    replica.take(*written[1:])
    assert replica.intake.held == HELD_MAX
    assert replica.take(written[0]) == HELD_MAX + 1
    assert replica.take(*written) == 99, "what was dropped comes again"


def test_altered_foreign_and_impossible_bundles() -> None:
    """INV-BOUND-1"""
    alex, replica = Author("alex"), Replica()
    first, second = alex.write(), alex.write()
    skipping = Author("alex", 5, alex.at[1]).write()
    for bad in (
        SignedBundle(first.body + b"x", first.signature),
        SignedBundle(first.body, bytes(64)),
        SignedBundle(second.body, first.signature),
    ):
        with pytest.raises(Untrusted):
            replica.take(bad)
    assert replica.take(first) == 1
    with pytest.raises(Untrusted):
        replica.take(skipping)
    with pytest.raises(Untrusted):
        replica.take(Author("alex", 0, alex.at[1]).write())
    assert replica.take(second, second) == 1
    assert len(replica.bodies) == 2


def test_what_the_other_lacks() -> None:
    alex = Author("alex")
    written = [alex.write() for _ in range(10)]
    one, other = Replica(), Replica()
    one.take(*written)
    assert one.lacks(other) == 10
    other.take(*written[:4])
    assert one.lacks(other) == 6
    assert other.lacks(one) == 0
    found = survey(other, one.tips())
    assert found.elsewhere == {log_of("alex")}
    assert not found.forks
    assert must_leave(log_of("alex"), found), "if other is Alex's own older copy"
    assert not must_leave(log_of("alex"), survey(one, other.tips()))


def test_both_histories_of_a_fork_are_kept_and_named_alike() -> None:
    """INV-PEER-3"""
    seed = fresh("catchup.both_histories_of_a_fork_are_kept_and_named_alike")
    print(f"seed {seed}")
    chance = random.Random(seed)
    for _ in range(60):
        alex = Author("alex")
        common = [alex.write() for _ in range(chance.randrange(40))]
        older = alex.again(len(common))
        left = [alex.write(f"left {n}") for n in range(chance.randrange(1, 20))]
        right = [older.write(f"right {n}") for n in range(chance.randrange(1, 20))]
        one, other, third = Replica(), Replica(), Replica()
        one.take(*common, *left)
        other.take(*common, *right)
        third.take(*common[: chance.randrange(len(common) + 1)])
        assert one.lacks(other) >= len(left)
        assert other.lacks(one) >= len(right)
        assert one.lacks(third) > 0
        points = locate(one, one.branches()[0])
        assert len(points) <= 60
        for here, there in ((one, other), (other, one), (third, one), (third, other), (one, third)):
            here.take(*there.bodies)
        for replica in (one, other, third):
            assert {one.body for one in replica.bodies} == {one.body for one in (*common, *left, *right)}
            firsts = {hashlib.sha256(part[0].body).hexdigest()[:8] for part in (left, right)}
            (branch,) = replica.forks
            assert branch.partition("+")[0] == log_of("alex")
            assert branch.partition("+")[2] in firsts
        assert one.forks != other.forks, "each goes on under the name of what it met first"
        assert not survey(one, other.tips()).after
        assert not survey(other, one.tips()).after
        more = alex.write("left, more")
        one.take(more)
        assert one.lacks(other) == 1
        other.take(more)
        assert one.lacks(other) == other.lacks(one) == 0


def test_on_how_many_devices() -> None:
    acknowledged = {"b": {"log": 5}, "c": {"log": 3}, "d": {}}
    assert [spread("log", seq, acknowledged) for seq in (1, 3, 4, 6)] == [2, 2, 1, 0]
