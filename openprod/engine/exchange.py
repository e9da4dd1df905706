"""Carrying bundles between laptops as a file: what I have, what you lack, what would come.

A pack is one msgpack object per line of a length-prefixed stream: a head, then signed bundles in an order in which each
follows what it builds on. It is read with bounds and verified bundle by bundle before anything is taken in.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from openprod.core.bundles import BODY_BYTES_MAX, Bundle, SignedBundle, verify
from openprod.engine.commit import Committer, Foreign
from openprod.errors import InvalidFile, Untrusted
from openprod.storage.sqlite.connection import translated
from openprod.storage.sqlite.reader import Reader

MAGIC: Final = b"OPENPROD-PACK-1\n"
_LENGTH: Final = struct.Struct(">I")


class PackHead(msgspec.Struct, frozen=True, kw_only=True):
    workspace: str
    name: str
    bundles: int
    have: dict[str, int]


class Have(msgspec.Struct, frozen=True, kw_only=True):
    """{log: last seq} of a replica, so that another can pack just what it lacks."""

    workspace: str
    have: dict[str, int]


def have(committer: Committer) -> Have:
    return Have(
        workspace=committer.workspace, have={log: seq for log, (seq, _hash) in committer.storage.logs().items()}
    )


def read_have(path: Path, workspace: str) -> Have:
    with translated(str(path)):
        data = path.read_bytes()[: 4 * 1024 * 1024]
    try:
        found = msgspec.json.decode(data, type=Have)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidFile(f"{path} isn't a list of what a laptop has.", hint="Make it with `openprod have`.") from error
    if found.workspace != workspace:
        raise Untrusted("That list is of another production.")
    return found


async def pack(
    path: Path, *, database: str, head: PackHead, lacking: dict[str, int],
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Write the bundles up to ``head.have`` and beyond ``lacking`` ({log: seq}) to a new file at ``path``.

    Reads beside the writer: people go on editing meanwhile.
    """
    temporary = path.with_name(path.name + ".part")
    done = 0
    with translated(str(path)):
        try:
            with open(temporary, "wb") as file:
                file.write(MAGIC)
                _put(file, msgspec.msgpack.encode(head))
                async with Reader.open(database) as reader:
                    async for _number, log, seq, _hash, body, signature in reader.bundles():
                        if not lacking.get(log, 0) < seq <= head.have.get(log, 0):
                            continue
                        _put(file, msgspec.msgpack.encode(SignedBundle(body, signature)))
                        done += 1
                        if progress is not None:
                            progress(done, head.bundles)
                # A stick is pulled out as soon as the program says it is done.
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    return {"file": str(path), "bundles": done}


def pack_head(committer: Committer, lacking: dict[str, int]) -> PackHead:
    logs = {log: seq for log, (seq, _hash) in committer.storage.logs().items()}
    total = sum(max(0, seq - lacking.get(log, 0)) for log, seq in logs.items())
    return PackHead(workspace=committer.workspace, name=committer.storage.meta("name") or "", bundles=total, have=logs)


def _put(file: Any, data: bytes) -> None:
    file.write(_LENGTH.pack(len(data)))
    file.write(data)


def read(path: Path, workspace: str) -> tuple[PackHead, Iterator[tuple[SignedBundle, Bundle]]]:
    """Raises InvalidFile for what isn't a whole pack, Untrusted for what was altered or is of another production."""
    with translated(str(path)), open(path, "rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise InvalidFile(f"{path} isn't a pack.", hint="Make one with `openprod pack` on the other laptop.")
        head = _decode(_get(file, path), PackHead, path)
        start = file.tell()
    if head.workspace != workspace:
        raise Untrusted(
            f"{path} comes from another production ({head.name}).",
            hint="Merge only files packed from a copy of the same workspace.",
        )

    def bundles() -> Iterator[tuple[SignedBundle, Bundle]]:
        with translated(str(path)), open(path, "rb") as file:
            file.seek(start)
            for _ in range(head.bundles):
                signed = _decode(_get(file, path), SignedBundle, path)
                yield signed, verify(signed, workspace=workspace)
            if file.read(1):
                raise InvalidFile(f"{path} holds more than it says.", hint="Pack it again on the other laptop.")

    return head, bundles()


def _get(file: Any, path: Path) -> bytes:
    head = file.read(_LENGTH.size)
    if len(head) == _LENGTH.size:
        (size,) = _LENGTH.unpack(head)
        if size <= BODY_BYTES_MAX + 1024:
            data: bytes = file.read(size)
            if len(data) == size:
                return data
    raise InvalidFile(f"{path} is cut short.", hint="Copy it again, or pack it again on the other laptop.")


def _decode(data: bytes, type_: Any, path: Path) -> Any:
    try:
        return msgspec.msgpack.decode(data, type=type_)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidFile(f"{path} can't be read.", hint="Pack it again on the other laptop.") from error


def lacking(committer: Committer, bundles: Iterator[tuple[SignedBundle, Bundle]]) -> Iterator[Foreign]:
    """Those that this replica doesn't hold, checked against its own history. Raises Untrusted for a fork."""
    logs = committer.storage.logs()
    for signed, bundle in bundles:
        seq, _hash = logs.get(bundle.log, (0, b""))
        if bundle.seq > seq:
            yield Foreign(signed=signed, bundle=bundle)
        elif committer.storage.bundle_at(bundle.log, bundle.seq) != signed.body:
            raise Untrusted(
                "The same device wrote two different histories: one of the copies was restored from a backup.",
                hint="Nothing was merged. Keep both copies and ask for help before going on.",
            )
