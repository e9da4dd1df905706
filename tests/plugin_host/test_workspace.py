"""Proposals in a real workspace: what the sample production is once it is made."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from openprod.core.operations import AddEdge, DeleteEntity
from openprod.core.schema import Edge, Facet, Schema
from openprod.engine import identity
from openprod.engine.workspace import Workspace
from openprod.plugin_api import Changes
from openprod.plugin_host.importing import plan_import
from openprod.plugin_host.registry import Registry
from openprod.plugin_host.sample import load_sample
from openprod.plugin_host.snapshots import take_snapshot


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENPROD_HOME", str(tmp_path / "home"))


async def make(folder: Path) -> None:
    sample = load_sample("hamlet")
    await Workspace.create(folder, name=sample.name, schemas=sample.schemas)
    async with Workspace.open(folder) as workspace:
        for step in sample.steps:
            proposal = step.plan(await take_snapshot(workspace, step.facets, step.edges))
            receipt = await workspace.commit(proposal.operations, message=step.message, intent="import")
            assert receipt.bundle


async def lx42(workspace: Workspace) -> dict[str, Any]:
    found = await workspace.query({"facet": "cues.cue", "where": {"list": "LX", "number": "42"}})
    ((entity, *_),) = found["rows"]
    return await workspace.entity(entity)


def test_the_sample_is_a_production_without_conflicts(tmp_path: Path) -> None:
    async def check() -> None:
        await make(tmp_path / "hamlet")
        async with Workspace.open(tmp_path / "hamlet") as workspace:
            assert len(await workspace.rows("cues.cue")) == 227
            assert await workspace.conflicts() == []
            cue = await lx42(workspace)
            assert "LX 42" in cue["title"]
            assert cue["facets"]["cues.cue"]["start"] == "10:15"
            (placed,) = cue["edges"]
            assert (await workspace.entity(placed["to"]))["facets"]["script.scene"]["name"] == "Act I, Scene V"

    asyncio.run(check())


def test_making_it_twice_proposes_nothing_and_a_changed_sheet_changes_one_field(tmp_path: Path) -> None:
    async def check() -> None:
        await make(tmp_path / "hamlet")
        sample = load_sample("hamlet")
        manifest, importer = Registry.load().importer("cues.csv")
        sheet = (Registry.load().plugin("hamlet").folder / "hamlet-cues.csv").read_bytes()
        async with Workspace.open(tmp_path / "hamlet") as workspace:
            for step in sample.steps:
                assert step.plan(await take_snapshot(workspace, step.facets, step.edges)).changes_nothing
            snapshot = await take_snapshot(workspace, manifest.facets, manifest.edges)
            changed = plan_import(manifest, importer, sheet.replace(b"10:15", b"10:45"), snapshot, file_name="b.csv")
            assert len(changed.operations) == 1
            await workspace.commit(changed.operations, intent="import")
            assert (await lx42(workspace))["facets"]["cues.cue"]["start"] == "10:45"

    asyncio.run(check())


def test_a_deleted_cue_comes_back_with_the_sheet(tmp_path: Path) -> None:
    async def check() -> None:
        await make(tmp_path / "hamlet")
        step = load_sample("hamlet").steps[1]
        async with Workspace.open(tmp_path / "hamlet") as workspace:
            entity = (await lx42(workspace))["id"]
            await workspace.commit([DeleteEntity(entity=entity)])
            proposal = step.plan(await take_snapshot(workspace, step.facets, step.edges))
            assert proposal.counts["created"] == 1
            await workspace.commit(proposal.operations, intent="import")
            assert (await lx42(workspace))["id"] == entity

    asyncio.run(check())


def test_somebody_imported_apart_from_two_kinds_of_files_is_a_duplicate(tmp_path: Path) -> None:
    """One laptop reads a phone's card, another the company's sheet; neither gives an email."""
    registry = Registry.load()
    card = b"BEGIN:VCARD\nVERSION:3.0\nFN:Bo Li\nTEL:0999 999\nUID:u2\nEND:VCARD\n"

    async def take(workspace: Workspace, name: str, data: bytes) -> None:
        manifest, importer = registry.importer(name)
        snapshot = await take_snapshot(workspace, manifest.facets, manifest.edges)
        await workspace.commit(plan_import(manifest, importer, data, snapshot).operations, intent="import")

    async def check() -> None:
        await Workspace.create(tmp_path / "one", name="Hamlet", schemas=[registry.schema("contacts")])
        async with Workspace.open(tmp_path / "one") as one:
            await one.backup(tmp_path / "two")
            who = identity.load(tmp_path / "second-home", name="Jordan", device_name="second laptop")
            async with Workspace.open(tmp_path / "two", identity_=who) as two:
                await take(two, "contacts.sheet", b"Name,Phone,Role\nBo Li,0999 999,DSM\n")
                await two.pack(tmp_path / "two.pack")
            await take(one, "contacts.vcard", card)
            await one.merge(tmp_path / "two.pack")
            (conflict,) = await one.conflicts()
            assert conflict.kind == "duplicate"
            assert "“Bo Li”" in conflict.sentence

    asyncio.run(check())


def test_a_relation_that_may_be_there_more_than_once_can_be_imported(tmp_path: Path) -> None:
    schema = Schema(plugin="things", version="1", facets={"thing": Facet()}, edges={"near": Edge(source="thing")})

    async def check() -> None:
        await Workspace.create(tmp_path / "show", name="Show", schemas=[schema])
        async with Workspace.open(tmp_path / "show") as workspace:
            for drawn in (1, 0):
                changes = Changes(await take_snapshot(workspace, ["things.thing"], ["things.near"]))
                for thing in ("a", "b"):
                    changes.put(thing, "things.thing", {})
                changes.link("things.near", "a", "b")
                assert sum(isinstance(one, AddEdge) for one in changes.operations) == drawn
                await workspace.commit(changes.operations)

    asyncio.run(check())
