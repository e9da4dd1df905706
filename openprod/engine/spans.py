"""Which bundle wrote, and which removed, each element of a text.

An update may repeat what others did: a whole state lists everything that was ever written or removed. So an element
is credited to that bundle, of all that hold it, which is nearest to where it was made (``removals.rank``). That goes
by the bundles alone: a bundle that comes later may take a run over from one that came before.

A written run is what one struct of its bundle holds, or as much of that as is credited to it: typed in one place. A
removed run is as long as it can be.

Runs are written at once, within the group's transaction: what is taken in next builds on them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable

from openprod.core.ranges import Range
from openprod.engine.removals import Part
from openprod.storage.ports import SpanRow, Storage


class TextTouch:
    """What became of one text. ``gained``/``lost``: bundles that runs were credited to, or taken from.

    ``lines``: a line may have been added. ``shorter``: something was removed.
    """

    __slots__ = ("gained", "lines", "lost", "shorter")

    def __init__(self) -> None:
        self.gained: set[int] = set()
        self.lost: set[int] = set()
        self.lines = self.shorter = False


class Spans:
    """``is_origin(part, number)``: whether the part is nearer to where something was made than a bundle is."""

    def __init__(self, storage: Storage, is_origin: Callable[[Part, int], bool]) -> None:
        self._storage = storage
        self._is_origin = is_origin
        self.touched: dict[tuple[str, str], TextTouch] = {}

    def forget(self) -> None:
        self.touched = {}

    def root_at(self, document: str, id: tuple[int, int] | None) -> str | None:
        """The text that an element belongs to; None for what is no text's."""
        span = self._storage.span_at(document, *id) if id is not None else None
        return span.root if span else None

    def write(self, document: str, root: str, client: int, start: int, end: int, part: Part, content: object) -> None:
        """The part holds the elements [start, end) of a text, whether they are new or not."""
        if self._claim(document, root, client, start, end, part, deleted=False):
            # What isn't known to be one line may be several.
            touch = self._touch(document, root)
            touch.lines = touch.lines or not isinstance(content, str) or "\n" in content

    def remove(self, document: str, ranges: Iterable[Range], part: Part) -> None:
        """The part says that these were removed; those that are no text's are left alone."""
        by_client: dict[int, list[tuple[int, int]]] = {}
        for client, clock, length in ranges:
            by_client.setdefault(client, []).append((clock, clock + length))
        for client, asked in by_client.items():
            asked.sort()
            written = self._storage.spans_in(document, client, asked[0][0], max(asked)[1], deleted=False)
            if not written:
                continue
            gone = self._storage.spans_in(document, client, asked[0][0], max(asked)[1], deleted=True)
            for start, end, root in _of_texts(asked, written):
                if self._tells(start, end, gone, part):
                    self._claim(document, root, client, start, end, part, deleted=True)

    def _tells(self, start: int, end: int, gone: list[SpanRow], part: Part) -> bool:
        """Whether [start, end) isn't all removed, by bundles nearer to where that was made."""
        at = start
        index = max(0, bisect_right(gone, start, key=lambda row: row.clock) - 1)
        while at < end and index < len(gone):
            row = gone[index]
            if row.clock > at or (row.clock + row.length > at and self._is_origin(part, row.bundle)):
                return True
            at = max(at, row.clock + row.length)
            index += 1
        return at < end

    def _touch(self, document: str, root: str) -> TextTouch:
        return self.touched.setdefault((document, root), TextTouch())

    def _claim(self, document: str, root: str, client: int, start: int, end: int, part: Part, *, deleted: bool) -> bool:
        """Credit [start, end) to the part where nobody was nearer. False when that changed nothing."""
        # Removed runs that touch are one, however they came here: so their neighbours are looked at too.
        reach = 1 if deleted else 0
        near = self._storage.spans_in(document, client, start - reach, end + reach, deleted=deleted)
        pieces: list[SpanRow] = []
        won = False
        lost: set[int] = set()
        source: SpanRow | None = None

        def put(clock: int, stop: int, bundle: int, row: SpanRow | None) -> None:
            nonlocal source
            if stop <= clock:
                return
            last = pieces[-1] if pieces else None
            of = row.root if row else root
            if (
                last
                and (last.bundle, last.root, last.clock + last.length) == (bundle, of, clock)
                # One row's before, or one struct's now.
                and (deleted or (row and row is source) or (bundle == part.bundle and start < clock < end))
            ):
                pieces[-1] = last._replace(length=stop - last.clock)
            else:
                pieces.append(SpanRow(document, client, clock, stop - clock, of, bundle, deleted))
            source = row

        at = start
        for row in near:
            stop = row.clock + row.length
            put(row.clock, min(stop, start), row.bundle, row)
            first, last = max(row.clock, start), min(stop, end)
            if first < last:
                won = won or at < first
                put(at, first, part.bundle, None)
                if self._is_origin(part, row.bundle):
                    won = True
                    lost.add(row.bundle)
                    put(first, last, part.bundle, None)
                else:
                    put(first, last, row.bundle, row)
                at = last
            if stop > end:
                won = won or at < end
                put(at, end, part.bundle, None)
                at = end
                put(max(row.clock, end), stop, row.bundle, row)
        won = won or at < end
        put(at, end, part.bundle, None)
        if not won and len(pieces) == len(near):
            return False
        before, after = set(near), set(pieces)
        self._storage.drop_spans(sorted(before - after))
        self._storage.put_spans(sorted(after - before))
        touch = self._touch(document, root)
        touch.shorter = touch.shorter or deleted
        touch.gained.add(part.bundle)
        touch.lost |= lost
        return True


def _of_texts(asked: list[tuple[int, int]], written: list[SpanRow]) -> list[tuple[int, int, str]]:
    """The parts of sorted ranges that lie in runs of text, joined within a text: (start, end, root)."""
    found: list[tuple[int, int, str]] = []
    index = 0
    for start, end in asked:
        while index < len(written) and written[index].clock + written[index].length <= start:
            index += 1
        at = index
        while at < len(written) and written[at].clock < end:
            row = written[at]
            first, last = max(start, row.clock), min(end, row.clock + row.length)
            if found and found[-1][1:] == (first, row.root):
                found[-1] = (found[-1][0], last, row.root)
            elif first < last:
                found.append((first, last, row.root))
            at += 1
    return found
