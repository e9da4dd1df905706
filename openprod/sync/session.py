"""One connection between two nodes, without the connection: frames and times go in, what to do comes out.

::

    caller                      called
    HELLO ───────────────────▶
          ◀─────────────────── HELLO        only to a HELLO that it can go on from
    AUTH  ───────────────────▶◀─── AUTH     then ``Proven``: the host answers with ``have``
    HAVE  ───────────────────▶◀─── HAVE     then ``Compare``: the host answers with ``surveyed``
    PLAN  ───────────────────▶◀─── PLAN     then ``Ask``: a person answers with ``approve`` or ``decline``
    APPROVE ─────────────────▶◀─── APPROVE  then ``Joined``; without PLAN where both sides resume
    OPS … LIVE … ACK …  both ways           ``Fetch`` → ``supply``, ``TakeIn`` → ``took``

Nothing of content goes out before ``Joined``; what comes in before it is refused and ends the connection. Every method
takes the time and returns outputs, in order. After ``Closed`` nothing comes out any more.

The host is whoever owns the connection and the replica. It calls ``tick`` once a second.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from openprod.core.bundles import SignedBundle
from openprod.core.ids import device_id
from openprod.errors import MalformedFrame
from openprod.sync import auth
from openprod.sync import messages as m
from openprod.sync.catchup import Survey
from openprod.sync.clocks import ClockReport, measure
from openprod.sync.deciding import Deciding
from openprod.sync.flow import HELD_TIPS_MAX, Flow, Outbound
from openprod.sync.outputs import (
    Ask,
    Closed,
    Compare,
    Config,
    Fetch,
    Heard,
    Joined,
    Now,
    Output,
    Proven,
    RecordsCame,
    Send,
    State,
    TakeIn,
)
from openprod.sync.plans import Offer
from openprod.sync.stretches import may_resume

HANDSHAKE_MS: Final = 10_000
SILENCE_MS: Final = 8_000
AGAIN_MS: Final = 5_000
UNKNOWN_MAX: Final = 1000
FORKS_MAX: Final = 1000
FRAMES_MAX: Final = 20_000
"""Between two ticks."""


class PeerSession:
    """See the module. ``device``: the other side's id, "" before its HELLO."""

    def __init__(self, config: Config, now: Now) -> None:
        self.config = config
        self.state = State.GREETING
        self.device = self.name = ""
        self.version = 0
        self.hub = False
        self.resumed = False
        self.gathering = ""
        self.flow = Flow()
        self._out: list[Output] = []
        self._since = self._heard = now.mono
        self._hello = self._hello_of = b""
        self._their: m.Hello | None = None
        self._transcript = b""
        self._pairing = b""
        self._resumes = False
        self._clock: ClockReport | None = None
        self._unknown = self._frames = 0
        self._tips: list[m.Tip] = []
        self._points: dict[str, list[m.Point]] = {}
        self._told_forks: set[str] = set()
        self._decision = Deciding(config.caller)
        self._approved_at_once = False

    # -- called by the host --------------------------------------------------------------------------------

    def start(self, now: Now) -> list[Output]:
        """The caller speaks first; the called side's ``start`` says nothing."""
        if self.config.caller:
            self._greet(now)
        return self._take()

    def receive(self, frame: bytes, now: Now) -> list[Output]:
        if self.state is State.CLOSED:
            return []
        self._heard = now.mono
        self._frames += 1
        if self._frames > FRAMES_MAX:
            self._end("flood", "Too many messages came at once.")
            return self._take()
        try:
            message = self.config.codec.decode(frame)
        except MalformedFrame as error:
            self._end("malformed", error.sentence)
            return self._take()
        if message is None:
            self._unknown += 1
            if self._unknown > UNKNOWN_MAX or self.state in (State.GREETING, State.PROVING):
                self._end("malformed", "A message is of a kind that isn't known here.")
                return self._take()
            return []
        handler = _HANDLERS.get(type(message))
        if handler is None:
            if self.state is State.JOINED or (isinstance(message, m.Heartbeat) and self.state in _LATER):
                self._out.append(Heard(message))
            else:
                self._unexpected(message)
        elif self.state not in handler[0]:
            self._unexpected(message)
        elif type(message) is m.Hello:
            self._on_hello(message, frame, now)
        else:
            handler[1](self, message, now)
        return self._take()

    def tick(self, now: Now) -> list[Output]:
        """Once a second."""
        self._frames = 0
        if self.state is State.CLOSED:
            return []
        if self.state in (State.GREETING, State.PROVING, State.COMPARING) and now.mono - self._since > HANDSHAKE_MS:
            self._end("timeout", "The other device didn't finish its greeting.")
            return self._take()
        if now.mono - self._heard > SILENCE_MS:
            self._end("silent", "The other device went silent.")
            return self._take()
        if self.state is State.DECIDING and now.mono - self._since > AGAIN_MS:
            # People take their time; meanwhile what was said is said again, in case it was lost.
            self._since = now.mono
            for message in self._decision.again():
                self._send(message)
        if self.state is State.JOINED:
            if self.flow.is_stalled(now.mono):
                self._end("stalled", "The other device takes nothing in.")
                return self._take()
            if self.flow.is_overdue(now.mono):
                self._survey_again()
            if self.flow.whole_ack_due(now.mono):
                self._send_all(m.acks(self.flow.my_tips(), whole=True))
            self._fetch()
        return self._take()

    def have(
        self, tips: Mapping[str, m.Tip], membership: Sequence[bytes] = (), *, approved: bool = False
    ) -> list[Output]:
        """What this replica holds, {branch: tip}: after ``Proven``, and again when it grew by more than its people's
        own edits before anybody joined: the plan is another one then. ``approved``: a person has said yes already.
        """
        if self.state not in (State.COMPARING, State.DECIDING):
            return []
        self.flow.reset_mine(tips)
        self._approved_at_once = self._approved_at_once or approved
        self._decision.mine_is(self.flow.my_tips())
        self._enter(State.COMPARING)
        self._send_all(m.haves(self.flow.my_tips(), membership))
        self._compare()
        return self._take()

    def surveyed(self, survey: Survey, offer: Offer | None, now: Now) -> list[Output]:
        if self.state is State.CLOSED:
            return []
        for log, points in survey.forks.items():
            if log not in self._told_forks:
                self._told_forks.add(log)
                self._send(m.Forked(log, points))
        if self.state is State.JOINED:
            self.flow.rewind(survey, now.mono)
            self._fetch()
        elif self._decision.theirs is not None and self._decision.mine is not None:
            self.flow.begin(survey, self._decision.theirs, now.mono)
            if self.resumed:
                self._join()
            elif offer is not None:
                self._propose(offer)
        return self._take()

    def approve(self, plan: bytes) -> list[Output]:
        """A person says yes to the plan that was asked about; any other is passed over."""
        if self.state is State.DECIDING and plan == self._decision.asked:
            self._approve(plan)
        return self._take()

    def decline(self, sentence: str = "Declined by the other side.") -> list[Output]:
        self._end("declined", sentence)
        return self._take()

    def supply(self, items: Sequence[Outbound], cursor: int, end: bool, term: int, now: Now) -> list[Output]:
        if self.state is State.JOINED:
            for message in self.flow.pack(items, cursor, end, term, now.mono):
                self._send(message)
            self._fetch()
        return self._take()

    def took(self, tips: Mapping[str, m.Tip], known: Mapping[str, int], size: int) -> list[Output]:
        """``size`` bytes of what ``TakeIn`` gave are dealt with; these branches grew by it, and are durable."""
        if self.state is State.JOINED:
            self.flow.took(tips, known, size)
            if tips:
                self._send_all(m.acks(list(tips.values())))
        return self._take()

    def news(self, tips: Mapping[str, m.Tip]) -> list[Output]:
        """The replica grew by something that didn't come over this connection."""
        self.flow.news(tips)  # before both have joined too: a whole ACK later says all that is held
        if self.state is State.JOINED:
            self._fetch()
        return self._take()

    def say(self, message: msgspec.Struct) -> list[Output]:
        """Send what concerns the gathering. Before both have joined only heartbeats go out; presence may be dropped."""
        crowded = isinstance(message, m.Presence) and self.flow.is_full
        if (self.state is State.JOINED and not crowded) or (isinstance(message, m.Heartbeat) and self.state in _LATER):
            self._send(message)
        return self._take()

    def send_records(self, records: Sequence[bytes]) -> list[Output]:
        """Membership records that the other side lacks. They aren't content: members may have them at once."""
        if self.state in _LATER:
            self._send_all(m.of_records(records))
        return self._take()

    def refuse(self, code: str, sentence: str) -> list[Output]:
        """End the connection for a reason that both sides may read."""
        self._end(code, sentence)
        return self._take()

    def leave(self, code: str = "left", sentence: str = "The other device has left.") -> list[Output]:
        self._end(code, sentence)
        return self._take()

    # -- greeting ------------------------------------------------------------------------------------------

    def _greet(self, now: Now) -> None:
        config = self.config
        self._hello = config.codec.encode(
            m.Hello(
                list(config.versions), config.key, config.workspace, config.gathering, config.history, config.nonce,
                now.wall, config.hub, config.address, auth.invitation(config.secret) if config.secret else b"",
            )
        )  # fmt: skip
        self._out.append(Send(self._hello))

    def _on_hello(self, hello: m.Hello, frame: bytes, now: Now) -> None:
        config = self.config
        version = m.common_version(config.versions, hello.versions)
        device = device_id(hello.key)
        if version is None:
            self._end("versions", "The two programs are too far apart in age: update the older one.")
        elif hello.workspace != config.workspace:
            self._end("other_workspace", "That is another production.")
        elif hello.key == config.key or hello.nonce == config.nonce:
            self._end("self", "That is this device itself, or a copy of it.")
        elif config.expected and device != config.expected:
            self._end("other_device", "Another device answered than the one that was called.")
        else:
            self.version, self.device, self.hub, self.gathering = version, device, hello.hub, hello.gathering
            self._their, self._hello_of = hello, frame
            self._clock = measure(now.wall, hello.clock_ms)
            if not config.caller:
                self._greet(now)
            hellos = (self._hello, frame) if config.caller else (frame, self._hello)
            self._transcript = auth.transcript(*hellos, config.certificate)
            self._pairing = config.secret or (config.invited(hello.invitation, device) if hello.invitation else b"")
            resumes = may_resume(config.gathering, config.history, hello.gathering, hello.history)
            self._resumes = resumes and not self._pairing  # who brings a link is new, and asked about
            proof = auth.proof(self._pairing, self._transcript, self._side) if self._pairing else b""
            device_name = config.device_name if version >= m.NAMED else ""
            said = m.Auth(bytes(64), proof, self._resumes, config.name, device_name)
            signature = config.sign(auth.signed_part(self._transcript, self._side, auth.rest(said, version)))
            self._send(msgspec.structs.replace(said, signature=signature))
            self.state = State.PROVING

    @property
    def _side(self) -> auth.Side:
        return "caller" if self.config.caller else "called"

    @property
    def their_history(self) -> list[m.Stretch]:
        return self._their.history if self._their is not None else []

    @property
    def their_address(self) -> str:
        return self._their.address if self._their is not None else ""

    @property
    def secret(self) -> bytes:
        """32 bytes that only the two sides of this connection know; empty before both have greeted."""
        return self._transcript

    def _on_auth(self, message: m.Auth, now: Now) -> None:
        config, their = self.config, self._their
        assert their is not None
        assert self._clock is not None
        side: auth.Side = "called" if config.caller else "caller"
        part = auth.signed_part(self._transcript, side, auth.rest(message, self.version))
        if not auth.holds(their.key, message.signature, part):
            self._end("unproven", "The other device didn't prove who it is.")
            return
        paired = bool(self._pairing and message.proof) and auth.proves(
            self._pairing, self._transcript, side, message.proof
        )
        if why_not := config.admit(their.key, paired):
            spent = (config.secret or their.invitation) and not paired  # each side says it of the other
            self._end("not_admitted", f"{why_not} {_SPENT}" if spent else why_not)
            return
        self.name = message.name
        device_name = message.device_name if self.version >= m.NAMED else ""  # else nobody signed it
        self.resumed = self._resumes and message.resume
        self.state = State.COMPARING
        self._out.append(
            Proven(
                self.device, their.key, message.name, self.hub, paired, self.resumed, their.gathering, their.history,
                self._clock, device_name,
            )
        )  # fmt: skip

    # -- comparing and deciding ----------------------------------------------------------------------------

    def _on_have(self, message: m.Have, now: Now) -> None:
        self._tips += message.tips
        if len(self._tips) > HELD_TIPS_MAX:
            self._end("flood", _TOO_MANY)
        elif not message.more:
            whole, self._tips = m.Have(self._tips, message.membership), []
            self._decision.theirs_is(whole.tips)
            self._enter(State.COMPARING)
            self._out.append(Heard(whole))  # for its membership
            self._compare()

    def _on_records(self, message: m.Records, now: Now) -> None:
        self._out.append(RecordsCame(message.records))

    def _on_forked(self, message: m.Forked, now: Now) -> None:
        if message.log in self._points or len(self._points) >= FORKS_MAX:
            return
        self._points[message.log] = message.points
        if self.state is State.JOINED:
            self._survey_again()
        else:
            self._compare()

    def _compare(self) -> None:
        if self._decision.theirs is not None and self._decision.mine is not None:
            self._out.append(Compare(self._decision.theirs, dict(self._points), offer=not self.resumed))

    def _survey_again(self) -> None:
        self._out.append(Compare(self.flow.their_tips(), dict(self._points), offer=False))

    def _propose(self, offer: Offer) -> None:
        self._enter(State.DECIDING)
        self._send(self._decision.propose(offer, self._transcript))
        self._ask()

    def _on_plan(self, message: m.Plan, now: Now) -> None:
        if self.state is State.JOINED:
            if message.id == self._decision.approved:
                self._send(m.Approve(message.id))  # it was lost, then
            return
        self._decision.plan_of = message
        self._ask()

    def _ask(self) -> None:
        """Once both plans for the same state are here."""
        coming = self._decision.coming(self.device, self.name) if self.state is State.DECIDING else None
        if coming is not None and self._approved_at_once:
            self._approve(coming.id)
        elif coming is not None:
            self._out.append(Ask(coming))

    def _approve(self, id: bytes) -> None:
        self._decision.approved = id
        self._send(m.Approve(id))
        self._join_when_both_want()

    def _on_approve(self, message: m.Approve, now: Now) -> None:
        self._decision.approved_of = message.id
        self._join_when_both_want()

    def _join_when_both_want(self) -> None:
        if self.state is State.DECIDING and self._decision.is_mutual:
            self._join()

    def _join(self) -> None:
        self.state = State.JOINED
        self._out.append(Joined(self.resumed))
        self._fetch()

    # -- content -------------------------------------------------------------------------------------------

    def _on_ops(self, message: m.Ops, now: Now) -> None:
        self._take_in([SignedBundle(one.body, one.signature) for one in message.bundles])

    def _on_piece(self, message: m.Piece, now: Now) -> None:
        whole = self.flow.piece(message)
        if whole is not None:
            self._take_in([whole])

    def _on_live(self, message: m.Live, now: Now) -> None:
        if self.flow.misses(message) and self.flow.gap_may_be_told(now.mono):
            self._send_all(m.acks(self.flow.my_tips(), whole=True))
        self._take_in([SignedBundle(message.bundle.body, message.bundle.signature)])

    def _take_in(self, bundles: list[SignedBundle]) -> None:
        if not self.flow.may_take(bundles):
            self._end("flood", "More came at once than was agreed.")
        elif bundles:
            self._out.append(TakeIn(bundles))

    def _on_ack(self, message: m.Ack, now: Now) -> None:
        if not self.flow.acknowledged(message.tips, message.whole, now.mono):
            self._end("flood", _TOO_MANY)
            return
        self._out.append(Heard(message))
        if message.whole and self.flow.is_idle:
            self._survey_again()
        self._fetch()

    def _on_credit(self, message: m.Credit, now: Now) -> None:
        if self.flow.credit(message.size):
            self._survey_again()
        self._fetch()

    def _fetch(self) -> None:
        wanted = self.flow.want()
        if wanted is not None:
            self._out.append(Fetch(*wanted))

    # -- ending --------------------------------------------------------------------------------------------

    def _on_end(self, message: m.Refuse | m.Bye, now: Now) -> None:
        self.state = State.CLOSED
        self._out.append(Closed(message.code, message.sentence, True))

    def _unexpected(self, message: Any) -> None:
        content = isinstance(message, (m.Ops, m.Live, m.Piece))
        self._end(
            "unapproved" if content else "unexpected",
            "Content came before both sides had agreed." if content else "A message came out of turn.",
        )

    def _end(self, code: str, sentence: str) -> None:
        if self.state is not State.CLOSED:
            early = self.state in (State.GREETING, State.PROVING)
            self._send(m.Refuse(code, sentence) if early else m.Bye(code, sentence))
            self.state = State.CLOSED
            self._out.append(Closed(code, sentence, False))

    def _enter(self, state: State) -> None:
        self.state, self._since = state, self._heard

    def _send(self, message: msgspec.Struct) -> None:
        self._out.append(Send(self.config.codec.encode(message)))

    def _send_all(self, messages: Iterable[msgspec.Struct]) -> None:
        for message in messages:
            self._send(message)

    def _take(self) -> list[Output]:
        out, self._out = self._out, []
        return out


_TOO_MANY: Final = "It says to hold more logs than any device does."
_SPENT: Final = "The link has ended, or another device has used it."
_EARLY = frozenset({State.GREETING})
_LATER = frozenset({State.COMPARING, State.DECIDING, State.JOINED})
_UNDECIDED = frozenset({State.COMPARING, State.DECIDING})
_CONTENT = frozenset({State.JOINED})
_HANDLERS: dict[type, tuple[frozenset[State], Callable[..., None]]] = {
    m.Hello: (_EARLY, PeerSession._on_hello),
    m.Auth: (frozenset({State.PROVING}), PeerSession._on_auth),
    m.Refuse: (frozenset(State), PeerSession._on_end),
    m.Bye: (frozenset(State), PeerSession._on_end),
    m.Have: (_UNDECIDED, PeerSession._on_have),
    m.Records: (_LATER, PeerSession._on_records),
    m.Forked: (_LATER, PeerSession._on_forked),
    m.Plan: (_LATER, PeerSession._on_plan),
    m.Approve: (_LATER, PeerSession._on_approve),
    m.Ops: (_CONTENT, PeerSession._on_ops),
    m.Piece: (_CONTENT, PeerSession._on_piece),
    m.Live: (_CONTENT, PeerSession._on_live),
    m.Ack: (_CONTENT, PeerSession._on_ack),
    m.Credit: (_CONTENT, PeerSession._on_credit),
}
