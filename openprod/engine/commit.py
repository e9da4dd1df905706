"""The one commit path. Everything that changes a workspace passes here, in groups, on one thread.

For each group: decode and gate every update, apply what passes to the live documents, draft bundles, derive the rows,
judge what was touched, and make it all durable in one transaction. Only then does anybody hear of it. When anything
fails, nothing of the group remains: the transaction is rolled back and the live documents are read again from disk;
then its members are tried one by one, so that only the one at fault is refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from nacl.signing import SigningKey

from openprod.core.bundles import (
    Actor,
    Bundle,
    bundle_id,
    sign,
    signer,
)
from openprod.core.ids import RandomBytes, device_id
from openprod.engine import announcing
from openprod.engine.detect import Detector
from openprod.engine.drafts import (
    Draft,
    Halfway,
    Outcome,
    OutsideUpdate,
    Records,
    Run,
    Submission,
    Writes,
)
from openprod.engine.events import Committed, Receipt
from openprod.engine.high_water import HighWater, Mark
from openprod.engine.index import Index
from openprod.engine.members import DERIVE
from openprod.engine.schemas import Schemas
from openprod.engine.spans import TextTouch
from openprod.engine.taking import Taking
from openprod.errors import (
    OpenprodError,
    StorageError,
)
from openprod.storage.ports import BundleRow, Storage
from openprod.yjs import layout
from openprod.yjs.documents import LiveDocument


class Committer(Taking):
    """The replica's state and its only writer. Used from one thread."""

    def __init__(
        self, storage: Storage, *, key: SigningKey, now_ms: Callable[[], int], random_bytes: RandomBytes,
        marks: HighWater | None = None,
    ) -> None:  # fmt: skip
        """``marks``: where it is noted how far the device's log has come, to know an older copy by."""
        self.storage = storage
        self._marks = marks
        self._secret = signer(key)
        self._public = bytes(key.verify_key)
        self._now_ms = now_ms
        self._random = random_bytes
        self.workspace = storage.meta("workspace") or ""
        self.device = device_id(self._public)
        self._unread = False
        self._open_log()
        self.schemas = Schemas()
        self.index = Index(storage, self.schemas.is_sought)
        self.documents: dict[str, LiveDocument] = {}
        self.detector = Detector(storage, self.index, self.schemas, self.document, self.workspace)
        if storage.meta(DERIVE):
            self.rebuild()  # a migration changed what is derived
        else:
            self._load()

    # -- committing ----------------------------------------------------------------------------------------

    def commit(self, submissions: Sequence[Submission]) -> tuple[list[Outcome], list[Committed]]:
        """Commit a group durably. Outcomes are in the order of the submissions: a receipt, None, or what was wrong."""
        try:
            self.recover()
            return self._commit(submissions)
        except StorageError as error:
            with suppress(StorageError):  # the next call tries again
                self._restore()
            return [error] * len(submissions), []
        except Halfway as fault:
            self._restore()
            if len(submissions) == 1:
                return [fault.error], []
        except BaseException:
            self._restore()
            raise
        outcomes: list[Outcome] = []
        events: list[Committed] = []
        for submission in submissions:
            alone, heard = self.commit([submission])
            outcomes += alone
            events += heard
        return outcomes, events

    def _restore(self) -> None:
        self._unread = True
        self._open_log()
        self._load()
        self._unread = False

    def recover(self) -> None:
        """Read everything back if that was impossible after a failure. Raises StorageError while it still is."""
        if self._unread:
            self._restore()
        if self._again:
            self.rebuild()

    def _commit(self, submissions: Sequence[Submission]) -> tuple[list[Outcome], list[Committed]]:
        outcomes: list[Any] = [None] * len(submissions)
        drafts: list[Draft] = []
        by_origin: dict[tuple[int, Actor], Draft] = {}
        runs: list[Run] = []
        changed: set[str] = set()
        entities: set[str] = set()
        with self.storage.transaction():
            for place, submission in enumerate(submissions):
                try:
                    if isinstance(submission, OutsideUpdate):
                        outcomes[place] = self._take_outside(submission, drafts, by_origin, runs)
                    elif isinstance(submission, Writes):
                        self._judge(drafts, runs, changed, entities)  # what came before is there to be read
                        by_origin.clear()  # its bundles are closed
                        outcomes[place] = self._take_writes(submission, submission.plan(self), drafts, runs)
                    elif isinstance(submission, Records):
                        self._judge(drafts, runs, changed, entities)
                        by_origin.clear()
                        outcomes[place] = self._take_records(submission.plan(self), runs)
                    else:
                        if drafts and not drafts[-1].id:  # bundles are stored in the order of their numbers
                            self._judge(drafts, runs, changed, entities)
                            by_origin.clear()
                        outcomes[place] = self._take_foreign(submission, drafts, runs)
                except OpenprodError as error:
                    # Refused before it changed anything: the others go on. A fault half-way undoes the group.
                    if isinstance(error, (Halfway, StorageError)):
                        raise
                    outcomes[place] = error
            if not drafts and not any(isinstance(one, Records) for one in submissions):
                return outcomes, []
            self._judge(drafts, runs, changed, entities)
            self._keep_bound()
            self._snapshot_when_due()
            self._snapshot_late()
        if self._again:
            self.rebuild()
        if self._marks is not None and self._seq:
            self._marks.note(self.log, Mark(self._seq, self._previous))
        self.index.trim()
        for draft in drafts:
            self._vector_advance(draft)
        raised = announcing.raised(self.storage, changed, drafts)
        events = announcing.events(
            self.storage, self.device, runs, drafts, tuple(sorted(changed)), tuple(sorted(entities))
        )
        return [
            Receipt(bundle=outcome.id, hlc=outcome.hlc, conflicts=raised[outcome.number], waiting=outcome.waiting)
            if isinstance(outcome, Draft)
            else outcome
            for outcome in outcomes
        ], events

    def _judge(self, drafts: list[Draft], runs: list[Run], changed: set[str], entities: set[str]) -> None:
        """Write down what has been taken in since the last time, and judge what it touched."""
        if self.detector.bonds:
            self._complete(drafts, runs)
        for draft in drafts:
            self._finish(draft)
        touched, texts = self.index.flush()
        if any(entry.root == layout.ADOPTION_ROOT for entry in touched):
            self._adopt(touched, texts, changed)
        elif touched or texts:
            self.detector.settle(touched, texts, changed)
        entities.update(entry.entity for entry in touched if entry.entity)

    # -- finishing -----------------------------------------------------------------------------------------

    def _finish(self, draft: Draft) -> None:
        if draft.id:
            return
        if draft.foreign is not None:
            bundle, signed = draft.foreign.bundle, draft.foreign.signed
            digest = hashlib.sha256(signed.body).digest()
        else:
            deps = {log: seq for log, seq in self._vector.items() if self._said.get(log) != seq}
            self._said.update(deps)
            bundle = Bundle(
                1, self.workspace, self.log, draft.seq, self._previous, deps, draft.hlc, self._public, draft.actor,
                draft.intent, draft.message, draft.undoes, draft.operations, draft.updates, self.members.heads,
            )  # fmt: skip
            signed, digest = sign(bundle, self._secret)
            self._previous = digest
        draft.id = bundle_id(digest)
        actor = bundle.actor
        row = BundleRow(
            draft.number, draft.id, bundle.log, bundle.seq, bundle.hlc, actor.user, actor.name, actor.device,
            actor.via, bundle.intent, bundle.message, bundle.undoes, digest,
        )  # fmt: skip
        self.storage.add_bundle(row, signed.body, signed.signature)
        if bundle.deps:
            self.storage.add_deps(bundle.log, bundle.seq, bundle.deps)

    def _vector_advance(self, draft: Draft) -> None:
        if draft.foreign is not None and draft.number not in self.members.held:
            log, seq = draft.foreign.bundle.log, draft.foreign.bundle.seq
            if self._vector.get(log, 0) == seq - 1:
                self._vector[log] = seq

    def _adopt(self, touched: list[Any], texts: dict[tuple[str, str], TextTouch], changed: set[str]) -> None:
        self.index.store([entry for entry in touched if not entry.unsure])
        self.detector.settle(touched, texts, changed)
        before, former = dict(self.schemas), dict(self.schemas.former)
        self.schemas.load(self.storage)
        self.detector.bonds.take_names()
        for plugin in sorted(before.keys() | self.schemas.keys()):
            old, new = before.get(plugin), self.schemas.get(plugin)
            was, now = former.get(plugin, {}), self.schemas.former.get(plugin, {})
            if old == new and was == now:
                continue
            self.document(plugin)
            shorts = {short for one in (old, new) if one for short in one.facets}
            roots = {f"{plugin}.{short}" for short in shorts} | {root for root, _key in (*was, *now)}
            roots |= {layout.edge_root(f"{plugin}.{short}") for one in (old, new) if one for short in one.edges}
            # Facets first: what an edge leads to may be one.
            for root in sorted(roots, key=lambda root: (layout.parse_root(root).kind != "facet", root)):
                self._adopt_root(root, changed)
        if before != self.schemas:
            self.detector.recheck_bonds(changed)

    def _adopt_root(self, root: str, changed: set[str]) -> None:
        """Judge all that a root holds again, after its schema changed."""
        parsed = layout.parse_root(root)
        if parsed.kind == "edge":
            self.detector.edges.judge_all(parsed.name, changed)
            return
        declared = self.schemas.facet(root)
        for field in sorted(self.schemas.sought_of(declared)) if declared else ():
            for key in self.schemas.keys_of(root, field):
                self.storage.seek(root, key)
        self.index.forget()
        self.detector.recheck(list(self.storage.registers_of_root(root)), changed)

    def close(self) -> None:
        """Leave a snapshot for a fast opening, and let go of the file."""
        try:
            # A disk in the way costs the next opening some time, nothing else.
            with suppress(StorageError):
                self.recover()
                self.snapshot()
        finally:
            self.documents.clear()
            self.storage.close()
            if self._marks is not None:
                self._marks.close()
