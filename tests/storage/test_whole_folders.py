"""Backups and what is made of them: nobody's folder is taken for an attempt's, what one left blocks no other, and all
is on the disk before it is said to be done."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from openprod.engine import maintenance
from openprod.engine.workspace import Workspace
from openprod.errors import InputError
from tests.storage.production import make, read_back

ROOT = Path(__file__).parents[2]
KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from openprod.engine import maintenance
from openprod.engine.workspace import Workspace
from openprod.storage.sqlite.storage import SqliteStorage

SqliteStorage.check = lambda self: os.kill(os.getpid(), signal.SIGKILL)

async def backup(source, target):
    async with Workspace.open(source) as workspace:
        await workspace.backup(target)

what, source, target = sys.argv[1:]
maintenance.restore(Path(source), Path(target)) if what == "restore" else asyncio.run(backup(source, target))
"""


async def production(folder: Path) -> str:
    expected = await make(folder)
    async with Workspace.open(folder) as workspace:
        workspace.blobs.put(b"A picture")
    return expected


async def backed_up(folder: Path, target: Path) -> None:
    async with Workspace.open(folder) as workspace:
        await workspace.backup(target)


def test_a_folder_of_somebody_is_not_written_over(tmp_path: Path) -> None:
    async def check() -> None:
        await production(tmp_path / "hamlet")
        await backed_up(tmp_path / "hamlet", tmp_path / "backup")
        theirs = tmp_path / "new.part"
        theirs.mkdir()
        (theirs / "letter.txt").write_text("Dear Jane")
        with pytest.raises(InputError, match=r"new\.part is in the way"):
            await backed_up(tmp_path / "hamlet", tmp_path / "new")
        with pytest.raises(InputError, match=r"new\.part is in the way"):
            maintenance.restore(tmp_path / "backup", tmp_path / "new")
        async with Workspace.open(tmp_path / "hamlet") as workspace:
            (tmp_path / "hamlet.pack.part").write_text("Dear Jane")
            with pytest.raises(InputError, match="something else"):
                await workspace.pack(tmp_path / "hamlet.pack")
        assert (tmp_path / "hamlet.pack.part").read_text() == (theirs / "letter.txt").read_text() == "Dear Jane"
        assert not (tmp_path / "new").exists()

    asyncio.run(check())


@pytest.mark.parametrize("what", ["backup", "restore"])
def test_what_was_killed_in_the_middle_blocks_no_other(what: str, tmp_path: Path) -> None:
    expected = asyncio.run(production(tmp_path / "hamlet"))
    asyncio.run(backed_up(tmp_path / "hamlet", tmp_path / "backup"))
    source = tmp_path / ("backup" if what == "restore" else "hamlet")
    command = [sys.executable, "-c", KILLED, what, str(source), str(tmp_path / "new")]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert (tmp_path / "new.part" / "workspace.db").exists()
    if what == "restore":
        maintenance.restore(source, tmp_path / "new")
    else:
        asyncio.run(backed_up(source, tmp_path / "new"))
    assert not (tmp_path / "new.part").exists()
    assert [path.name for path in (tmp_path / "new").iterdir() if path.name.startswith(".")] == []
    assert asyncio.run(read_back(tmp_path / "new"))[0] == expected


@pytest.mark.skipif(os.name == "nt", reason="folders can't be told to be written there")
@pytest.mark.parametrize("what", ["backup", "restore"])
def test_all_of_it_is_on_the_disk_before_it_has_its_name(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asyncio.run(production(tmp_path / "hamlet"))
    asyncio.run(backed_up(tmp_path / "hamlet", tmp_path / "backup"))
    settled: list[tuple[int, bool]] = []
    sync: Callable[[int], None] = os.fsync

    def heard(opened: int) -> None:
        settled.append((os.fstat(opened).st_ino, (tmp_path / "new").exists()))
        sync(opened)

    monkeypatch.setattr(os, "fsync", heard)
    if what == "restore":
        maintenance.restore(tmp_path / "backup", tmp_path / "new")
    else:
        asyncio.run(backed_up(tmp_path / "hamlet", tmp_path / "new"))
    before = {file for file, named in settled if not named}
    [blob] = (tmp_path / "new" / "blobs").iterdir()
    for path in (tmp_path / "new" / "workspace.db", blob, blob.parent, tmp_path / "new"):
        assert path.stat().st_ino in before, path
    assert (tmp_path.stat().st_ino, True) in settled
