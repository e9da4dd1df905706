"""INV-MEMBER-1 and INV-MEMBER-2: who may write what, where bundles are taken in; what is held, and how it gets in."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest

from openprod.core.membership import Member, SignedRecord
from openprod.core.operations import CreateEntity, SetField
from openprod.engine.drafts import Records
from openprod.engine.members import RecordsMissing
from openprod.errors import Denied, NotFound, Untrusted
from tests.engine.replica import CUES, Replica, Time, device_key

ROOT = "cues.cue"


def member(name: str, role: Any = "editor", **grants: Any) -> Member:
    return Member(bytes(device_key(name).verify_key), f"user_{name}", name.title(), f"{name}'s laptop", role, grants)


class Laptop(Replica):
    def write(self, kind: Any, **rest: Any) -> None:
        """A membership record by this device."""
        self.one(Records(plan=lambda committer: [committer.members.write(kind, committer.tick(), **rest)]))

    def records(self) -> list[SignedRecord]:
        return list(self.committer.members.log.records())

    def learn(self, other: Laptop) -> None:
        records = other.records()
        self.one(Records(plan=lambda _committer: records))

    def meet(self, other: Laptop) -> None:
        """Records both ways until nothing is new (taking some in may make this device write one), then bundles."""
        before = -1
        while before != (before := len(self.records()) + len(other.records())):
            self.learn(other)
            other.learn(self)
        self.pull(other)
        other.pull(self)

    def remove(self, name: str) -> None:
        device = member(name).device
        self.one(
            Records(
                plan=lambda committer: [
                    committer.members.write(
                        "remove", committer.tick(), device=device, until=committer.members.reach(device)
                    )
                ]
            )
        )

    def accept(self, *numbers: int) -> None:
        until: dict[str, int] = {}
        for number in numbers:
            row = self.storage.bundle_numbered(number)
            assert row is not None
            until[row.log] = max(row.seq, until.get(row.log, 0))
        self.write("accept", until=until)

    @property
    def held(self) -> list[int]:
        assert sorted(self.committer.members.held) == self.storage.held()
        return self.storage.held()

    def check(self) -> None:
        """INV-REPLAY-1, INV-RESTART-1"""
        before, tables, held = self.hash(), self.tables(), self.held
        self.restart()
        assert (self.hash(), self.held) == (before, held)
        self.committer.rebuild()
        assert (self.hash(), self.held) == (before, held)
        assert self.tables() == tables


def start(value: str, entity: str = "cue_1") -> SetField:
    return SetField(entity=entity, facet=ROOT, field="start", value=value)


def made(entity: str = "cue_1") -> CreateEntity:
    return CreateEntity(entity=entity, facets={ROOT: {"list": "LX", "number": "1", "start": "10:00"}})


def laptops(*names: str, seed: int = 1, **roles: Any) -> list[Laptop]:
    """The first has founded the production and let the others in."""
    print(f"seed {seed}")
    time, chance = Time(), random.Random(seed)
    found = [Laptop(name, time=time, chance=chance) for name in names]
    first = found[0]
    first.adopt(CUES)
    first.commit(made())
    first.write("found", member=member(names[0], "owner"))
    for name in names[1:]:
        first.write("admit", member=member(name, roles.get(name, "editor")))
    for other in found[1:]:
        join(other, first)
    return found


def join(newcomer: Laptop, host: Laptop) -> None:
    """As pairing does: the anchor first."""
    with newcomer.storage.transaction():
        newcomer.storage.set_meta("anchor", host.committer.members.log.anchor.hex())
    newcomer.restart()
    newcomer.learn(host)
    newcomer.pull(host)


def same(*replicas: Laptop) -> None:
    assert len({one.hash() for one in replicas}) == 1
    assert all(one.tables() == replicas[0].tables() for one in replicas)


def test_without_a_founder_all_is_as_before() -> None:
    alex, blake = (Laptop(name, time=Time(), chance=random.Random(1)) for name in ("alex", "blake"))
    alex.adopt(CUES)
    alex.commit(made())
    blake.pull(alex)
    blake.commit(start("11:00"))
    alex.pull(blake)
    assert alex.hash() == blake.hash()
    assert all(bundle.membership == [] for _signed, bundle in alex.bundles())


def test_members_write_and_name_what_they_knew() -> None:
    alex, blake = laptops("alex", "blake")
    blake.commit(start("11:00"))
    assert blake.bundles()[-1][1].membership == alex.committer.members.heads
    alex.pull(blake)
    same(alex, blake)
    alex.check()


def test_a_viewer_may_look() -> None:
    """INV-MEMBER-2"""
    alex, blake = laptops("alex", "blake", blake="viewer")
    before = blake.hash()
    with pytest.raises(Denied, match="look at “cues” here"):
        blake.commit(start("11:00"))
    assert blake.hash() == before == alex.hash()
    alex.write("change", member=member("blake", "viewer", cues="editor"))
    blake.learn(alex)
    blake.commit(start("11:00"))
    alex.pull(blake)
    same(alex, blake)


def test_what_a_viewer_wrote_with_another_program_is_refused_everywhere() -> None:
    """INV-MEMBER-2"""
    alex, blake, casey = laptops("alex", "blake", "casey", blake="viewer")
    forge(blake, start("11:00"))
    for other in (alex, casey):
        before = other.hash(), len(other.storage.bundles())
        with pytest.raises(Denied, match="no right"):
            other.pull(blake)
        assert (other.hash(), len(other.storage.bundles())) == before


def forge(laptop: Laptop, *operations: Any) -> None:
    """Commit as a program would that doesn't ask."""
    members = laptop.committer.members
    members.require = lambda documents: None  # type: ignore[method-assign]
    try:
        laptop.commit(*operations)
    finally:
        del members.require


def test_a_stranger_is_refused() -> None:
    alex, _blake = laptops("alex", "blake")
    mallory = Laptop("mallory", time=Time(), chance=random.Random(2))
    mallory.adopt(CUES)
    mallory.commit(made("cue_9"))
    before = alex.hash()
    with pytest.raises(Denied):
        alex.pull(mallory)
    assert alex.hash() == before
    join(mallory, alex)
    with pytest.raises(Denied, match="isn't a member"):
        mallory.commit(start("13:00"))
    # Nor may it found the production again.
    other = Laptop("mallory", time=Time(), chance=random.Random(3))
    other.write("found", member=member("mallory", "owner"))
    with pytest.raises(Untrusted):
        alex.learn(other)
    unpaired = Laptop("casey", time=Time(), chance=random.Random(4))
    with pytest.raises(Untrusted, match="never met"):
        unpaired.learn(other)


def test_records_come_first() -> None:
    alex, blake = laptops("alex", "blake")
    alex.write("admit", member=member("casey"))
    alex.commit(start("12:00"))
    heads = alex.committer.members.heads
    with pytest.raises(RecordsMissing) as missing:
        blake.pull(alex)
    assert missing.value.heads == heads
    blake.learn(alex)
    blake.pull(alex)
    same(alex, blake)


def test_a_removed_device_is_held_reviewed_and_admitted() -> None:
    """INV-MEMBER-3"""
    alex, blake, casey = laptops("alex", "blake", "casey")
    blake.commit(start("11:00"))
    alex.pull(blake)
    alex.remove("blake")
    blake.commit(start("11:30"))
    blake.commit(made("cue_2"))
    casey.meet(alex)
    before = alex.hash()
    alex.pull(blake)
    casey.pull(alex)  # held bundles are passed on
    assert len(alex.held) == len(casey.held) == 2
    assert alex.hash() == casey.hash() == before
    for one in (alex, casey):
        one.check()
    # Who comes later gets them too, and holds them.
    drew = Laptop("drew", time=Time(), chance=random.Random(7))
    alex.write("admit", member=member("drew"))
    join(drew, alex)
    assert drew.held
    same(alex, drew)
    # The removed device hears of it: it shows what all show, has lost nothing, and can't write.
    blake.learn(alex)
    blake.pull(alex)
    same(alex, blake)
    assert len(blake.held) == 2
    with pytest.raises(Denied):
        blake.commit(start("12:00"))
    blake.check()
    # Somebody looks, and lets it in: it is in everywhere.
    casey.accept(max(casey.held))
    assert casey.held == []
    assert casey.value("cues", ROOT, "cue_2") == "true"
    casey.check()
    for one in (alex, blake, drew):
        one.learn(casey)
        assert one.held == []
        one.check()
    same(alex, blake, casey, drew)


def test_part_of_what_is_held_can_be_let_in() -> None:
    """INV-MEMBER-3"""
    alex, blake = laptops("alex", "blake")
    alex.remove("blake")
    blake.commit(start("11:30"))
    blake.commit(start("11:45"))
    alex.pull(blake)
    first, second = alex.held
    alex.accept(first)
    assert alex.held == [second]
    assert alex.value("cues", ROOT, "cue_1/start") == '"11:30"'
    alex.check()


def test_what_was_applied_before_the_news_came_counts() -> None:
    """INV-MEMBER-3: the device that had applied it says so, and all agree."""
    alex, blake, casey = laptops("alex", "blake", "casey")
    blake.commit(start("11:00"))
    casey.pull(blake)  # and alex doesn't have it
    casey.commit(start("11:05"))
    alex.remove("blake")
    alex.meet(casey)
    assert alex.held == casey.held == []
    same(alex, casey)
    assert alex.records()[-1].hash == casey.records()[-1].hash
    blake.commit(start("12:00"))
    alex.pull(blake)
    casey.pull(alex)
    assert len(alex.held) == 1
    same(alex, casey)
    for one in (alex, casey):
        one.check()


def test_a_viewer_takes_back_what_it_had_applied() -> None:
    """INV-MEMBER-3: it may not count it in."""
    alex, blake, casey = laptops("alex", "blake", "casey", casey="viewer")
    blake.commit(start("11:00"))
    casey.pull(blake)
    alex.remove("blake")
    casey.meet(alex)
    assert len(casey.held) == len(alex.held) == 1
    same(alex, casey)
    casey.check()


def test_who_is_let_in_again_brings_it_all_back() -> None:
    alex, blake = laptops("alex", "blake")
    alex.remove("blake")
    blake.commit(start("11:30"))
    alex.pull(blake)
    assert alex.held
    alex.write("admit", member=member("blake"))
    assert alex.held == []
    assert alex.value("cues", ROOT, "cue_1/start") == '"11:30"'
    blake.meet(alex)
    blake.commit(start("12:30"))
    alex.pull(blake)
    same(alex, blake)
    alex.check()


def test_what_everybody_wrote_before_anything_was_founded_counts() -> None:
    time, chance = Time(), random.Random(5)
    alex, blake, casey = (Laptop(name, time=time, chance=chance) for name in ("alex", "blake", "casey"))
    alex.adopt(CUES)
    alex.commit(made())
    blake.pull(alex)
    blake.commit(start("11:00"))
    alex.pull(blake)
    blake.commit(start("11:15"))  # alex never saw it
    alex.write("found", member=member("alex", "owner"))
    alex.write("admit", member=member("blake"))
    alex.write("admit", member=member("casey"))
    join(casey, alex)
    same(alex, casey)
    blake.meet(alex)
    assert alex.value("cues", ROOT, "cue_1/start") == '"11:15"'
    same(alex, blake)
    blake.commit(start("11:30"))
    casey.meet(blake)
    same(casey, blake)


def test_nobody_has_seen_what_is_held() -> None:
    """INV-LOSS-2: written over while it was held, and let in later: both values stand."""
    alex, blake = laptops("alex", "blake")
    alex.remove("blake")
    blake.commit(start("11:30"))
    alex.pull(blake)
    alex.commit(start("12:00"))
    log = blake.committer.log
    assert log not in alex.bundles()[-1][1].deps
    alex.accept(*alex.held)
    (row,) = alex.conflicts("open")
    assert {one.value for one in alex.describe(row).candidates} == {"11:30", "12:00"}
    alex.check()


def walk(seed: int) -> Counter[str]:
    """Random work, then everything to everybody; what was done."""
    chance = random.Random(seed)
    names = ["alex", "blake", "casey", "drew"]
    all_ = laptops(*names, seed=seed, drew=chance.choice(["viewer", "editor", "owner"]))
    done: Counter[str] = Counter()
    for number in range(59):
        one, other = chance.sample(all_, 2)
        dice = chance.random()
        try:
            if dice < 0.45:
                one.commit(start(f"11:{number:02}", "cue_1"))
                done["edit"] += 1
            elif dice < 0.5:
                one.commit(made(f"cue_{10 + number}"))
            elif dice < 0.8:
                one.meet(other)
            elif dice < 0.86:
                all_[0].remove(other.name)
                done["remove"] += 1
            elif dice < 0.92:
                one.write("admit", member=member(other.name, chance.choice(["viewer", "editor"])))
            elif holding := [laptop for laptop in all_ if laptop.held]:
                reviewer = chance.choice(holding)
                reviewer.accept(chance.choice(reviewer.held))
                done["accept"] += 1
        except (Denied, NotFound):  # by those who may not, and of what they don't have
            continue
        finally:
            done["held"] = max(done["held"], *(len(laptop.held) for laptop in all_))
    for _round in range(4):
        for one in all_:
            for other in all_:
                one.learn(other)
        for one in all_:
            for other in all_:
                one.pull(other)
    assert len({tuple(record.hash for record in sorted(one.records(), key=lambda r: r.hash)) for one in all_}) == 1
    same(*all_)
    for one in all_:
        one.check()
    print(done)
    return done


@pytest.mark.parametrize("seed", range(12))
def test_random_histories_agree(seed: int) -> None:
    """INV-MEMBER-1, INV-CONVERGE-1: same bundles and same records, same state, in whatever order they came."""
    done = walk(seed)
    assert done["edit"], "nothing was tried"


def test_random_histories_hold_remove_and_accept() -> None:
    """What the walks are for does happen in them."""
    done = sum((walk(seed) for seed in range(20, 32)), Counter[str]())
    assert min(done[name] for name in ("edit", "remove", "held", "accept")) > 3, done
