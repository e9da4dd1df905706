"""The folder of a production is given another name while its node works: that ends nothing."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

import pytest

from openprod.core.operations import SetField
from openprod.errors import StorageError
from tests.engine.laptops import ROOT
from tests.engine.laptops import cue as made
from tests.sync.desks import desk


def test_what_cannot_be_stored_meanwhile_is_refused_or_comes_once_it_is_back(tmp_path: Path) -> None:
    """INV-PEER-1 INV-PEER-2"""

    async def run() -> None:
        async with desk(tmp_path, "alex") as alex, desk(tmp_path, "blake", of=alex.workspace.id) as blake:
            await blake.join(await alex.host())
            await blake.holds_what(alex)
            folder = blake.workspace.folder
            folder.rename(folder.with_name("moved"))

            stored = tmp_path / "file"
            stored.write_bytes(b"a picture")
            name = alex.workspace.blobs.take(stored, hashlib.sha256(b"a picture").hexdigest())
            await alex.workspace.commit([made("cue_1", label=name)])
            for _ in range(3):  # it looks once a second
                seen = blake.network.came.get("Heartbeat", 0)
                await blake.until(lambda _status, seen=seen: blake.network.came.get("Heartbeat", 0) > seen)
            with pytest.raises(StorageError, match="was moved"):
                await blake.workspace.commit([made("cue_2", label="x")])

            folder.with_name("moved").rename(folder)
            await blake.holds_what(alex)
            await blake.workspace.commit([SetField(entity="cue_1", facet=ROOT, field="list", value="Sound")])
            await alex.holds_what(blake)
            arrived = folder / "blobs" / name.removeprefix("blob:")
            await blake.until(lambda _status: arrived.exists())
            assert arrived.read_bytes() == b"a picture"

    asyncio.run(run())
