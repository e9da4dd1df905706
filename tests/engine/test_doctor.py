"""What ``doctor`` finds, on real workspaces: the tables held against what the bundles derive."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from openprod.core.operations import DeleteEntity, EditText, SetField
from openprod.engine.workspace import Workspace
from tests.engine.laptops import ROOT, Program, carry, cue, disagree, identity, laptop


async def lived(workspace: Workspace) -> None:
    """Conflicts, decisions, removals, texts, deletions, whole states."""
    await disagree(workspace, alex="10:30", jordan="10:45")
    (conflict,) = await workspace.conflicts()
    await workspace.resolve(conflict.id, value="11:00")
    await workspace.commit([cue("cue_7", number="42"), cue("cue_8", number="8")])
    await workspace.commit([EditText(entity="cue_7", facet=ROOT, field="notes", index=0, insert="slow\nfade")])
    await workspace.commit([EditText(entity="cue_7", facet=ROOT, field="notes", index=2, delete=4, insert="x")])
    kim = Program("kim", 77)
    await kim.sync(workspace)
    await kim.set(workspace, cue_8__start="soon")
    await kim.send(workspace, kim.keys({}, remove=("cue_8/list",)))
    await workspace.commit([DeleteEntity(entity="cue_8")])
    await workspace.undo()
    late = Program("lee", 78)
    late.change(cue_8__start="12:00")
    await late.sync(workspace)


def test_what_people_did_is_what_the_tables_say(tmp_path: Path) -> None:
    async def check() -> None:
        async with laptop(tmp_path / "a") as workspace:
            await lived(workspace)
            told: list[tuple[int, int]] = []
            report = await workspace.doctor(progress=lambda done, total: told.append((done, total)))
            assert report["faults"] == []
            assert report["healthy"]
            count = report["bundles"]
            assert told[-1] == (2 * count, 2 * count)
            assert told == sorted(told)
            await workspace.backup(tmp_path / "copy")
            (tmp_path / "sticks").mkdir()
            async with Workspace.open(tmp_path / "copy", identity_=identity("jordan")) as other:
                await other.commit([SetField(entity="cue_8", facet=ROOT, field="start", value="12:30")])
                await workspace.commit([SetField(entity="cue_8", facet=ROOT, field="start", value="12:45")])
                await carry(workspace, other, tmp_path / "sticks")
                assert (await other.doctor())["faults"] == []

    asyncio.run(check())


@pytest.mark.parametrize(
    ("sql", "word"),
    [
        ("UPDATE register SET value = '\"23:59\"' WHERE key = 'cue_42/start'", "1 register not as the bundles say"),
        ("UPDATE register SET forked = 1 - forked WHERE key IN ('cue_7/list', 'cue_7/number')", "2 registers not"),
        ("DELETE FROM conflict", "conflict"),
        ("UPDATE conflict SET status = 'resolved' WHERE status = 'open'", "conflict"),
        ("DELETE FROM resolution", "decision"),
        ("UPDATE version SET value = '\"9\"' WHERE clock = 1", "version"),
        ("DELETE FROM span", "text run"),
        ("INSERT INTO redirect VALUES ('cue_7', 'cue_42')", "1 redirect not as the bundles say, such as cue_7"),
    ],
)
def test_tables_that_were_altered_are_told_and_rebuilt(tmp_path: Path, sql: str, word: str) -> None:
    async def check() -> None:
        async with laptop(tmp_path / "a") as workspace:
            await lived(workspace)
            there = await workspace.state_hash()
        with sqlite3.connect(tmp_path / "a" / "workspace.db") as connection:
            assert connection.execute(sql).rowcount > 0
        connection.close()
        async with Workspace.open(tmp_path / "a", identity_=identity("sam")) as workspace:
            report: dict[str, Any] = await workspace.doctor()
            assert not report["healthy"]
            assert word in " ".join(report["faults"])
            assert all("`openprod rebuild` derives them again" in fault for fault in report["faults"])
            assert await workspace.rebuild() == there
            assert (await workspace.doctor())["faults"] == []

    asyncio.run(check())
