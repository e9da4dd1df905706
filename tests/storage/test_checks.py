"""The doctor sees what SQLite's own check can't: tables that don't say the same."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from openprod.engine.workspace import Workspace
from openprod.storage.sqlite.storage import SqliteStorage
from tests.storage.production import DATABASE, change, make

LAST = "(SELECT max(number) FROM bundle)"
TWICE = (
    f"INSERT INTO bundle SELECT {LAST} + 1, id, log, seq, hlc, user, name, device, via, intent, message, undoes, hash,"
    f" body, signature FROM bundle WHERE number = {LAST}"
)


@pytest.mark.parametrize(
    ("altered", "fault"),
    [
        (("DELETE FROM run",), "database: 1 bundles that can't be found by their log"),
        (("UPDATE run SET seq = seq + 1",), "database: 1 bundles that can't be found by their log"),
        (
            (f"INSERT OR REPLACE INTO meta SELECT 'ids_until', {LAST}",),
            "database: 9 bundles that can't be found by their id",
        ),
        (
            ("UPDATE register SET clock = clock - 1 WHERE key = 'cue_1/start'",),
            "database: 1 versions that can't be found by their field",
        ),
        # Two bundles in one place of a log, as the index over both would have refused them.
        ((TWICE,), "bundle 10: doesn't follow the one before it"),
        ((TWICE,), "database: 1 bundles that can't be found by their log"),
    ],
)
def test_what_was_altered_is_seen(altered: tuple[str, ...], fault: str, tmp_path: Path) -> None:
    async def check() -> list[str]:
        async with Workspace.open(tmp_path / "hamlet") as workspace:
            return list((await workspace.doctor())["faults"])

    async def prepare() -> None:
        await make(tmp_path / "hamlet", cues=5)
        async with Workspace.open(tmp_path / "hamlet") as workspace:
            for value in ("11:00", "12:00", "13:00"):
                await change(workspace, value)
            assert (await workspace.doctor())["faults"] == []
            assert len(await workspace.log(limit=-1)) == 9

    asyncio.run(prepare())
    opened = sqlite3.connect(tmp_path / "hamlet" / DATABASE, isolation_level=None)
    for statement in altered:
        opened.execute(statement)
    opened.close()
    assert fault in asyncio.run(check())
    storage = SqliteStorage(str(tmp_path / "hamlet" / DATABASE))
    assert storage.check() != []
    storage.close()
