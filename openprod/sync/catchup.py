"""What each side lacks, in which order it comes, and where a log has two histories.

State between nodes is a list of tips: the last bundle of each log, by its hash. A log has one writer and is chained by
hashes, so whoever holds a tip's hash holds everything before it.

**Forks.** A log is forked when two bundles of it follow the same one: somebody restored a copy of the device and both
went on. Both histories are kept. The one that a replica met first goes on under the log's name; each other is a
*branch*, named ``<log>+<first 8 hex digits of the hash of its first bundle>``, and holds only what comes after the
parting. Between nodes a branch is one more tip of its log; its name never travels.

Everything here is pure: what a replica holds is asked of a ``History``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

import msgspec

from openprod.core.bundles import Bundle, SignedBundle, inspect, verify
from openprod.errors import Untrusted
from openprod.sync.messages import Point, Tip

HELD_MAX: Final = 1024
HELD_BYTES_MAX: Final = 16 * 1024 * 1024


class Branch(NamedTuple):
    """Bundles ``base`` < seq ≤ ``seq`` of ``log``, stored under ``name``. Seqs are those that their author gave."""

    name: str
    log: str
    base: int
    seq: int
    hash: bytes

    @property
    def tip(self) -> Tip:
        return Tip(self.log, self.seq, self.hash)


class History(Protocol):
    """What a replica holds."""

    def branches(self) -> Sequence[Branch]: ...
    def find(self, log: str, hash: bytes) -> tuple[str, int] | None:
        """(name of the branch, seq) of the bundle with that hash."""

    def hash_at(self, branch: Branch, seq: int) -> bytes:
        """Of a seq that the branch holds itself (base < seq ≤ branch.seq)."""


class Survey(NamedTuple):
    """``after``: {branch: the seq up to which the other has it}; only branches of which it lacks something.

    ``known``: the same for every branch of mine. ``forks``: {log: points of my histories of it}, for logs that are
    seen to be forked here. ``elsewhere``: logs of which the other holds what I don't.
    """

    after: dict[str, int]
    known: dict[str, int]
    forks: dict[str, list[Point]]
    elsewhere: frozenset[str]


def survey(history: History, theirs: Iterable[Tip], points: Mapping[str, Sequence[Point]] = {}) -> Survey:
    """Compare. ``points``: what the other said of its forked logs (FORKED)."""
    tips: dict[str, list[Point]] = {}
    for tip in theirs:
        tips.setdefault(tip.log, []).append(Point(tip.seq, tip.hash))
    after: dict[str, int] = {}
    known: dict[str, int] = {}
    forks: dict[str, list[Point]] = {}
    elsewhere: set[str] = set()
    mine: dict[str, list[Branch]] = {}
    for branch in history.branches():
        mine.setdefault(branch.log, []).append(branch)
    for log, branches in mine.items():
        said = [*tips.get(log, ()), *points.get(log, ())]
        places = {point.hash: history.find(log, point.hash) for point in said}
        unknown = [point for point in tips.get(log, ()) if places[point.hash] is None]
        ends = {place[0] for point in tips.get(log, ()) if (place := places[point.hash]) is not None}
        bases = {branch.name: branch.base for branch in branches}
        for branch in branches:
            reached = branch.base
            for place in filter(None, places.values()):
                if place[0] == branch.name:
                    reached = max(reached, place[1])
                elif branch.name == log:
                    # It holds another branch, and so what that one grew from.
                    reached = max(reached, min(bases[place[0]], branch.seq))
            known[branch.name] = reached
            # With a tip that isn't known here it may simply be ahead, and then it knows.
            if reached < branch.seq and (not unknown or branch.name in ends or log in points):
                after[branch.name] = reached
        if unknown:
            elsewhere.add(log)
            # At a seq that I hold, another hash: proof.
            if log in points or min(point.seq for point in unknown) <= max(branch.seq for branch in branches):
                forks[log] = [point for branch in branches for point in locate(history, branch)][:128]
    elsewhere.update(log for log in tips if log not in mine)
    return Survey(after, known, forks, frozenset(elsewhere))


def locate(history: History, branch: Branch) -> list[Point]:
    """Points of a branch, ever sparser towards its beginning: at most 60."""
    points, seq, step = [], branch.seq, 1
    while seq > branch.base:
        points.append(Point(seq, history.hash_at(branch, seq)))
        seq, step = seq - step, step * 2
    if branch.base < 1 <= branch.seq and points[-1].seq != 1:
        points.append(Point(1, history.hash_at(branch, 1)))
    return points


def branch_name(log: str, first: bytes) -> str:
    """``first``: the hash of the branch's first bundle."""
    return f"{log}+{first.hex()[:8]}"


class Fork(NamedTuple):
    """Two bundles of one log after the same one: proof, by the device's own signature. ``mine``: of its present log."""

    log: str
    seq: int
    branch: str
    held: bytes
    came: bytes

    def sentence(self) -> str:
        return (
            f"Log {self.log} has two histories from bundle {self.seq} on: a copy of that device was restored and both"
            " went on. Both are kept."
        )


class Incoming(NamedTuple):
    """A verified bundle, under the name and number that this replica keeps it by."""

    signed: SignedBundle
    bundle: Bundle
    seq: int
    hash: bytes


class Taken(NamedTuple):
    ready: list[Incoming]
    forks: list[Fork]


class Intake:
    """Puts what comes from one peer in order: verified, each after its own log's previous and what it depends on.

    What comes too early is held, within bounds; beyond them it is dropped, and comes again since it was never
    acknowledged. One Intake per connection, so that a peer fills only its own.
    """

    def __init__(self, workspace: str) -> None:
        self._workspace = workspace
        self._held: dict[bytes, tuple[SignedBundle, Bundle]] = {}
        self._bytes = 0

    @property
    def held(self) -> int:
        return len(self._held)

    def take(self, history: History, bundles: Iterable[SignedBundle], *, checked: bool = False) -> Taken:
        """``checked``: their signatures have been verified.

        Raises Untrusted for a bundle whose signature, device or chain doesn't hold; nothing of the call is taken.
        """
        look = inspect if checked else verify
        fresh: dict[bytes, tuple[SignedBundle, Bundle]] = {}
        for signed in bundles:
            digest = hashlib.sha256(signed.body).digest()
            if digest not in self._held and digest not in fresh:
                fresh[digest] = signed, look(signed, workspace=self._workspace)
        view = _View(history)
        ready: list[Incoming] = []
        forks: list[Fork] = []
        waiting = {**self._held, **fresh}
        moved = True
        while moved:
            moved = False
            for digest in list(waiting):
                signed, bundle = waiting[digest]
                found = view.place(digest, bundle)
                if found is None:
                    continue
                moved = True
                del waiting[digest]
                if found.known:
                    continue
                view.add(found, digest, bundle)
                if found.fork is not None:
                    forks.append(found.fork)
                kept = bundle
                if found.name != bundle.log:
                    kept = msgspec.structs.replace(
                        bundle, log=found.name, seq=bundle.seq - found.base,
                        previous=bundle.previous if bundle.seq > found.base + 1 else b"",
                    )  # fmt: skip
                ready.append(Incoming(signed, kept, bundle.seq, digest))
        self._hold(waiting)
        return Taken(ready, forks)

    def _hold(self, waiting: dict[bytes, tuple[SignedBundle, Bundle]]) -> None:
        self._held, self._bytes = {}, 0
        for digest, one in sorted(waiting.items(), key=lambda item: item[1][1].seq):
            size = len(one[0].body)
            if len(self._held) < HELD_MAX and self._bytes + size <= HELD_BYTES_MAX:
                self._held[digest] = one
                self._bytes += size


class _Place(NamedTuple):
    name: str
    base: int
    known: bool
    fork: Fork | None


class _View:
    """A history, and what is about to be added to it."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._branches = {branch.name: branch for branch in history.branches()}
        self._added: dict[tuple[str, bytes], tuple[str, int]] = {}
        self._reach: dict[str, int] = {}
        for branch in self._branches.values():
            self._reach[branch.log] = max(self._reach.get(branch.log, 0), branch.seq)
            self._added[branch.log, branch.hash] = branch.name, branch.seq

    def _find(self, log: str, digest: bytes) -> tuple[str, int] | None:
        return self._added.get((log, digest)) or self._history.find(log, digest)

    def place(self, digest: bytes, bundle: Bundle) -> _Place | None:
        """None: it comes too early. Raises Untrusted for a chain that can't be."""
        log = bundle.log
        # Nothing here goes beyond the reach of its log: most of what comes needs no look into the history.
        known = self._find(log, digest) if bundle.seq <= self._reach.get(log, 0) else None
        if known is not None:
            return _Place(known[0], 0, True, None)
        if bundle.seq == 1:
            if bundle.previous:
                raise Untrusted("A log's first bundle follows another.")
            before: tuple[str, int] | None = (log, 0)
        else:
            before = self._find(log, bundle.previous)
        if before is None:
            return None
        name, seq = before
        if seq != bundle.seq - 1:
            raise Untrusted("A bundle's number doesn't follow that of the one before it.")
        # A branch that its author named may be the log itself here; what it holds is told apart by the causal gate.
        if any(self._reach.get(dep.partition("+")[0], 0) < at for dep, at in bundle.deps.items() if dep != log):
            return None
        branch = self._branches.get(name)
        if branch is None or branch.seq == seq:
            return _Place(name, branch.base if branch else 0, False, None)
        held = b""
        if (name, seq + 1) in self._new:
            held = self._new[name, seq + 1]
        elif branch.base < seq + 1:
            held = self._history.hash_at(branch, seq + 1)
        other = branch_name(log, digest)
        return _Place(other, seq, False, Fork(log, bundle.seq, other, held, digest))

    @property
    def _new(self) -> dict[tuple[str, int], bytes]:
        return {place: digest for (_log, digest), place in self._added.items()}

    def add(self, place: _Place, digest: bytes, bundle: Bundle) -> None:
        self._added[bundle.log, digest] = place.name, bundle.seq
        self._branches[place.name] = Branch(place.name, bundle.log, place.base, bundle.seq, digest)
        self._reach[bundle.log] = max(self._reach.get(bundle.log, 0), bundle.seq)


def must_leave(own_log: str, survey: Survey) -> bool:
    """Whether somebody holds of my present log what I don't: this is an older copy, and must write another log."""
    return own_log in survey.elsewhere


def spread(log: str, seq: int, acknowledged: Mapping[str, Mapping[str, int]]) -> int:
    """On how many other devices a bundle is: ``acknowledged`` is {device: {log: seq on its disk}}."""
    return sum(1 for logs in acknowledged.values() if logs.get(log, 0) >= seq)
