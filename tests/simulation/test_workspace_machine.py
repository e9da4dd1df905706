"""The simulated world, walked by Hypothesis and by seeds.

What must hold is written down in docs/INVARIANTS.md; the world checks it after every few moves and at the end:
INV-LOSS-1, INV-LOSS-2, INV-SHOWN-1, INV-SHOWN-2, INV-CONFLICT-1, INV-CONFLICT-2, INV-CONVERGE-1, INV-REPLAY-1,
INV-RESTART-1, INV-ATOMIC-1, INV-TEXT-1.
``OPENPROD_SOAK=N`` walks N seeds more, of OPENPROD_SOAK_STEPS moves each.
"""

from __future__ import annotations

import os
import secrets

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.seeds import fresh
from tests.simulation.long_run import PROSE, walk
from tests.simulation.world import ENTITIES, FIELDS, OUTSIDERS, REPLICAS, VALUES, World

replicas = st.sampled_from(REPLICAS)
outsiders = st.sampled_from(OUTSIDERS)
entities = st.sampled_from(ENTITIES)
places = st.sampled_from([(facet, field) for facet, fields in FIELDS.items() for field in fields])
values = st.sampled_from(VALUES)
small = st.integers(0, 5)
words = st.sampled_from(PROSE)


class WorkspaceMachine(RuleBasedStateMachine):
    world: World

    @initialize(seed=st.integers(0, 2**32 - 1))
    def begin(self, seed: int) -> None:
        self.world = World(seed)
        self.steps = 0

    @rule(name=replicas, entity=entities, place=places, value=values)
    def edit(self, name: str, entity: str, place: tuple[str, str], value: object) -> None:
        self.world.set_field(name, entity, *place, value)

    @rule(name=replicas, entity=entities)
    def create(self, name: str, entity: str) -> None:
        self.world.create(name, entity)

    @rule(name=replicas, entity=entities)
    def delete(self, name: str, entity: str) -> None:
        self.world.delete(name, entity)

    @rule(name=replicas, entity=entities)
    def restore(self, name: str, entity: str) -> None:
        self.world.restore_entity(name, entity)

    @rule(name=replicas, entity=entities)
    def attach(self, name: str, entity: str) -> None:
        self.world.attach(name, entity)

    @rule(name=replicas, entity=entities, facet=st.sampled_from(sorted(FIELDS)))
    def detach(self, name: str, entity: str, facet: str) -> None:
        self.world.detach(name, entity, facet)

    @rule(name=replicas, entity=entities, at=small, delete=small, insert=words)
    def edit_text(self, name: str, entity: str, at: int, delete: int, insert: str) -> None:
        self.world.edit_text(name, entity, at, delete, insert)

    @rule(outsider=outsiders, entity=entities, at=small, delete=small, insert=words)
    def outside_type(self, outsider: str, entity: str, at: int, delete: int, insert: str) -> None:
        self.world.outside_type(outsider, entity, at, delete, insert)

    @rule(name=replicas)
    def undo(self, name: str) -> None:
        self.world.undo(name)

    @rule(name=replicas)
    def redo(self, name: str) -> None:
        self.world.redo(name)

    @rule(name=replicas, which=small, side=st.integers(-1, 3))
    def resolve(self, name: str, which: int, side: int) -> None:
        self.world.resolve(name, which, side, "12:00")

    @rule(name=replicas, which=small, own=st.sampled_from(["12:15", "12:30"]))
    def revise(self, name: str, which: int, own: str) -> None:
        self.world.revise(name, which, own)

    @rule(name=replicas, which=small)
    def reopen(self, name: str, which: int) -> None:
        self.world.reopen(name, which)

    @rule(name=replicas, gently=st.booleans())
    def go_down(self, name: str, gently: bool) -> None:
        if gently:
            self.world.stop(name)
        else:
            self.world.crash(name)

    @rule(name=replicas, after=st.integers(0, 8), entity=entities)
    def disk_fails(self, name: str, after: int, entity: str) -> None:
        self.world.disk_fails(name, after, entity)

    @rule(name=replicas)
    def take_backup(self, name: str) -> None:
        self.world.take_backup(name)

    @rule(name=replicas)
    def restore_backup(self, name: str) -> None:
        self.world.restore_backup(name)

    @rule(name=replicas, seconds=st.sampled_from([-86400, -5, 30, 86400]))
    def clock_jumps(self, name: str, seconds: int) -> None:
        self.world.jump(name, seconds)

    @rule(pair=st.permutations(REPLICAS), most=st.none() | st.integers(1, 5), shuffle=st.booleans())
    def merge(self, pair: list[str], most: int | None, shuffle: bool) -> None:
        self.world.pull(pair[0], pair[1], most=most, shuffle=shuffle)

    @rule(outsider=outsiders, name=replicas)
    def come_back(self, outsider: str, name: str) -> None:
        self.world.dial(outsider, name)

    @rule(outsider=outsiders)
    def go_away(self, outsider: str) -> None:
        self.world.hang_up(outsider)

    @rule(outsider=outsiders)
    def answer(self, outsider: str) -> None:
        self.world.answer(outsider)

    @rule(outsider=outsiders, most=st.integers(1, 4))
    def send(self, outsider: str, most: int) -> None:
        self.world.send(outsider, most)

    @rule(outsider=outsiders, most=st.integers(1, 5))
    def read(self, outsider: str, most: int) -> None:
        self.world.read(outsider, most)

    @rule(outsider=outsiders, entity=entities, place=places, value=values)
    def edit_outside(self, outsider: str, entity: str, place: tuple[str, str], value: object) -> None:
        self.world.outside_set(outsider, entity, *place, value)

    @rule(outsider=outsiders, entity=entities, place=places)
    def remove_outside(self, outsider: str, entity: str, place: tuple[str, str]) -> None:
        self.world.outside_remove(outsider, entity, *place)

    @rule(outsider=outsiders, entity=entities, value=st.sampled_from([True, None]))
    def mark_outside(self, outsider: str, entity: str, value: object) -> None:
        self.world.outside_mark(outsider, entity, value)

    @rule(outsider=outsiders)
    def reload(self, outsider: str) -> None:
        self.world.reload(outsider)

    @rule(outsider=outsiders, entity=entities, which=st.integers(0, 50))
    def forge(self, outsider: str, entity: str, which: int) -> None:
        self.world.forge(outsider, entity, which)

    @invariant()
    def holds(self) -> None:
        self.steps += 1
        if self.steps % 4 == 0:
            self.world.check(REPLICAS[self.steps // 4 % len(REPLICAS)])

    def teardown(self) -> None:
        if hasattr(self, "world"):
            for name in REPLICAS:
                self.world.check(name)
                self.world.check_replay(name)
            self.world.check_settled()
            self.world.check_converged(shuffle=True)


TestWorkspaceMachine = WorkspaceMachine.TestCase
TestWorkspaceMachine.settings = settings(
    max_examples=150, stateful_step_count=50, deadline=None, suppress_health_check=list(HealthCheck)
)

# Each of these found something once.
FOUND = [
    (0, 150), (2, 150), (5, 150), (6, 150), (8, 150), (13, 150), (15, 150), (24, 150), (32, 150), (38, 150),
    (49, 150), (67, 150), (77, 150), (108, 150), (126, 150), (136, 150), (242, 150), (267, 150), (267, 250),
    (291, 150), (313, 300), (322, 300), (362, 300), (430, 300), (494, 200),
]  # fmt: skip


@pytest.mark.parametrize(("seed", "steps"), FOUND)
def test_seeds_that_found_something(seed: int, steps: int) -> None:
    walk(seed, steps)


@pytest.mark.parametrize(("seed", "steps"), [(1020, 150), (1077, 150), (1095, 200), (1098, 200), (5206, 300)])
def test_relations(seed: int, steps: int) -> None:
    walk(seed, steps, edges=True)


@pytest.mark.parametrize("seed", [1020, 1077, 1095])
def test_texts(seed: int) -> None:
    walk(seed, 200, texts=True, edges=True)


@pytest.mark.parametrize("seed", [779568809, 779568841])
def test_typing_against_deletions(seed: int) -> None:
    """INV-CONVERGE-1: whichever came first, the text, the marker or who marked it again."""
    walk(seed, 300, texts=True, edges=True)


@pytest.mark.parametrize(("seed", "steps"), [(10, 150), (2010010407, 120), (100013, 200), (100171, 200), (100435, 200)])
def test_prose(seed: int, steps: int) -> None:
    walk(seed, steps, prose=True)


def test_decisions_undone_after_what_followed_them() -> None:
    walk(400002, 300, texts=True)
    walk(600113, 300, texts=True, edges=True)


def test_fresh_prose() -> None:
    base = fresh("workspace_machine.fresh_prose")
    print(f"seeds {base}…{base + 19}, prose")
    for seed in range(base, base + 20):
        walk(seed, 120, prose=True)


def test_fresh_seeds() -> None:
    base = fresh("workspace_machine.fresh_seeds")
    print(f"seeds {base}…{base + 59}")
    for seed in range(base, base + 60):
        walk(seed, 120, edges=bool(seed % 2), texts=bool(seed % 3))


@pytest.mark.skipif("OPENPROD_SOAK" not in os.environ, reason="only when asked for: OPENPROD_SOAK=N")
def test_soak() -> None:
    base = secrets.randbits(31)
    steps = int(os.environ.get("OPENPROD_SOAK_STEPS", "400"))
    for seed in range(base, base + int(os.environ["OPENPROD_SOAK"])):
        print(f"seed {seed}, {steps} steps")
        walk(seed, steps, edges=bool(seed % 2), texts=bool(seed % 3), prose=seed % 4 == 0)
