"""Members managed through the facade, on disk: invited, admitted, removed, reviewed; carried by sticks and backups."""

from __future__ import annotations

import asyncio
import shutil
import stat
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from pycrdt import Map

from openprod.core.membership import SignedRecord
from openprod.core.operations import SetField
from openprod.engine.commit import Committer
from openprod.engine.copying import empty_copy
from openprod.engine.drafts import Records
from openprod.engine.events import Committed
from openprod.engine.identity import load
from openprod.engine.maintenance import restore
from openprod.engine.workspace import Workspace
from openprod.errors import Denied, InputError, NotFound, Stale, Untrusted
from tests.engine.laptops import ROOT, Program, carry, cue, identity, laptop
from tests.engine.replica import device_key


def start(value: str) -> SetField:
    return SetField(entity="cue_42", facet=ROOT, field="start", value=value)


async def let_in(owner: Workspace, name: str, role: str = "editor", **grants: str) -> str:
    who = identity(name)
    return await owner.admit(
        bytes(device_key(name).verify_key), user=who.user, name=who.name, device_name=who.device_name, role=role,
        grants=grants,
    )  # fmt: skip


async def joined(stack: AsyncExitStack, owner: Workspace, folder: Path, name: str, role: str = "editor") -> Workspace:
    """As pairing and the first transfer leave it."""
    await let_in(owner, name, role)
    await owner.backup(folder / name)
    return await stack.enter_async_context(Workspace.open(folder / name, identity_=identity(name)))


def test_a_production_with_members(tmp_path: Path) -> None:
    """INV-MEMBER-3: what is held stays so through backups, sticks and rebuilds; one review lets it in everywhere."""

    async def check() -> None:
        async with AsyncExitStack() as stack:
            sam = await stack.enter_async_context(laptop(tmp_path / "sam"))
            assert not (await sam.members())["founded"]
            asked = await sam.invite("viewer", {"cues": "editor"})
            assert asked["anchor"] == (await sam.members())["anchor"] != ""
            robin = await joined(stack, sam, tmp_path, "robin")
            kim = await joined(stack, sam, tmp_path, "kim", "viewer")
            listed = await kim.members()
            await carry(sam, robin, tmp_path)
            assert [(one["name"], one["role"]) for one in (await sam.members())["members"]] == [
                ("Kim", "viewer"), ("Robin", "editor"), ("Sam", "owner"),
            ]  # fmt: skip
            assert listed["members"] == (await sam.members())["members"]

            # A viewer, from the engine and from a program that syncs through its laptop.
            with pytest.raises(Denied, match="look at “cues” here, not change it"):
                await kim.commit([start("10:30")])
            program = Program("lee", 77)
            await program.sync(kim)
            with pytest.raises(Denied):
                await program.set(kim, cue_42__start="10:30")
            assert await kim.state_hash() == await sam.state_hash()
            with pytest.raises(Denied, match="Only an owner"):
                await robin.invite()
            with pytest.raises(Denied):
                await let_in(robin, "lee")

            # Removed, and it goes on without knowing.
            await robin.commit([start("10:45")])
            await carry(robin, sam, tmp_path)
            assert await sam.remove_member(robin.identity.device[:8]) == robin.identity.device
            await robin.commit([start("11:00")], message="unaware")
            await robin.commit([cue("cue_43", number="43")])
            before = await sam.state_hash()
            await robin.pack(tmp_path / "late.pack")
            plan = await sam.merge_plan(tmp_path / "late.pack")
            assert (plan["bundles"], plan["held"], plan["conflicts"]) == (2, 2, [])
            await sam.merge(tmp_path / "late.pack")
            assert await sam.state_hash() == before
            held = await sam.held()
            assert [(one["author"], one["message"], one["documents"]) for one in held] == [
                ("Robin", "unaware", ["cues"]), ("Robin", "", ["cues"]),
            ]  # fmt: skip
            assert held[0]["signed_by"] == robin.identity.device

            # A backup, a stick, a rebuild and the doctor keep it so.
            await sam.backup(tmp_path / "copy")
            async with Workspace.open(tmp_path / "copy", identity_=identity("sam")) as copy:
                assert await copy.held() == held
                assert await copy.rebuild() == before
                assert await copy.held() == held
            await carry(sam, kim, tmp_path)
            assert [one["bundle"] for one in await kim.held()] == [one["bundle"] for one in held]
            for one in (sam, kim):
                assert (await one.doctor())["faults"] == []
                assert await one.state_hash() == before

            # Whoever was removed sees it, keeps everything, and can't go on.
            await carry(sam, robin, tmp_path)
            assert await robin.state_hash() == before
            assert len(await robin.held()) == 2
            with pytest.raises(Denied, match="isn't a member"):
                await robin.commit([start("12:00")])

            # Looked at, and let in.
            with pytest.raises(Denied):
                await kim.review()
            heard: list[Committed] = []
            stop = sam.feed.subscribe(heard.append)
            assert await sam.review([held[0]["bundle"]]) == {"accepted": 1, "held": 1}
            stop()
            assert [(event.bundle, bool(event.updates)) for event in heard] == [(held[0]["bundle"], True)]
            assert (await sam.entity("cue_42"))["facets"][ROOT]["start"] == "11:00"
            with pytest.raises(Stale):
                await sam.review([held[0]["bundle"]])
            assert await sam.review() == {"accepted": 1, "held": 0}
            for one in (kim, robin):
                await carry(sam, one, tmp_path)
                assert await one.held() == []
                assert await one.state_hash() == await sam.state_hash()
                assert (await one.doctor())["faults"] == []
                assert await one.rebuild() == await sam.state_hash()

    asyncio.run(check())


def test_what_a_hostile_editor_lets_in_for_ever_ends_when_it_is_removed_again(tmp_path: Path) -> None:
    """INV-MEMBER-1: an editor accepts all that a removed device will ever write. An owner can end that."""

    async def check() -> None:
        async with AsyncExitStack() as stack:
            sam = await stack.enter_async_context(laptop(tmp_path / "sam"))
            robin = await joined(stack, sam, tmp_path, "robin")
            kim = await joined(stack, sam, tmp_path, "kim")
            await sam.remove_member(kim.identity.device)
            await carry(sam, robin, tmp_path)

            def for_ever(committer: Committer) -> list[SignedRecord]:
                return [committer.members.write("accept", committer.tick(), until={kim.replica: 2**53})]

            await robin._worker.submit(Records(plan=for_ever))
            await carry(robin, sam, tmp_path)
            await sam.remove_member(robin.identity.device)
            await kim.commit([start("11:00")])
            await carry(kim, sam, tmp_path)
            assert (await sam.entity("cue_42"))["facets"][ROOT]["start"] == "11:00"
            assert await sam.remove_member(kim.identity.device) == kim.identity.device
            await kim.commit([start("11:30")])
            await carry(kim, sam, tmp_path)
            assert (await sam.entity("cue_42"))["facets"][ROOT]["start"] == "11:00"
            assert len(await sam.held()) == 1
            assert await sam.rebuild() == await sam.state_hash()
            await carry(sam, kim, tmp_path)
            assert await kim.state_hash() == await sam.state_hash()

    asyncio.run(check())


def test_a_program_gets_what_a_review_lets_in(tmp_path: Path) -> None:
    """INV-SHOWN-2: whoever syncs through the laptop shows what it shows."""

    async def check() -> None:
        async with AsyncExitStack() as stack:
            sam = await stack.enter_async_context(laptop(tmp_path / "sam"))
            robin = await joined(stack, sam, tmp_path, "robin")
            await sam.remove_member(robin.identity.device)
            await robin.commit([start("11:00")])
            await carry(robin, sam, tmp_path)
            program = Program("lee", 77)
            await program.sync(sam)

            def shown() -> Any:
                return program.doc.get(ROOT, type=Map)["cue_42/start"]

            assert shown() == "10:00"
            heard: list[Committed] = []
            sam.feed.subscribe(heard.append)
            await sam.review()
            for event in heard:
                for document, update in event.updates:
                    if document == "cues":
                        program.doc.apply_update(update)
            assert shown() == "11:00"

    asyncio.run(check())


def test_a_workspace_is_founded_once_and_by_somebody_known(tmp_path: Path) -> None:
    async def check() -> None:
        async with laptop(tmp_path / "sam") as sam:
            await sam.backup(tmp_path / "thief")
            await sam.found()
            await sam.found()
            assert len(await sam.member_records()) == 1
            async with Workspace.open(tmp_path / "thief", identity_=identity("mallory")) as mallory:
                await mallory.found()
                await mallory.pack(tmp_path / "theirs.pack")
                with pytest.raises(Untrusted, match="founded by somebody else"):
                    await sam.merge_plan(tmp_path / "theirs.pack")
                with pytest.raises(Untrusted, match="founded by somebody else"):
                    await sam.merge(tmp_path / "theirs.pack")
                with pytest.raises(Stale):
                    await sam.expect(bytes.fromhex((await mallory.members())["anchor"]))
            assert await sam.may_connect(bytes(device_key("sam").verify_key))
            assert not await sam.may_connect(bytes(device_key("mallory").verify_key))

    asyncio.run(check())


def test_what_makes_no_sense(tmp_path: Path) -> None:
    async def check() -> None:
        async with laptop(tmp_path / "sam") as sam:
            with pytest.raises(InputError, match="no role"):
                await sam.invite("king")
            with pytest.raises(InputError, match="no role"):
                await sam.invite("editor", {"cues": "king"})
            with pytest.raises(NotFound):
                await sam.remove_member("0123")
            await sam.found()
            with pytest.raises(Denied, match="keeps an owner"):
                await sam.remove_member(sam.identity.device)
            with pytest.raises(Denied, match="keeps an owner"):
                await sam.change_member(sam.identity.device, role="viewer")
            with pytest.raises(NotFound):
                await sam.review(["0123456789ab"])
            assert await sam.review() == {"accepted": 0, "held": 0}
            device = await let_in(sam, "robin", "viewer")
            await sam.change_member(device, role="editor", grants={"cues": "viewer"})
            shown = next(one for one in (await sam.members())["members"] if one["device"] == device)
            assert (shown["role"], shown["grants"]) == ("editor", {"cues": "viewer"})
            await let_in(sam, "robin", "owner")
            assert len(await sam.member_records()) == 3, "who is a member already keeps its role"

    asyncio.run(check())


def test_records_between_devices(tmp_path: Path) -> None:
    async def check() -> None:
        async with AsyncExitStack() as stack:
            sam = await stack.enter_async_context(laptop(tmp_path / "sam"))
            robin = await joined(stack, sam, tmp_path, "robin")
            await let_in(sam, "kim")
            lacking = await sam.member_records(await robin.member_heads())
            assert len(lacking) == 1
            await robin.take_records(lacking)
            await robin.take_records(lacking)
            assert await robin.member_heads() == await sam.member_heads()
            for bad in (b"", b"\xff", lacking[0][:-1], b"x" * 20_000):
                with pytest.raises(Untrusted):
                    await robin.take_records([bad])

    asyncio.run(check())


def test_the_key_of_a_device_is_its_users_alone(tmp_path: Path) -> None:
    load(tmp_path / "home", name="Sam", device_name="laptop")
    assert stat.S_IMODE((tmp_path / "home").stat().st_mode) == 0o700
    for file in (tmp_path / "home").iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


def test_a_production_is_its_users_alone(tmp_path: Path) -> None:
    """Whether it was made here, came from others, was restored, or is a backup."""

    async def check() -> None:
        async with laptop(tmp_path / "made") as sam:
            await sam.backup(tmp_path / "backup")

    asyncio.run(check())
    restore(tmp_path / "backup", tmp_path / "restored")
    empty_copy(tmp_path / "joined", "ws_1")
    for name in ("made", "backup", "restored", "joined"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o700, name


def test_a_backup_opens_nothing_to_those_who_had_tokens(tmp_path: Path) -> None:
    """A token that was withdrawn after the backup was made stays so."""

    async def check() -> None:
        async with laptop(tmp_path / "sam") as sam:
            made = await sam.token_create(label="tablet", role="owner")
            await sam.backup(tmp_path / "backup")
            await sam.token_revoke(made["id"])
        shutil.copytree(tmp_path / "sam", tmp_path / "older")
        async with Workspace.open(tmp_path / "older", identity_=identity("sam")) as older:
            again = await older.token_create(label="tablet", role="owner")
        for source, token in (("backup", made["token"]), ("older", again["token"])):
            restore(tmp_path / source, tmp_path / f"from {source}")
            async with Workspace.open(tmp_path / f"from {source}", identity_=identity("sam")) as workspace:
                assert workspace.token_check(token) is None
                assert workspace.token_list() == []

    asyncio.run(check())


def test_a_backup_that_somebody_altered_brings_in_nothing_else_of_the_device(tmp_path: Path) -> None:
    """A link among its stored files leads to what the device's user alone can read: it isn't followed."""
    secret = tmp_path / "secret"
    secret.write_text("of this device")
    name = "blob:" + "0" * 64

    async def check() -> None:
        async with laptop(tmp_path / "sam") as sam:
            kept = sam.blobs.put(b"a picture")
            await sam.backup(tmp_path / "backup")
        (tmp_path / "backup/blobs" / ("0" * 64)).symlink_to(secret)
        (tmp_path / "backup/blobs/other").symlink_to(tmp_path)
        restore(tmp_path / "backup", tmp_path / "restored")
        for folder in ("restored", "backup"):
            async with Workspace.open(tmp_path / folder, identity_=identity("sam")) as workspace:
                assert workspace.blobs.get(kept) == b"a picture"
                with pytest.raises(NotFound):
                    workspace.blobs.get(name)
                assert list(workspace.blobs.names()) == [kept.removeprefix("blob:")]
        assert {one.name for one in (tmp_path / "restored/blobs").iterdir()} == {kept.removeprefix("blob:")}

    asyncio.run(check())


def test_a_copy_without_the_key_cant_write(tmp_path: Path) -> None:
    """INV-MEMBER-2"""

    async def check() -> None:
        async with laptop(tmp_path / "sam") as sam:
            await sam.found()
            await sam.backup(tmp_path / "taken")
            async with Workspace.open(tmp_path / "taken", identity_=identity("thief")) as thief:
                assert await thief.state_hash() == await sam.state_hash()
                for attempt in (
                    lambda: thief.commit([start("13:00")]), lambda: thief.invite(), lambda: thief.undo(),
                    lambda: let_in(thief, "thief", "owner"), lambda: thief.remove_member(sam.identity.device),
                ):  # fmt: skip
                    with pytest.raises((Denied, NotFound)):
                        await attempt()
                assert await thief.state_hash() == await sam.state_hash()

    asyncio.run(check())


def test_what_a_member_overwrote_is_in_the_history(tmp_path: Path) -> None:
    async def check() -> None:
        async with AsyncExitStack() as stack:
            sam = await stack.enter_async_context(laptop(tmp_path / "sam"))
            robin = await joined(stack, sam, tmp_path, "robin")
            await robin.commit([start("00:00")])
            await carry(robin, sam, tmp_path)
            assert (await sam.entity("cue_42"))["facets"][ROOT]["start"] == "00:00"
            assert "10:00" in str(await sam.history("cue_42"))

    asyncio.run(check())


def test_while_a_clock_is_far_ahead_nobody_is_let_in_or_removed(tmp_path: Path) -> None:
    """INV-CLOCK-1: a membership record bears a time, too."""

    async def check() -> None:
        async with laptop(tmp_path / "sam") as sam:
            robin = await let_in(sam, "robin")
            before = await sam.members()
            await sam.keep_time(correction_ms=0, refusal="This clock is wrong.")
            for change in (sam.remove_member(robin), sam.change_member(robin, role="viewer"), let_in(sam, "kim")):
                with pytest.raises(Denied, match="clock is wrong"):
                    await change
            assert await sam.members() == before
            await sam.keep_time(correction_ms=0, refusal="")
            await sam.remove_member(robin)

    asyncio.run(check())
