"""Adopting, going on to other versions, dropping: what happens to the data, on one laptop and on two."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pycrdt import Map

from openprod.core.operations import AddEdge, CreateEntity, DeleteEntity, RestoreEntity, SetField
from openprod.core.schema import Edge, Facet, Field, Schema
from openprod.engine.workspace import Workspace
from openprod.errors import InputError, InvalidOperation, NotFound, OpenprodError, Stale
from tests.engine.laptops import Program, carry, identity, laptop
from tests.engine.replica import CUES

THING = Facet(
    label="Thing",
    title="{name}",
    unique=(("name",),),
    fields={"name": Field(label="name"), "size": Field(type="integer", label="size"), "notes": Field(type="text")},
)
ONE = Schema(plugin="things", version="1", label="Things", facets={"thing": THING}, edges={"near": Edge(label="near")})


def version(number: str, **fields: Field | None) -> Schema:
    """The schema with fields of its thing replaced, added or (None) removed."""
    wanted = {name: field for name, field in {**THING.fields, **fields}.items() if field is not None}
    return msgspec.structs.replace(ONE, version=number, facets={"thing": msgspec.structs.replace(THING, fields=wanted)})


def made(entity: str, **fields: Any) -> CreateEntity:
    return CreateEntity(entity=entity, facets={"things.thing": fields})


def sets(entity: str, field: str, value: Any) -> SetField:
    return SetField(entity=entity, facet="things.thing", field=field, value=value)


async def shown(workspace: Workspace, facet: str = "things.thing") -> list[list[Any]]:
    return (await workspace.query({"facet": facet, "fields": ["name", "size"]}))["rows"]


def test_a_free_change_keeps_every_value(tmp_path: Path) -> None:
    """INV-EVOLVE-1"""

    async def check() -> None:
        async with laptop(tmp_path / "w", "sam", ONE) as workspace:
            await workspace.commit([made("thing_1", name="Lamp", size=3)])
            await workspace.adopt([version("2", size=Field(type="string"), colour=Field(type="color"))])
            assert await shown(workspace) == [["thing_1", "Lamp", 3]]
            assert await workspace.conflicts() == []
            await workspace.commit([sets("thing_1", "size", "three"), sets("thing_1", "colour", "#ffcc00")])
            assert await shown(workspace) == [["thing_1", "Lamp", "three"]]
            with pytest.raises(InvalidOperation, match="isn't text"):
                await workspace.commit([sets("thing_1", "size", 3.5)])
            assert await workspace.rebuild() == await workspace.state_hash()

    asyncio.run(check())


def test_what_needs_a_migration_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    async def check() -> None:
        async with laptop(tmp_path / "w", "sam", ONE) as workspace:
            await workspace.commit([made("thing_1", name="Lamp", size=3)])
            before = await workspace.state_hash()
            with pytest.raises(InputError) as refused:
                await workspace.adopt([version("2", size=None, notes=None)])
            assert "without a migration: Thing: the field “notes” is gone. And 1 more." in refused.value.sentence
            assert "[[migration]]" in refused.value.hint
            assert len(refused.value.details["changes"]) == 2
            assert await workspace.state_hash() == before
            assert workspace.schemas["things"].version == "1"

    asyncio.run(check())


def test_an_older_plugin_does_not_take_the_place_of_a_newer_one(tmp_path: Path) -> None:
    async def check() -> None:
        async with laptop(tmp_path / "w", "sam", version("1.10")) as workspace:
            with pytest.raises(InputError, match=r"newer than 1\.9"):
                await workspace.adopt([version("1.9")])
            assert not (await workspace.adopt([version("1.10")])).bundle

    asyncio.run(check())


def test_dropping_hides_and_adopting_again_brings_back(tmp_path: Path) -> None:
    """INV-DROP-1"""

    async def check() -> None:
        other = Schema(plugin="rooms", facets={"room": Facet(title="{name}", fields={"name": Field()})})
        async with laptop(tmp_path / "w", "sam", ONE, other) as workspace:
            await workspace.commit(
                [made("thing_1", name="Lamp", size=3, notes="Careful"), made("thing_2", name="Lamp")]
            )
            await workspace.commit([AddEdge(edge="things.near", source="thing_1", target="thing_2", id="edge_1")])
            await workspace.commit([CreateEntity(entity="room_1", facets={"rooms.room": {"name": "Hall"}})])
            [duplicate] = await workspace.conflicts()
            before = await workspace.entity("thing_1")
            await workspace.drop("things")
            assert sorted(workspace.schemas) == ["rooms"]
            assert workspace.documents == ["core", "rooms"]
            assert await workspace.conflicts() == []
            assert (await workspace.entity("thing_1"))["facets"] == {}
            assert (await workspace.entity("thing_1"))["edges"] == []
            assert (await workspace.history("room_1"))["fields"]
            for attempt in (
                workspace.query({"facet": "things.thing"}),
                workspace.rows("things.thing"),
                workspace.commit([made("thing_3", name="Fan")]),
                workspace.commit([sets("thing_1", "name", "Fan")]),
                workspace.drop("things"),
            ):
                with pytest.raises(OpenprodError):
                    await attempt
            # Programs that edit the document go on: what they write is kept.
            kim = Program("kim", 60, document="things")
            await kim.sync(workspace)
            assert kim.doc.get("things.thing", type=Map)["thing_1/size"] == 3
            await kim.send(workspace, kim.keys({"thing_1/size": 4}, root="things.thing"))
            assert await workspace.rebuild() == await workspace.state_hash()
            await workspace.adopt([ONE])
            after = await workspace.entity("thing_1")
            assert after["facets"]["things.thing"].pop("size") == 4
            before["facets"]["things.thing"].pop("size")
            assert after == before
            assert [one.id for one in await workspace.conflicts()] == [duplicate.id]

    asyncio.run(check())


def test_what_is_deleted_while_hidden_is_gone_with_its_edges(tmp_path: Path) -> None:
    async def check() -> None:
        async with laptop(tmp_path / "w", "sam", ONE) as workspace:
            await workspace.commit([made("thing_1", name="Lamp"), made("thing_2", name="Fan")])
            await workspace.commit([AddEdge(edge="things.near", source="thing_1", target="thing_2", id="edge_1")])
            await workspace.drop("things")
            await workspace.commit([DeleteEntity(entity="thing_1")])
            await workspace.adopt([ONE])
            assert [row[0] for row in await shown(workspace)] == ["thing_2"]
            assert (await workspace.entity("thing_2"))["edges"] == []
            await workspace.commit([RestoreEntity(entity="thing_1")])
            assert [row[1] for row in await shown(workspace)] == ["Lamp", "Fan"]
            assert len((await workspace.entity("thing_2"))["edges"]) == 1

    asyncio.run(check())


def test_a_dropped_plugin_comes_back_only_as_what_fits_its_data(tmp_path: Path) -> None:
    async def check() -> None:
        async with laptop(tmp_path / "w", "sam", ONE) as workspace:
            await workspace.commit([made("thing_1", name="Lamp", size=3)])
            await workspace.drop("things")
            with pytest.raises(InputError, match="without a migration"):
                await workspace.adopt([version("2", size=None)])
            await workspace.adopt([version("2", size=Field(type="number"))])
            assert await shown(workspace) == [["thing_1", "Lamp", 3]]
            with pytest.raises(NotFound, match="hasn't adopted"):
                await workspace.drop("nothing")

    asyncio.run(check())


def test_a_migration_is_one_bundle_that_undo_takes_back_whole(tmp_path: Path) -> None:
    async def check() -> None:
        two = version("2", size=None, metres=Field(type="decimal"))
        async with laptop(tmp_path / "w", "sam", ONE) as workspace:
            await workspace.commit([made("thing_1", name="Lamp", size=3)])
            before = await workspace.entity("thing_1")
            await workspace.migrate(two, [sets("thing_1", "metres", "0.03")], version="1")
            assert workspace.schemas["things"].version == "2"
            assert (await workspace.entity("thing_1"))["facets"]["things.thing"]["metres"] == "0.03"
            with pytest.raises(Stale, match="isn't adopted as 1"):
                await workspace.migrate(two, [], version="1")
            assert [one["intent"] for one in await workspace.log()] == ["adopt", "edit", "migrate"]
            await workspace.undo()
            assert workspace.schemas["things"].version == "1"
            entity = await workspace.entity("thing_1")
            entity["facets"]["things.thing"].pop("metres")
            assert entity == before
            await workspace.redo()
            assert workspace.schemas["things"].version == "2"
            assert await workspace.rebuild() == await workspace.state_hash()

    asyncio.run(check())


TWO = version("2", size=None, metres=Field(type="decimal"))


def test_what_was_set_without_knowing_that_the_field_is_gone_is_asked_about(tmp_path: Path) -> None:
    """INV-EVOLVE-3"""

    async def check() -> None:
        async with laptop(tmp_path / "sam", "sam", ONE) as sam:
            await sam.commit([made("thing_1", name="Lamp", size=3), made("thing_2", name="Rope", size=4)])
            await sam.backup(tmp_path / "alex")
            async with Workspace.open(tmp_path / "alex", identity_=identity("alex")) as alex:
                metres = [sets("thing_1", "metres", "0.03"), sets("thing_2", "metres", "0.04")]
                await sam.migrate(TWO, metres, version="1")
                assert await sam.conflicts() == []  # what the migration saw, it said what becomes of
                await alex.commit([sets("thing_1", "size", 9), made("thing_3", name="Box", size=5)])
                (tmp_path / "stick").mkdir()
                await carry(alex, sam, tmp_path / "stick")
                await carry(sam, alex, tmp_path / "stick")
                gone = "is shown nowhere: “size” is gone since version 2. Correct it or accept it."
                assert sorted(one.sentence for one in await sam.conflicts("open")) == [
                    f"Thing Box size: Alex set 5, which {gone}", f"Thing Lamp size: Alex set 9, which {gone}",
                ]  # fmt: skip
                assert await sam.conflicts() == await alex.conflicts()
                assert await sam.state_hash() == await alex.state_hash() == await sam.rebuild()
                assert len(await sam.conflicts("open")) == 2
                # Going on from there doesn't answer it.
                await sam.adopt([msgspec.structs.replace(TWO, version="3", label="All things")])
                lamp, box = sorted(await sam.conflicts("open"), key=lambda one: one.entity)
                with pytest.raises(InvalidOperation, match="no “size” any more"):
                    await sam.resolve(lamp.id, value=10)
                await sam.commit([sets("thing_1", "metres", "0.09")])
                await sam.resolve(lamp.id, choose=lamp.candidates[0].version)
                await sam.resolve(box.id, value=None)
                await carry(sam, alex, tmp_path / "stick")
                assert await sam.conflicts("open") == await alex.conflicts("open") == []
                assert await sam.state_hash() == await alex.state_hash() == await alex.rebuild()

    asyncio.run(check())


def test_edges_drawn_without_knowing_that_their_kind_is_gone_are_asked_about(tmp_path: Path) -> None:
    """INV-EVOLVE-3"""
    near = Edge(label="near", properties={"feet": Field(label="feet"), "why": Field(label="why")})
    one = msgspec.structs.replace(ONE, edges={"near": near, "on": Edge(label="on")})
    kept = msgspec.structs.replace(near, properties={"why": Field(label="why")})
    two = msgspec.structs.replace(one, version="2", edges={"near": kept})

    async def check() -> None:
        async with laptop(tmp_path / "sam", "sam", one) as sam:
            await sam.commit([made("thing_1", name="Lamp"), made("thing_2", name="Rope")])
            lamp, rope = {"source": "thing_1", "target": "thing_2"}, {"source": "thing_2", "target": "thing_1"}
            await sam.commit([AddEdge(edge="things.near", id="near_1", **lamp, properties={"feet": "3", "why": "x"})])
            await sam.commit([AddEdge(edge="things.on", id="on_1", **lamp)])
            await sam.backup(tmp_path / "alex")
            async with Workspace.open(tmp_path / "alex", identity_=identity("alex")) as alex:
                await sam.migrate(two, [], version="1")
                await alex.commit([AddEdge(edge="things.on", id="on_2", **rope)])
                await alex.commit(
                    [AddEdge(edge="things.near", id="near_2", **rope, properties={"feet": "5", "why": "y"})]
                )
                (tmp_path / "stick").mkdir()
                await carry(alex, sam, tmp_path / "stick")
                await carry(sam, alex, tmp_path / "stick")
                gone = "is gone since version 2. Correct it or accept it."
                assert sorted(one.sentence for one in await sam.conflicts("open")) == [
                    f"Thing Rope near Thing Lamp feet: Alex set 5, which is shown nowhere: “feet” {gone}",
                    f"Thing Rope on: Alex set Thing Lamp, which is shown nowhere: “on” {gone}",
                ]  # fmt: skip
                assert await sam.conflicts() == await alex.conflicts()
                for found in await sam.conflicts("open"):
                    await sam.resolve(found.id, value=None)
                assert await sam.conflicts("open") == []
                await carry(sam, alex, tmp_path / "stick")
                assert await sam.state_hash() == await alex.state_hash() == await sam.rebuild()
                assert await alex.conflicts("open") == []

    asyncio.run(check())


def test_a_program_that_still_writes_a_field_that_is_gone_is_noticed_until_the_field_is_back(tmp_path: Path) -> None:
    """INV-EVOLVE-3"""

    async def check() -> None:
        async with laptop(tmp_path / "w", "sam", ONE) as sam:
            await sam.commit([made("thing_1", name="Lamp", size=3)])
            await sam.migrate(TWO, [], version="1")
            program = Program("kim", 77, document="things")
            await program.sync(sam)
            program.keys({"thing_1/size": 7, "thing_1/never": 1}, root="things.thing")
            await program.sync(sam)
            assert [one.field for one in await sam.conflicts("open")] == ["size"]
            program.keys({}, root="things.thing", remove=("thing_1/size",))
            await program.sync(sam)
            assert await sam.conflicts("open") == []
            program.keys({"thing_1/size": 8}, root="things.thing")
            await program.sync(sam)
            assert len(await sam.conflicts("open")) == 1
            await sam.undo()
            assert sam.schemas["things"].version == "1"
            assert await sam.conflicts() == []
            assert await shown(sam) == [["thing_1", "Lamp", 8]]
            assert await sam.rebuild() == await sam.state_hash()

    asyncio.run(check())


def test_a_migration_that_cannot_be_applied_changes_nothing(tmp_path: Path) -> None:
    async def check() -> None:
        async with laptop(tmp_path / "w", "sam", ONE) as workspace:
            await workspace.commit([made("thing_1", name="Lamp", size=3)])
            before = await workspace.state_hash()
            with pytest.raises(InvalidOperation, match="no field “size”"):
                await workspace.migrate(version("2", size=None), [sets("thing_1", "size", 4)], version="1")
            assert await workspace.state_hash() == before
            assert workspace.schemas["things"].version == "1"

    asyncio.run(check())


# -- two laptops -------------------------------------------------------------------------------------------


async def exchange(folder: Path, one: Workspace, other: Workspace) -> None:
    await carry(one, other, folder)
    await carry(other, one, folder)


@asynccontextmanager
async def two_laptops(tmp_path: Path, *schemas: Schema) -> AsyncIterator[tuple[Workspace, Workspace]]:
    """Two people's copies of one workspace with a lamp in it."""
    async with laptop(tmp_path / "alex", "alex", *schemas) as alex:
        if ONE in schemas:
            await alex.commit([made("thing_1", name="Lamp", size=3)])
        await alex.backup(tmp_path / "jordan")
        async with Workspace.open(tmp_path / "jordan", identity_=identity("jordan")) as jordan:
            yield alex, jordan


@pytest.mark.parametrize("choice", [0, 1])
def test_two_versions_at_once_are_a_conflict_and_lose_nothing(tmp_path: Path, choice: int) -> None:
    """INV-EVOLVE-2"""

    async def check() -> None:
        async with two_laptops(tmp_path, ONE) as (alex, jordan):
            await alex.adopt([version("2", colour=Field(type="color", label="colour"))])
            await alex.commit([sets("thing_1", "colour", "#ffcc00")])
            await jordan.adopt([version("3", weight=Field(type="number", label="weight"))])
            await jordan.commit([sets("thing_1", "weight", 7.5)])
            await exchange(tmp_path, alex, jordan)
            assert await alex.state_hash() == await jordan.state_hash()
            [conflict] = await alex.conflicts()
            assert (conflict.kind, conflict.entity) == ("schema", "things")
            assert "Alex adopted version 2" in conflict.sentence
            assert "Jordan adopted version 3" in conflict.sentence
            # Whichever is in force, the other's values are in the documents.
            fields = (await alex.history("thing_1"))["fields"]
            values = {field["field"]: field["versions"][-1]["value"] for field in fields}
            assert (values["colour"], values["weight"]) == ("#ffcc00", 7.5)
            chosen = conflict.candidates[choice]
            await jordan.resolve(conflict.id, choose=chosen.version)
            await exchange(tmp_path, alex, jordan)
            assert await alex.state_hash() == await jordan.state_hash()
            for workspace in (alex, jordan):
                assert await workspace.conflicts() == []
                assert workspace.schemas["things"].version == chosen.value["version"]
                row = (await workspace.rows("things.thing"))["thing_1"]
                assert row.get("colour") == ("#ffcc00" if chosen.value["version"] == "2" else None)
                assert row.get("weight") == (7.5 if chosen.value["version"] == "3" else None)
            # One that has what both have settles it for good.
            await alex.adopt([version("4", colour=Field(type="color"), weight=Field(type="number"))])
            row = (await alex.rows("things.thing"))["thing_1"]
            assert (row["colour"], row["weight"]) == ("#ffcc00", 7.5)
            await exchange(tmp_path, alex, jordan)
            assert await alex.state_hash() == await jordan.state_hash() == await jordan.rebuild()

    asyncio.run(check())


def test_two_of_one_version_are_told_apart_by_what_they_declare(tmp_path: Path) -> None:
    async def check() -> None:
        async with two_laptops(tmp_path, ONE) as (alex, jordan):
            await alex.adopt([version("2", colour=Field(type="color"))])
            await jordan.adopt([version("2", colour=Field(type="integer"))])
            await exchange(tmp_path, alex, jordan)
            [conflict] = await alex.conflicts()
            types = [one.value["facets"]["thing"]["fields"]["colour"]["type"] for one in conflict.candidates]
            assert f"“colour” was {types[0]} and is {types[1]}" in conflict.sentence
            assert conflict.sentence == (await jordan.conflicts())[0].sentence

    asyncio.run(check())


def test_dropping_while_another_goes_on_is_a_conflict(tmp_path: Path) -> None:
    async def check() -> None:
        async with two_laptops(tmp_path, ONE) as (alex, jordan):
            await alex.drop("things")
            await jordan.adopt([version("2", colour=Field())])
            await jordan.commit([made("thing_2", name="Lamp", colour="red")])
            await exchange(tmp_path, alex, jordan)
            assert await alex.state_hash() == await jordan.state_hash()
            conflict = next(one for one in await alex.conflicts() if one.kind == "schema")
            assert "Alex dropped it" in conflict.sentence
            adopted = next(one for one in conflict.candidates if one.value)
            await alex.resolve(conflict.id, choose=adopted.version)
            await exchange(tmp_path, alex, jordan)
            assert await alex.state_hash() == await jordan.state_hash() == await alex.rebuild()
            assert {one.kind for one in await alex.conflicts()} == {"duplicate"}
            assert (await alex.rows("things.thing"))["thing_2"]["colour"] == "red"

    asyncio.run(check())


def test_a_schema_too_new_to_be_read_is_kept_and_synced(tmp_path: Path) -> None:
    """INV-UNKNOWN-1"""

    async def check() -> None:
        async with two_laptops(tmp_path, CUES) as (alex, jordan):
            newer = {"plugin": "future", "version": "9", "facets": {"idea": {"fields": ["not", "as", "today"]}}}
            program = Program("newer", 50, document="core")
            await program.sync(alex)
            await program.send(alex, program.keys({"future": newer}, root="core.adoption"))
            desk = Program("kim", 60, document="future")
            await desk.sync(alex)
            await desk.send(alex, desk.keys({"idea_1": True, "idea_1/x": [1, 2]}, root="future.idea"))
            assert "future" not in alex.schemas
            await exchange(tmp_path, alex, jordan)
            assert await alex.state_hash() == await jordan.state_hash()
            other = Program("lee", 70, document="future")
            await other.sync(jordan)
            assert other.doc.get("future.idea", type=Map)["idea_1/x"] == [1, 2]
            await other.send(jordan, other.keys({"idea_1/x": [1, 2, 3]}, root="future.idea"))
            await exchange(tmp_path, alex, jordan)
            assert await alex.state_hash() == await jordan.state_hash() == await alex.rebuild()
            [field] = [one for one in (await alex.history("idea_1"))["fields"] if one["field"] == "x"]
            assert field["versions"][-1]["value"] == [1, 2, 3]

    asyncio.run(check())


@pytest.mark.parametrize("choice", ["none", "accept", "clear"])
def test_a_migration_that_is_undone_and_redone_asks_what_it_had_asked(tmp_path: Path, choice: str) -> None:
    """INV-EVOLVE-3. And a decision about it remains."""

    async def check() -> None:
        async with two_laptops(tmp_path, ONE) as (alex, jordan):
            await jordan.commit([sets("thing_1", "size", 7)])
            await alex.migrate(version("2", size=None), [], version="1")
            await exchange(tmp_path, alex, jordan)
            [asked] = await alex.conflicts("open")
            if choice == "accept":
                await jordan.resolve(asked.id, choose=asked.candidates[0].version)
            elif choice == "clear":
                await jordan.resolve(asked.id, value=None)
            await exchange(tmp_path, alex, jordan)
            for _ in range(2):
                await alex.undo()
                await exchange(tmp_path, alex, jordan)
                assert await alex.conflicts("open") == []
                await alex.redo()
                await exchange(tmp_path, alex, jordan)
                open_ = [] if choice != "none" else [asked.sentence]
                assert [one.sentence for one in await jordan.conflicts("open")] == open_
            if choice != "none":
                await jordan.undo()
                await exchange(tmp_path, alex, jordan)
                assert [one.sentence for one in await alex.conflicts("open")] == [asked.sentence]
            assert await alex.state_hash() == await jordan.state_hash() == await alex.rebuild()
            assert await alex.conflicts() == await jordan.conflicts()

    asyncio.run(check())


@pytest.mark.anyio
async def test_an_indexed_field_is_found_by_its_value_also_what_was_there_before(tmp_path: Path) -> None:
    plain = Schema(plugin="things", version="1", facets={"thing": Facet(fields={"colour": Field()})})
    indexed = Schema(plugin="things", version="2", facets={"thing": Facet(fields={"colour": Field(indexed=True)})})
    async with laptop(tmp_path / "a", "sam", plain) as ws:
        await ws.commit([CreateEntity(entity="one", facets={"things.thing": {"colour": "red"}})])
        asked = {"facet": "things.thing", "where": {"colour": "red"}}
        before = await ws.query(asked, explain=True)
        await ws.adopt([indexed])
        await ws.commit([CreateEntity(entity="two", facets={"things.thing": {"colour": "red"}})])
        after = await ws.query(asked, explain=True)
        assert [row[0] for row in after["rows"]] == ["one", "two"]
        assert "register_by_value (root=? AND field=? AND <expr>=?)" in str(after)
        assert "register_by_value" not in str(before)
