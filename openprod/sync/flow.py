"""What goes through one connection once both have joined: what to send next, what is under way, what came.

The receiver's ACK is a version vector, so nothing has to be counted on both sides: what was sent and isn't covered yet
is under way, and at most ``window`` bytes may be. When nothing moves for a while, the sender compares again with what
was last acknowledged and goes on from there: a lost frame costs time only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from openprod.core.bundles import BODY_BYTES_MAX, SignedBundle
from openprod.sync import messages as m
from openprod.sync.catchup import Survey
from openprod.sync.wire import FRAME_BYTES_MAX

WINDOW_BYTES: Final = 2 * 1024 * 1024
WINDOW_BYTES_MAX: Final = 64 * 1024 * 1024
RESEND_MS: Final = 5_000
STALL_MS: Final = 30_000
WHOLE_ACK_MS: Final = 5_000
GAP_MS: Final = 1_000
HELD_TIPS_MAX: Final = 100_000


class Outbound(Protocol):
    """A bundle to be sent: ``replica.Outgoing``."""

    @property
    def number(self) -> int: ...
    @property
    def branch(self) -> str: ...
    @property
    def seq(self) -> int: ...
    @property
    def hash(self) -> bytes: ...
    @property
    def signed(self) -> SignedBundle: ...


class _UnderWay(NamedTuple):
    log: str
    hash: bytes
    size: int


class Flow:
    def __init__(self) -> None:
        self.window = WINDOW_BYTES
        self._mine: dict[str, m.Tip] = {}
        self._known: dict[str, int] = {}
        self._from_them: dict[str, int] = {}
        self._their: dict[tuple[str, bytes], m.Tip] = {}
        self._cursor = 0
        self._end = False
        self._was_live = False
        self._fetching = self._rewound = self._paused = False
        self._under_way: dict[tuple[str, int], _UnderWay] = {}
        self._size = 0
        self._progress = self._moved = 0
        self._gseq = 0
        self._gseq_of: int | None = None
        self._gap_told = self._whole_told = 0
        self._untold = False
        self._taking = 0
        self._piece: tuple[bytes, bytes, bytearray, int] | None = None

    # -- what both hold ------------------------------------------------------------------------------------

    def reset_mine(self, tips: Mapping[str, m.Tip]) -> None:
        self._mine = dict(tips)

    def my_tips(self) -> list[m.Tip]:
        return list(self._mine.values())

    def their_tips(self) -> list[m.Tip]:
        """What the other is known to hold: its HAVE, and what it acknowledged since."""
        return list(self._their.values())

    def begin(self, survey: Survey, theirs: Sequence[m.Tip], now: int) -> None:
        self._known, self._cursor, self._end = dict(survey.known), 0, False
        self._their = {(tip.log, tip.hash): tip for tip in theirs}
        self._progress = self._moved = now

    def rewind(self, survey: Survey, now: int) -> None:
        """Go on from what the other holds. Nothing is sent again unless it lacks something."""
        self._fetching = False
        known = dict(survey.known)
        for branch, seq in self._from_them.items():
            known[branch] = max(known.get(branch, 0), seq)
        mine = self._mine
        lacking = [branch for branch in survey.after if branch not in mine or known[branch] < mine[branch].seq]
        self._under_way.clear()
        self._size = 0
        self._moved = now
        self._rewound = bool(lacking)
        if lacking:
            self._known, self._cursor, self._end = known, 0, False
        else:
            self._progress = now
        if self._paused and self.window:
            self._known, self._paused, self._progress = known, False, now

    # -- sending -------------------------------------------------------------------------------------------

    @property
    def is_full(self) -> bool:
        return self._size >= self.window

    @property
    def is_idle(self) -> bool:
        return self._end and not self._under_way and not self._fetching

    def want(self) -> tuple[dict[str, int], int, int] | None:
        """(known, cursor, bytes) of what to fetch next, None while there is nothing, or no room."""
        if self._end or self._fetching or self._paused or self.is_full:
            return None
        self._fetching = True
        return dict(self._known), self._cursor, self.window - self._size

    def news(self, tips: Mapping[str, m.Tip]) -> None:
        self._mine.update(tips)
        self._untold = True
        self._end = False

    def pack(self, items: Sequence[Outbound], cursor: int, end: bool, term: int, now: int) -> Iterator[m.Message]:
        if not self._fetching:
            return  # asked for before something changed
        self._fetching = False
        if self._paused:
            return
        if not self._under_way:
            self._moved = now
            if not self._rewound:
                self._progress = now
        batch: list[m.Signed] = []
        room = m.BUNDLES_BYTES_MAX
        for item in items:
            size = len(item.signed.body) + m.BODY_SLACK_BYTES
            self._known[item.branch] = max(self._known.get(item.branch, 0), item.seq)
            self._under_way[item.branch, item.seq] = _UnderWay(item.branch.partition("+")[0], item.hash, size)
            self._size += size
            if batch and (size > room or len(batch) >= 1024):
                yield m.Ops(batch)
                batch, room = [], m.BUNDLES_BYTES_MAX
            if size > m.BUNDLES_BYTES_MAX:
                yield from _pieces(item)
            elif self._was_live:
                yield m.Live(term, item.number, self._gseq, m.Signed(item.signed.body, item.signed.signature))
                self._gseq = item.number
            else:
                batch.append(m.Signed(item.signed.body, item.signed.signature))
                room -= size
        if batch:
            yield m.Ops(batch)
        self._cursor = max(self._cursor, cursor)
        self._end = end
        self._was_live = self._was_live or end

    def acknowledged(self, tips: Sequence[m.Tip], whole: bool, now: int) -> bool:
        """False: the other says to hold more than anybody does."""
        grown = {tip.log: tip.seq for tip in tips}
        kept = {} if whole else {at: tip for at, tip in self._their.items() if tip.seq >= grown.get(tip.log, 0)}
        self._their = {**kept, **{(tip.log, tip.hash): tip for tip in tips}}
        for tip in tips:
            covered = {place for place, one in self._under_way.items() if one.hash == tip.hash}
            branches = {branch for branch, _seq in covered}
            for place, one in list(self._under_way.items()):
                branch, seq = place
                if (branch in branches and seq <= tip.seq) or (one.log == tip.log and seq < tip.seq and not branches):
                    self._size -= one.size
                    del self._under_way[place]
                    self._progress = self._moved = now
                    self._rewound = False
        return len(self._their) <= HELD_TIPS_MAX

    def credit(self, size: int) -> bool:
        """Whether to compare again before anything is sent: what came meanwhile came another way."""
        self.window = min(size, WINDOW_BYTES_MAX)
        self._paused = self._paused or not self.window
        return self._paused and self.window > 0

    def is_overdue(self, now: int) -> bool:
        return bool(self._under_way) and now - self._moved > RESEND_MS

    def is_stalled(self, now: int) -> bool:
        waits = (bool(self._under_way) or not self._end) and not self._paused
        return waits and now - self._progress > STALL_MS

    # -- receiving -----------------------------------------------------------------------------------------

    def may_take(self, bundles: Sequence[SignedBundle]) -> bool:
        self._taking += sum(len(one.body) for one in bundles)
        return self._taking <= max(2 * self.window, BODY_BYTES_MAX) + FRAME_BYTES_MAX

    def took(self, tips: Mapping[str, m.Tip], known: Mapping[str, int], size: int) -> None:
        self._taking = max(0, self._taking - size)
        self._mine.update(tips)
        if not tips:
            self._untold = True  # it came again: the other hasn't heard that it is here
        for branch, seq in known.items():
            self._from_them[branch] = max(self._from_them.get(branch, 0), seq)
            self._known[branch] = max(self._known.get(branch, 0), seq)

    def piece(self, message: m.Piece) -> SignedBundle | None:
        """The whole bundle with its last piece. One at a time; pieces that don't fit are dropped."""
        if not 0 < message.total <= BODY_BYTES_MAX:
            return None
        if message.offset == 0:
            self._piece = message.hash, message.signature, bytearray(), message.total
        if self._piece is None:
            return None
        digest, signature, body, total = self._piece
        fits = message.offset == len(body) and len(body) + len(message.data) <= total and message.total == total
        if not fits or message.hash != digest:
            self._piece = None
            return None
        body += message.data
        if len(body) < total:
            return None
        self._piece = None
        return SignedBundle(bytes(body), signature)

    def misses(self, message: m.Live) -> bool:
        before, self._gseq_of = self._gseq_of, message.gseq
        return before is not None and message.previous != before

    def gap_may_be_told(self, now: int) -> bool:
        if now - self._gap_told < GAP_MS:
            return False
        self._gap_told = now
        return True

    def whole_ack_due(self, now: int) -> bool:
        if not self._untold or now - self._whole_told < WHOLE_ACK_MS:
            return False
        self._untold, self._whole_told = False, now
        return True


def _pieces(item: Outbound) -> Iterator[m.Piece]:
    body, total = item.signed.body, len(item.signed.body)
    for offset in range(0, total, m.PIECE_BYTES_MAX):
        yield m.Piece(item.hash, item.signed.signature, offset, total, body[offset : offset + m.PIECE_BYTES_MAX])
