"""Where elements of a text are, exactly.

yrs 0.28 adds an element's offset within its block in UTF-16 units to the block's place in UTF-8 bytes. So the place
it gives is right for ASCII and at the beginning of a block, and off by what the block holds before it elsewhere. As
blocks are cut and joined differently on every replica, so are the mistakes. Here the block's beginning is looked for
and its units are counted.
"""

from __future__ import annotations

from bisect import bisect_left

from openprod.storage.ports import SpanRow, Storage
from openprod.yjs.documents import LiveDocument


class Places:
    """Of one text as it is now; made anew after a change."""

    def __init__(self, storage: Storage, live: LiveDocument, root: str) -> None:
        self._storage = storage
        self._live = live
        self._root = root
        text = live.text(root)
        self.text = text.encode()
        self._plain = text.isascii()
        self._line_ends = [place for place, byte in enumerate(self.text) if byte == 10]
        self._starts: dict[tuple[int, int], tuple[int, int]] = {}
        self._span: SpanRow | None = None

    def bytes(self, client: int, clock: int) -> int | None:
        """UTF-8 bytes before an element, or before where it was; None when that can't be said."""
        rough = self._live.text_position(self._root, client, clock)
        if rough is None or self._plain or self._live.gate.deleted.contains(client, clock):
            return rough
        start, place = self._start(client, clock, rough)
        units = clock - start
        # A unit takes three bytes at most; the second half of a pair isn't counted without its first.
        before = self.text[place : place + 3 * units].decode(errors="ignore").encode("utf-16-le")[: 2 * units]
        return place + len(before.decode("utf-16-le", errors="ignore").encode())

    def line(self, client: int, clock: int) -> int | None:
        """How many line ends stand before the element."""
        place = self.bytes(client, clock)
        return None if place is None else bisect_left(self._line_ends, place)

    def point(self, client: int, clock: int) -> int | None:
        """Code points before the element."""
        place = self.bytes(client, clock)
        return None if place is None else len(self.text[:place].decode(errors="ignore"))

    def _start(self, client: int, clock: int, rough: int) -> tuple[int, int]:
        """(clock, byte) at which the block of a standing element begins.

        The places of two neighbours in a block are one apart. Those of the first of a block and of the element before
        it are so only when that one stands right before it, in a block of one byte a unit: then the count goes on.
        """
        walked: list[int] = []
        at = clock
        while (client, at) not in self._starts:
            walked.append(at)
            if not self._is_text(client, at - 1) or self._live.gate.deleted.contains(client, at - 1):
                break
            before = self._live.text_position(self._root, client, at - 1)
            if before is None or before != rough - 1:
                break
            at, rough = at - 1, before
        found = self._starts.get((client, at), (at, rough))
        for one in walked:
            self._starts[(client, one)] = found
        return found

    def _is_text(self, client: int, clock: int) -> bool:
        span = self._span
        if span is None or span.client != client or not span.clock <= clock < span.clock + span.length:
            span = self._storage.span_at(self._live.name, client, clock) if clock >= 0 else None
            self._span = span
        return span is not None and span.root == self._root
