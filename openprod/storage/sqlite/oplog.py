"""The oplog's tables: bundles by number, id and place in their log."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from openprod.errors import StorageError
from openprod.storage.ports import BundleRow
from openprod.storage.sqlite.statements import Statements

BUNDLE = "b.number, b.id, b.log, b.seq, b.hlc, b.user, b.name, b.device, b.via, b.intent, b.message, b.undoes, b.hash"
"""The columns of a BundleRow."""
IDS_AT_ONCE = 512
"""Ids are scattered: an index of them written at every commit would cost each of them a page."""
_UNTIL = "coalesce((SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'ids_until'), 0)"


class Oplog(Statements):
    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._undone()

    def _undone(self) -> None:
        # Asked for at every commit, and only commits change them.
        self._last: tuple[int, str, int] | None = None  # number, log, seq of the last bundle, where that is known
        self._ends: dict[str, tuple[int, bytes]] = {}  # seq and hash of the last of a log, of those that are known

    def add_bundle(self, row: BundleRow, body: bytes, signature: bytes) -> None:
        """Raises StorageError for one that doesn't come after all that are here, and after those of its log."""
        newest = self._last or self._row("SELECT number, log, seq FROM bundle ORDER BY number DESC LIMIT 1")
        if newest != (row.number - 1, row.log, row.seq - 1):
            if (newest is not None and row.number <= newest[0]) or row.seq <= self.logs_of(row.log)[0]:
                raise StorageError(f"{self.path} can't be used: bundle {row.id} is there already, or comes too late.")
            self._execute("INSERT INTO run VALUES (?,?,?)", (row.number, row.log, row.seq))
        self._execute("INSERT INTO bundle VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)", (*row, body, signature))
        self._last = (row.number, row.log, row.seq)
        self._ends[row.log] = (row.seq, row.hash)
        if row.number % IDS_AT_ONCE == 0:
            self._execute(f"INSERT INTO bundle_id SELECT substr(id, 1, 12), number FROM bundle WHERE number > {_UNTIL}")
            self._execute("INSERT OR REPLACE INTO meta VALUES ('ids_until', ?)", (row.number,))

    def bundle(self, id: str) -> BundleRow | None:
        return next(iter(self._identified("b.id = ?", (id,), id)), None)

    def bundles_like(self, prefix: str) -> list[BundleRow]:
        """The first two by id that begin so."""
        return self._identified("b.id >= ? AND b.id < ?", (prefix, prefix + "g"), prefix)

    def _identified(self, where: str, parameters: tuple[str, ...], prefix: str) -> list[BundleRow]:
        beginning = prefix[:12]
        rows = self._rows(
            f"SELECT {BUNDLE} FROM bundle_id i CROSS JOIN bundle b ON b.number = i.number"
            f" WHERE i.beginning >= ? AND i.beginning < ? AND {where}"
            f" UNION ALL SELECT {BUNDLE} FROM bundle b WHERE b.number > {_UNTIL} AND {where} ORDER BY 2 LIMIT 2",
            (beginning, beginning + "g", *parameters, *parameters),
        )
        return [BundleRow(*row) for row in rows]

    def bundle_numbered(self, number: int) -> BundleRow | None:
        row = self._row(f"SELECT {BUNDLE} FROM bundle b WHERE number = ?", (number,))
        return BundleRow(*row) if row else None

    def bundles(
        self, *, after: int = 0, limit: int = -1, newest_first: bool = False, before: int | None = None
    ) -> list[BundleRow]:
        order = "DESC" if newest_first else "ASC"
        rows = self._rows(
            f"SELECT {BUNDLE} FROM bundle b WHERE number > ? AND number < ? ORDER BY number {order} LIMIT ?",
            (after, 2**62 if before is None else before, limit),
        )
        return [BundleRow(*row) for row in rows]

    def bundle_bytes(self, *, after: int = 0) -> Iterator[tuple[int, bytes, bytes]]:
        while True:
            rows = self._rows(
                "SELECT number, body, signature FROM bundle WHERE number > ? ORDER BY number LIMIT 256",
                (after,),
            )
            if not rows:
                return
            yield from rows
            after = rows[-1][0]

    def bundle_body(self, number: int) -> tuple[bytes, bytes]:
        row = self._row("SELECT body, signature FROM bundle WHERE number = ?", (number,))
        return row[0], row[1]

    def logs(self) -> dict[str, tuple[int, bytes]]:
        return {log: self.logs_of(log) for (log,) in self._rows("SELECT DISTINCT log FROM run")}

    def bundle_at(self, log: str, seq: int) -> bytes | None:
        """The body of one bundle of a log."""
        row = self._row(
            "SELECT b.body FROM (SELECT number, seq FROM run WHERE log = ?1 AND seq <= ?2 ORDER BY seq DESC LIMIT 1) r"
            " JOIN bundle b ON b.number = r.number + ?2 - r.seq WHERE b.log = ?1 AND b.seq = ?2",
            (log, seq),
        )
        return row[0] if row else None

    def logs_of(self, log: str) -> tuple[int, bytes]:
        """(last seq, its hash) of one log; (0, b"") when it isn't here."""
        found = self._ends.get(log)
        if found is None:
            row = self._newest("b.seq, b.hash", log)
            found = (row[0], row[1]) if row else (0, b"")
            if row:
                self._ends[log] = found
        return found

    def newest_hlc(self, log: str) -> str:
        """The timestamp of a log's last bundle, "" when it is empty."""
        row = self._newest("b.hlc", log)
        return row[0] if row else ""

    def _newest(self, columns: str, log: str) -> Any:
        """Of a log's last bundle, which is the last before another run begins."""
        run = self._row("SELECT number FROM run WHERE log = ? ORDER BY seq DESC LIMIT 1", (log,))
        if run is None:
            return None
        return self._row(
            f"SELECT {columns} FROM bundle b"
            " WHERE number < coalesce((SELECT min(number) FROM run WHERE number > ?), 1 << 62)"
            " ORDER BY number DESC LIMIT 1",
            run,
        )

    def add_deps(self, log: str, seq: int, deps: dict[str, int]) -> None:
        """Kept where it goes beyond what the log's author had said before. To be called in the order of the log."""
        self._executemany(
            "INSERT OR IGNORE INTO dependency (log, on_log, seq, on_seq) VALUES (?,?,?,?)",
            [(log, on, seq, on_seq) for on, on_seq in deps.items() if on_seq > self.depends(log, seq, on)],
        )

    def depends(self, log: str, seq: int, on_log: str) -> int:
        """The last seq of ``on_log`` that the author of (log, seq) had seen; 0 for none."""
        row = self._row(
            "SELECT on_seq FROM dependency WHERE log = ? AND on_log = ? AND seq <= ? ORDER BY seq DESC LIMIT 1",
            (log, on_log, seq),
        )
        return row[0] if row else 0

    def first_depending(self, log: str, on_log: str, on_seq: int) -> int | None:
        """The first seq of ``log`` whose author had seen (on_log, on_seq)."""
        row = self._row(
            "SELECT seq FROM dependency WHERE log = ? AND on_log = ? AND on_seq >= ? ORDER BY on_seq, seq LIMIT 1",
            (log, on_log, on_seq),
        )
        return row[0] if row else None

    def bundles_by_user(self, user: str, *, limit: int) -> list[BundleRow]:
        rows = self._rows(f"SELECT {BUNDLE} FROM bundle b WHERE user = ? ORDER BY number DESC LIMIT ?", (user, limit))
        return [BundleRow(*row) for row in rows]
