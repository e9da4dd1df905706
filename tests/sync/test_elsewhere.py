"""Whom a laptop joins follows another, which can't be reached or must not be asked in its place."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from openprod.core.operations import SetField
from openprod.errors import Busy
from openprod.sync.known import Device
from tests.engine.laptops import ROOT
from tests.engine.laptops import cue as made
from tests.sync.desks import HERE, Desk, desk


def device(one: Desk) -> str:
    return one.workspace.identity.device


@asynccontextmanager
async def gone_on(folder: Path) -> AsyncIterator[tuple[Desk, Desk, Desk]]:
    """Alex, the owner, hosted and left; Blake leads now, Casey follows."""
    async with (
        desk(folder, "alex") as alex,
        desk(folder, "blake", of=alex.workspace.id) as blake,
        desk(folder, "casey", of=alex.workspace.id) as casey,
    ):
        await alex.workspace.commit([made("cue_1", label="Ghost")])
        for one in (blake, casey):
            await one.join(await alex.host())
            await one.until(lambda status: status["joining"] == "joined")
            await one.holds_what(alex)
        await alex.peers.leave()
        for one in (blake, casey):
            await one.until(lambda status: status["leader"] == device(blake) and len(status["members"]) == 2)
        yield alex, blake, casey


def test_who_follows_a_leader_that_cannot_be_reached_is_joined(tmp_path: Path) -> None:
    """INV-PEER-1 INV-PEER-4 INV-PEER-5: the leader has an address that the others know, and who was away doesn't."""

    async def run() -> None:
        async with gone_on(tmp_path) as (alex, blake, casey):
            await blake.workspace.commit([made("cue_2", label="Wind")])
            await casey.holds_what(blake)
            alex.peers._known._devices[device(blake)] = Device(device(blake), "Blake", ["127.0.0.1:9"])
            before = await alex.bundles()
            await alex.peers.join(**HERE)
            for one in (alex, casey):
                (plan,) = (await one.until(lambda status: status["plans"]))["plans"]
                assert await alex.bundles() == before
                await one.peers.approve(plan["id"])
            await alex.until(lambda status: status["leader"] == device(blake) and len(status["members"]) == 3)
            await alex.holds_what(blake)

    asyncio.run(run())


def test_two_who_host_at_once_find_together(tmp_path: Path) -> None:
    """INV-PEER-1 INV-PEER-4 INV-PEER-5: each leads a gathering of its own, and knows nothing of the other's."""

    async def run() -> None:
        async with desk(tmp_path, "alex") as alex, desk(tmp_path, "blake", of=alex.workspace.id) as blake:
            await alex.workspace.commit([made("cue_1", label="Ghost")])
            await blake.join(await alex.host())
            await blake.holds_what(alex)
            for one in (blake, alex):
                await one.peers.leave()
            for one in (alex, blake):
                await one.peers.host(**HERE)
                await one.workspace.commit([SetField(entity="cue_1", facet=ROOT, field="label", value=device(one))])
            before = await alex.bundles(), await blake.bundles()
            alex.peers._known.add(device(blake), "Blake", blake.peers._addresses)
            await alex.peers.join()
            for one in (alex, blake):
                (plan,) = (await one.until(lambda status: status["plans"]))["plans"]
                assert (plan["bundles"], plan["sends"], plan["conflicts"]) == (1, 1, 1)
                assert (await alex.bundles(), await blake.bundles()) == before
                await one.peers.approve(plan["id"])
            for one in (alex, blake):
                await one.until(lambda status: sum(it["here"] for it in status["members"]) == 2)
            await alex.holds_what(blake)
            assert [one.peers.status()["leads"] for one in (alex, blake)].count(True) == 1
            assert alex.peers.status()["gathering"] == blake.peers.status()["gathering"]

    asyncio.run(run())


def test_a_link_is_brought_to_whoever_made_it(tmp_path: Path) -> None:
    """INV-PAIR-1: a device that was removed is let in again by a link of an owner who follows another."""

    async def run() -> None:
        async with gone_on(tmp_path) as (alex, blake, casey):
            await alex.peers.join(yes=True, **HERE)
            (plan,) = (await blake.until(lambda status: status["plans"]))["plans"]
            await blake.peers.approve(plan["id"])
            await alex.until(lambda status: status["leader"] == device(blake) and len(status["members"]) == 3)
            await alex.workspace.remove_member(device(casey))
            await casey.until(lambda status: "removed" in str(status["events"]))
            await casey.peers.leave()

            await casey.join(await alex.host())
            await casey.until(lambda status: status["joining"] == "joined")
            for one in (alex, blake, casey):
                await one.until(lambda status: sum(it["here"] for it in status["members"]) == 3)
            await casey.workspace.commit([SetField(entity="cue_1", facet=ROOT, field="label", value="Back")])
            await blake.holds_what(casey)

    asyncio.run(run())


def test_who_was_let_in_and_lost_the_connection_comes_again_without_the_link(tmp_path: Path) -> None:
    """INV-PAIR-1 INV-PEER-4: where devices don't find each other on the air, too."""

    async def run() -> None:
        async with desk(tmp_path, "alex") as alex, desk(tmp_path, "blake", of=alex.workspace.id) as blake:
            await alex.workspace.commit([made("cue_1", label="Ghost")])
            await blake.peers.join(str((await alex.peers.host(**HERE))["link"]), **HERE)
            await blake.until(lambda status: status["plans"])
            (plan,) = (await alex.until(lambda status: status["plans"]))["plans"]
            await alex.peers.approve(plan["id"])
            assert blake.peers._hosting is not None
            for connection in list(blake.peers._hosting.connections.values()):
                await connection.channel.close()
            await blake.until(lambda status: status["joining"] == "failed")
            assert await blake.bundles() == []

            await blake.join()
            (plan,) = (await alex.until(lambda status: status["plans"]))["plans"]
            await alex.peers.approve(plan["id"])
            await blake.until(lambda status: status["joining"] == "joined")
            await blake.holds_what(alex)

    asyncio.run(run())


def test_where_another_answers_by_now_the_others_are_called_too(tmp_path: Path) -> None:
    """INV-PEER-4: who always hosted has called nobody, and can tell nobody by a certificate."""

    async def run() -> None:
        async with gone_on(tmp_path) as (alex, blake, casey):
            await blake.workspace.commit([made("cue_2", label="Wind")])
            await blake.peers.leave()
            (place,) = casey.peers._addresses
            known = {device(one): Device(device(one), "", [place]) for one in (blake, casey)}
            alex.peers._known._devices = known
            await alex.peers.join(**HERE)
            for one in (alex, casey):
                (plan,) = (await one.until(lambda status: status["plans"]))["plans"]
                await one.peers.approve(plan["id"])
            await alex.until(lambda status: status["leader"] == device(casey) and len(status["members"]) >= 2)
            await alex.holds_what(casey)

    asyncio.run(run())


def test_of_two_copies_on_one_device_one_is_in_a_gathering(tmp_path: Path) -> None:
    """To the others both are one device: each would have the other's connections ended, and neither be told why."""

    async def run() -> None:
        async with (
            desk(tmp_path, "alex") as alex,
            desk(tmp_path, "blake", of=alex.workspace.id) as blake,
            desk(tmp_path, "blake", of=alex.workspace.id, place="again") as again,
        ):
            await blake.join(await alex.host())
            await blake.holds_what(alex)
            for act in (again.join, again.host):
                with pytest.raises(Busy, match="Another copy of this production on this device is in a gathering"):
                    await act()
            assert sum(it["here"] for it in alex.peers.status()["members"]) == 2
            await blake.peers.leave()
            await again.join(await alex.host())
            await again.holds_what(alex)

    asyncio.run(run())
