"""A person's wish to join, and what a person is asked: carried by one connection, and by another if that one ends.

Two devices may call each other at the same moment: somebody joins, while whoever leads calls those who were here. One
of the two connections is let go, and it may be the one that the person asked for; the other carries the wish on.
"""

from __future__ import annotations

from typing import Final

import anyio
from anyio.abc import TaskGroup

from openprod.sync.hosting import Connection, now
from openprod.sync.looking import Looking
from openprod.sync.plans import Coming

WANTED_MS: Final = 20_000
"""For so long a join is tried again where the other side still holds a connection that is gone here."""
AGAIN_S: Final = 1.0


class Wanting(Looking):
    """Part of ``PeerService``."""

    _tasks: TaskGroup | None
    _wanted_until: int

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
            self.said(f"{connection.name} (device {connection.device[:8]}) came with a link, and waits for your word.")
        self._plans[connection.number] = coming
        self.moved()

    def _goes_on(self, device: str, yes: bool) -> bool:
        """Whether a join whose connection was one too many isn't lost: over the one that stays, or over a new one."""
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

    def said(self, sentence: str) -> None:
        raise NotImplementedError

    def moved(self) -> None:
        raise NotImplementedError
