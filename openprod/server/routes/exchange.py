"""Carrying bundles between laptops: what I have, a pack, what a pack would bring, taking it in."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

from anyio import to_thread
from starlette.background import BackgroundTask
from starlette.responses import FileResponse, Response

from openprod.engine import exchange
from openprod.engine.exchange import Have
from openprod.server.answers import NEVER_KEPT, encode
from openprod.server.body import received_file
from openprod.server.calls import Asked, Call, brings_file
from openprod.server.payloads import (
    FileAnswer,
    HaveAnswer,
    MergeAnswer,
    MergePlanAnswer,
    PackRequest,
    PathRequest,
)
from openprod.server.progress import Report, work

PACK_BYTES_MAX: Final = 4 * 1024**3


async def have(asked: Asked) -> Have:
    return await asked.workspace.have()


async def write_have(asked: Asked) -> dict[str, Any]:
    request: PathRequest = asked.body
    path = asked.local_path(request.path)
    data = encode(await asked.workspace.have())

    await to_thread.run_sync(exchange.write_have, path, data)
    return {"file": str(path)}


async def pack(asked: Asked) -> Response:
    request: PackRequest = asked.body
    folder = tempfile.TemporaryDirectory(prefix="openprod-pack-", ignore_cleanup_errors=True)
    lacking: Path | None = None
    try:
        if request.have is not None:
            lacking = Path(folder.name) / "have"
            lacking.write_bytes(encode(request.have))
        if request.path is not None:
            path = asked.local_path(request.path)

            async def do(report: Report) -> dict[str, Any]:
                try:
                    return await asked.workspace.pack(path, lacking=lacking, progress=report)
                finally:
                    folder.cleanup()

            return await work(asked, do)
        path = Path(folder.name) / "pack"
        await asked.workspace.pack(path, lacking=lacking)
    except BaseException:
        folder.cleanup()
        raise
    return FileResponse(
        path, media_type="application/octet-stream", headers=NEVER_KEPT, background=BackgroundTask(folder.cleanup)
    )


@asynccontextmanager
async def _file(asked: Asked) -> AsyncIterator[Path]:
    """The uploaded file, or the one that the owner names."""
    if brings_file(asked.request):
        async with received_file(asked.request, asked.services.uploads, bytes_max=PACK_BYTES_MAX) as file:
            yield file.path
    else:
        request: PathRequest = asked.body
        yield asked.local_path(request.path)


async def merge_plan(asked: Asked) -> Response:
    path, held = await _received(asked)

    async def do(report: Report) -> dict[str, Any]:
        async with held:
            return await asked.workspace.merge_plan(path, progress=report)

    return await work(asked, do)


async def merge(asked: Asked) -> Response:
    path, held = await _received(asked)

    async def do(report: Report) -> dict[str, Any]:
        async with held:
            return await asked.workspace.merge(path, progress=report)

    return await work(asked, do)


async def _received(asked: Asked) -> tuple[Path, AsyncExitStack]:
    """Received and checked before the answer begins, so that what is wrong with it still has a status."""
    async with AsyncExitStack() as stack:
        path = await stack.enter_async_context(_file(asked))
        return path, stack.pop_all()


CALLS = (
    Call(
        method="GET",
        path="/have",
        handle=have,
        does="Which bundles this replica holds, so that another can pack what it lacks",
        gives=HaveAnswer,
    ),
    Call(
        method="POST",
        path="/have",
        handle=write_have,
        does="The same, written to a file on the owner's device",
        role="owner",
        body=PathRequest,
        gives=FileAnswer,
    ),
    Call(
        method="POST",
        path="/pack",
        handle=pack,
        does="Bundles as a file: all, or what another lacks. The answer is the file unless `path` says where it goes",
        role="editor",
        body=PackRequest,
        gives=FileAnswer,
        gives_file="application/octet-stream",
        progress=True,
    ),
    Call(
        method="POST",
        path="/merge/plan",
        handle=merge_plan,
        does="What merging a pack would bring: bundles by author, conflicts to come. Changes nothing",
        role="owner",
        body=PathRequest,
        gives=MergePlanAnswer,
        takes_file=True,
        progress=True,
    ),
    Call(
        method="POST",
        path="/merge",
        handle=merge,
        does="Take a pack's bundles in",
        role="owner",
        body=PathRequest,
        gives=MergeAnswer,
        takes_file=True,
        progress=True,
    ),
)
