"""The newest bundles, kept for all connections: each edit is read once, however many devices it goes to."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Final

from openprod.sync.replica import News, Outgoing

BYTES_MAX: Final = 4 * 1024 * 1024
_NOTHING: Final = 2**63
"""Nothing has been read yet, so nothing is known of any bundle."""


class Latest:
    """All bundles from one after ``begin`` to ``end`` (numbers of this replica's order), as far as there is room."""

    def __init__(self) -> None:
        self.begin, self.end = _NOTHING, 0
        self._bundles: deque[Outgoing] = deque()
        self._size = 0

    def add(self, news: News) -> None:
        if news.begin > self.end or self.begin == _NOTHING:  # there is something in between
            self._bundles.clear()
            self._size, self.begin = 0, news.begin
        for one in news.bundles:
            if one.number > self.end:
                self._bundles.append(one)
                self._size += len(one.signed.body)
        self.end = max(self.end, news.end)
        while self._size > BYTES_MAX:
            dropped = self._bundles.popleft()
            self._size -= len(dropped.signed.body)
            self.begin = dropped.number

    def after(self, known: Mapping[str, int], cursor: int, size: int) -> tuple[list[Outgoing], int, bool] | None:
        """As ``replica.outgoing``; None where that reaches further back."""
        if cursor < self.begin:
            return None
        found: list[Outgoing] = []
        for one in reversed(self._bundles):
            if one.number <= cursor:
                break
            if one.seq > known.get(one.branch, one.seq - 1):
                found.append(one)
        found.reverse()
        for count, one in enumerate(found):
            if count and size <= 0:
                return found[:count], found[count - 1].number, False
            size -= len(one.signed.body)
        return found, max(cursor, self.end), True
