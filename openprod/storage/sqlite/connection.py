"""Opening a workspace's SQLite file: pragmas, the write lock, forward migrations, faults in plain words."""

from __future__ import annotations

import errno
import os
import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources

from openprod.errors import Busy, DamagedFile, DiskFull, NewerFile, ReadOnly, StorageError, WrongFile

DATABASE = "workspace.db"
"""A workspace's database, in its folder."""

APPLICATION_ID = 0x4F50524F  # "OPRO"
BUSY_TIMEOUT_S = 5.0
_SHARED_BYTES = 32 * 1024  # what SQLite takes of the disk at once for its shared memory
_MAGIC = b"SQLite format 3\0"
_MISFIT = re.compile(r"decode to UTF-8|no such (table|column)|has \d+ columns")
FAULTS = (sqlite3.Error, UnicodeDecodeError)
"""What SQLite's module raises when the file or the disk is at fault."""


def connect(path: str) -> sqlite3.Connection:
    """The one writer connection: WAL, FULL (a commit survives power loss), migrated to this program's version.

    A file that doesn't exist is made. Raises WrongFile, NewerFile, DamagedFile, ReadOnly, DiskFull or Busy; the file
    is then as it was.
    """
    with translated(path):
        if os.path.exists(path):
            _check_identity(path)
        connection = sqlite3.connect(
            path, isolation_level=None, check_same_thread=False, timeout=BUSY_TIMEOUT_S, cached_statements=256
        )
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA temp_store = MEMORY")
            connection.execute("PRAGMA cache_size = -65536")
            # A checkpoint syncs the whole file. A commit writes three or four pages: one in 300 waits for one. Seldomer
            # isn't better: a commit also waits longer while the log grows on the disk than once it begins again.
            connection.execute("PRAGMA wal_autocheckpoint = 1000")
            connection.execute("PRAGMA trusted_schema = OFF")
            _migrate(connection)
        except BaseException:
            connection.close()
            raise
    return connection


def quoted(path: str) -> str:
    """A path inside a file: URI."""
    return path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")


def migrations() -> list[tuple[int, str]]:
    """(version, SQL text), ascending, from the numbered files beside this module."""
    folder = resources.files(__package__).joinpath("migrations")
    found = [(int(entry.name[:4]), entry.read_text()) for entry in folder.iterdir() if entry.name.endswith(".sql")]
    return sorted(found)


def looks_like_a_database(path: str | os.PathLike[str]) -> bool:
    """Whether a file begins as SQLite's do, or all of it may be in its log. Leaves nothing beside it."""
    with translated(str(path)), open(path, "rb") as file:
        start = file.read(len(_MAGIC))
    return start == _MAGIC or (not start and os.path.exists(f"{os.fspath(path)}-wal"))


def _check_identity(path: str) -> None:
    # Read-only: closing a writer would write into a file that isn't ours to change.
    connection = sqlite3.connect(f"file:{quoted(path)}?mode=ro", uri=True, timeout=BUSY_TIMEOUT_S)
    try:
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    finally:
        connection.close()
    if application == 0 and version == 0 and not tables:
        raise WrongFile(f"{path} is empty.", hint="Restore a backup, or make a new workspace (`openprod new`).")
    if application != APPLICATION_ID:
        raise WrongFile(f"{path} is a database of another program.", hint="Name an Openprod workspace folder.")
    newest = migrations()[-1][0]
    if version > newest:
        raise NewerFile(
            f"{path} was written by a newer Openprod (file version {version}, this program knows {newest}).",
            hint="Update Openprod on this device; the file was not touched.",
        )


def _migrate(connection: sqlite3.Connection) -> None:
    """Bring the file forward in one transaction: to this program's version, or not at all."""
    steps = migrations()
    if _version(connection) == steps[-1][0]:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = _version(connection)
        for number, sql in steps:
            if number > version:
                for statement in _statements(sql):
                    connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {steps[-1][0]}")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _statements(sql: str) -> Iterator[str]:
    pending = ""
    for line in sql.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""
    assert not pending.strip(), "a migration ends in half a statement"


@contextmanager
def translated(path: str) -> Iterator[None]:
    """Turn what SQLite and the system say into errors a stage manager understands."""
    try:
        yield
    except FAULTS as error:
        raise explain(error, path) from error
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise _disk_full(path) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise _read_only(path) from error
        raise StorageError(f"{path} can't be used: {error.strerror or error}.") from error


def explain(error: Exception, path: str) -> StorageError:
    """What SQLite says, for people."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return _disk_full(path)
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM):
        return _read_only(path)
    if code == sqlite3.SQLITE_CANTOPEN:
        folder = os.path.dirname(path) or "."
        if os.path.isdir(folder) and not os.access(folder, os.W_OK):
            return _read_only(path)
        return StorageError(f"{path} can't be opened.", hint="Check that the folder exists and is yours.")
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return Busy(f"Another program is using {path}.", hint="Close it, or work through the node that has it open.")
    if code == sqlite3.SQLITE_NOTADB and not _is_blank(path):
        return WrongFile(f"{path} isn't an Openprod workspace.", hint="Name the workspace's folder.")
    damage = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_FORMAT, sqlite3.SQLITE_NOTADB)
    # The statements are this program's own: where they don't fit the tables, those were altered.
    if code in damage or isinstance(error, UnicodeDecodeError) or _MISFIT.search(str(error)):
        return DamagedFile(
            f"{path} is damaged.", hint="Keep the file as it is and restore a backup (`openprod restore`)."
        )
    if code == sqlite3.SQLITE_IOERR:
        if _is_out_of_room(path):  # SQLite says so of its files, but not of the memory that it shares through one
            return _disk_full(path)
        return StorageError(
            f"The disk failed while using {path}.",
            hint="What was confirmed before is kept. Check the disk's room and health.",
        )
    return StorageError(f"{path} can't be used: {error}.")


def _is_blank(path: str) -> bool:
    """Whether the file begins with nothing but zeros, as one does whose blocks were never written."""
    try:
        with open(path, "rb") as file:
            return not file.read(16).strip(b"\0")
    except OSError:
        return False


def _is_out_of_room(path: str) -> bool:
    try:
        return shutil.disk_usage(os.path.dirname(path) or ".").free < _SHARED_BYTES
    except OSError:
        return False


def _disk_full(path: str) -> DiskFull:
    return DiskFull(
        f"There is no room left on the disk that holds {path}.",
        hint="Free some space and try again; nothing that was confirmed is lost.",
    )


def _read_only(path: str) -> ReadOnly:
    return ReadOnly(f"{path} can't be written here.", hint="Copy the workspace to a folder that you may write to.")
