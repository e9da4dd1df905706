"""What a page asks of a node that wants to join: by a spoken code, by an address. Over TLS, within this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from openprod.errors import InputError
from openprod.sync.pairing import parse_link
from tests.sync.desks import HERE, Desk, desk
from tests.sync.test_service_code import wrong


@asynccontextmanager
async def two(folder: Path, *, same: bool = True) -> AsyncIterator[tuple[Desk, Desk, str, str]]:
    """Alex hosts; Blake has an empty copy, or a production of its own. The code, and where Alex is."""
    async with desk(folder, "alex") as alex, desk(folder, "blake", of=alex.workspace.id if same else "") as blake:
        at = parse_link(await alex.host()).addresses[0]
        yield alex, blake, (await alex.peers.host())["code"].replace("-", " "), at


def test_both_are_asked_whom_they_see(tmp_path: Path) -> None:
    """INV-PEER-4"""

    async def run() -> None:
        async with two(tmp_path) as (alex, blake, code, at):
            found = await blake.peers.join(code, at=at, **HERE)
            assert found["joining"] == "calling"
            (host,) = (await blake.until(lambda status: status["hosts"]))["hosts"]
            assert (host["device"], host["title"]) == (alex.workspace.identity.device, "Hamlet")
            assert alex.peers.status()["newcomers"] == [], "nothing is said before that"
            await blake.peers.approve(host["device"])
            (newcomer,) = (await alex.until(lambda status: status["newcomers"]))["newcomers"]
            assert blake.peers.status()["joining"] == "deciding"
            await alex.peers.approve(newcomer["device"])
            (plan,) = (await blake.until(lambda status: status["plans"]))["plans"]
            assert await blake.bundles() == []
            await blake.peers.approve(plan["id"])
            await blake.until(lambda status: status["joining"] == "joined")
            await blake.holds_what(alex)

    asyncio.run(run())


@pytest.mark.parametrize("how", ["decline", "leave"])
def test_the_host_that_is_seen_isnt_the_one(tmp_path: Path, how: str) -> None:
    async def run() -> None:
        async with two(tmp_path) as (alex, blake, code, at):
            await blake.peers.join(code, at=at, **HERE)
            (host,) = (await blake.until(lambda status: status["hosts"]))["hosts"]
            if how == "decline":
                blake.peers.decline(host["device"])
                await blake.until(lambda status: status["joining"] == "failed" and not status["hosts"])
            else:
                await blake.peers.leave()
                await blake.until(lambda status: status["joining"] == "" and not status["hosts"])
            await alex.until(lambda _status: "didn't" in alex.said())
            assert alex.peers.status()["newcomers"] == []

    asyncio.run(run())


def test_a_wrong_code_and_another_production_are_said_so(tmp_path: Path) -> None:
    async def run() -> None:
        async with two(tmp_path, same=False) as (alex, blake, code, at):
            await blake.peers.join(wrong(code.replace(" ", "-")), at=at, **HERE)
            failed = await blake.until(lambda status: status["joining"] == "failed")
            assert "wasn't the code" in failed["problem"]
            code = (await alex.peers.host())["code"].replace("-", " ")
            await blake.peers.join(code, at=at, **HERE)
            failed = await blake.until(lambda status: "another production" in status["problem"])
            assert "“Hamlet”, hosted by" in failed["problem"]
            assert "a folder of its own" in failed["problem"]
            assert failed["hosts"] == alex.peers.status()["newcomers"] == []
            with pytest.raises(InputError, match="another production"):
                await blake.peers.join(await alex.host(), **HERE)
            with pytest.raises(InputError, match="isn't a code"):
                await blake.peers.join("one two three", **HERE)

    asyncio.run(run())


def test_by_an_address_only_members_come_in(tmp_path: Path) -> None:
    async def run() -> None:
        async with two(tmp_path) as (alex, blake, _code, at):
            await blake.peers.join(at, yes=True, **HERE)
            failed = await blake.until(lambda status: status["joining"] == "failed")
            assert "Ask for a link" in failed["problem"]
            await blake.join(await alex.host())
            await blake.holds_what(alex)
            await blake.peers.leave()
            await blake.peers.join(f"127.0.0.1:1,{at}", yes=True, **HERE)
            await alex.until(lambda status: status["plans"])
            await alex.peers.approve(alex.peers.status()["plans"][0]["id"])
            await blake.until(lambda status: status["joining"] == "joined")

    asyncio.run(run())


def test_who_brings_a_link_learns_no_names_before_it_is_let_in(tmp_path: Path) -> None:
    """INV-PAIR-1 INV-PEER-4"""

    async def run() -> None:
        async with two(tmp_path) as (alex, blake, _code, _at):
            link = str((await alex.peers.host())["link"])
            await blake.peers.join(link, **HERE)
            (plan,) = (await blake.until(lambda status: status["plans"]))["plans"]
            assert (plan["bundles"], plan["authors"]) == (len(await alex.bundles()), [])
            await blake.peers.approve(plan["id"])
            (newcomer,) = (await alex.until(lambda status: status["plans"]))["plans"]
            assert (newcomer["name"], newcomer["newcomer"]) == ("Blake", "editor")
            assert "Records" not in blake.network.came
            assert (await blake.workspace.members())["members"] == []
            await alex.peers.approve(newcomer["id"])
            await blake.until(lambda status: status["joining"] == "joined")
            await blake.holds_what(alex)
            assert len((await blake.workspace.members())["members"]) == 2

    asyncio.run(run())
