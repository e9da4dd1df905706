"""What people typed in the texts of something without knowing that another had taken it away. A fact of the bundles.

Only what is still in the text counts, and only of those whom the one who took it away hadn't seen either.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator
from typing import NamedTuple

from openprod.core.versions import NULL, Id
from openprod.engine.apart import Apart
from openprod.engine.schemas import Schemas
from openprod.engine.trees import History
from openprod.storage.ports import RegisterRow, SpanRow, Storage, TextChangeRow
from openprod.yjs import layout
from openprod.yjs.documents import LiveDocument


class _End(NamedTuple):
    """Who took it away: the version of the marker that says so, in which document, and its bundle."""

    document: str
    id: Id
    change: TextChangeRow


class Typed:
    def __init__(self, storage: Storage, schemas: Schemas, document: Callable[[str], LiveDocument]) -> None:
        self._storage = storage
        self._schemas = schemas
        self._document = document

    def unaware(
        self, entity: str, rows: Iterable[RegisterRow], gone: Iterable[RegisterRow],
        history: Callable[[RegisterRow], History], read: Container[str],
    ) -> Iterator[SpanRow]:  # fmt: skip
        """Of each log and text the latest such bundle, by its first run. ``gone``: the markers that say that it is
        away; ``read``: (client:clock of) runs that people have decided about, with all before them in their logs.
        """
        facets = {row.root for row in rows if layout.parse_root(row.root).kind == "facet"}
        ended = {row.root: row for row in gone}
        for facet in sorted(facets):
            marker = ended.get(facet) or ended.get(layout.ENTITY_ROOT)
            declared = self._schemas.facet(facet)
            if marker is None or declared is None:
                continue
            document = facet.partition(".")[0]
            roots = [
                layout.text_root(facet, entity, name) for name, one in declared.fields.items() if one.type == "text"
            ]
            for root in roots:
                yield from self._of_text(document, root, marker, history, read, ends=lambda value: value == NULL)

    def unaware_of_merge(
        self, document: str, root: str, redirect: RegisterRow, history: Callable[[RegisterRow], History],
        read: Container[str],
    ) -> Iterator[SpanRow]:  # fmt: skip
        """As ``unaware``, of one text of what was merged into another: ``redirect`` says so."""
        ends = lambda value: isinstance(value, str) and value != NULL  # noqa: E731
        yield from self._of_text(document, root, redirect, history, read, ends=ends)

    def _of_text(
        self, document: str, root: str, marker: RegisterRow, history: Callable[[RegisterRow], History],
        read: Container[str], *, ends: Callable[[str | None], bool],
    ) -> Iterator[SpanRow]:  # fmt: skip
        logs = self._storage.text_logs(document, root)
        if not logs:
            return
        apart, found = Apart(self._storage), history(marker)
        ended = [
            _End(marker.document, head.id, apart.change(document, root, found.bundles[head.id].number))
            for head in found.state.heads if ends(head.value)
        ]  # fmt: skip
        for log in logs if ended else ():
            latest = self._latest(apart, document, root, log, ended, read)
            if latest is not None:
                yield latest

    def _latest(
        self, apart: Apart, document: str, root: str, log: str, ends: list[_End], read: Container[str]
    ) -> SpanRow | None:
        # Most of a log knew of each other: of what didn't, only the stretch in between is looked at.
        after, before = 0, None
        for change in (end.change for end in ends if not end.change.whole):
            since, until = (change.seq, None) if log == change.log else apart.unseen(change, log)
            after, before = max(after, since), min((one for one in (before, until) if one is not None), default=None)
        changes = self._storage.text_changes(document, root, log, after=after, before=before, whole=False)
        changes += self._storage.text_changes(document, root, log, whole=True)
        for change in sorted(changes, reverse=True):
            spans = [
                one for one in self._storage.spans_of_change(document, root, change.bundle) if not one.deleted
            ]  # fmt: skip
            if spans and f"{spans[0].client}:{spans[0].clock}" in read:
                return None
            left = self._standing(document, spans)
            if left and all(self._is_apart(apart, change, left, end) for end in ends):
                return spans[0]
        return None

    def _standing(self, document: str, spans: Iterable[SpanRow]) -> list[SpanRow]:
        """What of them is in the text still."""
        deleted = self._document(document).gate.deleted
        found = []
        for span in spans:
            at, end = span.clock, span.clock + span.length
            for _client, clock, length in [*deleted.overlaps(span.client, at, span.length), (span.client, end, 0)]:
                if clock > at:
                    found.append(span._replace(clock=at, length=clock - at))
                at = clock + length
        return found

    def _is_apart(self, apart: Apart, change: TextChangeRow, spans: list[SpanRow], end: _End) -> bool:
        other = end.change
        if all(apart.saw(other, change, span) for span in spans):
            return False
        if change.whole and end.document == change.document:
            return not apart.whole(change).has_version(end.id[0], end.id[1])
        if change.log == other.log:
            return change.seq < other.seq
        return self._storage.depends(change.log, change.seq, other.log) < other.seq
