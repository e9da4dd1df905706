"""Native peers on a network that fails: INV-PEER-1 to INV-PEER-6, and INV-RESTART-1, over seeded walks.

``OPENPROD_SOAK=N`` walks N seeds more.
"""

from __future__ import annotations

import os
import secrets

import pytest

from openprod.core.operations import SetField
from tests.seeds import fresh
from tests.simulation.peers_walk import walk
from tests.simulation.peers_world import HUB, PeersWorld

# Each of these found something once.
FOUND = [
    0, 25, 55, 87, 91, 114, 122, 137, 143, 172, 1028, 1126, 1225, 1230, 10155, 10164, 10236, 10365, 10540, 20262, 21704,
    30134, 32216, 75322314, 1877196578,
]  # fmt: skip
FOUND_WITH_A_HUB = [(1787670609, 40), (1681320901, 40), (455532801, 90), (88200003, 40)]


@pytest.mark.parametrize("seed", FOUND)
def test_seeds_that_found_something(seed: int) -> None:
    walk(seed)


@pytest.mark.parametrize(("seed", "steps"), FOUND_WITH_A_HUB)
def test_seeds_that_found_something_with_a_hub(seed: int, steps: int) -> None:
    """INV-PEER-4: a laptop that wakes between two halves goes on with one, and carries neither over to the other; one
    that was about to go on without asking doesn't, once that gathering has ended.
    INV-PEER-5: who came between two gatherings of a hub is in the next.
    """
    walk(seed, steps, hub=True)


@pytest.mark.parametrize("part", range(10))
def test_fresh_seeds(part: int) -> None:
    """INV-PEER-1 INV-PEER-2 INV-PEER-3 INV-PEER-4 INV-PEER-5 INV-PEER-6 INV-HUB-1; with a hub, every third"""
    base = fresh(f"peers.fresh_seeds {part}")
    print(f"part {part}: seeds {base}…{base + 19}")
    for seed in range(base, base + 20):
        print(f"seed {seed}")
        walk(seed, hub=bool(seed % 3 == 0))


@pytest.mark.skipif("OPENPROD_SOAK" not in os.environ, reason="only when asked for: OPENPROD_SOAK=N")
def test_soak() -> None:
    base = secrets.randbits(31)
    for seed in range(base, base + int(os.environ["OPENPROD_SOAK"])):
        print(f"seed {seed}")
        walk(seed, 80, hub=bool(seed % 2))


def test_the_same_seed_is_the_same_walk() -> None:
    traces: list[list[str]] = [[], []]
    for trace in traces:
        walk(7, trace=trace)
    assert traces[0] == traces[1]
    assert len(traces[0]) > 50


# -- stories -----------------------------------------------------------------------------------------------


def edits(world: PeersWorld, name: str, count: int, field: str = "label") -> None:
    for number in range(count):
        value = f"{10 + number}:{len(name)}0" if field == "start" else f"{name} {number}"
        assert world.set_field(name, "cue_1", field, value)


def held(world: PeersWorld) -> dict[str, int]:
    return {name: len(node.bundles()) for name, node in world.nodes.items()}


def test_edits_travel_at_once() -> None:
    world = PeersWorld(1)
    world.delay_ms = 10
    edits(world, "blake", 5)
    world.run(100)
    assert len(set(held(world).values())) == 1
    node = world.nodes["blake"]
    log = node.replica.committer.log
    world.run(7_000)
    assert node.peer.spread(log, 5) == (True, 2)
    assert node.peer.spread(log, 6) == (False, 0)


def test_a_killed_leader_is_followed_by_the_oldest_and_does_not_fight_when_it_comes_back() -> None:
    """INV-PEER-5"""
    world = PeersWorld(2)
    assert world.leaders() == ["alex"]
    world.yes = 0.0
    world.crash("alex")
    edits(world, "blake", 1)
    edits(world, "casey", 1, "start")
    world.run(9_000)
    oldest = world.leaders()
    assert len(oldest) == 1
    assert oldest != ["alex"]
    assert held(world)["blake"] == held(world)["casey"], "nobody stopped, nothing was lost"
    before = held(world)
    world.run(10_000)
    assert held(world) == before, "INV-PEER-4: it is asked about, and nobody has said yes"
    world.settle(20_000)
    assert world.leaders() == oldest
    world.check_settled()


@pytest.mark.parametrize("delay_ms", [400, 900, 1_200, 1_600])
def test_where_everything_takes_long_one_follows_all_the_same(delay_ms: int) -> None:
    """INV-PEER-5: two that are still greeting each other when the leader is gone don't both lead."""
    for seed in range(8):
        world = PeersWorld(seed)
        world.delay_ms = delay_ms
        asked = world.asked
        world.crash("alex")
        world.sleep("alex", 60_000)
        world.run(12_000)
        blake, casey = world.nodes["blake"].peer.election, world.nodes["casey"].peer.election
        assert blake.leader == casey.leader, f"seed {seed}"
        assert (blake.role.value, casey.role.value) in (("leader", "follower"), ("follower", "leader")), f"seed {seed}"
        assert world.asked == asked, f"seed {seed}"


def test_a_short_drop_goes_on_without_asking_and_a_split_asks() -> None:
    """INV-PEER-4"""
    world = PeersWorld(3)
    asked = world.asked
    world.cut({"casey": 1})
    edits(world, "casey", 2)
    world.run(5_000)
    world.heal()
    world.run(15_000)
    assert world.asked == asked
    assert len(set(held(world).values())) == 1
    world.yes = 0.0
    world.cut({"casey": 1})
    world.run(20_000)
    edits(world, "casey", 3)
    edits(world, "blake", 2, "start")
    world.run(1_000)
    before = held(world)
    world.heal()
    world.run(20_000)
    assert world.asked > asked
    assert held(world) == before, "declined: nothing moves"
    assert len(world.leaders()) == 2
    world.settle(40_000)
    world.check_settled()


def test_the_plan_tells_what_comes() -> None:
    """INV-PLAN-1 for the network: the conflicts that it foretells are those that come."""
    world = PeersWorld(4, ("alex", "blake"))
    world.run(3_000)
    world.cut({"blake": 1})
    world.run(20_000)
    for name in ("alex", "blake"):
        edits(world, name, 2)  # the same field, differently: one conflict
        assert world.set_field(name, "cue_1", "start", "10:00")  # the same value: none
    assert world.edit("alex", SetField(entity="cue_1", facet="cues.cue", field="end", value="11:00"))
    plans = []
    serve = world._ask
    world._ask = lambda node, number, ask: (plans.append((node.name, ask.coming)), serve(node, number, ask))[1]  # type: ignore[method-assign]
    world.settle(30_000)
    coming = dict(plans)
    assert {name: (one.bundles, one.sends, one.conflicts) for name, one in coming.items()} == {
        "alex": (3, 4, 1), "blake": (4, 3, 1),
    }  # fmt: skip
    assert [(author.name, author.bundles) for author in coming["alex"].authors] == [("Blake", 3)]
    world.check_settled()
    assert len(world.nodes["alex"].replica.conflicts("open")) == 1


def test_a_leader_that_slept_steps_down() -> None:
    """INV-PEER-5"""
    world = PeersWorld(5)
    world.sleep("alex", 20_000)
    world.run(19_000)
    (leader,) = [name for name in world.leaders() if name != "alex"]
    world.run(20_000)
    assert world.leaders() == [leader]
    assert world.nodes["alex"].peer.election.leader == world.nodes[leader].device


def test_a_planned_leave_hands_over_at_once() -> None:
    world = PeersWorld(6)
    world.leave("alex")
    world.run(1_000)
    assert len(world.leaders()) == 1
    assert world.leaders() != ["alex"]
    assert not world.nodes["alex"].peer.gathering


def test_end_closes_the_gathering_for_all() -> None:
    world = PeersWorld(7)
    before = held(world)
    node = world.nodes["alex"]
    world.do(node, node.peer.end(node.now))
    world.run(3_000)
    assert [one.peer.gathering for one in world.nodes.values()] == ["", "", ""]
    assert held(world) == before


def test_an_older_copy_writes_another_log_as_soon_as_it_meets_its_own() -> None:
    """INV-PEER-3"""
    world = PeersWorld(8)
    world.take_backup("blake")
    edits(world, "blake", 3)
    world.run(1_000)
    before = world.nodes["blake"].replica.committer.log
    world.restore_backup("blake", knows=False)
    world.run(500)
    world.yes = 0.0
    world.run(8_000)
    assert world.nodes["blake"].replica.committer.log != before, "before anything is approved, and before it writes"
    edits(world, "blake", 2)
    world.settle()
    world.check_settled()
    assert not any(node.forks for node in world.nodes.values())


def test_a_copy_that_wrote_on_forks_its_log_and_both_histories_are_kept() -> None:
    """INV-PEER-3"""
    world = PeersWorld(9)
    world.take_backup("blake")
    edits(world, "blake", 3)
    world.run(1_000)
    world.cut({"blake": 1})
    world.restore_backup("blake", knows=False)
    log = world.nodes["blake"].replica.committer.log
    edits(world, "blake", 2, "start")
    world.settle()
    world.check_settled()
    assert world.nodes["blake"].replica.committer.log != log
    for node in world.nodes.values():
        assert node.forks == [log], "flagged, on every device"
        values = node.replica.registers()
        assert values["cues", "cues.cue", "cue_1/start"] == '"11:50"'
        assert values["cues", "cues.cue", "cue_1/label"] == '"blake 2"'
    edits(world, "blake", 1)
    world.run(2_000)
    world.check_settled()


# -- with a hub --------------------------------------------------------------------------------------------


def test_laptops_that_nobody_can_call_meet_at_the_hub() -> None:
    """INV-HUB-1 INV-PEER-1"""
    world = PeersWorld(10, ("alex", "blake", HUB), behind=True)
    assert world.leaders() == ["alex"]
    edits(world, "blake", 3)
    edits(world, "alex", 2, "start")
    world.run(3_000)
    assert len(set(held(world).values())) == 1
    assert {frozenset(wire.ends) for wire in world.wires.values()} == {
        frozenset({"alex", HUB}), frozenset({"blake", HUB}),
    }  # fmt: skip
    assert len(world.nodes["alex"].peer.election.roster) == 3, "told of by the hub"
    world.check_settled()


def test_laptops_that_are_never_there_together_exchange_through_the_hub() -> None:
    """INV-HUB-1 INV-PEER-1: also one that was started again meanwhile."""
    world = PeersWorld(11, ("alex", "blake", HUB))
    world.leave("blake")
    edits(world, "alex", 4)
    world.run(2_000)
    world.leave("alex")
    world.run(2_000)
    world.crash(HUB)
    world.run(2_000)
    assert world.leaders() == []
    asked = world.asked
    world.join("blake")
    world.run(12_000)
    assert world.asked == asked, "nobody is there to be asked, and who joins has said so"
    assert world.leaders() == ["blake"], "the hub hands it on"
    assert held(world)["blake"] == held(world)["alex"] == held(world)[HUB]


def test_a_hub_that_is_started_again_goes_on_without_asking() -> None:
    """INV-HUB-1 INV-PEER-4"""
    world = PeersWorld(12, ("alex", "blake", HUB))
    asked, resumes = world.asked, world.resumes
    edits(world, "alex", 1)
    world.crash(HUB)
    edits(world, "blake", 1)
    world.run(10_000)
    assert world.asked == asked
    assert world.resumes > resumes
    assert world.leaders() == ["alex"]
    assert len(set(held(world).values())) == 1
    world.check_settled()
