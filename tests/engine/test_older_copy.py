"""INV-FORK-1. A database behind what this device had written: it says so and goes on under a log of its own."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from openprod.engine.high_water import HighWater, Mark
from openprod.engine.workspace import Workspace
from openprod.errors import NotFound
from tests.engine.laptops import carry, cue, identity, laptop

LOG = "0123456789abcdef-01234567"


@asynccontextmanager
async def opened(folder: Path, home: str = "home") -> AsyncIterator[Workspace]:
    async with Workspace.open(folder, identity_=identity("sam"), home=folder.parent / home) as workspace:
        yield workspace


async def made(folder: Path) -> None:
    async with laptop(folder):
        pass


def test_the_database_without_its_wal(tmp_path: Path) -> None:
    async def check() -> None:
        folder, copy = tmp_path / "w", tmp_path / "copy"
        await made(folder)
        async with opened(folder) as workspace:
            assert workspace.notice == ""
            for number in range(50, 53):
                await workspace.commit([cue(f"cue_{number}", number=str(number))])
            copy.mkdir()
            shutil.copyfile(folder / "workspace.db", copy / "workspace.db")  # as file managers do, without the -wal
            log, before = workspace.replica, await workspace.state_hash()
        async with opened(copy) as older:
            assert older.notice == (
                "This is an older copy of the workspace: 3 changes are missing that this device had made. It goes on "
                "here; what is missing comes back with a merge from another laptop or from the newer copy."
            )
            assert older.replica != log
            newest = (await older.log(newest_first=True, limit=1))[0]
            assert (newest["intent"], newest["message"], newest["author"]) == ("restored", older.notice, "Sam")
            with pytest.raises(NotFound):
                await older.history("cue_50")
            await older.commit([cue("cue_60", number="60")])
            await older.undo()
            await older.redo()
        async with opened(copy) as older:
            assert older.notice == "", "it is said once, and read in the log"
            assert [one["intent"] for one in await older.log()].count("restored") == 1
            (tmp_path / "sticks").mkdir()
            async with opened(folder) as workspace:
                assert (workspace.notice, workspace.replica, await workspace.state_hash()) == ("", log, before)
                await carry(workspace, older, tmp_path / "sticks")
                await carry(older, workspace, tmp_path / "sticks")
                assert await workspace.state_hash() == await older.state_hash()
                assert set(await workspace.rows("cues.cue")) == {"cue_42", "cue_50", "cue_51", "cue_52", "cue_60"}

    asyncio.run(check())


def test_a_folder_put_back_and_two_copies_that_both_went_on(tmp_path: Path) -> None:
    async def check() -> None:
        folder, copy = tmp_path / "w", tmp_path / "copy"
        await made(folder)
        async with opened(folder) as workspace:
            await workspace.commit([cue("cue_50", number="50")])
        shutil.copytree(folder, copy)
        async with opened(folder) as workspace:
            await workspace.commit([cue("cue_51", number="51")])
        async with opened(copy) as other:
            assert "1 change is missing" in other.notice
        shutil.copytree(folder, tmp_path / "again")
        async with opened(tmp_path / "again", home="another") as other:
            # Nothing is known of it in another home: what is written there can't be told apart by the number alone.
            await other.commit([cue("cue_52", number="52")])
            forked = other.replica
        HighWater(tmp_path / "home" / "logs").note(forked, HighWater(tmp_path / "another" / "logs").read(forked))  # type: ignore[arg-type]
        async with opened(folder) as workspace:
            assert "1 change is missing" in workspace.notice
            await workspace.commit([cue("cue_53", number="53")])

    asyncio.run(check())


def test_another_history_of_the_same_length(tmp_path: Path) -> None:
    async def check() -> None:
        folder = tmp_path / "w"
        await made(folder)
        async with opened(folder) as workspace:
            await workspace.commit([cue("cue_50", number="50")])
            log = workspace.replica
        marks = HighWater(tmp_path / "home" / "logs")
        mark = marks.read(log)
        assert mark is not None
        marks.note(log, Mark(mark.seq, bytes(32)))
        async with opened(folder) as workspace:
            assert workspace.notice.startswith("Another copy of this workspace was written to on this device.")

    asyncio.run(check())


def test_a_note_that_lags_behind_or_is_lost_is_no_alarm(tmp_path: Path) -> None:
    async def check() -> None:
        folder = tmp_path / "w"
        await made(folder)
        async with opened(folder) as workspace:
            log = workspace.replica
            await workspace.commit([cue("cue_50", number="50")])
            note = tmp_path / "home" / "logs" / log
            old = note.read_bytes()
            await workspace.commit([cue("cue_51", number="51")])
        for left in (old, b"", old[:40], old[:-2] + b"0\n", b"\xff" * 200):
            note.write_bytes(left)
            async with opened(folder) as workspace:
                assert (workspace.notice, workspace.replica) == ("", log)
        shutil.rmtree(tmp_path / "home")
        (tmp_path / "home").write_text("in the way")
        async with opened(folder) as workspace:
            assert workspace.notice == ""
            await workspace.commit([cue("cue_52", number="52")])

    asyncio.run(check())


def test_a_refused_commit_leaves_the_note_alone(tmp_path: Path) -> None:
    async def check() -> None:
        folder = tmp_path / "w"
        await made(folder)
        async with opened(folder) as workspace:
            await workspace.commit([cue("cue_50", number="50")])
            before = HighWater(tmp_path / "home" / "logs").read(workspace.replica)
            with pytest.raises(NotFound):
                await workspace.undo("abcdef0123")
            assert HighWater(tmp_path / "home" / "logs").read(workspace.replica) == before
            newest = (await workspace.log(newest_first=True, limit=1))[0]
            assert before is not None
            assert before.seq == newest["seq"]
            assert before.hash.hex().startswith(newest["bundle"])

    asyncio.run(check())


def test_notes_are_of_one_log_each(tmp_path: Path) -> None:
    marks = HighWater(tmp_path / "logs")
    assert marks.read(LOG) is None
    marks.note(LOG, Mark(7, b"\1" * 32))
    marks.note(LOG[:-1] + "8", Mark(9, b"\2" * 32))
    marks.note(LOG, Mark(8, b"\3" * 32))
    assert (marks.read(LOG), marks.read(LOG[:-1] + "8")) == (Mark(8, b"\3" * 32), Mark(9, b"\2" * 32))
    assert marks.read("../identity.json") is None
    marks.close()
