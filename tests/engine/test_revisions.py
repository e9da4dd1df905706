"""Which revision a thing is: for exports that must say."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

from openprod.core.operations import AddEdge, CreateEntity, DeleteEntity, RestoreEntity, SetField
from openprod.core.schema import Edge, Facet, Field, Schema
from openprod.engine.workspace import Workspace
from openprod.plugin_api import Revision, Snapshot
from tests.engine.laptops import carry, identity, laptop
from tests.seeds import fresh

THINGS = Schema(
    plugin="things",
    version="1",
    facets={"thing": Facet(title="{name}", fields={"name": Field(), "size": Field(), "secret": Field()})},
    edges={"placed": Edge(source="thing", target="thing", cardinality="one")},
)
SHOWN = ("name", "size")


async def revision(workspace: Workspace, entity: str = "thing_1") -> Revision:
    written = await workspace.revisions(["things.thing"], ["things.placed"])
    snapshot = Snapshot("w", revisions=written)
    return snapshot.revision("things.thing", entity, SHOWN, ("things.placed", entity, ("to",)))


def sets(field: str, value: str | None, entity: str = "thing_1") -> SetField:
    return SetField(entity=entity, facet="things.thing", field=field, value=value)


def made(entity: str, **fields: str) -> CreateEntity:
    return CreateEntity(entity=entity, facets={"things.thing": fields})


def test_only_bundles_that_change_what_is_shown_count_and_each_once(tmp_path: Path) -> None:
    """INV-REVISION-1"""

    async def check() -> None:
        async with laptop(tmp_path / "alex", "alex", THINGS) as workspace:
            await workspace.commit([made("thing_1", name="Lamp"), made("thing_2", name="Box")])
            first = await revision(workspace)
            assert first.changes == 0
            assert first.at
            expected = 0
            for operations, counts in (
                ([sets("size", "3"), sets("name", "Light")], True),  # the first size is a change as well
                ([sets("size", "3")], False),
                ([sets("secret", "x")], False),
                ([sets("name", "Other", "thing_2")], False),
                ([DeleteEntity(entity="thing_1")], True),  # gone for whoever reads the export, and back
                ([RestoreEntity(entity="thing_1")], True),
                ([AddEdge(edge="things.placed", source="thing_1", target="thing_2")], True),
                ([sets("size", None)], True),
                ([sets("size", "3")], True),
            ):
                await workspace.commit(operations)
                expected += counts
                assert (await revision(workspace)).changes == expected, operations
            await workspace.undo()
            assert (await revision(workspace)).changes == expected + 1
            assert (await revision(workspace)).at >= first.at
            before = await revision(workspace)
            await workspace.rebuild()
            assert await revision(workspace) == before

    asyncio.run(check())


def test_what_two_made_apart_with_the_same_values_is_no_change_and_with_others_is(tmp_path: Path) -> None:
    """INV-REVISION-1"""

    async def check() -> None:
        async with laptop(tmp_path / "alex", "alex", THINGS) as alex:
            await alex.backup(tmp_path / "jordan")
            async with Workspace.open(tmp_path / "jordan", identity_=identity("jordan")) as jordan:
                await alex.commit([made("thing_1", name="Lamp"), made("thing_2", name="Box")])
                await jordan.commit([made("thing_1", name="Lamp"), made("thing_2", name="Crate")])
                await carry(alex, jordan, tmp_path)
                await carry(jordan, alex, tmp_path)
                for workspace in (alex, jordan):
                    assert (await revision(workspace)).changes == 0
                    assert (await revision(workspace, "thing_2")).changes == 1

    asyncio.run(check())


def test_it_never_falls_and_is_the_same_wherever_the_same_is_known(tmp_path: Path) -> None:
    """INV-REVISION-1"""
    seed = fresh("revisions")
    print(f"seed {seed}")
    made_by = random.Random(seed)

    async def check() -> None:
        async with laptop(tmp_path / "alex", "alex", THINGS) as alex:
            await alex.commit([made("thing_2", name="Box"), made("thing_3", name="Bag")])
            await alex.backup(tmp_path / "jordan")
            async with Workspace.open(tmp_path / "jordan", identity_=identity("jordan")) as jordan:
                laptops = {alex: Revision(), jordan: Revision()}
                made_on: set[Workspace] = set()
                for _ in range(60):
                    workspace = made_by.choice(list(laptops))
                    step = made_by.choice(["set", "set", "set", "place", "carry", "make"])
                    if step == "make" and workspace not in made_on:
                        await workspace.commit([made("thing_1", name=made_by.choice("ab"))])
                        made_on.add(workspace)
                    elif step == "carry":
                        other = next(one for one in laptops if one is not workspace)
                        await carry(workspace, other, tmp_path)
                        if workspace in made_on:
                            made_on.add(other)
                    elif step == "set" and workspace in made_on:
                        await workspace.commit([sets(made_by.choice(("name", "size")), made_by.choice("abc"))])
                    elif step == "place" and workspace in made_on:
                        target = made_by.choice(["thing_2", "thing_3"])
                        await workspace.commit([AddEdge(edge="things.placed", source="thing_1", target=target)])
                    for one, before in laptops.items():
                        now = await revision(one)
                        assert now.changes >= before.changes
                        assert now.at >= before.at
                        laptops[one] = now
                await carry(alex, jordan, tmp_path)
                await carry(jordan, alex, tmp_path)
                assert await revision(alex) == await revision(jordan)

    asyncio.run(check())
