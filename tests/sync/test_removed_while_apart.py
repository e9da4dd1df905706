"""A removal and what the removed device writes at the same time meet over connections: no stick is needed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from openprod.core.operations import SetField
from tests.engine.laptops import ROOT
from tests.engine.laptops import cue as made
from tests.sync.desks import HERE, Desk, desk


def label(text: str) -> list[SetField]:
    return [SetField(entity="cue_1", facet=ROOT, field="label", value=text)]


async def shown(one: Desk) -> object:
    return (await one.workspace.entity("cue_1"))["facets"][ROOT].get("label")


async def together(one: Desk, other: Desk) -> None:
    await one.holds_what(other)
    assert await one.workspace.state_hash() == await other.workspace.state_hash()


@pytest.mark.parametrize("role", ["viewer", "editor"])
def test_what_a_removed_device_wrote_meanwhile_comes_by_whoever_was_with_it(tmp_path: Path, role: str) -> None:
    """INV-MEMBER-1 INV-MEMBER-3: held for review where nobody may count it in; counted in, by a record, where somebody
    may who had taken it for good."""

    async def run() -> None:
        async with (
            desk(tmp_path, "alex") as alex,
            desk(tmp_path, "blake", of=alex.workspace.id) as blake,
            desk(tmp_path, "casey", of=alex.workspace.id) as casey,
        ):
            await alex.workspace.commit([made("cue_1", label="Ghost")])
            await casey.join(await alex.host())
            found = await alex.peers.host(role=role, trust_link=True)
            await blake.join(str(found["link"]))
            for one in (blake, casey):
                await one.holds_what(alex)
            # Alex goes, and removes Casey by itself; the others go on together.
            await alex.peers.leave()
            device = casey.workspace.identity.device
            await casey.until(lambda status: status["leader"] and len(status["members"]) == 2)
            await alex.workspace.remove_member(device)
            await casey.workspace.commit(label("Unaware"))
            await together(blake, casey)
            assert await shown(blake) == "Unaware"

            await casey.peers.leave()

            await alex.peers.join(yes=True, **HERE)
            (plan,) = (await blake.until(lambda status: status["plans"]))["plans"]
            await blake.peers.approve(plan["id"])
            await together(alex, blake)
            if role == "viewer":
                for one in (alex, blake):
                    assert [it["author"] for it in await one.workspace.held()] == ["Casey"]
                    assert await shown(one) == "Ghost"
                assert await alex.workspace.review() == {"accepted": 1, "held": 0}
                await blake.until_held(0)
            for one in (alex, blake):
                assert await one.workspace.held() == []
                assert await shown(one) == "Unaware"
            assert await alex.workspace.state_hash() == await blake.workspace.state_hash()

            # The device itself is told, and keeps what it has.
            before = await casey.bundles()
            await casey.peers.join(yes=True, **HERE)
            failed = await casey.until(lambda status: status["joining"] == "failed")
            assert "removed" in failed["problem"]
            assert await casey.bundles() == before

    asyncio.run(run())
