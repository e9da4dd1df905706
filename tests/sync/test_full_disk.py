"""A disk without room, while others' edits come: people are told, once, and it all comes when there is room again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from openprod.engine.commit import Committer
from tests.sync.desks import desk, fill


def test_people_are_told_of_a_full_disk_and_it_comes_again(tmp_path: Path) -> None:
    """INV-LOSS-1"""

    def room(pages: int) -> Callable[[Committer], None]:
        def set_room(committer: Committer) -> None:
            (held,) = committer.storage._connection.execute("PRAGMA page_count").fetchone()  # type: ignore[attr-defined]
            committer.storage._connection.execute(f"PRAGMA max_page_count = {held + pages}")  # type: ignore[attr-defined]

        return set_room

    async def scene() -> None:
        async with desk(tmp_path, "alex") as alex, desk(tmp_path, "blake", of=alex.workspace.id) as blake:
            await blake.join(await alex.host())
            await blake.holds_what(alex)
            await blake.workspace.on_thread(room(0))
            await fill(alex.workspace, 20, 50_000)
            await blake.until(lambda _status: "can't be stored" in blake.said())
            await blake.workspace.on_thread(room(1_000_000))
            await blake.holds_what(alex)
            assert blake.said().count("can't be stored") == 1, blake.said()

    asyncio.run(scene())
