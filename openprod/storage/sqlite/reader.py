"""Long reads beside the writer: a read-only connection of its own, which sees whole commits and blocks nobody.

sqlite-anyio runs each statement on a thread, so the event loop goes on; pages of rows keep the hops few.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import sqlite_anyio

from openprod.storage.sqlite import checks
from openprod.storage.sqlite.connection import quoted, translated

_PAGE = 256
_BLOB: Final = re.compile("blob:([0-9a-f]{64})")


class Reader:
    """Made by ``Reader.open``."""

    def __init__(self, connection: sqlite_anyio.Connection, path: str) -> None:
        self._connection = connection
        self._path = path

    @classmethod
    @asynccontextmanager
    async def open(cls, path: str) -> AsyncIterator[Reader]:
        """Raises what ``connection.connect`` raises."""
        with translated(path):
            connection = await sqlite_anyio.connect(f"file:{quoted(path)}?mode=ro", uri=True)
        try:
            yield cls(connection, path)
        finally:
            await connection.close()

    async def bundles(self, *, after: int = 0) -> AsyncIterator[tuple[int, str, int, bytes, bytes, bytes]]:
        """(number, log, seq, hash, body, signature) of every bundle beyond that number, in order of arrival."""
        while True:
            with translated(self._path):
                cursor = await self._connection.execute(
                    "SELECT number, log, seq, hash, body, signature FROM bundle"
                    " WHERE number > ? ORDER BY number LIMIT ?",
                    (after, _PAGE),
                )
                rows = await cursor.fetchall()
            if not rows:
                return
            for row in rows:
                yield row
            after = rows[-1][0]

    async def count(self) -> int:
        with translated(self._path):
            cursor = await self._connection.execute("SELECT count(*) FROM bundle")
            row = await cursor.fetchone()
        return int(row[0]) if row else 0

    async def stored_files(self) -> set[bytes]:
        """SHA-256 of each stored file (``blob:<hash>``) that a value names, or ever named."""
        rows = await self._rows("SELECT value FROM version WHERE value LIKE '%blob:%'")
        return {bytes.fromhex(name) for (value,) in rows for name in _BLOB.findall(value)}

    async def check(self) -> list[str]:
        """What is wrong with the file or between its tables, [] when all is well."""
        found = [row[0] for row in await self._rows(checks.INTEGRITY)]
        if found != ["ok"]:
            return checks.faults(found, [])
        return checks.faults(found, [(await self._rows(sql))[0][0] for _what, sql in checks.CHECKS])

    async def _rows(self, sql: str) -> list[Any]:
        with translated(self._path):
            return list(await (await self._connection.execute(sql)).fetchall())
