"""A replica in the hands of a test: the real committer on a storage, with a clock and randomness passed in."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from typing import Any

from nacl.signing import SigningKey

from openprod.core.bundles import Actor, Bundle, SignedBundle, verify
from openprod.core.operations import Operation
from openprod.core.schema import Edge, Facet, Field, Schema
from openprod.engine import exchange, resolve, undo
from openprod.engine.commit import Committer
from openprod.engine.describe import Describer
from openprod.engine.drafts import Foreign, OutsideUpdate, Submission, Writes
from openprod.engine.events import Committed, Receipt
from openprod.engine.lower import Lowering
from openprod.engine.resolve import UNSET, Deciding
from openprod.engine.views import Views
from openprod.errors import OpenprodError
from openprod.storage.memory import MemoryStorage
from openprod.storage.ports import ConflictRow, Storage
from openprod.yjs import layout
from openprod.yjs.documents import Write

WORKSPACE = "ws_test"

CUES = Schema(
    plugin="cues",
    label="Cues",
    facets={
        "cue": Facet(
            label="Cue",
            title="{list} {number}",
            unique=(("list", "number"),),
            fields={
                "list": Field(),
                "number": Field(type="decimal"),
                "start": Field(type="time", label="start time"),
                "end": Field(type="time", label="end time"),
                "label": Field(),
                "notes": Field(type="text"),
            },
        ),
        "note": Facet(label="Note", fields={"body": Field()}),
    },
    edges={"follows": Edge(label="follows", source="cue", target="cue", cardinality="one")},
)


class Time:
    """A wall clock that a test sets."""

    def __init__(self, ms: int = 1_780_000_000_000) -> None:
        self.ms = ms

    def now(self) -> int:
        self.ms += 1
        return self.ms


def device_key(name: str) -> SigningKey:
    return SigningKey(hashlib.sha256(name.encode()).digest())


def new_storage() -> MemoryStorage:
    storage = MemoryStorage()
    with storage.transaction():
        storage.set_meta("workspace", WORKSPACE)
        storage.set_meta("name", "Test")
    return storage


class Replica:
    """One device's copy. ``restart`` is a crash: whatever wasn't in the storage is gone."""

    def __init__(self, name: str, *, storage: Storage | None = None, time: Time, chance: random.Random) -> None:
        self.name = name
        self.time = time
        self.chance = chance
        self.storage: Storage = storage or new_storage()
        self.events: list[Committed] = []
        self.committer = self._open()
        self.actor = Actor(f"user_{name}", name.title(), self.committer.device)

    def _open(self) -> Committer:
        return Committer(
            self.storage, key=device_key(self.name), now_ms=self.time.now, random_bytes=self.chance.randbytes
        )

    def restart(self) -> None:
        self.committer = self._open()

    # -- writing -------------------------------------------------------------------------------------------

    def submit(self, *submissions: Submission) -> list[Any]:
        outcomes, events = self.committer.commit(submissions)
        self.events += events
        return outcomes

    def one(self, submission: Submission) -> Receipt | None:
        (outcome,) = self.submit(submission)
        if isinstance(outcome, OpenprodError):
            raise outcome
        return outcome

    def commit(self, *operations: Operation, actor: Actor | None = None) -> Receipt:
        return self._write(self.writes(*operations, actor=actor))

    def writes(self, *operations: Operation, actor: Actor | None = None) -> Writes:
        def plan(committer: Committer) -> dict[str, list[Write]]:
            lowering = Lowering(committer)
            lowering.add(operations)
            return lowering.plan()

        return Writes(plan=plan, actor=actor or self.actor)

    def _write(self, writes: Writes) -> Receipt:
        receipt = self.one(writes)
        assert receipt is not None
        return receipt

    def adopt(self, *schemas: Schema) -> Receipt:
        def plan(committer: Committer) -> dict[str, list[Write]]:
            lowering = Lowering(committer)
            for schema in schemas:
                lowering.write(layout.CORE, layout.ADOPTION_ROOT, schema.plugin, schema.to_record())
            return lowering.plan()

        return self._write(Writes(plan=plan, actor=self.actor, intent="adopt"))

    def outside(
        self, document: str, update: bytes, *, actor: Actor | None = None, live: bool = True, origin: object = None
    ) -> Receipt | None:
        return self.one(
            OutsideUpdate(document=document, update=update, actor=actor or self.actor, live=live, origin=origin)
        )

    def _deciding(self) -> Deciding:
        return Deciding(
            self.committer, self.actor, now_ms=self.time.now(), new_id=f"r_{self.chance.randbytes(8).hex()}"
        )

    def resolve(
        self, conflict: str, *, choose: str | None = None, value: Any = UNSET, heads: Sequence[str] | None = None
    ) -> Receipt:
        def plan(committer: Committer) -> dict[str, list[Write]]:
            return resolve.plan(committer, conflict, choose=choose, value=value, heads=heads, deciding=self._deciding())

        return self._write(Writes(plan=plan, actor=self.actor, intent="resolve"))

    def reopen(self, conflict: str) -> Receipt:
        def plan(committer: Committer) -> dict[str, list[Write]]:
            return resolve.plan_reopen(committer, conflict, self._deciding())

        return self._write(Writes(plan=plan, actor=self.actor, intent="resolve"))

    def undo(self) -> Receipt:
        row, about = undo.last_undoable(self.committer, self.actor.user)
        return self._take_back("undo", row.id, about)

    def redo(self) -> Receipt:
        row = undo.last_redoable(self.committer, self.actor.user)
        return self._take_back("redo", row.id, row.undoes)

    def _take_back(self, intent: str, target: str, about: str) -> Receipt:
        def plan(committer: Committer) -> dict[str, list[Write]]:
            row = committer.storage.bundle(target)
            assert row is not None
            return undo.plan(committer, row, self._deciding())

        return self._write(Writes(plan=plan, actor=self.actor, intent=intent, undoes=about))

    # -- between replicas ----------------------------------------------------------------------------------

    def bundles(self) -> list[tuple[SignedBundle, Bundle]]:
        """Everything it holds, in the order it came."""
        signed = [SignedBundle(body, signature) for _number, body, signature in self.storage.bundle_bytes()]
        return [(one, verify(one, workspace=WORKSPACE)) for one in signed]

    def merge(self, bundles: Sequence[tuple[SignedBundle, Bundle]]) -> int:
        """Take in what it lacks; raises what was wrong."""
        foreign: list[Foreign] = list(exchange.lacking(self.committer, iter(bundles)))
        for outcome in self.submit(*foreign) if foreign else []:
            if isinstance(outcome, OpenprodError):
                raise outcome
        return len(foreign)

    def pull(self, other: Replica) -> int:
        return self.merge(other.bundles())

    # -- reading -------------------------------------------------------------------------------------------

    def hash(self) -> str:
        return Views(self.committer).state_hash()

    def conflicts(self, status: str = "all") -> list[ConflictRow]:
        return self.storage.conflicts(status=status)

    def describe(self, row: ConflictRow) -> Any:
        return Describer(self.storage, self.committer.schemas, self.committer.detector).describe(row)

    def value(self, document: str, root: str, key: str) -> str | None:
        row = self.storage.register_at(document, root, key)
        return None if row is None else row.value

    def registers(self) -> dict[tuple[str, str, str], str]:
        """Every key that is shown, with its canonical value."""
        return {(row.document, row.root, row.key): row.value for row in self.storage.all_registers() if row.value}

    def tables(self) -> dict[str, Any]:
        """What is derived, without local numbers: equal on replicas that hold the same bundles."""
        storage = self.storage
        found: dict[str, Any] = {"registers": {}, "conflicts": {}, "histories": {}}
        for row in storage.all_registers():
            name = f"{row.document}/{row.root}/{row.key}"
            found["registers"][name] = (row.entity, row.field, row.client, row.clock, bool(row.forked), row.value)
            history = self.committer.detector.history(row)
            found["histories"][name] = {
                "versions": {
                    id: (version.parent, version.value, version.log, version.seq, history.bundles[id].id)
                    for id, version in history.tree.versions.items()
                },
                "state": history.state._replace(
                    heads=tuple(head._replace(bundle=0) for head in history.state.heads), base=None
                ),
            }
        for row in storage.conflicts():
            subject = {name: value for name, value in row._asdict().items() if name != "register"}
            found["conflicts"][row.id] = {**subject, "sentence": self.describe(row).sentence}
        found["texts"] = {
            f"{document}/{root}": (
                [(span._replace(bundle=0), bundle.id) for span, bundle in storage.spans_of(document, root)],
                [
                    [change._replace(bundle=0) for change in rows]
                    for log in storage.text_logs(document, root)
                    for rows in (
                        storage.text_changes(document, root, log, whole=False),
                        storage.text_changes(document, root, log, whole=True),
                        storage.apart_in(document, root, log, limit=-1),
                    )
                ],
            )
            for document, root in storage.text_roots()
        }
        found["resolutions"] = [
            (row._replace(bundle=0), storage.bundle_numbered(row.bundle).id)  # type: ignore[union-attr]
            for row in storage.all_resolutions()
        ]
        return found
