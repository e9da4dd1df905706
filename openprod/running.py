"""A node that runs, seen from other processes of its device: its record, and a client of its calls.

Light on purpose: most commands need nothing of the engine when a node serves the workspace.
"""

from __future__ import annotations

import os
import secrets
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

import anyio
import httpx
import msgspec

from openprod.errors import WrongFile
from openprod.storage.sqlite.connection import DATABASE, translated

API: Final = "/api/v1"
_ANSWER_S: Final = 2.0
NO_CERTIFICATES: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For clients of a node on this device, which need none: reading the usual ones takes longer than a call."""


class NodeRecord(msgspec.Struct, frozen=True, kw_only=True):
    """``run/node.json``: how commands reach the node that serves a workspace. Only its owner can read it."""

    pid: int
    host: str
    port: int
    token: str

    @property
    def url(self) -> str:
        return f"http://{bracketed(reachable(self.host))}:{self.port}"


def record_path(folder: str | Path) -> Path:
    return Path(folder) / "run" / "node.json"


def write_record(folder: Path, record: NodeRecord) -> None:
    """Raises StorageError."""
    write_private(record_path(folder), msgspec.json.encode(record))


def write_private(path: Path, data: bytes) -> None:
    """Whole or not at all, and readable by nobody else at any moment. Raises StorageError."""
    temporary = path.with_name(f".{path.stem}-{os.getpid()}-{secrets.token_hex(4)}")
    with translated(str(path)):
        path.parent.mkdir(exist_ok=True)
        try:
            with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(data)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def read_record(folder: str | Path) -> NodeRecord | None:
    """None when there is none that can be read."""
    try:
        return msgspec.json.decode(record_path(folder).read_bytes(), type=NodeRecord)
    except (OSError, msgspec.MsgspecError, ValueError):
        return None


def remove_record(folder: str | Path) -> None:
    """If it is this process's."""
    record = read_record(folder)
    if record is not None and record.pid == os.getpid():
        with suppress(OSError):
            record_path(folder).unlink()


# -- a client ----------------------------------------------------------------------------------------------


async def is_served(folder: str | Path) -> bool:
    """Whether a node serves the workspace."""
    record = read_record(folder)
    return record is not None and await _answers(record)


@asynccontextmanager
async def served(folder: str | Path) -> AsyncIterator[httpx.AsyncClient | None]:
    """A client of the node that serves the workspace, for addresses below /api/v1; None when none does.

    Raises WrongFile.
    """
    folder = Path(folder)
    if not (folder / DATABASE).is_file():
        raise WrongFile(f"{folder} isn't an Openprod workspace.", hint="Make one with `openprod new`.")
    record = read_record(folder)
    if record is None or not await _answers(record):
        yield None
        return
    async with httpx.AsyncClient(
        base_url=record.url + API,
        headers={"authorization": f"Bearer {record.token}"},
        timeout=httpx.Timeout(_ANSWER_S, read=None, write=None),
        trust_env=False,
        verify=NO_CERTIFICATES,
    ) as client:
        yield client


async def _answers(record: NodeRecord) -> bool:
    """Does the node of the record run? Another program may have its port, or another process its number."""
    try:
        async with httpx.AsyncClient(timeout=_ANSWER_S, trust_env=False, verify=NO_CERTIFICATES) as client:
            health = (await client.get(f"{record.url}/healthz")).json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError):
        return False
    return isinstance(health, dict) and health.get("pid") == record.pid


def run(function: Callable[[], Awaitable[Any]]) -> Any:
    """Run an async function on the event loop that serving was measured with (uvloop where there is one)."""
    return anyio.run(function, backend_options={"use_uvloop": os.name != "nt"})


# -- addresses ---------------------------------------------------------------------------------------------


def is_loopback(host: str) -> bool:
    return host.startswith("127.") or host.lower() in ("localhost", "::1")


def reachable(host: str) -> str:
    """Where to reach a node from its own device."""
    return {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(host, host)


def bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
