"""Who changed a text apart from whom: a fact of the bundles, whatever order they came in.

A change is a run of a text with the bundle it is credited to (``spans``). Whether the author of a bundle had seen a
change is read from the bundles alone:
- what was sent as it was made, or written by this engine, knows all that its log held before it, and of other logs
  what its log's dependencies say;
- a whole state knows what its own state vector and deletions say.

Two bundles are **apart** in a text when they are of two people, and neither author had seen all that the other did to
that text. Each bundle that is apart from another one is kept (``apart``); which pairs those are is worked out when
it is read (``overlaps``): two laptops that were apart for a day make millions.

A keystroke looks at the other logs that have a hand in the text, and for each at the stretch of it that neither had
seen of the other, which is mostly empty: who had seen what only grows along a log, so such stretches are intervals.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

import msgspec

from openprod.core.bundles import Bundle
from openprod.core.ranges import IdSet
from openprod.engine.spans import TextTouch
from openprod.storage.ports import SpanRow, Storage, TextChangeRow
from openprod.yjs.decoder import decode_state_vector, decode_update

_WHOLE_STATES_MAX = 256


class Whole:
    """What the author of a bundle with a whole state of a document had seen of it."""

    def __init__(self, bundle: Bundle, document: str) -> None:
        self._vector: dict[int, int] = {}
        self._deleted = IdSet()
        for part in bundle.updates:
            if part.document != document or part.live:
                continue
            update = decode_update(part.update)
            for client, end in decode_state_vector(part.seen).items() if part.seen else ():
                self._vector[client] = max(end, self._vector.get(client, 0))
            for client, clock, length in update.sections:
                self._vector[client] = max(clock + length, self._vector.get(client, 0))
            for client, clock, length in update.deletes:
                self._deleted.add(client, clock, length)

    def has_version(self, client: int, clock: int) -> bool:
        return self._vector.get(client, 0) > clock

    def has(self, span: SpanRow) -> bool:
        if span.deleted:
            return self._deleted.covers(span.client, span.clock, span.length)
        return self._vector.get(span.client, 0) >= span.clock + span.length


class Apart:
    """Kept for as long as the numbers of bundles mean what they meant: made anew after a failure."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._wholes: OrderedDict[tuple[int, str], Whole] = OrderedDict()
        self._last: tuple[int, set[str]] = (0, set())

    # -- what had been seen --------------------------------------------------------------------------------

    def whole(self, row: TextChangeRow) -> Whole:
        name = (row.bundle, row.document)
        found = self._wholes.get(name)
        if found is None:
            found = self._wholes[name] = Whole(self._bundle(row.bundle), row.document)
            if len(self._wholes) > _WHOLE_STATES_MAX:
                self._wholes.popitem(last=False)
        else:
            self._wholes.move_to_end(name)
        return found

    def _bundle(self, number: int) -> Bundle:
        body, _signature = self._storage.bundle_body(number)
        return msgspec.msgpack.decode(body, type=Bundle)

    def unseen(self, row: TextChangeRow, log: str) -> tuple[int, int | None]:
        """The stretch of another log that bundle ``row``, no whole state, is apart from: after and before which seq.

        Until ``after``, its author had seen it; from ``before`` on, its authors had seen ``row``.
        """
        return self._storage.depends(row.log, row.seq, log), self._storage.first_depending(log, row.log, row.seq)

    def saw(self, row: TextChangeRow, other: TextChangeRow, span: SpanRow) -> bool:
        """Whether the author of ``row`` had seen a run that is credited to ``other``."""
        if row.whole:
            return self.whole(row).has(span)
        if row.log == other.log:
            return other.seq < row.seq
        return self._storage.depends(row.log, row.seq, other.log) >= other.seq

    # -- keeping who is apart ------------------------------------------------------------------------------

    def note(self, document: str, root: str, touch: TextTouch) -> bool:
        """Write down what a touch of a text changed; whether that may make another picture of who is apart."""
        storage = self._storage
        rows = [self.change(document, root, number) for number in sorted(touch.gained | touch.lost)]
        held: list[TextChangeRow] = []
        for row in rows:
            if storage.spans_of_change(document, root, row.bundle, limit=1):
                storage.put_text_change(row)
                held.append(row)
            else:
                storage.drop_text_change(row)
        if touch.lost:
            # Who was apart from a bundle that has lost its hand in the text may be apart from nobody now.
            storage.clear_apart(document, root)
            held = [
                row
                for log in storage.text_logs(document, root)
                for whole in (False, True)
                for row in storage.text_changes(document, root, log, whole=whole)
            ]
        return self._mark(document, root, held) or bool(touch.lost)

    def change(self, document: str, root: str, number: int) -> TextChangeRow:
        row = self._storage.bundle_numbered(number)
        assert row is not None
        if self._last[0] != number:  # one bundle may touch many texts
            self._last = number, {part.document for part in self._bundle(number).updates if not part.live}
        return TextChangeRow(document, root, row.log, row.seq, number, row.user, document in self._last[1])

    def _mark(self, document: str, root: str, rows: list[TextChangeRow]) -> bool:
        logs = self._storage.text_logs(document, root)
        found = False
        reached: dict[tuple[str, str, str], int | None] = {}
        for row in sorted(rows):
            marked = self._mark_whole(row, logs) if row.whole else self._mark_plain(row, logs, reached)
            found = found or marked
        return found

    def _mark_plain(
        self, row: TextChangeRow, logs: Iterable[str], reached: dict[tuple[str, str, str], int | None]
    ) -> bool:
        """``reached``: how far the stretches of earlier rows have been marked; {(log, row's log, its user): seq}."""
        storage, document, root = self._storage, row.document, row.root
        marks: list[TextChangeRow] = []
        is_apart = False
        spans: list[SpanRow] | None = None
        for log in logs:
            after, before = (row.seq, None) if log == row.log else self.unseen(row, log)
            if log != row.log and (before is None or after + 1 < before):
                name = (log, row.log, row.user)
                done = reached.get(name, 0)
                if storage.has_text_change(document, root, log, after=after, before=before, other_than=row.user):
                    is_apart = True
                    if done is not None:
                        stretch = storage.text_changes(
                            document, root, log, after=max(after, done), before=before, whole=False
                        )
                        marks += [one for one in stretch if one.user != row.user]
                        reached[name] = None if before is None else before - 1
            for other in storage.text_changes(document, root, log, after=after, whole=True):
                if other.user == row.user:
                    continue
                spans = spans if spans is not None else storage.spans_of_change(document, root, row.bundle)
                if not all(map(self.whole(other).has, spans)):
                    is_apart = True
                    marks.append(other)
        if is_apart:
            storage.add_apart([row, *marks])
        return is_apart

    def _mark_whole(self, row: TextChangeRow, logs: Iterable[str]) -> bool:
        storage, document, root = self._storage, row.document, row.root
        own = storage.spans_of_change(document, root, row.bundle)
        seen = self.whole(row)
        unseen = {span.bundle for span, _bundle in storage.spans_of(document, root) if not seen.has(span)}
        marks: list[TextChangeRow] = []
        for log in logs:
            before = row.seq if log == row.log else storage.first_depending(log, row.log, row.seq)
            others = storage.text_changes(document, root, log, before=before, whole=False)
            others += [
                other
                for other in storage.text_changes(document, root, log, whole=True)
                if other.bundle in unseen and not all(map(self.whole(other).has, own))
            ]
            marks += [other for other in others if other.bundle in unseen and other.user != row.user]
        if marks:
            storage.add_apart([row, *marks])
        return bool(marks)
