"""Fields that were called otherwise: both keys are read, the new one is written, and neither peer's word is lost."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pycrdt import Map

from openprod.core.bundles import Actor
from openprod.core.concepts import ConceptField
from openprod.core.operations import (
    AssertSame,
    BindFacet,
    ClearField,
    CreateEntity,
    DefineConcept,
    DeleteEntity,
    MergeEntities,
    RestoreEntity,
    SetField,
    SplitEntity,
)
from openprod.core.schema import Facet, Field, Schema
from openprod.engine.commit import Committer
from openprod.engine.drafts import Writes
from openprod.engine.lower import Lowering
from openprod.engine.workspace import Workspace
from openprod.errors import InvalidOperation, NotFound, Stale
from openprod.yjs.documents import Write
from tests.engine.laptops import Program, carry, identity, laptop
from tests.engine.replica import Replica, Time

FACET = "things.thing"
OLD = Schema(
    plugin="things",
    version="1",
    facets={
        "thing": Facet(
            label="Thing",
            title="{name}",
            unique=(("name",),),
            fields={"name": Field(label="name"), "size": Field(type="integer", label="size")},
        )
    },
)
NEW = Schema(
    plugin="things",
    version="2",
    facets={
        "thing": Facet(
            label="Thing",
            title="{title}",
            unique=(("title",),),
            fields={
                "title": Field(label="title", was=("name",)),
                "size": Field(type="integer", label="size"),
            },
        )
    },
)
NEWER = msgspec.structs.replace(
    NEW,
    version="3",
    facets={
        "thing": msgspec.structs.replace(
            NEW.facets["thing"],
            title="{heading}",
            unique=(("heading",),),
            fields={"heading": Field(label="heading", was=("title", "name")), "size": Field(type="integer")},
        )
    },
)


def made(entity: str, **fields: Any) -> CreateEntity:
    return CreateEntity(entity=entity, facets={FACET: fields})


def sets(entity: str, field: str, value: Any) -> SetField:
    return SetField(entity=entity, facet=FACET, field=field, value=value)


async def keys(workspace: Workspace, entity: str = "thing_1") -> dict[str, Any]:
    """What an outside program finds under the keys of the thing."""
    program = Program("reader", 4_000, document="things")
    await program.sync(workspace)
    found = program.doc.get(FACET, type=Map)
    prefix = f"{entity}/"
    return {key.removeprefix(prefix): found[key] for key in found if key.startswith(prefix) and found[key] is not None}


async def titles(workspace: Workspace) -> dict[str, Any]:
    found = await workspace.query({"facet": FACET, "fields": ["title"]})
    rows = {row[0]: row[1] for row in found["rows"]}
    assert rows == {entity: fields["title"] for entity, fields in (await workspace.rows(FACET)).items()}
    return rows


@asynccontextmanager
async def renamed(tmp_path: Path) -> AsyncIterator[Workspace]:
    """A lamp made under the old name, then the new schema."""
    async with laptop(tmp_path / "w", "sam", OLD) as workspace:
        await workspace.commit([made("thing_1", name="Lamp", size=3)])
        await workspace.adopt([NEW])
        yield workspace


def test_the_old_value_is_shown_under_the_new_name_everywhere(tmp_path: Path) -> None:
    """INV-RENAME-1"""

    async def check() -> None:
        async with renamed(tmp_path) as workspace:
            assert await titles(workspace) == {"thing_1": "Lamp"}
            entity = await workspace.entity("thing_1")
            assert entity["title"] == "Thing Lamp"
            assert entity["facets"][FACET] == {"title": "Lamp", "size": 3}
            assert await keys(workspace) == {"name": "Lamp", "size": 3}
            found = await workspace.query({"facet": FACET, "where": {"title": "Lamp"}})
            assert [row[0] for row in found["rows"]] == ["thing_1"]
            history = await workspace.history("thing_1")
            assert {field["label"] for field in history["fields"]} >= {"title", "size"}
            # Told apart by the value, whichever key it is under.
            await workspace.commit([made("thing_2", title="Lamp")])
            [duplicate] = await workspace.conflicts()
            assert (duplicate.kind, duplicate.field) == ("duplicate", "title")
            assert "title Lamp" in duplicate.sentence
            await workspace.resolve(duplicate.id, value={"thing_1": {"title": "Fan"}})
            assert await workspace.conflicts() == []
            assert await titles(workspace) == {"thing_1": "Fan", "thing_2": "Lamp"}
            assert await workspace.rebuild() == await workspace.state_hash()

    asyncio.run(check())


def test_a_write_goes_to_the_new_key_and_programs_that_know_the_old_one_see_it(tmp_path: Path) -> None:
    async def check() -> None:
        async with renamed(tmp_path) as workspace:
            await workspace.commit([sets("thing_1", "title", "Lantern")])
            assert await keys(workspace) == {"title": "Lantern", "name": "Lantern", "size": 3}
            assert await titles(workspace) == {"thing_1": "Lantern"}
            await workspace.undo()
            assert await titles(workspace) == {"thing_1": "Lamp"}
            await workspace.redo()
            assert await titles(workspace) == {"thing_1": "Lantern"}
            await workspace.commit([ClearField(entity="thing_1", facet=FACET, field="title")])
            assert await titles(workspace) == {"thing_1": None}
            await workspace.undo()
            assert await titles(workspace) == {"thing_1": "Lantern"}
            # Somebody whose plugin is older still says it with the old name.
            await workspace.commit([sets("thing_1", "name", "Torch")])
            assert await titles(workspace) == {"thing_1": "Torch"}
            await workspace.commit([made("thing_2", name="Fan")])
            assert await keys(workspace, "thing_2") == {"title": "Fan"}
            await workspace.commit([DeleteEntity(entity="thing_1")])
            await workspace.commit([RestoreEntity(entity="thing_1")])
            assert await titles(workspace) == {"thing_1": "Torch", "thing_2": "Fan"}
            assert await workspace.conflicts() == []
            assert await workspace.rebuild() == await workspace.state_hash()

    asyncio.run(check())


def test_clearing_what_is_only_under_the_old_key(tmp_path: Path) -> None:
    async def check() -> None:
        async with renamed(tmp_path) as workspace:
            await workspace.commit([ClearField(entity="thing_1", facet=FACET, field="title")])
            assert await titles(workspace) == {"thing_1": None}
            await workspace.undo()
            assert await titles(workspace) == {"thing_1": "Lamp"}
            assert await workspace.conflicts() == []

    asyncio.run(check())


def test_renamed_again(tmp_path: Path) -> None:
    async def check() -> None:
        async with renamed(tmp_path) as workspace:
            await workspace.commit([made("thing_2", title="Fan")])
            await workspace.adopt([NEWER])
            rows = await workspace.rows(FACET)
            assert {entity: fields["heading"] for entity, fields in rows.items()} == {
                "thing_1": "Lamp", "thing_2": "Fan",
            }  # fmt: skip
            await workspace.commit([sets("thing_1", "heading", "Fan")])
            assert [one.kind for one in await workspace.conflicts()] == ["duplicate"]
            assert await keys(workspace) == {"heading": "Fan", "name": "Fan", "size": 3}
            assert await workspace.rebuild() == await workspace.state_hash()

    asyncio.run(check())


def test_a_program_that_knows_the_old_key_goes_on_editing(tmp_path: Path) -> None:
    async def check() -> None:
        async with renamed(tmp_path) as workspace:
            desk = Program("kim", 60, document="things")
            await desk.sync(workspace)
            await desk.send(workspace, desk.keys({"thing_1/name": "Candle"}, root=FACET))
            assert await titles(workspace) == {"thing_1": "Candle"}
            await workspace.commit([sets("thing_1", "title", "Lantern")])
            await desk.sync(workspace)
            await desk.send(workspace, desk.keys({"thing_1/name": "Torch"}, root=FACET))
            assert await titles(workspace) == {"thing_1": "Torch"}
            await desk.send(workspace, desk.keys({"thing_3": True, "thing_3/name": "Fan"}, root=FACET))
            assert await titles(workspace) == {"thing_1": "Torch", "thing_3": "Fan"}
            assert await workspace.conflicts() == []

    asyncio.run(check())


def test_a_program_that_did_not_see_the_new_value_is_a_conflict(tmp_path: Path) -> None:
    """INV-RENAME-2"""

    async def check() -> None:
        async with renamed(tmp_path) as workspace:
            desk = Program("kim", 60, document="things")
            await desk.sync(workspace)
            late = desk.keys({"thing_1/name": "Torch"}, root=FACET)
            await workspace.commit([sets("thing_1", "title", "Lantern")])
            await desk.send(workspace, late)
            [conflict] = await workspace.conflicts()
            assert {one.value for one in conflict.candidates} == {"Torch", "Lantern"}
            assert (conflict.entity, conflict.facet, conflict.field) == ("thing_1", FACET, "title")
            assert "Sam set Lantern" in conflict.sentence
            assert "Kim set Torch" in conflict.sentence

    asyncio.run(check())


def test_a_program_that_writes_all_keys_has_seen_what_it_replaces(tmp_path: Path) -> None:
    """As the page does. One that writes the new key alone can't be told from one that didn't see the value."""

    async def check() -> None:
        async with renamed(tmp_path) as workspace:
            await workspace.commit([made("thing_2", name="Fan")])
            desk = Program("kim", 60, document="things")
            await desk.sync(workspace)
            await desk.send(workspace, desk.keys({"thing_1/title": "Torch", "thing_1/name": "Torch"}, root=FACET))
            assert await titles(workspace) == {"thing_1": "Torch", "thing_2": "Fan"}
            await desk.send(workspace, desk.keys({"thing_2/title": "Mirror"}, root=FACET))
            assert await workspace.conflicts() == []
            await desk.send(workspace, desk.keys({"thing_1/title": "Candle"}, root=FACET))
            assert await keys(workspace) == {"title": "Candle", "name": "Candle", "size": 3}
            assert await workspace.conflicts() == []

    asyncio.run(check())


def test_the_new_key_alone_beside_an_old_value_is_a_conflict(tmp_path: Path) -> None:
    async def check() -> None:
        async with renamed(tmp_path) as workspace:
            desk = Program("kim", 60, document="things")
            await desk.sync(workspace)
            await desk.send(workspace, desk.keys({"thing_1/title": "Torch"}, root=FACET))
            [conflict] = await workspace.conflicts()
            assert {one.value for one in conflict.candidates} == {"Lamp", "Torch"}
            await workspace.resolve(conflict.id, value="Torch")
            assert await keys(workspace) == {"title": "Torch", "name": "Torch", "size": 3}

    asyncio.run(check())


ROOM = Schema(
    plugin="rooms",
    facets={"room": Facet(label="Room", title="{called}", fields={"called": Field(label="called")})},
)
BOUND = [
    DefineConcept(concept="Named", fields={"name": ConceptField()}),
    BindFacet(facet=FACET, concept="Named", fields={"name": "name"}),
    BindFacet(facet="rooms.room", concept="Named", fields={"name": "called"}),
]


def test_a_bound_field_that_is_renamed_stays_bound(tmp_path: Path) -> None:
    async def check() -> None:
        async with laptop(tmp_path / "w", "sam", OLD, ROOM) as workspace:
            await workspace.commit(BOUND)
            await workspace.commit([made("thing_1", name="Hall", size=3)])
            await workspace.commit([CreateEntity(entity="room_1", facets={"rooms.room": {"called": "Hall"}})])
            await workspace.commit([AssertSame(concept="Named", entities=("thing_1", "room_1"))])
            await workspace.adopt([NEW])
            assert await titles(workspace) == {"thing_1": "Hall"}
            await workspace.commit([sets("thing_1", "title", "Foyer")])
            room = await workspace.entity("room_1")
            assert room["facets"]["rooms.room"] == {"called": "Foyer"}
            await workspace.commit([SetField(entity="room_1", facet="rooms.room", field="called", value="Bar")])
            assert await titles(workspace) == {"thing_1": "Bar"}
            assert await keys(workspace) == {"title": "Bar", "name": "Bar", "size": 3}
            found = await workspace.query({"concept": "Named", "fields": ["name"]})
            assert {row[1] for row in found["rows"]} == {"Bar"}
            assert await workspace.conflicts() == []
            assert await workspace.rebuild() == await workspace.state_hash()
            assert (await workspace.entity("room_1"))["facets"]["rooms.room"] == {"called": "Bar"}

    asyncio.run(check())


def test_a_concept_reads_what_a_field_was(tmp_path: Path) -> None:
    """INV-RENAME-1, for what is only under the old key: of what is bound to nothing, when it joins, and as of then."""

    async def check() -> None:
        async with laptop(tmp_path / "w", "sam", OLD, ROOM) as workspace:
            await workspace.commit(BOUND)
            await workspace.commit([made("thing_1", name="Hall"), made("thing_2", name="Bar")])
            await workspace.commit([CreateEntity(entity="room_1", facets={"rooms.room": {}})])
            await workspace.adopt([NEW])
            asked = {"concept": "Named", "fields": ["name"]}
            assert (await workspace.query(asked))["rows"] == [["room_1", None], ["thing_1", "Hall"], ["thing_2", "Bar"]]
            found = await workspace.query({**asked, "where": {"name": "Bar"}})
            assert found["rows"] == [["thing_2", "Bar"]]
            [name] = await workspace.preview_same("Named", ["thing_1", "room_1"])
            assert name["state"] == "fills"
            assert {one["entity"]: one["value"] for one in name["values"]} == {"thing_1": "Hall", "room_1": None}
            bundle = (await workspace.commit([AssertSame(concept="Named", entities=("thing_1", "room_1"))])).bundle
            assert (await workspace.entity("room_1"))["facets"]["rooms.room"] == {"called": "Hall"}
            [shown] = await workspace.concept_entities("Named")
            assert shown["values"] == {"name": "Hall"}
            assert {one["entity"]: one["values"] for one in shown["bound"]} == {
                "thing_1": {"name": "Hall"}, "room_1": {"name": "Hall"},
            }  # fmt: skip
            await workspace.commit([sets("thing_1", "title", "Foyer")])
            then = await workspace.query({**asked, "as_of": bundle})
            assert sorted(row[1] for row in then["rows"]) == ["Bar", "Hall"]

    asyncio.run(check())


def test_a_merge_sees_one_field_under_both_its_keys(tmp_path: Path) -> None:
    """INV-RENAME-1: what the preview of a merge says is what the merge then does."""

    async def check() -> None:
        async with renamed(tmp_path) as workspace:
            await workspace.commit([made("thing_2", title="Fan")])
            preview = await workspace.preview_merge("thing_2", "thing_1")
            fields = {one["field"]: (one["survivor"], one["absorbed"], one["state"]) for one in preview["fields"]}
            assert fields == {"title": ("Fan", "Lamp", "differs"), "size": (None, 3, "fills")}
            merge = MergeEntities(survivor="thing_2", absorbed="thing_1", values={FACET: {"title": "Fan"}})
            await workspace.commit([merge])
            assert await workspace.conflicts() == []
            assert await keys(workspace) == {"title": "Fan", "name": "Fan", "size": 3}
            await workspace.commit([SplitEntity(entity="thing_1")])
            assert await titles(workspace) == {"thing_1": "Lamp", "thing_2": "Fan"}

    asyncio.run(check())


def test_a_disagreement_between_two_keys_is_the_concepts_once_bound(tmp_path: Path) -> None:
    """INV-REPLAY-1: one thing, one conflict, whether it was there before the binding or not."""

    async def check() -> None:
        async with laptop(tmp_path / "w", "sam", NEW, ROOM) as workspace:
            await workspace.commit(
                [*BOUND[:1], BindFacet(facet="rooms.room", concept="Named", fields={"name": "called"})]
            )
            await workspace.commit([made("thing_1", title="Lamp")])
            desk = Program("kim", 60, document="things")
            await desk.send(workspace, desk.keys({"thing_1/name": "Torch"}, root=FACET))
            assert [one.facet for one in await workspace.conflicts()] == [FACET]
            await workspace.commit([BindFacet(facet=FACET, concept="Named", fields={"name": "title"})])
            await workspace.commit([AssertSame(concept="Named", entities=("thing_1",))])
            assert [one.facet for one in await workspace.conflicts()] == ["core.concept_entity"]
            told = [one.sentence for one in await workspace.conflicts()]
            await workspace.rebuild()
            assert [one.sentence for one in await workspace.conflicts()] == told

    asyncio.run(check())


# -- two laptops -------------------------------------------------------------------------------------------


@asynccontextmanager
async def two_laptops(tmp_path: Path) -> AsyncIterator[tuple[Workspace, Workspace]]:
    """Alex's has adopted the new version, Jordan's hasn't heard of it."""
    async with laptop(tmp_path / "alex", "alex", OLD) as alex:
        await alex.commit([made("thing_1", name="Lamp", size=3)])
        await alex.backup(tmp_path / "jordan")
        async with Workspace.open(tmp_path / "jordan", identity_=identity("jordan")) as jordan:
            await alex.adopt([NEW])
            yield alex, jordan


async def exchange(tmp_path: Path, alex: Workspace, jordan: Workspace) -> None:
    await carry(alex, jordan, tmp_path)
    await carry(jordan, alex, tmp_path)
    assert await alex.state_hash() == await jordan.state_hash()


@pytest.mark.parametrize("choice", ["Lantern", "Torch", "Candle"])
def test_old_and_new_key_written_apart_are_a_conflict(tmp_path: Path, choice: str) -> None:
    """INV-RENAME-2"""

    async def check() -> None:
        async with two_laptops(tmp_path) as (alex, jordan):
            await alex.commit([sets("thing_1", "title", "Lantern")])
            await jordan.commit([sets("thing_1", "name", "Torch")])
            await exchange(tmp_path, alex, jordan)
            [conflict] = await jordan.conflicts()
            assert {one.value for one in conflict.candidates} == {"Torch", "Lantern"}
            assert "Alex set Lantern" in conflict.sentence
            assert "Jordan set Torch" in conflict.sentence
            assert "title" in conflict.sentence
            chosen = next((one.version for one in conflict.candidates if one.value == choice), None)
            if chosen is not None:
                await jordan.resolve(conflict.id, choose=chosen)
            else:
                await jordan.resolve(conflict.id, value=choice)
            await exchange(tmp_path, alex, jordan)
            for workspace in (alex, jordan):
                assert await workspace.conflicts() == []
                assert await titles(workspace) == {"thing_1": choice}
            assert await keys(alex) == {"title": choice, "name": choice, "size": 3}
            assert await alex.rebuild() == await jordan.state_hash()

    asyncio.run(check())


def test_the_same_said_under_both_keys_is_no_conflict(tmp_path: Path) -> None:
    async def check() -> None:
        async with two_laptops(tmp_path) as (alex, jordan):
            await alex.commit([sets("thing_1", "title", "Lantern")])
            await jordan.commit([sets("thing_1", "name", "Lantern")])
            await exchange(tmp_path, alex, jordan)
            assert await alex.conflicts() == []
            assert await titles(jordan) == {"thing_1": "Lantern"}

    asyncio.run(check())


def test_what_only_the_older_laptop_wrote_is_shown_under_the_new_name(tmp_path: Path) -> None:
    async def check() -> None:
        async with two_laptops(tmp_path) as (alex, jordan):
            await jordan.commit([sets("thing_1", "name", "Torch")])
            await jordan.commit([made("thing_2", name="Fan")])
            await alex.commit([made("thing_3", title="Fan")])
            await exchange(tmp_path, alex, jordan)
            assert await titles(alex) == await titles(jordan) == {
                "thing_1": "Torch", "thing_2": "Fan", "thing_3": "Fan",
            }  # fmt: skip
            assert [one.kind for one in await alex.conflicts()] == ["duplicate"]
            await jordan.commit([sets("thing_2", "title", "Mirror")])
            await exchange(tmp_path, alex, jordan)
            assert await alex.conflicts() == []
            assert await alex.rebuild() == await jordan.state_hash()

    asyncio.run(check())


# -- at random ---------------------------------------------------------------------------------------------


def write(replica: Replica, document: str, root: str, key: str, value: Any) -> None:
    """Whatever the schema in force says: as a laptop whose schema is another, or an outside program, may."""

    def plan(committer: Committer) -> dict[str, list[Write]]:
        lowering = Lowering(committer)
        lowering.write(document, root, key, value)
        return lowering.plan()

    replica.one(Writes(plan=plan, actor=replica.actor))


@pytest.mark.parametrize("seed", range(60))
def test_replicas_agree_and_nothing_vanishes(seed: int) -> None:
    """INV-CONVERGE-1 and INV-RENAME-2: every value is shown, or overwritten by who saw it, or in an open conflict."""
    chance = random.Random(seed)
    replicas = [Replica(name, time=Time(), chance=chance) for name in ("alex", "jordan", "kim")]
    replicas[0].adopt(OLD)
    maker = Actor("user_maker", "Maker", "elsewhere")  # nobody here undoes that they are there
    replicas[0].commit(made("thing_1", name="Lamp", size=3), made("thing_2", name="Fan"), actor=maker)
    for other in replicas[1:]:
        other.pull(replicas[0])
    for number in range(25):
        replica = chance.choice(replicas)
        entity = chance.choice(["thing_1", "thing_2"])
        match chance.choice(["adopt", "edit", "edit", "edit", "raw", "pull", "pull", "undo"]):
            case "adopt":
                replica.adopt(chance.choice([NEW, NEWER]))
            case "edit":
                now = next(iter(set(replica.committer.schemas["things"].facets["thing"].fields) - {"size"}))
                replica.commit(sets(entity, now, f"{chance.choice(['Lamp', 'Fan'])} {number % 3}"))
            case "raw":
                key = chance.choice(["name", "title", "heading"])
                write(replica, "things", FACET, f"{entity}/{key}", f"raw {number}")
            case "pull":
                replica.pull(chance.choice(replicas))
            case "undo":
                with suppress(NotFound, Stale, InvalidOperation):
                    replica.undo()
    for _ in range(2):
        for replica in replicas:
            for other in replicas:
                if other is not replica:
                    replica.pull(other)
    assert len({replica.hash() for replica in replicas}) == 1, seed
    tables = replicas[0].tables()
    assert all(replica.tables() == tables for replica in replicas[1:]), seed
    schema = replicas[0].committer.schemas["things"].facets["thing"]
    now = next(iter(set(schema.fields) - {"size"}))
    for entity in ("thing_1", "thing_2"):
        standing = {
            value
            for key in (now, *schema.fields[now].was)
            if (value := replicas[0].value("things", FACET, f"{entity}/{key}")) not in (None, "null")
        }
        disputed = [
            row for row in replicas[0].conflicts("open") if row.entity == entity and row.kind in ("semantic", "field")
        ]
        assert len(standing) <= 1 or disputed, (seed, entity, standing)
    replicas[0].committer.rebuild()
    assert replicas[0].tables() == tables, seed
