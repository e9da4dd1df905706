"""INV-UNDO-1. Undo and redo: per person, never rewriting history, never over what somebody changed since."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from pathlib import Path

import pytest

from openprod.core.operations import DeleteEntity, EditText, SetField
from openprod.engine.workspace import Workspace
from openprod.errors import InvalidOperation, NotFound, Stale
from tests.engine.laptops import ROOT, Program, carry, cue, disagree, identity, laptop, person


def field(name: str, value: object, entity: str = "cue_42") -> SetField:
    return SetField(entity=entity, facet=ROOT, field=name, value=value)


async def shown(workspace: Workspace, name: str = "start", entity: str = "cue_42") -> object:
    return (await workspace.entity(entity))["facets"].get(ROOT, {}).get(name)


def test_back_and_forth_any_number_of_times(tmp_path: Path) -> None:
    async def check() -> None:
        async with laptop(tmp_path / "w") as workspace:
            await workspace.commit([field("start", "10:05")])
            await workspace.commit([field("start", "10:10"), field("label", "x")])
            for _ in range(3):
                await workspace.undo()
                assert (await shown(workspace), await shown(workspace, "label")) == ("10:05", None)
                await workspace.redo()
                assert (await shown(workspace), await shown(workspace, "label")) == ("10:10", "x")
            await workspace.undo()
            await workspace.undo()
            assert await shown(workspace) == "10:00"
            await workspace.redo()
            assert await shown(workspace) == "10:05"
            await workspace.redo()
            assert await shown(workspace) == "10:10"
            with pytest.raises(NotFound):
                await workspace.redo()
            assert await workspace.conflicts("all") == []

    asyncio.run(check())


def test_a_new_edit_ends_redo(tmp_path: Path) -> None:
    async def check() -> None:
        async with laptop(tmp_path / "w") as workspace:
            await workspace.commit([field("start", "10:05")])
            await workspace.undo()
            await workspace.commit([field("label", "x")])
            with pytest.raises(NotFound):
                await workspace.redo()
            await workspace.undo()
            assert await shown(workspace, "label") is None

    asyncio.run(check())


def test_everybody_undoes_their_own(tmp_path: Path) -> None:
    async def check() -> None:
        async with laptop(tmp_path / "w") as workspace:
            await workspace.commit([field("start", "10:05")], actor=person("alex"))
            await workspace.commit([field("label", "x")], actor=person("kim"))
            await workspace.undo(actor=person("alex"))
            assert (await shown(workspace), await shown(workspace, "label")) == ("10:00", "x")
            with pytest.raises(NotFound):
                await workspace.undo(actor=person("alex"))
            with pytest.raises(NotFound):
                await workspace.redo(actor=person("kim"))

    asyncio.run(check())


def test_what_somebody_changed_since_stays(tmp_path: Path) -> None:
    async def check() -> None:
        async with laptop(tmp_path / "w") as workspace:
            receipt = await workspace.commit([field("start", "10:05"), field("label", "x")])
            await workspace.commit([field("start", "10:10")], actor=person("kim"))
            await workspace.undo(receipt.bundle)
            assert (await shown(workspace), await shown(workspace, "label")) == ("10:10", None)
            again = await workspace.commit([field("label", "y")])
            await workspace.commit([field("label", "z")], actor=person("kim"))
            with pytest.raises(Stale):
                await workspace.undo(again.bundle)
            assert await shown(workspace, "label") == "z"

    asyncio.run(check())


def test_a_program_s_edit_and_a_deletion(tmp_path: Path) -> None:
    async def check() -> None:
        async with laptop(tmp_path / "w") as workspace:
            desk = Program("alex", 5)
            await desk.sync(workspace)
            await desk.set(workspace, cue_42__start="10:30")
            await workspace.undo(actor=desk.actor)
            assert await shown(workspace) == "10:00"
            await workspace.commit([DeleteEntity(entity="cue_42")])
            await workspace.undo()
            assert (await shown(workspace), await shown(workspace, "number")) == ("10:00", "42")
            await workspace.redo()
            assert (await workspace.entity("cue_42"))["deleted"]
            assert await workspace.conflicts("open") == []
            created = await workspace.commit([cue("cue_50", number="50")])
            await workspace.undo()
            assert (await workspace.query({"facet": ROOT}))["rows"] == []
            assert created.bundle in {one["undoes"] for one in await workspace.log()}

    asyncio.run(check())


def test_a_decision(tmp_path: Path) -> None:
    async def check() -> None:
        async with laptop(tmp_path / "w") as workspace:
            await disagree(workspace, alex="10:30", jordan="10:45")
            (conflict,) = await workspace.conflicts()
            await workspace.resolve(conflict.id, value="11:00")
            for _ in range(2):
                await workspace.undo()
                (again,) = await workspace.conflicts()
                assert {"10:30", "10:45"} <= {one.value for one in again.candidates}
                assert "11:00" not in {one.value for one in again.candidates}
                await workspace.redo()
                (decided,) = await workspace.conflicts("all")
                assert (decided.status, await shown(workspace)) == ("resolved", "11:00")

    asyncio.run(check())


def test_a_decision_that_somebody_has_gone_on_from_is_left_as_it_is(tmp_path: Path) -> None:
    kim = person("kim")

    async def check() -> None:
        async with laptop(tmp_path / "w") as workspace:

            async def refused(taking_back: Awaitable[object], stays: str) -> None:
                before = await workspace.conflicts("all")
                with pytest.raises(Stale):
                    await taking_back
                assert (await shown(workspace), await workspace.conflicts("all")) == (stays, before)

            await disagree(workspace, alex="10:30", jordan="10:45")
            (conflict,) = await workspace.conflicts()
            first, _second = (one.version for one in conflict.candidates)
            await workspace.resolve(conflict.id, choose=first)
            await workspace.resolve(conflict.id, value="11:00", actor=kim)
            await refused(workspace.undo(), "11:00")  # decided anew
            await workspace.undo(actor=kim)
            await workspace.reopen(conflict.id, actor=kim)
            await refused(workspace.undo(), "10:30")  # taken back
            await workspace.undo(actor=kim)
            await workspace.commit([field("start", "12:00")], actor=kim)
            await refused(workspace.undo(), "12:00")  # edited over

            await workspace.resolve(conflict.id, choose=first)
            await workspace.undo()
            await workspace.resolve(conflict.id, value="11:05", actor=kim)
            await refused(workspace.redo(), "11:05")
            await workspace.undo(actor=kim)
            await workspace.redo()
            assert await shown(workspace) == "10:30", "once nothing stands in the way, it is decided again"

    asyncio.run(check())


def test_nothing_to_take_back(tmp_path: Path) -> None:
    async def check() -> None:
        async with laptop(tmp_path / "w") as workspace:
            with pytest.raises(NotFound):
                await workspace.redo()
            with pytest.raises(NotFound):
                await workspace.undo("abcdef0123")
            before = await workspace.state_hash()
            with pytest.raises((InvalidOperation, NotFound)):
                await workspace.undo(actor=person("nobody"))
            assert await workspace.state_hash() == before
            assert (await workspace.commit([field("start", "10:00")])).bundle == ""

    asyncio.run(check())


def test_text(tmp_path: Path) -> None:
    async def check() -> None:
        async with laptop(tmp_path / "w") as workspace:
            await workspace.commit(
                [EditText(entity="cue_42", facet=ROOT, field="notes", index=0, insert="slow 🎭 fade")]
            )
            await workspace.commit([EditText(entity="cue_42", facet=ROOT, field="notes", index=5, delete=1)])
            assert await shown(workspace, "notes") == "slow  fade"
            await workspace.undo()
            assert await shown(workspace, "notes") == "slow 🎭 fade"

    asyncio.run(check())


@pytest.mark.parametrize("who", [0, 1])
def test_what_somebody_else_made_too_stays_when_one_takes_theirs_back(tmp_path: Path, who: int) -> None:
    """INV-UNDO-1, INV-LOSS-2. Two import one sheet apart: whichever's is shown, the other's isn't taken away."""

    async def check() -> None:
        (tmp_path / "stick").mkdir()
        async with laptop(tmp_path / "sam") as sam:
            await sam.backup(tmp_path / "alex")
            async with Workspace.open(tmp_path / "alex", identity_=identity("alex")) as alex:
                both, mine = [cue("cue_1", number="1", start="10:00")], [cue("cue_2", number="2")]
                await sam.commit(both + mine if who == 0 else both)
                await alex.commit(both + mine if who == 1 else both)
                one, other = (sam, alex) if who == 0 else (alex, sam)
                await carry(other, one, tmp_path / "stick")
                await carry(one, other, tmp_path / "stick")
                await one.undo()
                await carry(one, other, tmp_path / "stick")
                for workspace in (sam, alex):
                    assert sorted(await workspace.rows(ROOT)) == ["cue_1", "cue_42"]
                    assert await shown(workspace, entity="cue_1") == "10:00"
                    assert await workspace.conflicts("all") == []
                with pytest.raises(Stale, match="Somebody made the same change"):
                    await other.undo()
                await one.redo()
                assert sorted(await one.rows(ROOT)) == ["cue_1", "cue_2", "cue_42"]
                await carry(one, other, tmp_path / "stick")
                assert await sam.state_hash() == await alex.state_hash() == await sam.rebuild()

    asyncio.run(check())
