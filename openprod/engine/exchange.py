"""Carrying bundles between laptops as a file: what I have, what you lack, what would come.

A pack is one msgpack object per line of a length-prefixed stream: a head with the membership records, then signed
bundles in an order in which each follows what it builds on. It is read with bounds and verified bundle by bundle before
anything is taken in.

A log with two histories (somebody restored a copy and both went on) travels with both. The one that a replica meets
second it keeps as a branch, under a name of its own (``<log>+<8 digits of its first bundle's hash>``); so what another
replica has is told by hashes, not by names and numbers alone.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import struct
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec

from openprod.core import membership
from openprod.core.bundles import BODY_BYTES_MAX, Bundle, SignedBundle, bundle_id, verify
from openprod.core.membership import RECORD_BYTES_MAX, RECORDS_MAX, SignedRecord
from openprod.engine.commit import Committer
from openprod.engine.drafts import Foreign, Records
from openprod.engine.members import base_of
from openprod.engine.whole_folders import settle
from openprod.errors import InputError, InvalidFile, Untrusted
from openprod.storage.ports import Storage
from openprod.storage.sqlite.connection import translated
from openprod.storage.sqlite.reader import Reader

MAGIC: Final = b"OPENPROD-PACK-1\n"
HAVE_BYTES_MAX: Final = 4 * 1024 * 1024
_LENGTH: Final = struct.Struct(">I")


class PackHead(msgspec.Struct, frozen=True, kw_only=True):
    workspace: str
    name: str
    bundles: int
    have: dict[str, int]
    records: Annotated[
        list[Annotated[bytes, msgspec.Meta(max_length=RECORD_BYTES_MAX)]], msgspec.Meta(max_length=RECORDS_MAX)
    ] = []
    """Membership records, each after those that it builds on."""


class Have(msgspec.Struct, frozen=True, kw_only=True):
    """{log: last seq} of a replica, so that another can pack just what it lacks.

    ``points``: {log: hashes (hex) of its last bundle and ever fewer before it}, by which the other knows where it is.
    """

    workspace: str
    have: dict[str, int]
    points: dict[str, list[str]] = {}


def have(committer: Committer) -> Have:
    logs = committer.storage.logs()
    return Have(
        workspace=committer.workspace,
        have={log: seq for log, (seq, _hash) in logs.items()},
        points={log: list(_points(committer.storage, log, seq)) for log, (seq, _hash) in logs.items()},
    )


def _points(storage: Storage, log: str, seq: int) -> Iterator[str]:
    step = 1
    while seq > 0:
        body = storage.bundle_at(log, seq)
        assert body is not None, (log, seq)
        yield hashlib.sha256(body).hexdigest()
        seq, step = seq - step, step * 2


def known_to(storage: Storage, other: Have) -> dict[str, int]:
    """{log as it is called here: how far the other has it}."""
    found: dict[str, int] = {}
    for name, seq in other.have.items():
        points = other.points.get(name)
        if points is None:  # written by an older program, which knew no branches
            found[name] = max(seq, found.get(name, 0))
            continue
        row = next(filter(None, (storage.bundle(digest[:32]) for digest in points)), None)
        if row is not None:
            found[row.log] = max(row.seq, found.get(row.log, 0))
            log, _plus, branch = row.log.partition("+")
            if branch:  # and what it grew from
                found[log] = max(min(base_of(storage, row.log), storage.logs_of(log)[0]), found.get(log, 0))
    return found


def read_have(path: Path, workspace: str) -> Have:
    with translated(str(path)):
        data = path.read_bytes()[:HAVE_BYTES_MAX]
    try:
        found = msgspec.json.decode(data, type=Have)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidFile(f"{path} isn't a list of what a laptop has.", hint="Make it with `openprod have`.") from error
    if found.workspace != workspace:
        raise Untrusted("That list is of another production.")
    return found


def write_have(path: Path, data: bytes) -> None:
    """``data``: a ``Have`` as JSON. Raises InputError where something else is in that place, StorageError."""
    with translated(str(path)):
        if path.is_file():
            try:
                msgspec.json.decode(path.read_bytes()[:HAVE_BYTES_MAX], type=Have)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                raise _taken(path) from error
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
        try:
            with open(temporary, "xb") as file:
                file.write(data)
                _to_the_disk(file)
            temporary.replace(path)
            settle(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


def _taken(path: Path) -> InputError:
    return InputError(
        f"{path} exists already and is something else.", hint="Choose another name. It was left as it is."
    )


def _to_the_disk(file: Any) -> None:
    """A stick is pulled out as soon as the program says it is done."""
    file.flush()
    os.fsync(file.fileno())


async def pack(
    path: Path, *, database: str, head: PackHead, lacking: dict[str, int],
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Write the bundles up to ``head.have`` and beyond ``lacking`` ({log: seq}) to a new file at ``path``.

    Reads beside the writer: people go on editing meanwhile. Raises InputError where something other than an earlier
    pack is in that place, StorageError.
    """
    temporary = path.with_name(path.name + ".part")
    done = 0
    with translated(str(path)):
        for place in (path, temporary):
            if place.is_file():
                with open(place, "rb") as earlier:
                    if earlier.read(len(MAGIC)) not in (MAGIC, b""):
                        raise _taken(place)
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
                _to_the_disk(file)
            temporary.replace(path)
            settle(path.parent)
        finally:
            temporary.unlink(missing_ok=True)
    return {"file": str(path), "bundles": done}


def pack_head(committer: Committer, lacking: dict[str, int]) -> PackHead:
    """``lacking``: as ``known_to`` gives it."""
    logs = {log: seq for log, (seq, _hash) in committer.storage.logs().items()}
    total = sum(max(0, seq - lacking.get(log, 0)) for log, seq in logs.items())
    return PackHead(
        workspace=committer.workspace, name=committer.storage.meta("name") or "", bundles=total, have=logs,
        records=committer.storage.records(),
    )  # fmt: skip


def records(head: PackHead) -> Records:
    """Its membership records, to be committed before its bundles. Raises Untrusted."""
    found: list[SignedRecord] = [membership.decode(data) for data in head.records]
    return Records(plan=lambda _committer: found)


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


def lacking(committer: Committer, bundles: Iterable[tuple[SignedBundle, Bundle]]) -> Iterator[Foreign]:
    """Those that this replica doesn't hold, under the names and numbers by which it keeps them. Raises Untrusted."""
    storage = committer.storage
    tips = {log: seq for log, (seq, _hash) in storage.logs().items()}
    added: dict[bytes, tuple[str, int, int]] = {}
    for signed, bundle in bundles:
        digest = hashlib.sha256(signed.body).digest()
        if digest in added or storage.bundle(bundle_id(digest)) is not None:
            continue
        if bundle.seq == 1:
            name, before, seq = bundle.log, 0, 0
        elif bundle.previous in added:
            name, before, seq = added[bundle.previous]
        else:
            row = storage.bundle(bundle_id(bundle.previous))
            if row is None or row.log.partition("+")[0] != bundle.log:
                raise Untrusted(
                    "Bundles are missing or don't follow each other.", hint="Pack the file again on the other laptop."
                )
            name, before, seq = row.log, row.seq, row.seq + base_of(storage, row.log)
        if bundle.seq != seq + 1 or (seq == 0) != (not bundle.previous):
            raise Untrusted("A bundle's number doesn't follow that of the one before it.")
        kept = bundle
        if tips.get(name, 0) != before:
            name, before = f"{bundle.log}+{digest.hex()[:8]}", 0
        if "+" in name:
            kept = msgspec.structs.replace(
                bundle, log=name, seq=before + 1, previous=bundle.previous if before else b""
            )  # fmt: skip
        added[digest] = name, before + 1, bundle.seq
        tips[name] = before + 1
        yield Foreign(signed=signed, bundle=kept)
