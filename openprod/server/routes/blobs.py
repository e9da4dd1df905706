"""Files by the hash of what they hold."""

from __future__ import annotations

from typing import Any, Final

from anyio import to_thread
from starlette.responses import FileResponse, Response

from openprod.engine.blobs import BLOB_BYTES_MAX
from openprod.errors import InputError
from openprod.server.body import received_file
from openprod.server.calls import Asked, Call
from openprod.server.payloads import BlobAnswer

# What a program stored is never shown as a page of this node.
_HEADERS: Final = {
    "cache-control": "private, max-age=31536000, immutable",
    "content-disposition": "attachment",
    "content-security-policy": "sandbox; default-src 'none'",
    "x-content-type-options": "nosniff",
}


async def put(asked: Asked) -> dict[str, Any]:
    name = asked.part("hash").removeprefix("blob:")
    async with received_file(asked.request, asked.services.uploads, bytes_max=BLOB_BYTES_MAX) as file:
        if file.sha256 != name:
            raise InputError(
                "The file isn't the one that its address names: the hash differs.",
                hint="Send it again; the address ends in the SHA-256 of the file, 64 hex digits.",
                details={"hash": file.sha256},
            )
        blob = await to_thread.run_sync(asked.workspace.blobs.take, file.path, file.sha256)
    return {"blob": blob, "hash": file.sha256, "bytes": file.bytes}


async def get(asked: Asked) -> Response:
    path = asked.workspace.blobs.path(asked.part("hash"))
    return FileResponse(path, media_type="application/octet-stream", headers={**_HEADERS, "etag": f'"{path.name}"'})


CALLS = (
    Call(
        method="PUT",
        path="/blobs/{hash}",
        handle=put,
        does="Store a file under the SHA-256 of what it holds",
        role="editor",
        gives=BlobAnswer,
        takes_file=True,
    ),
    Call(
        method="GET",
        path="/blobs/{hash}",
        handle=get,
        does="A stored file, or the part that `Range` names",
        gives_file="application/octet-stream",
    ),
)
