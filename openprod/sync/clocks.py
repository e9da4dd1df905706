"""How far another device's clock is off, and what follows from it.

Nothing is ever accepted or dropped by the local clock: replicas would differ. A wrong clock is told to people; a very
wrong one is corrected for the time of the gathering; one far ahead makes the node read-only until it is set right, for
its timestamps would stay ahead of everybody's.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, NamedTuple

from openprod.core import clock

WARN_MS: Final = 2_000
CORRECT_MS: Final = 60_000
AHEAD_MS_MAX: Final = 300_000


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


def measure(mine_ms: int, theirs_ms: int) -> ClockReport:
    """Of two clocks read at about the same time. The way between is counted as the other's lag: it is short."""
    offset = theirs_ms - mine_ms
    away = abs(offset)
    if away <= WARN_MS:
        return ClockReport(offset, Verdict.FINE, 0, "")
    direction = "ahead" if offset < 0 else "behind"
    said = f"This device's clock is {_span(away)} {direction} of the other's."
    if offset < -AHEAD_MS_MAX:
        return ClockReport(
            offset, Verdict.READ_ONLY, 0, f"{said} Set it right; until then nothing can be changed here."
        )
    if away > CORRECT_MS:
        return ClockReport(offset, Verdict.CORRECT, offset, f"{said} The other's time is used while you are together.")
    return ClockReport(offset, Verdict.WARN, 0, said)


def is_far_future(hlc: str, now_ms: int) -> bool:
    """Whether a bundle claims a time that the local clock isn't advanced to: it is kept, and shown with a warning."""
    return clock.parts(hlc)[0] > now_ms + AHEAD_MS_MAX


def _span(ms: int) -> str:
    seconds = ms // 1000
    if seconds < 120:
        return f"{seconds} seconds"
    if seconds < 7200:
        return f"{seconds // 60} minutes"
    return f"{seconds // 3600} hours"
