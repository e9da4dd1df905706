"""Statements on the one writer connection, and their faults in plain words."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any, TypeAlias

from openprod.errors import StorageError
from openprod.storage.sqlite.connection import FAULTS, connect, explain

Files: TypeAlias = "tuple[tuple[int, int], ...]"


def files_at(path: str) -> Files | None:
    """Which files a database's path leads to, its log among them; None where one of them is missing."""
    try:
        return tuple((found.st_dev, found.st_ino) for found in (os.stat(path), os.stat(f"{path}-wal")))
    except OSError:
        return None


class _Transaction:
    """A durable write transaction. A class, as it is entered for every commit: a generator costs several times more."""

    __slots__ = ("_connection", "_files", "_path", "_undone")

    def __init__(
        self, connection: sqlite3.Connection, path: str, files: Files | None, undone: Callable[[], None]
    ) -> None:
        self._connection = connection
        self._files = files
        self._path = path
        self._undone = undone

    def __enter__(self) -> None:
        if self._files != files_at(self._path):
            # SQLite would go on writing into files that nobody finds again.
            raise StorageError(
                f"{self._path} was moved, removed or replaced while it was open.",
                hint="Close what has it open, and open the workspace where it is now. Nothing was written.",
            )
        try:
            self._connection.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            raise explain(error, self._path) from error

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        if error is None:
            try:
                self._connection.execute("COMMIT")
                return
            except sqlite3.Error as fault:
                error = fault
        self._undone()
        if self._connection.in_transaction:
            with suppress(sqlite3.Error):  # what went wrong first is what is told
                self._connection.execute("ROLLBACK")
        if isinstance(error, sqlite3.Error):
            raise explain(error, self._path) from error


class Statements:
    """One workspace file. Not thread-safe: one owner calls it."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._connection = connect(path)
        self._files = files_at(path)

    def close(self) -> None:
        self._connection.close()

    def _execute(self, sql: str, parameters: Sequence[object] = ()) -> None:
        try:
            self._connection.execute(sql, parameters)
        except FAULTS as error:
            raise explain(error, self.path) from error

    def _executemany(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        try:
            self._connection.executemany(sql, rows)
        except FAULTS as error:
            raise explain(error, self.path) from error

    def _row(self, sql: str, parameters: Sequence[object] = ()) -> Any:
        try:
            return self._connection.execute(sql, parameters).fetchone()
        except FAULTS as error:
            raise explain(error, self.path) from error

    def _rows(self, sql: str, parameters: Sequence[object] = ()) -> list[Any]:
        try:
            return self._connection.execute(sql, parameters).fetchall()
        except FAULTS as error:
            raise explain(error, self.path) from error

    def _stream(self, sql: str, parameters: Sequence[object] = ()) -> Iterator[Any]:
        try:
            yield from self._connection.execute(sql, parameters)
        except FAULTS as error:
            raise explain(error, self.path) from error

    def transaction(self) -> _Transaction:
        return _Transaction(self._connection, self.path, self._files, self._undone)

    def _undone(self) -> None:
        """A transaction didn't come about: what is remembered of the file may not be so."""
