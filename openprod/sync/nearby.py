"""What a node that hosts does for those around it: being found (``discovery``), letting in who knows the spoken code.

A part of ``PeerService``. Whoever has proved the code is a *newcomer* until a person here says whether it is the one
that was meant.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from typing import Final

import anyio

from openprod.core.ids import device_id
from openprod.errors import Denied, OpenprodError
from openprod.sync import speaking
from openprod.sync.asking import Asking
from openprod.sync.discovery import HINT, Announcement, Discovery, Found, today
from openprod.sync.known import parse
from openprod.sync.pairing import Invitations
from openprod.sync.spoken import Codes, Confirm, Me, Paired
from openprod.sync.transport import Channel

SPEAKING_MAX: Final = 8
_KEY_MS: Final = 5 * 60_000
_ANNOUNCE_S: Final = 1.0
_log = logging.getLogger(__name__)


class Nearby:
    """``said`` tells people, ``moved`` that ``newcomers`` are others. ``now_ms``: any clock that goes forward."""

    def __init__(
        self, me: Me, *, workspace: str, title: Callable[[], str], invitations: Callable[[], Invitations],
        said: Callable[[str], None], moved: Callable[[], None], now_ms: Callable[[], int],
    ) -> None:  # fmt: skip
        self._me, self._workspace, self._title, self._invitations = me, workspace, title, invitations
        self._said = said
        self._codes = Codes(random_bytes=secrets.token_bytes, now_ms=now_ms)
        self._discovery = Discovery()
        self.newcomers = Asking(moved)
        self._speaking = 0
        self._note = ""

    # -- being found ---------------------------------------------------------------------------------------

    async def run(self, announced: Callable[[], Announcement | None]) -> None:
        """Until cancelled. What stands in the way of being found is said once, and is no reason to stop."""
        discovery, problem = self._discovery, ""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(discovery.run)
            while True:
                discovery.announce(announced())
                with anyio.move_on_after(_ANNOUNCE_S):
                    await discovery.changed()
                if discovery.problem != problem:
                    problem = discovery.problem
                    self._said(f"{problem} {HINT}" if problem else "Devices nearby can find this one again.")

    # -- finding those who hold the same production --------------------------------------------------------

    def places(self, device: str) -> list[tuple[str, int]]:
        """Where that device says on the air that it hosts this production."""
        said = (text for one in self._ours() if one.device == device for text in one.addresses)
        return [place for text in said if (place := parse(text)) is not None]

    async def others(self, wait_s: float) -> list[str]:
        """Devices that say so: once there is any, or ``wait_s`` are over. Nothing of it is proved."""
        with anyio.move_on_after(wait_s):
            while not self._ours():
                await self._discovery.changed()
        return list(dict.fromkeys(one.device for one in self._ours()))

    def _ours(self) -> list[Found]:
        day, own = today(), device_id(self._me.key)
        return [one for one in self._discovery.found() if one.device != own and one.is_of(self._workspace, day)]

    # -- spoken codes --------------------------------------------------------------------------------------

    def code(self, note: str) -> str:
        """A new code for a minute, in place of the one before; "" while locked, which is said.

        ``note``: that of the invitation which it becomes.
        """
        self._note = note
        try:
            return self._codes.make()
        except Denied as error:
            self._said(error.sentence)
            return ""

    @property
    def takes_code(self) -> bool:
        """Whether a code is open."""
        return self._codes.is_open

    def withdraw(self) -> None:
        self._codes.withdraw()

    async def speak(self, channel: Channel) -> None:
        """One connection, to its end."""
        if self._speaking >= SPEAKING_MAX:
            return
        self._speaking += 1
        note = self._note

        def invite(one: Paired) -> None:
            self._invitations().add(one.key, device=one.device, note=note, lifetime_ms=_KEY_MS, trusted=True)

        try:
            found = await speaking.answer(
                channel, self._codes, self._me, workspace=self._workspace, title=self._title(), confirm=self._confirm,
                paired=invite,
            )  # fmt: skip
        except OpenprodError as error:
            _log.info("a device at %s didn't come in by code: %s", channel.remote, error.sentence)
            self._said(f"A device tried to come in by code, and didn't: {error.sentence}")
        else:
            self._said(f"{found.device[:8]} may come in.")
        finally:
            self._speaking -= 1

    async def _confirm(self, who: Confirm) -> bool:
        if who.device not in self.newcomers:
            self._said(f"{who.name} ({who.device_name}) knows the code and waits for your word.")
        return await self.newcomers.ask(who)
