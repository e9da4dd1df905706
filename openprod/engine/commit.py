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
    DocumentUpdate,
    bundle_id,
    read,
    sign,
    signer,
)
from openprod.core.clock import time_text
from openprod.core.ids import RandomBytes, device_id
from openprod.engine import announcing, projection, removals, reuse
from openprod.engine.detect import Detector
from openprod.engine.drafts import (
    Draft,
    Foreign,
    Halfway,
    Outcome,
    OutsideUpdate,
    Records,
    Run,
    Submission,
    Tag,
    Writes,
    bytes_of,
    halfway,
    rank_of,
)
from openprod.engine.events import Committed, Receipt
from openprod.engine.high_water import HighWater, Mark
from openprod.engine.index import Index
from openprod.engine.members import DERIVE
from openprod.engine.removals import Part, rank
from openprod.engine.replay import Replay
from openprod.engine.schemas import Schemas
from openprod.engine.spans import TextTouch
from openprod.errors import (
    LimitExceeded,
    OpenprodError,
    StorageError,
    Untrusted,
)
from openprod.storage.ports import BundleRow, Storage
from openprod.yjs import layout
from openprod.yjs.decoder import Update, decode_update
from openprod.yjs.documents import LiveDocument, SetKey, Write
from openprod.yjs.gate import Release

FOLDED_MAX = 512
FOLDED_BYTES_MAX = 4 * 1024 * 1024


class Committer(Replay):
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

    def _clock_text(self) -> str:
        return time_text(self._now_ms())

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
                        outcomes[place] = self._take_writes(submission, drafts, runs)
                    elif isinstance(submission, Records):
                        self._judge(drafts, runs, changed, entities)
                        by_origin.clear()
                        outcomes[place] = self._take_records(submission, runs)
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

    # -- taking in -----------------------------------------------------------------------------------------

    def _draft(self, drafts: list[Draft], actor: Actor, intent: str, origin: object) -> Draft:
        draft = Draft(self._number + 1, self._seq + 1, self._clock.tick(self._now_ms()), actor, intent, origin)
        self._number += 1
        self._seq += 1
        drafts.append(draft)
        return draft

    def _take_outside(
        self, submission: OutsideUpdate, drafts: list[Draft], by_origin: dict[tuple[int, Actor], Draft],
        runs: list[Run],
    ) -> Draft | None:  # fmt: skip
        document = self.known_document(submission.document)
        decoded = decode_update(submission.update)
        gate = document.gate
        if reuse.contradicts(self.index, document, decoded):
            why = reuse.refusal()
            self.storage.quarantine(document.name, submission.update, why.sentence, self._clock_text())
            raise why
        if self._is_known(document, decoded) and not self._tells_more(document.name, decoded, submission):
            return None
        self._require([document.name])
        name = (id(submission.origin), submission.actor)
        draft = by_origin.get(name) if submission.origin is not None else None
        if draft is None or len(draft.updates) >= FOLDED_MAX or draft.bytes >= FOLDED_BYTES_MAX:
            draft = by_origin[name] = self._draft(drafts, submission.actor, "sync", submission.origin)
        tag = Tag(draft, draft.number, submission.live, rank(draft.intent, draft.hlc, self.log, draft.seq))
        try:
            releases = gate.admit(submission.update, decoded, tag)
        except OpenprodError:
            if not draft.updates:
                drafts.remove(draft)
                by_origin.pop(name)
                self._number, self._seq = self._number - 1, self._seq - 1
            raise
        draft.waiting = draft.waiting or not releases
        part = DocumentUpdate(submission.document, submission.update, submission.live, submission.seen)
        draft.updates.append(part)
        draft.bytes += len(part.update)
        self._count(part)
        self._pass(document, releases, runs, apply=True)
        return draft

    @staticmethod
    def _is_known(document: LiveDocument, decoded: Update) -> bool:
        state, deleted = document.gate.state, document.gate.deleted
        for client, clock, length in decoded.sections:
            if clock + length > state.get(client, 0):
                return False
        return all(deleted.covers(client, clock, length) for client, clock, length in decoded.deletes)

    def _tells_more(self, document: str, decoded: Update, submission: OutsideUpdate) -> bool:
        """Whether an update of known ids brings a value that nobody had kept, or its author's own removal."""
        if self.index.lacks_value_in(document, decoded.structs):
            return True
        if not submission.live:
            return False
        part = Part(decoded, bundle=0, live=True, rank=(True, "", "", 0))
        user = submission.actor.user
        return any(
            all(bundle.user != user or row[1:3] != (client, clock) for row, bundle in self.storage.clears_of(entry.id))
            for client, clock, entry in removals.of(self.index, document, part)
        )

    def _take_writes(self, submission: Writes, drafts: list[Draft], runs: list[Run]) -> Draft | Receipt:
        plan = submission.plan(self)
        plan = {name: writes for name, writes in plan.items() if writes}
        if not plan and not submission.kept:
            return Receipt(bundle="", hlc="")
        self._require(list(plan))
        draft = self._draft(drafts, submission.actor, submission.intent, None)
        draft.message, draft.undoes, draft.operations = submission.message, submission.undoes, submission.operations
        for name in sorted(plan):
            document = self.document(name)
            seen = document.state_vector() if self._is_contested(name, plan[name]) else b""
            with halfway():
                update = document.write(plan[name])
            if not update:
                continue
            draft.updates.append(DocumentUpdate(name, update, True, seen))
            self._count(draft.updates[-1])
            tag = Tag(draft, draft.number, True, rank(draft.intent, draft.hlc, self.log, draft.seq))
            releases = document.gate.admit(update, decode_update(update), tag)
            self._pass(document, releases, runs, apply=False)
        return draft

    def _is_contested(self, name: str, writes: list[Write]) -> bool:
        """Whether a field has more than one side: who writes over one is then on record for having seen the others."""
        entries = (self.index.find(name, write.root, write.key) for write in writes if isinstance(write, SetKey))
        return any(entry is not None and entry.forked for entry in entries)

    def _take_foreign(self, submission: Foreign, drafts: list[Draft], runs: list[Run]) -> Draft | None:
        bundle = submission.bundle
        seq, previous = self.storage.logs_of(bundle.log)
        if bundle.seq <= seq:
            return None
        if bundle.seq != seq + 1 or bundle.previous != previous:
            raise Untrusted(
                "Bundles are missing or don't follow each other.", hint="Pack the file again on the other laptop."
            )
        # A branch of a forked log is kept under a name and numbers of this replica's own.
        admitted = self.members.admits(read(submission.signed.body) if "+" in bundle.log else bundle)
        for part in bundle.updates if not admitted else ():
            decode_update(part.update)  # what can't be read isn't kept either
        self._clock.witness(bundle.hlc, self._now_ms())
        if bundle.log.partition("+")[0] == self.log:
            self._leave_log(drafts)
        draft = Draft(self._number + 1, bundle.seq, bundle.hlc, bundle.actor, bundle.intent, None)
        self._number += 1
        draft.message, draft.undoes, draft.operations = bundle.message, bundle.undoes, bundle.operations
        draft.foreign = submission
        draft.updates = bundle.updates
        self._finish(draft)
        drafts.append(draft)
        if not admitted:
            self.members.hold([draft.number])
            return draft
        for part in bundle.updates:
            document = self.document(part.document)
            self._count(part)
            tag = Tag(draft, draft.number, part.live, rank_of(bundle))
            with halfway():
                releases = document.gate.admit(part.update, decode_update(part.update), tag)
            self._pass(document, releases, runs, apply=True)
        return draft

    def _take_records(self, submission: Records, runs: list[Run]) -> Receipt | OpenprodError | None:
        """Those that hold are kept, whatever is wrong with another; what they mean for what is here happens at once."""
        fault: OpenprodError | None = None
        news = False
        for signed in submission.plan(self):
            try:
                news = self.members.add(signed) or news
            except StorageError:
                raise
            except OpenprodError as error:
                fault = fault or error
        if not news:
            return fault
        settled = self.members.settle(self.tick)
        self._again = self._again or settled.again
        for number in settled.admit:
            self._admit(number, runs)
        self._vector = self._seen()
        return fault or Receipt(bundle="", hlc="")

    def now_ms(self) -> int:
        return self._now_ms()

    def tick(self) -> str:
        """A time for something written now."""
        return self._clock.tick(self._now_ms())

    def _admit(self, number: int, runs: list[Run]) -> None:
        """Apply a bundle that had been held."""
        body, _signature = self.storage.bundle_body(number)
        bundle = read(body)
        for part in bundle.updates:
            document = self.document(part.document)
            tag = Tag(None, number, part.live, rank_of(bundle))
            try:
                releases = document.gate.admit(part.update, decode_update(part.update), tag)
            except OpenprodError as error:
                self.storage.quarantine(document.name, part.update, str(error), self._clock_text())
                continue
            self._count(part)
            self._pass(document, releases, runs, apply=True)
            self._late.add(document.name)

    def _pass(
        self, document: LiveDocument, releases: list[Release],
        runs: list[Run], *, apply: bool, echo: bool = False,
    ) -> None:  # fmt: skip
        for release in releases:
            if release.refused is not None:
                # It had waited, was acknowledged as stored, and can't be applied: kept for people to look at.
                for item in release.items:
                    self.storage.quarantine(document.name, item.update, str(release.refused), self._clock_text())
                continue
            data = bytes_of(release)
            if apply and not release.redundant:
                try:
                    document.apply(data)
                except OpenprodError as error:
                    raise Halfway(error) from error
            parts = []
            for item in release.items:
                tag = item.tag
                assert isinstance(tag, Tag)
                parts.append(Part(item.decoded, bundle=tag.bundle, live=tag.live, rank=tag.rank))
            try:
                self.index.add(document.name, parts, release.deleted, release.added)
            except LimitExceeded as error:
                raise Halfway(error) from error
            tag = release.items[-1].tag
            assert isinstance(tag, Tag)
            if not runs or runs[-1].number != tag.bundle or runs[-1].echo != echo:
                runs.append(Run(tag.draft, tag.bundle, [], echo=echo))
            runs[-1].updates.extend((document.name, update) for update in data)

    def _complete(self, drafts: list[Draft], runs: list[Run]) -> None:
        """Carry what was written to one register of a bond to the others, in the same bundle (CRDT.md §4)."""
        due = {draft.number: draft for draft in drafts if not draft.id and draft.intent == "sync"}
        for number, writes in projection.completions(self.index, self.detector, self.storage, due).items():
            draft = due[number]
            for name in sorted(filter(lambda name: self.members.may_write([name]), writes)):
                document = self.document(name)
                with halfway():
                    update = document.write(writes[name])
                if not update:
                    continue
                part = DocumentUpdate(name, update, True, b"")
                draft.updates.append(part)
                self._count(part)
                tag = Tag(draft, number, True, rank(draft.intent, draft.hlc, self.log, draft.seq))
                self._pass(
                    document, document.gate.admit(update, decode_update(update), tag), runs, apply=False, echo=True
                )

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
        before = dict(self.schemas)
        self.schemas.load(self.storage)
        self.detector.bonds.take_names()
        for plugin in sorted(before.keys() | self.schemas.keys()):
            old, new = before.get(plugin), self.schemas.get(plugin)
            if old == new:
                continue
            self.document(plugin)
            for facet in sorted({*(old.facets if old else ()), *(new.facets if new else ())}):
                declared = new.facets.get(facet) if new else None
                for field in sorted(self.schemas.sought_of(declared)) if declared else ():
                    for key in self.schemas.keys_of(f"{plugin}.{facet}", field):
                        self.storage.seek(f"{plugin}.{facet}", key)
                self.index.forget()
                rows = list(self.storage.registers_of_root(f"{plugin}.{facet}"))
                self.detector.recheck(rows, changed)
            for edge in sorted({*(old.edges if old else ()), *(new.edges if new else ())}):
                self.detector.edges.judge_all(f"{plugin}.{edge}", changed)

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
