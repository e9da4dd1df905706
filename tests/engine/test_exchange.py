"""Laptops that carry bundles to each other: plans are exact, histories are checked, copies go on by themselves."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
from pathlib import Path

import msgspec
import pytest

from openprod.core.bundles import SignedBundle, read, sign, signer
from openprod.core.operations import SetField
from openprod.engine import exchange
from openprod.engine.copying import empty_copy
from openprod.engine.workspace import Workspace
from openprod.errors import InputError, InvalidFile, OpenprodError, Untrusted
from tests.engine.laptops import ROOT, Program, carry, cue, disagree, identity, laptop
from tests.engine.replica import device_key


def start(value: object, entity: str = "cue_42") -> SetField:
    return SetField(entity=entity, facet=ROOT, field="start", value=value)


def test_there_and_back(tmp_path: Path) -> None:
    """INV-CONVERGE-1 on disk: laptops with the same bundles are the same."""

    async def check() -> None:
        async with laptop(tmp_path / "a") as sam:
            await sam.backup(tmp_path / "b")
            async with Workspace.open(tmp_path / "b", identity_=identity("robin")) as robin:
                await sam.commit([start("10:30")])
                await robin.commit([start("11:00")])
                await robin.commit([cue("cue_43", number="43")])
                plan = await carry(robin, sam, tmp_path)
                assert plan["authors"] == [{"author": "Robin", "bundles": 2}]
                assert [one["sentence"] for one in plan["conflicts"]] == [
                    (await sam.conflicts())[0].sentence
                ]  # fmt: skip
                assert (await carry(robin, sam, tmp_path))["bundles"] == 0
                await carry(sam, robin, tmp_path)
                assert await sam.state_hash() == await robin.state_hash()
                assert (await sam.conflicts()) == (await robin.conflicts())

    asyncio.run(check())


def test_schemas_that_come_among_others_are_in_force_once_that_is_told(tmp_path: Path) -> None:
    """One group of bundles, the adoption not the last of them: a page that asks at the first event finds it."""

    async def check() -> None:
        async with laptop(tmp_path / "a") as sam:
            await sam.commit([start("10:30")])
            await sam.pack(tmp_path / "all.pack")
            empty_copy(tmp_path / "b", sam.id)
            async with Workspace.open(tmp_path / "b", identity_=identity("robin")) as robin:
                assert not robin.schemas
                told: list[asyncio.Task[bool]] = []

                async def found() -> bool:
                    # At the very turn of the loop in which the thread has answered: a page's question comes at any.
                    refresh = robin._refresh
                    assert refresh is not None
                    while not refresh.done():
                        await asyncio.sleep(0)
                    await robin.settled()
                    return "cues" in robin.schemas

                robin.feed.subscribe(
                    lambda event: told.append(asyncio.ensure_future(found())) if event.intent == "adopt" else None
                )
                await robin.merge(tmp_path / "all.pack")
                assert told
                assert all([await one for one in told])

    asyncio.run(check())


def test_only_what_the_other_lacks(tmp_path: Path) -> None:
    async def check() -> None:
        async with laptop(tmp_path / "a") as sam:
            await sam.backup(tmp_path / "b")
            await sam.commit([start("10:30")])
            async with Workspace.open(tmp_path / "b", identity_=identity("robin")) as robin:
                have = tmp_path / "robin.json"
                have.write_bytes(msgspec.json.encode(await robin.have()))
                assert (await sam.pack(tmp_path / "some.pack", lacking=have))["bundles"] == 1
                assert (await robin.merge(tmp_path / "some.pack"))["bundles"] == 1
                assert await sam.state_hash() == await robin.state_hash()
                # A pack that starts later than what is here says so, and brings nothing.
                have.write_bytes(msgspec.json.encode(await sam.have()))
                await sam.commit([start("10:35")])
                await sam.commit([start("10:40")])
                have.write_text(
                    json.dumps({"workspace": sam.id, "have": {sam.replica: 4}})
                )  # fmt: skip
                await sam.pack(tmp_path / "gap.pack", lacking=have)
                before = await robin.state_hash()
                with pytest.raises(Untrusted, match="missing"):
                    await robin.merge(tmp_path / "gap.pack")
                with pytest.raises(Untrusted, match="missing"):
                    await robin.merge_plan(tmp_path / "gap.pack")
                assert await robin.state_hash() == before

    asyncio.run(check())


def test_files_that_are_not_whole(tmp_path: Path) -> None:
    async def check() -> None:
        async with laptop(tmp_path / "a") as sam:
            await sam.backup(tmp_path / "b")
            await sam.commit([start("10:30")])
            await sam.pack(tmp_path / "good.pack")
            good = (tmp_path / "good.pack").read_bytes()
            async with Workspace.open(tmp_path / "b", identity_=identity("robin")) as robin:
                before = await robin.state_hash()
                bad = tmp_path / "bad.pack"
                cuts = sorted({0, 3, 16, 17, 20, 25, len(good) // 3, len(good) // 2, len(good) - 1})
                for cut in cuts:
                    bad.write_bytes(good[:cut])
                    for attempt in (robin.merge_plan, robin.merge):
                        with pytest.raises(InvalidFile):
                            await attempt(bad)
                bad.write_bytes(good + b"\0")
                with pytest.raises(InvalidFile):
                    await robin.merge(bad)
                for place in range(16, len(good), 7):
                    bad.write_bytes(good[:place] + bytes([good[place] ^ 0x41]) + good[place + 1 :])
                    with contextlib.suppress(InvalidFile, Untrusted):
                        await robin.merge(bad)
                    # A flipped bit in what isn't signed (the head's name) may pass; nothing false may come in.
                    hash_now = await robin.state_hash()
                    assert hash_now in (before, await sam.state_hash())
                    if hash_now != before:
                        break
                bad.write_text("nothing")
                with pytest.raises(InvalidFile):
                    await robin.merge(bad)
                with pytest.raises(OpenprodError):
                    await robin.merge(tmp_path / "missing.pack")
                with pytest.raises(OpenprodError):
                    await robin.pack(tmp_path / "x.pack", lacking=bad)

    asyncio.run(check())


def test_nothing_is_written_over_but_what_was_written_for_the_same_before(tmp_path: Path) -> None:
    """The name of a file is quickly mistyped: into that of the workspace's own."""

    async def check() -> None:
        async with laptop(tmp_path / "a") as sam:
            have = msgspec.json.encode(await sam.have())
            mine = {tmp_path / "a" / "workspace.db", tmp_path / "cues.csv"}
            (tmp_path / "cues.csv").write_text("LX 1")
            for path in mine:
                before = path.read_bytes()
                with pytest.raises(InputError, match="something else"):
                    await sam.pack(path)
                with pytest.raises(InputError, match="something else"):
                    exchange.write_have(path, have)
                assert path.read_bytes() == before
            for _again in range(2):
                await sam.pack(tmp_path / "sam.pack")
                exchange.write_have(tmp_path / "sam.have", have)
            assert (tmp_path / "sam.have").read_bytes() == have
            assert not list(tmp_path.glob("*.part"))

    asyncio.run(check())


def test_other_productions_and_forged_authors(tmp_path: Path) -> None:
    async def check() -> None:
        async with laptop(tmp_path / "a") as sam, laptop(tmp_path / "x", "mallory") as other:
            await other.pack(tmp_path / "other.pack")
            with pytest.raises(Untrusted, match="another production"):
                await sam.merge(tmp_path / "other.pack")
            with pytest.raises(Untrusted, match="another production"):
                await sam.merge_plan(tmp_path / "other.pack")
            (tmp_path / "have.json").write_bytes(msgspec.json.encode(await other.have()))
            with pytest.raises(Untrusted):
                await sam.pack(tmp_path / "y.pack", lacking=tmp_path / "have.json")

    asyncio.run(check())


def _repack(source: Path, target: Path, **changes: object) -> None:
    """The newest bundle of a pack, changed and signed anew by its own device."""
    data = source.read_bytes()
    parts: list[bytes] = []
    at = len(exchange.MAGIC)
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        parts.append(data[at + 4 : at + 4 + size])
        at += 4 + size
    last = read(msgspec.msgpack.decode(parts[-1], type=SignedBundle).body)
    signed, _hash = sign(msgspec.structs.replace(last, **changes), signer(device_key("robin")))
    parts[-1] = msgspec.msgpack.encode(signed)
    target.write_bytes(exchange.MAGIC + b"".join(len(part).to_bytes(4, "big") + part for part in parts))


@pytest.mark.parametrize(
    "changes",
    [
        {"hlc": "nonsense"}, {"hlc": "zz-00-x"}, {"hlc": "ffffffffffff-ffff-00000000"}, {"seq": 0}, {"seq": -1},
        {"previous": b"x" * 32}, {"updates": [("cues", b"\xff\xff")]}, {"updates": [("", b"\0\0")]},
        {"format": 99}, {"intent": "conquer"}, {"log": "0000000000000000-00000000"},
    ],
    ids=str,
)  # fmt: skip
def test_bundles_that_a_device_of_ours_signed_but_never_wrote(tmp_path: Path, changes: dict[str, object]) -> None:
    async def check() -> None:
        async with laptop(tmp_path / "a") as sam:
            await sam.backup(tmp_path / "b")
            async with Workspace.open(tmp_path / "b", identity_=identity("robin")) as robin:
                await robin.commit([start("11:00")])
                await robin.pack(tmp_path / "good.pack")
            _repack(tmp_path / "good.pack", tmp_path / "bad.pack", **changes)
            before = await sam.state_hash()
            try:
                await sam.merge(tmp_path / "bad.pack")
            except OpenprodError:
                assert await sam.state_hash() == before
            # Whatever came in can be lived with.
            await sam.log()
            await sam.history("cue_42")
            await sam.conflicts("all")
            await sam.commit([start("12:00")])
            assert await sam.rebuild() == await sam.state_hash()
            assert (await sam.doctor())["healthy"]

    asyncio.run(check())


def test_a_backup_goes_on_in_a_log_of_its_own(tmp_path: Path) -> None:
    async def check() -> None:
        async with laptop(tmp_path / "a") as sam:
            await disagree(sam, alex="10:30", jordan="10:45")
            made = await sam.backup(tmp_path / "b")
            assert made["bytes"] > 0
            with pytest.raises(InputError, match="exists already"):
                await sam.backup(tmp_path / "b")
            await sam.commit([start("11:00")])
            # The same person on the same laptop, from the older copy.
            async with Workspace.open(tmp_path / "b", identity_=identity("sam")) as copy:
                assert copy.id == sam.id
                await copy.commit([start("12:00")])
                assert copy.replica != sam.replica
                await carry(sam, copy, tmp_path)
                await carry(copy, sam, tmp_path)
                assert await copy.state_hash() == await sam.state_hash()
                assert {"11:00", "12:00"} <= {one.value for one in (await sam.conflicts())[0].candidates}
                assert (await copy.doctor())["healthy"]

    asyncio.run(check())


def test_a_plain_copy_of_the_folder_meets_its_own_later_history(tmp_path: Path) -> None:
    async def check() -> None:
        async with laptop(tmp_path / "a") as sam:
            await sam.snapshot()
        shutil.copytree(tmp_path / "a", tmp_path / "old")
        async with Workspace.open(tmp_path / "a", identity_=identity("sam")) as sam:
            await sam.commit([start("11:00")])
            await sam.pack(tmp_path / "later.pack")
        async with Workspace.open(tmp_path / "old", identity_=identity("sam")) as old:
            await old.merge(tmp_path / "later.pack")
            # It goes on, without writing over what it has just learnt it had written.
            await old.commit([start("12:00")])
            assert (await old.doctor())["healthy"]
            assert await old.rebuild() == await old.state_hash()
            await old.pack(tmp_path / "old.pack")
        async with Workspace.open(tmp_path / "a", identity_=identity("sam")) as sam:
            await sam.merge(tmp_path / "old.pack")
            assert (await sam.entity("cue_42"))["facets"][ROOT]["start"] == "12:00"
            assert await sam.conflicts() == []

    asyncio.run(check())


def test_two_histories_of_one_log_are_both_kept(tmp_path: Path) -> None:
    """INV-PEER-3 on a stick: the second is a branch, and packs carry both, also to who has only one of them."""

    async def check() -> None:
        async with laptop(tmp_path / "a") as sam:
            await sam.backup(tmp_path / "c")
        shutil.copytree(tmp_path / "a", tmp_path / "copy")
        async with (
            Workspace.open(tmp_path / "a", identity_=identity("sam")) as one,
            Workspace.open(tmp_path / "copy", identity_=identity("sam")) as two,
            Workspace.open(tmp_path / "c", identity_=identity("robin")) as robin,
        ):
            log = one.replica
            await one.commit([start("11:00")])
            await two.commit([start("12:00")])
            await two.commit([cue("cue_43", number="43")])
            await carry(one, robin, tmp_path)
            await carry(two, one, tmp_path)
            await one.commit([start("13:00")])
            last = (await one.log())[-1]["log"]
            assert last.partition("+")[0] != log, "its log was found to have two histories: it writes another"
            await two.commit([start("13:30")])
            # Robin has the first history only; what it has says so, and it gets just what it lacks.
            have = tmp_path / "robin.json"
            have.write_bytes(msgspec.json.encode(await robin.have()))
            packed = await one.pack(tmp_path / "rest.pack", lacking=have)
            assert packed["bundles"] == 4, "the two of the other history, that a log was left, and what came after"
            assert (await robin.merge(tmp_path / "rest.pack"))["bundles"] == 4
            assert await robin.state_hash() == await one.state_hash()
            round_ = ((two, robin), (robin, two), (robin, one), (one, two))
            for source, target in round_ * 2:  # who leaves a log says so in the next one, which the others lack then
                await carry(source, target, tmp_path)
            for workspace in (one, two, robin):
                assert (await workspace.doctor())["faults"] == []
                assert await workspace.state_hash() == await one.state_hash()
                assert await workspace.conflicts("all") == await one.conflicts("all")
                assert await workspace.rebuild() == await one.state_hash()
                (tmp_path / "have.json").write_bytes(msgspec.json.encode(await workspace.have()))
                for other in (one, two, robin):
                    found = await other.pack(tmp_path / "nothing.pack", lacking=tmp_path / "have.json")
                    assert found["bundles"] == 0

    asyncio.run(check())


def test_clocks_go_on_after_what_was_seen(tmp_path: Path) -> None:
    """A laptop whose clock is behind: its writes still come after what it had taken in."""

    async def check() -> None:
        async with laptop(tmp_path / "a") as sam:
            await sam.backup(tmp_path / "b")
            await sam.commit([start("11:00")])
            await sam.pack(tmp_path / "sam.pack")
            seen = (await sam.log())[-1]["hlc"]
        late = int(seen.split("-")[0], 16) - 60_000
        who = identity("robin")
        async with Workspace.open(tmp_path / "b", identity_=who) as robin:
            robin._now_ms = lambda: late
            await robin.merge(tmp_path / "sam.pack")
            await robin.commit([start("11:05")])
            first = (await robin.log())[-1]["hlc"]
            assert first > seen
        async with Workspace.open(tmp_path / "b", identity_=who) as robin:
            robin._now_ms = lambda: late
            receipt = await robin.commit([start("11:10")])
            assert receipt.hlc > first

    asyncio.run(check())


def test_as_of_any_bundle(tmp_path: Path) -> None:
    async def check() -> None:
        async with laptop(tmp_path / "a") as sam:
            values = ["10:05", "10:10", None, "10:20"]
            receipts = [await sam.commit([start(value)]) for value in values]
            desk = Program("alex", 5)
            await desk.sync(sam)
            removed = await desk.send(sam, desk.keys({}, remove=("cue_42/start",)))
            assert removed is not None
            for receipt, value in zip([*receipts, removed], [*values, None], strict=True):
                entity = await sam.entity("cue_42", as_of=receipt.bundle)
                assert entity["facets"][ROOT].get("start") == value
                rows = await sam.query({"facet": ROOT, "as_of": receipt.bundle, "fields": ["start"]})
                assert rows["rows"] == [["cue_42", value]]
            assert (await sam.entity("cue_42"))["facets"][ROOT].get("start") is None
            first = (await sam.log())[0]["bundle"]
            with pytest.raises(OpenprodError):
                await sam.entity("cue_42", as_of=first)

    asyncio.run(check())
