"""What happened in a gathering, in sentences that people read (`openprod peers`, the page): the latest hundred."""

from __future__ import annotations

from collections import deque
from typing import Final

from openprod.core.clock import time_text
from openprod.sync.outputs import Now

EVENTS_MAX: Final = 100
AGAIN_MS: Final = 60_000
_TOLD_MAX: Final = 200
_USUAL: Final = frozenset({"second", "spare", "left", "moved_on", "closed", "ended"})
"""Codes of ends that are nobody's fault."""


class Happened:
    def __init__(self) -> None:
        self.events: deque[dict[str, str]] = deque(maxlen=EVENTS_MAX)
        self._told: dict[tuple[str, str], int] = {}

    def said(self, sentence: str, now: Now) -> None:
        self.events.append({"at": time_text(now.wall), "sentence": sentence})

    def ended(self, who: str, code: str, sentence: str, now: Now, *, theirs: bool) -> str:
        """What to say of a connection that ended before it had joined; "" for what nobody needs to read, or has just
        read: whoever tries again and again doesn't drive out everything else. ``theirs``: the other side ended it.
        """
        place = who, code
        if code in _USUAL or now.mono - self._told.get(place, -AGAIN_MS) < AGAIN_MS:
            return ""
        if len(self._told) >= _TOLD_MAX:
            self._told.clear()
        self._told[place] = now.mono
        if code == "declined":
            return f"{who} declined: nothing has moved." if theirs else "You declined: nothing has moved."
        return f"{who} let this device go: “{sentence}”" if theirs else f"{who} was let go: {sentence}"
