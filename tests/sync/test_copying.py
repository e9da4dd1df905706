"""A newcomer's whole copy, over real sockets: by chunks, resumed, and from people who mean harm."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from openprod.core.operations import CreateEntity
from openprod.engine.copying import read_oplog
from openprod.sync import copying
from openprod.sync.hosting import Hosting
from openprod.sync.messages import PIECE_BYTES_MAX, Chunk
from tests.engine.laptops import ROOT
from tests.sync.desks import Desk, desk, fill, verify_ahead

BUNDLES = 150
SIZE = 20_000


@pytest.fixture(autouse=True)
def fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy for less than people would need one for."""
    monkeypatch.setattr(copying, "LACKING_MIN", 100)


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Alex's, of some megabytes."""
    folder = tmp_path_factory.mktemp("made")

    async def make() -> None:
        async with desk(folder, "alex") as alex:
            await fill(alex.workspace, BUNDLES, SIZE)

    asyncio.run(make())
    return folder


@pytest.fixture
def folder(production: Path, tmp_path: Path) -> Path:
    shutil.copytree(production, tmp_path, dirs_exist_ok=True)
    return tmp_path


def play(folder: Path, scene: Callable[[Desk, Desk], Awaitable[None]]) -> None:
    """With alex, and with blake, who has nothing yet."""

    async def run() -> None:
        async with desk(folder, "alex") as alex, desk(folder, "blake", of=alex.workspace.id) as blake:
            await scene(alex, blake)

    asyncio.run(run())


async def alike(alex: Desk, blake: Desk) -> None:
    await blake.holds_what(alex)
    assert await blake.workspace.state_hash() == await alex.workspace.state_hash()
    assert (await blake.workspace.doctor())["healthy"]


def test_a_newcomer_gets_a_whole_copy_and_goes_on_from_there(folder: Path) -> None:
    async def scene(alex: Desk, blake: Desk) -> None:
        file = b"a stored file" * 50_000
        name = alex.workspace.blobs.put(file)
        await alex.workspace.commit([CreateEntity(entity="cue_file", facets={ROOT: {"label": name}})])
        await blake.join(await alex.host())
        await blake.until(lambda it: it["copy"] and it["copy"]["came"])
        await alike(alex, blake)
        await blake.until(lambda it: it["copy"] is None)
        assert blake.network.came["Manifest"] == 1
        copied = blake.network.chunk_bytes
        assert copied >= BUNDLES * SIZE
        # What could come as bundles before the copy was asked for is what one window holds.
        assert blake.network.came.get("Ops", 0) <= 16
        await alex.workspace.commit([CreateEntity(entity="cue_late", facets={ROOT: {"label": "late"}})])
        await blake.workspace.commit([CreateEntity(entity="cue_mine", facets={ROOT: {"label": "mine"}})])
        await alike(alex, blake)
        await blake.until(lambda _: (blake.workspace.folder / "blobs" / name.removeprefix("blob:")).exists())
        assert blake.workspace.blobs.get(name) == file
        assert not list((blake.workspace.folder / "run").glob("copy-*"))

    play(folder, scene)


def test_what_is_a_replica_s_own_does_not_travel(folder: Path) -> None:
    """INV-COPY-1"""

    async def scene(alex: Desk, blake: Desk) -> None:
        made = await alex.workspace.token_create(label="The desk of the stage manager")
        secret = made["token"].encode()

        def spoil(committer: Any) -> None:
            with committer.storage.transaction():
                committer.storage.quarantine("cues", b"kept aside here", "because", "now")

        await alex.workspace.on_thread(spoil)
        await blake.join(await alex.host())
        await alike(alex, blake)
        copy = (alex.workspace.folder / "run" / "copy-for-others").read_bytes()
        own = [b"The desk of the stage manager", secret, hashlib.sha256(secret).hexdigest().encode(), b"kept aside"]
        assert not [part for part in own if part in copy]
        assert sum(len(group) for group in read_oplog(alex.workspace.folder / "run" / "copy-for-others")) == len(
            await alex.bundles()
        )
        assert blake.workspace.token_list() == []
        assert blake.workspace.replica.startswith(blake.workspace.identity.device)
        assert await blake.workspace.on_thread(lambda it: it.storage.quarantined()) == []

    play(folder, scene)


def test_a_connection_that_drops_loses_what_was_under_way_and_no_more(folder: Path) -> None:
    async def scene(alex: Desk, blake: Desk) -> None:
        blake.network.cut_after = 2_200_000
        await blake.join(await alex.host())
        await blake.until(lambda _: blake.network.came.get("Manifest", 0) == 2)
        await alike(alex, blake)
        size = (alex.workspace.folder / "run" / "copy-for-others").stat().st_size
        assert blake.network.chunk_bytes <= size + 9 * PIECE_BYTES_MAX

    play(folder, scene)


def test_an_older_node_sends_bundles(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(alex: Desk, blake: Desk) -> None:
        # It doesn't say how many bundles it has.
        monkeypatch.setattr(Hosting, "held", property(lambda it: 0 if it.workspace is alex.workspace else 1))
        await blake.join(await alex.host())
        await alike(alex, blake)
        assert "Manifest" not in blake.network.came

    play(folder, scene)


def test_a_giver_without_room_sends_bundles(folder: Path) -> None:
    async def scene(alex: Desk, blake: Desk) -> None:
        await blake.join(await alex.host())
        (alex.workspace.folder / "run" / "copy-for-others").mkdir()
        await alike(alex, blake)
        assert blake.network.came["Manifest"] == 1
        assert blake.network.chunk_bytes == 0

    play(folder, scene)


def test_an_altered_chunk(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """INV-BOUND-1: its sender is let go, and nothing of it is kept."""

    async def scene(alex: Desk, blake: Desk) -> None:
        read = copying.Given._read

        def altered(self: Any, wanted: Any, start: int, length: int) -> Chunk:
            chunk = read(self, wanted, start, length)
            return Chunk(chunk.hash, chunk.offset, bytes([chunk.data[0] ^ 1]) + chunk.data[1:])

        monkeypatch.setattr(copying.Given, "_read", altered)
        await blake.join(await alex.host())
        await blake.until(lambda _: "isn't what its list says" in blake.said())
        # Its bundles, one by one, are what their authors signed: those are taken.
        await alike(alex, blake)

    play(folder, scene)


def lies(monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], None]) -> None:
    """The copy is changed before its chunks are hashed and its list is signed."""
    hash = copying.Given._hash

    def after(self: Any) -> None:
        change(self._path)
        hash(self)

    monkeypatch.setattr(copying.Given, "_hash", after)


@pytest.mark.parametrize("ahead", [False, True])
def test_an_altered_bundle_in_a_copy_that_a_member_signed(
    folder: Path, monkeypatch: pytest.MonkeyPatch, ahead: bool
) -> None:
    """INV-COPY-1: whoever verifies signatures."""
    said = verify_ahead(monkeypatch) if ahead else None

    def change(path: Path) -> None:
        data = path.read_bytes()
        assert b"000007-" in data
        path.write_bytes(data.replace(b"000007-", b"999999-"))

    async def scene(alex: Desk, blake: Desk) -> None:
        lies(monkeypatch, change)
        await blake.join(await alex.host())
        await blake.until(lambda _: "was altered on the way" in blake.said())
        await alike(alex, blake)
        values = await blake.workspace.on_thread(lambda it: [row.value for row in it.storage.all_registers()])
        assert [value for value in values if value and "000007-" in value]
        assert not [value for value in values if value and "999999-" in value]
        assert said is None or (False in said and True in said)

    play(folder, scene)


def test_a_file_that_is_no_copy(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """INV-COPY-1: such as a database with more in it than bundles; it is never opened."""

    async def scene(alex: Desk, blake: Desk) -> None:
        database = (alex.workspace.folder / "workspace.db").read_bytes()
        lies(monkeypatch, lambda path: path.write_bytes(database) and None)
        await blake.join(await alex.host())
        await blake.until(lambda _: "can't be read" in blake.said())
        await alike(alex, blake)

    play(folder, scene)


def test_what_a_giver_derived_does_not_travel(folder: Path) -> None:
    """INV-COPY-1, INV-REPLAY-1: a hostile member can plant no value that nobody wrote."""

    async def scene(alex: Desk, blake: Desk) -> None:
        def plant(committer: Any) -> None:
            connection = sqlite3.connect(committer.storage.path)
            with connection:
                changed = connection.execute("UPDATE register SET value = '\"planted\"' WHERE field = 'label'")
                assert changed.rowcount == BUNDLES
            connection.close()

        await alex.workspace.on_thread(plant)
        assert not (await alex.workspace.doctor())["healthy"]
        await blake.join(await alex.host())
        await blake.holds_what(alex)
        assert blake.network.chunk_bytes > 0
        assert (await blake.workspace.doctor())["healthy"]
        assert await blake.workspace.state_hash() != await alex.workspace.state_hash()

    play(folder, scene)
