"""Who leads: whoever hosted first, and after its loss the oldest that can be reached.

To lead is transport: the leader orders and relays, and may nothing else; nobody stops editing without one.

* The leader keeps the roster, in order of joining. A connection that closes, or is silent for 8 s, is a loss.
* On the loss of the leader, the member of rank k waits k × 1.5 s, connects to everybody it can and pulls what they
  have, then announces the next term with itself at the head. It doesn't while a connected member still hears the leader
  on a connection of its own (only this link is broken: the member relays), nor while an older one is connected.
* Where two claims meet on a connection that both sides have joined, the higher (term, older rank, lower id) wins.
  Halves of a gathering meet on such a connection only after people have approved; see ``openprod.sync.stretches``.
* A leader whose clock shows that it slept for longer than the others wait steps down.
* A hub never leads. It keeps the gathering open; where nobody leads, it hands the lead to whoever came first of those
  who are here. Who reaches the leader through it only is in the roster as long as it says that they are joined.

Pure: times come in, messages and wishes go out.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from enum import Enum
from typing import Final, NamedTuple, TypeAlias, TypeGuard

import msgspec

from openprod.sync.messages import Announce, End, Heartbeat, Roster, RosterEntry, Stretch
from openprod.sync.stretches import Course

SUSPECT_MS: Final = 4_000
DEAD_MS: Final = 8_000
WAIT_MS: Final = 1_500
PULL_MS: Final = 4_000
DEFER_MS: Final = 3_000
DIAL_MS: Final = 1_000
SPARE_MS: Final = 10_000


class Role(Enum):
    NONE = "none"
    LEADER = "leader"
    FOLLOWER = "follower"
    LOST = "lost"


class Tell(NamedTuple):
    """Say to everybody joined, or to one."""

    message: Announce | Roster | End
    to: str = ""


class Dial(NamedTuple):
    device: str


class Drop(NamedTuple):
    """A connection that isn't needed any more."""

    device: str


class Changed(NamedTuple):
    """Who leads, or who is here, is another."""


Wish: TypeAlias = Tell | Dial | Drop | Changed


class _Report(NamedTuple):
    term: int
    leader: str
    direct: bool
    at: int
    joined: frozenset[str] = frozenset()


class Election:
    """``device``: this one. ``gathering``: "" while in none."""

    def __init__(self, entry: RosterEntry) -> None:
        self.entry = entry
        self.device = entry.device
        self.gathering = ""
        self.role = Role.NONE
        self.rank = 0
        self.course = Course()
        self.roster: list[RosterEntry] = []
        self.joined: set[str] = set()
        self._reports: dict[str, _Report] = {}
        self._adopted: set[str] = set()
        self._relayed_now: set[str] = set()
        self._lost_at = self._ticked = self._settled = 0
        self._dialled: dict[str, int] = {}

    @property
    def leader(self) -> str:
        return self.course.leader

    @property
    def term(self) -> int:
        return self.course.term

    # -- what people do ------------------------------------------------------------------------------------

    def host(self, gathering: str, now: int) -> list[Wish]:
        self.gathering = gathering
        self.roster = [self.entry]
        self._ticked = now
        return self._lead(1, now)

    def keep(self, gathering: str, history: Sequence[Stretch], now: int) -> list[Wish]:
        """A hub's part: be in a gathering which others lead, whether or not anybody is here. ``history``: as noted when
        this program last ran, newest first.
        """
        assert self.entry.hub
        self.gathering, self.role, self.roster = gathering, Role.LOST, [self.entry]
        self.course.restore(history, now)
        self._ticked = self._lost_at = now
        return [Changed()]

    def leave(self, now: int) -> list[Wish]:
        """A leader hands over first. What is under way should have been sent."""
        wishes: list[Wish] = []
        if self.role is Role.LEADER:
            heir = next((one for one in self.roster if self._may_lead(one) and one.device in self.joined), None)
            self.roster = [one for one in self.roster if one.device != self.device]
            wishes.append(Tell(Roster(self.term, self.roster)))
            if heir is not None:
                wishes.append(Tell(self._announcement(self.term + 1, heir.device, now)))
        self._forget()
        return [*wishes, Changed()]

    def end(self, now: int) -> list[Wish]:
        """Close the gathering for everybody; only its leader's word counts."""
        wishes: list[Wish] = [Tell(End(self.gathering, self.term))] if self.role is Role.LEADER else []
        self._forget()
        return [*wishes, Changed()]

    def moves_to(self, address: str) -> list[Wish]:
        """Whom this one follows hears of it with the next greeting."""
        self.entry = msgspec.structs.replace(self.entry, address=address)
        return self._enrol(self.entry) if self.role is Role.LEADER else []

    def _forget(self) -> None:
        self.gathering, self.role, self.roster, self.course = "", Role.NONE, [], Course()
        self._reports.clear()
        self._adopted.clear()
        self._relayed_now.clear()

    # -- connections ---------------------------------------------------------------------------------------

    def connected(self, entry: RosterEntry, now: int) -> list[Wish]:
        """Both sides have joined."""
        self.joined.add(entry.device)
        self._settled = now
        wishes: list[Wish] = []
        self._adopted.discard(entry.device)
        if self.role is Role.LEADER or (self.entry.hub and self.role is Role.LOST):
            wishes += self._enrol(entry)
        elif self.role is Role.FOLLOWER and self.leader in self.joined and entry.device != self.leader:
            # It may reach the leader through this node only.
            wishes.append(Tell(Roster(self.term, [entry]), self.leader))
        if self.gathering:
            if self.leader and self.role is not Role.LOST:
                wishes.append(Tell(self._announcement(self.term, self.leader, now), entry.device))
            wishes.append(Tell(Roster(self.term, self.roster), entry.device))
        return wishes

    def take_over(self, term: int, leader: str, now: int) -> list[Wish]:
        """This node stayed behind and goes on with those who are in this stretch."""
        self.course.go_on(term, leader, now)
        self.role = Role.FOLLOWER
        self._settled = self._lost_at = now
        return [Changed()]

    def lost(self, device: str, now: int, *, left: bool = False) -> list[Wish]:
        """A connection is gone. ``left``: the other said goodbye."""
        self.joined.discard(device)
        self._reports.pop(device, None)
        self._dialled[device] = now
        if self.role is Role.LEADER:
            return self._mark(device, gone=left)
        if device == self.leader and self.role is Role.FOLLOWER:
            self._lose(now)
        return self._mark(device, gone=left) if self.entry.hub and self.role is Role.LOST else []

    def _lose(self, now: int) -> None:
        self.role = Role.LOST
        self._lost_at = now

    def _enrol(self, entry: RosterEntry) -> list[Wish]:
        place = next((at for at, one in enumerate(self.roster) if one.device == entry.device), None)
        if place is None:
            self.roster.append(entry)
        elif self.roster[place] == entry:
            return []
        else:
            self.roster[place] = entry
        return [Tell(Roster(self.term, self.roster)), Changed()]

    def _mark(self, device: str, *, gone: bool) -> list[Wish]:
        before = list(self.roster)
        self.roster = [
            msgspec.structs.replace(one, away=True) if one.device == device else one
            for one in before
            if not (gone and one.device == device)
        ]
        return [] if self.roster == before else [Tell(Roster(self.term, self.roster)), Changed()]

    # -- what others say -----------------------------------------------------------------------------------

    def heard(self, device: str, message: Heartbeat | Roster | Announce | End, now: int) -> list[Wish]:
        """On a connection that both sides have joined."""
        if isinstance(message, Announce):
            return self._on_announce(device, message, now)
        if isinstance(message, Heartbeat):
            self._reports[device] = _Report(
                message.term, message.leader, message.direct, now, frozenset(message.joined)
            )  # fmt: skip
            if device == self.leader and (message.term, message.leader) == (self.term, device):
                self.course.touch(now)
                if self.role is Role.LOST:
                    self.role = Role.FOLLOWER
            elif device == self.leader and self.role is Role.FOLLOWER and message.term <= self.term:
                self._lose(now)  # it stepped down, or never knew
            elif self._is_behind(message):
                # It hasn't heard: say it again.
                return [Tell(self._announcement(self.term, self.leader, now), device)]
            return []
        if isinstance(message, Roster):
            if message.term >= self.term and self.role is not Role.LEADER and self._trusts(device):
                return self._on_roster(device, message, now)
            if self.role is Role.LEADER and message.term <= self.term:
                return self._adopt_members(message.members)
            return []
        if message.gathering == self.gathering and message.term >= self.term and self._trusts(device):
            relayed = Tell(message)
            self._forget()
            return [relayed, Changed()]
        return []

    def _on_roster(self, device: str, message: Roster, now: int) -> list[Wish]:
        if message.members == self.roster or (device != self.leader and self.is_direct(now)):
            return []
        self.roster = list(message.members)
        if device != self.leader:
            return [Changed()]
        indirect = [one for one in sorted(self.joined) if one != device and not self._hears_itself(one)]
        return [*(Tell(message, one) for one in indirect), Changed()]

    def _hears_itself(self, device: str) -> bool:
        report = self._reports.get(device)
        return self._is_of_mine(report) and report.direct

    def _trusts(self, device: str) -> bool:
        """Whether a device speaks for the gathering: the leader, or who relays for it."""
        report = self._reports.get(device)
        return device == self.leader or not self.leader or (report is not None and report.leader == self.leader)

    def _is_behind(self, message: Heartbeat) -> bool:
        if self.role not in (Role.LEADER, Role.FOLLOWER):
            return False
        return message.term < self.term or (message.term == self.term and message.leader != self.leader)

    def _adopt_members(self, members: Sequence[RosterEntry]) -> list[Wish]:
        """Whoever came with another half has its place behind those who are here."""
        here = {one.device for one in self.roster}
        new = [
            msgspec.structs.replace(one, away=one.device not in self.joined)
            for one in members
            if one.device not in here
        ][: 256 - len(self.roster)]
        self.roster += new
        self._adopted |= {one.device for one in new} - self.joined
        return [Tell(Roster(self.term, self.roster)), Changed()] if new else []

    def _on_announce(self, device: str, message: Announce, now: int) -> list[Wish]:
        if message.leader == self.device:
            if message.term > self.term and not self.entry.hub:
                self.gathering = message.gathering
                return self._lead(message.term, now)  # handed over
            return []
        self.course.learn(message.history, now)
        if (message.term, message.leader) == (self.term, self.leader):
            self.rank = message.rank
            if self.role is Role.LOST and device == message.leader:
                self.role = Role.FOLLOWER
                self.course.touch(now)
            return []
        if (
            self.gathering
            and self.leader
            and self._claim(message.term, message.rank, message.leader)
            <= self._claim(self.term, self.rank, self.leader)
        ):
            return []
        self.gathering, self.rank = message.gathering, message.rank
        self.course.go_on(message.term, message.leader, now)
        self.role = Role.FOLLOWER
        self._settled = self._lost_at = now
        self._reports.pop(device, None)
        wishes: list[Wish] = [Tell(self._announcement(message.term, message.leader, now)), Changed()]
        if self.roster:
            wishes.insert(0, Tell(Roster(self.term, self.roster), message.leader))
        return wishes

    @staticmethod
    def _claim(term: int, rank: int, leader: str) -> tuple[int, int, int]:
        """The larger wins: the higher term, the older rank, the lower id."""
        return term, -rank, -int(leader, 16)

    def _announcement(self, term: int, leader: str, now: int) -> Announce:
        rank = self._rank_of(leader) if leader != self.leader else self.rank
        return Announce(self.gathering, term, leader, rank, self.course.history(now))

    def _rank_of(self, device: str) -> int:
        return next((at for at, one in enumerate(self.roster) if one.device == device), len(self.roster))

    def may_count_on(self, coming: Collection[str], calling: Collection[str]) -> bool:
        """Whether a connection with somebody of the gathering is about to stand: ``coming`` are greeting each other,
        ``calling`` haven't answered yet. Two on slow machines would otherwise each lead before they have met.
        """
        here = {one.device for one in self.roster if not one.away}
        return any(device in here for device in coming) or any(
            device in here and device != self.leader for device in calling
        )

    # -- time ----------------------------------------------------------------------------------------------

    def tick(self, now: int, *, pulling: bool) -> list[Wish]:
        """Once a second. ``pulling``: as ``may_count_on`` says."""
        wishes = self.awake(now)
        self._ticked = now
        if self.role is Role.LEADER:
            self.course.touch(now)
            wishes += self._who_is_here()
        elif self.role is Role.FOLLOWER:
            wishes += self._follow(now)
        elif self.role is Role.LOST:
            wishes += self._look(now, pulling=pulling)
        return wishes

    def awake(self, now: int) -> list[Wish]:
        """Before anything else at ``now``: who slept for longer than the others wait leads and follows nobody."""
        slept = now - self._ticked > DEAD_MS and self._ticked > 0
        if not slept or not self.gathering:
            return []
        self._ticked = now
        if self.role is Role.LOST:
            self._lost_at = now
            return []
        self._lose(now)
        return [Changed()]

    def is_direct(self, now: int) -> bool:
        """Whether this node leads, or hears the leader on a connection of its own."""
        if self.role is Role.LEADER:
            return True
        report = self._reports.get(self.leader)
        return self.leader in self.joined and self._is_of_mine(report) and now - report.at < SUSPECT_MS

    def _is_of_mine(self, report: _Report | None) -> TypeGuard[_Report]:
        return report is not None and (report.term, report.leader) == (self.term, self.leader)

    def _relayed(self, now: int) -> bool:
        """Whether somebody who is connected hears the leader. Only first hand: hearsay would go round in circles."""
        return self.leader != self.device and any(
            report.direct and device != self.leader and self._is_of_mine(report) and now - report.at < SUSPECT_MS
            for device, report in self._reports.items()
        )

    def _follow(self, now: int) -> list[Wish]:
        if self.leader in self.joined:
            if now - self._settled > SPARE_MS and self.is_direct(now):
                return [Drop(device) for device in sorted(self.joined) if self._is_spare(device, now)]
            return []
        if self._relayed(now):
            self.course.touch(now)
        elif now - self._lost_at > WAIT_MS:
            self._lose(now)
            return []
        return self._dial([self.leader], now)

    def _is_spare(self, device: str, now: int) -> bool:
        """Whether neither needs this connection: both hear the leader directly. The higher id drops it."""
        return device != self.leader and self.device > device and self._hears_itself(device)

    def _who_is_here(self) -> list[Wish]:
        """The leader's word on it: whoever is joined with it, or with somebody who is. Who was never joined with the
        leader itself keeps no place once it has gone.
        """
        relayed: set[str] = set()
        for report in self._reports.values():
            if self._is_of_mine(report) and report.direct:
                relayed |= report.joined
        relayed -= {self.device, *self.joined}
        gone = (self._relayed_now - relayed - self.joined) & self._adopted
        self._adopted -= gone
        self._relayed_now = relayed
        before, here = self.roster, {self.device, *self.joined, *relayed}
        self.roster = [
            msgspec.structs.replace(one, away=one.device not in here) for one in before if one.device not in gone
        ]
        return [] if self.roster == before else [Tell(Roster(self.term, self.roster)), Changed()]

    def _look(self, now: int, *, pulling: bool) -> list[Wish]:
        wishes: list[Wish] = []
        if not self.entry.hub:  # its members call it, and most can't be called by it
            wishes = self._dial([one.device for one in self.roster if one.device != self.device], now)
        if self._relayed(now):
            self.role = Role.FOLLOWER
            self._lost_at = now
            self.course.touch(now)
            return wishes
        waited = now - self._lost_at - self._wait_ms()
        if waited < 0 or (pulling and waited < PULL_MS):
            return wishes
        if self.entry.hub:
            return wishes + self._hand_on(now)
        older = self.roster[: self._rank_of(self.device)]
        if waited < DEFER_MS and any(self._may_lead(one) and one.device in self.joined for one in older):
            return wishes
        return wishes + self._lead(self.term + 1, now)

    def _hand_on(self, now: int) -> list[Wish]:
        """Nobody leads, and a hub can't: whoever came first of those who are here does from now on."""
        heir = next((one.device for one in self.roster if not one.hub and one.device in self.joined), "")
        if not heir:
            return []
        self.rank = self._rank_of(heir)
        self.course.go_on(self.term + 1, heir, now)
        self.role = Role.FOLLOWER
        self._settled = now
        return [Tell(self._announcement(self.term, heir, now)), Tell(Roster(self.term, self.roster)), Changed()]

    def _wait_ms(self) -> int:
        """k × 1.5 s, for the k-th of those who might lead now. Who led last comes last."""
        able = [one.device for one in self.roster if self._may_lead(one) and one.device != self.leader]
        if self.device == self.leader or self.device not in able:
            return WAIT_MS * (len(able) + 1)
        return WAIT_MS * (able.index(self.device) + 1)

    def _may_lead(self, one: RosterEntry) -> bool:
        return not one.hub and not (one.away and one.device not in self.joined) and one.device != self.leader

    def _dial(self, devices: Sequence[str], now: int) -> list[Wish]:
        wishes: list[Wish] = []
        for device in devices:
            if device not in self.joined and now - self._dialled.get(device, -DIAL_MS) >= DIAL_MS:
                self._dialled[device] = now
                wishes.append(Dial(device))
        return wishes

    def _lead(self, term: int, now: int) -> list[Wish]:
        self.role = Role.LEADER
        if all(one.device != self.device for one in self.roster):
            self.roster.append(self.entry)
        self.rank = self._rank_of(self.device)
        self.course.go_on(term, self.device, now)
        self.roster = [
            msgspec.structs.replace(one, away=one.device not in self.joined and one.device != self.device)
            for one in self.roster
        ]
        return [Tell(self._announcement(term, self.device, now)), Tell(Roster(term, self.roster)), Changed()]
