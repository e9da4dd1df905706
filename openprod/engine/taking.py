"""Taking in what is submitted: decoded, gated, applied to the live documents, noted in the index.

Each kind of submission becomes a draft of a bundle, or what was wrong with it. Nothing is durable before the committer
has written it down.
"""

from __future__ import annotations

from collections.abc import Iterable

from openprod.core.bundles import Actor, DocumentUpdate, read
from openprod.core.clock import time_text
from openprod.core.membership import SignedRecord
from openprod.engine import projection, removals, reuse
from openprod.engine.drafts import (
    Draft,
    Foreign,
    Halfway,
    OutsideUpdate,
    Run,
    Tag,
    Writes,
    bytes_of,
    halfway,
    rank_of,
)
from openprod.engine.events import Receipt
from openprod.engine.removals import Part, rank
from openprod.engine.replay import Replay
from openprod.errors import LimitExceeded, OpenprodError, StorageError, Untrusted
from openprod.yjs.decoder import Update, decode_update
from openprod.yjs.documents import LiveDocument, SetKey, Write
from openprod.yjs.gate import Release

FOLDED_MAX = 512
FOLDED_BYTES_MAX = 4 * 1024 * 1024


class Taking(Replay):
    """Part of the committer."""

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

    def _take_writes(
        self, submission: Writes, plan: dict[str, list[Write]], drafts: list[Draft], runs: list[Run]
    ) -> Draft | Receipt:  # fmt: skip
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

    def _take_records(self, records: Iterable[SignedRecord], runs: list[Run]) -> Receipt | OpenprodError | None:
        """Those that hold are kept, whatever is wrong with another; what they mean for what is here happens at once."""
        fault: OpenprodError | None = None
        news = False
        for signed in records:
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

    def decided_at(self) -> str:
        """The time of a membership record of this device's people. Raises Denied while nothing may be written."""
        self._require_clock()
        return self.tick()

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

    def _clock_text(self) -> str:
        return time_text(self._now_ms())
