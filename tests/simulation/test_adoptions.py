"""Three laptops adopt, migrate, drop, edit, type, draw, merge, decide and take back apart, and meet at random."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest

from openprod.core.operations import EditText, MergeEntities, SplitEntity
from openprod.core.schema import Edge, Field
from openprod.engine.commit import Committer
from openprod.engine.drafts import Writes
from openprod.engine.lower import Lowering
from openprod.errors import InvalidOperation, NotFound, Stale
from openprod.yjs import layout
from openprod.yjs.documents import Write
from tests.engine.replica import Replica, Time
from tests.engine.test_adopting import ONE, THING, made, version
from tests.seeds import fresh

NEAR = Edge(label="near", properties={"feet": Field(type="integer", label="feet"), "why": Field(label="why")})
FIRST = msgspec.structs.replace(ONE, edges={"near": NEAR})
SCHEMAS = [
    FIRST,
    version("2", size=Field(type="number")),
    version("3", size=Field(type="string")),
    msgspec.structs.replace(FIRST, version="4", facets={"thing": msgspec.structs.replace(THING, unique=(("size",),))}),
    version("5", size=None),
    msgspec.structs.replace(version("6", size=None, length=Field(was=("size",))), edges={"near": NEAR}),
    msgspec.structs.replace(FIRST, version="7", facets={}, edges={}),
    msgspec.structs.replace(FIRST, version="8", edges={"near": Edge(label="near", properties={"why": Field()})}),
]
MOVES = [
    "adopt",
    "migrate",
    "drop",
    "edit",
    "edit",
    "draw",
    "resolve",
    "resolve",
    "undo",
    "redo",
    "pull",
    "stick",
    "type",
    "type",
    "merge",
    "split",
]


class World:
    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.replicas = [Replica(name, time=Time(), chance=self.chance) for name in ("alex", "jordan", "kim")]
        self.replicas[0].adopt(FIRST)
        self.replicas[0].commit(made("thing_1", name="Lamp", size=3), made("thing_2", name="Fan"), made("thing_3"))
        for other in self.replicas[1:]:
            other.pull(self.replicas[0])

    def write(self, replica: Replica, *writes: tuple[str, str, str, Any], intent: str = "edit") -> None:
        """Whatever the schema in force says."""

        def plan(committer: Committer) -> dict[str, list[Write]]:
            lowering = Lowering(committer)
            for one in writes:
                lowering.write(*one)
            return lowering.plan()

        replica.one(Writes(plan=plan, actor=replica.actor, intent=intent))

    def move(self) -> None:
        replica, chance = self.chance.choice(self.replicas), self.chance
        try:
            match chance.choice(MOVES):
                case "adopt":
                    replica.adopt(chance.choice(SCHEMAS))
                case "migrate":
                    adopted = (layout.CORE, layout.ADOPTION_ROOT, "things", chance.choice(SCHEMAS).to_record())
                    self.write(replica, adopted, self.value(), intent="migrate")
                case "drop":
                    self.write(replica, (layout.CORE, layout.ADOPTION_ROOT, "things", None), intent="adopt")
                case "edit":
                    self.write(replica, self.value())
                case "draw":
                    self.write(replica, *self.edge())
                case "resolve":
                    self.resolve(replica)
                case "type":
                    entity, word = self.thing(), chance.choice(["a ", "bee ", "see "])
                    replica.commit(EditText(entity=entity, facet="things.thing", field="notes", index=0, insert=word))
                case "merge":
                    replica.commit(MergeEntities(survivor=self.thing(), absorbed=self.thing()))
                case "split":
                    replica.commit(SplitEntity(entity=self.thing()))
                case "undo":
                    replica.undo()
                case "redo":
                    replica.redo()
                case "pull":
                    replica.pull(chance.choice(self.replicas))
                case "stick":
                    bundles = chance.choice(self.replicas).bundles()
                    replica.merge(bundles[: chance.randrange(len(bundles) + 1)])
        except (InvalidOperation, NotFound, Stale):
            pass

    def thing(self) -> str:
        return self.chance.choice(["thing_1", "thing_2", "thing_3"])

    def value(self) -> tuple[str, str, str, Any]:
        field, values = self.chance.choice(
            [("name", ["Lamp", "Fan"]), ("size", [3, 4, "3", None]), ("length", [3, 7, None])]
        )
        entity = self.thing()
        return "things", "things.thing", f"{entity}/{field}", self.chance.choice(values)

    def edge(self) -> list[tuple[str, str, str, Any]]:
        target = self.chance.choice(["thing_1", "thing_2", None])
        values = {"near_1": target and True, "near_1/from": "thing_1", "near_1/to": target}
        for name, kinds in (("feet", [3, 4, "x", None]), ("why", ["so", None])):
            if self.chance.random() < 0.5:
                values[f"near_1/{name}"] = self.chance.choice(kinds)
        return [("things", "edge:things.near", key, value) for key, value in values.items()]

    def resolve(self, replica: Replica) -> None:
        rows = replica.conflicts("open")
        if not rows:
            return
        row = self.chance.choice(rows)
        described = replica.describe(row)
        known = [one.version for one in described.candidates if one.known]
        if row.kind == "edit-delete":
            receipt = replica.resolve(row.id, value=self.chance.random() < 0.5)
        elif known and (row.kind in ("schema", "cardinality") or self.chance.random() < 0.6):
            receipt = replica.resolve(row.id, choose=self.chance.choice(known), heads=described.heads)
        else:
            receipt = replica.resolve(row.id, value=self.chance.choice([None, 3, 5]), heads=described.heads)
        assert receipt.bundle
        now = replica.storage.conflict(row.id)
        assert now is None or now.status != "open" or now.heads != row.heads, (row, now)

    def meet(self) -> None:
        for _ in range(2):
            for replica in self.replicas:
                for other in self.replicas:
                    if other is not replica:
                        replica.pull(other)


@pytest.mark.parametrize("number", range(60))
def test_replicas_agree_whatever_order_adoptions_and_decisions_come_in(number: int) -> None:
    """INV-CONVERGE-1, INV-REPLAY-1, INV-EVOLVE-3"""
    seed = fresh(f"adoptions.{number}")
    walk(seed)


def walk(seed: int) -> None:
    world = World(seed)
    for _ in range(40):
        world.move()
    world.meet()
    tables = world.replicas[0].tables()
    for replica in world.replicas[1:]:
        assert replica.hash() == world.replicas[0].hash(), seed
        assert replica.tables() == tables, seed
    for replica in world.replicas:
        replica.committer.rebuild()
        assert replica.tables() == tables, seed
