"""The clock that a workspace's writes are timed by, and whether it is right enough to write at all."""

from __future__ import annotations

import time

from openprod.engine.worker import Worker


class Timing:
    """Part of the facade."""

    _worker: Worker
    _correction_ms = 0

    def _corrected_ms(self) -> int:
        return time.time_ns() // 1_000_000 + self._correction_ms

    async def keep_time(self, *, correction_ms: int, refusal: str) -> None:
        """``correction_ms``: added to the wall clock for what is written from now on. ``refusal``: why nothing may be
        written, or "".
        """
        self._correction_ms = correction_ms
        await self._worker.call(lambda committer: setattr(committer, "read_only", refusal))
