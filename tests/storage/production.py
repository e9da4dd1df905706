"""A small workspace on a real disk, and ways to look at it that can't change it."""

from __future__ import annotations

import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from openprod.core.operations import CreateEntity, EditText, SetField
from openprod.engine.events import Receipt
from openprod.engine.workspace import Workspace
from openprod.errors import StorageError
from tests.engine.replica import CUES

DATABASE = "workspace.db"


async def make(folder: Path, cues: int = 5) -> str:
    """Returns the state hash."""
    await Workspace.create(folder, name="Hamlet", schemas=[CUES])
    async with Workspace.open(folder) as workspace:
        for number in range(cues):
            await add(workspace, number)
        return await workspace.state_hash()


async def add(workspace: Workspace, number: int) -> Receipt:
    name = f"cue_{number}"
    fields = {"list": "LX", "number": str(number), "start": "10:00"}
    return await workspace.commit(
        [
            CreateEntity(entity=name, facets={"cues.cue": fields}),
            EditText(entity=name, facet="cues.cue", field="notes", index=0, insert=f"Note {number}. " * 20),
        ]
    )


async def change(workspace: Workspace, value: str = "11:00") -> Receipt:
    return await workspace.commit([SetField(entity="cue_1", facet="cues.cue", field="start", value=value)])


async def read_back(folder: Path) -> tuple[str, list[str]]:
    """(state hash, bundles) of a workspace that must be whole."""
    async with Workspace.open(folder) as workspace:
        found = await workspace.state_hash()
        bundles = [entry["bundle"] for entry in await workspace.log(limit=-1)]
        health = await workspace.doctor()
        assert health["healthy"], health["faults"]
        assert await workspace.rebuild() == found
        return found, bundles


async def refused(action: Callable[[], Awaitable[object]]) -> StorageError:
    """What a StorageError says, which must be for people."""
    with pytest.raises(StorageError) as caught:
        await action()
    error = caught.value
    assert error.sentence.endswith(".")
    assert "sqlite" not in error.sentence.lower()
    assert error.hint, error.sentence
    return error


def copy(source: Path, target: Path) -> Path:
    shutil.copytree(source, target)
    return target
