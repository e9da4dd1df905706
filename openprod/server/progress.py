"""Long work: its result as JSON, or its progress line by line to those who ask for that."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from starlette.responses import Response, StreamingResponse

from openprod.server.answers import NEVER_KEPT, answer, encode
from openprod.server.calls import Asked
from openprod.server.errors import record_of

Report = Callable[[int, int], None]
Work = Callable[[Report], Awaitable[Any]]


async def work(asked: Asked, do: Work) -> Response:
    """Do it and answer. With ``Accept: application/x-ndjson``: lines ``{"progress": {"done", "total"}}``, then one
    ``{"result": …}`` or ``{"error": …}``. Progress that nobody has read yet is replaced by newer progress."""
    if not asked.wants_progress:
        return answer(await do(lambda _done, _total: None))
    return StreamingResponse(_lines(do), media_type="application/x-ndjson", headers=NEVER_KEPT)


async def _lines(do: Work) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()
    changed = asyncio.Event()
    latest: list[tuple[int, int]] = []

    def note(done: int, total: int) -> None:
        latest[:] = [(done, total)]
        changed.set()

    def report(done: int, total: int) -> None:
        # Called on whichever thread does the work.
        loop.call_soon_threadsafe(note, done, total)

    async def run() -> Any:
        return await do(report)

    task = loop.create_task(run())
    task.add_done_callback(lambda _task: changed.set())
    try:
        while not task.done():
            await changed.wait()
            changed.clear()
            if latest:
                done, total = latest.pop()
                yield encode({"progress": {"done": done, "total": total}}) + b"\n"
        try:
            last = {"result": task.result()}
        except Exception as error:
            last = {"error": record_of(error)}
        yield encode(last) + b"\n"
    finally:
        task.cancel()
