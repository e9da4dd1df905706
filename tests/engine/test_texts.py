"""Collaborative texts: changes made apart in one paragraph, their history, undo."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import pycrdt
import pytest

from openprod.core.bundles import Actor
from openprod.core.operations import CreateEntity, EditText
from openprod.core.schema import Facet, Field, Schema
from openprod.engine import identity
from openprod.engine.workspace import Workspace

NOTES = "text:cues.cue/cue_1/notes"
SCHEMA = Schema(
    plugin="cues",
    facets={"cue": Facet(label="Cue", title="{number}", fields={"number": Field(), "notes": Field(type="text")})},
)
TEXT = "one\ntwo\nthree"


def run(tmp_path: Path, job: Callable[[Workspace], Awaitable[None]]) -> None:
    who = identity.load(tmp_path / "home", name="Robin", device_name="desk")

    async def main() -> None:
        await Workspace.create(tmp_path / "w", name="W", schemas=[SCHEMA], identity_=who)
        async with Workspace.open(tmp_path / "w", identity_=who) as workspace:
            fields = {"number": "1", "notes": TEXT}
            await workspace.commit([CreateEntity(entity="cue_1", facets={"cues.cue": fields})])
            await job(workspace)
            before = await workspace.state_hash()
            assert await workspace.rebuild() == before

    anyio.run(main)


async def away(workspace: Workspace, client: int) -> pycrdt.Doc[Any]:
    doc: pycrdt.Doc[Any] = pycrdt.Doc(client_id=client)
    doc.apply_update(await workspace.state_as_update("cues"))
    return doc


async def back(workspace: Workspace, doc: pycrdt.Doc[Any], name: str) -> None:
    missing = doc.get_update(await workspace.state_vector("cues"))
    actor = Actor(f"user_{name}", name, "laptop")
    await workspace.ingest("cues", missing, actor=actor, live=False, seen=doc.get_state())


@pytest.mark.parametrize(("second", "flagged"), [(5, True), (9, False)])
def test_changes_made_apart_in_one_paragraph_are_said(tmp_path: Path, second: int, flagged: bool) -> None:
    async def job(workspace: Workspace) -> None:
        alex, jordan = await away(workspace, 5), await away(workspace, 9)
        alex.get(NOTES, type=pycrdt.Text).insert(6, "A")
        jordan.get(NOTES, type=pycrdt.Text).insert(second, "J")
        await back(workspace, alex, "Alex")
        await back(workspace, jordan, "Jordan")
        found = await workspace.conflicts("open")
        assert [conflict.kind for conflict in found] == (["text-overlap"] if flagged else [])
        if flagged:
            assert "Alex and Jordan changed the same paragraph" in found[0].sentence
            await workspace.resolve(found[0].id, value="read", heads=found[0].heads)
            assert await workspace.conflicts("open") == []

    run(tmp_path, job)


def test_someone_who_had_seen_the_change_is_not_apart(tmp_path: Path) -> None:
    async def job(workspace: Workspace) -> None:
        alex = await away(workspace, 5)
        alex.get(NOTES, type=pycrdt.Text).insert(6, "A")
        await back(workspace, alex, "Alex")
        jordan = await away(workspace, 9)
        jordan.get(NOTES, type=pycrdt.Text).insert(5, "J")
        await back(workspace, jordan, "Jordan")
        assert await workspace.conflicts("all") == []

    run(tmp_path, job)


def test_both_laptops_say_the_same_of_a_paragraph_changed_apart(tmp_path: Path) -> None:
    kim = identity.load(tmp_path / "kim", name="Kim", device_name="laptop")

    async def job(workspace: Workspace) -> None:
        await workspace.backup(tmp_path / "copy")
        async with Workspace.open(tmp_path / "copy", identity_=kim) as other:
            await other.commit([EditText(entity="cue_1", facet="cues.cue", field="notes", index=5, delete=1)])
            await workspace.commit([EditText(entity="cue_1", facet="cues.cue", field="notes", index=6, insert="R")])
            await other.pack(tmp_path / "kim.pack")
            await workspace.pack(tmp_path / "robin.pack")
            plan = await other.merge_plan(tmp_path / "robin.pack")
            assert [coming["kind"] for coming in plan["conflicts"]] == ["text-overlap"]
            await other.merge(tmp_path / "robin.pack")
            await workspace.merge(tmp_path / "kim.pack")
            assert await other.state_hash() == await workspace.state_hash()
            ours, theirs = await workspace.conflicts("open"), await other.conflicts("open")
            assert [one.id for one in ours] == [one.id for one in theirs]
            assert len(ours) == 1
            # What comes after knows both.
            await other.commit([EditText(entity="cue_1", facet="cues.cue", field="notes", index=5, insert="K")])
            await other.pack(tmp_path / "kim2.pack")
            await workspace.merge(tmp_path / "kim2.pack")
            assert (await workspace.conflicts("open"))[0].heads == ours[0].heads

    run(tmp_path, job)


def test_undo_of_a_text_keeps_what_others_wrote(tmp_path: Path) -> None:
    async def notes(workspace: Workspace) -> str:
        return str((await workspace.entity("cue_1"))["facets"]["cues.cue"]["notes"])

    async def job(workspace: Workspace) -> None:
        jo = Actor("user_jo", "Jo", "desk")
        await workspace.commit(
            [EditText(entity="cue_1", facet="cues.cue", field="notes", index=4, delete=3, insert="zwei 😀")]
        )
        await workspace.commit(
            [EditText(entity="cue_1", facet="cues.cue", field="notes", index=0, insert="zéro\n")], actor=jo
        )
        assert await notes(workspace) == "zéro\none\nzwei 😀\nthree"
        await workspace.undo()
        assert await notes(workspace) == "zéro\none\ntwo\nthree"
        await workspace.redo()
        assert await notes(workspace) == "zéro\none\nzwei 😀\nthree"
        history = await workspace.history("cue_1")
        said = [version["value"] for one in history["fields"] if one["field"] == "notes" for version in one["versions"]]
        assert "wrote “zwei 😀”, removed 3 characters" in said

    run(tmp_path, job)
