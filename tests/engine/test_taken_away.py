"""What one takes away while another goes on with it: keys, facets and whole things, by programs and by this engine."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from pycrdt import Map, Text

from openprod.core.operations import DeleteEntity, SetField
from tests.engine.laptops import ROOT, Program, disagree, laptop, shown, usable

EVERY_KEY = ("cue_42", "cue_42/list", "cue_42/number", "cue_42/start")
"""Of the one cue."""


def test_removed_by_one_changed_by_another(tmp_path: Path) -> None:
    async def check() -> None:
        async with laptop(tmp_path / "w") as workspace:
            alex, jordan = Program("alex", 50), Program("jordan", 60)
            await alex.sync(workspace)
            await jordan.sync(workspace)
            removal = alex.keys({}, remove=("cue_42/start",))
            edit = jordan.change(cue_42__start="10:45")
            await alex.send(workspace, removal)
            assert await shown(workspace) is None
            assert await workspace.conflicts() == []
            await jordan.send(workspace, edit)
            (conflict,) = await workspace.conflicts()
            assert "Alex cleared it" in conflict.sentence
            assert "Jordan set 10:45" in conflict.sentence
            cleared = next(one for one in conflict.candidates if one.value is None)
            assert cleared.version.endswith(":cleared")
            await workspace.resolve(conflict.id, choose=cleared.version)
            assert await shown(workspace) is None
            assert await workspace.conflicts() == []
            await usable(workspace)

    asyncio.run(check())


@pytest.mark.parametrize("edit_first", [True, False])
def test_a_removal_is_found_whichever_comes_first(tmp_path: Path, edit_first: bool) -> None:
    async def check() -> None:
        async with laptop(tmp_path / "w") as workspace:
            alex, jordan = Program("alex", 50), Program("jordan", 60)
            await alex.sync(workspace)
            await jordan.sync(workspace)
            sent = [(alex, alex.keys({}, remove=("cue_42/start",))), (jordan, jordan.change(cue_42__start="10:45"))]
            for program, update in reversed(sent) if edit_first else sent:
                await program.send(workspace, update)
            (conflict,) = await workspace.conflicts()
            assert {one.author: one.value for one in conflict.candidates} == {"Alex": None, "Jordan": "10:45"}
            # Said again, it is nothing new.
            assert await alex.send(workspace, sent[0][1]) is None

    asyncio.run(check())


def test_a_value_set_by_somebody_who_saw_the_removal_is_no_conflict(tmp_path: Path) -> None:
    async def check() -> None:
        async with laptop(tmp_path / "w") as workspace:
            alex, jordan = Program("alex", 50), Program("jordan", 60)
            await alex.sync(workspace)
            await alex.send(workspace, alex.keys({}, remove=("cue_42/start",)))
            await jordan.sync(workspace)
            await jordan.set(workspace, cue_42__start="10:45")
            assert await workspace.conflicts("all") == []
            await alex.sync(workspace)
            await alex.send(workspace, alex.keys({}, remove=("cue_42/start",)))
            await workspace.commit([SetField(entity="cue_42", facet=ROOT, field="start", value="11:00")])
            assert await workspace.conflicts("all") == []
            assert await shown(workspace) == "11:00"

    asyncio.run(check())


def test_removed_while_away(tmp_path: Path) -> None:
    async def check() -> None:
        async with laptop(tmp_path / "w") as workspace:
            alex = Program("alex", 50)
            await alex.sync(workspace)
            alex.keys({}, remove=("cue_42/start",))
            await alex.sync(workspace)
            assert await shown(workspace) is None
            assert await workspace.conflicts("all") == []
            await usable(workspace)

    asyncio.run(check())


def test_taken_away_and_typed_in_by_one_person_on_two_devices(tmp_path: Path) -> None:
    """INV-LOSS-2: nobody can have meant both."""

    async def check() -> None:
        async with laptop(tmp_path / "w") as workspace:
            desk, tablet = Program("alex", 50), Program("alex", 60)
            await desk.sync(workspace)
            await tablet.sync(workspace)
            tablet.doc.get(f"text:{ROOT}/cue_42/notes", type=Text).insert(0, "typed on the train")
            await desk.send(workspace, desk.keys(dict.fromkeys(EVERY_KEY)))
            await tablet.sync(workspace)
            (conflict,) = await workspace.conflicts()
            assert "was deleted by Alex while Alex typed in notes" in conflict.sentence
            await usable(workspace)

    asyncio.run(check())


def test_a_facet_left_taken_away_can_still_come_back(tmp_path: Path) -> None:
    async def check() -> None:
        async with laptop(tmp_path / "w") as workspace:
            alex, jordan = Program("alex", 50), Program("jordan", 60)
            await alex.sync(workspace)
            await jordan.sync(workspace)
            removal = alex.keys(dict.fromkeys(EVERY_KEY))
            edit = jordan.change(cue_42__label="kept")
            await alex.send(workspace, removal)
            await jordan.send(workspace, edit)
            (conflict,) = await workspace.conflicts()
            await workspace.resolve(conflict.id, value=False)
            assert (await workspace.entity("cue_42"))["facets"] == {}
            await workspace.resolve(conflict.id, value=True)
            assert await workspace.conflicts() == []
            assert (await workspace.entity("cue_42"))["facets"][ROOT]["label"] == "kept"
            await usable(workspace)

    asyncio.run(check())


@pytest.mark.parametrize("restore", [True, False])
@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("clients", [(50, 60), (60, 50)])
def test_taken_away_by_one_marked_by_another(
    tmp_path: Path, clients: tuple[int, int], whole: bool, restore: bool
) -> None:
    """INV-CONFLICT-1: whichever of the two markers Yjs settles on."""

    async def check() -> None:
        async with laptop(tmp_path / "w") as workspace:
            document, root = ("core", "core.entity") if whole else ("cues", ROOT)
            alex, jordan = (
                Program(name, id, document=document) for name, id in zip(("alex", "jordan"), clients, strict=True)
            )
            for one in (alex, jordan):
                await one.sync(workspace)
            keys = ("cue_42",) if whole else EVERY_KEY
            removal = alex.keys(dict.fromkeys(keys), root=root)
            mark = jordan.keys({"cue_42": True}, root=root)
            await alex.send(workspace, removal)
            await jordan.send(workspace, mark)
            (conflict,) = await workspace.conflicts()
            assert conflict.kind == "edit-delete"
            assert "deleted by Alex while" in conflict.sentence
            if not whole:
                assert "Jordan kept it" in conflict.sentence
            assert conflict.shown in {one.version for one in conflict.candidates}
            await workspace.resolve(conflict.id, value=restore)
            assert await workspace.conflicts() == []
            entity = await workspace.entity("cue_42")
            if restore:
                assert entity["facets"][ROOT]["start"] == "10:00"
            else:
                assert entity["facets"] == {} or entity["deleted"]
            await workspace.resolve(conflict.id, value=not restore)
            assert await workspace.conflicts() == []
            if not restore:
                assert (await workspace.entity("cue_42"))["facets"][ROOT]["start"] == "10:00"
            await usable(workspace)

    asyncio.run(check())


@pytest.mark.parametrize("restore", [True, False])
@pytest.mark.parametrize("native", [True, False])
def test_taken_away_by_one_while_another_types_in_its_text(tmp_path: Path, native: bool, restore: bool) -> None:
    """INV-LOSS-2: what is typed in the text of something that is gone would be seen by nobody."""

    async def check() -> None:
        async with laptop(tmp_path / "w") as workspace:
            alex, jordan = Program("alex", 50), Program("jordan", 60)
            name = f"text:{ROOT}/cue_42/notes"
            await jordan.sync(workspace)
            jordan.doc.get(name, type=Text).insert(0, "before ")
            await jordan.sync(workspace)
            await alex.sync(workspace)
            jordan.doc.get(name, type=Text).insert(7, "an afternoon of notes")
            if native:
                await workspace.commit([DeleteEntity(entity="cue_42")])
            else:
                await alex.send(workspace, alex.keys(dict.fromkeys(EVERY_KEY)))
            assert await workspace.conflicts() == []
            await jordan.sync(workspace)
            (conflict,) = await workspace.conflicts()
            assert conflict.kind == "edit-delete"
            who = "Sam" if native else "Alex"
            assert f"was deleted by {who} while Jordan typed in notes without seeing each other" in conflict.sentence
            assert {one.author for one in conflict.candidates} >= {who, "Jordan"}
            await workspace.resolve(conflict.id, value=restore)
            assert await workspace.conflicts() == []
            await usable(workspace)
            if restore:
                fields = (await workspace.entity("cue_42"))["facets"][ROOT]
                assert (fields["notes"], fields["start"]) == ("before an afternoon of notes", "10:00")
                await workspace.commit([DeleteEntity(entity="cue_42")])
            else:
                jordan.doc.get(name, type=Text).insert(0, "knowing it: ")
                await jordan.sync(workspace)
            assert await workspace.conflicts() == []

    asyncio.run(check())


@pytest.mark.parametrize("live", [True, False])
def test_who_took_every_key_of_an_entity_away(tmp_path: Path, live: bool) -> None:
    """Who deletes keys is known from what was sent as it was made; a whole state names nobody, least of all whoever had
    made the entity."""

    async def check() -> None:
        async with laptop(tmp_path / "w") as workspace:
            alex, jordan = Program("alex", 50), Program("jordan", 60)
            await alex.sync(workspace)
            await jordan.sync(workspace)
            keys = [key for key in alex.doc.get(ROOT, type=Map) if key.partition("/")[0] == "cue_42"]
            removal = alex.keys({}, remove=tuple(keys))
            edit = jordan.change(cue_42__label="kept")
            if live:
                await alex.send(workspace, removal)
            else:
                await alex.sync(workspace)
            await jordan.send(workspace, edit)
            (conflict,) = await workspace.conflicts()
            assert conflict.kind == "edit-delete"
            assert f"was deleted by {'Alex' if live else 'somebody'} while Jordan set" in conflict.sentence
            assert {one.author for one in conflict.candidates} == {"Alex" if live else "somebody", "Jordan"}
            deletion = next(one for one in conflict.candidates if one.author != "Jordan")
            assert conflict.shown == deletion.version
            await workspace.resolve(conflict.id, choose=deletion.version)
            assert await workspace.conflicts() == []
            assert (await workspace.entity("cue_42"))["facets"] == {}
            await workspace.resolve(conflict.id, value=True)
            assert await workspace.conflicts() == []
            assert (await workspace.entity("cue_42"))["facets"][ROOT]["label"] == "kept"
            await usable(workspace)

    asyncio.run(check())


def test_nobody_is_named_for_a_removal_that_nobody_signed(tmp_path: Path) -> None:
    async def check() -> None:
        async with laptop(tmp_path / "w") as workspace:
            await disagree(workspace, alex="10:30", jordan="10:45")
            kim = Program("kim", 300)
            await kim.sync(workspace)
            kim.keys({}, remove=("cue_42/start",))
            await kim.sync(workspace)
            (conflict,) = await workspace.conflicts()
            assert {one.author: one.value for one in conflict.candidates} == {"Alex": "10:30", "somebody": None}
            assert "Jordan cleared" not in conflict.sentence
            await usable(workspace)

    asyncio.run(check())
