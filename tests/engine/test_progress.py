"""Long work tells how far it has come: it rises, and ends at the whole."""

from __future__ import annotations

import asyncio
from pathlib import Path

from openprod.engine.workspace import Workspace
from tests.engine.laptops import CUES, cue, identity, laptop


class Told(list[tuple[int, int]]):
    def __call__(self, done: int, total: int) -> None:
        self.append((done, total))

    def check(self, *, times_min: int) -> None:
        assert len(self) >= times_min, self
        assert list(self) == sorted(self)
        assert len({total for _done, total in self}) == 1
        assert self[-1][0] == self[-1][1] > 0


def test_committing_packing_looking_ahead_merging_backing_up(tmp_path: Path) -> None:
    async def check() -> None:
        async with laptop(tmp_path / "a", "sam", CUES) as workspace:
            await workspace.backup(tmp_path / "copy")
            told = Told()
            await workspace.commit([cue(f"cue_{n}", number=str(n)) for n in range(600)], progress=told)
            told.check(times_min=3)
            for number in range(300):
                await workspace.commit([cue(f"cue_more_{number}", number=f"{number}.5")])
            workspace.blobs.put(b"a drawing")
            workspace.blobs.put(b"another drawing")
            told = Told()
            await workspace.backup(tmp_path / "second", progress=told)
            told.check(times_min=5)
            async with Workspace.open(tmp_path / "second", identity_=identity("sam")) as second:
                assert [second.blobs.get(name) for name in second.blobs.names()] == [
                    workspace.blobs.get(name) for name in workspace.blobs.names()
                ]
            told = Told()
            await workspace.pack(tmp_path / "pack", progress=told)
            assert told[-1][0] == told[-1][1]
            async with Workspace.open(tmp_path / "copy", identity_=identity("jordan")) as other:
                told = Told()
                plan = await other.merge_plan(tmp_path / "pack", progress=told)
                told.check(times_min=2)
                told = Told()
                assert (await other.merge(tmp_path / "pack", progress=told))["bundles"] == plan["bundles"]
                told.check(times_min=2)

    asyncio.run(check())
