"""Cues with no other plugin present: lists of departments, points, parts."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from openprod.engine.workspace import Workspace
from openprod.plugin_host.importing import plan_import
from openprod.plugin_host.registry import Registry, shipped_folder
from openprod.plugin_host.snapshots import take_snapshot

SHEET = b"""Dept,Q,Label,Follow,Link
LX,100,End,,
LX,42,Storm,F3,
LX,42 P2,Cyc,,
LX,9,Warm,,42
LX,42.5,After,H2,
LX,43,Next,,
SND,1,Thunder,,
"""


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENPROD_HOME", str(tmp_path / "home"))


def test_cues_alone(tmp_path: Path) -> None:
    shutil.copytree(shipped_folder() / "cues", tmp_path / "alone" / "cues")
    registry = Registry.load(shipped=tmp_path / "alone")
    assert (list(registry.plugins), registry.problems) == (["cues"], ())
    manifest, sheet = registry.importer("cues.csv")
    _manifest, eos = registry.importer("cues.eos-csv")
    reference = (shipped_folder() / "hamlet" / "reference-eos.csv").read_bytes()

    async def check() -> None:
        await Workspace.create(tmp_path / "ham", name="Hamlet", schemas=[registry.schema("cues")])
        async with Workspace.open(tmp_path / "ham") as workspace:
            for importer, data in ((sheet, SHEET), (eos, reference), (sheet, SHEET), (eos, reference)):
                snapshot = await take_snapshot(workspace, manifest.facets, manifest.edges)
                proposal = plan_import(manifest, importer, data, snapshot, file_name="x.csv")
                if proposal.operations:
                    await workspace.commit(proposal.operations, intent="import")
            assert proposal.changes_nothing
            assert await workspace.conflicts() == []
            asked = {"facet": "cues.cue", "where": {"list": "LX"}, "sort": ["number"], "fields": ["number"]}
            assert [row[1] for row in (await workspace.query(asked))["rows"]] == ["9", "42", "42.5", "43", "100"]
            lists = {str(one["name"]): one["department"] for one in (await workspace.rows("cues.list")).values()}
            assert lists == {"LX": "Lighting", "SND": "Sound"}
            parts = {one["list"]: entity for entity, one in (await workspace.rows("cues.part")).items()}
            assert set(parts) == {"LX", "1"}
            part = await workspace.entity(parts["LX"])
            assert "LX 42 part 2" in part["title"]
            (edge,) = part["edges"]
            assert "LX 42" in (await workspace.entity(edge["to"]))["title"]

    asyncio.run(check())
