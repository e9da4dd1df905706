"""A workspace, opened: the facade that everything else uses. Shapes are those of INTERFACES.md.

One process opens a workspace at a time. All calls may be made concurrently from one event loop.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from filelock import FileLock, Timeout

from openprod import settings
from openprod.core import ids
from openprod.core.bundles import Actor
from openprod.core.operations import Operation
from openprod.core.schema import Schema
from openprod.engine import adopting, exchange, identity, maintenance, resolve, tokens, undo
from openprod.engine.blobs import Blobs
from openprod.engine.commit import Committer
from openprod.engine.drafts import OutsideUpdate, Submission, Writes
from openprod.engine.events import Committed, Feed, Receipt
from openprod.engine.high_water import HighWater
from openprod.engine.identity import Identity
from openprod.engine.lower import Lowering
from openprod.engine.managing import Managing
from openprod.engine.own_log import forget_left, what_was_left
from openprod.engine.queries_answer import Queries
from openprod.engine.reading import Reading
from openprod.engine.resolve import UNSET, Deciding
from openprod.engine.schemas import Schemas
from openprod.engine.timing import Timing
from openprod.engine.tokens import Grant, Tokens
from openprod.engine.views import Views
from openprod.engine.worker import Worker
from openprod.errors import Busy, Denied, DiskFull, InputError, NotFound, WrongFile
from openprod.storage.sqlite.connection import DATABASE, translated
from openprod.storage.sqlite.storage import SqliteStorage
from openprod.yjs import layout
from openprod.yjs.documents import Write

T = TypeVar("T")


class Workspace(Reading, Managing, Timing):
    """Made by ``Workspace.open``. ``feed`` announces every commit; ``schemas`` are the adopted ones."""

    _refresh: asyncio.Future[Schemas] | None = None

    def __init__(self, folder: Path, who: Identity) -> None:
        self.folder = folder
        self.identity = who
        self.feed = Feed()
        self.blobs = Blobs(folder / "blobs")
        self.schemas = Schemas()
        self.id = ""
        self.name = ""
        self.notice = ""
        self.replica = ""
        self._marks: HighWater | None = None
        self._tokens = Tokens([])
        self._hear_revoked: dict[object, Callable[[], object]] = {}
        self._now_ms: Callable[[], int] = self._corrected_ms

    # -- opening and making --------------------------------------------------------------------------------

    @classmethod
    @asynccontextmanager
    async def open(
        cls, path: str | Path, *, identity_: Identity | None = None, home: Path | None = None
    ) -> AsyncIterator[Workspace]:
        """Open the workspace in a folder.

        ``home``: the per-user folder, where it is noted how far this device's logs have come; the settings' unless an
        identity is given. ``notice`` says so when the workspace turns out to be an older copy.

        Raises WrongFile, Busy (another program has it), NewerFile, DamagedFile, ReadOnly.
        """
        folder = Path(path)
        if not (folder / DATABASE).is_file():
            raise WrongFile(f"{folder} isn't an Openprod workspace.", hint="Make one with `openprod new`.")
        who = identity_ or load_identity()
        home = home or (settings.home() if identity_ is None else None)
        lock = _lock(folder)
        try:
            workspace = cls(folder, who)
            workspace._marks = HighWater(home / "logs") if home is not None else None
            worker = Worker(workspace._make, workspace._announce)
            workspace._worker = worker
            await worker.start()
            workspace.queries = Queries(workspace._database, worker, lambda: workspace.schemas)
            try:
                await workspace._learn()
                yield workspace
            finally:
                workspace.queries.close()
                await worker.stop()
        finally:
            lock.release()

    @classmethod
    async def create(
        cls, path: str | Path, *, name: str, schemas: Sequence[Schema] = (), identity_: Identity | None = None
    ) -> None:
        """Make a workspace in a new (or empty) folder and adopt the schemas. Raises InputError or StorageError."""
        folder = Path(path)
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise InputError(f"{folder} exists already and isn't empty.", hint="Choose another folder.")
        if not name.strip():
            raise InputError("A workspace needs a name.", hint="Give one with --name.")
        with translated(str(folder)):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # other users of the device have no business here
        try:
            storage = SqliteStorage(str(folder / DATABASE))
        except DiskFull:
            (folder / DATABASE).unlink(missing_ok=True)  # nothing is in it yet, and it would be in the way
            raise
        try:
            with storage.transaction():
                random_id = ids.ulid(time_ms=time.time_ns() // 1_000_000, random_bytes=secrets.token_bytes)
                storage.set_meta("workspace", f"ws_{random_id}")
                storage.set_meta("name", name.strip())
        finally:
            storage.close()
        if schemas:
            async with cls.open(folder, identity_=identity_) as workspace:
                await workspace.adopt(schemas)

    def _make(self) -> Committer:
        storage = SqliteStorage(str(self.folder / DATABASE))
        try:
            if not storage.meta("workspace"):
                raise WrongFile(
                    f"{self.folder} holds a workspace whose making never finished.",
                    hint="Move the folder away and make a new one (`openprod new`).",
                )
            return Committer(
                storage, key=self.identity.key, now_ms=lambda: self._now_ms(), random_bytes=secrets.token_bytes,
                marks=self._marks,
            )  # fmt: skip
        except BaseException:
            storage.close()
            raise

    async def _learn(self) -> None:
        def learn(committer: Committer) -> tuple[str, str, str, Schemas, Tokens]:
            schemas = Schemas(committer.schemas)
            name = committer.storage.meta("name") or ""
            return committer.workspace, name, committer.log, schemas, Tokens(committer.storage.tokens())

        self.id, self.name, self.replica, self.schemas, self._tokens = await self._worker.call(learn)
        await self._tell_what_was_left()

    async def _tell_what_was_left(self) -> None:
        """An older copy goes on under a new log, and everybody can read since when."""
        left = await self._worker.call(what_was_left)
        if left:
            self.notice = left
            with suppress(Denied):  # whoever may only look writes nothing, and is told all the same
                empty = Writes(plan=lambda _: {}, actor=self.actor, intent="restored", message=left, kept=True)
                await self._write(empty)
            await self._worker.call(forget_left)

    def _announce(self, event: Committed) -> None:
        if any(document == layout.CORE for document, _update in event.updates):
            self._refresh = self._worker.call(lambda committer: Schemas(committer.schemas))
            self._refresh.add_done_callback(self._refreshed)
        self.feed.announce(event)

    def _refreshed(self, future: asyncio.Future[Schemas]) -> None:
        if not future.cancelled() and future.exception() is None:
            self.schemas = future.result()

    @property
    def _database(self) -> str:
        return str(self.folder / DATABASE)

    @property
    def documents(self) -> list[str]:
        return [layout.CORE, *sorted(self.schemas)]

    def keeps(self, document: str) -> bool:
        """Whether programs may sync a document: also of a plugin that was dropped, or is too new to be read here."""
        return document == layout.CORE or self.schemas.keeps(document)

    @property
    def actor(self) -> Actor:
        """The person who runs this node."""
        return self.identity.actor

    # -- writing -------------------------------------------------------------------------------------------

    def submit(self, submission: Submission) -> asyncio.Future[Receipt | None]:
        return self._worker.submit(submission)

    async def _write(self, submission: Submission) -> Receipt:
        receipt = await self._worker.submit(submission)
        assert receipt is not None
        await self.settled()
        return receipt

    async def settled(self) -> None:
        """Until whoever wrote, or was told of a commit, finds in ``schemas`` what that put in force."""
        if (refresh := self._refresh) is not None:
            await asyncio.wait([refresh])
            self._refreshed(refresh)  # what it calls when it is done may come a turn later

    async def commit(
        self, operations: Sequence[Operation], *, message: str = "", actor: Actor | None = None, intent: str = "edit",
        progress: Callable[[int, int], None] | None = None,
    ) -> Receipt:  # fmt: skip
        """Commit operations as one bundle. Raises InvalidOperation, NotFound, LimitExceeded, StorageError."""

        def plan(committer: Committer) -> dict[str, list[Write]]:
            lowering = Lowering(committer)
            for start in range(0, len(operations), 256):
                lowering.add(operations[start : start + 256])
                if progress is not None:
                    progress(min(start + 256, len(operations)), len(operations))
            return lowering.plan()

        builtins = [msgspec.to_builtins(operation) for operation in operations]
        return await self._write(
            Writes(plan=plan, actor=actor or self.actor, intent=intent, message=message, operations=builtins)
        )

    async def adopt(self, schemas: Sequence[Schema], *, actor: Actor | None = None) -> Receipt:
        """Put schemas into the workspace: they travel with it. Raises InputError for one that needs a migration."""
        names = ", ".join(schema.plugin for schema in schemas)
        return await self._adopt(
            lambda committer: adopting.plan_adoption(committer, schemas), actor, "adopt", f"Adopted {names}"
        )

    async def migrate(
        self, schema: Schema, operations: Sequence[Operation], *, version: str, actor: Actor | None = None
    ) -> Receipt:
        """Adopt a schema in place of ``version`` and change what is stored, as one bundle that undo takes back whole.

        Raises Stale when ``version`` isn't the adopted one any more, and what ``commit`` raises.
        """
        message = f"Adopted {schema.plugin} {schema.version}, with what {version} held carried over"
        builtins = [msgspec.to_builtins(operation) for operation in operations]
        return await self._adopt(
            lambda committer: adopting.plan_migration(committer, schema, operations, version=version),
            actor, "migrate", message, builtins,
        )  # fmt: skip

    async def drop(self, plugin: str, *, actor: Actor | None = None) -> Receipt:
        """Hide a plugin's data: nothing is deleted, and adopting it again brings everything back. Raises NotFound."""
        return await self._adopt(
            lambda committer: adopting.plan_drop(committer, plugin), actor, "adopt", f"Dropped {plugin}"
        )

    async def _adopt(
        self, plan: Callable[[Committer], dict[str, list[Write]]], actor: Actor | None, intent: str, message: str,
        operations: Sequence[dict[str, Any]] = (),
    ) -> Receipt:  # fmt: skip
        receipt = await self._write(
            Writes(plan=plan, actor=actor or self.actor, intent=intent, message=message, operations=list(operations))
        )
        self.schemas = await self._worker.call(lambda committer: Schemas(committer.schemas))
        return receipt

    def enqueue_update(
        self, document: str, update: bytes, *, actor: Actor, origin: object = None, live: bool = True,
        seen: bytes | None = None,
    ) -> asyncio.Future[Receipt | None]:  # fmt: skip
        """Queue an update from a Yjs program, at once; await the result for its durability."""
        return self._worker.submit(
            OutsideUpdate(
                document=document,
                update=update,
                actor=actor,
                origin=origin,
                live=live,
                seen=b"" if live else seen or b"",
            )
        )

    async def ingest(
        self, document: str, update: bytes, *, actor: Actor, origin: object = None, live: bool = True,
        seen: bytes | None = None,
    ) -> Receipt | None:  # fmt: skip
        """Durable and applied when it returns; None when it held nothing new.

        Raises MalformedUpdate, LimitExceeded or NotFound, with nothing applied. ``live`` False: a whole state
        (SyncStep2), of a program whose encoded state vector was ``seen``.
        """
        return await self.enqueue_update(document, update, actor=actor, origin=origin, live=live, seen=seen)

    # -- conflicts -----------------------------------------------------------------------------------------

    async def resolve(
        self, conflict: str, *, choose: str | None = None, value: Any = UNSET, heads: Sequence[str] | None = None,
        actor: Actor | None = None, message: str = "",
    ) -> Receipt:  # fmt: skip
        """Record a decision. ``heads``: those that were looked at. Raises Stale with the present ones."""
        by = actor or self.actor

        def plan(committer: Committer) -> dict[str, list[Write]]:
            deciding = self._deciding(committer, by)
            return resolve.plan(committer, conflict, choose=choose, value=value, heads=heads, deciding=deciding)

        return await self._write(Writes(plan=plan, actor=by, intent="resolve", message=message))

    async def reopen(self, conflict: str, *, actor: Actor | None = None, message: str = "") -> Receipt:
        """Take a decision back: its heads stand against each other again."""
        by = actor or self.actor

        def plan(committer: Committer) -> dict[str, list[Write]]:
            return resolve.plan_reopen(committer, conflict, self._deciding(committer, by))

        return await self._write(Writes(plan=plan, actor=by, intent="resolve", message=message or "Reopened"))

    def _deciding(self, committer: Committer, by: Actor) -> Deciding:
        now = self._now_ms()
        new_id = f"r_{ids.ulid(time_ms=now, random_bytes=secrets.token_bytes)}"
        return Deciding(committer, by, now_ms=now, new_id=new_id)

    async def undo(self, bundle: str | None = None, *, actor: Actor | None = None) -> Receipt:
        """Take back the person's latest bundle, or the one named. Raises NotFound, Stale or InvalidOperation."""
        return await self._take_back("undo", bundle, actor or self.actor)

    async def redo(self, *, actor: Actor | None = None) -> Receipt:
        """Take back the person's latest undo."""
        return await self._take_back("redo", None, actor or self.actor)

    async def _take_back(self, intent: str, bundle: str | None, by: Actor) -> Receipt:
        def find(views: Views, committer: Committer) -> tuple[str, str]:
            if intent == "redo":
                row = undo.last_redoable(committer, by.user)
                return row.id, row.undoes
            if bundle is None:
                row, about = undo.last_undoable(committer, by.user)
                return row.id, about
            row = views.find_bundle(bundle)
            return undo.standing(committer, by.user, row).id, row.id

        target, about = await self._read(find)

        def plan(committer: Committer) -> dict[str, list[Write]]:
            row = committer.storage.bundle(target)
            assert row is not None
            return undo.plan(committer, row, self._deciding(committer, by))

        return await self._write(Writes(plan=plan, actor=by, intent=intent, undoes=about))

    # -- other laptops -------------------------------------------------------------------------------------

    def on_thread(self, function: Callable[[Committer], T]) -> asyncio.Future[T]:
        """Run ``function`` on the thread that owns the workspace, in its turn. It must not keep what it is given."""
        return self._worker.call(function)

    def announce(self, events: Sequence[Committed]) -> None:
        """Tell pages and programs what was committed by ``on_thread``, as of any other commit."""
        for event in events:
            self._announce(event)

    async def relearn(self) -> None:
        """After ``on_thread`` left the log for another, or changed what the workspace is called."""
        await self._learn()

    async def have(self) -> exchange.Have:
        return await self._worker.call(exchange.have)

    async def pack(
        self, path: str | Path, *, lacking: str | Path | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """Write bundles to a file: all, or what the replica lacks whose ``have`` file is ``lacking``."""
        other = exchange.read_have(Path(lacking), self.id) if lacking is not None else None
        known = await self._worker.call(lambda one: exchange.known_to(one.storage, other) if other is not None else {})
        head = await self._worker.call(lambda committer: exchange.pack_head(committer, known))
        return await exchange.pack(Path(path), database=self._database, head=head, lacking=known, progress=progress)

    async def merge_plan(
        self, path: str | Path, *, progress: Callable[[int, int], None] | None = None
    ) -> dict[str, Any]:
        """What merging the file would bring: bundles by author, conflicts to come. Changes nothing."""
        return await self._worker.call(lambda on: maintenance.plan_merge(on, Path(path), self.identity, progress))

    async def merge(self, path: str | Path, *, progress: Callable[[int, int], None] | None = None) -> dict[str, Any]:
        """Take the file's bundles in. Raises InvalidFile or Untrusted before anything is taken in."""

        def check(committer: Committer) -> tuple[Submission, list[Any]]:
            head, bundles = exchange.read(Path(path), self.id)
            return exchange.records(head), list(exchange.lacking(committer, bundles))

        records, foreign = await self._worker.call(check)
        await self._worker.submit(records)
        for start in range(0, len(foreign), 256):
            part = [self._worker.submit(bundle) for bundle in foreign[start : start + 256]]
            for future in part:
                await future
            if progress is not None:
                progress(min(start + 256, len(foreign)), len(foreign))
        await self._learn()
        return {"bundles": len(foreign), "open_conflicts": len(await self.conflicts("open", limit=-1))}

    # -- care ----------------------------------------------------------------------------------------------

    async def backup(self, path: str | Path, *, progress: Callable[[int, int], None] | None = None) -> dict[str, Any]:
        """Write a whole copy (database and stored files) as one folder at ``path``, which must not exist."""
        return await self._worker.call(lambda on: maintenance.backup(on, self.folder, Path(path), progress))

    async def doctor(self, *, progress: Callable[[int, int], None] | None = None) -> dict[str, Any]:
        async def copy(path: str) -> None:
            await self._worker.call(lambda committer: committer.storage.backup(path))

        report = await maintenance.doctor(self._database, self.id, self.blobs, copy, progress)
        return {**report, **await self._worker.call(maintenance.waiting)}

    async def rebuild(self, *, progress: Callable[[int, int], None] | None = None) -> str:
        """Derive everything again from the oplog; returns the state hash."""
        await self._worker.call(lambda committer: committer.rebuild(progress))
        await self._learn()
        return await self.state_hash()

    async def snapshot(self) -> None:
        await self._worker.call(lambda committer: committer.snapshot())

    # -- tokens --------------------------------------------------------------------------------------------

    async def token_create(
        self, *, label: str = "", document: str | None = None, role: str = "editor", user: str | None = None,
        name: str | None = None, expires: str | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """A new token: ``{"token": shown this once, "id", "label", "document", "role", …}``."""
        if document and document not in self.documents:
            raise NotFound(f"This workspace has no document “{document}”.", hint=f"It has {', '.join(self.documents)}.")
        # Without a person of its own a token acts for whoever runs the node, and says through what.
        token, row = tokens.create(
            label=label, document=document or "", role=role, user=user or (self.actor.user if name is None else ""),
            name=name or self.actor.name, expires=expires or "",
        )  # fmt: skip
        if not row.user:
            row = row._replace(user=f"user_{ids.digest(self.id, row.name)[:16]}")

        def store(committer: Committer) -> None:
            with committer.storage.transaction():
                committer.storage.put_token(row)

        await self._worker.call(store)
        self._tokens.add(row)
        return {"token": token, **tokens.grant(row).to_json()}

    def token_check(self, token: str) -> Grant | None:
        return self._tokens.check(token)

    def token_list(self) -> list[Grant]:
        return self._tokens.all()

    async def token_revoke(self, id: str) -> None:
        """Withdraw it, and tell at once whoever let somebody in by it. Raises NotFound."""
        row = self._tokens.remove(id)

        def drop(committer: Committer) -> None:
            with committer.storage.transaction():
                committer.storage.drop_token(row.id)

        try:
            await self._worker.call(drop)
        finally:
            for heard in list(self._hear_revoked.values()):
                heard()

    def on_revoked(self, heard: Callable[[], object]) -> Callable[[], None]:
        """Call ``heard`` on the event loop after every withdrawal, until what is returned is called."""
        name = object()
        self._hear_revoked[name] = heard

        def forget() -> None:
            self._hear_revoked.pop(name, None)

        return forget


def load_identity() -> Identity:
    return identity.load(settings.home(), name=settings.person_name(), device_name=settings.device_name())


def _lock(folder: Path) -> FileLock:
    run = folder / "run"
    with translated(str(folder)):
        run.mkdir(exist_ok=True)
        lock = FileLock(run / "lock", mode=0o600)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise Busy(
                f"Another program has {folder} open.", hint="Work through that one, or close it first."
            ) from None
    return lock
