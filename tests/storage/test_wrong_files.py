"""What is not a whole workspace is refused in plain words, and left as it is."""

from __future__ import annotations

import asyncio
import random
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from openprod.engine.workspace import Workspace
from openprod.errors import DamagedFile, NewerFile, StorageError, WrongFile
from tests.storage.production import DATABASE, add, change, copy, make, read_back, refused

PAGE = 4096


async def visit(folder: Path) -> None:
    async with Workspace.open(folder) as workspace:
        await workspace.state_hash()


def text_file(path: Path) -> None:
    path.write_text("Cue list, act I\n" * 500)


def empty_file(path: Path) -> None:
    path.write_bytes(b"")


def other_program(path: Path) -> None:
    path.unlink()
    made = sqlite3.connect(path)
    made.execute("CREATE TABLE photos (name)")
    made.commit()
    made.close()


def other_program_with_a_number(path: Path) -> None:
    other_program(path)
    made = sqlite3.connect(path)
    made.execute("PRAGMA application_id = 42")
    made.execute("PRAGMA user_version = 7")
    made.close()


def other_program_without_tables(path: Path) -> None:
    path.unlink()
    made = sqlite3.connect(path)
    made.execute("PRAGMA application_id = 42")
    made.execute("PRAGMA user_version = 0")
    made.close()


def database_without_tables(path: Path) -> None:
    path.unlink()
    made = sqlite3.connect(path)
    made.execute("PRAGMA journal_mode = WAL")
    made.close()


def half_made(path: Path) -> None:
    """The program was killed before the production had its name."""
    made = sqlite3.connect(path)
    made.execute("DELETE FROM meta")
    made.commit()
    made.close()


def newer(path: Path) -> None:
    made = sqlite3.connect(path)
    made.execute("PRAGMA user_version = 999")
    made.close()


def nothing(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize(
    ("spoil", "kind", "says"),
    [
        (text_file, WrongFile, "isn't an Openprod workspace"),
        (empty_file, WrongFile, "is empty"),
        (other_program, WrongFile, "another program"),
        (other_program_with_a_number, WrongFile, "another program"),
        (other_program_without_tables, WrongFile, "another program"),
        (database_without_tables, WrongFile, "is empty"),
        (half_made, WrongFile, "never finished"),
        (nothing, WrongFile, "isn't an Openprod workspace"),
        (newer, NewerFile, "newer Openprod"),
    ],
)
def test_a_wrong_file(spoil: Callable[[Path], None], kind: type[StorageError], says: str, tmp_path: Path) -> None:
    async def check() -> None:
        folder = tmp_path / "hamlet"
        expected = await make(folder)
        kept = (folder / DATABASE).read_bytes()
        spoil(folder / DATABASE)
        spoilt = (folder / DATABASE).read_bytes() if (folder / DATABASE).exists() else None
        error = await refused(lambda: visit(folder))
        assert type(error) is kind
        assert says in error.sentence
        assert error.code in ("WRONG_FILE", "NEWER_FILE")
        assert ((folder / DATABASE).read_bytes() if spoilt is not None else None) == spoilt
        (folder / DATABASE).write_bytes(kept)
        assert (await read_back(folder))[0] == expected

    asyncio.run(check())


# -- torn copies -------------------------------------------------------------------------------------------


def cut(length: float) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        whole = path.read_bytes()
        path.write_bytes(whole[: int(len(whole) * length) if length < 1 else int(length)])

    return spoil


def blank(start: int, end: int) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        whole = bytearray(path.read_bytes())
        whole[start:end] = bytes(end - start)
        path.write_bytes(whole)

    return spoil


@pytest.mark.parametrize(
    "spoil",
    [cut(0.5), cut(0.9), cut(PAGE), cut(PAGE * 3), cut(5000), blank(0, 100), blank(0, PAGE), blank(100, PAGE)],
    ids=["half", "most", "1 page", "3 pages", "odd", "head", "page 1", "rest of page 1"],
)
def test_a_torn_copy(spoil: Callable[[Path], None], tmp_path: Path) -> None:
    async def check() -> None:
        folder = tmp_path / "hamlet"
        expected = await make(folder)
        torn = copy(folder, tmp_path / "torn")
        spoil(torn / DATABASE)
        spoilt = (torn / DATABASE).read_bytes()
        error = await refused(lambda: visit(torn))
        assert isinstance(error, DamagedFile), error.sentence
        assert error.code == "DAMAGED_FILE"
        assert "restore" in error.hint
        assert (torn / DATABASE).read_bytes() == spoilt
        assert (await read_back(folder))[0] == expected

    asyncio.run(check())


def test_zeroed_pages_are_told_in_plain_words_wherever_they_are(tmp_path: Path) -> None:
    """No page's loss passes unseen by the doctor, and none shows as anything but an error of ours."""

    async def examine(folder: Path) -> str:
        try:
            async with Workspace.open(folder) as workspace:
                await workspace.state_hash()
                await workspace.conflicts()
                await workspace.log(limit=-1)
                await workspace.history("cue_1")
                await workspace.entity("cue_1")
                health = await workspace.doctor()
                if not health["healthy"]:
                    return "seen by the doctor"
                await workspace.rebuild()
                return "no harm"
        except StorageError as error:
            return error.code

    async def check() -> None:
        folder = tmp_path / "hamlet"
        expected = await make(folder, cues=12)
        pages = (folder / DATABASE).stat().st_size // PAGE
        told: dict[int, str] = {}
        for page in range(1, pages):
            torn = copy(folder, tmp_path / "torn")
            blank(page * PAGE, (page + 1) * PAGE)(torn / DATABASE)
            told[page] = await examine(torn)
            if told[page] == "no harm":
                assert (await read_back(torn))[0] == expected
            shutil.rmtree(torn)
        print(told)
        assert set(told.values()) <= {"DAMAGED_FILE", "seen by the doctor", "no harm"}
        assert list(told.values()).count("no harm") <= pages // 10

    asyncio.run(check())


@pytest.mark.parametrize("seed", range(3))
def test_altered_bytes_are_told_in_plain_words(seed: int, tmp_path: Path) -> None:
    async def check() -> None:
        print(f"seed {seed}")
        chance = random.Random(seed)
        folder = tmp_path / "hamlet"
        await make(folder, cues=8)
        told: list[object] = []
        for _ in range(12):
            torn = copy(folder, tmp_path / "torn")
            whole = bytearray((torn / DATABASE).read_bytes())
            for _ in range(chance.choice([1, 20, 400])):
                whole[chance.randrange(100, len(whole))] = chance.randrange(256)
            (torn / DATABASE).write_bytes(whole)
            try:
                async with Workspace.open(torn) as workspace:
                    health = await workspace.doctor()
                    told.append(health["healthy"])
            except StorageError as error:
                told.append(error.code)
            shutil.rmtree(torn)
        print(told)
        assert set(told) <= {"DAMAGED_FILE", "WRONG_FILE", True, False}

    asyncio.run(check())


def test_a_copy_without_its_newest_part_is_an_older_one_and_the_original_is_whole(tmp_path: Path) -> None:
    """The -wal beside the file holds the latest commits: a copy taken without it lacks them, and is whole else."""

    async def check() -> None:
        folder, partial, whole = tmp_path / "hamlet", tmp_path / "partial", tmp_path / "whole"
        older = await make(folder)
        async with Workspace.open(folder) as workspace:
            late = [(await add(workspace, 70)).bundle, (await change(workspace)).bundle]
            expected = await workspace.state_hash()
            copy(folder, whole)
            copy(folder, partial)
            (partial / f"{DATABASE}-wal").unlink()
        found, bundles = await read_back(partial)
        assert found == older
        assert not set(late) & set(bundles)
        for complete in (whole, folder):
            found, bundles = await read_back(complete)
            assert found == expected
            assert set(late) <= set(bundles)

    asyncio.run(check())


@pytest.mark.parametrize("moved", ["the folder", "the folder, and another is in its place", "the log"])
def test_nothing_is_confirmed_that_would_go_into_files_nobody_finds_again(moved: str, tmp_path: Path) -> None:
    """INV-LOSS-1, where somebody tidies up under a running node."""

    async def check() -> None:
        folder, elsewhere = tmp_path / "hamlet", tmp_path / "elsewhere"
        await make(folder)
        async with Workspace.open(folder) as workspace:
            early = (await add(workspace, 70)).bundle
            expected = await workspace.state_hash()
            if moved == "the log":
                (folder / f"{DATABASE}-wal").rename(tmp_path / "log")
            else:
                folder.rename(elsewhere)
            if moved.endswith("place"):
                await make(folder)
            with pytest.raises(StorageError, match="moved, removed or replaced"):
                await add(workspace, 71)
            assert await workspace.state_hash() == expected
        found, bundles = await read_back(folder if moved == "the log" else elsewhere)
        assert found == expected
        assert early in bundles

    asyncio.run(check())


def test_a_lost_snapshot_is_made_again_from_the_oplog(tmp_path: Path) -> None:
    async def check() -> None:
        folder = tmp_path / "hamlet"
        expected = await make(folder)
        opened = sqlite3.connect(folder / DATABASE)
        opened.execute("UPDATE snapshot SET state = substr(state, 1, length(state) / 2)")
        opened.commit()
        opened.close()
        assert (await read_back(folder))[0] == expected

    asyncio.run(check())


def test_a_bundle_that_can_not_be_read_is_damage(tmp_path: Path) -> None:
    async def check() -> None:
        folder = tmp_path / "hamlet"
        await make(folder)
        opened = sqlite3.connect(folder / DATABASE)
        opened.execute("DELETE FROM snapshot")
        opened.execute("UPDATE bundle SET body = x'93c1c1' WHERE number = 3")
        opened.commit()
        opened.close()
        error = await refused(lambda: visit(folder))
        assert isinstance(error, DamagedFile)

    asyncio.run(check())
