"""A node among others, without sockets and without a replica: every connection's PeerSession, and the election.

The host (``openprod.sync.service``, or a simulation) owns sockets, the replica and the clocks. It tells what happened
and does what comes back:

====================================  =====================================================================
it tells                              it does
====================================  =====================================================================
``opened`` ``received`` ``closed``    ``Transmit`` a frame · ``Disconnect`` · ``Connect`` to a device
``tick`` once a second                ``Do``: an output of one connection that the host has to answer
``held`` ``compared`` ``supplied``
``took`` ``approve`` ``decline``      ``Notice``: something that people or pages may want to know
``committed`` ``presence``
``host`` ``leave`` ``end`` ``want``
====================================  =====================================================================

``Now.mono`` must count the time that the machine slept (CLOCK_BOOTTIME): a leader that slept has to notice.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias

import msgspec

from openprod.core.ids import device_id
from openprod.sync import messages as m
from openprod.sync.catchup import Survey, spread
from openprod.sync.clocks import FINE, WARN_MS, Clocks
from openprod.sync.election import Changed, Dial, Drop, Election, Role, Tell, Wish
from openprod.sync.flow import HELD_TIPS_MAX, Outbound
from openprod.sync.outputs import Closed, Config, Heard, Joined, Now, Output, Proven, Send, State, nobody
from openprod.sync.plans import Offer
from openprod.sync.session import PeerSession
from openprod.sync.stretches import SLACK_MS, is_behind

CONNECTIONS_MAX: Final = 64
_LEFT: Final = frozenset({"left", "ended"})
_COMING: Final = frozenset({State.GREETING, State.PROVING, State.COMPARING})
STORED_MAX: Final = 200
_OF_THEMSELVES: Final = frozenset({"left", "ended"})
"""What these say is as true here as there; of the rest “this device” and “the other” are said from the other side."""


class Transmit(NamedTuple):
    connection: int
    frame: bytes


class Disconnect(NamedTuple):
    """Once what was transmitted before has gone out. ``theirs``: the other side said so."""

    connection: int
    device: str
    code: str
    sentence: str
    theirs: bool = False


class Connect(NamedTuple):
    device: str


class Do(NamedTuple):
    """``output``: Proven → ``held``; Compare → ``compared``; Fetch → ``supplied``; TakeIn → ``took``; Ask → ``approve``
    or ``decline``; RecordsCame; Heard for presence, membership, manifests, chunks and blobs.
    """

    connection: int
    device: str
    output: Output


class Notice(NamedTuple):
    """``what``: joined, resumed, lost, changed (who leads or who is here), clock (``Peer.clocks.report``)."""

    what: str
    device: str = ""
    sentence: str = ""
    connection: int = 0


Effect: TypeAlias = Transmit | Disconnect | Connect | Do | Notice


class PeerConfig(msgspec.Struct, frozen=True, kw_only=True):
    """As in ``outputs.Config``. ``nonce``: 32 fresh random bytes at each call."""

    workspace: str
    key: bytes
    sign: Callable[[bytes], bytes]
    nonce: Callable[[], bytes]
    admit: Callable[[bytes, bool], str]
    name: str = ""
    device_name: str = ""
    address: str = ""
    hub: bool = False
    invited: Callable[[bytes, str], bytes] = nobody


class _Link:
    """``device``: "" until it is proven; ``target``: whom we called; ``paired``: by a link's secret."""

    __slots__ = ("caller", "device", "entry", "paired", "session", "target")

    def __init__(self, session: PeerSession, caller: bool, target: str) -> None:
        self.session, self.caller, self.device, self.target = session, caller, "", target
        self.entry: m.RosterEntry | None = None
        self.paired = False


class Peer:
    def __init__(self, config: PeerConfig, acknowledged: dict[str, dict[str, int]] | None = None) -> None:
        """``acknowledged``: {device: {log: seq on its disk}}, as far as is known; kept up to date."""
        self.config = config
        self.device = device_id(config.key)
        self.election = Election(m.RosterEntry(self.device, config.name[:60], config.address, config.hub))
        self.clocks = Clocks()
        self._clock_told = FINE
        self._links: dict[int, _Link] = {}
        self._acknowledged: dict[str, dict[str, int]] = {} if acknowledged is None else acknowledged
        self._out: list[Effect] = []

    # -- what is so ----------------------------------------------------------------------------------------

    @property
    def gathering(self) -> str:
        return self.election.gathering

    @property
    def leads(self) -> bool:
        return self.election.role is Role.LEADER

    @property
    def joined(self) -> list[str]:
        return sorted(self.election.joined)

    @property
    def has_told_all(self) -> bool:
        """Whether whoever has joined has stored all that is here."""
        sessions = [link.session for link in self._links.values()]
        return all(session.flow.is_idle for session in sessions if session.state is State.JOINED)

    def connections_with(self, device: str) -> list[int]:
        """Those that stand or are coming; whoever greets as that device may still have to prove it."""
        return [number for number, link in self._links.items() if link.session.device == device]

    def spread(self, log: str, seq: int) -> tuple[bool, int]:
        """(on the leader's disk, on how many other devices), as far as is known here."""
        leader = self.election.leader
        on_leader = self.leads or self._acknowledged.get(leader, {}).get(log, 0) >= seq
        return on_leader, spread(log, seq, self._acknowledged)

    # -- what people do ------------------------------------------------------------------------------------

    def host(self, gathering: str, now: Now) -> list[Effect]:
        """Begin a gathering and lead it. ``gathering``: 32 random hex digits."""
        self._do(self.election.host(gathering, now.mono))
        return self._with_those_here(now)

    def keep(self, gathering: str, history: Sequence[m.Stretch], now: Now) -> list[Effect]:
        """A hub's part: keep a gathering open that others lead. ``history``: as noted before this program ended."""
        self._do(self.election.keep(gathering, history, now.mono))
        return self._with_those_here(now)

    def _with_those_here(self, now: Now) -> list[Effect]:
        """Who joined before there was a gathering, or after the last one ended, is in it."""
        for link in list(self._links.values()):
            if link.session.state is State.JOINED and link.entry is not None:
                self._do(self.election.connected(link.entry, now.mono))
        return self._take()

    def leave(self, now: Now) -> list[Effect]:
        """Everybody keeps what they have. A leader hands over."""
        self._do(self.election.leave(now.mono))
        self._goodbye("left", "The other device has left.", now)
        return self._take()

    def end(self, now: Now) -> list[Effect]:
        """Close the gathering for all; as a member: leave."""
        self._do(self.election.end(now.mono))
        self._goodbye("ended", "The gathering was closed.", now)
        return self._take()

    def want(self, device: str) -> list[Effect]:
        """Connect to a device that was found or named, unless that is so already."""
        self._connect(device)
        return self._take()

    def moves_to(self, address: str) -> list[Effect]:
        """This device can be called there from now on."""
        if address != self.config.address:
            self.config = msgspec.structs.replace(self.config, address=address)
            self._do(self.election.moves_to(address))
        return self._take()

    # -- connections ---------------------------------------------------------------------------------------

    def opened(
        self,
        connection: int,
        now: Now,
        *,
        caller: bool,
        certificate: bytes = b"",
        expected: str = "",
        secret: bytes = b"",
    ) -> list[Effect]:
        """``connection``: any number that isn't in use."""
        config = self.config
        self._do(self.election.awake(now.mono))
        session = PeerSession(
            Config(
                caller=caller, workspace=config.workspace, key=config.key, sign=config.sign, nonce=config.nonce(),
                admit=config.admit, gathering=self.gathering, history=self.election.course.history(now.mono),
                certificate=certificate, secret=secret, expected=expected, name=config.name[:60],
                device_name=config.device_name[:60], address=config.address, hub=config.hub, invited=config.invited,
            ),
            now,
        )  # fmt: skip
        self._links[connection] = _Link(session, caller, expected)
        if len(self._links) > CONNECTIONS_MAX:
            # Strangers who say nothing keep nobody out: of those that have proved nothing, the oldest goes.
            unproven = next(at for at, link in self._links.items() if not link.device)
            full = self._links[unproven].session.refuse("full", "Too many devices are connected.")
            self._handle(unproven, full, now)
        if connection in self._links:
            self._handle(connection, session.start(now), now)
        return self._take()

    def received(self, connection: int, frame: bytes, now: Now) -> list[Effect]:
        self._do(self.election.awake(now.mono))
        link = self._links.get(connection)
        if link is not None:
            self._handle(connection, link.session.receive(frame, now), now)
        return self._take()

    def closed(self, connection: int, now: Now, why: str = "") -> list[Effect]:
        """The connection is gone, whoever ended it. ``why``: a sentence, where more is known."""
        self._gone(connection, now, "closed", why or "The connection was lost.", left=False)
        return self._take()

    def tick(self, now: Now, calling: Collection[str] = ()) -> list[Effect]:
        """``calling``: devices that are being called, and where nobody has answered yet."""
        self._do(self.election.awake(now.mono))
        for connection, link in list(self._links.items()):
            self._handle(connection, link.session.tick(now), now)
        coming = [link.session.device or link.target for link in self._links.values() if link.session.state in _COMING]
        pulling = self.election.may_count_on(coming, calling)
        self._do(self.election.tick(now.mono, pulling=pulling))
        self._judge_clock()
        for connection, link in list(self._links.items()):
            self._handle(connection, link.session.say(self._heartbeat(link.device, now)), now)
        return self._take()

    def _judge_clock(self) -> None:
        before = self._clock_told
        report = self.clocks.judge(self.election.joined, "" if self.leads else self.election.leader)
        other = report.verdict is not before.verdict and abs(report.offset_ms - before.offset_ms) > WARN_MS // 4
        if other or abs(report.correction_ms - before.correction_ms) > WARN_MS:
            self._clock_told = report
            self._out.append(Notice("clock", sentence=report.sentence))

    def _heartbeat(self, device: str, now: Now) -> m.Heartbeat:
        election = self.election
        stored = [
            m.Stored(other, log, seq)
            for other, logs in self._acknowledged.items()
            if (self.leads or self.config.hub) and device and other != device
            for log, seq in logs.items()
            if log.startswith(device + "-")
        ]
        leader = "" if election.role is Role.LOST else election.leader
        direct, joined = election.is_direct(now.mono), self.joined[: CONNECTIONS_MAX - 1]
        clock_ms = max(0, self.clocks.told_ms(now.wall, leads=self.leads))
        return m.Heartbeat(election.term, leader, direct, clock_ms, stored[:STORED_MAX], joined)

    # -- the host's answers --------------------------------------------------------------------------------

    def held(
        self,
        connection: int,
        tips: Mapping[str, m.Tip],
        membership: Sequence[bytes],
        now: Now,
        *,
        approved: bool = False,
    ) -> list[Effect]:
        """To ``Proven``; also whenever the replica grew by a merge before that connection had joined."""
        return self._answer(connection, now, lambda session: session.have(tips, membership, approved=approved))

    def compared(self, connection: int, survey: Survey, offer: Offer | None, now: Now) -> list[Effect]:
        return self._answer(connection, now, lambda session: session.surveyed(survey, offer, now))

    def supplied(self, connection: int, items: Sequence[Outbound], cursor: int, end: bool, now: Now) -> list[Effect]:
        term = self.election.term
        return self._answer(connection, now, lambda session: session.supply(items, cursor, end, term, now))

    def took(
        self, connection: int, tips: Mapping[str, m.Tip], known: Mapping[str, int], size: int, now: Now
    ) -> list[Effect]:
        """``TakeIn`` is dealt with and durable: these branches grew. Everybody else hears of it."""
        effects = self._answer(connection, now, lambda session: session.took(tips, known, size))
        return effects + (self.committed(tips, now, but=connection) if tips else [])

    def refused(self, connection: int, code: str, sentence: str, now: Now) -> list[Effect]:
        """What ``TakeIn`` gave was no good: end the connection."""
        return self._answer(connection, now, lambda session: session.refuse(code, sentence))

    def approve(self, connection: int, plan: bytes, now: Now) -> list[Effect]:
        return self._answer(connection, now, lambda session: session.approve(plan))

    def decline(self, connection: int, now: Now) -> list[Effect]:
        return self._answer(connection, now, lambda session: session.decline())

    def committed(self, tips: Mapping[str, m.Tip], now: Now, *, but: int | None = None) -> list[Effect]:
        """The replica grew: whoever has joined gets it."""
        for connection, link in list(self._links.items()):
            if connection != but:
                self._handle(connection, link.session.news(tips), now)
        return self._take()

    def say(self, message: msgspec.Struct, now: Now, *, connection: int | None = None) -> list[Effect]:
        """Presence to everybody; manifests, chunks and blobs to one."""
        for at, link in list(self._links.items()):
            if connection is None or at == connection:
                self._handle(at, link.session.say(message), now)
        return self._take()

    def send_records(self, connection: int, records: Sequence[bytes], now: Now) -> list[Effect]:
        return self._answer(connection, now, lambda session: session.send_records(records))

    def _answer(self, connection: int, now: Now, answer: Callable[[PeerSession], list[Output]]) -> list[Effect]:
        link = self._links.get(connection)
        if link is not None:
            self._handle(connection, answer(link.session), now)
        return self._take()

    # -- inside --------------------------------------------------------------------------------------------

    def _handle(self, connection: int, outputs: Iterable[Output], now: Now) -> None:
        link = self._links.get(connection)
        if link is None:
            return
        for output in outputs:
            if isinstance(output, Send):
                self._out.append(Transmit(connection, output.frame))
            elif isinstance(output, Closed):
                told = Disconnect(connection, link.session.device, output.code, output.sentence, output.theirs)
                self._out.append(told)
                quoted = (output.theirs and output.code not in _OF_THEMSELVES) or output.code == "not_admitted"
                sentence = f"“{output.sentence}”" if quoted else output.sentence
                self._gone(connection, now, output.code, sentence, left=output.theirs and output.code in _LEFT)
            elif isinstance(output, Proven):
                if self._is_second(connection, link, output, now):
                    return
                self.clocks.heard(output.device, now.wall, now.wall + output.clock.offset_ms)
                self._out.append(Do(connection, output.device, output))
            elif isinstance(output, Joined):
                self._joined(connection, link, output, now)
            elif isinstance(output, Heard):
                self._heard(connection, link, output, now)
            else:
                self._out.append(Do(connection, link.device, output))

    def _is_second(self, connection: int, link: _Link, proven: Proven, now: Now) -> bool:
        """Two connections with one device: the one that proved a link's secret stays, else the one that the lower id
        called; a newer by the same takes over. Both sides see the same.
        """
        link.device, link.paired = proven.device, proven.paired
        link.entry = m.RosterEntry(proven.device, proven.name[:60], link.session.their_address, proven.hub)
        for other, old in list(self._links.items()):
            if other == connection or old.device != proven.device:
                continue
            lower_calls = (self.device < proven.device) == link.caller
            stays = link.paired if link.paired != old.paired else lower_calls or old.caller == link.caller
            worse = other if stays else connection
            loser = self._links[worse]
            self._handle(worse, loser.session.leave("second", "There is another connection already."), now)
            if worse == connection:
                return True
        return False

    def _joined(self, connection: int, link: _Link, output: Joined, now: Now) -> None:
        assert link.entry is not None
        if output.resumed and not self._goes_on(connection, link, now):
            return
        what = "resumed" if output.resumed else "joined"
        self._out.append(Notice(what, link.device, connection=connection))
        self._do(self.election.connected(link.entry, now.mono))
        self._judge_clock()

    def _goes_on(self, connection: int, link: _Link, now: Now) -> bool:
        """Going on without asking: with the stretch that was greeted with, and with one half only.

        Whoever stayed behind takes over the other's stretch at once and lets all other connections go: over those that
        come again, both sides see where it belongs now, and people are asked where that is another half.
        """
        greeted, theirs, election = link.session.config, link.session.their_history, self.election
        mine, present = greeted.history, election.course.history(now.mono)[:1]
        ended = election.gathering != greeted.gathering or not present
        # In touch again with those it had lost, over another connection: what was said of it holds no more.
        back = not ended and mine[0].age_ms - present[0].age_ms > SLACK_MS
        if ended or back or (mine[0].term, mine[0].leader) != (election.term, election.leader):
            self._handle(connection, link.session.leave("moved_on", "This device has gone on with others."), now)
            return False
        if is_behind(mine, theirs):
            for other, old in list(self._links.items()):
                if other != connection:
                    self._handle(other, old.session.leave("moved_on", "This device has gone on with others."), now)
            election.course.learn(theirs, now.mono)
            self._do(election.take_over(theirs[0].term, theirs[0].leader, now.mono))
        return True

    def _heard(self, connection: int, link: _Link, output: Heard, now: Now) -> None:
        message = output.message
        if isinstance(message, (m.Ack, m.Have)):
            logs = self._acknowledged.setdefault(link.device, {})
            if isinstance(message, m.Have):
                logs.clear()  # it is all that the other holds, and may be less than once
            for tip in message.tips:
                _note(logs, tip.log, max(tip.seq, logs.get(tip.log, 0)))
        if isinstance(message, m.Heartbeat):
            leads = message.leader == link.device and self.device in message.joined
            self.clocks.heard(link.device, now.wall, message.clock_ms, leads=leads)
            here = {one.device for one in self.election.roster}
            for stored in message.stored:
                if stored.device in here and stored.log.startswith(self.device + "-"):
                    _note(self._acknowledged.setdefault(stored.device, {}), stored.log, stored.seq)
        if isinstance(message, (m.Heartbeat, m.Announce, m.Roster, m.End)):
            if link.session.state is State.JOINED:
                self._do(self.election.heard(link.device, message, now.mono))
        elif not isinstance(message, m.Ack):
            self._out.append(Do(connection, link.device, output))

    def _gone(self, connection: int, now: Now, code: str, sentence: str, *, left: bool) -> None:
        link = self._links.pop(connection, None)
        if link is None or not link.device:
            return
        if any(other.device == link.device and other.session.state is State.JOINED for other in self._links.values()):
            return
        if link.device in self.election.joined and code not in ("second", "spare"):
            self._out.append(Notice("lost", link.device, sentence))
        self._do(self.election.lost(link.device, now.mono, left=left))

    def _goodbye(self, code: str, sentence: str, now: Now) -> None:
        for connection, link in list(self._links.items()):
            self._handle(connection, link.session.leave(code, sentence), now)

    def _do(self, wishes: Iterable[Wish]) -> None:
        for wish in wishes:
            if isinstance(wish, Tell):
                for connection, link in self._links.items():
                    if not wish.to or link.device == wish.to:
                        for output in link.session.say(wish.message):
                            assert isinstance(output, Send)
                            self._out.append(Transmit(connection, output.frame))
            elif isinstance(wish, Dial):
                self._connect(wish.device)
            elif isinstance(wish, Drop):
                self._drop(wish.device)
            elif isinstance(wish, Changed):
                self._out.append(Notice("changed"))

    def _connect(self, device: str) -> None:
        if device != self.device and all(device not in (link.device, link.target) for link in self._links.values()):
            self._out.append(Connect(device))

    def _drop(self, device: str) -> None:
        for connection, link in list(self._links.items()):
            if link.device == device:
                for output in link.session.leave("spare", "Both hear the leader directly."):
                    if isinstance(output, Send):
                        self._out.append(Transmit(connection, output.frame))
                self._out.append(Disconnect(connection, device, "spare", ""))
                self._links.pop(connection)
                self.election.joined.discard(device)

    def _take(self) -> list[Effect]:
        out, self._out = self._out, []
        return out


def _note(logs: dict[str, int], log: str, seq: int) -> None:
    """Of any number of logs that somebody says it holds, as many as a device may."""
    if log in logs or len(logs) < HELD_TIPS_MAX:
        logs[log] = seq
