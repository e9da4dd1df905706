"""The replica as the protocol sees it: what it holds, what it would send, how it takes in. The only part that touches
the engine; everything is called on the thread that owns the workspace (``Worker.call``).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from openprod.core.bundles import SignedBundle, bundle_id
from openprod.core.clock import parts
from openprod.core.values import canonical
from openprod.engine.commit import Committer
from openprod.engine.drafts import Foreign
from openprod.engine.events import Committed
from openprod.engine.members import base_of
from openprod.errors import OpenprodError
from openprod.storage.ports import BundleRow, Storage
from openprod.sync.catchup import Branch, Fork, Intake
from openprod.sync.messages import Author, Tip
from openprod.sync.plans import TOUCHED_MAX, Offer, Touched
from openprod.yjs import layout

PAGE: Final = 512
LATEST_MAX: Final = 256
_LATEST_BYTES: Final = 1024 * 1024
"""Bundles that are read at once, and so sent, and so committed together: a durable commit is dear."""


class Held:
    """What a replica holds, as of now: a ``History``."""

    def __init__(self, committer: Committer) -> None:
        self._storage = committer.storage
        self._branches: dict[str, Branch] = {}
        for name, (seq, digest) in self._storage.logs().items():
            log = name.partition("+")[0]
            base = base_of(self._storage, name)
            self._branches[name] = Branch(name, log, base, base + seq, digest)

    def branches(self) -> list[Branch]:
        return list(self._branches.values())

    def branch(self, name: str) -> Branch:
        return self._branches[name]

    def tips(self) -> dict[str, Tip]:
        return {name: branch.tip for name, branch in self._branches.items()}

    def find(self, log: str, hash: bytes) -> tuple[str, int] | None:
        row = self._storage.bundle(bundle_id(hash))
        if row is None or row.hash != hash or row.log.partition("+")[0] != log:
            return None
        branch = self._branches.get(row.log)
        return (row.log, row.seq + branch.base) if branch is not None else None

    def hash_at(self, branch: Branch, seq: int) -> bytes:
        body = self._storage.bundle_at(branch.name, seq - branch.base)
        assert body is not None, (branch, seq)
        return hashlib.sha256(body).digest()


class _Bases(dict[str, int]):
    """{branch: the seq before its first}, of those that are met: every edit asks this once for each connection."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def __missing__(self, name: str) -> int:
        found = self[name] = base_of(self._storage, name)
        return found


class Outgoing(NamedTuple):
    """A bundle to be sent. ``number``: its place in this replica's order; ``seq``: as its author gave it."""

    number: int
    branch: str
    log: str
    seq: int
    hash: bytes
    signed: SignedBundle


def outgoing(
    committer: Committer, known: Mapping[str, int], *, cursor: int, size: int, most: int = PAGE
) -> tuple[list[Outgoing], int, bool]:
    """(bundles beyond ``known`` ({branch: seq}) in an order in which each follows what it builds on, where to go on
    from, whether that is the end). At most ``most``, and about ``size`` bytes: at least one.
    """
    found: list[Outgoing] = []
    bases = _Bases(committer.storage)
    for row in _rows(committer, cursor):
        if row.seq + bases[row.log] > known.get(row.log, bases[row.log]):
            if found and (len(found) >= most or size <= 0):
                return found, cursor, False
            body, signature = committer.storage.bundle_body(row.number)
            size -= len(body)
            log = row.log.partition("+")[0]
            seq = row.seq + bases[row.log]
            found.append(Outgoing(row.number, row.log, log, seq, row.hash, SignedBundle(body, signature)))
        cursor = row.number
    return found, cursor, True


class News(NamedTuple):
    """All bundles of a replica from one after ``begin`` to ``end``, numbers of its order."""

    begin: int
    end: int
    bundles: list[Outgoing]


def news(committer: Committer, after: int) -> News:
    """What came after a bundle, to the last one; of much nothing: whoever lacks it reads it page by page."""
    newest = committer.storage.bundles(newest_first=True, limit=1)
    end = newest[0].number if newest else 0
    if end - after > LATEST_MAX:
        return News(end, end, [])
    found, cursor, _done = outgoing(committer, {}, cursor=after, size=_LATEST_BYTES)
    return News(after, cursor, found) if cursor >= end else News(end, end, [])


def _rows(committer: Committer, after: int) -> Iterator[BundleRow]:
    while rows := committer.storage.bundles(after=after, limit=PAGE):
        yield from rows
        after = rows[-1].number


def offer(
    committer: Committer, known: Mapping[str, int], after: Mapping[str, int], *, compared: bool = True
) -> Offer:  # fmt: skip
    """What would be sent of the branches in ``after`` beyond ``known``; nothing of its content leaves here.

    ``compared``: the other has something that it could disagree with.
    """
    authors: Counter[tuple[str, str]] = Counter()
    numbers: set[int] = set()
    size = 0
    bases = _Bases(committer.storage)
    for row in _rows(committer, 0):
        if row.log in after and row.seq + bases[row.log] > known.get(row.log, 0):
            authors[row.name, row.device] += 1
            numbers.add(row.number)
            size += len(committer.storage.bundle_body(row.number)[0])
    listed = [Author(name, device, count) for (name, device), count in sorted(authors.items())]
    return Offer(len(numbers), size, listed, _touched(committer, numbers) if numbers and compared else [])


def _touched(committer: Committer, numbers: set[int]) -> list[Touched]:
    """The registers that these bundles wrote, each with the value that the last of them gave it; and by what the
    things that they wrote to are told apart.
    """
    storage = committer.storage
    found: list[Touched] = []
    things: set[tuple[str, str]] = set()
    for register in storage.all_registers():
        if register.root in (layout.RESOLUTION_ROOT,):
            continue
        versions = [one for one in storage.versions_of(register.id) if one.version.bundle in numbers]
        if not versions:
            continue
        newest = max(versions, key=lambda one: (one.bundle.hlc, one.version.client, one.version.clock))
        place = canonical([register.document, register.root, register.key])
        kind = layout.parse_root(register.root).kind
        entity = register.entity if kind in ("entity", "facet") else ""
        part = register.root if kind == "facet" else ""
        found.append(Touched(place, entity, newest.version.value, part, bool(entity) and not register.field))
        if part:
            things.add((part, entity))
        if len(found) > TOUCHED_MAX:
            break
    return found + [one for facet, entity in sorted(things) for one in _told_apart(committer, facet, entity)]


def _told_apart(committer: Committer, name: str, entity: str) -> Iterator[Touched]:
    """No two things may share these values; two sides may have given them to one each."""
    facet, detector = committer.schemas.facet(name), committer.detector
    for unique in facet.unique if facet is not None else ():
        values = detector.duplicates.values(name, unique, entity)
        if values is not None:
            yield Touched(canonical([name, unique, values]), "", canonical(detector.bonds.survivor(entity)))


def written_ms(committer: Committer, *, but: str) -> int:
    """When another device than this one wrote last, as it said; 0 where none has."""
    logs = [log for log in committer.storage.logs() if not log.startswith(f"{but}-")]
    return max((parts(committer.storage.newest_hlc(log))[0] for log in logs), default=0)


def call_it(committer: Committer, name: str) -> bool:
    """What people call the production, in a copy that has no name yet; whether it hadn't. Raises StorageError."""
    if committer.storage.meta("name"):
        return False
    with committer.storage.transaction():
        committer.storage.set_meta("name", name)
    return True


class Intaken(NamedTuple):
    """``tips``: of the branches that grew, by branch; ``known``: how far; ``fault``: what was wrong, if anything.

    ``left_log``: the replica met its own log's other end, and writes another from here on.
    """

    tips: dict[str, Tip]
    known: dict[str, int]
    bundles: int
    forks: list[Fork]
    events: list[Committed]
    fault: OpenprodError | None
    left_log: bool
    news: News


def take_in(
    committer: Committer, intake: Intake, bundles: Sequence[SignedBundle], after: int, *, checked: bool = False
) -> Intaken:
    """Verify (unless that has been done: ``checked``), put in order, commit. ``after``: as for ``news``.

    Raises Untrusted with nothing taken in, StorageError likewise.
    """
    held = Held(committer)
    own = committer.log
    taken = intake.take(held, bundles, checked=checked)
    if not taken.ready:
        return Intaken({}, {}, 0, [], [], None, False, news(committer, after))
    outcomes, events = committer.commit([Foreign(signed=one.signed, bundle=one.bundle) for one in taken.ready])
    fault = next((one for one in outcomes if isinstance(one, OpenprodError)), None)
    now = Held(committer)
    grown = {one.bundle.log for one in taken.ready}
    branches = [branch for branch in now.branches() if branch.name in grown]
    return Intaken(
        {branch.name: branch.tip for branch in branches},
        {branch.name: branch.seq for branch in branches},
        sum(1 for one in outcomes if not isinstance(one, OpenprodError)),
        taken.forks, events, fault, committer.log != own, news(committer, after),
    )  # fmt: skip
