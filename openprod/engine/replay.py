"""The live documents: read from snapshots and the oplog, written out as snapshots, derived again from nothing."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import msgspec

from openprod.core.bundles import Bundle, DocumentUpdate
from openprod.engine.detect import Detector
from openprod.engine.drafts import Run, Tag, bytes_of, rank_of
from openprod.engine.index import Index
from openprod.engine.members import DERIVE
from openprod.engine.own_log import OwnLog
from openprod.engine.schemas import Schemas
from openprod.engine.spans import TextTouch
from openprod.errors import DamagedFile, MalformedUpdate, NotFound, OpenprodError, StorageError
from openprod.yjs import layout
from openprod.yjs.decoder import decode_update
from openprod.yjs.documents import LiveDocument
from openprod.yjs.gate import Release

SNAPSHOT_BYTES = 8 * 1024 * 1024
"""A document is written out whole again after this many bytes of updates."""


class Replay(OwnLog):
    """Part of the committer."""

    index: Index
    schemas: Schemas
    documents: dict[str, LiveDocument]
    detector: Detector

    @abstractmethod
    def _pass(
        self, document: LiveDocument, releases: list[Release], runs: list[Run], *, apply: bool, echo: bool = False
    ) -> None: ...

    @abstractmethod
    def _adopt(self, touched: list[Any], texts: dict[tuple[str, str], TextTouch], changed: set[str]) -> None: ...

    # -- documents -----------------------------------------------------------------------------------------

    def _load(self) -> None:
        """Read the live documents back from the snapshots and what came after them. Raises StorageError."""
        try:
            self._read()
        except StorageError:
            raise
        except (OpenprodError, msgspec.MsgspecError, ValueError, TypeError, LookupError, AssertionError) as error:
            raise DamagedFile(
                f"{self.storage.path} is damaged: it holds what this program never writes.",
                hint="Keep the file as it is and restore a backup (`openprod restore`).",
            ) from error

    def _read(self) -> None:
        self.documents.clear()
        self.index.forget()
        snapshots = self.storage.snapshots()
        start: dict[str, int] = {}
        for name, (number, state) in snapshots.items():
            halves = json.loads(self.storage.meta(f"halves:{name}") or "[]")
            try:
                self.documents[name] = LiveDocument.load(name, state, halves, client_id=self._client_id())
                start[name] = number
            except MalformedUpdate:
                start[name] = 0  # a snapshot saves time, no more: the oplog holds all of it
        parked = json.loads(self.storage.meta("parked") or "[]")
        self._since_snapshot: dict[str, int] = {}
        self._with_snapshot = set(snapshots)
        for number in parked:
            self._replay(number, *self.storage.bundle_body(number), lambda _name, _number: True)
        for number, body, signature in self.storage.bundle_bytes(after=min(start.values(), default=0)):
            if number in self.members.held:
                continue
            self._replay(number, body, signature, lambda name, number: number > start.get(name, 0))
        self.document(layout.CORE)
        self.schemas.load(self.storage)
        for plugin in self.schemas:
            self.document(plugin)
        self.detector.load()

    def _replay(self, number: int, body: bytes, _signature: bytes, wanted: Callable[[str, int], bool]) -> None:
        bundle = msgspec.msgpack.decode(body, type=Bundle)
        for part in bundle.updates:
            if wanted(part.document, number):
                document = self.document(part.document)
                tag = Tag(None, number, part.live, rank_of(bundle))
                for release in document.gate.admit(part.update, decode_update(part.update), tag):
                    if release.refused is None:
                        document.apply(bytes_of(release))
                self._count(part)

    def _count(self, part: DocumentUpdate) -> None:
        self._since_snapshot[part.document] = self._since_snapshot.get(part.document, 0) + len(part.update)

    def _client_id(self) -> int:
        # Never pinned or stored: a reused id after a restored backup corrupts silently.
        return int.from_bytes(self._random(4), "big")

    def document(self, name: str) -> LiveDocument:
        found = self.documents.get(name)
        if found is None:
            found = self.documents[name] = LiveDocument(name, client_id=self._client_id())
        return found

    def known_document(self, name: str) -> LiveDocument:
        """Raises NotFound unless the workspace has it."""
        if name != layout.CORE and not self.schemas.keeps(name):
            raise NotFound(
                f"This workspace has no document “{name[:80]}”.",
                hint=f"It has: {', '.join([layout.CORE, *sorted(self.schemas)])}.",
            )
        return self.document(name)

    def past(self, name: str, time: str) -> LiveDocument:
        """A document as of a timestamp: replayed from the oplog."""
        document = LiveDocument(name, client_id=self._client_id())
        for number, body, _signature in self.storage.bundle_bytes():
            row = self.storage.bundle_numbered(number)
            if row is None or row.hlc > time or number in self.members.held:
                continue
            for part in msgspec.msgpack.decode(body, type=Bundle).updates:
                if part.document == name:
                    for release in document.gate.admit(part.update, decode_update(part.update)):
                        if release.refused is None:
                            document.apply(bytes_of(release))
        return document

    # -- snapshots -----------------------------------------------------------------------------------------

    def _snapshot_when_due(self) -> None:
        if max(self._since_snapshot.values(), default=0) < SNAPSHOT_BYTES:
            return
        for name, size in list(self._since_snapshot.items()):
            # A first snapshot too for those that have none: what came before the oldest isn't read again.
            if size >= SNAPSHOT_BYTES or (size and name not in self._with_snapshot):
                self._snapshot(name)

    def _snapshot_late(self) -> None:
        """What was admitted is older than snapshots that it isn't in: it would not be read again."""
        if self._late:
            first = {name for name, size in self._since_snapshot.items() if size and name not in self._with_snapshot}
            for name in sorted(self._late | first):
                self._snapshot(name)
            self._late.clear()

    def _snapshot(self, name: str) -> None:
        document = self.documents[name]
        self.storage.put_snapshot(name, self._number, document.state_as_update())
        self.storage.set_meta(f"halves:{name}", json.dumps(list(document.gate.halves)))
        self._since_snapshot[name] = 0
        self._with_snapshot.add(name)
        parked = sorted(
            {item.tag.bundle for live in self.documents.values() for item in live.gate.parked}  # type: ignore[attr-defined]
        )
        self.storage.set_meta("parked", json.dumps(parked))

    def snapshot(self) -> None:
        """Write every document that changed since, whole, so that the next opening is fast."""
        due = [name for name, size in self._since_snapshot.items() if size]
        before = dict(self._since_snapshot), set(self._with_snapshot)
        try:
            if due:
                with self.storage.transaction():
                    for name in due:
                        self._snapshot(name)
        except BaseException:
            self._since_snapshot, self._with_snapshot = before
            raise

    def rebuild(self, progress: Callable[[int, int], None] | None = None) -> None:
        """Derive every table again from the oplog, in one transaction."""
        total = self._number
        try:
            with self.storage.transaction():
                self.storage.clear_derived()
                self.storage.set_meta("parked", "[]")
                self.storage.set_meta(DERIVE, "")
                self.documents.clear()
                self.index.forget()
                self.schemas.clear()
                self.detector.load()
                self.members.held.clear()
                for number, body, _signature in self.storage.bundle_bytes():
                    if self.members.rederive(number, body):
                        self._reindex(number, body)
                    if progress is not None:
                        progress(number, total)
        finally:
            self._restore()

    def _reindex(self, number: int, body: bytes) -> None:
        bundle = msgspec.msgpack.decode(body, type=Bundle)
        runs: list[Run] = []
        for part in bundle.updates:
            document = self.document(part.document)
            tag = Tag(None, number, part.live, rank_of(bundle))
            self._pass(document, document.gate.admit(part.update, decode_update(part.update), tag), runs, apply=True)
        touched, texts = self.index.flush()
        if any(entry.root == layout.ADOPTION_ROOT for entry in touched):
            self._adopt(touched, texts, set())
        else:
            self.detector.settle(touched, texts, set())
        self.index.trim()
