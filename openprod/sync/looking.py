"""What pages and commands are told by a node's part in gatherings, at once or when it is another."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import anyio

from openprod.engine.workspace import Workspace
from openprod.sync import around, showing
from openprod.sync.asking import Asking
from openprod.sync.happened import Happened
from openprod.sync.hosting import Hosting
from openprod.sync.nearby import Nearby
from openprod.sync.plans import Coming
from openprod.sync.standing import Standing

EDITS_MAX: Final = 1000
SETTLE_S: Final = 0.05


class Looking:
    """Part of ``PeerService``."""

    workspace: Workspace
    _home: Path
    _hosting: Hosting | None
    _standing: Standing | None
    _stored: dict[str, dict[str, int]]
    _addresses: list[str]
    _nearby: Nearby
    _hosts: Asking
    _plans: dict[int, Coming]
    _happened: Happened
    _joining: str
    _problem: str
    _closing: bool
    _revision: int
    _shown: dict[str, Any]
    _moved: anyio.Event

    def status(self) -> dict[str, Any]:
        found = {
            **showing.gathering(self.workspace, self._hosting),
            "hub": self._standing is not None,
            "addresses": list(self._addresses) if self._hosting is not None else [],
            "clock": showing.clock(self._hosting),
            "joining": self._joining,
            "problem": self._problem,
            "plans": [
                showing.plan(one, self._comes_as(number), self._device_name(number))
                for number, one in self._plans.items()
            ],
            "newcomers": self._nearby.newcomers.listed,
            "hosts": self._hosts.listed,
            "events": list(self._happened.events),
        }
        if found != self._shown:
            self._revision += 1
            self._shown = found
        return {"revision": self._revision, **found}

    def _comes_as(self, number: int) -> str:
        """The role that a link would give to whoever is at that connection; "" for who is no newcomer."""
        connection = self._hosting.connections.get(number) if self._hosting is not None else None
        invitation = connection.invitation if connection is not None else None
        return (invitation.note or "editor") if invitation is not None else ""

    def _device_name(self, number: int) -> str:
        """What the device at that connection calls itself."""
        connection = self._hosting.connections.get(number) if self._hosting is not None else None
        return connection.device_name if connection is not None else ""

    async def changed(self, after: int, wait_s: float) -> dict[str, Any]:
        """The first status after revision ``after``, or the present one when ``wait_s`` are over."""
        with anyio.move_on_after(wait_s):
            while True:
                if self._moved.is_set():
                    self._moved = anyio.Event()
                moved = self._moved
                if (found := self.status())["revision"] != after or self._closing:
                    return found
                await moved.wait()
                # Much is said of every file that comes: none of it is shown more often than people can read.
                await anyio.sleep(SETTLE_S)
        return self.status()

    async def alone(self) -> int:
        """How many of this device's own bundles are on no other, as far as is known."""
        return await showing.alone(self.workspace, self._spread)

    async def edits(self, limit: int, *, alone: bool = False) -> dict[str, Any]:
        """The latest bundles, newest first: whether each is on the leader, and on how many other devices."""
        return await showing.edits(
            self.workspace, self._hosting, self._spread, limit=min(limit, EDITS_MAX), only_alone=alone
        )

    @property
    def _spread(self) -> showing.Spread:
        return showing.Spread(self._stored, self._device)

    async def nearby(self, seconds: float) -> dict[str, Any]:
        """Devices that can be found on the network, once ``seconds`` are over."""
        found, problem = await around.listen(seconds)
        productions = around.productions(self._home / "peers")
        return {"devices": [around.described(one, productions) for one in found], "problem": problem}

    @property
    def _device(self) -> str:
        return self.workspace.identity.device
