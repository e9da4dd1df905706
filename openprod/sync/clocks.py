"""How far another device's clock is off, and what follows from it.

Nothing is ever accepted or dropped by the local clock: replicas would differ. A wrong clock is told to people; a very
wrong one is corrected for the time of the gathering; one far ahead makes the node read-only until it is set right, for
its timestamps would stay ahead of everybody's.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import Enum
from typing import Final, NamedTuple

from openprod.core.clock import AHEAD_MS_MAX

WARN_MS: Final = 2_000
CORRECT_MS: Final = 60_000
EARLIEST_MS: Final = 1_735_689_600_000
"""2025: no clock that is right says less to this program."""


class Verdict(Enum):
    FINE = "fine"
    WARN = "warn"
    CORRECT = "correct"
    READ_ONLY = "read-only"


class ClockReport(NamedTuple):
    """``offset_ms``: the other's clock less mine. ``correction_ms``: to be added to mine while both are together."""

    offset_ms: int
    verdict: Verdict
    correction_ms: int
    sentence: str


FINE: Final = ClockReport(0, Verdict.FINE, 0, "")


def measure(mine_ms: int, theirs_ms: int) -> ClockReport:
    """Of two clocks read at about the same time. The way between is counted as the other's lag: it is short."""
    offset = theirs_ms - mine_ms
    away = abs(offset)
    if away <= WARN_MS:
        return ClockReport(offset, Verdict.FINE, 0, "")
    said = _said(offset)
    if offset < -AHEAD_MS_MAX:
        return ClockReport(
            offset, Verdict.READ_ONLY, 0, f"{said} Set it right; until then nothing can be changed here."
        )
    if away > CORRECT_MS:
        return ClockReport(offset, Verdict.CORRECT, offset, f"{said} The other's time is used while you are together.")
    return ClockReport(offset, Verdict.WARN, 0, said)


class Clocks:
    """How far this device's clock is off that of those who are together.

    The gathering's time is the leader's: a follower measures itself against what the leader tells, the leader against
    the others' clocks, by their median. With one other only, the leader can't know who is right: it goes on by its own
    clock unless that is far ahead, and then tells the other's time. What it told before it led, or before it knew this
    device's clock, is its own wall clock: nobody goes by that alone.

    Whose clock is before what others have written already is behind, as a laptop's whose battery died: nobody is taken
    for far ahead because of it.
    """

    def __init__(self) -> None:
        self._offsets: dict[str, int] = {}
        self._leading: set[str] = set()
        self._past: set[str] = set()
        self._written_ms = 0
        self._report = FINE

    def written(self, ms: int) -> None:
        """Somebody else than this device has written at that time, as it said."""
        self._written_ms = max(self._written_ms, ms)

    def heard(self, device: str, mine_ms: int, theirs_ms: int, *, leads: bool = False) -> None:
        """``mine_ms``: the wall clock. ``leads``: the other tells the gathering's time, and counts this device in."""
        self._offsets[device] = theirs_ms - mine_ms
        # What others wrote may be ahead of their own clocks by as much as they follow others.
        if theirs_ms < max(EARLIEST_MS, self._written_ms - AHEAD_MS_MAX):
            self._past.add(device)
        else:
            self._past.discard(device)
        if leads:
            self._leading.add(device)
        else:
            self._leading.discard(device)

    def judge(self, here: Collection[str], leader: str) -> ClockReport:
        """``here``: who is connected and joined; ``leader``: "" while this device leads, or nobody does."""
        around = [device for device in self._offsets if device in here]
        others = sorted(self._offsets[device] for device in around)
        if leader in here and leader in self._leading:
            self._report = self._against(leader)
        elif len(others) > 1:
            places = sorted([0, *others])
            middle = places[(len(places) - 1) // 2], places[len(places) // 2]
            self._report = measure(0, min(middle, key=abs))
        elif others:
            found = self._against(around[0])
            self._report = _told_only(found) if found.verdict is Verdict.CORRECT else found
        else:
            self._report = FINE
        return self._report

    def _against(self, device: str) -> ClockReport:
        found = measure(0, self._offsets[device])
        if found.verdict is not Verdict.READ_ONLY or device not in self._past:
            return found
        span = _span(-found.offset_ms)
        return ClockReport(
            found.offset_ms, Verdict.WARN, 0,
            f"The other device's clock is {span} behind this one's, and before what others have written already. "
            "It has to be set right there.",
        )  # fmt: skip

    @property
    def report(self) -> ClockReport:
        return self._report

    def told_ms(self, wall_ms: int, *, leads: bool) -> int:
        """What to tell the others: the wall clock, or from who leads the gathering's time."""
        report = self._report
        if leads:
            return wall_ms + (report.offset_ms if report.verdict is Verdict.READ_ONLY else report.correction_ms)
        return wall_ms


def _told_only(report: ClockReport) -> ClockReport:
    """No other time is used, and none is said to be."""
    return ClockReport(report.offset_ms, Verdict.WARN, 0, _said(report.offset_ms))


def _said(offset_ms: int) -> str:
    direction = "ahead of" if offset_ms < 0 else "behind"
    return f"This device's clock is {_span(abs(offset_ms))} {direction} the other's."


def _span(ms: int) -> str:
    seconds = ms // 1000
    if seconds < 120:
        return f"{seconds} seconds"
    if seconds < 7200:
        return f"{seconds // 60} minutes"
    return f"{seconds // 3600} hours"
