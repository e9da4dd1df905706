"""A person's wish to join, and what a person is asked: carried by one connection, and by another if that one ends.

Two devices may call each other at the same moment: somebody joins, while whoever leads calls those who were here. One
of the two connections is let go, and it may be the one that the person asked for; the other carries the wish on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import anyio
from anyio.abc import TaskGroup

from openprod.errors import InputError, NotFound, OpenprodError, Stale
from openprod.sync import coming_in, known, pairing
from openprod.sync.admission import Admission
from openprod.sync.hosting import Connection, Hosting, now
from openprod.sync.looking import Looking
from openprod.sync.plans import Coming
from openprod.sync.reach import reach_any
from openprod.sync.spoken import Confirm, Me, parse_code
from openprod.sync.transport import Channel, Transport

WANTED_MS: Final = 20_000
"""For so long a join is tried again where the other side still holds a connection that is gone here."""
AGAIN_S: Final = 1.0
_ANOTHER: Final = frozenset({"other_device", "self"})
"""Codes of ends where an address is another's by now."""
_ELSEWHERE: Final = "It needs a folder of its own. In a terminal: openprod join LINK-OR-WORDS NEW-FOLDER"


class Wish(NamedTuple):
    """Whom a person wants to join. ``code``: a spoken one; else ``places`` to call, or none: those from before.

    ``device``, ``certificate``, ``key``: as a link says.
    """

    code: str = ""
    places: tuple[tuple[str, int], ...] = ()
    device: str = ""
    certificate: bytes = b""
    key: bytes = b""


def parse_wish(text: str, workspace: str) -> Wish:
    """A link, three spoken words, or addresses with commas between. Raises InputError, also for a link to another
    workspace.
    """
    places = [known.parse(one) for one in text.split(",")]
    found = tuple(one for one in places if one is not None)
    if not text.strip():
        return Wish()
    if len(found) == len(places):
        return Wish(places=found)
    if "://" not in text:
        return Wish(code=parse_code(text))
    link = pairing.parse_link(text)
    if link.workspace != workspace:
        raise InputError("That link is for another production.", hint=_ELSEWHERE)
    found = tuple(place for one in link.addresses if (place := known.parse(one)) is not None)
    return Wish("", found, link.device, link.certificate, link.key)


class Wanting(Looking):
    """Part of ``PeerService``."""

    _tasks: TaskGroup | None
    _wanted_until: int
    _me: Me
    _admission: Admission
    _invitations: pairing.Invitations
    _coming: anyio.CancelScope | None
    _known: known.KnownDevices
    _beyond: set[str]

    # -- by a spoken code ----------------------------------------------------------------------------------

    def _by_code(self, code: str, at: str, yes: bool, **reach: Any) -> dict[str, Any]:
        """Whom it finds is asked about before anything is said to it but the proof of the code."""
        if self._tasks is None:
            raise Stale("This node is about to stop.")
        self._joining, self._problem = "calling", ""
        self._tasks.start_soon(self._come_in, code, at, yes, reach)
        return self.status()

    async def _come_in(self, code: str, at: str, yes: bool, reach: dict[str, Any]) -> None:
        elsewhere = ""

        async def confirm(who: Confirm) -> bool:
            nonlocal elsewhere
            if who.workspace != self.workspace.id:
                elsewhere = f"“{who.title}”, hosted by {who.name}, is another production. {_ELSEWHERE}"
                return False
            self._joining = "deciding"
            return yes or await self._hosts.ask(who)

        scope = self._coming = anyio.CancelScope()
        with scope:
            try:
                link = await coming_in.link_by_code(self._network, self._me, code, at, confirm=confirm)
                self._coming = None  # from here on it is like with any link
                await self.join(link, yes=yes, **reach)
            except OpenprodError as error:
                self._fail(elsewhere or f"{error.sentence} {error.hint}".strip())
        if self._coming is scope:
            self._coming = None

    def _give_up(self) -> None:
        if self._coming is not None:
            self._coming.cancel()
            self._coming = None

    def _decide(self, device: str, yes: bool) -> bool:
        """A person's word on a host that it sees, or on a newcomer. False: nobody by this id waits."""
        return self._hosts.decide(device, yes) or self._nearby.newcomers.decide(device, yes)

    async def join(
        self, link: str = "", *, at: str = "", yes: bool = False, listen: str = "", port: int | None = None,
        addresses: Sequence[str] = (),
    ) -> dict[str, Any]:  # fmt: skip
        raise NotImplementedError

    @property
    def _network(self) -> Transport:
        raise NotImplementedError

    # -- a person's word -----------------------------------------------------------------------------------

    async def approve(self, plan: str) -> dict[str, Any]:
        """``plan``: its id, as it was shown, or a newcomer's. Who brought a link becomes a member by it.

        Raises NotFound; Stale when the plan is another one.
        """
        if self._decide(plan, yes=True):
            return self.status()
        number = self._planned(plan)
        coming = self._plans.pop(number)
        hosting = self._running()
        connection = hosting.connections[number]
        if connection.invitation is not None and (why_not := await self._let_in(connection, connection.invitation)):
            hosting.do(hosting.peer.refused(number, "not_admitted", why_not, now()))
        else:
            hosting.do(hosting.peer.approve(number, coming.id, now()))
        self.moved()
        return self.status()

    async def _let_in(self, connection: Connection, invitation: pairing.Invitation) -> str:
        """ "" or why not."""
        role = invitation.note or "editor"
        why_not = await self._admission.admit(connection.key, connection.name, connection.device_name, role)
        if not why_not:
            await self._running().welcome(connection)
        return why_not

    def decline(self, plan: str) -> dict[str, Any]:
        """Nothing moves, and that device isn't called again for a while. Raises NotFound, Stale."""
        if self._decide(plan, yes=False):
            return self.status()
        number = self._planned(plan)
        self._plans.pop(number)
        hosting = self._running()
        if (invitation := hosting.connections[number].invitation) is not None:
            self._invitations.withdraw(invitation.id)
        hosting.do(hosting.peer.decline(number, now()))
        return self.status()

    def _planned(self, plan: str) -> int:
        number = next((number for number, one in self._plans.items() if one.id.hex() == plan), None)
        if number is None:
            if self._plans:
                raise Stale("That plan isn't what would happen any more.", hint="Look at what waits now.")
            raise NotFound("No plan waits for a word.", hint="`openprod peers` shows what waits.")
        return number

    def _running(self) -> Hosting:
        if self._hosting is None:
            raise Stale("This device is in no gathering.", hint="Begin one with `openprod host`, or `openprod join`.")
        return self._hosting

    # -- what a person wants, and is asked -----------------------------------------------------------------

    def ask(self, connection: Connection, coming: Coming) -> None:
        hosting = self._hosting
        if hosting is None:
            return
        if connection.invitation is None and (connection.yes or (connection.let_in and not coming.bundles)):
            # Its person has said so by joining; whoever said yes to a newcomer has said so if it brings nothing.
            hosting.do(hosting.peer.approve(connection.number, coming.id, now()))
            return
        if connection.wanted:
            self._joining = "deciding"
        if connection.invitation is not None and connection.number not in self._plans:
            self.said(f"{connection.who} came with a link, and waits for your word.")
        self._plans[connection.number] = coming
        self.moved()

    def _goes_on(self, connection: Connection, code: str) -> bool:
        """Whether a join isn't lost with its connection: one too many leaves another, or is followed by a new one; and
        where another answered than was called, there may be more to call.
        """
        device, yes = connection.device or connection.expected, connection.yes
        if code in _ANOTHER and device and not connection.secret and self._tasks is not None:
            self._beyond.add(device)
            self._tasks.start_soon(self._join_any, yes)
            return True
        unproven = not connection.caller and not connection.device  # whoever that was
        if code != "second" and not unproven:
            return False
        if self._hand_on(device, yes):
            return True
        if self._tasks is None or now().mono >= self._wanted_until:
            return False
        self._tasks.start_soon(self._try_again, device, yes)
        return True

    def _hand_on(self, device: str, yes: bool, *, proven: bool = False) -> bool:
        """Whether there is a connection with that device, which carries a person's wish now. ``yes``: and approval.

        ``proven``: not one that only greeted as that device so far.
        """
        hosting = self._hosting
        if hosting is None:
            return False
        numbers = hosting.peer.connections_with(device)
        able = [hosting.connections[one] for one in numbers if one in hosting.connections]
        heir = next((one for one in able if one.device), None if proven or not able else able[0])
        if heir is None:
            return False
        heir.wanted, heir.yes, heir.expected = True, heir.yes or yes, device
        if heir.joined:
            self._joining = "joined"
        elif (coming := self._plans.pop(heir.number, None)) is not None:
            self.ask(heir, coming)
        self.moved()
        return True

    async def _reach_any(self, look_s: float = 0) -> tuple[Channel, str]:
        """Raises Unreachable."""
        but = self._admission.removed | self._beyond
        return await reach_any(self._network, self._known, self._nearby, but=but, look_s=look_s)

    async def _join_any(self, yes: bool) -> None:
        try:
            channel, expected = await self._reach_any()
        except OpenprodError as error:
            self._fail(error.sentence)
        else:
            self._serve(channel, caller=True, expected=expected, wanted=True, yes=yes)

    async def _try_again(self, device: str, yes: bool) -> None:
        hosting = self._hosting
        await anyio.sleep(AGAIN_S)
        if hosting is not None and hosting is self._hosting and not self._hand_on(device, yes):
            await self._call(device, True, yes)

    def _fail(self, sentence: str) -> None:
        self._joining, self._problem = "failed", sentence
        self.said(f"Joining failed: {sentence}")

    async def _call(self, device: str, wanted: bool, yes: bool) -> None:
        raise NotImplementedError

    def _serve(self, channel: Channel, **how: Any) -> None:
        raise NotImplementedError

    def said(self, sentence: str) -> None:
        raise NotImplementedError

    def moved(self) -> None:
        raise NotImplementedError
