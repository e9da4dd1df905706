"""Two people changing the same paragraph of a text without seeing each other. It informs; the merged text stands.

Which changes were made apart is a fact of the bundles and kept (``note``); which of those share a paragraph follows
from the text as it is now (``overlapping``).
"""

from __future__ import annotations

import msgspec

from openprod.core.bundles import Bundle
from openprod.core.ranges import IdSet
from openprod.storage.ports import ApartRow, BundleRow, SpanRow, Storage
from openprod.yjs.decoder import decode_state_vector, decode_update
from openprod.yjs.documents import LiveDocument

_APART_MAX = 2_000
"""Pairs kept per text: more tell nobody more."""


class _Seen:
    """What the author of one bundle had seen of a document."""

    def __init__(self, storage: Storage, row: BundleRow, document: str) -> None:
        self._storage = storage
        self._row = row
        self._vector: dict[int, int] | None = None
        self._deleted = IdSet()
        body, _signature = storage.bundle_body(row.number)
        for part in msgspec.msgpack.decode(body, type=Bundle).updates:
            if part.document == document and not part.live:
                # A whole state: its own vector and deletions say what its author knew.
                self._vector = decode_state_vector(part.seen) if part.seen else {}
                for client, clock, length in decode_update(part.update).deletes:
                    self._deleted.add(client, clock, length)

    def has(self, span: SpanRow, bundle: BundleRow) -> bool:
        if self._vector is not None:
            if span.deleted:
                return self._deleted.covers(span.client, span.clock, span.length)
            return self._vector.get(span.client, 0) > span.clock
        if bundle.log == self._row.log:
            return bundle.seq < self._row.seq
        return self._storage.depends(self._row.log, self._row.seq, bundle.log) >= bundle.seq


def note(storage: Storage, document: str, root: str, number: int) -> None:
    """Keep the pairs of changes that bundle ``number`` and others made to a text apart from each other."""
    spans = storage.spans_of(document, root)
    own = [span for span, bundle in spans if bundle.number == number]
    row = next((bundle for _span, bundle in spans if bundle.number == number), None)
    if row is None or len(storage.apart_in(document, root)) >= _APART_MAX:
        return
    mine = _Seen(storage, row, document)
    theirs: dict[int, _Seen] = {}
    pairs: list[ApartRow] = []
    for span, bundle in spans:
        if bundle.user == row.user or mine.has(span, bundle):
            continue
        seen = theirs.get(bundle.number)
        if seen is None:
            seen = theirs[bundle.number] = _Seen(storage, bundle, document)
        for one in own:
            # A program knows what it wrote before, whoever brought it here.
            same_program = span.client == one.client and not span.deleted and not one.deleted
            if not same_program and not seen.has(one, row):
                a, b = sorted([(span.client, span.clock, span.length), (one.client, one.clock, one.length)])
                pairs.append(ApartRow(document, root, *a, *b))
    storage.add_apart(pairs[:_APART_MAX])


def overlapping(storage: Storage, live: LiveDocument, root: str) -> list[tuple[str, str]]:
    """Pairs of versions, ``<client>:<clock>`` within the document, that were made apart and share a paragraph now."""
    rows = storage.apart_in(live.name, root)
    if not rows:
        return []
    text = live.text(root).encode()
    found: list[tuple[str, str]] = []
    places: dict[tuple[int, int, int], tuple[int, int] | None] = {}

    def paragraphs(client: int, clock: int, length: int) -> tuple[int, int] | None:
        key = (client, clock, length)
        if key not in places:
            start = live.text_position(root, client, clock)
            end = live.text_position(root, client, clock + length - 1)
            places[key] = (
                None if start is None or end is None else (text.count(b"\n", 0, start), text.count(b"\n", 0, end))
            )
        return places[key]

    for row in rows:
        first = paragraphs(row.first_client, row.first_clock, row.first_length)
        second = paragraphs(row.second_client, row.second_clock, row.second_length)
        if first and second and first[0] <= second[1] and second[0] <= first[1]:
            found.append((f"{row.first_client}:{row.first_clock}", f"{row.second_client}:{row.second_clock}"))
    return found
