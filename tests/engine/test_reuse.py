"""A Yjs client id used twice: refused, kept aside, nothing disturbed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pycrdt
import pytest

from openprod.core.bundles import Actor
from openprod.core.schema import Facet, Field, Schema
from openprod.engine.reuse import ReusedClientId
from openprod.engine.workspace import Workspace

SCHEMA = Schema(plugin="cues", facets={"cue": Facet(fields={"start": Field()})})
ALEX = Actor("user_alex", "Alex", "laptop")


def update(client: int, value: str) -> bytes:
    doc: pycrdt.Doc[Any] = pycrdt.Doc(client_id=client)
    doc.get("cues.cue", type=pycrdt.Map)["cue_1/start"] = value
    return doc.get_update()


def test_a_reused_client_id_is_refused_and_kept_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """INV-ID-1."""
    monkeypatch.setenv("OPENPROD_HOME", str(tmp_path / "home"))

    async def main() -> None:
        await Workspace.create(tmp_path / "w", name="W", schemas=[SCHEMA])
        async with Workspace.open(tmp_path / "w") as workspace:
            assert await workspace.ingest("cues", update(7, "10:00"), actor=ALEX)
            before = await workspace.state_hash()
            with pytest.raises(ReusedClientId) as refused:
                await workspace.ingest("cues", update(7, "11:00"), actor=ALEX)
            assert refused.value.hint
            assert await workspace.state_hash() == before
            assert (await workspace.doctor())["quarantined"] == 1
            # The same bytes again are no reuse, and another program goes on undisturbed.
            assert await workspace.ingest("cues", update(7, "10:00"), actor=ALEX) is None
            assert await workspace.ingest("cues", update(8, "12:00"), actor=ALEX)

    anyio.run(main)


def typed(client: int, text: str) -> bytes:
    doc: pycrdt.Doc[Any] = pycrdt.Doc(client_id=client)
    doc.get("text:cues.cue/cue_1/notes", type=pycrdt.Text).insert(0, text)
    return doc.get_update()


def test_a_client_id_that_typed_something_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """INV-ID-1: programs would keep what each of them has, and parts of the longer text would come in."""
    monkeypatch.setenv("OPENPROD_HOME", str(tmp_path / "home"))

    async def main() -> None:
        await Workspace.create(tmp_path / "w", name="W", schemas=[SCHEMA])
        async with Workspace.open(tmp_path / "w") as workspace:
            assert await workspace.ingest("cues", typed(7, "first 🎭"), actor=ALEX)
            assert await workspace.ingest("cues", update(8, "10:00"), actor=ALEX)
            before = await workspace.state_hash()
            for other in (typed(7, "other"), typed(7, "other and longer"), typed(7, "first 🎪 and on"), typed(8, "o")):
                with pytest.raises(ReusedClientId):
                    await workspace.ingest("cues", other, actor=ALEX)
            with pytest.raises(ReusedClientId):
                await workspace.ingest("cues", update(7, "10:00"), actor=ALEX)
            assert await workspace.state_hash() == before
            # Parts of what is known, and what goes on from it, are no reuse.
            assert await workspace.ingest("cues", typed(7, "fir"), actor=ALEX) is None
            assert await workspace.ingest("cues", typed(7, "first 🎭 and on"), actor=ALEX)

    anyio.run(main)
