"""Files of every older version are brought forward; one that can't be is left as it is."""

from __future__ import annotations

import random
import sqlite3
from pathlib import Path

import pytest

from openprod.errors import NewerFile, StorageError
from openprod.storage.memory import MemoryStorage
from openprod.storage.sqlite import connection
from openprod.storage.sqlite.storage import SqliteStorage
from tests.contracts.contents import contents
from tests.engine.replica import Replica, Time
from tests.simulation.long_run import walk

STEPS = connection.migrations()
NEWEST = STEPS[-1][0]

# For each older version, rows as a program of that version left them; the next migration's author adds to this.
LEFT_BY: dict[int, str] = {
    1: """
        INSERT INTO meta VALUES ('workspace', 'ws_old'), ('name', 'Hamlet');
        INSERT INTO bundle VALUES (1, 'b1', 'log-a', 1, '1', 'u', 'Alex', 'd', '', 'edit', '', '', x'00', x'01', x'02');
    """,
    2: """
        INSERT INTO meta VALUES ('workspace', 'ws_old'), ('name', 'Hamlet');
        INSERT INTO bundle VALUES (1, 'b1', 'log-a', 1, '1', 'u', 'Alex', 'd', '', 'edit', '', '', x'00', x'01', x'02');
        INSERT INTO dependency VALUES ('log-a', 'log-b', 1, 4), ('log-a', 'log-b', 2, 3), ('log-a', 'log-b', 3, 5);
        INSERT INTO span VALUES ('p', 1, 0, 0, 1, 5, 'text:p.f/e/a'), ('p', 1, 0, 0, 2, 7, 'text:p.f/e/a');
        INSERT INTO apart VALUES ('p', 'text:p.f/e/a', 1, 0, 1, 2, 0, 1);
    """,
    3: """
        INSERT INTO meta VALUES ('workspace', 'ws_old'), ('name', 'Hamlet');
        INSERT INTO bundle VALUES (1, 'b1', 'log-a', 1, '1', 'u', 'Alex', 'd', '', 'edit', '', '', x'00', x'01', x'02');
    """,
    4: """
        INSERT INTO meta VALUES ('workspace', 'ws_old'), ('name', 'Hamlet');
        INSERT INTO bundle VALUES (1, 'b1', 'log-a', 1, '1', 'u', 'Alex', 'd', '', 'edit', '', '', x'00', x'01', x'02');
        INSERT INTO run VALUES (1, 'log-a', 1);
    """,
    5: """
        INSERT INTO meta VALUES ('workspace', 'ws_old'), ('name', 'Hamlet');
        INSERT INTO bundle VALUES (1, 'b1', 'log-a', 1, '1', 'u', 'Alex', 'd', '', 'edit', '', '', x'00', x'01', x'02');
        INSERT INTO run VALUES (1, 'log-a', 1);
    """,
    6: """
        INSERT INTO meta VALUES ('workspace', 'ws_old'), ('name', 'Hamlet');
        INSERT INTO bundle VALUES (1, 'b1', 'log-a', 1, '1', 'u', 'Alex', 'd', '', 'edit', '', '', x'00', x'01', x'02');
        INSERT INTO run VALUES (1, 'log-a', 1);
    """,
    7: """
        INSERT INTO meta VALUES ('workspace', 'ws_old'), ('name', 'Hamlet');
        INSERT INTO bundle VALUES (1, 'b1', 'log-a', 1, '1', 'u', 'Alex', 'd', '', 'edit', '', '', x'00', x'01', x'02');
        INSERT INTO run VALUES (1, 'log-a', 1);
    """,
}


def make(path: Path, version: int) -> None:
    """A file as a program of ``version`` left it."""
    made = sqlite3.connect(path, isolation_level=None)
    made.execute("PRAGMA journal_mode = WAL")
    for number, sql in STEPS:
        if number <= version:
            made.executescript(sql)
    made.execute(f"PRAGMA user_version = {version}")
    made.execute(f"PRAGMA application_id = {connection.APPLICATION_ID}")
    made.executescript(LEFT_BY[version])
    made.close()


def layout(path: Path) -> list[tuple[str, ...]]:
    opened = sqlite3.connect(path)
    rows = opened.execute("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name").fetchall()
    opened.close()
    return rows


def test_they_are_numbered_from_1_without_gaps() -> None:
    assert [number for number, _sql in STEPS] == list(range(1, len(STEPS) + 1))
    assert sorted(LEFT_BY) == [number for number, _sql in STEPS], "say what a program of each version leaves behind"


@pytest.mark.parametrize("version", sorted(LEFT_BY))
def test_a_file_of_every_version_opens_with_all_that_was_in_it(version: int, tmp_path: Path) -> None:
    old, new = tmp_path / "old.db", tmp_path / "new.db"
    make(old, version)
    opened = SqliteStorage(str(old))
    try:
        assert opened.meta("name") == "Hamlet"
        assert [row.id for row in opened.bundles()] == ["b1"]
        assert opened.bundle("b1") == opened.bundles()[0]
        assert opened.bundle_at("log-a", 1) == b"\x01"
        assert opened.check() == []
    finally:
        opened.close()
    SqliteStorage(str(new)).close()
    assert layout(old) == layout(new)


MADE_ANEW = {1: ("span", "apart"), 2: ("span", "apart")}
"""{version: tables whose rows were thrown away by a later one, for the oplog has them}"""


def left_by(path: Path, version: int, whole: str) -> None:
    """All rows of the file ``whole`` in one as a program of ``version`` left it."""
    made = sqlite3.connect(path, isolation_level=None)
    made.execute("PRAGMA journal_mode = WAL")
    for number, sql in STEPS:
        if number <= version:
            made.executescript(sql)
    made.execute(f"PRAGMA user_version = {version}")
    made.execute(f"PRAGMA application_id = {connection.APPLICATION_ID}")
    made.execute("ATTACH ? AS whole", (whole,))

    def columns(schema: str, table: str) -> list[str]:
        return [name for (name,) in made.execute("SELECT name FROM pragma_table_info(?, ?)", (table, schema))]

    for (table,) in made.execute("SELECT name FROM main.sqlite_schema WHERE type = 'table'").fetchall():
        if table in MADE_ANEW.get(version, ()):
            continue
        names = columns("main", table)
        assert set(names) <= set(columns("whole", table)), "a later migration took away what this version had"
        made.execute(f"DELETE FROM main.{table}")
        made.execute(f"INSERT INTO main.{table} ({', '.join(names)}) SELECT {', '.join(names)} FROM whole.{table}")
    made.execute("DELETE FROM meta WHERE name = 'ids_until'")
    made.close()


@pytest.mark.parametrize("seed", [3, 6, 8, 9])  # those of the first ten with removals, or many sides
@pytest.mark.parametrize("version", [1, 2, 3])
def test_real_histories_are_brought_forward_whole(seed: int, version: int, tmp_path: Path) -> None:
    """Registers with many authors, removals, decisions, texts, relations; bundles of several logs."""
    print(f"seed {seed}")
    world = walk(seed, 250, texts=True, edges=True)
    world.pull("alex", "blake")
    storage = world.replicas["alex"].storage
    assert isinstance(storage, MemoryStorage)
    assert sum(row.forked for row in storage.all_registers()) > 5
    storage.backup(str(tmp_path / "whole.db"))
    left_by(tmp_path / "old.db", version, str(tmp_path / "whole.db"))
    expected = contents(storage)
    opened = SqliteStorage(str(tmp_path / "old.db"))
    try:
        found = contents(opened)
        anew = ("spans", "changes") if version in MADE_ANEW else ()
        assert {name: found[name] for name in found if name not in anew} == {
            name: expected[name] for name in expected if name not in anew
        }
        assert opened.check() == []
        for row in opened.bundles():
            assert opened.bundle(row.id) == row
            assert opened.bundle_at(row.log, row.seq) == opened.bundle_body(row.number)[0]
        replica = Replica("alex", storage=opened, time=Time(), chance=random.Random(seed))
        assert replica.hash() == world.replicas["alex"].hash()
        replica.committer.rebuild()
        assert replica.hash() == world.replicas["alex"].hash()
        found = contents(opened)
        for table in ("versions", "clears", "spans", "changes", "resolutions", "conflicts"):
            assert found[table] == expected[table], table
    finally:
        opened.close()


@pytest.mark.parametrize("fault", ["CREATE TABLE broken (;", "INSERT INTO nowhere VALUES (1);", "SELECT 1 FROM"])
def test_one_that_fails_leaves_the_file_untouched(fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "workspace.db"
    make(path, NEWEST)
    before, bytes_before = layout(path), path.read_bytes()
    good = (NEWEST + 1, "CREATE TABLE extra (a);\nINSERT INTO extra VALUES (1);\nUPDATE meta SET value = 'changed';\n")
    with monkeypatch.context() as patched:
        patched.setattr(connection, "migrations", lambda: [*STEPS, good, (NEWEST + 2, fault)])
        with pytest.raises((StorageError, AssertionError)):
            SqliteStorage(str(path))
    assert layout(path) == before
    assert path.read_bytes() == bytes_before
    opened = SqliteStorage(str(path))
    assert opened.meta("name") == "Hamlet"
    opened.close()


def test_several_are_applied_at_once_and_an_older_program_refuses_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "workspace.db"
    make(path, NEWEST)
    with monkeypatch.context() as patched:
        more = [(NEWEST + 1, "CREATE TABLE one (a);"), (NEWEST + 2, "INSERT INTO one VALUES (7);")]
        patched.setattr(connection, "migrations", lambda: [*STEPS, *more])
        opened = SqliteStorage(str(path))
        assert opened.meta("name") == "Hamlet"
        opened.close()
    bytes_before = path.read_bytes()
    with pytest.raises(NewerFile, match=f"version {NEWEST + 2}, this program knows {NEWEST}") as refused:
        SqliteStorage(str(path))
    assert refused.value.code == "NEWER_FILE"
    assert "Update Openprod" in refused.value.hint
    assert path.read_bytes() == bytes_before


def test_what_is_derived_of_texts_is_made_anew(tmp_path: Path) -> None:
    """Version 3 credits runs otherwise: what was there is dropped, and the log kept."""
    path = tmp_path / "workspace.db"
    make(path, 2)
    opened = SqliteStorage(str(path))
    try:
        assert opened.text_roots() == []
        assert opened.meta("derive") == "again"
        assert [opened.depends("log-a", seq, "log-b") for seq in (1, 2, 3)] == [4, 4, 5]
    finally:
        opened.close()
