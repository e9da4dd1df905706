"""Care of the workspace's file."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from openprod.server.calls import Asked, Call
from openprod.server.payloads import DoctorAnswer, FileAnswer, Nothing, PathRequest, StateHashAnswer
from openprod.server.progress import Report, work


async def doctor(asked: Asked) -> Response:
    return await work(asked, lambda report: asked.workspace.doctor(progress=report))


async def rebuild(asked: Asked) -> Response:
    async def do(report: Report) -> dict[str, Any]:
        return {"state_hash": await asked.workspace.rebuild(progress=report)}

    return await work(asked, do)


async def backup(asked: Asked) -> Response:
    request: PathRequest = asked.body
    path = asked.local_path(request.path)

    async def do(report: Report) -> dict[str, Any]:
        return await asked.workspace.backup(path, progress=report)

    return await work(asked, do)


CALLS = (
    Call(
        method="POST",
        path="/doctor",
        handle=doctor,
        does="Check everything that can be checked",
        role="owner",
        body=Nothing,
        gives=DoctorAnswer,
        progress=True,
    ),
    Call(
        method="POST",
        path="/rebuild",
        handle=rebuild,
        does="Derive everything again from the oplog",
        role="owner",
        body=Nothing,
        gives=StateHashAnswer,
        progress=True,
    ),
    Call(
        method="POST",
        path="/backup",
        handle=backup,
        does="Write a whole copy of the workspace as a new folder on the owner's device",
        role="owner",
        body=PathRequest,
        gives=FileAnswer,
        progress=True,
    ),
)
