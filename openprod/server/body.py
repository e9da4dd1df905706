"""Reading what a request brings, with every bound checked before anything is decoded or kept."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
from anyio import to_thread
from starlette.requests import ClientDisconnect, Request

from openprod.errors import InputError, LimitExceeded
from openprod.storage.sqlite.connection import translated

MIB: Final = 1024 * 1024
JSON_BYTES_MAX: Final = 16 * MIB
NESTING_MAX: Final = 64
_LEFT_OVER_BYTES_MAX: Final = 4 * MIB
"""How much of a body that is too large is still read, so that the sender gets to hear the answer."""


async def read_bytes(request: Request, bytes_max: int) -> bytes:
    """The whole body. Raises LimitExceeded as soon as it is known to be larger."""
    return b"".join([chunk async for chunk in _chunks(request, bytes_max)])


async def read_json(request: Request) -> Any:
    """The body as JSON; None when it is empty. Raises InputError or LimitExceeded."""
    data = await read_bytes(request, JSON_BYTES_MAX)
    return parse_json(data) if data else None


def parse_json(data: bytes) -> Any:
    """Raises InputError for what isn't JSON in UTF-8, LimitExceeded for what is nested too deep."""
    try:
        value = msgspec.json.decode(data)
    except (msgspec.MsgspecError, ValueError) as error:
        raise InputError("The body isn't JSON in UTF-8.", hint="Send one JSON object.") from error
    except RecursionError:
        raise _too_deep() from None
    _check_depth(value)
    return value


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(NESTING_MAX + 1):
        inner: list[Any] = []
        for one in level:
            if isinstance(one, dict):
                inner += one.values()
            elif isinstance(one, list):
                inner += one
        if not inner:
            return
        level = inner
    raise _too_deep()


def _too_deep() -> LimitExceeded:
    return LimitExceeded(f"The body is nested more than {NESTING_MAX} deep.")


@dataclass(frozen=True, slots=True)
class Upload:
    """A received file: where it is until the request ends, how large, and the SHA-256 of what it holds."""

    path: Path
    bytes: int
    sha256: str


@asynccontextmanager
async def received_file(request: Request, folder: Path, *, bytes_max: int) -> AsyncIterator[Upload]:
    """Take the body into a file that is gone afterwards. Raises LimitExceeded, InputError or StorageError."""
    with translated(str(folder)):
        folder.mkdir(exist_ok=True)
        handle, name = tempfile.mkstemp(prefix="upload-", dir=folder)
    path = Path(name)
    try:
        digest, size = hashlib.sha256(), 0
        with translated(str(folder)), open(handle, "wb") as file:
            async for chunk in _chunks(request, bytes_max):
                digest.update(chunk)
                size += len(chunk)
                await to_thread.run_sync(file.write, chunk)
            file.flush()
            await to_thread.run_sync(os.fsync, file.fileno())
        if not size:
            raise InputError("The request brought no file.", hint="Send the file as the body of the request.")
        yield Upload(path, size, digest.hexdigest())
    finally:
        path.unlink(missing_ok=True)


async def _chunks(request: Request, bytes_max: int) -> AsyncIterator[bytes]:
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > bytes_max:
        if int(declared) <= bytes_max + _LEFT_OVER_BYTES_MAX:
            await _discard(request)
        raise _too_large(bytes_max)
    size = 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size > bytes_max:
                raise _too_large(bytes_max)
            if chunk:
                yield chunk
    except ClientDisconnect:
        raise InputError("The request ended in the middle.") from None


async def _discard(request: Request) -> None:
    try:
        async for _chunk in request.stream():
            pass
    except ClientDisconnect:
        pass


def _too_large(bytes_max: int) -> LimitExceeded:
    size = f"{bytes_max // MIB} MiB" if bytes_max >= MIB else f"{bytes_max // 1024} KiB"
    return LimitExceeded(f"The body is larger than {size}.", details={"bytes_max": bytes_max})
