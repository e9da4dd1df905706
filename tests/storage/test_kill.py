"""``kill -9`` of a program that commits, at random moments: what it acknowledged is there, and all fits together."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
import time
from pathlib import Path

from openprod.engine.workspace import Workspace
from tests.seeds import fresh
from tests.storage.production import make, read_back

ROUNDS = int(os.environ.get("OPENPROD_TEST_KILLS", "10"))
ROOT = Path(__file__).parents[2]


def acknowledged_until_killed(folder: Path, chance: random.Random) -> list[str]:
    program = subprocess.Popen(
        [sys.executable, "-m", "tests.storage.committing", str(folder), str(chance.randrange(1 << 30))],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert program.stdout is not None
    assert program.stderr is not None
    try:
        lines = [program.stdout.readline() for _ in range(chance.randrange(1, 60))]
        time.sleep(chance.random() * 0.05)  # any moment: in the middle of a commit, of a snapshot, of a rebuild
        assert program.poll() is None, program.stderr.read().decode()
    finally:
        program.kill()
    lines += program.stdout.read().splitlines(keepends=True)
    program.wait()
    program.stdout.close()
    program.stderr.close()
    return [line.decode().strip() for line in lines if line.endswith(b"\n")]


def test_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    seed = fresh("kill.nothing_acknowledged_is_lost")
    print(f"seed {seed}")
    chance = random.Random(seed)
    folder = tmp_path / "hamlet"

    async def check() -> None:
        await make(folder)
        acknowledged: set[str] = set()
        for number in range(ROUNDS):
            acknowledged.update(acknowledged_until_killed(folder, chance))
            async with Workspace.open(folder) as workspace:
                held = {entry["bundle"] for entry in await workspace.log(limit=-1)}
                assert acknowledged <= held, f"round {number}: {len(acknowledged - held)} lost"
                found = await workspace.state_hash()
                health = await workspace.doctor()
                assert health["healthy"], health["faults"]
                assert await workspace.rebuild() == found
        found, bundles = await read_back(folder)
        assert acknowledged <= set(bundles)
        print(f"{len(acknowledged)} acknowledged in {ROUNDS} rounds")

    asyncio.run(check())
