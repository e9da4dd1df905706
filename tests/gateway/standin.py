"""A small real workspace: pycrdt documents and one SQLite file, written by groups. Stands in for the engine's."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pycrdt import Doc, get_state

from openprod.core.bundles import Actor
from openprod.errors import MalformedUpdate


@dataclass(frozen=True)
class Grant:
    id: str
    label: str
    document: str
    role: str
    user: str
    name: str


@dataclass(frozen=True)
class Committed:
    bundle: str
    actor: Actor
    origin: object
    updates: list[tuple[str, bytes]]


class Feed:
    def __init__(self) -> None:
        self.listeners: list[Callable[[Any], None]] = []

    def subscribe(self, fn: Callable[[Any], None]) -> Callable[[], None]:
        self.listeners.append(fn)
        return lambda: self.listeners.remove(fn)


@dataclass
class StandIn:
    path: Path
    documents: list[str]
    id: str = "workspace"
    docs: dict[str, Doc[Any]] = field(default_factory=dict)
    grants: dict[str, Grant] = field(default_factory=dict)
    feed: Feed = field(default_factory=Feed)
    authors: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.thread = ThreadPoolExecutor(1)
        self.waiting: list[Any] = []
        self.committing = False
        self.held: asyncio.Event | None = None
        self.db = self.thread.submit(self._open).result()
        for document in self.documents:
            self.docs[document] = Doc(skip_gc=True)
        for document, update in self.thread.submit(
            lambda: self.db.execute("select document, bytes from updates order by id").fetchall()
        ).result():
            self.docs[document].apply_update(update)

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path)
        db.execute("pragma journal_mode=wal")
        db.execute("pragma synchronous=full")
        db.execute("create table if not exists updates (id integer primary key, document text, user text, bytes blob)")
        return db

    def close(self) -> None:
        self.thread.submit(self.db.close).result()
        self.thread.shutdown()

    def grant(self, token: str, *, role: str = "editor", name: str = "Alex", document: str = "") -> None:
        self.grants[token] = Grant(f"id-{token}", token, document, role, name.lower(), name)

    def token_check(self, token: str) -> Grant | None:
        return self.grants.get(token)

    def enqueue_update(
        self,
        document: str,
        update: bytes,
        *,
        actor: Actor,
        origin: object = None,
        live: bool = True,
        seen: bytes | None = None,
    ) -> asyncio.Future[Any]:
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        try:
            get_state(update)
        except ValueError:
            future.set_exception(MalformedUpdate("These bytes are not a Yjs update."))
            return future
        self.waiting.append((document, update, actor, origin, future))
        if not self.committing:
            self.committing = True
            loop.call_soon(self._commit)
        return future

    def _commit(self) -> None:
        loop = asyncio.get_running_loop()
        if not self.waiting or (self.held and not self.held.is_set()):
            if self.waiting:
                loop.call_later(0.005, self._commit)
            else:
                self.committing = False
            return
        group, self.waiting = self.waiting, []
        done = loop.run_in_executor(self.thread, self._write, group)
        done.add_done_callback(lambda _: self._announce(group))

    def _write(self, group: list[Any]) -> None:
        self.db.executemany(
            "insert into updates(document, user, bytes) values (?,?,?)", [(d, a.user, u) for d, u, a, _, _ in group]
        )
        self.db.commit()

    def _announce(self, group: list[Any]) -> None:
        for document, update, actor, origin, _ in group:
            self.docs[document].apply_update(update)
            if update != b"\x00\x00":
                self.authors.append((actor.user, document))
                event = Committed("b", actor, origin, [(document, update)])
                for listener in self.feed.listeners:
                    listener(event)
        for *_, future in group:
            if not future.done():
                future.set_result(None)
        self._commit()

    async def state_vector(self, document: str) -> bytes:
        return self.docs[document].get_state()

    async def state_as_update(self, document: str, state_vector: bytes) -> bytes:
        return self.docs[document].get_update(state_vector)
