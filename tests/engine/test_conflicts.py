"""Conflicts and decisions on the real workspace."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from openprod.core.conflicts import Conflict
from openprod.core.operations import DeleteEntity, RestoreEntity, SetField
from openprod.engine.workspace import Workspace
from openprod.errors import InputError, InvalidOperation, NotFound, Stale
from tests.engine.laptops import ROOT, Program, carry, cue, disagree, identity, laptop


def start(value: object, entity: str = "cue_42") -> SetField:
    return SetField(entity=entity, facet=ROOT, field="start", value=value)


async def shown(workspace: Workspace, entity: str = "cue_42", field: str = "start") -> object:
    return (await workspace.entity(entity))["facets"].get(ROOT, {}).get(field)


async def only(workspace: Workspace, status: str = "open") -> Conflict:
    (found,) = await workspace.conflicts(status)
    return found


def test_two_who_did_not_see_each_other(tmp_path: Path) -> None:
    async def check() -> None:
        async with laptop(tmp_path / "w") as workspace:
            await disagree(workspace, alex="10:30", jordan="10:45")
            conflict = await only(workspace)
            assert conflict.sentence == (
                "Cue LX 42 start time: Alex set 10:30, Jordan set 10:45 without seeing each other. Choose a value."
            )
            assert conflict.base == {"version": conflict.base["version"], "value": "10:00"}  # type: ignore[index]
            a, b = conflict.candidates
            assert (conflict.shown, await shown(workspace)) == (b.version, "10:45")
            assert (a.unaware_of, b.unaware_of) == ((b.version,), (a.version,))
            assert conflict.heads == (a.version, b.version)
            assert (await workspace.entity("cue_42"))["conflicts"] == [conflict.id]
            assert [one.id for one in await workspace.conflicts(entity="cue_42", kind="field")] == [conflict.id]
            assert await workspace.conflicts(kind="duplicate") == []

    asyncio.run(check())


def test_many_who_did_not_see_each_other(tmp_path: Path) -> None:
    async def check() -> None:
        async with laptop(tmp_path / "w") as workspace:
            await disagree(workspace, alex="10:30", jordan="10:45", kim="11:00", lee="10:30")
            assert (await only(workspace)).sentence == (
                "Cue LX 42 start time: Alex set 10:30, Jordan set 10:45, Kim set 11:00, Lee set 10:30 "
                "without seeing each other. Choose a value."
            )

    asyncio.run(check())


def test_equal_values_are_no_conflict(tmp_path: Path) -> None:
    async def check() -> None:
        async with laptop(tmp_path / "w") as workspace:
            await disagree(workspace, alex="10:30", jordan="10:30")
            assert await workspace.conflicts("all") == []
            # Somebody at this laptop, who sees what both had written, changes their mind: nobody is overlooked.
            await workspace.commit([start("11:00")])
            assert await workspace.conflicts("all") == []

    asyncio.run(check())


def test_choosing_closes_and_changing_ones_mind_supersedes(tmp_path: Path) -> None:
    async def check() -> None:
        async with laptop(tmp_path / "w") as workspace:
            await disagree(workspace, alex="10:30", jordan="10:45")
            conflict = await only(workspace)
            receipt = await workspace.resolve(
                conflict.id, choose=conflict.candidates[0].version, heads=conflict.heads, message="as rehearsed"
            )
            assert (receipt.conflicts, await shown(workspace)) == ([], "10:30")
            decided = await workspace.conflict(conflict.id)
            assert (decided.status, decided.reopened) == ("resolved", False)
            assert decided.resolution is not None
            assert (decided.resolution.by, decided.resolution.value, decided.resolution.chosen) == (
                "Sam", "10:30", conflict.candidates[0].version,
            )  # fmt: skip
            assert decided.sentence == "Cue LX 42 start time: decided 10:30 (Sam)."
            assert {one.value for one in decided.candidates} == {"10:30", "10:45"}
            await workspace.resolve(conflict.id, value="11:15")
            revised = await only(workspace, "resolved")
            assert revised.resolution is not None
            assert (revised.resolution.value, revised.resolution.supersedes) == ("11:15", decided.resolution.id)
            assert len(revised.resolutions) == 2
            assert await shown(workspace) == "11:15"

    asyncio.run(check())


def test_a_decision_about_other_heads_is_refused_with_the_present_ones(tmp_path: Path) -> None:
    async def check() -> None:
        async with laptop(tmp_path / "w") as workspace:
            await disagree(workspace, alex="10:30", jordan="10:45")
            looked_at = await only(workspace)
            late = Program("kim", 77)
            update = late.change(cue_42__start="11:00")
            await late.send(workspace, update)
            before = await workspace.state_hash()
            with pytest.raises(Stale) as caught:
                await workspace.resolve(looked_at.id, value="11:15", heads=looked_at.heads)
            assert caught.value.details["heads"] == list((await only(workspace)).heads)
            assert len(caught.value.details["heads"]) == 3
            assert await workspace.state_hash() == before

    asyncio.run(check())


def test_what_a_decision_may_not_be(tmp_path: Path) -> None:
    async def check() -> None:
        async with laptop(tmp_path / "w") as workspace:
            await disagree(workspace, alex="10:30", jordan="10:45")
            conflict = await only(workspace)
            before = await workspace.state_hash()
            with pytest.raises(InvalidOperation, match="Choose one"):
                await workspace.resolve(conflict.id)
            with pytest.raises(InvalidOperation, match="Choose one"):
                await workspace.resolve(conflict.id, choose=conflict.heads[0], value="1:00")
            with pytest.raises(InvalidOperation, match="isn't one of"):
                await workspace.resolve(conflict.id, choose="cues:1:1")
            with pytest.raises(InvalidOperation, match="isn't one of"):
                await workspace.resolve(conflict.id, choose="core:" + conflict.heads[0].partition(":")[2])
            with pytest.raises(InputError, match="doesn't name a version"):
                await workspace.resolve(conflict.id, choose="nonsense")
            with pytest.raises(InvalidOperation, match="isn't a time"):
                await workspace.resolve(conflict.id, value="soon")
            with pytest.raises(NotFound):
                await workspace.resolve("c_nothing", value="1:00")
            with pytest.raises(InvalidOperation, match="isn't resolved"):
                await workspace.reopen(conflict.id)
            assert await workspace.state_hash() == before

    asyncio.run(check())


def test_nothing_can_be_decided_too(tmp_path: Path) -> None:
    async def check() -> None:
        async with laptop(tmp_path / "w") as workspace:
            await disagree(workspace, alex="10:30", jordan="10:45")
            await workspace.resolve((await only(workspace)).id, value=None)
            decided = await only(workspace, "resolved")
            assert decided.sentence == "Cue LX 42 start time: decided to leave it empty (Sam)."
            assert {one.value for one in decided.candidates} == {"10:30", "10:45"}

    asyncio.run(check())


def test_a_late_edit_reopens_with_the_decision_shown(tmp_path: Path) -> None:
    async def check() -> None:
        async with laptop(tmp_path / "w") as workspace:
            away = Program("kim", 5)
            await away.sync(workspace)
            late = away.change(cue_42__start="11:00")
            await disagree(workspace, alex="10:30", jordan="10:45")
            conflict = await only(workspace)
            await workspace.resolve(conflict.id, value="10:40")
            await away.send(workspace, late)
            again = await only(workspace)
            assert (again.id, again.status, again.reopened) == (conflict.id, "open", True)
            assert again.resolution is not None
            assert again.resolution.value == "10:40"
            assert "It had been decided: 10:40 (Sam)." in again.sentence
            assert {one.value for one in again.candidates} == {"10:40", "11:00"}
            # Whoever had seen the decision overwrites it: nothing to decide.
            await workspace.resolve(again.id, value="10:50")
            await away.sync(workspace)
            await away.set(workspace, cue_42__start="10:55")
            assert await workspace.conflicts() == []
            assert await shown(workspace) == "10:55"

    asyncio.run(check())


def test_an_edit_over_the_winner_settles_nothing_unless_its_author_had_lost(tmp_path: Path) -> None:
    async def check() -> None:
        async with laptop(tmp_path / "w") as workspace:
            alex, jordan = await disagree(workspace, alex="10:30", jordan="10:45")
            await workspace.commit([start("11:00")])
            assert {one.value for one in (await only(workspace)).candidates} == {"10:30", "11:00"}
            await alex.sync(workspace)
            await alex.set(workspace, cue_42__start="11:05")
            overtaken = await only(workspace, "overtaken")
            assert overtaken.sentence.endswith("settled when its author typed again.")
            assert await workspace.conflicts("open") == []
            assert await shown(workspace) == "11:05"
            assert (await workspace.entity("cue_42"))["conflicts"] == []
            del jordan

    asyncio.run(check())


def test_different_decisions_apart_are_a_conflict(tmp_path: Path) -> None:
    async def check() -> None:
        async with laptop(tmp_path / "a") as sam:
            await disagree(sam, alex="10:30", jordan="10:45")
            await sam.backup(tmp_path / "b")
            async with Workspace.open(tmp_path / "b", identity_=identity("robin")) as robin:
                conflict = await only(sam)
                await sam.resolve(conflict.id, choose=conflict.heads[0])
                await robin.resolve(conflict.id, choose=conflict.heads[1])
                plan = await carry(robin, sam, tmp_path)
                assert [one["id"] for one in plan["conflicts"]] == [conflict.id]
                await carry(sam, robin, tmp_path)
                assert await sam.state_hash() == await robin.state_hash()
                again = await only(robin)
                assert (again.reopened, {one.author for one in again.candidates}) == (True, {"Sam", "Robin"})
                assert again == await only(sam)
                # The same decision twice is one.
                await sam.resolve(conflict.id, value="12:00")
                await robin.resolve(conflict.id, value="12:00")
                await carry(robin, sam, tmp_path)
                assert await sam.conflicts("open") == []

    asyncio.run(check())


def test_taking_a_decision_back(tmp_path: Path) -> None:
    async def check() -> None:
        async with laptop(tmp_path / "w") as workspace:
            await disagree(workspace, alex="10:30", jordan="10:45")
            conflict = await only(workspace)
            await workspace.resolve(conflict.id, value="11:00")
            await workspace.reopen(conflict.id)
            again = await only(workspace)
            assert again.heads == conflict.heads
            assert again.reopened
            assert all(one.withdrawn for one in again.resolutions)
            await workspace.resolve(conflict.id, choose=again.heads[0])
            assert (await only(workspace, "resolved")).sentence.endswith("decided 10:30 (Sam).")

    asyncio.run(check())


def test_invalid_values_are_kept_shown_and_flagged(tmp_path: Path) -> None:
    async def check() -> None:
        async with laptop(tmp_path / "w") as workspace:
            desk = Program("alex", 5)
            await desk.sync(workspace)
            await desk.set(workspace, cue_42__start="half past ten")
            conflict = await only(workspace)
            assert (conflict.kind, await shown(workspace)) == ("invalid", "half past ten")
            assert conflict.sentence == (
                "Cue LX 42 start time: Alex set “half past ten”, which isn't a time such as 19:30. "
                "Correct it or accept it."
            )
            await workspace.resolve(conflict.id, choose=conflict.heads[0])
            assert await workspace.conflicts("open") == []
            assert await shown(workspace) == "half past ten"
            await workspace.reopen(conflict.id)
            assert (await only(workspace)).kind == "invalid"
            await workspace.resolve(conflict.id, value="10:30")
            assert await workspace.conflicts("open") == []
            # A new bad value isn't accepted by the old acceptance.
            await desk.sync(workspace)
            await desk.set(workspace, cue_42__start=12)
            assert (await only(workspace)).reopened is False
            # The same bad value from two: one acceptance covers both.
            await disagree(workspace, kim="soon", lee="soon")
            (conflict,) = await workspace.conflicts()
            if conflict.kind == "field":
                await workspace.resolve(conflict.id, choose=conflict.heads[-1])
                (conflict,) = await workspace.conflicts()
            await workspace.resolve(conflict.id, choose=conflict.heads[0])
            assert await workspace.conflicts("open") == []

    asyncio.run(check())


def test_deleted_by_one_edited_by_another(tmp_path: Path) -> None:
    async def check() -> None:
        async with laptop(tmp_path / "w") as workspace:
            desk = Program("alex", 5)
            await desk.sync(workspace)
            update = desk.change(cue_42__start="10:30")
            await workspace.commit([DeleteEntity(entity="cue_42")])
            await desk.send(workspace, update)
            conflict = await only(workspace)
            assert conflict.kind == "edit-delete"
            assert conflict.sentence == (
                "Cue LX 42 was deleted by Sam while Alex set start time to 10:30 without seeing each other. "
                "Restore it or leave it deleted."
            )
            assert (await workspace.entity("cue_42"))["deleted"]
            await workspace.resolve(conflict.id, value=True)
            entity = await workspace.entity("cue_42")
            assert (entity["deleted"], entity["facets"][ROOT]["start"], entity["facets"][ROOT]["number"]) == (
                False, "10:30", "42",
            )  # fmt: skip
            assert (await only(workspace, "all")).status == "resolved"
            await workspace.commit([DeleteEntity(entity="cue_42")])
            assert await workspace.conflicts("open") == []

    asyncio.run(check())


def test_leaving_it_deleted_and_a_later_edit(tmp_path: Path) -> None:
    async def check() -> None:
        async with laptop(tmp_path / "w") as workspace:
            desk, pad = Program("alex", 5), Program("kim", 6)
            await desk.sync(workspace)
            await pad.sync(workspace)
            update, late = desk.change(cue_42__start="10:30"), pad.change(cue_42__label="late")
            await workspace.commit([DeleteEntity(entity="cue_42")])
            await desk.send(workspace, update)
            conflict = await only(workspace)
            await workspace.resolve(conflict.id, value=False)
            assert (await only(workspace, "all")).sentence == "Cue LX 42: decided to leave it deleted (Sam)."
            await pad.send(workspace, late)
            again = await only(workspace)
            assert (again.id, again.reopened) == (conflict.id, True)
            await workspace.resolve(conflict.id, choose=next(one.version for one in again.candidates if one.value))
            assert (await workspace.entity("cue_42"))["facets"][ROOT]["label"] == "late"

    asyncio.run(check())


def test_restoring_brings_back_one_thing_only(tmp_path: Path) -> None:
    async def check() -> None:
        async with laptop(tmp_path / "w") as workspace:
            await workspace.commit([cue("cue_43", number="43", start="11:00")])
            await workspace.commit(
                [start("10:05"), DeleteEntity(entity="cue_42"), DeleteEntity(entity="cue_43")],
            )
            await workspace.commit([RestoreEntity(entity="cue_43")])
            assert (await workspace.entity("cue_43"))["facets"][ROOT]["start"] == "11:00"
            assert (await workspace.entity("cue_42"))["deleted"]
            assert await workspace.conflicts() == []
            await workspace.commit([RestoreEntity(entity="cue_42")])
            assert (await workspace.entity("cue_42"))["facets"][ROOT]["number"] == "42"

    asyncio.run(check())


def test_restoring_undoes_nothing_else_of_the_deletion_s_bundle(tmp_path: Path) -> None:
    async def check() -> None:
        async with laptop(tmp_path / "w") as workspace:
            await workspace.commit([cue("cue_43", number="43", start="11:00")])
            await workspace.commit([DeleteEntity(entity="cue_42"), start("11:30", "cue_43")])
            await workspace.commit([RestoreEntity(entity="cue_42")])
            assert await shown(workspace, "cue_43") == "11:30"

    asyncio.run(check())


def test_duplicates(tmp_path: Path) -> None:
    async def check() -> None:
        async with laptop(tmp_path / "w") as workspace:
            await workspace.commit([cue("cue_43", number="42")])
            conflict = await only(workspace)
            assert conflict.kind == "duplicate"
            assert conflict.sentence == (
                "2 entries share list LX and number 42: Cue LX 42, Cue LX 42. Renumber one, or keep them all."
            )
            await workspace.resolve(conflict.id, choose=conflict.heads[0])
            assert (await only(workspace, "all")).status == "resolved"
            await workspace.commit([cue("cue_44", number="42")])
            third = await only(workspace)
            assert (third.id, third.reopened, len(third.candidates)) == (conflict.id, True, 3)
            with pytest.raises(InvalidOperation):
                await workspace.resolve(conflict.id, value={"cue_99": {"number": "1"}})
            with pytest.raises(InvalidOperation):
                await workspace.resolve(conflict.id, value={"cue_44": {"number": "x"}})
            with pytest.raises(InvalidOperation):
                await workspace.resolve(conflict.id, value={"cue_44": {"nothing": "x"}})
            await workspace.resolve(conflict.id, value={"cue_43": {"number": "43"}, "cue_44": {"number": "44"}})
            assert await workspace.conflicts("open") == []
            assert await shown(workspace, "cue_44", "number") == "44"

    asyncio.run(check())


def test_conflicts_by_page(tmp_path: Path) -> None:
    async def check() -> None:
        async with laptop(tmp_path / "w") as workspace:
            await workspace.commit([cue(f"cue_d{number}", number="42") for number in range(3)])
            await disagree(workspace, alex="10:30", jordan="10:45")
            everything = await workspace.conflicts(limit=-1)
            (first,) = await workspace.conflicts(limit=1)
            rest = await workspace.conflicts(after=first.id)
            assert [first, *rest] == everything
            with pytest.raises(InputError):
                await workspace.conflicts("sometimes")
            with pytest.raises(InputError):
                await workspace.conflicts(kind="sometimes")
            with pytest.raises(NotFound):
                await workspace.conflict("c_x")

    asyncio.run(check())


def test_an_edit_whose_value_was_not_kept_can_be_left_deleted(tmp_path: Path) -> None:
    async def check() -> None:
        async with laptop(tmp_path / "w") as workspace:
            desk, pad = Program("alex", 500), Program("kim", 900)
            await desk.sync(workspace)
            await pad.sync(workspace)
            lost, won = desk.change(cue_42__start="10:30"), pad.change(cue_42__start="10:45")
            # Kim's program takes Alex's edit in and collects it: only its place comes through.
            pad.doc.apply_update(lost)
            await workspace.commit([DeleteEntity(entity="cue_42")])
            await pad.sync(workspace)
            conflict = await only(workspace)
            assert any(not one.known for one in conflict.candidates)
            assert "a value that was not kept" in conflict.sentence
            await workspace.resolve(conflict.id, value=False)
            assert await workspace.conflicts("open") == []
            del won

    asyncio.run(check())


def test_what_two_laptops_deleted_comes_back_whole(tmp_path: Path) -> None:
    async def check() -> None:
        async with laptop(tmp_path / "a") as ws:
            await ws.backup(tmp_path / "copy")
            async with Workspace.open(tmp_path / "copy", identity_=identity("kim")) as other:
                await ws.commit([DeleteEntity(entity="cue_42")])
                await other.commit([DeleteEntity(entity="cue_42")])
                await carry(ws, other, tmp_path)
                await carry(other, ws, tmp_path)
                for one in (ws, other):
                    await one.commit([RestoreEntity(entity="cue_42")])
                    found = (await one.entity("cue_42"))["facets"][ROOT]
                    assert {"list": "LX", "number": "42", "start": "10:00"}.items() <= found.items()

    asyncio.run(check())
