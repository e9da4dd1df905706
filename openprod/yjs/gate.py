"""The causal gate of one document: an update passes when everything it builds on has passed.

pycrdt 0.14 loses or stalls updates that arrive before what they build on, so none may reach a document early.
The gate knows, per client, the next clock and, as ranges, what is deleted. It holds no document and does no I/O.

An update builds on: the earlier structs of its clients, the origins, right origins and nested parents of its
structs, and everything it deletes. As a document knows each client's structs without gaps, all of this comes to
one number per client: the clock that must have been reached (``Item.requires``).
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence

from openprod.core.ranges import IdSet
from openprod.errors import LimitExceeded, MalformedUpdate
from openprod.yjs import halves, joining
from openprod.yjs.decoder import Limits, Range, Update, decode_update
from openprod.yjs.joining import Item

_STATE_LIMITS = Limits(update_bytes_max=2**31, structs_max=2**31, values_max=2**31)


class Release:
    """What passed as one: apply it in one go, in the order of the releases.

    items: usually one; several when each needs another (join them with ``pycrdt.merge_updates``).
    refused: it had waited, and must not be applied now that it could be: tell its sender. Nothing else is set.
    added, deleted: what is new in it. known: structs of it that had passed before; an honest update carries
    them with the same content, another content means that two programs use one client id.
    """

    __slots__ = ("added", "deleted", "items", "known", "refused")

    def __init__(
        self,
        items: tuple[Item, ...],
        added: list[Range],
        deleted: list[Range],
        known: list[Range],
        refused: MalformedUpdate | None = None,
    ) -> None:
        self.refused = refused
        self.items = items
        self.added = added
        self.deleted = deleted
        self.known = known

    @property
    def redundant(self) -> bool:
        """Whether every struct and every deletion in it had passed before."""
        return not self.added and not self.deleted


class Gate:
    """Feed it every update; apply what it releases. Every admitted update comes out exactly once."""

    __slots__ = (
        "_helpers",
        "_parked",
        "_sequence",
        "_waiting",
        "deleted",
        "halves",
        "parked_bytes",
        "parked_bytes_max",
        "parked_max",
        "state",
    )

    def __init__(
        self,
        state: dict[int, int] | None = None,
        deleted: Iterable[Range] = (),
        *,
        halves: Iterable[Range] = (),
        parked_bytes_max: int = 8 * 1024 * 1024,
        parked_max: int = 10_000,
    ) -> None:
        self.state: dict[int, int] = dict(state or {})
        self.deleted = IdSet(deleted)
        self.halves = IdSet(halves)
        self.parked_bytes = 0
        self.parked_bytes_max = parked_bytes_max
        self.parked_max = parked_max
        self._parked: dict[int, Item] = {}
        self._sequence = 0
        # client -> heap of (clock that lets the item be looked at again, its number)
        self._waiting: dict[int, list[tuple[int, int]]] = {}
        self._helpers = joining.Waiting()

    @classmethod
    def from_state(cls, update: bytes, *, parked_bytes_max: int = 8 * 1024 * 1024, parked_max: int = 10_000) -> Gate:
        """The gate of a document whose whole state is ``update``. Raises MalformedUpdate if it has gaps.

        It reads every struct: a second or two for a million, and some 400 MB while it does. Where the document is
        loaded anyway, its state vector and its difference to that (all its deletions, no structs) make the same
        gate in milliseconds, with the ``halves`` that were kept beside the state.
        """
        structs, deletes, sections = decode_update(update, limits=_STATE_LIMITS)
        state: dict[int, int] = {}
        for client, clock, length in sections:
            if clock != state.get(client, 0):
                raise MalformedUpdate("The stored state of the document has gaps.")
            state[client] = clock + length
        return cls(
            state,
            deletes,
            halves=halves.second_half_ranges(structs),
            parked_bytes_max=parked_bytes_max,
            parked_max=parked_max,
        )

    @property
    def parked(self) -> list[Item]:
        """What waits, in order of arrival."""
        return list(self._parked.values())

    def overlaps(self, decoded: Update) -> list[Range]:
        """The structs of an update that have passed already."""
        state = self.state
        found: list[Range] = []
        for client, clock, length in decoded.sections:
            reached = state.get(client, 0)
            if clock < reached:
                found.append((client, clock, min(clock + length, reached) - clock))
        return found

    def admit(self, update: bytes, decoded: Update, tag: object = None) -> list[Release]:
        """Take an update in; returns what passes now, in the order to apply it.

        An empty list: it is parked until what it builds on has passed. Raises LimitExceeded when too much is
        parked, MalformedUpdate when it may never pass; then nothing has changed.
        """
        item = Item(update, decoded, tag)
        state = self.state
        for client, clock in item.requires.items():
            if state.get(client, 0) < clock:
                self._park(item)
                return self._settle([], [item])
        release = self._release((item,))
        if release.refused is not None:
            raise release.refused
        if not self._parked or not release.added:
            return [release]
        return [release, *self._settle([client for client, _, _ in release.added], [])]

    def revert(self, releases: Sequence[Release]) -> None:
        """Take back releases, the latest ones in order: they could not be stored.

        What had to wait waits again; what passed at once is forgotten, as its sender still has it.
        """
        for release in reversed(releases):
            for client, clock, length in release.deleted:
                self.deleted.remove(client, clock, length)
            for client, clock, _ in reversed(release.added):
                if clock:
                    self.state[client] = clock
                else:
                    self.state.pop(client, None)
        for release in releases:
            for item in release.items:
                if item.pairs:
                    for client, clock in halves.second_halves(item.decoded.structs):
                        if clock >= self.state.get(client, 0):
                            self.halves.remove(client, clock, 1)
                if item.number is not None:
                    self._wait(item)
        self._parked = dict(sorted(self._parked.items()))

    def _park(self, item: Item) -> None:
        size = len(item.update)
        if len(self._parked) >= self.parked_max or self.parked_bytes + size > self.parked_bytes_max:
            raise LimitExceeded(
                "Too many updates wait for earlier ones that never came.",
                hint="Reload the program that sent them: it will then send everything it has.",
                details={"parked": len(self._parked), "bytes": self.parked_bytes},
            )
        self._sequence += 1
        item.number = self._sequence
        self._wait(item)

    def _wait(self, item: Item) -> None:
        number = item.number
        assert number is not None
        self._parked[number] = item
        self.parked_bytes += len(item.update)
        state = self.state
        wakers = {(client, clock) for client, clock in item.requires.items() if clock > state.get(client, 0)}
        wakers |= {(client, clock) for client, clock, _ in item.decoded.sections if clock > state.get(client, 0)}
        for client, clock in wakers:
            heapq.heappush(self._waiting.setdefault(client, []), (clock, number))
        self._helpers.add(item)

    def _settle(self, advanced: list[int], seeds: list[Item]) -> list[Release]:
        """Release everything that passes now that ``advanced`` clients went on and ``seeds`` were parked."""
        releases: list[Release] = []
        state = self.state
        while True:
            while advanced:
                client = advanced.pop()
                heap = self._waiting.get(client)
                while heap and heap[0][0] <= state[client]:
                    item = self._parked.get(heapq.heappop(heap)[1])
                    if item is None:
                        continue
                    if item.ready(state):
                        advanced.extend(self._pass((item,), releases))
                    else:
                        seeds.append(item)
                if heap is not None and not heap:
                    self._waiting.pop(client, None)
            if not seeds:
                return releases
            seed = seeds.pop()
            if seed.number in self._parked and (group := self._helpers.group(seed, state)):
                advanced.extend(self._pass(group, releases))

    def _pass(self, items: tuple[Item, ...], releases: list[Release]) -> list[int]:
        for item in items:
            assert item.number is not None
            del self._parked[item.number]
            self.parked_bytes -= len(item.update)
            self._helpers.remove(item)
        if not self._parked:
            self._waiting.clear()
        release = self._release(items)
        releases.append(release)
        return [client for client, _, _ in release.added]

    def _release(self, items: tuple[Item, ...]) -> Release:
        state = self.state
        added: list[Range] = []
        known: list[Range] = []
        pairs = items[0].pairs if len(items) == 1 else any(item.pairs for item in items)
        if (pairs or self.halves) and self._cuts(items):
            return Release(items, [], [], [], _cut())
        if len(items) == 1:
            sections = items[0].decoded.sections
        else:
            sections = sorted(section for item in items for section in item.decoded.sections)
            known = [part for item in items for part in self.overlaps(item.decoded)]
        for client, clock, length in sections:
            end = clock + length
            now = state.get(client, 0)
            if clock < now:
                if len(items) == 1:
                    known.append((client, clock, min(end, now) - clock))
                if end <= now:
                    continue
                clock = now
            assert clock == now, "the gate let a struct pass before the ones it follows"
            added.append((client, clock, end - clock))
            state[client] = end
        deleted: list[Range] = []
        add = self.deleted.add
        for item in items:
            for client, clock, length in item.decoded.deletes:
                deleted += add(client, clock, length)
        return Release(items, added, deleted, known)

    def _cuts(self, items: tuple[Item, ...]) -> bool:
        """Whether they cut a character in half; where they don't, their own characters are remembered."""
        state = self.state
        new = {
            (client, clock)
            for item in items
            for client, clock in (halves.second_halves(item.decoded.structs) if item.pairs else ())
            if clock >= state.get(client, 0)
        }
        if any(state.get(client) == clock for client, clock in new):
            return True  # of the character, only the first half had passed
        if any(halves.cuts(item.decoded, self.halves, new) for item in items):
            return True
        for client, clock in sorted(new):
            self.halves.add(client, clock, 1)
        return False


def _cut() -> MalformedUpdate:
    return MalformedUpdate(
        "The edit cuts a character of two units, such as an emoji, in half, which can't be kept.",
        hint="Nothing of it was applied. Copy what is missing, reload, and enter it again.",
        details={"reason": "half a character"},
    )
