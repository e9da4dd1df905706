"""Hybrid logical clock (Kulkarni et al. 2014): ``%012x-%04x-<device8>``, which sorts as text.

48 bits of milliseconds, a 16-bit counter, the first 8 digits of the device id. It orders what people read;
causality decides conflicts, so a wrong clock can't win one.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

_COUNTER_MAX = 0xFFFF
_HLC = re.compile(r"[0-9a-f]{12}-[0-9a-f]{4}-[0-9a-f]{8}")
AHEAD_MS_MAX = 300_000
BOUND_MS = 10_000
"""How far ahead of the latest timestamp a bound is kept, so that it needn't be kept again at each."""
_MS_MAX = 253_402_300_799_999


class HybridClock:
    """One log's clock. ``tick`` takes the wall time in ms and never goes back."""

    __slots__ = ("_counter", "_ms", "_suffix")

    def __init__(self, device: str, *, last: str = "") -> None:
        self._suffix = device[:8]
        self._ms = 0
        self._counter = 0
        if last:
            self._ms, self._counter = parts(last)

    @property
    def ms(self) -> int:
        """Of the latest timestamp."""
        return self._ms

    def at_least(self, ms: int) -> None:
        if ms > self._ms:
            self._ms, self._counter = ms, 0

    def tick(self, now_ms: int) -> str:
        if now_ms > self._ms:
            self._ms, self._counter = now_ms, 0
        elif self._counter < _COUNTER_MAX:
            self._counter += 1
        else:
            self._ms, self._counter = self._ms + 1, 0
        return f"{self._ms:012x}-{self._counter:04x}-{self._suffix}"

    def witness(self, hlc: str, now_ms: int) -> None:
        """Stay ahead of a timestamp seen elsewhere, unless it is far in the future."""
        ms, counter = parts(hlc)
        if not is_far_future(hlc, now_ms) and (ms, counter) > (self._ms, self._counter):
            self._ms, self._counter = ms, counter


def parts(hlc: str) -> tuple[int, int]:
    """(milliseconds since 1970, counter). Raises ValueError when it isn't one."""
    ms, counter, _device = hlc.split("-", 2)
    return int(ms, 16), int(counter, 16)


def is_far_future(hlc: str, now_ms: int) -> bool:
    """Whether a timestamp is of a clock that is far ahead: what bears it is kept, and shown with a warning."""
    return parts(hlc)[0] > now_ms + AHEAD_MS_MAX


def is_hlc(text: str) -> bool:
    """Whether ``text`` is a timestamp that people can be told: well formed, before the year 10000."""
    return _HLC.fullmatch(text) is not None and parts(text)[0] <= _MS_MAX


def time_text(ms: int) -> str:
    """ISO 8601, UTC, of milliseconds since 1970."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment(hlc: str) -> str:
    """The wall time in a timestamp: ISO 8601, UTC."""
    return time_text(parts(hlc)[0])
