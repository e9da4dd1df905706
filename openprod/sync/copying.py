"""Whole copies at work: made and served for others, fetched and taken in here.

A newcomer that lacks much asks whoever it joined for a copy of the oplog in place of bundles one after another: it
travels as a file, by pieces that the newcomer asks for, and the giver's people notice nothing. While it comes, the
newcomer grants no credit for bundles; afterwards both go on from what it has then.

The copy holds signed bundles and nothing else. Each is verified and passes the commit path like any other, so whoever
made the copy can plant nothing: neither a bundle that its author didn't sign nor anything that is derived.

What has come of it stays on the disk, and is told by its hashes: after a lost connection, or a killed process, only the
rest is fetched.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

import msgspec
from anyio import to_thread

from openprod.core.bundles import SignedBundle, bundle_id
from openprod.engine.commit import Committer
from openprod.engine.copying import append_oplog, read_oplog
from openprod.engine.workspace import Workspace
from openprod.errors import OpenprodError, Stale, StorageError, Unreachable, Untrusted
from openprod.storage.sqlite.connection import DATABASE, translated
from openprod.sync.bootstrap import Download, check, chunk_bytes, manifest
from openprod.sync.catchup import Intake
from openprod.sync.checking import Checking
from openprod.sync.flow import WINDOW_BYTES
from openprod.sync.messages import PIECE_BYTES_MAX, About, Chunk, ChunkWanted, Credit, Manifest, ManifestWanted

LACKING_MIN: Final = 2_000
"""A copy is worth its while from here on; fewer bundles are here in a second or two anyway."""
KEPT_MS: Final = 600_000
QUIET_MS: Final = 60_000
_log = logging.getLogger(__name__)


class Owner(Protocol):
    """Of the connections, each with its number."""

    checking: Checking

    @property
    def held(self) -> int:
        """About how many bundles are here."""

    def say(self, message: msgspec.Struct, number: int) -> None: ...
    def admitted(self, key: bytes) -> bool: ...
    def refuse(self, number: int, fault: OpenprodError) -> None:
        """End the connection, and say why."""

    async def take(
        self, number: int, bundles: Sequence[SignedBundle], intake: Intake, ahead: asyncio.Future[bool] | None
    ) -> OpenprodError | None:
        """Take in what came over that connection: verified (``ahead``: what ``checking`` began), committed, told. What
        was wrong, if anything: whoever sent what can't be trusted has been let go."""

    def moved(self) -> None: ...
    def copied(self) -> None:
        """No copy comes here any more."""


class Given:
    """The copy for others: a file that is made when the first asks, grows for the next, and goes when nobody does."""

    def __init__(
        self, workspace: Workspace, path: Path, now_ms: Callable[[], int], *, key: bytes, sign: Callable[[bytes], bytes]
    ) -> None:
        self._workspace, self._path, self._now_ms, self._key, self._sign = workspace, path, now_ms, key, sign
        self._making = asyncio.Lock()
        self._used = 0
        self._reset()

    def _reset(self) -> None:
        self._number = self._size = self._hashed = 0
        self._hashes: list[bytes] = []
        self._places: dict[bytes, tuple[int, int]] = {}

    async def manifest(self) -> Manifest:
        """Of all that is here. Without a chunk where the disk has no room for a copy."""
        self._used = self._now_ms()
        async with self._making:
            try:
                until = await self._workspace.on_thread(_newest)
                database = str(self._workspace.folder / DATABASE)
                await append_oplog(self._path, database, after=self._number, until=until)
                self._number = until
                await to_thread.run_sync(self._hash)
            except StorageError as error:
                _log.warning("a whole copy for another device can't be made: %s", error.sentence)
                await to_thread.run_sync(self.forget)
            return manifest(
                workspace=self._workspace.id, bundles=self._number, size=self._size, chunks=self._hashes,
                key=self._key, sign=self._sign,
            )  # fmt: skip

    async def piece(self, wanted: ChunkWanted) -> Chunk | None:
        """None for what is no chunk of the copy; empty where it is there no more."""
        place = self._places.get(wanted.hash)
        if place is None:
            return None
        self._used = self._now_ms()
        return await to_thread.run_sync(self._read, wanted, *place)

    async def tick(self) -> None:
        if self._number and self._now_ms() - self._used > KEPT_MS:
            async with self._making:
                await to_thread.run_sync(self.forget)

    def forget(self) -> None:
        self._reset()
        with suppress(OSError):
            self._path.unlink()

    def _hash(self) -> None:
        """Of what has come since the last time. Earlier ends of the copy keep their place: somebody may want them."""
        with translated(str(self._path)), open(self._path, "rb") as file:
            self._size = file.seek(0, 2)
            length = chunk_bytes(self._size)
            if length != self._hashed:
                self._hashed, self._hashes = length, []
            # The last one may have been shorter than a chunk.
            del self._hashes[max(0, len(self._hashes) - 1) :]
            file.seek(len(self._hashes) * length)
            while data := file.read(length):
                digest = hashlib.sha256(data).digest()
                self._places[digest] = len(self._hashes) * length, len(data)
                self._hashes.append(digest)

    def _read(self, wanted: ChunkWanted, start: int, length: int) -> Chunk:
        left = max(0, length - wanted.offset)
        try:
            with open(self._path, "rb") as file:
                file.seek(start + length - left)
                return Chunk(wanted.hash, wanted.offset, file.read(min(left, PIECE_BYTES_MAX)))
        except OSError:
            return Chunk(wanted.hash, wanted.offset, b"")


class Fetched:
    """The copy that comes here, at ``path`` until it is taken in."""

    def __init__(self, path: Path, one: Manifest, done: set[bytes]) -> None:
        self.manifest, self.path = one, path
        self.download = Download(one, done)
        self.taken = 0

    @classmethod
    def begin(cls, path: Path, one: Manifest) -> Fetched:
        """Go on with what is on the disk. Raises StorageError."""
        done: set[bytes] = set()
        missing: set[bytes] = set()
        with translated(str(path)):
            path.touch()
            with open(path, "rb+") as file:
                for hash in one.chunks:
                    here = hashlib.sha256(file.read(one.chunk_bytes)).digest() == hash
                    (done if here else missing).add(hash)
                file.truncate(one.size)
        return cls(path, one, done - missing)

    def write(self, parts: Sequence[tuple[int, bytes]]) -> None:
        with translated(str(self.path)), open(self.path, "rb+") as file:
            for offset, data in parts:
                file.seek(offset)
                file.write(data)

    def status(self) -> dict[str, Any]:
        whole = len(self.manifest.chunks)
        came = self.manifest.size * (whole - self.download.left) // max(1, whole)
        return {
            "came": min(came, self.manifest.size), "bytes": self.manifest.size,
            "taken": self.taken, "bundles": self.manifest.bundles,
        }  # fmt: skip


class Copying:
    """Both sides. The files are in the workspace's ``run`` until they have served."""

    def __init__(
        self, workspace: Workspace, owner: Owner, now_ms: Callable[[], int], *, key: bytes,
        sign: Callable[[bytes], bytes],
    ) -> None:  # fmt: skip
        self._workspace, self._owner, self._now_ms = workspace, owner, now_ms
        run = workspace.folder / "run"
        self._given = Given(workspace, run / "copy-for-others", now_ms, key=key, sign=sign)
        self._part = run / "copy-for-me.part"
        self._from = 0
        self._device = ""
        self._fetched: Fetched | None = None
        self._whole = asyncio.Event()
        self._taking = False
        self._distrusted: set[str] = set()
        self._heard = 0

    @property
    def status(self) -> dict[str, Any] | None:
        """How far a copy has come here; None while there is none to come."""
        return self._fetched.status() if self._fetched is not None else None

    @property
    def comes(self) -> bool:
        """Whether a copy comes here, or is being taken in."""
        return self._from > 0

    async def run(self) -> None:
        """Until cancelled."""
        self._given.forget()
        try:
            while True:
                await self._whole.wait()
                self._whole.clear()
                await self._take_in()
        finally:
            self._given.forget()

    async def tick(self) -> None:
        if self._from and not self._taking and self._now_ms() - self._heard > QUIET_MS:
            await self._give_up("nothing came for a minute")
        await self._given.tick()

    def gone(self, number: int) -> None:
        """What has come stays, for the next connection."""
        if number == self._from:
            self._from, self._device, self._fetched = 0, "", None

    async def heard(self, number: int, device: str, message: msgspec.Struct) -> bool:
        """Whether it was about a whole copy, and nobody else's business."""
        if isinstance(message, About):
            await self._offered(number, device, message.bundles)
            return False
        if isinstance(message, ManifestWanted):
            self._owner.say(await self._given.manifest(), number)
        elif isinstance(message, ChunkWanted):
            piece = await self._given.piece(message)
            if piece is None:
                return False
            self._owner.say(piece, number)
        elif isinstance(message, Manifest):
            if number == self._from and self._fetched is None:
                await self._begin(message)
        elif isinstance(message, Chunk) and number == self._from and self._fetched is not None:
            return await self._came(self._fetched, message)
        else:
            return False
        return True

    # -- fetching ------------------------------------------------------------------------------------------

    async def _offered(self, number: int, device: str, bundles: int) -> None:
        lacking = bundles - self._owner.held
        if self._from or device in self._distrusted:
            return
        if lacking <= 0:
            await to_thread.run_sync(self._drop)
        elif lacking > max(LACKING_MIN, self._owner.held) or self._part.exists():
            self._from, self._device, self._heard = number, device, self._now_ms()
            self._owner.say(Credit(0), number)
            self._owner.say(ManifestWanted(), number)

    async def _begin(self, one: Manifest) -> None:
        self._heard = self._now_ms()
        try:
            check(one, workspace=self._workspace.id, admitted=self._owner.admitted)
            if not one.chunks:
                raise StorageError("The other device can't make one.")
            number, fetched = self._from, await to_thread.run_sync(Fetched.begin, self._part, one)
        except Untrusted as error:
            self._refuse(error)
        except StorageError as error:
            await self._give_up(error.sentence)
        else:
            if number and number == self._from:
                self._fetched = fetched
                self._owner.checking.expect()
                await self._go_on(fetched)

    async def _came(self, fetched: Fetched, chunk: Chunk) -> bool:
        """Whether it was a chunk of this copy."""
        if chunk.hash not in fetched.download:
            return False
        self._heard = self._now_ms()
        try:
            parts, more = fetched.download.came(self._device, chunk)
            if more is not None:
                self._owner.say(more, self._from)
                return True
            await to_thread.run_sync(fetched.write, parts)
        except Untrusted as error:
            self._refuse(error)
        except StorageError as error:
            await self._give_up(error.sentence)
        else:
            await self._go_on(fetched)
        return True

    def _refuse(self, error: Untrusted) -> None:
        self._distrusted.add(self._device)
        self._owner.refuse(self._from, error)

    async def _go_on(self, fetched: Fetched) -> None:
        if fetched is not self._fetched:
            return  # the connection is gone
        for wanted in fetched.download.wanted(self._device):
            self._owner.say(wanted, self._from)
        if not fetched.download.left:
            self._whole.set()
        elif not fetched.download.under_way:
            await self._give_up("the other device has it no more")
        self._owner.moved()

    # -- taking in -----------------------------------------------------------------------------------------

    async def _take_in(self) -> None:
        fetched, number, device = self._fetched, self._from, self._device
        if fetched is None or fetched.download.left:
            return  # of an earlier one, whose connection is gone
        self._taking = True
        try:
            fault = await self._take_all(fetched, number)
            if fault is None or isinstance(fault, (StorageError, Stale)):
                if self._fetched is fetched:
                    await self._give_up(fault.sentence if fault is not None else "")
            elif not isinstance(fault, Unreachable):
                self._distrusted.add(device)
                await to_thread.run_sync(self._drop)
        finally:
            self._taking = False

    async def _take_all(self, fetched: Fetched, number: int) -> OpenprodError | None:
        """What was wrong: Unreachable when the connection is gone."""
        intake = Intake(self._workspace.id)
        again = self._owner.held > 0
        groups = read_oplog(fetched.path)

        async def read() -> _Group | None:
            group: list[SignedBundle] | None = await to_thread.run_sync(next, groups, None)
            if group is None:
                return None
            fresh = await self._workspace.on_thread(partial(_lacking, group=group)) if again else group
            return _Group(len(group), fresh, self._owner.checking.begin(fresh))

        try:
            coming = await read()
            while coming is not None:
                # While one is taken in, the next one's signatures are verified.
                group, coming = coming, await read()
                fault = await self._owner.take(number, group.fresh, intake, group.ahead) if group.fresh else None
                if fault is not None:
                    return fault
                fetched.taken += group.size
                self._owner.moved()
        except Untrusted as error:
            self._owner.refuse(number, error)
            return error
        except StorageError as error:
            return error
        return None

    async def _give_up(self, why: str) -> None:
        """From here on bundles come one after another; ``why`` "": they follow what was taken in whole."""
        if why:
            _log.warning("a whole copy isn't taken: %s", why)
            self._distrusted.add(self._device)
        number, self._from, self._device, self._fetched = self._from, 0, "", None
        await to_thread.run_sync(self._drop)
        if number:
            self._owner.say(Credit(WINDOW_BYTES), number)
        self._owner.copied()
        self._owner.moved()

    def _drop(self) -> None:
        with suppress(OSError):
            self._part.unlink()


class _Group(NamedTuple):
    size: int
    fresh: list[SignedBundle]
    ahead: asyncio.Future[bool] | None


def _newest(committer: Committer) -> int:
    newest = committer.storage.bundles(newest_first=True, limit=1)
    return newest[0].number if newest else 0


def _lacking(committer: Committer, *, group: Sequence[SignedBundle]) -> list[SignedBundle]:
    found = committer.storage.bundle
    return [one for one in group if found(bundle_id(hashlib.sha256(one.body).digest())) is None]
