"""What people typed in the texts of something without knowing that another had taken it away. A fact of the bundles.

Only what is still in the text counts, and only of those whom the one who took it away hadn't seen either.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from openprod.core.versions import NULL, Id
from openprod.engine.apart import Apart
from openprod.engine.schemas import Schemas
from openprod.engine.trees import History
from openprod.storage.ports import BundleRow, RegisterRow, SpanRow, Storage, TextChangeRow
from openprod.yjs import layout
from openprod.yjs.documents import LiveDocument


class _End(NamedTuple):
    """Who took it away: the version of the marker that says so, and its bundle."""

    document: str
    id: Id
    bundle: BundleRow


class Typed:
    def __init__(self, storage: Storage, schemas: Schemas, document: Callable[[str], LiveDocument]) -> None:
        self._storage = storage
        self._schemas = schemas
        self._document = document

    def unaware(
        self, entity: str, rows: Iterable[RegisterRow], gone: Iterable[RegisterRow],
        history: Callable[[RegisterRow], History],
    ) -> Iterator[SpanRow]:  # fmt: skip
        """The first run that stands of each such bundle. ``gone``: the markers that say that it is away."""
        facets = {row.root for row in rows if layout.parse_root(row.root).kind == "facet"}
        ended = {row.root: row for row in gone}
        apart: Apart | None = None
        for facet in sorted(facets):
            marker = ended.get(facet) or ended.get(layout.ENTITY_ROOT)
            declared = self._schemas.facet(facet)
            for name, field in (declared.fields if declared and marker else {}).items():
                if field.type != "text" or marker is None:
                    continue
                document, root = facet.partition(".")[0], layout.text_root(facet, entity, name)
                changes = [
                    change
                    for log in self._storage.text_logs(document, root)
                    for whole in (False, True)
                    for change in self._storage.text_changes(document, root, log, whole=whole)
                ]
                if not changes:
                    continue
                apart = apart or Apart(self._storage)
                found = history(marker)
                heads = [head.id for head in found.state.heads if head.value == NULL]
                ends = [_End(marker.document, id, found.bundles[id]) for id in heads]
                for change in sorted(changes):
                    spans = self._standing(change)
                    if spans and ends and all(self._is_apart(apart, change, spans, end) for end in ends):
                        yield spans[0]

    def _standing(self, change: TextChangeRow) -> list[SpanRow]:
        deleted = self._document(change.document).gate.deleted
        return [
            span
            for span in self._storage.spans_of_change(change.document, change.root, change.bundle)
            if not span.deleted and not deleted.covers(span.client, span.clock, span.length)
        ]

    def _is_apart(self, apart: Apart, change: TextChangeRow, spans: list[SpanRow], end: _End) -> bool:
        if end.bundle.user == change.user:
            return False
        other = apart.change(change.document, change.root, end.bundle.number)
        if all(apart.saw(other, change, span) for span in spans):
            return False
        if change.whole and end.document == change.document:
            return not apart.whole(change).has_version(end.id[0], end.id[1])
        if change.log == other.log:
            return change.seq < other.seq
        return self._storage.depends(change.log, change.seq, other.log) < other.seq
