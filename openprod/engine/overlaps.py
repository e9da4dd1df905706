"""Two people changing the same paragraph of a text without seeing each other. It informs; the merged text stands.

Who changed a text apart from whom is a fact of the bundles (``apart``); which of those changes share a paragraph
follows from the text as it is now. So the pairs found are the same on every replica that holds the same bundles.

A text that was changed apart ten thousand times isn't told pair by pair. Of each log the last ``CHANGES_MAX`` bundles
that are apart from another are looked at, of each bundle the first ``RUNS_MAX`` runs; of what two people did in two
logs at most ``PAIRS_MAX`` pairs are named, the latest first, each change in at most ``PARTNERS_MAX`` of them. All of
it goes by places in the logs, never by arrival: what comes late and is new is named, so that a decision reopens.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from openprod.engine.apart import Apart
from openprod.engine.places import Places
from openprod.engine.spans import TextTouch
from openprod.storage.ports import SpanRow, Storage, TextChangeRow
from openprod.yjs.documents import LiveDocument

CHANGES_MAX = 1_000
RUNS_MAX = 500
PAIRS_MAX = 64
PARTNERS_MAX = 8
_WIDE = 8


class Change(NamedTuple):
    """A run that a bundle wrote or removed, and the lines it stands in now. Ordered as in the logs."""

    seq: int
    span: SpanRow
    row: TextChangeRow
    first: int
    last: int

    @property
    def head(self) -> str:
        """As a version within the document. What was removed is named by what it was."""
        return f"{self.span.client}:{self.span.clock}"


class _Shelf:
    """Changes of one person in one log, by line."""

    def __init__(self, changes: list[Change]) -> None:
        self._all = changes
        self._wide = [one for one in changes if one.last - one.first >= _WIDE]
        self._lines: dict[int, list[Change]] = {}
        for one in changes:
            if one.last - one.first < _WIDE:
                for line in range(one.first, one.last + 1):
                    self._lines.setdefault(line, []).append(one)

    def __iter__(self) -> Iterator[Change]:
        """The latest first."""
        return reversed(self._all)

    def beside(self, change: Change, after: int, before: int | None) -> Iterator[Change]:
        """Those that share a paragraph with ``change``, of a stretch of the log: by paragraph, the latest first."""
        near = range(change.first, change.last + 1)
        lines = [] if len(near) > _WIDE else [(line, self._lines.get(line, [])) for line in near]
        for line, shelf in [*lines, (None, self._wide if lines else self._all)]:
            start = bisect_right(shelf, after, key=lambda one: one.seq)
            end = len(shelf) if before is None else bisect_left(shelf, before, key=lambda one: one.seq)
            for index in range(end - 1, start - 1, -1):
                one = shelf[index]
                shared = max(one.first, change.first)
                if shared <= min(one.last, change.last) and line in (None, shared):
                    yield one


class Overlaps:
    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._apart = Apart(storage)
        self._lines: dict[tuple[str, str], int] = {}

    def note(self, live: LiveDocument, root: str, touch: TextTouch) -> bool:
        """Take in what became of a text; whether ``pairs`` may differ from the last time now.

        It differs when others are apart, when what they did is another run, or when paragraphs were cut or joined.
        """
        again = self._apart.note(live.name, root, touch)
        if not again and not self._storage.has_apart(live.name, root):
            return False
        if again or touch.lines or touch.shorter:  # else the line ends are where they were
            lines = live.text(root).count("\n")
            again = again or touch.lines or self._lines.get((live.name, root)) != lines
            self._lines[live.name, root] = lines
        return again

    def pairs(self, live: LiveDocument, root: str) -> list[tuple[Change, Change]]:
        """Changes that were made apart and share a paragraph now, the lower head of each pair first; in order."""
        sides = self._sides(live, root)
        found: dict[tuple[tuple[object, ...], tuple[object, ...]], tuple[Change, Change]] = {}
        names = sorted(sides)
        for index, name in enumerate(names):
            for other in names[index + 1 :]:
                if name[1] == other[1]:
                    continue
                for pair in islice(self._between(name[0], sides[name], other[0], sides[other]), PAIRS_MAX):
                    first, second = sorted(pair, key=_order)
                    found[_order(first), _order(second)] = first, second
        return [found[key] for key in sorted(found)]

    def _sides(self, live: LiveDocument, root: str) -> dict[tuple[str, str], tuple[_Shelf, _Shelf]]:
        """{(log, user): (changes of which the log says what was seen, changes that came in whole states)}"""
        storage, document = self._storage, live.name
        changes: dict[tuple[str, str], tuple[list[Change], list[Change]]] = {}
        places = Places(storage, live, root)
        for log in storage.text_logs(document, root):
            for row in storage.apart_in(document, root, log, limit=CHANGES_MAX):
                for run in storage.spans_of_change(document, root, row.bundle, limit=RUNS_MAX):
                    for span in self._pieces(run) if run.deleted else (run,):
                        first = places.line(span.client, span.clock)
                        last = first if span.length == 1 else places.line(span.client, span.clock + span.length - 1)
                        if first is not None and last is not None:
                            side = changes.setdefault((log, row.user), ([], []))
                            side[row.whole].append(Change(row.seq, span, row, first, last))
        return {name: (_Shelf(plain), _Shelf(whole)) for name, (plain, whole) in changes.items()}

    def _pieces(self, run: SpanRow) -> list[SpanRow]:
        """What was removed, as it had been written: elsewhere one piece follows the other in the text, or doesn't."""
        end = run.clock + run.length
        pieces = []
        for row in self._storage.spans_in(run.document, run.client, run.clock, end, deleted=False):
            first, last = max(run.clock, row.clock), min(end, row.clock + row.length)
            pieces.append(run._replace(clock=first, length=last - first))
        return pieces

    def _between(
        self, log: str, mine: tuple[_Shelf, _Shelf], other_log: str, theirs: tuple[_Shelf, _Shelf]
    ) -> Iterator[tuple[Change, Change]]:
        if log != other_log:
            for one in mine[0]:
                yield from islice(self._apart_by_log(one, other_log, theirs[0]), PARTNERS_MAX)
        for one in mine[1]:
            yield from islice(self._apart_whole(one, theirs), PARTNERS_MAX)
        for one in theirs[1]:
            yield from islice(self._apart_whole(one, mine[:1]), PARTNERS_MAX)

    def _apart_by_log(self, one: Change, log: str, shelf: _Shelf) -> Iterator[tuple[Change, Change]]:
        for other in shelf.beside(one, *self._apart.unseen(one.row, log)):
            if not _same_program(one, other):
                yield one, other

    def _apart_whole(self, one: Change, shelves: Iterable[_Shelf]) -> Iterator[tuple[Change, Change]]:
        for shelf in shelves:
            for other in shelf.beside(one, 0, None):
                if (
                    not _same_program(one, other)
                    and not self._apart.saw(one.row, other.row, other.span)
                    and not self._apart.saw(other.row, one.row, one.span)
                ):
                    yield one, other


def _same_program(one: Change, other: Change) -> bool:
    """A program knows what it wrote before, whoever brought it here."""
    return one.span.client == other.span.client and not one.span.deleted and not other.span.deleted


def _order(change: Change) -> tuple[object, ...]:
    return change.span.client, change.span.clock, change.span.deleted, change.row.log, change.row.seq
