"""INV-EDGE-1, INV-EDGE-2. Edges on real workspaces: their ends, moving, ending, bringing back, what outsiders draw."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pycrdt import Map

from openprod.core.conflicts import Conflict
from openprod.core.operations import (
    AddEdge,
    AttachFacet,
    CreateEntity,
    DeleteEntity,
    DetachFacet,
    MergeEntities,
    RemoveEdge,
    RestoreEntity,
    SetEdgeProperty,
    SetField,
    SplitEntity,
)
from openprod.core.schema import Edge, Facet, Field, Schema
from openprod.engine.workspace import Workspace
from openprod.errors import InvalidOperation, NotFound
from openprod.yjs import layout
from tests.engine.laptops import Program, carry, cue, identity, laptop

STAGE = Schema(
    plugin="cues",
    facets={
        "cue": Facet(label="Cue", title="{list} {number}", fields={"list": Field(), "number": Field(type="decimal")}),
        "scene": Facet(label="Scene", title="{name}", fields={"name": Field()}),
        "note": Facet(label="Note", fields={"body": Field()}),
    },
    edges={
        "called_in": Edge(label="called in", source="cue", target="scene", cardinality="one",
                          properties={"offset": Field(type="duration", label="offset")}),
        "with": Edge(label="with", source="cue", target="*", unique_pair=True,
                     properties={"weight": Field(type="integer")}),
        "likes": Edge(label="likes", source="*", target="*"),
    },
)  # fmt: skip
CALLED, WITH = "cues.called_in", "cues.with"
PAIR = layout.pair_edge_id("cue_42", "scene_2")


def scene(number: int) -> CreateEntity:
    return CreateEntity(entity=f"scene_{number}", facets={"cues.scene": {"name": str(number)}})


def call(target: str, source: str = "cue_42", **properties: Any) -> AddEdge:
    return AddEdge(edge=CALLED, source=source, target=target, properties=properties)


def pair(weight: int) -> AddEdge:
    return AddEdge(edge=WITH, source="cue_42", target="scene_2", properties={"weight": weight})


@asynccontextmanager
async def stage(folder: Path) -> AsyncIterator[Workspace]:
    """LX 42, called in scene 1; scenes 1 to 4."""
    async with laptop(folder, "alex", STAGE) as workspace:
        await workspace.commit([cue("cue_42", number="42"), *map(scene, range(1, 5)), call("scene_1")])
        yield workspace


@asynccontextmanager
async def two(folder: Path) -> AsyncIterator[tuple[Workspace, Workspace]]:
    """Alex's laptop and Jordan's, which hold the same."""
    async with stage(folder / "alex") as alex:
        await alex.backup(folder / "copy")
        (folder / "sticks").mkdir()
        async with Workspace.open(folder / "copy", identity_=identity("jordan")) as jordan:
            yield alex, jordan


async def meet(folder: Path, alex: Workspace, jordan: Workspace) -> None:
    """INV-CONVERGE-1, with what the engine derives after a rebuild: INV-REPLAY-1."""
    await carry(alex, jordan, folder / "sticks")
    await carry(jordan, alex, folder / "sticks")
    there = await alex.state_hash()
    assert await jordan.state_hash() == there
    assert await alex.rebuild() == there


async def edges(workspace: Workspace, entity: str = "cue_42", *, as_of: str | None = None) -> list[tuple[Any, ...]]:
    found = (await workspace.entity(entity, as_of=as_of))["edges"]
    return [(edge["label"], edge["direction"], edge["title"], edge["properties"]) for edge in found]


async def target(workspace: Workspace, name: str = CALLED) -> list[str]:
    return [edge["to"] for edge in (await workspace.entity("cue_42"))["edges"] if edge["edge"] == name]


async def only(workspace: Workspace, status: str = "open") -> Conflict:
    (found,) = await workspace.conflicts(status)
    return found


async def draw(workspace: Workspace, keys: dict[str, Any], edge: str = CALLED, client: int = 900) -> Program:
    """An outside program that writes into the edges' root."""
    program = Program("kim", client)
    await program.sync(workspace)
    await program.send(workspace, program.keys(keys, root=layout.edge_root(edge)))
    return program


# -- what may be drawn -------------------------------------------------------------------------------------


def test_both_ways_with_titles_now_and_then(tmp_path: Path) -> None:
    async def check() -> None:
        async with stage(tmp_path / "w") as workspace:
            first = await workspace.commit([call("scene_2", offset=3), pair(2)])
            assert await edges(workspace) == [
                ("called in", "out", "Scene 2", {"offset": 3}), ("with", "out", "Scene 2", {"weight": 2}),
            ]  # fmt: skip
            assert await edges(workspace, "scene_2") == [
                ("called in", "in", "Cue LX 42", {"offset": 3}), ("with", "in", "Cue LX 42", {"weight": 2}),
            ]  # fmt: skip
            assert await edges(workspace, "scene_1") == []
            await workspace.commit([call("scene_3"), RemoveEdge(edge=WITH, id=PAIR)])
            assert await edges(workspace) == [("called in", "out", "Scene 3", {"offset": 3})]
            assert await edges(workspace, "scene_2") == []
            before = await edges(workspace, "scene_2", as_of=first.bundle)
            assert [one[:3] for one in before] == [("called in", "in", "Cue LX 42"), ("with", "in", "Cue LX 42")]
            assert (await edges(workspace, as_of=first.bundle))[1] == ("with", "out", "Scene 2", {"weight": 2})

    asyncio.run(check())


@pytest.mark.parametrize(
    ("operation", "error", "word"),
    [
        (call("cue_42"), InvalidOperation, "facet cues.scene"),
        (call("scene_1", "scene_2"), InvalidOperation, "facet cues.cue"),
        (call("nothing"), NotFound, "no entity"),
        (call("a/b"), InvalidOperation, "can't be the id"),
        (call("scene_2", offset=-1), InvalidOperation, "duration"),
        (call("scene_2", colour=1), InvalidOperation, "no property"),
        (pair("heavy"), InvalidOperation, "whole number"),  # type: ignore[arg-type]
        (AddEdge(edge="cues.nope", source="cue_42", target="scene_1"), InvalidOperation, "No adopted plugin"),
        (AddEdge(edge="cues.likes", source="cue_42", target="scene_1"), InvalidOperation, "needs an id"),
        (RemoveEdge(edge=WITH, id=PAIR), NotFound, "no edge"),
        (SetEdgeProperty(edge=WITH, id=PAIR, property="weight", value=1), NotFound, "no edge"),
        (SetEdgeProperty(edge=CALLED, id="cue_42", property="to", value="scene_2"), InvalidOperation, "no property"),
    ],
    ids=lambda value: value.edge + " " + str(value) if hasattr(value, "edge") else "",
)
def test_what_is_refused_says_why(tmp_path: Path, operation: Any, error: type[Exception], word: str) -> None:
    async def check() -> None:
        async with stage(tmp_path / "w") as workspace:
            before = await workspace.state_hash()
            with pytest.raises(error) as caught:
                await workspace.commit([operation])
            assert word in f"{caught.value.sentence} {caught.value.hint}"  # type: ignore[attr-defined]
            assert await workspace.state_hash() == before

    asyncio.run(check())


def test_an_id_of_ones_own_names_one_edge(tmp_path: Path) -> None:
    async def check() -> None:
        async with stage(tmp_path / "w") as workspace:
            likes = AddEdge(edge="cues.likes", id="edge_1", source="cue_42", target="scene_1")
            await workspace.commit([likes])
            assert not (await workspace.commit([likes])).bundle, "drawn already"
            with pytest.raises(InvalidOperation, match="joins two others"):
                await workspace.commit([AddEdge(edge="cues.likes", id="edge_1", source="scene_1", target="cue_42")])

    asyncio.run(check())


def test_the_same_bundle_sees_what_it_drew(tmp_path: Path) -> None:
    async def check() -> None:
        async with stage(tmp_path / "w") as workspace:
            await workspace.commit([pair(1), SetEdgeProperty(edge=WITH, id=PAIR, property="weight", value=5)])
            assert (await edges(workspace))[1][3] == {"weight": 5}
            await workspace.commit([cue("cue_7", number="7"), call("scene_4", "cue_7"), DeleteEntity(entity="cue_7")])
            assert await edges(workspace, "scene_4") == []
            await workspace.commit([call("scene_3"), call("scene_4"), DeleteEntity(entity="scene_3")])
            assert await target(workspace) == ["scene_4"]
            assert await workspace.conflicts("all") == []

    asyncio.run(check())


# -- cardinality -------------------------------------------------------------------------------------------


def test_moves_apart_are_one_conflict_in_words(tmp_path: Path) -> None:
    async def check() -> None:
        async with two(tmp_path) as (alex, jordan):
            await alex.commit([call("scene_2")])
            await jordan.commit([call("scene_3")])
            await meet(tmp_path, alex, jordan)
            conflict = await only(alex)
            assert (conflict.kind, conflict.entity, conflict.facet, conflict.field) == (
                "cardinality", "cue_42", CALLED, "to",
            )  # fmt: skip
            assert conflict.sentence == (
                "Cue LX 42 called in: Alex set Scene 2, Jordan set Scene 3 without seeing each other. Choose a value."
            )
            assert [one.title for one in conflict.candidates] == ["Scene 2", "Scene 3"]
            assert conflict.base is not None
            assert conflict.base["value"] == "scene_1"
            assert (await alex.entity("cue_42"))["conflicts"] == [conflict.id]
            assert [one.id for one in await alex.conflicts(kind="cardinality")] == [conflict.id]

            for laptop_ in (jordan, alex):
                await laptop_.resolve(conflict.id, value="scene_1")
                assert await laptop_.conflicts() == []
                await laptop_.undo()
                again = await only(laptop_)
                assert {one.title for one in again.candidates} >= {"Scene 2", "Scene 3"}, "it is as open as it was"
            assert (await alex.state_hash()) != await jordan.state_hash()
            await meet(tmp_path, alex, jordan)
            conflict = await only(alex)
            two_ = next(one for one in conflict.candidates if one.title == "Scene 2")
            await alex.resolve(conflict.id, choose=two_.version, heads=conflict.heads)
            await meet(tmp_path, alex, jordan)
            assert await target(jordan) == ["scene_2"]
            assert (await only(jordan, "resolved")).sentence == "Cue LX 42 called in: decided Scene 2 (Alex)."
            await jordan.reopen(conflict.id)
            assert (await only(jordan)).kind == "cardinality"
            for wrong in ("cue_42", "nothing", 7):
                with pytest.raises((InvalidOperation, NotFound)):
                    await jordan.resolve(conflict.id, value=wrong)
            await jordan.resolve(conflict.id, value="scene_4")
            await meet(tmp_path, alex, jordan)
            assert await target(alex) == ["scene_4"]

    asyncio.run(check())


def test_deciding_for_none_ends_it(tmp_path: Path) -> None:
    async def check() -> None:
        async with two(tmp_path) as (alex, jordan):
            await alex.commit([call("scene_2")])
            await jordan.commit([call("scene_3")])
            await meet(tmp_path, alex, jordan)
            await alex.resolve((await only(alex)).id, value=None)
            await meet(tmp_path, alex, jordan)
            assert (await target(jordan), await jordan.conflicts("open")) == ([], [])
            await jordan.commit([call("scene_4")])
            assert (await target(jordan), await jordan.conflicts("open")) == (["scene_4"], [])

    asyncio.run(check())


def test_outsiders_draw_a_second_one(tmp_path: Path) -> None:
    async def check() -> None:
        async with stage(tmp_path / "w") as workspace:
            await draw(workspace, {"mine": True, "mine/from": "cue_42", "mine/to": "scene_2"})
            conflict = await only(workspace)
            assert (conflict.kind, conflict.entity) == ("cardinality", "cue_42")
            assert conflict.sentence == (
                "Cue LX 42 called in: Alex set Scene 1, Kim set Scene 2, and there is place for one only. Choose one."
            )
            assert {one.title for one in conflict.candidates} == {"Scene 1", "Scene 2"}
            kims = next(one for one in conflict.candidates if one.author == "Kim")
            await workspace.resolve(conflict.id, choose=kims.version, heads=conflict.heads)
            assert await target(workspace) == ["scene_2"]
            assert (await only(workspace, "resolved")).sentence == "Cue LX 42 called in: decided Scene 2 (Alex)."
            await workspace.undo()
            assert (await only(workspace)).id == conflict.id
            await workspace.redo()
            assert (await only(workspace, "resolved")).id == conflict.id
            await workspace.commit([call("scene_3")])
            assert await target(workspace) == ["scene_3"], "it is the one there is that moves"
            assert await workspace.conflicts() == []
            assert await workspace.rebuild() == await workspace.state_hash()

    asyncio.run(check())


def test_a_value_of_ones_own_for_two_in_one_place(tmp_path: Path) -> None:
    async def check() -> None:
        async with stage(tmp_path / "w") as workspace:
            await draw(workspace, {"mine/from": "cue_42", "mine/to": "scene_2"})
            conflict = await only(workspace)
            with pytest.raises(InvalidOperation):
                await workspace.resolve(conflict.id, value=None)
            await workspace.resolve(conflict.id, value="scene_4")
            assert (await target(workspace), await workspace.conflicts()) == (["scene_4"], [])
            await workspace.undo()
            assert sorted(await target(workspace)) == ["scene_1", "scene_2"]
            assert (await only(workspace)).kind == "cardinality"

    asyncio.run(check())


def test_the_same_pair_drawn_apart_is_one_edge(tmp_path: Path) -> None:
    async def check() -> None:
        async with two(tmp_path) as (alex, jordan):
            await alex.commit([pair(1)])
            await jordan.commit([pair(1)])
            await meet(tmp_path, alex, jordan)
            assert [one[0] for one in await edges(alex, "scene_2")] == ["with"]
            assert await alex.conflicts("all") == []
            await alex.commit([pair(2)])
            await jordan.commit([pair(3)])
            await meet(tmp_path, alex, jordan)
            conflict = await only(alex)
            assert (conflict.kind, conflict.label) == ("field", "with Scene 2 weight")
            assert conflict.sentence.startswith("Cue LX 42 with Scene 2 weight: Alex set 2, Jordan set 3 without")
            with pytest.raises(InvalidOperation):
                await alex.resolve(conflict.id, value="heavy")
            await alex.resolve(conflict.id, value=4)
            assert (await edges(alex, "scene_2"))[0][3] == {"weight": 4}

    asyncio.run(check())


# -- ends that don't fit -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "word"),
    [
        ({"x": True, "x/from": "cue_42", "x/to": "nothing"}, "Kim set nothing, which isn't there"),
        ({"x": True, "x/from": "cue_42", "x/to": "cue_42"}, "Kim set Cue LX 42, which isn't a Scene"),
        ({"x/from": "cue_42", "x/to": "scene_gone"}, "which was deleted"),
        ({"x/from": "cue_42", "x/to": 7}, "which names no entity"),
        ({"x/from": "cue_42"}, "Kim set Cue LX 42, which leads nowhere"),
        ({"x": True, "x/to": "scene_2"}, "Kim set Scene 2, which starts nowhere"),
        ({"x": True, "x/from": "cue_42", "x/to": None}, "which leaves it leading nowhere"),
        ({"x": True, "x/from": "cue_42", "x/to": "scene_2", "x/offset": "soon"}, "isn't a duration"),
    ],
    ids=str,
)
def test_outsiders_edges_that_break_the_schema_are_kept_and_flagged(
    tmp_path: Path, keys: dict[str, Any], word: str
) -> None:
    """INV-EDGE-1"""

    async def check() -> None:
        async with stage(tmp_path / "w") as workspace:
            await workspace.commit([RemoveEdge(edge=CALLED, id="cue_42")])
            gone = CreateEntity(entity="scene_gone", facets={"cues.scene": {"name": "9"}})
            await workspace.commit([gone])
            await workspace.commit([DeleteEntity(entity="scene_gone")])
            program = await draw(workspace, keys)
            conflict = await only(workspace)
            assert conflict.kind == "invalid"
            assert word in conflict.sentence
            root = program.doc.get(layout.edge_root(CALLED), type=Map)
            assert keys.items() <= dict(root.items()).items(), "it stays as it was drawn"
            assert await workspace.rebuild() == await workspace.state_hash()
            await workspace.resolve(conflict.id, choose=conflict.candidates[0].version, heads=conflict.heads)
            for _ in range(2):
                assert await workspace.conflicts() == []
                assert (await only(workspace, "resolved")).id == conflict.id
                await workspace.undo()
                assert (await only(workspace)).id == conflict.id
                await workspace.redo()

    asyncio.run(check())


def test_a_faulty_end_is_corrected(tmp_path: Path) -> None:
    async def check() -> None:
        async with stage(tmp_path / "w") as workspace:
            await draw(workspace, {"cue_42/to": "nothing"})
            conflict = await only(workspace)
            assert conflict.sentence == (
                "Cue LX 42 called in: Kim set nothing, which isn't there. Correct it or accept it."
            )
            assert await target(workspace) == ["nothing"]
            with pytest.raises(NotFound):
                await workspace.resolve(conflict.id, value="nor this")
            await workspace.resolve(conflict.id, value="scene_3")
            assert (await target(workspace), await workspace.conflicts()) == (["scene_3"], [])

    asyncio.run(check())


def test_an_end_that_comes_later_settles_it(tmp_path: Path) -> None:
    async def check() -> None:
        async with stage(tmp_path / "w") as workspace:
            await draw(workspace, {"x": True, "x/from": "cue_7", "x/to": "scene_8"}, WITH)
            assert {one.kind for one in await workspace.conflicts()} == {"invalid"}
            assert len(await workspace.conflicts()) == 2
            await workspace.commit([cue("cue_7", number="7")])
            assert [one.field for one in await workspace.conflicts()] == ["to"]
            await workspace.commit([CreateEntity(entity="scene_8")])
            assert await workspace.conflicts() == []
            assert await workspace.rebuild() == await workspace.state_hash()

    asyncio.run(check())


def test_an_entity_of_fields_only_is_there(tmp_path: Path) -> None:
    async def check() -> None:
        async with stage(tmp_path / "w") as workspace:
            kim = await draw(workspace, {"cue_42/to": "scene_77"})
            assert (await only(workspace)).kind == "invalid"
            await kim.send(workspace, kim.keys({"scene_77/name": "77"}, root="cues.scene"))
            assert await workspace.conflicts() == []
            await kim.send(workspace, kim.keys({"scene_77/name": None}, root="cues.scene"))
            assert (await only(workspace)).kind == "invalid"
            assert await workspace.rebuild() == await workspace.state_hash()

    asyncio.run(check())


# -- ending and bringing back ------------------------------------------------------------------------------


def test_deleting_ends_restoring_brings_back_exactly_those(tmp_path: Path) -> None:
    """INV-EDGE-2"""

    async def check() -> None:
        async with stage(tmp_path / "w") as workspace:
            await workspace.commit([pair(1), AddEdge(edge=WITH, source="cue_42", target="scene_3")])
            await workspace.commit([RemoveEdge(edge=WITH, id=layout.pair_edge_id("cue_42", "scene_3"))])
            before = await edges(workspace)
            await workspace.commit([DeleteEntity(entity="cue_42")])
            assert [await edges(workspace, f"scene_{n}") for n in (1, 2, 3)] == [[], [], []]
            assert await workspace.conflicts("all") == []
            await workspace.commit([RestoreEntity(entity="cue_42")])
            assert await edges(workspace) == before
            await workspace.commit([DeleteEntity(entity="scene_1")])
            assert [one[0] for one in await edges(workspace)] == ["with"]
            await workspace.undo()
            assert await edges(workspace) == before
            await workspace.redo()
            assert [one[0] for one in await edges(workspace)] == ["with"]
            await workspace.undo()
            assert await edges(workspace) == before
            assert await workspace.conflicts("all") == []

    asyncio.run(check())


def test_undo_and_redo_of_drawing_moving_and_ending(tmp_path: Path) -> None:
    """INV-UNDO-1"""

    async def check() -> None:
        async with stage(tmp_path / "w") as workspace:
            states = [await edges(workspace)]
            for operation in (call("scene_2"), pair(3), RemoveEdge(edge=CALLED, id="cue_42"), call("scene_4"),
                              SetEdgeProperty(edge=WITH, id=PAIR, property="weight", value=9)):  # fmt: skip
                await workspace.commit([operation])
                states.append(await edges(workspace))
            for state in reversed(states[:-1]):
                await workspace.undo()
                assert await edges(workspace) == state
            for state in states[1:]:
                await workspace.redo()
                assert await edges(workspace) == state
            assert await workspace.conflicts("all") == []

    asyncio.run(check())


def test_a_facet_taken_away_ends_what_demands_it(tmp_path: Path) -> None:
    """INV-EDGE-2"""

    async def check() -> None:
        async with stage(tmp_path / "w") as workspace:
            await workspace.commit(
                [pair(1), *(AttachFacet(entity=one, facet="cues.note") for one in ("cue_42", "scene_2"))]
            )
            before = await edges(workspace)
            await workspace.commit([DetachFacet(entity="cue_42", facet="cues.note")])
            assert await edges(workspace) == before, "nothing demands it"
            await workspace.commit([DetachFacet(entity="scene_2", facet="cues.scene")])
            assert [one[0] for one in await edges(workspace)] == ["called in", "with"], "the pair leads to anything"
            await workspace.commit([DetachFacet(entity="scene_1", facet="cues.scene")])
            assert [one[0] for one in await edges(workspace)] == ["with"]
            await workspace.commit([DetachFacet(entity="scene_2", facet="cues.note")])
            assert await edges(workspace) == [], "it was its last facet: it is gone"
            for _ in range(3):
                await workspace.undo()
            assert await edges(workspace) == before
            assert await workspace.conflicts("all") == []

    asyncio.run(check())


def test_an_outsider_takes_the_facet_away(tmp_path: Path) -> None:
    """INV-EDGE-1"""

    async def check() -> None:
        async with stage(tmp_path / "w") as workspace:
            kim = Program("kim", 900)
            await kim.sync(workspace)
            await kim.send(workspace, kim.keys({"scene_1": None, "scene_1/name": None}, root="cues.scene"))
            assert "which isn't there" in (await only(workspace)).sentence
            await kim.send(workspace, kim.keys({"scene_1": True}, root="cues.note"))
            assert "which isn't a Scene" in (await only(workspace)).sentence
            await kim.send(workspace, kim.keys({"scene_1": True}, root="cues.scene"))
            assert await workspace.conflicts() == []

    asyncio.run(check())


@pytest.mark.parametrize("gone", ["cue_42", "scene_2"])
def test_drawn_apart_from_the_deletion_of_an_end(tmp_path: Path, gone: str) -> None:
    """INV-EDGE-1"""

    async def check() -> None:
        async with two(tmp_path) as (alex, jordan):
            await alex.commit([DeleteEntity(entity=gone)])
            await jordan.commit([pair(1)])
            await meet(tmp_path, alex, jordan)
            conflict = await only(alex)
            assert conflict.kind == "invalid"
            assert "which was deleted. Correct it or accept it." in conflict.sentence
            await alex.commit([RestoreEntity(entity=gone)])
            await meet(tmp_path, alex, jordan)
            assert await jordan.conflicts() == []
            assert [one[0] for one in await edges(jordan, "scene_2")] == ["with"]

    asyncio.run(check())


@pytest.mark.parametrize("gone", ["cue_42", "scene_1"])
@pytest.mark.parametrize("restore", [True, False])
def test_moved_apart_from_the_deletion_of_an_end(tmp_path: Path, gone: str, restore: bool) -> None:
    async def check() -> None:
        async with two(tmp_path) as (alex, jordan):
            await alex.commit([DeleteEntity(entity=gone)])
            await jordan.commit([call("scene_2")])
            await meet(tmp_path, alex, jordan)
            conflict = await only(jordan)
            assert (conflict.kind, conflict.facet, conflict.entity) == ("edit-delete", CALLED, "cue_42")
            assert conflict.sentence == (
                "Cue LX 42 called in Scene 1 was ended by Alex while Jordan set it to Scene 2 without seeing each "
                "other. Restore it or leave it ended."
            )
            await jordan.resolve(conflict.id, value=restore, heads=conflict.heads)
            await meet(tmp_path, alex, jordan)
            assert await target(alex) == (["scene_2"] if restore else [])
            left = [one.sentence for one in await alex.conflicts()]
            if restore and gone == "cue_42":
                assert left == [
                    "Cue LX 42 called in: Jordan set Cue LX 42, which was deleted. Correct it or accept it."
                ]
                await alex.commit([RestoreEntity(entity=gone)])
            assert await alex.conflicts() == []
            assert (await alex.conflict(conflict.id)).status == "resolved"

    asyncio.run(check())


@pytest.mark.parametrize("restore", [True, False])
def test_a_property_set_apart_from_the_end(tmp_path: Path, restore: bool) -> None:
    async def check() -> None:
        async with two(tmp_path) as (alex, jordan):
            await alex.commit([pair(1)])
            await carry(alex, jordan, tmp_path / "sticks")
            await alex.commit([RemoveEdge(edge=WITH, id=PAIR)])
            await jordan.commit([SetEdgeProperty(edge=WITH, id=PAIR, property="weight", value=5)])
            await meet(tmp_path, alex, jordan)
            conflict = await only(alex)
            assert conflict.sentence == (
                "Cue LX 42 with Scene 2 was ended by Alex while Jordan set weight to 5 without seeing each other. "
                "Restore it or leave it ended."
            )
            await alex.resolve(conflict.id, value=restore)
            await meet(tmp_path, alex, jordan)
            found = [one for one in await edges(jordan) if one[0] == "with"]
            assert found == ([("with", "out", "Scene 2", {"weight": 5})] if restore else [])
            assert await jordan.conflicts() == []
            await alex.reopen(conflict.id)
            assert conflict.id in [one.id for one in await alex.conflicts()] or restore
            assert await alex.conflicts() != []

    asyncio.run(check())


def test_deciding_to_restore_an_entity_brings_its_edges_back(tmp_path: Path) -> None:
    """INV-EDGE-2"""

    async def check() -> None:
        async with two(tmp_path) as (alex, jordan):
            await alex.commit([pair(1)])
            await carry(alex, jordan, tmp_path / "sticks")
            before = await edges(alex)
            await alex.commit([DeleteEntity(entity="cue_42")])
            await jordan.commit([SetField(entity="cue_42", facet="cues.cue", field="number", value="43")])
            await meet(tmp_path, alex, jordan)
            await alex.resolve((await only(alex)).id, value=True)
            assert await edges(alex) == before
            assert await alex.conflicts() == []

    asyncio.run(check())


def test_another_schema_judges_the_edges_again(tmp_path: Path) -> None:
    """INV-EDGE-1"""

    async def check() -> None:
        async with stage(tmp_path / "w") as workspace:
            kim = await draw(workspace, {"x/from": "cue_42", "x/to": "cue_42", "x/since": "May"}, "cues.after")
            assert await workspace.conflicts() == []
            after = Edge(label="after", source="scene", target="scene", properties={"since": Field(type="date")})
            wider = Schema(plugin="cues", version="2", facets=STAGE.facets, edges={**STAGE.edges, "after": after})
            await kim.sync(workspace)
            program = Program("lee", 950, document="core")
            await program.sync(workspace)
            await program.send(workspace, program.keys({"cues": wider.to_record()}, root=layout.ADOPTION_ROOT))
            assert {one.kind for one in await workspace.conflicts()} == {"invalid"}
            assert {one.field for one in await workspace.conflicts()} == {"from", "to", "since"}
            assert await workspace.rebuild() == await workspace.state_hash()

    asyncio.run(check())


# -- merged entities ---------------------------------------------------------------------------------------


def test_what_leads_from_two_that_are_one_has_place_for_one(tmp_path: Path) -> None:
    async def check() -> None:
        async with stage(tmp_path / "w") as workspace:
            await workspace.commit([cue("cue_43", number="42"), call("scene_2", "cue_43")])
            await workspace.commit([MergeEntities(survivor="cue_42", absorbed="cue_43")])
            conflict = await only(workspace)
            assert (conflict.kind, conflict.entity) == ("cardinality", "cue_42")
            assert {one.title for one in conflict.candidates} == {"Scene 1", "Scene 2"}
            await workspace.commit([SplitEntity(entity="cue_43")])
            assert await workspace.conflicts("all") == []
            await workspace.commit([MergeEntities(survivor="cue_42", absorbed="cue_43")])
            await workspace.commit([MergeEntities(survivor="scene_1", absorbed="scene_2", values=NAMED)])
            assert await workspace.conflicts() == [], "they lead to one scene"
            await workspace.commit([SplitEntity(entity="scene_2")])
            await workspace.resolve((await only(workspace)).id, value="scene_2")
            assert [edge["to"] for edge in (await workspace.entity("cue_42"))["edges"]] == ["scene_2"]
            await workspace.commit([call("scene_3")])
            assert [edge["to"] for edge in (await workspace.entity("cue_42"))["edges"]] == ["scene_3"]
            assert await workspace.conflicts() == []
            assert await workspace.rebuild() == await workspace.state_hash()

    asyncio.run(check())


NAMED = {"cues.scene": {"name": "1"}}


def test_deleting_two_that_are_one_ends_the_edges_of_both(tmp_path: Path) -> None:
    """INV-EDGE-2"""

    async def check() -> None:
        async with stage(tmp_path / "w") as workspace:
            await workspace.commit([AddEdge(edge=WITH, source="cue_42", target="scene_2")])
            await workspace.commit([MergeEntities(survivor="scene_1", absorbed="scene_2", values=NAMED)])
            before = await edges(workspace)
            await workspace.commit([DeleteEntity(entity="scene_2")])
            assert await edges(workspace) == []
            assert await workspace.conflicts("all") == []
            await workspace.undo()
            assert await edges(workspace) == before
            await workspace.commit([DeleteEntity(entity="scene_1")])
            await workspace.commit([RestoreEntity(entity="scene_1")])
            assert await edges(workspace) == before
            assert await workspace.conflicts() == []
            assert await workspace.rebuild() == await workspace.state_hash()

    asyncio.run(check())


def test_an_edge_to_what_was_merged_into_something_deleted(tmp_path: Path) -> None:
    """INV-EDGE-1"""

    async def check() -> None:
        async with two(tmp_path) as (alex, jordan):
            await alex.commit(
                [MergeEntities(survivor="scene_3", absorbed="scene_2", values={"cues.scene": {"name": "3"}})]
            )
            await alex.commit([DeleteEntity(entity="scene_3")])
            await jordan.commit([call("scene_2")])
            await meet(tmp_path, alex, jordan)
            assert "which was deleted" in (await only(alex)).sentence
            await alex.commit([RestoreEntity(entity="scene_3")])
            await meet(tmp_path, alex, jordan)
            assert await jordan.conflicts() == []

    asyncio.run(check())
