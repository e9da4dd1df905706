"""The tables of texts in dictionaries: the twin of ``storage.sqlite.texts``."""

from __future__ import annotations

from collections.abc import Sequence

from openprod.storage.ports import BundleRow, SpanRow, TextChangeRow
from openprod.storage.tables import Table, Tables


class TextTables(Tables):
    """A part of ``MemoryStorage``."""

    def __init__(self) -> None:
        super().__init__()
        j = self._journal
        self._deps: Table[tuple[str, str, int], int] = Table(j)
        self._spans: Table[tuple[str, int, bool, int], SpanRow] = Table(
            j, root=lambda row: (row.document, row.root), client=lambda row: (row.document, row.client, row.deleted)
        )
        self._changes: Table[tuple[str, str, str, int], TextChangeRow] = Table(j, log=lambda row: row[:3])
        self._apart: Table[tuple[str, str, str, int], TextChangeRow] = Table(j, text=lambda row: row[:2])

    def bundle_numbered(self, number: int) -> BundleRow | None:
        raise NotImplementedError

    # -- runs ----------------------------------------------------------------------------------------------

    def put_spans(self, rows: Sequence[SpanRow]) -> None:
        for row in rows:
            self._put(self._spans, (row.document, row.client, row.deleted, row.clock), row)

    def drop_spans(self, rows: Sequence[SpanRow]) -> None:
        for row in rows:
            self._put(self._spans, (row.document, row.client, row.deleted, row.clock), None)

    def spans_of(self, document: str, root: str) -> list[tuple[SpanRow, BundleRow]]:
        rows = self._spans.where("root", (document, root))
        found = [(row, bundle) for row in rows if (bundle := self.bundle_numbered(row.bundle))]
        return sorted(found, key=lambda one: (one[1].hlc, one[1].id, one[0].client, one[0].clock, one[0].deleted))

    def spans_of_change(self, document: str, root: str, bundle: int, *, limit: int = -1) -> list[SpanRow]:
        rows = [row for row in self._spans.where("root", (document, root)) if row.bundle == bundle]
        rows.sort(key=lambda row: (row.client, row.clock, row.deleted))
        return rows if limit < 0 else rows[:limit]

    def spans_in(self, document: str, client: int, start: int, end: int, *, deleted: bool) -> list[SpanRow]:
        rows = self._spans.where("client", (document, client, deleted))
        first = max((row.clock for row in rows if row.clock <= start), default=start)
        return [row for row in rows if first <= row.clock < end and row.clock + row.length > start]

    def span_at(self, document: str, client: int, clock: int) -> SpanRow | None:
        rows = self._spans.where("client", (document, client, False))
        last = next((row for row in reversed(rows) if row.clock <= clock), None)
        return last if last and clock < last.clock + last.length else None

    def text_roots(self) -> list[tuple[str, str]]:
        return sorted({(row.document, row.root) for row in self._spans.rows.values()})

    # -- who had a hand in a text --------------------------------------------------------------------------

    def put_text_change(self, row: TextChangeRow) -> None:
        self._put(self._changes, row[:4], row)

    def drop_text_change(self, row: TextChangeRow) -> None:
        self._put(self._changes, row[:4], None)

    def text_logs(self, document: str, root: str) -> list[str]:
        return sorted({row.log for row in self._changes.rows.values() if row[:2] == (document, root) and row.log})

    def text_changes(
        self, document: str, root: str, log: str, *, after: int = 0, before: int | None = None, whole: bool
    ) -> list[TextChangeRow]:
        return [
            row
            for row in self._changes.where("log", (document, root, log))
            if after < row.seq and (before is None or row.seq < before) and row.whole == whole
        ]

    def has_text_change(
        self, document: str, root: str, log: str, *, after: int, before: int | None, other_than: str
    ) -> bool:
        rows = self.text_changes(document, root, log, after=after, before=before, whole=False)
        return any(row.user != other_than for row in rows)

    def add_apart(self, rows: Sequence[TextChangeRow]) -> None:
        for row in rows:
            if row[:4] not in self._apart.rows:
                self._put(self._apart, row[:4], row)

    def clear_apart(self, document: str, root: str) -> None:
        self._point()
        for row in self._apart.where("text", (document, root)):
            self._put(self._apart, row[:4], None)

    def has_apart(self, document: str, root: str) -> bool:
        return bool(self._apart.where("text", (document, root)))

    def apart_in(self, document: str, root: str, log: str, *, limit: int) -> list[TextChangeRow]:
        rows = [row for row in self._apart.where("text", (document, root)) if row.log == log]
        return rows if limit < 0 else rows[max(0, len(rows) - limit) :]

    # -- who had seen what ---------------------------------------------------------------------------------

    def add_deps(self, log: str, seq: int, deps: dict[str, int]) -> None:
        for on_log, on_seq in deps.items():
            if on_seq > self.depends(log, seq, on_log) and (log, on_log, seq) not in self._deps.rows:
                self._put(self._deps, (log, on_log, seq), on_seq)

    def depends(self, log: str, seq: int, on_log: str) -> int:
        found = ((key[2], on_seq) for key, on_seq in self._deps.rows.items() if key[:2] == (log, on_log))
        return max(((at, on_seq) for at, on_seq in found if at <= seq), default=(0, 0))[1]

    def first_depending(self, log: str, on_log: str, on_seq: int) -> int | None:
        found = ((seen, key[2]) for key, seen in self._deps.rows.items() if key[:2] == (log, on_log))
        return min(((seen, at) for seen, at in found if seen >= on_seq), default=(0, None))[1]
