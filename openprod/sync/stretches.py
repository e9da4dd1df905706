"""Whether two nodes are still in the same stretch of a gathering, so that going on needs nobody's approval.

A stretch is (term, leader). Each node remembers the stretches it went through and when it was last in touch with each:
with its leader, or, having led, when it last did. Two nodes that meet again go on without asking when

* both belong to the same gathering, and one's present stretch is among those that the other went through, and
* the one that stayed behind lost touch with it no later than the other did: it was alone, or gone. Had it stayed in
  touch longer, its half went on without the other's half, and people decide when halves merge;
* and that wasn't long ago.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from openprod.sync.messages import Stretch

RESUME_MS: Final = 60_000
SLACK_MS: Final = 2_000
HISTORY_MAX: Final = 16


class Course:
    """The stretches that this node went through."""

    def __init__(self) -> None:
        self.term = 0
        self.leader = ""
        self._last: dict[tuple[int, str], int] = {}

    def go_on(self, term: int, leader: str, now: int) -> None:
        """This is the present stretch from now on, and this node is in touch with it."""
        self.term, self.leader = term, leader
        self._last[term, leader] = now
        self._bound()

    def restore(self, history: Sequence[Stretch], now: int) -> None:
        """Go on from what was noted before this program was started again, newest first."""
        if history:
            self.term, self.leader = history[0].term, history[0].leader
            self.learn(history, now)

    def touch(self, now: int) -> None:
        """In touch with the leader just now, or leading."""
        if self.leader:
            self._last[self.term, self.leader] = max(now, self._last.get((self.term, self.leader), now))

    def learn(self, history: Sequence[Stretch], now: int) -> None:
        """Stretches that others, now joined with this node, were in touch with."""
        for one in history:
            seen = now - one.age_ms
            self._last[one.term, one.leader] = max(seen, self._last.get((one.term, one.leader), seen))
        self._bound()

    def history(self, now: int) -> list[Stretch]:
        """Newest first; the present one first of all."""
        places = sorted(
            self._last, key=lambda one: (one == (self.term, self.leader), one[0], self._last[one]), reverse=True
        )
        return [Stretch(term, leader, max(0, now - self._last[term, leader])) for term, leader in places[:HISTORY_MAX]]

    def _bound(self) -> None:
        for place in sorted(self._last, key=lambda one: self._last[one])[: -2 * HISTORY_MAX]:
            if place != (self.term, self.leader):
                del self._last[place]


def may_resume(my_gathering: str, mine: Sequence[Stretch], their_gathering: str, theirs: Sequence[Stretch]) -> bool:
    """The same on both sides, but for the clock's resolution: each gives its own answer, and both must say yes."""
    if not my_gathering or my_gathering != their_gathering or not mine or not theirs:
        return False
    return _stayed_behind(mine, theirs) or _stayed_behind(theirs, mine)


def _stayed_behind(behind: Sequence[Stretch], ahead: Sequence[Stretch]) -> bool:
    present = behind[0]
    other = next((one for one in ahead if (one.term, one.leader) == (present.term, present.leader)), None)
    if other is None or present.age_ms > RESUME_MS:
        return False
    if (ahead[0].term, ahead[0].leader) == (present.term, present.leader):
        return other.age_ms <= RESUME_MS
    return present.age_ms >= other.age_ms - SLACK_MS


def is_behind(mine: Sequence[Stretch], theirs: Sequence[Stretch]) -> bool:
    """Of two that go on together: whether it is I who stayed behind, and takes over the other's present stretch."""
    present, other = mine[0], theirs[0]
    here = {(one.term, one.leader) for one in mine}
    there = {(one.term, one.leader) for one in theirs}
    places = (present.term, present.leader), (other.term, other.leader)
    if places[0] == places[1] or places[0] not in there:
        return False
    return places[1] not in here or places[1] > places[0]
