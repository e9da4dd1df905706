"""What an update builds on, and which parked updates can only pass together.

Two updates may each need the other: when each was cut out of, or merged from, parts of a longer history. Neither
can be applied first, so they are applied as one.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable

from openprod.errors import MalformedUpdate
from openprod.yjs.decoder import SKIP, STRING, Id, Struct, Update

# A search that needs more than this is given up. Nothing is lost: the sender's answer to a sync request is
# complete in itself and passes alone.
_CANDIDATES_MAX = 20_000
_ROUNDS_MAX = 200


class Item:
    """One update at the gate. ``tag`` is the caller's own; ``number`` is set once it had to wait.

    requires: {client: the clock that must have been reached}. pairs: it brings text with characters of two units.
    """

    __slots__ = ("decoded", "number", "pairs", "requires", "tag", "update")

    def __init__(self, update: bytes, decoded: Update, tag: object) -> None:
        self.update = update
        self.decoded = decoded
        self.tag = tag
        self.number: int | None = None
        self.requires, self.pairs = _examine(decoded)

    def ready(self, state: dict[int, int]) -> bool:
        return all(state.get(client, 0) >= clock for client, clock in self.requires.items())


def _examine(decoded: Update) -> tuple[dict[int, int], bool]:
    """(requires, pairs). Raises MalformedUpdate if the structs refer to each other in a circle."""
    structs, deletes, sections = decoded
    requires: dict[int, int] = {}
    ends: dict[int, int] = {}
    for client, clock, length in sections:
        # With gaps the last run counts: when all before it is there, so are the gaps.
        requires[client] = clock
        ends[client] = clock + length
    crossing = pairs = False
    several = len(ends) > 1
    for own, _, length, ref, origin, right, parent, _, content in structs:
        if ref == STRING and len(content) != length:
            pairs = True
        if right is None and (parent is None or parent.__class__ is str):
            references: tuple[Id | str | None, ...] = (origin,)  # what is most often so
        else:
            references = (origin, right, parent)
        for reference in references:
            if not isinstance(reference, tuple):
                continue
            other, clock = reference
            if other == own:
                continue  # an earlier struct of its own client: in this update, or before it
            end = ends.get(other)
            if end is not None and clock < end:
                crossing = True
            elif clock >= requires.get(other, 0):
                requires[other] = clock + 1
    for client, clock, length in deletes:
        clock += length
        if clock > ends.get(client, 0) and clock > requires.get(client, 0):
            requires[client] = clock
    if crossing and several and not _orderable(structs, {}):
        raise MalformedUpdate(
            "The bytes are not a Yjs update: its parts refer to each other in a circle.",
            hint="Nothing of it was applied.",
        )
    return requires, pairs


def _orderable(structs: Iterable[Struct], state: dict[int, int]) -> bool:
    """Whether the structs can be added one after the other, each after those that it refers to.

    What isn't among them is taken to be there.
    """
    queues: dict[int, list[Struct]] = {}
    for struct in structs:
        queues.setdefault(struct[0], []).append(struct)
    reached: dict[int, int] = {}
    ends: dict[int, int] = {}
    for client, queue in queues.items():
        queue.sort(key=lambda struct: struct[1], reverse=True)
        ends[client] = max(struct[1] + struct[2] for struct in queue)
        reached[client] = max(queue[-1][1], state.get(client, 0))
    blocked: dict[int, list[tuple[int, int]]] = {}
    todo = list(queues)
    while todo:
        client = todo.pop()
        queue = queues[client]
        at = reached[client]
        while queue:
            struct = queue[-1]
            end = struct[1] + struct[2]
            if end > at:
                missing = _missing(struct, reached, ends)
                if missing is not None:
                    heapq.heappush(blocked.setdefault(missing[0], []), (missing[1], client))
                    break
                at = end
            queue.pop()
        reached[client] = at
        waiting = blocked.get(client)
        while waiting and waiting[0][0] < at:
            todo.append(heapq.heappop(waiting)[1])
    return not any(queues.values())


def _missing(struct: Struct, reached: dict[int, int], ends: dict[int, int]) -> Id | None:
    for reference in struct[4:7]:
        if reference is None or isinstance(reference, str):
            continue
        client, clock = reference
        if client != struct[0] and reached.get(client, clock + 1) <= clock < ends[client]:
            return client, clock
    return None


class Waiting:
    """The parked updates by the clients whose structs they bring, and the search for a group among them."""

    __slots__ = ("_by_client", "_end_max")

    def __init__(self) -> None:
        self._by_client: dict[int, dict[int, Item]] = {}
        self._end_max: dict[int, int] = {}  # never too small; too large costs a vain search at most

    def add(self, item: Item) -> None:
        assert item.number is not None
        for client, clock, length in item.decoded.sections:
            self._by_client.setdefault(client, {})[item.number] = item
            if clock + length > self._end_max.get(client, 0):
                self._end_max[client] = clock + length

    def remove(self, item: Item) -> None:
        assert item.number is not None
        for client, _, _ in item.decoded.sections:
            items = self._by_client.get(client)
            if items is not None:
                items.pop(item.number, None)
                if not items:
                    del self._by_client[client], self._end_max[client]

    def group(self, seed: Item, state: dict[int, int]) -> tuple[Item, ...] | None:
        """Parked updates, ``seed`` one of them, that can pass together; None if there are none.

        Of those that help, the ones that came first are taken, and no more than are needed.
        """
        candidates = self._helpful(seed, state)
        if candidates is None:
            return None
        # The largest set whose members need nothing but the state and each other.
        for _ in range(_ROUNDS_MAX):
            reached = _reach(candidates, state)
            fit = [item for item in candidates if item.ready(reached)]
            if seed not in fit:
                return None
            if len(fit) == len(candidates):
                break
            candidates = fit
        else:
            return None
        group = _narrow(seed, candidates, state)
        if not _orderable((s for item in group for s in item.decoded.structs if s[3] != SKIP), state):
            return None
        return tuple(group)

    def _helpful(self, seed: Item, state: dict[int, int]) -> list[Item] | None:
        """Every parked update that could help ``seed`` pass, however indirectly. None: it lacks what none has."""
        found: dict[int, Item] = {seed.number or 0: seed}
        sought: dict[int, int] = {}
        todo = [seed]
        while todo:
            item = todo.pop()
            for client, clock in item.requires.items():
                if clock <= state.get(client, 0) or clock <= sought.get(client, 0):
                    continue
                if clock > self._end_max.get(client, 0):
                    if item is seed:
                        return None
                    continue
                sought[client] = clock
                for number, other in self._by_client[client].items():
                    if number not in found:
                        found[number] = other
                        todo.append(other)
                if len(found) > _CANDIDATES_MAX:
                    return None
        return [found[number] for number in sorted(found)]


def _reach(items: Iterable[Item], state: dict[int, int]) -> dict[int, int]:
    """The state once every run of the items' structs is added that joins on without a gap."""
    reached = dict(state)
    for client, clock, length in sorted(run for item in items for run in item.decoded.sections):
        if clock <= reached.get(client, 0) < clock + length:
            reached[client] = clock + length
    return reached


def _narrow(seed: Item, items: list[Item], state: dict[int, int]) -> list[Item]:
    """From a set that can pass together, what ``seed`` needs of it, in order of arrival."""
    group = {seed.number or 0: seed}
    while True:
        reached = _reach(group.values(), state)
        lacking = next(
            (
                (client, reached.get(client, 0))
                for item in group.values()
                for client, clock in item.requires.items()
                if clock > reached.get(client, 0)
            ),
            None,
        )
        if lacking is None:
            return [group[number] for number in sorted(group)]
        client, at = lacking
        helper = next(
            item
            for item in items
            if item.number not in group
            and any(c == client and clock <= at < clock + n for c, clock, n in item.decoded.sections)
        )
        group[helper.number or 0] = helper
