"""The one commit path. Everything that changes a workspace passes here, in groups, on one thread.

For each group: decode and gate every update, apply what passes to the live documents, draft bundles, derive the rows,
judge what was touched, and make it all durable in one transaction. Only then does anybody hear of it. When anything
fails, nothing of the group remains: the transaction is rolled back and the live documents are read again from disk;
then its members are tried one by one, so that only the one at fault is refused.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeAlias

import msgspec
from nacl.signing import SigningKey

from openprod.core.bundles import (
    Actor,
    Bundle,
    DocumentUpdate,
    SignedBundle,
    bundle_id,
    read,
    sign,
    signature_of,
    signer,
)
from openprod.core.clock import HybridClock, time_text
from openprod.core.ids import RandomBytes, device_id, parse_version
from openprod.core.membership import SignedRecord
from openprod.engine import projection, removals, reuse
from openprod.engine.detect import Detector
from openprod.engine.events import Committed, Receipt
from openprod.engine.high_water import HighWater, Mark
from openprod.engine.index import Index
from openprod.engine.members import DERIVE, Members
from openprod.engine.removals import Part, Rank, rank
from openprod.engine.schemas import Schemas
from openprod.engine.spans import TextTouch
from openprod.errors import (
    DamagedFile,
    LimitExceeded,
    MalformedUpdate,
    NotFound,
    OpenprodError,
    StorageError,
    Untrusted,
)
from openprod.storage.ports import BundleRow, Storage
from openprod.yjs import layout
from openprod.yjs.decoder import Update, decode_update
from openprod.yjs.documents import LiveDocument, SetKey, Write, merged
from openprod.yjs.gate import Release

SNAPSHOT_BYTES = 8 * 1024 * 1024
"""A document is written out whole again after this many bytes of updates."""
LEFT = "left"
"""Meta: what people haven't been told yet about a log that was left for another."""
_GOES_ON = "It goes on here; what is missing comes back with a merge from another laptop or from the newer copy."
FOLDED_MAX = 512
FOLDED_BYTES_MAX = 4 * 1024 * 1024


class OutsideUpdate(msgspec.Struct, kw_only=True):
    """An update from a Yjs program. ``seen``: its encoded state vector when ``live`` is False."""

    document: str
    update: bytes
    actor: Actor
    origin: Any = None
    live: bool = True
    seen: bytes = b""


class Writes(msgspec.Struct, kw_only=True):
    """Writes of this engine. ``plan`` is called on the engine's thread with everything before it applied.

    It returns {document: writes}; an empty plan commits nothing.
    """

    plan: Callable[[Committer], dict[str, list[Write]]]
    actor: Actor
    intent: str = "edit"
    message: str = ""
    undoes: str = ""
    operations: list[dict[str, Any]] = []
    kept: bool = False
    """Commit even if nothing is to be written: the message is what matters."""


class Foreign(msgspec.Struct, kw_only=True):
    """A verified bundle of another log, whose predecessors are in."""

    signed: SignedBundle
    bundle: Bundle


class Records(msgspec.Struct, kw_only=True):
    """Membership records. ``plan`` is called on the engine's thread; what it returns are records, parents first."""

    plan: Callable[[Committer], Sequence[SignedRecord]]


Submission: TypeAlias = "OutsideUpdate | Writes | Foreign | Records"
Outcome: TypeAlias = "Receipt | OpenprodError | None"


class _Draft:
    __slots__ = (
        "actor", "bytes", "entities", "foreign", "hlc", "id", "intent", "message", "number", "operations", "origin",
        "seq", "undoes", "updates", "waiting",
    )  # fmt: skip

    def __init__(self, number: int, seq: int, hlc: str, actor: Actor, intent: str, origin: object) -> None:
        self.number, self.seq, self.hlc, self.actor, self.intent, self.origin = number, seq, hlc, actor, intent, origin
        self.message = self.undoes = self.id = ""
        self.operations: list[dict[str, Any]] = []
        self.updates: list[DocumentUpdate] = []
        self.foreign: Foreign | None = None
        self.bytes = 0
        self.waiting = False
        self.entities: set[str] = set()


class _Run:
    """Updates of one bundle to hand on, in order. ``echo``: also to whom the bundle came from, who hasn't seen them."""

    __slots__ = ("draft", "echo", "number", "updates")

    def __init__(self, draft: _Draft | None, number: int, updates: list[tuple[str, bytes]], *, echo: bool) -> None:
        self.draft, self.number, self.updates, self.echo = draft, number, updates, echo


class _Halfway(OpenprodError):
    """An error after something had already changed in memory."""

    def __init__(self, error: OpenprodError) -> None:
        super().__init__(error.sentence)
        self.error = error


@contextmanager
def _halfway() -> Iterator[None]:
    try:
        yield
    except StorageError:
        raise
    except OpenprodError as error:
        raise _Halfway(error) from error


class _Tag:
    """What a parked update carries: where it belongs when it passes."""

    __slots__ = ("bundle", "draft", "live", "rank")

    def __init__(self, draft: _Draft | None, bundle: int, live: bool, rank: Rank) -> None:
        self.draft, self.bundle, self.live, self.rank = draft, bundle, live, rank


class Committer:
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

    # -- opening -------------------------------------------------------------------------------------------

    def _open_log(self) -> None:
        self.members = Members(
            self.storage, self.workspace, key=self._public, signature_of=lambda body: signature_of(body, self._secret)
        )
        self._late: set[str] = set()
        self._again = bool(self.storage.meta(DERIVE))
        log = self.storage.meta("log")
        if log is None or not log.startswith(self.device + "-"):
            log = f"{self.device}-{self._random(4).hex()}"
            with self.storage.transaction():
                self.storage.set_meta("log", log)
        logs = self.storage.logs()
        why = self._why_left(log, *logs.get(log, (0, b"")))
        if why:
            log = f"{self.device}-{self._random(4).hex()}"
            with self.storage.transaction():
                self.storage.set_meta("log", log)
                self.storage.set_meta(LEFT, why)
        self.log = log
        self._seq, self._previous = logs.get(log, (0, b""))
        newest = self.storage.bundles(newest_first=True, limit=1)
        self._number = newest[0].number if newest else 0
        self._clock = HybridClock(self.device, last=self.storage.newest_hlc(log))
        self._vector = self._seen()
        now_ms = self._now_ms()
        for name in logs.keys() - {log}:
            self._clock.witness(self.storage.newest_hlc(name), now_ms)
        self._said = {name: self.storage.depends(log, self._seq, name) for name in self._vector}

    def _why_left(self, log: str, seq: int, digest: bytes) -> str:
        """What to tell people when this device has written more of the log, or something else, than is here."""
        mark = self._marks.read(log) if self._marks is not None else None
        if mark is None or mark.seq < seq or (mark.seq == seq and mark.hash == digest):
            return ""
        if mark.seq == seq:
            return "Another copy of this workspace was written to on this device. " + _GOES_ON
        many = "1 change is" if mark.seq == seq + 1 else f"{mark.seq - seq} changes are"
        return f"This is an older copy of the workspace: {many} missing that this device had made. " + _GOES_ON

    def _leave_log(self, drafts: list[_Draft]) -> None:
        """This is an older copy: the log went on elsewhere. From here on write another one."""
        for draft in drafts:
            self._finish(draft)
        self.log = f"{self.device}-{self._random(4).hex()}"
        self.storage.set_meta("log", self.log)
        self._seq, self._previous, self._said = 0, b"", {}
        self._vector = self._seen()

    def leave_log(self) -> str:
        """Write another log from here on: somebody holds more of this one. Returns its name. Raises StorageError."""
        try:
            with self.storage.transaction():
                self._leave_log([])
        except BaseException:
            self._restore()
            raise
        return self.log

    def _seen(self) -> dict[str, int]:
        """{log: seq} of the others', as far as they are applied: nobody here has seen what is held."""
        found = {name: seq for name, (seq, _hash) in self.storage.logs().items() if name != self.log}
        for number in self.members.held:
            row = self.storage.bundle_numbered(number)
            if row is not None and row.log in found:
                found[row.log] = min(found[row.log], row.seq - 1)
        return {name: seq for name, seq in found.items() if seq}

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
                tag = _Tag(None, number, part.live, _rank(bundle))
                for release in document.gate.admit(part.update, decode_update(part.update), tag):
                    if release.refused is None:
                        document.apply(_bytes(release))
                self._count(part)

    def _clock_text(self) -> str:
        return time_text(self._now_ms())

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
        except _Halfway as fault:
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
        drafts: list[_Draft] = []
        by_origin: dict[tuple[int, Actor], _Draft] = {}
        runs: list[_Run] = []
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
                    if isinstance(error, (_Halfway, StorageError)):
                        raise
                    outcomes[place] = error
            if not drafts and not any(isinstance(one, Records) for one in submissions):
                return outcomes, []
            self._judge(drafts, runs, changed, entities)
            self._snapshot_when_due()
            self._snapshot_late()
        if self._again:
            self.rebuild()
        if self._marks is not None and self._seq:
            self._marks.note(self.log, Mark(self._seq, self._previous))
        self.index.trim()
        for draft in drafts:
            self._vector_advance(draft)
        raised = self._raised(changed, drafts)
        events = self._events(runs, drafts, tuple(sorted(changed)), tuple(sorted(entities)))
        return [
            Receipt(bundle=outcome.id, hlc=outcome.hlc, conflicts=raised[outcome.number], waiting=outcome.waiting)
            if isinstance(outcome, _Draft)
            else outcome
            for outcome in outcomes
        ], events

    def _judge(self, drafts: list[_Draft], runs: list[_Run], changed: set[str], entities: set[str]) -> None:
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

    def _raised(self, changed: Iterable[str], drafts: list[_Draft]) -> dict[int, list[str]]:
        """{bundle: the open conflicts that it has a hand in}."""
        raised: dict[int, list[str]] = {draft.number: [] for draft in drafts}
        for id in sorted(changed):
            row = self.storage.conflict(id)
            if row is None or row.status != "open":
                continue
            if len(drafts) == 1:
                raised[drafts[0].number].append(id)
                continue
            hands = set()
            if row.kind == "text-overlap":
                by = {bundle for bundles in json.loads(row.subject)["by"].values() for bundle in bundles}
                hands = {draft.number for draft in drafts if draft.id in by}
            for head in json.loads(row.heads) if row.kind != "text-overlap" else ():
                document, key = parse_version(head)
                version = self.storage.version(document, key[0], key[1])
                hands.add(version.version.bundle if version else 0)
            for number in hands & raised.keys():
                raised[number].append(id)
        return raised

    def _events(
        self, runs: list[_Run], drafts: list[_Draft],
        changed: tuple[str, ...], entities: tuple[str, ...],
    ) -> list[Committed]:  # fmt: skip
        events: list[Committed] = []
        for run in runs:
            draft = run.draft
            if draft is None:
                row = self.storage.bundle_numbered(run.number)
                assert row is not None
                actor = Actor(row.user, row.name, row.device, row.via)
                events.append(
                    Committed(
                        bundle=row.id, actor=actor, origin=None, intent=row.intent, updates=run.updates,
                        conflicts=(), entities=(),
                    )
                )  # fmt: skip
            else:
                events.append(
                    Committed(
                        bundle=draft.id, actor=draft.actor, origin=None if run.echo else draft.origin,
                        intent=draft.intent, updates=run.updates, conflicts=(), entities=(),
                    )
                )  # fmt: skip
        if not events and not drafts:
            actor = Actor("", "", self.device)
            events.append(
                Committed(
                    bundle="", actor=actor, origin=None, intent="members", updates=[], conflicts=(), entities=()
                )
            )  # fmt: skip
        elif not events:
            draft = drafts[0]
            events.append(
                Committed(
                    bundle=draft.id, actor=draft.actor, origin=draft.origin, intent=draft.intent, updates=[],
                    conflicts=(), entities=(),
                )
            )  # fmt: skip
        # What changed belongs to the group: it is said once, when all of it can be read.
        events[-1] = msgspec.structs.replace(events[-1], conflicts=changed, entities=entities)
        return events

    # -- taking in -----------------------------------------------------------------------------------------

    def _draft(self, drafts: list[_Draft], actor: Actor, intent: str, origin: object) -> _Draft:
        draft = _Draft(self._number + 1, self._seq + 1, self._clock.tick(self._now_ms()), actor, intent, origin)
        self._number += 1
        self._seq += 1
        drafts.append(draft)
        return draft

    def _take_outside(
        self, submission: OutsideUpdate, drafts: list[_Draft], by_origin: dict[tuple[int, Actor], _Draft],
        runs: list[_Run],
    ) -> _Draft | None:  # fmt: skip
        document = self.known_document(submission.document)
        decoded = decode_update(submission.update)
        gate = document.gate
        if reuse.contradicts(self.index, document, decoded):
            why = reuse.refusal()
            self.storage.quarantine(document.name, submission.update, why.sentence, self._clock_text())
            raise why
        if self._is_known(document, decoded) and not self._tells_more(document.name, decoded, submission):
            return None
        self.members.require([document.name])
        name = (id(submission.origin), submission.actor)
        draft = by_origin.get(name) if submission.origin is not None else None
        if draft is None or len(draft.updates) >= FOLDED_MAX or draft.bytes >= FOLDED_BYTES_MAX:
            draft = by_origin[name] = self._draft(drafts, submission.actor, "sync", submission.origin)
        tag = _Tag(draft, draft.number, submission.live, rank(draft.intent, draft.hlc, self.log, draft.seq))
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
        return all(clock + length <= state.get(client, 0) for client, clock, length in decoded.sections) and all(
            deleted.covers(client, clock, length) for client, clock, length in decoded.deletes
        )

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

    def _take_writes(self, submission: Writes, drafts: list[_Draft], runs: list[_Run]) -> _Draft | Receipt:
        plan = submission.plan(self)
        plan = {name: writes for name, writes in plan.items() if writes}
        if not plan and not submission.kept:
            return Receipt(bundle="", hlc="")
        self.members.require(list(plan))
        draft = self._draft(drafts, submission.actor, submission.intent, None)
        draft.message, draft.undoes, draft.operations = submission.message, submission.undoes, submission.operations
        for name in sorted(plan):
            document = self.document(name)
            seen = document.state_vector() if self._is_contested(name, plan[name]) else b""
            with _halfway():
                update = document.write(plan[name])
            if not update:
                continue
            draft.updates.append(DocumentUpdate(name, update, True, seen))
            self._count(draft.updates[-1])
            tag = _Tag(draft, draft.number, True, rank(draft.intent, draft.hlc, self.log, draft.seq))
            releases = document.gate.admit(update, decode_update(update), tag)
            self._pass(document, releases, runs, apply=False)
        return draft

    def _is_contested(self, name: str, writes: list[Write]) -> bool:
        """Whether a field has more than one side: who writes over one is then on record for having seen the others."""
        entries = (self.index.find(name, write.root, write.key) for write in writes if isinstance(write, SetKey))
        return any(entry is not None and entry.forked for entry in entries)

    def _take_foreign(self, submission: Foreign, drafts: list[_Draft], runs: list[_Run]) -> _Draft | None:
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
        draft = _Draft(self._number + 1, bundle.seq, bundle.hlc, bundle.actor, bundle.intent, None)
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
            tag = _Tag(draft, draft.number, part.live, _rank(bundle))
            with _halfway():
                releases = document.gate.admit(part.update, decode_update(part.update), tag)
            self._pass(document, releases, runs, apply=True)
        return draft

    def _take_records(self, submission: Records, runs: list[_Run]) -> Receipt | OpenprodError | None:
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

    def tick(self) -> str:
        """A time for something written now."""
        return self._clock.tick(self._now_ms())

    def _admit(self, number: int, runs: list[_Run]) -> None:
        """Apply a bundle that had been held."""
        body, _signature = self.storage.bundle_body(number)
        bundle = read(body)
        for part in bundle.updates:
            document = self.document(part.document)
            tag = _Tag(None, number, part.live, _rank(bundle))
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
        runs: list[_Run], *, apply: bool, echo: bool = False,
    ) -> None:  # fmt: skip
        for release in releases:
            if release.refused is not None:
                # It had waited, was acknowledged as stored, and can't be applied: kept for people to look at.
                for item in release.items:
                    self.storage.quarantine(document.name, item.update, str(release.refused), self._clock_text())
                continue
            data = _bytes(release)
            if apply and not release.redundant:
                try:
                    document.apply(data)
                except OpenprodError as error:
                    raise _Halfway(error) from error
            parts = []
            for item in release.items:
                tag = item.tag
                assert isinstance(tag, _Tag)
                parts.append(Part(item.decoded, bundle=tag.bundle, live=tag.live, rank=tag.rank))
            try:
                self.index.add(document.name, parts, release.deleted, release.added)
            except LimitExceeded as error:
                raise _Halfway(error) from error
            tag = release.items[-1].tag
            assert isinstance(tag, _Tag)
            if not runs or runs[-1].number != tag.bundle or runs[-1].echo != echo:
                runs.append(_Run(tag.draft, tag.bundle, [], echo=echo))
            runs[-1].updates.extend((document.name, update) for update in data)

    def _complete(self, drafts: list[_Draft], runs: list[_Run]) -> None:
        """Carry what was written to one register of a bond to the others, in the same bundle (CRDT.md §4)."""
        due = {draft.number: draft for draft in drafts if not draft.id and draft.intent == "sync"}
        for number, writes in projection.completions(self.index, self.detector, self.storage, due).items():
            draft = due[number]
            for name in sorted(filter(lambda name: self.members.may_write([name]), writes)):
                document = self.document(name)
                with _halfway():
                    update = document.write(writes[name])
                if not update:
                    continue
                part = DocumentUpdate(name, update, True, b"")
                draft.updates.append(part)
                self._count(part)
                tag = _Tag(draft, number, True, rank(draft.intent, draft.hlc, self.log, draft.seq))
                self._pass(
                    document, document.gate.admit(update, decode_update(update), tag), runs, apply=False, echo=True
                )

    # -- finishing -----------------------------------------------------------------------------------------

    def _finish(self, draft: _Draft) -> None:
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

    def _vector_advance(self, draft: _Draft) -> None:
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
                            document.apply(_bytes(release))
        return document

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
        runs: list[_Run] = []
        for part in bundle.updates:
            document = self.document(part.document)
            tag = _Tag(None, number, part.live, _rank(bundle))
            self._pass(document, document.gate.admit(part.update, decode_update(part.update), tag), runs, apply=True)
        touched, texts = self.index.flush()
        if any(entry.root == layout.ADOPTION_ROOT for entry in touched):
            self._adopt(touched, texts, set())
        else:
            self.detector.settle(touched, texts, set())
        self.index.trim()


def _rank(bundle: Bundle) -> Rank:
    return rank(bundle.intent, bundle.hlc, bundle.log, bundle.seq)


def _bytes(release: Release) -> list[bytes]:
    if len(release.items) == 1:
        return [release.items[0].update]
    return [merged([item.update for item in release.items])]
