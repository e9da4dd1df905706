"""Opening a workspace's SQLite file: pragmas, the write lock, forward migrations, faults in plain words."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources

from openprod.errors import Busy, DamagedFile, DiskFull, NewerFile, ReadOnly, StorageError, WrongFile

APPLICATION_ID = 0x4F50524F  # "OPRO"


def connect(path: str) -> sqlite3.Connection:
    """The one writer connection: WAL, FULL (a commit survives power loss), migrated to this program's version.

    Raises WrongFile, NewerFile, DamagedFile, ReadOnly, DiskFull or Busy; the file is then as it was.
    """
    with translated(path):
        connection = sqlite3.connect(
            path, isolation_level=None, check_same_thread=False, timeout=5.0, cached_statements=256
        )
        try:
            _check_identity(connection, path)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA temp_store = MEMORY")
            connection.execute("PRAGMA cache_size = -65536")
            connection.execute("PRAGMA trusted_schema = OFF")
            _migrate(connection, path)
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


def _check_identity(connection: sqlite3.Connection, path: str) -> None:
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if application == 0 and version == 0:
        if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            raise WrongFile(f"{path} is a database of another program.", hint="Name an Openprod workspace folder.")
        return
    if application != APPLICATION_ID:
        raise WrongFile(f"{path} is a database of another program.", hint="Name an Openprod workspace folder.")
    newest = migrations()[-1][0]
    if version > newest:
        raise NewerFile(
            f"{path} was written by a newer Openprod (file version {version}, this program knows {newest}).",
            hint="Update Openprod on this device; the file was not touched.",
        )


def _migrate(connection: sqlite3.Connection, path: str) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    for number, sql in migrations():
        if number <= version:
            continue
        connection.execute("BEGIN IMMEDIATE")
        try:
            for statement in _statements(sql):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number}")
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def _statements(sql: str) -> Iterator[str]:
    pending = ""
    for line in sql.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""


@contextmanager
def translated(path: str) -> Iterator[None]:
    """Turn what SQLite and the system say into errors a stage manager understands."""
    try:
        yield
    except sqlite3.Error as error:
        raise explain(error, path) from error
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise _disk_full(path) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise _read_only(path) from error
        raise StorageError(f"{path} can't be used: {error.strerror or error}.") from error


def explain(error: sqlite3.Error, path: str) -> StorageError:
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
    if code == sqlite3.SQLITE_NOTADB:
        return WrongFile(f"{path} isn't an Openprod workspace.", hint="Name the workspace's folder.")
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_FORMAT):
        return DamagedFile(
            f"{path} is damaged.", hint="Keep the file as it is and restore a backup (`openprod restore`)."
        )
    if code == sqlite3.SQLITE_IOERR:
        return StorageError(
            f"The disk failed while using {path}.",
            hint="What was confirmed before is kept. Check the disk's room and health.",
        )
    return StorageError(f"{path} can't be used: {error}.")


def _disk_full(path: str) -> DiskFull:
    return DiskFull(
        f"There is no room left on the disk that holds {path}.",
        hint="Free some space and try again; nothing that was confirmed is lost.",
    )


def _read_only(path: str) -> ReadOnly:
    return ReadOnly(f"{path} can't be written here.", hint="Copy the workspace to a folder that you may write to.")
