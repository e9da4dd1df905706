"""A full disk, a folder that can't be written, a file that others hold: told in plain words, and nothing lost."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from openprod.engine.workspace import Workspace, load_identity
from openprod.errors import Busy, DiskFull, OpenprodError, ReadOnly
from openprod.storage.sqlite import connection
from tests.storage.production import DATABASE, add, change, make, read_back, refused

ROOT = Path(__file__).parents[2]
IS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0


async def visit(folder: Path) -> None:
    async with Workspace.open(folder) as workspace:
        await workspace.state_hash()


# -- no room -----------------------------------------------------------------------------------------------


class SmallDisk:
    """A file system of its own, of 2 MB, that can be filled up and emptied."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ballast = folder / "ballast"

    def fill(self) -> None:
        with open(self.ballast, "wb", buffering=0) as file:
            for size in (65536, 4096, 1):
                try:
                    while True:
                        file.write(bytes(size))
                except OSError:
                    pass

    def free(self) -> None:
        self.ballast.unlink()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    folder = tmp_path / "small"
    folder.mkdir()
    done = shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if not done or done.returncode:
        pytest.skip("a file system of its own can't be mounted here")
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_refuses_commits_and_keeps_what_was_acknowledged(small_disk: SmallDisk) -> None:
    async def check() -> None:
        folder = small_disk.folder / "hamlet"
        await make(folder)
        acknowledged = []
        async with Workspace.open(folder) as workspace:
            small_disk.fill()
            for number in range(100, 400):
                expected = await workspace.state_hash()
                try:
                    acknowledged.append((await add(workspace, number)).bundle)
                except DiskFull as error:
                    full = error
                    break
            assert full.code == "DISK_FULL"
            assert "no room" in full.sentence
            assert "try again" in full.hint
            assert await workspace.state_hash() == expected
            for _ in range(3):
                assert isinstance(await refused(lambda: change(workspace)), DiskFull)
            assert await workspace.state_hash() == expected
            small_disk.free()
            acknowledged.append((await change(workspace)).bundle)
            expected = await workspace.state_hash()
            small_disk.fill()
        # Closed with the disk full.
        error = await attempt(folder)
        assert error is None or isinstance(error, DiskFull), error
        small_disk.free()
        found, bundles = await read_back(folder)
        assert found == expected
        assert set(acknowledged) <= set(bundles)

    asyncio.run(check())


def test_a_disk_that_is_full_to_the_last_byte_is_said_to_be_full(small_disk: SmallDisk) -> None:
    async def check() -> None:
        folder = small_disk.folder / "hamlet"
        expected = await make(folder)
        small_disk.fill()
        assert isinstance(await attempt(folder), DiskFull)
        small_disk.free()
        assert (await read_back(folder))[0] == expected

    asyncio.run(check())


async def attempt(folder: Path) -> OpenprodError | None:
    try:
        await visit(folder)
    except OpenprodError as error:
        return error
    return None


def test_a_disk_that_fills_up_under_a_group_loses_none_of_those_acknowledged(small_disk: SmallDisk) -> None:
    async def check() -> None:
        folder = small_disk.folder / "hamlet"
        await make(folder)
        async with Workspace.open(folder) as workspace:
            outcomes = await asyncio.gather(
                *(add(workspace, number) for number in range(1000, 2200)), return_exceptions=True
            )
            errors = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
            receipts = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
            assert errors
            assert all(type(error) is DiskFull for error in errors)
            expected = await workspace.state_hash()
        shutil.copytree(folder, folder.parents[1] / "roomy", ignore=shutil.ignore_patterns("lock"))
        found, bundles = await read_back(folder.parents[1] / "roomy")
        assert found == expected
        assert {receipt.bundle for receipt in receipts} <= set(bundles)

    asyncio.run(check())


def test_backups_packs_and_new_workspaces_on_a_full_disk(small_disk: SmallDisk, tmp_path: Path) -> None:
    async def check() -> None:
        folder = tmp_path / "hamlet"
        expected = await make(folder)
        small_disk.fill()
        async with Workspace.open(folder) as workspace:
            for action in (
                lambda: workspace.backup(small_disk.folder / "backup"),
                lambda: workspace.pack(small_disk.folder / "hamlet.pack"),
                lambda: Workspace.create(small_disk.folder / "new", name="New"),
            ):
                error = await refused(action)
                assert isinstance(error, DiskFull), error.sentence
                assert str(small_disk.folder) in error.sentence, "which of the disks is full"
            small_disk.free()
            left = sorted(path.name for path in small_disk.folder.iterdir() if path.name != "new")
            assert left == []
            await Workspace.create(small_disk.folder / "new", name="New")
            await workspace.backup(small_disk.folder / "backup")
            assert await workspace.state_hash() == expected
        assert (await read_back(small_disk.folder / "backup"))[0] == expected

    asyncio.run(check())


def test_a_file_that_may_not_grow(tmp_path: Path) -> None:
    """The same where no file system can be mounted: SQLite reports a full disk at a limit of pages."""

    async def check() -> None:
        folder = tmp_path / "hamlet"
        await make(folder)
        acknowledged = []
        async with Workspace.open(folder) as workspace:
            pages = (folder / DATABASE).stat().st_size // 4096
            await limit_pages(workspace, pages + 10)
            with pytest.raises(DiskFull):  # noqa: PT012
                for number in range(100, 400):
                    expected = await workspace.state_hash()
                    acknowledged.append((await add(workspace, number)).bundle)
            assert await workspace.state_hash() == expected
            await limit_pages(workspace, 1 << 20)
            acknowledged.append((await change(workspace)).bundle)
            expected = await workspace.state_hash()
        found, bundles = await read_back(folder)
        assert found == expected
        assert set(acknowledged) <= set(bundles)

    asyncio.run(check())


async def limit_pages(workspace: Workspace, pages: int) -> None:
    await workspace._worker.call(
        lambda committer: committer.storage._row(f"PRAGMA max_page_count = {pages}")  # type: ignore[attr-defined]
    )


# -- not writable ------------------------------------------------------------------------------------------


@contextmanager
def nobody() -> Iterator[None]:
    """Without the right to write everywhere that root has."""
    if not IS_ROOT:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """One that others may look into."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755)
    shutil.rmtree(folder)


def lock_up(folder: Path, *, files_only: bool) -> dict[Path, int]:
    """Take the right to write from everything in a folder, or from its database. Returns what was there."""
    paths = [folder / DATABASE] if files_only else [folder, *folder.rglob("*")]
    before = {path: path.stat().st_mode for path in [folder, *folder.rglob("*")]}
    if files_only:
        for path in before:
            path.chmod(0o777)
    for path in paths:
        path.chmod(0o555 if path.is_dir() else 0o444)
    return before


@pytest.mark.parametrize("files_only", [False, True], ids=["folder", "file"])
def test_what_can_not_be_written_is_not_opened(files_only: bool, open_folder: Path) -> None:
    async def check() -> None:
        folder = open_folder / "hamlet"
        expected = await make(folder)
        who = load_identity()
        before = lock_up(folder, files_only=files_only)

        async def work() -> None:
            async with Workspace.open(folder, identity_=who) as workspace:
                await change(workspace)

        with nobody():
            error = await refused(work)
        assert isinstance(error, ReadOnly), error.sentence
        assert error.code == "READ_ONLY"
        assert "may write" in error.hint
        for path, mode in before.items():
            path.chmod(mode)
        assert (await read_back(folder))[0] == expected

    asyncio.run(check())


def test_nothing_is_made_where_nothing_may_be_written(open_folder: Path) -> None:
    async def check() -> None:
        with nobody():
            open_folder.chmod(0o555) if not IS_ROOT else None
            error = await refused(lambda: Workspace.create(open_folder / "hamlet", name="Hamlet"))
        assert isinstance(error, ReadOnly)
        assert list(open_folder.iterdir()) == []

    asyncio.run(check())


# -- held by others ----------------------------------------------------------------------------------------

HOLD = """
import sqlite3, sys
held = sqlite3.connect(sys.argv[1], isolation_level=None)
for statement in sys.argv[2:]:
    held.execute(statement)
print("held", flush=True)
sys.stdin.read()
"""

OPEN = """
import asyncio, sys
from openprod.engine.workspace import Workspace
async def main():
    async with Workspace.open(sys.argv[1]):
        print("held", flush=True)
        await asyncio.to_thread(sys.stdin.read)
asyncio.run(main())
"""


@contextmanager
def other_program(source: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    program = subprocess.Popen(
        [sys.executable, "-c", source, *arguments], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert program.stdin is not None
    assert program.stdout is not None
    try:
        assert program.stdout.readline() == b"held\n"
        yield program
    finally:
        program.stdin.close()
        program.wait()
        program.stdout.close()


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "BUSY_TIMEOUT_S", 0.05)


@pytest.mark.usefixtures("_impatient")
def test_a_file_locked_by_another_program_while_we_work(tmp_path: Path) -> None:
    async def check() -> None:
        folder = tmp_path / "hamlet"
        await make(folder)
        async with Workspace.open(folder) as workspace:
            expected = await workspace.state_hash()
            with other_program(HOLD, str(folder / DATABASE), "BEGIN IMMEDIATE"):
                error = await refused(lambda: change(workspace))
                assert isinstance(error, Busy)
                assert error.code == "BUSY"
                assert "Close it" in error.hint
                assert await workspace.state_hash() == expected
            late = (await change(workspace)).bundle
            expected = await workspace.state_hash()
        found, bundles = await read_back(folder)
        assert found == expected
        assert late in bundles

    asyncio.run(check())


@pytest.mark.usefixtures("_impatient")
def test_a_file_locked_by_another_program_before_we_open_it(tmp_path: Path) -> None:
    async def check() -> None:
        folder = tmp_path / "hamlet"
        expected = await make(folder)
        held = ("PRAGMA locking_mode = EXCLUSIVE", "BEGIN EXCLUSIVE")
        with other_program(HOLD, str(folder / DATABASE), *held):
            assert isinstance(await refused(lambda: visit(folder)), Busy)
        assert (await read_back(folder))[0] == expected

    asyncio.run(check())


def test_a_second_opener_is_told_that_the_first_has_it(tmp_path: Path) -> None:
    async def check() -> None:
        folder = tmp_path / "hamlet"
        expected = await make(folder)
        async with Workspace.open(folder) as workspace:
            error = await refused(lambda: visit(folder))
            assert isinstance(error, Busy)
            assert "has" in error.sentence
            assert "open" in error.sentence
            await change(workspace)
            expected = await workspace.state_hash()
        for end in ("normally", "killed"):
            with other_program(OPEN, str(folder)) as program:
                assert isinstance(await refused(lambda: visit(folder)), Busy)
                if end == "killed":
                    program.kill()
                    program.wait()
            assert (await read_back(folder))[0] == expected

    asyncio.run(check())
