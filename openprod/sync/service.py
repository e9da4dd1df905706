"""A node's part in gatherings: host, join, leave, end; who is here; what waits for a person's word.

Made by the node that serves a workspace. Nothing listens and nothing is sent until a person hosts or joins; after
leaving, nothing does again. What waits for a person is in ``status``; ``changed`` waits for another one.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

import anyio
import msgspec
from anyio.abc import TaskGroup

from openprod.engine.workspace import Workspace
from openprod.errors import Denied, OpenprodError, Stale
from openprod.sync import certificates, known, pairing, replica
from openprod.sync import messages as m
from openprod.sync.admission import Admission
from openprod.sync.asking import Asking
from openprod.sync.clocks import FINE, ClockReport, Verdict
from openprod.sync.discovery import Announcement
from openprod.sync.election import Role
from openprod.sync.happened import Happened
from openprod.sync.hosting import Connection, Hosting, now
from openprod.sync.nearby import Nearby
from openprod.sync.outputs import Proven
from openprod.sync.peer import Notice, PeerConfig
from openprod.sync.reach import EVERYWHERE, LOOK_S, listen_at, own_addresses, reach, reach_known
from openprod.sync.spoken import Me
from openprod.sync.standing import Standing
from openprod.sync.transport import PAIRING, Channel, Listening, Transport, WebSocketTransport
from openprod.sync.wanting import WANTED_MS, Wanting, parse_wish

CALL_AGAIN_MS: Final = 3_000
COOL_MS: Final = 300_000
ELSEWHERE_MS: Final = 15_000
GOODBYE_S: Final = 5.0
LAST_WORDS_S: Final = 5.0
_ELSEWHERE: Final = "The gathering is led by another device."
_FINAL: Final = frozenset({"declined", "not_admitted", "versions", "other_workspace", "self"})
_log = logging.getLogger(__name__)


class PeerService(Wanting):
    def __init__(
        self, workspace: Workspace, *, home: Path, transport: Transport | None = None, hub: bool = False
    ) -> None:
        """``hub``: never lead, store what members send without asking anybody, and keep the gathering open."""
        self.workspace = workspace
        self._standing = Standing(home / "peers" / f"{workspace.id}.hub") if hub else None
        self._home = home
        self._transport = transport
        self._known = known.KnownDevices(home / "peers", workspace.id)
        self._admission = Admission(workspace, self._known)
        self._stored = self._known.stored
        self._tasks: TaskGroup | None = None
        self._hosting: Hosting | None = None
        self._listening: Listening | None = None
        self._is_private = False
        self._scope: anyio.CancelScope | None = None
        self._starting = anyio.Lock()
        self._listen, self._given, self._addresses = EVERYWHERE, list[str](), list[str]()
        self._invitations = _invitations()
        who = workspace.identity
        self._me = Me(bytes(who.key.verify_key), who.name, who.device_name)
        self._hosts = Asking(self.moved)
        self._coming: anyio.CancelScope | None = None
        self._nearby = Nearby(
            self._me, workspace=workspace.id,
            title=lambda: workspace.name, invitations=lambda: self._invitations, said=self.said, moved=self.moved,
            now_ms=lambda: now().mono,
        )  # fmt: skip
        self._joining = self._problem = ""
        self._plans = {}
        self._happened = Happened()
        self._cooling: dict[str, int] = {}
        self._called: dict[str, int] = {}
        self._calling: set[str] = set()
        self._beyond: set[str] = set()
        self._was_in = self._closing = False
        self._revision = self._wanted_until = 0
        self._shown: dict[str, Any] = {}
        self._moved = anyio.Event()

    async def run(self) -> None:
        """Until cancelled."""
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            try:
                await anyio.sleep_forever()
            finally:
                self._tasks = None
                with anyio.CancelScope(shield=True):
                    await self._stop(self._hosting)

    def close(self) -> None:
        """The node is about to stop: whoever waits is answered."""
        self._closing = True
        self.moved()

    # -- what people do ------------------------------------------------------------------------------------

    async def host(
        self, *, role: str = "editor", trust_link: bool = False, listen: str = EVERYWHERE, port: int | None = None,
        addresses: Sequence[str] = (),
    ) -> dict[str, Any]:  # fmt: skip
        """Begin a gathering, unless this node is in one; the answer holds a link and a spoken code, each for one more
        device, as ``role``: "" where this device isn't an owner's. The first makes it the production's owner.

        Whoever comes is asked about, unless it brings a link made with ``trust_link``. ``addresses``: where others can
        call this device, in place of what it finds out itself. Raises InputError.
        """
        hosting = await self._open(listen, port, addresses)
        if not hosting.peer.gathering:
            self._begin(hosting)
        link = await self._link(role, trusted=trust_link)
        return {**self.status(), "link": link, "code": self._nearby.code(role) if link else ""}

    def _begin(self, hosting: Hosting) -> None:
        if self._standing is None:
            hosting.do(hosting.peer.host(secrets.token_hex(16), now()))
            self.said("You host.")
        else:
            at = now()
            hosting.do(hosting.peer.keep(self._standing.gathering, self._standing.history(at), at))
            self.said("This is a hub: members can come at any time.")

    async def join(
        self, link: str = "", *, at: str = "", yes: bool = False, listen: str = EVERYWHERE, port: int | None = None,
        addresses: Sequence[str] = (),
    ) -> dict[str, Any]:  # fmt: skip
        """``link``: call whoever made it; or the words of a spoken code, of the device ``at`` an address or of the one
        nearby; or addresses of a member; "": those who were here before; from within a gathering too, also after a
        declined plan: they may be in one of their own. What comes is asked about (``status``: hosts, plans), unless
        ``yes``.

        Raises InputError, Unreachable, Untrusted; Stale while in a gathering, for another one or where another leads.
        """
        wish = parse_wish(link, self.workspace.id)
        if self._hosting is not None and self._hosting.peer.gathering and link:
            raise Stale("This device is in a gathering already.", hint="Leave it first: openprod leave.")
        self._give_up()
        if wish.code:
            return self._by_code(wish.code, at, yes, listen=listen, port=port, addresses=addresses)
        hosting = await self._open(listen, port, addresses)
        self._wanted_until = now().mono + WANTED_MS
        if hosting.peer.gathering:
            return self._look_again(hosting)
        self._joining, self._problem = "calling", ""
        self._beyond.clear()
        secret = b""
        try:
            if wish.places:
                channel = await reach(self._network, wish.places, wish.certificate)
                expected, secret = wish.device, wish.key
                if expected:  # also if this connection ends before anybody has decided
                    self._known.add(expected, "", [known.text(*one) for one in wish.places], wish.certificate)
            else:
                on_air = isinstance(self._network, WebSocketTransport) and not self._is_private
                channel, expected = await self._reach_any(LOOK_S if on_air else 0)
        except OpenprodError as error:
            self._fail(error.sentence)
            await self._stop(self._hosting)
            raise
        self._cooling.clear()
        if not secret and expected and self._hand_on(expected, yes, proven=True):
            await channel.close()
        else:
            self._serve(channel, caller=True, secret=secret, expected=expected, wanted=True, yes=yes)
        return self.status()

    def _look_again(self, hosting: Hosting) -> dict[str, Any]:
        if not hosting.peer.leads:
            raise Stale("Another device leads here, and looks for the others.", hint="Do it there, or leave first.")
        self._cooling.clear()
        self._called.clear()
        self.ticked()
        for one in self._known.all():
            if one.device not in self._admission.removed:
                hosting.do(hosting.peer.want(one.device))
        return self.status()

    async def leave(self) -> dict[str, Any]:
        """Everybody keeps what they have; a leader hands over."""
        return await self._depart("leave", "You left.")

    async def end(self) -> dict[str, Any]:
        """Close the gathering for all; only its leader can. Raises Denied."""
        if self._hosting is not None and not self._hosting.peer.leads:
            raise Denied("Only the device that leads can end it for all.", hint="Leave instead: openprod leave.")
        return await self._depart("end", "You ended it for all.")

    async def _depart(self, how: str, sentence: str) -> dict[str, Any]:
        hosting = self._hosting
        self._give_up()
        if hosting is not None:
            await self._tell_all(hosting)
            hosting.do(hosting.peer.leave(now()) if how == "leave" else hosting.peer.end(now()))
            await self._stop(hosting)
            self.said(sentence)
        self._joining = ""
        return self.status()

    async def _tell_all(self, hosting: Hosting) -> None:
        """Whoever leaves takes nothing home that the others could have had."""
        with anyio.move_on_after(LAST_WORDS_S):
            while not hosting.has_told_all:
                if self._moved.is_set():
                    self._moved = anyio.Event()
                await self._moved.wait()

    async def _link(self, role: str, *, trusted: bool) -> str:
        """ "" where this device may let nobody in."""
        if not await self._admission.may_invite(role):
            return ""
        secret = self._invitations.make(note=role, trusted=trusted)
        return pairing.link(self._addresses, self._device, self._network.certificate, secret, self.workspace.id)

    def _find_addresses(self, listening: Listening) -> None:
        """Where others may call this device now: it may be on another network than before."""
        self._addresses = self._given or [known.text(one, listening.port) for one in own_addresses(self._listen)]

    # -- listening and calling -----------------------------------------------------------------------------

    @property
    def _network(self) -> Transport:
        if self._transport is None:
            self._transport = WebSocketTransport(certificates.load(self._home))
        return self._transport

    async def _open(self, listen: str, port: int | None, addresses: Sequence[str]) -> Hosting:
        async with self._starting:
            if self._hosting is not None:
                return self._hosting
            assert self._tasks is not None, "not running"
            self._known.hold()
            try:
                listening = await listen_at(self._network, listen, port, self._accepted)
            except OpenprodError:
                self._known.let_go()
                raise
            self._listen, self._given = listen, list(addresses)
            self._find_addresses(listening)
            identity = self.workspace.identity
            config = PeerConfig(
                workspace=self.workspace.id, key=bytes(identity.key.verify_key),
                sign=lambda part: identity.key.sign(part).signature, nonce=lambda: secrets.token_bytes(32),
                admit=self._admit, name=identity.name, device_name=identity.device_name,
                address=known.joined(self._addresses), hub=self._standing is not None,
                invited=lambda invitation, device: self._invitations.key(invitation, device),
            )  # fmt: skip
            self._listening, self._is_private = listening, listen.startswith("127.") or listen in ("::1", "localhost")
            await self._admission.learn()
            self._hosting = Hosting(self.workspace, config, self._admission, self, self._stored)
            self._scope = anyio.CancelScope()
            self._was_in = False
            self._tasks.start_soon(self._run, self._hosting, self._scope)
            return self._hosting

    async def _run(self, hosting: Hosting, scope: anyio.CancelScope) -> None:
        with scope:
            async with anyio.create_task_group() as tasks:
                if isinstance(self._network, WebSocketTransport):
                    tasks.start_soon(self._nearby.run, self._announced)
                await hosting.run()

    def _announced(self) -> Announcement | None:
        """What devices nearby may find: nothing before there is a gathering, or where only this machine can call."""
        hosting, listening = self._hosting, self._listening
        if hosting is None or listening is None or not hosting.peer.gathering or self._is_private:
            return None
        peer = hosting.peer
        return Announcement(
            self._device, listening.port, self.workspace.id, peer.gathering, peer.election.term, self._nearby.takes_code
        )

    async def _stop(self, hosting: Hosting | None) -> None:
        """Let all go, once what they were told has gone out, and listen no more."""
        if hosting is None or hosting is not self._hosting:
            return
        self._hosting = None
        self._known.note(self._stored, self._device)
        listening, scope, self._listening, self._scope = self._listening, self._scope, None, None
        self._invitations = _invitations()
        self._nearby.withdraw()
        self._plans.clear()
        self._keep_time(FINE)
        self.moved()
        with anyio.move_on_after(GOODBYE_S, shield=True):
            await hosting.let_go()
            if listening is not None:
                await listening.close()
        self._known.let_go()
        if scope is not None:
            scope.cancel()

    async def _accepted(self, channel: Channel) -> None:
        if self._hosting is not None and channel.protocol == PAIRING:
            await self._nearby.speak(channel)
        elif self._hosting is not None:
            await self._hosting.serve(channel, caller=False)

    def _serve(self, channel: Channel, **how: Any) -> None:
        hosting, tasks = self._hosting, self._tasks
        if hosting is None or tasks is None:
            return

        async def serve() -> None:
            try:
                await hosting.serve(channel, **how)
            except Exception:
                _log.exception("a connection failed")

        tasks.start_soon(serve)

    def connect(self, device: str) -> None:
        """Called by the peer: not reaching it needs no answer."""
        if self._tasks is not None and device not in self._calling:
            self._tasks.start_soon(self._call, device, False, False)

    def calling(self) -> set[str]:
        return self._calling

    async def _call(self, device: str, wanted: bool, yes: bool, by: str = "") -> None:
        """``by``: who is joined in its place if it can't be reached."""
        self._calling.add(device)
        try:
            channel = await reach_known(self._network, self._known, self._nearby, device, self._said_of(device))
        except OpenprodError as error:
            if by and self._tasks is not None:
                self._beyond.add(device)
                self._tasks.start_soon(self._call, by, wanted, yes)
            elif wanted:
                self._fail(error.sentence)
            return
        finally:
            self._calling.discard(device)
        if wanted and self._hand_on(device, yes, proven=True):
            await channel.close()
        else:
            self._serve(channel, caller=True, expected=device, wanted=wanted, yes=yes)

    def _said_of(self, device: str) -> list[str]:
        """Where the others say that it is."""
        roster = self._hosting.peer.election.roster if self._hosting is not None else []
        return [text for one in roster if one.device == device for text in one.address.split()]

    def ticked(self) -> None:
        """A leader calls those who were here: a half that went on by itself is found so when the network heals."""
        hosting = self._hosting
        if hosting is None:
            return
        self._known.note(self._stored, self._device)
        self._note_standing(hosting)
        self.moved()
        if self._listening is not None:
            with suppress(OSError):  # the system can't say now: where they were
                self._find_addresses(self._listening)
            hosting.do(hosting.peer.moves_to(known.joined(self._addresses)))
        if not hosting.peer.leads:
            return
        at = now().mono
        for one in hosting.peer.election.roster:
            device = one.device
            if device == self._device or device in hosting.peer.joined or at < self._cooling.get(device, 0):
                continue
            if at - self._called.get(device, -CALL_AGAIN_MS) >= CALL_AGAIN_MS:
                self._called[device] = at
                hosting.do(hosting.peer.want(device))

    def _keep_time(self, report: ClockReport) -> None:
        refusal = report.sentence if report.verdict is Verdict.READ_ONLY else ""
        if self._tasks is not None:
            keep = partial(self.workspace.keep_time, correction_ms=report.correction_ms, refusal=refusal)
            self._tasks.start_soon(keep)

    def _note_standing(self, hosting: Hosting) -> None:
        if self._standing is not None and hosting.peer.gathering:
            at = now()
            self._standing.note(hosting.peer.gathering, hosting.peer.election.course.history(at.mono), at)

    # -- called by Hosting ---------------------------------------------------------------------------------

    def _admit(self, key: bytes, paired: bool) -> str:
        roster = self._hosting.peer.election.roster if self._hosting is not None else []
        return self._admission.why_not(key, paired, lambda device: any(one.device == device for one in roster))

    async def proven(self, connection: Connection, proven: Proven) -> str:
        if not connection.caller and proven.paired:
            invitation = self._invitations.spend(proven.device)
            if invitation is None:
                return "That link has been used. Ask for another."
            known_already = self._admission.is_let_in(proven.device)
            if not (invitation.trusted or known_already or self._standing is not None):
                connection.invitation = invitation  # a person is asked, with what it brings
            elif why_not := await self._let_in(connection, invitation):
                return why_not
        if self._standing is not None:
            connection.yes = True  # whoever made this a hub has said so once and for all
        certificate = connection.channel.certificate if connection.caller else b""
        self._known.add(proven.device, proven.name, [], certificate)
        return self._elsewhere(connection, proven)

    def _elsewhere(self, connection: Connection, proven: Proven) -> str:
        """Halves come together by their leaders: the others follow. "" where this connection may be the one: also to
        whoever made the link that was brought, or follows a leader that can't be reached from here.
        """
        hosting, tasks = self._hosting, self._tasks
        if hosting is None or tasks is None or not connection.caller or proven.resumes or proven.hub or proven.paired:
            return ""
        if proven.gathering and hosting.peer.election.role is Role.FOLLOWER:
            return _ELSEWHERE
        leader = proven.history[0].leader if proven.history and proven.gathering else ""
        never = {"", proven.device, self._device, *self._beyond}
        if leader in never or not self._known.places(leader, self._said_of(leader)):
            return ""
        if not connection.wanted:
            hosting.do(hosting.peer.want(leader))
            return _ELSEWHERE
        tasks.start_soon(self._call, leader, True, connection.yes, proven.device)
        connection.wanted = False
        return _ELSEWHERE

    def heard(self, connection: Connection, message: msgspec.Struct) -> None:
        if isinstance(message, m.About) and connection.wanted and message.name and self._tasks is not None:
            self._tasks.start_soon(partial(self._name, message.name[:200]))

    async def _name(self, name: str) -> None:
        """A newcomer's copy is called what the others call it."""
        if await self.workspace.on_thread(lambda committer: replica.call_it(committer, name)):
            await self.workspace.relearn()

    def noticed(self, notice: Notice) -> None:
        hosting = self._hosting
        if hosting is None:
            return  # about to stop
        if notice.what in ("joined", "resumed"):
            self._plans.pop(notice.connection, None)
            connection = hosting.connections.get(notice.connection)
            if connection is not None and connection.wanted:
                self._joining = "joined"
            self.said(f"{self._known.name_of(notice.device)} is here." if notice.what == "joined" else "")
            hosting.do(
                hosting.peer.say(m.About(self.workspace.name, hosting.held), now(), connection=notice.connection)
            )
        elif notice.what == "clock":
            self.said(notice.sentence or "This device's clock agrees with the others'.")
            self._keep_time(hosting.peer.clocks.report)
        elif notice.what == "lost":
            self.said(f"{self._known.name_of(notice.device)} is gone: {notice.sentence}")
        for one in hosting.peer.election.roster:
            if one.device != self._device:
                self._known.add(one.device, one.name, one.address.split())
        self._note_standing(hosting)

    def ended(self, connection: Connection, code: str, sentence: str, *, theirs: bool) -> None:
        self._plans.pop(connection.number, None)
        device = connection.device or connection.expected
        if code in _FINAL and device:
            self._cooling[device] = now().mono + (ELSEWHERE_MS if sentence == _ELSEWHERE else COOL_MS)
        if connection.wanted and not connection.joined:
            if not self._goes_on(connection, code):
                self._fail(sentence)
        elif not connection.joined and sentence != _ELSEWHERE:
            who = connection.name or self._known.name_of(device) or f"A device at {connection.channel.remote}"
            self.said(self._happened.ended(who, code, sentence, now(), theirs=theirs))
        self.moved()

    def said(self, sentence: str) -> None:
        if sentence:
            self._happened.said(sentence, now())
            self.moved()

    def moved(self) -> None:
        self._moved.set()
        hosting = self._hosting
        if hosting is None:
            return
        within = bool(hosting.peer.gathering)
        over = (self._was_in and not within) or (self._joining == "failed" and not within)
        self._was_in = within
        if over and self._standing is not None:
            self._begin(hosting)  # whoever led ended it for all; a hub is there for the next
        elif over and self._tasks is not None:
            self._tasks.start_soon(self._stop, hosting)


def _invitations() -> pairing.Invitations:
    return pairing.Invitations(random_bytes=secrets.token_bytes, now_ms=lambda: now().mono)
