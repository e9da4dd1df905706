"""Taking back what one bundle did to texts: remove what it wrote and still stands, bring back what it removed.

Positions follow the elements themselves, so what others typed around them stays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from openprod.core.bundles import Bundle, DocumentUpdate
from openprod.engine.places import Places
from openprod.storage.ports import BundleRow
from openprod.yjs.decoder import STRING, Update, decode_update
from openprod.yjs.documents import LiveDocument, SpliceText

if TYPE_CHECKING:
    from openprod.engine.commit import Committer


def of_bundle(committer: Committer, bundle: BundleRow) -> list[tuple[str, SpliceText]]:
    """Splices by document, to be made in this order: from the end of each text to its beginning."""
    found: list[tuple[str, SpliceText]] = []
    for part in _parts(committer, bundle.number):
        if part.live:
            decoded = decode_update(part.update)
            live = committer.document(part.document)
            places = _Places(committer, live)
            found += [(part.document, splice) for splice in _written(committer, live, decoded, places)]
            found += [(part.document, splice) for splice in _removed(committer, live, decoded, places)]
    return sorted(found, key=lambda one: (one[0], one[1].root, -one[1].start, one[1].insert != ""))


class _Places:
    """Where elements are in the texts of a document, in code points, as long as it doesn't change."""

    def __init__(self, committer: Committer, live: LiveDocument) -> None:
        self._storage = committer.storage
        self._live = live
        self._texts: dict[str, tuple[Places, str]] = {}

    def _of(self, root: str) -> tuple[Places, str]:
        if root not in self._texts:
            self._texts[root] = Places(self._storage, self._live, root), self._live.text(root)
        return self._texts[root]

    def point(self, root: str, client: int, clock: int) -> int | None:
        return self._of(root)[0].point(client, clock)

    def text(self, root: str) -> str:
        return self._of(root)[1]


def _parts(committer: Committer, number: int) -> list[DocumentUpdate]:
    body, _signature = committer.storage.bundle_body(number)
    return msgspec.msgpack.decode(body, type=Bundle).updates


def _written(committer: Committer, live: LiveDocument, decoded: Update, places: _Places) -> list[SpliceText]:
    splices: list[SpliceText] = []
    for client, clock, length, ref, _origin, _right, _parent, _key, content in decoded.structs:
        span = committer.storage.span_at(live.name, client, clock) if ref == STRING else None
        if span is None:
            continue
        at = clock
        for character in content:
            units = 2 if character > "\uffff" else 1
            start = None
            if not live.gate.deleted.contains(client, at):
                start = places.point(span.root, client, at)
            # The character itself tells whether it still stands there: deletions may not all be known by range.
            if start is not None and places.text(span.root)[start : start + 1] == character:
                splices.append(SpliceText(span.root, start, 1, ""))
            at += units
        assert at == clock + length
    return splices


def _removed(committer: Committer, live: LiveDocument, decoded: Update, places: _Places) -> list[SpliceText]:
    splices: list[SpliceText] = []
    for client, clock, length in decoded.deletes:
        at, end = clock, clock + length
        while at < end:
            span = committer.storage.span_at(live.name, client, at)
            if span is None:
                at += 1
                continue
            stop = min(end, span.clock + span.length)
            start = places.point(span.root, client, at)
            found = content(committer, live.name, span.bundle, client, at, stop)
            if start is not None and found:
                splices.append(SpliceText(span.root, start, 0, found))
            at = stop
    return splices


def content(committer: Committer, document: str, number: int, client: int, start: int, end: int) -> str:
    """The text that a run of elements held, read from the bundle that wrote it."""
    for part in _parts(committer, number):
        if part.document != document:
            continue
        for own, clock, length, ref, _origin, _right, _parent, _key, text in decode_update(part.update).structs:
            if own == client and ref == STRING and clock <= start < clock + length:
                units = text.encode("utf-16-le")
                return str(units[(start - clock) * 2 : (end - clock) * 2].decode("utf-16-le", errors="ignore"))
    return ""
