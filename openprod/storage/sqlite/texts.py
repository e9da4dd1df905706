"""The tables of texts in SQLite: runs, who had a hand in which text, and who worked apart there.

Where an index is named, SQLite would rather read the whole table to save itself sorting a few rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from openprod.storage.ports import BundleRow, SpanRow, TextChangeRow
from openprod.storage.sqlite.oplog import BUNDLE
from openprod.storage.sqlite.statements import Statements

_SPAN = "s.document, s.client, s.clock, s.length, s.root, s.bundle, s.deleted"
_CHANGE = "document, root, log, seq, bundle, user, whole"
_PLACES = "?,?,?,?,?,?,?"
_END = 2**62


class TextTables(Statements):
    """A part of ``SqliteStorage``."""

    # -- runs ----------------------------------------------------------------------------------------------

    def put_spans(self, rows: Sequence[SpanRow]) -> None:
        self._executemany(
            f"INSERT OR REPLACE INTO span (document, client, clock, length, root, bundle, deleted) VALUES ({_PLACES})",
            rows,
        )

    def drop_spans(self, rows: Sequence[SpanRow]) -> None:
        self._executemany(
            "DELETE FROM span WHERE document = ? AND client = ? AND deleted = ? AND clock = ?",
            [(row.document, row.client, row.deleted, row.clock) for row in rows],
        )

    def spans_of(self, document: str, root: str) -> list[tuple[SpanRow, BundleRow]]:
        """By time, then by place."""
        rows = self._rows(
            f"SELECT {_SPAN}, {BUNDLE} FROM span s INDEXED BY span_by_bundle JOIN bundle b ON b.number = s.bundle"
            " WHERE s.document = ? AND s.root = ? ORDER BY b.hlc, b.id, s.client, s.clock, s.deleted",
            (document, root),
        )
        return [(_span(row), BundleRow(*row[7:])) for row in rows]

    def spans_of_change(self, document: str, root: str, bundle: int, *, limit: int = -1) -> list[SpanRow]:
        rows = self._rows(
            f"SELECT {_SPAN} FROM span s INDEXED BY span_by_bundle WHERE document = ? AND root = ? AND bundle = ?"
            " ORDER BY client, clock, deleted LIMIT ?",
            (document, root, bundle, limit),
        )
        return [_span(row) for row in rows]

    def spans_in(self, document: str, client: int, start: int, end: int, *, deleted: bool) -> list[SpanRow]:
        """Those that have elements in [start, end), by place."""
        first = self._row(
            "SELECT max(clock) FROM span WHERE document = ? AND client = ? AND deleted = ? AND clock <= ?",
            (document, client, deleted, start),
        )[0]
        rows = self._rows(
            f"SELECT {_SPAN} FROM span s WHERE document = ? AND client = ? AND deleted = ? AND clock >= ? AND clock < ?"
            " AND clock + length > ? ORDER BY clock",
            (document, client, deleted, start if first is None else first, end, start),
        )
        return [_span(row) for row in rows]

    def span_at(self, document: str, client: int, clock: int) -> SpanRow | None:
        """The run that was written there."""
        row = self._row(
            f"SELECT {_SPAN} FROM span s WHERE document = ? AND client = ? AND deleted = 0 AND clock <= ?"
            " ORDER BY clock DESC LIMIT 1",
            (document, client, clock),
        )
        return None if row is None or row[2] + row[3] <= clock else _span(row)

    def text_roots(self) -> list[tuple[str, str]]:
        """(document, root) of every text, in order."""
        return self._rows("SELECT DISTINCT document, root FROM span ORDER BY document, root")

    # -- who had a hand in a text --------------------------------------------------------------------------

    def put_text_change(self, row: TextChangeRow) -> None:
        self._execute(f"INSERT OR REPLACE INTO text_change ({_CHANGE}) VALUES ({_PLACES})", row)

    def drop_text_change(self, row: TextChangeRow) -> None:
        self._execute("DELETE FROM text_change WHERE document = ? AND root = ? AND log = ? AND seq = ?", row[:4])

    def text_logs(self, document: str, root: str) -> list[str]:
        """Logs that have a bundle with a hand in the text, in order: one look-up each, however many bundles."""
        found: list[str] = []
        log = ""
        while row := self._row(
            "SELECT log FROM text_change WHERE document = ? AND root = ? AND log > ? ORDER BY log LIMIT 1",
            (document, root, log),
        ):
            log = row[0]
            found.append(log)
        return found

    def text_changes(
        self, document: str, root: str, log: str, *, after: int = 0, before: int | None = None, whole: bool
    ) -> list[TextChangeRow]:
        """Those of a log with ``after`` < seq < ``before``, in order."""
        rows = self._rows(
            f"SELECT {_CHANGE} FROM text_change {'INDEXED BY text_change_whole' if whole else ''}"
            " WHERE document = ? AND root = ? AND log = ? AND seq > ? AND seq < ?"
            f" AND {'' if whole else 'NOT '}whole ORDER BY seq",
            (document, root, log, after, _END if before is None else before),
        )
        return [_change(row) for row in rows]

    def has_text_change(
        self, document: str, root: str, log: str, *, after: int, before: int | None, other_than: str
    ) -> bool:
        """Whether there is one between, not a whole state, by another user than ``other_than``."""
        row = self._row(
            "SELECT 1 FROM text_change WHERE document = ? AND root = ? AND log = ? AND seq > ? AND seq < ?"
            " AND NOT whole AND user <> ? LIMIT 1",
            (document, root, log, after, _END if before is None else before, other_than),
        )
        return row is not None

    def add_apart(self, rows: Sequence[TextChangeRow]) -> None:
        self._executemany(f"INSERT OR IGNORE INTO apart ({_CHANGE}) VALUES ({_PLACES})", rows)

    def clear_apart(self, document: str, root: str) -> None:
        self._execute("DELETE FROM apart WHERE document = ? AND root = ?", (document, root))

    def has_apart(self, document: str, root: str) -> bool:
        return self._row("SELECT 1 FROM apart WHERE document = ? AND root = ? LIMIT 1", (document, root)) is not None

    def apart_in(self, document: str, root: str, log: str, *, limit: int) -> list[TextChangeRow]:
        """The last ``limit`` of a log, in order."""
        rows = self._rows(
            f"SELECT {_CHANGE} FROM apart WHERE document = ? AND root = ? AND log = ? ORDER BY seq DESC LIMIT ?",
            (document, root, log, limit),
        )
        return [_change(row) for row in reversed(rows)]


def _span(row: Any) -> SpanRow:
    return SpanRow._make((*row[:6], row[6] == 1))


def _change(row: Any) -> TextChangeRow:
    return TextChangeRow._make((*row[:6], row[6] == 1))
