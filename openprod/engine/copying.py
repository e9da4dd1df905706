"""What a newcomer's replica begins with: an empty copy of the workspace, and the oplog of others in one file.

The file holds bundles and nothing else: for each four bytes of its body's length, 64 of signature, the body; in the
order of arrival of the replica that wrote it, so that each follows what it builds on. It only ever grows at its end.
What is derived doesn't travel: whoever reads it takes every bundle in as one from anybody.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from anyio import to_thread

from openprod.core.bundles import BODY_BYTES_MAX, SignedBundle
from openprod.errors import InputError, Untrusted
from openprod.storage.sqlite.connection import DATABASE, translated
from openprod.storage.sqlite.reader import Reader
from openprod.storage.sqlite.storage import SqliteStorage

_ID = re.compile(r"ws_[0-9A-Za-z]{1,64}")
_HEAD: Final = struct.Struct(">I64s")
_WRITE_BYTES: Final = 1024 * 1024
GROUP: Final = 1024
GROUP_BYTES: Final = 4 * 1024 * 1024


def empty_copy(folder: Path, workspace: str) -> None:
    """Make a workspace of that id without a bundle and without a name in a new (or empty) folder.

    Raises InputError, StorageError.
    """
    if not _ID.fullmatch(workspace):
        raise InputError("That link doesn't name a production.", hint="Ask for a new one.")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} exists already and isn't empty.", hint="Choose another folder.")
    with translated(str(folder)):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    storage = SqliteStorage(str(folder / DATABASE))
    try:
        with storage.transaction():
            storage.set_meta("workspace", workspace)
    finally:
        storage.close()


async def append_oplog(path: Path, database: str, *, after: int, until: int) -> None:
    """Write the bundles ``after`` < number ≤ ``until`` to the end of the file at ``path``, which is made if need be.

    Reads beside the writer: people go on editing meanwhile. Raises StorageError.
    """
    waiting = bytearray()

    def write() -> None:
        with translated(str(path)), open(path, "ab") as file:
            file.write(waiting)
        waiting.clear()

    async with Reader.open(database) as reader:
        async for number, _log, _seq, _hash, body, signature in reader.bundles(after=after):
            if number > until:
                break
            waiting += _HEAD.pack(len(body), signature) + body
            if len(waiting) >= _WRITE_BYTES:
                await to_thread.run_sync(write)
    await to_thread.run_sync(write)


def read_oplog(path: Path) -> Iterator[list[SignedBundle]]:
    """Its bundles in groups, as they are: whoever takes them in verifies them.

    Raises StorageError; Untrusted for a file that isn't one.
    """
    group: list[SignedBundle] = []
    size = 0
    with translated(str(path)), open(path, "rb") as file:
        while head := file.read(_HEAD.size):
            if len(head) < _HEAD.size:
                raise _malformed()
            length, signature = _HEAD.unpack(head)
            body = file.read(length) if length <= BODY_BYTES_MAX else b""
            if not length or len(body) < length:
                raise _malformed()
            if group and (len(group) >= GROUP or size + length > GROUP_BYTES):
                yield group
                group, size = [], 0
            group.append(SignedBundle(body, signature))
            size += length
    if group:
        yield group


def _malformed() -> Untrusted:
    return Untrusted("A whole copy isn't one: it can't be read.", hint="Join by somebody else's link.")
