"""The oplog's tables: bundles by number, id and place in their log."""

from __future__ import annotations

from collections.abc import Iterator

from openprod.storage.ports import BundleRow
from openprod.storage.sqlite.statements import Statements

BUNDLE = "b.number, b.id, b.log, b.seq, b.hlc, b.user, b.name, b.device, b.via, b.intent, b.message, b.undoes, b.hash"
"""The columns of a BundleRow."""


class Oplog(Statements):
    def add_bundle(self, row: BundleRow, body: bytes, signature: bytes) -> None:
        self._execute("INSERT INTO bundle VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)", (*row, body, signature))

    def bundle(self, id: str) -> BundleRow | None:
        row = self._row(f"SELECT {BUNDLE} FROM bundle b WHERE id = ?", (id,))
        return BundleRow(*row) if row else None

    def bundles_like(self, prefix: str) -> list[BundleRow]:
        rows = self._rows(
            f"SELECT {BUNDLE} FROM bundle b WHERE id >= ? AND id < ? ORDER BY id LIMIT 2", (prefix, prefix + "g")
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
        rows = self._rows("SELECT log, max(seq), hash FROM bundle GROUP BY log")
        return {log: (seq, digest) for log, seq, digest in rows}

    def bundle_at(self, log: str, seq: int) -> bytes | None:
        """The body of one bundle of a log."""
        row = self._row("SELECT body FROM bundle WHERE log = ? AND seq = ?", (log, seq))
        return row[0] if row else None

    def logs_of(self, log: str) -> tuple[int, bytes]:
        """(last seq, its hash) of one log; (0, b"") when it isn't here."""
        row = self._row("SELECT seq, hash FROM bundle WHERE log = ? ORDER BY seq DESC LIMIT 1", (log,))
        return (row[0], row[1]) if row else (0, b"")

    def newest_hlc(self, log: str) -> str:
        """The highest timestamp of a log, "" when it is empty."""
        row = self._row("SELECT hlc FROM bundle WHERE log = ? ORDER BY seq DESC LIMIT 1", (log,))
        return row[0] if row else ""

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
