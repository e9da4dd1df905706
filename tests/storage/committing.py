"""Run as a program: commit in a loop, and write each bundle's id to standard output once it is acknowledged.

``committing.py FOLDER SEED``: native edits, programs' updates and rebuilds, several at a time, until it is killed.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
from typing import Any

from pycrdt import Doc, Map

from openprod.core.bundles import Actor
from openprod.core.operations import EditText, SetField
from openprod.engine import replay
from openprod.engine.workspace import Workspace


def acknowledge(bundle: str) -> None:
    os.write(1, f"{bundle}\n".encode())


async def native(workspace: Workspace, chance: random.Random) -> None:
    while True:
        name = f"cue_{chance.randrange(5)}"
        value = f"{chance.randrange(24):02}:{chance.randrange(60):02}"
        receipt = await workspace.commit(
            [
                SetField(entity=name, facet="cues.cue", field="start", value=value),
                EditText(entity=name, facet="cues.cue", field="notes", index=0, insert=value),
            ]
        )
        if receipt.bundle:
            acknowledge(receipt.bundle)


async def program(workspace: Workspace, chance: random.Random, number: int) -> None:
    actor = Actor(f"user_{number}", f"Person {number}", "page", "desk")
    doc: Doc[Any] = Doc()
    doc.apply_update(await workspace.state_as_update("cues"))
    while True:
        before = doc.get_state()
        doc.get("cues.cue", type=Map)[f"cue_{chance.randrange(5)}/label"] = f"{number} {chance.random()}"
        receipt = await workspace.ingest("cues", doc.get_update(before), actor=actor, origin=doc)
        assert receipt is not None
        acknowledge(receipt.bundle)


async def care(workspace: Workspace, chance: random.Random) -> None:
    while True:
        await asyncio.sleep(chance.random() * 0.2)
        await workspace.rebuild() if chance.random() < 0.3 else await workspace.snapshot()


async def main(folder: str, seed: int) -> None:
    chance = random.Random(seed)
    replay.SNAPSHOT_BYTES = chance.choice([2_000, 20_000, 8 << 20])
    async with Workspace.open(folder) as workspace:
        await asyncio.gather(
            native(workspace, chance), *(program(workspace, chance, number) for number in range(3)),
            care(workspace, chance),
        )  # fmt: skip


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
