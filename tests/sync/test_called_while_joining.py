"""Two devices call each other at the same moment: one connection is let go, and nobody's wish to join with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from openprod.errors import NotFound, Stale
from openprod.sync.transport import Channel
from tests.sync.desks import SECONDS_MAX, Desk, Watched, desk

BOTH = [("alex", "blake"), ("blake", "alex")]
"""Whose call stays is decided by the ids: so each is once the one who is called."""


class Held(Watched):
    """What comes is held back until both have called, and both connections stand."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.hold = False
        self.standing = 0
        self.both = asyncio.Event()

    async def listen(self, host: str, port: int, accepted: Any) -> Any:
        async def held(channel: Channel) -> None:
            await self._meet()
            await accepted(channel)

        return await super().listen(host, port, held)

    async def call(self, *where: Any, **how: Any) -> Channel:
        channel = await super().call(*where, **how)
        await self._meet()
        return channel

    async def _meet(self) -> None:
        self.standing += self.hold
        if self.standing >= 2:
            self.both.set()
        if self.hold:
            await self.both.wait()


@asynccontextmanager
async def apart(folder: Path, leader: str, other: str) -> AsyncIterator[tuple[Desk, Desk, Held]]:
    """Two who were together; one has left, listens, and the one who leads knows where."""
    async with desk(folder, leader) as one, desk(folder, other, of=one.workspace.id) as two:
        network = two.peers._transport = Held(folder / f"{other}-home")
        await two.join(await one.host())
        await two.until(lambda status: status["in_session"])
        await two.holds_what(one)
        await two.peers.leave()
        await one.until(lambda status: sum(it["here"] for it in status["members"]) == 1)
        await two.peers._open("127.0.0.1", 0, ())
        one.peers._known.add(two.workspace.identity.device, other, two.peers._addresses)
        yield one, two, network


async def approve(other: Desk, *people: Desk) -> None:
    """Whatever plan waits for these, until the other is in."""
    async with asyncio.timeout(SECONDS_MAX):
        while not (status := other.peers.status())["in_session"]:
            assert status["joining"] != "failed", status
            for one in people:
                for plan in one.peers.status()["plans"]:
                    with suppress(Stale, NotFound):
                        await one.peers.approve(plan["id"])
            await other.peers.changed(status["revision"], 0.1)


@pytest.mark.parametrize("yes", [True, False])
@pytest.mark.parametrize(("leader", "other"), BOTH)
def test_a_join_goes_on_over_the_connection_that_stays(
    tmp_path: Path, leader: str, other: str, yes: bool
) -> None:  # fmt: skip
    async def run() -> None:
        async with apart(tmp_path, leader, other) as (one, two, network):
            network.hold = True
            one.peers.connect(two.workspace.identity.device)
            await two.peers.join(yes=yes)
            if not yes:
                asked = await two.until(lambda status: status["joining"] in ("deciding", "failed"))
                assert asked["joining"] == "deciding", asked
            await approve(two, one, *([] if yes else [two]))
            await two.until(lambda status: status["joining"] == "joined")

    asyncio.run(run())


@pytest.mark.parametrize(("leader", "other"), BOTH)
def test_a_join_takes_up_the_call_that_is_there(tmp_path: Path, leader: str, other: str) -> None:
    async def run() -> None:
        async with apart(tmp_path, leader, other) as (one, two, _network):
            one.peers.connect(two.workspace.identity.device)
            await two.until(lambda status: status["plans"])
            assert two.peers.status()["joining"] == ""
            await two.peers.join()
            assert two.peers.status()["joining"] == "deciding"
            await two.peers.approve(two.peers.status()["plans"][0]["id"])
            await approve(two, one)
            await two.until(lambda status: status["joining"] == "joined")

    asyncio.run(run())
