"""A seeded day on one replica: native edits, programs that edit apart, texts, decisions, undo, merges, refusals."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

from pycrdt import Doc, Map, Text

from openprod.core.bundles import Actor
from openprod.core.operations import CreateEntity, DeleteEntity, EditText, RestoreEntity, SetField
from openprod.engine.drafts import OutsideUpdate, Submission
from openprod.errors import InputError, InvalidOperation, NotFound, OpenprodError, Stale, StorageError
from tests.engine.replica import CUES, Replica, Time

ENTITIES = ("cue_1", "cue_2", "cue_3")
TEXT = "text:cues.cue/cue_1/notes"
Step = Callable[[Replica], None]


class Program:
    """Somebody's Yjs program: reads the replica now and then, edits what it has, sends when it is asked."""

    def __init__(self, number: int) -> None:
        self.doc: Doc[Any] = Doc(client_id=100 + number)
        self.actor = Actor(f"user_{number}", f"Person {number}", "page", "desk")
        self.sent = self.doc.get_state()

    def read(self, replica: Replica) -> None:
        self.doc.apply_update(replica.committer.document("cues").state_as_update())

    def set(self, key: str, value: Any) -> None:
        self.doc.get("cues.cue", type=Map)[key] = value

    def type(self, at: int, words: str) -> None:
        text = self.doc.get(TEXT, type=Text)
        text.insert(min(at, len(str(text))), words)

    def update(self) -> OutsideUpdate:
        data = self.doc.get_update(self.sent)
        self.sent = self.doc.get_state()
        return OutsideUpdate(document="cues", update=data, actor=self.actor, origin=self)


def submit(replica: Replica, *submissions: Submission) -> None:
    """Raises a StorageError; what is refused for another reason is refused."""
    for outcome in replica.submit(*submissions):
        if isinstance(outcome, StorageError):
            raise outcome


def steps(seed: int, count: int) -> Iterator[Step]:
    """Each may be tried again when it raised StorageError: it then does the same."""
    chance = random.Random(seed)
    programs = [Program(number) for number in range(3)]
    other = Replica("other", time=Time(), chance=random.Random(seed + 1))
    yield lambda replica: void(replica.adopt(CUES))
    for name in ENTITIES[:2]:
        yield native(CreateEntity(entity=name, facets={"cues.cue": {"list": "LX", "number": name[-1]}}))
    yield lambda replica: void(other.pull(replica))
    held: OutsideUpdate | None = None
    for _ in range(count):
        kind = chance.randrange(13)
        entity, value = chance.choice(ENTITIES), f"{chance.randrange(10, 24)}:{chance.choice(['00', '30'])}"
        program = chance.choice(programs)
        if kind == 0:
            yield native(SetField(entity=entity, facet="cues.cue", field="start", value=value))
        elif kind == 1:
            yield native(chance.choice([DeleteEntity, RestoreEntity, CreateEntity])(entity=entity))
        elif kind == 2:
            yield native(EditText(entity="cue_1", facet="cues.cue", field="notes", index=0, insert=f"{value} "))
        elif kind == 3:
            yield decide(chance.random())
        elif kind == 4:
            yield lambda replica: allowed(lambda: void(replica.undo()))
        elif kind == 5:
            yield lambda replica: allowed(lambda: void(replica.redo()))
        elif kind == 6:
            # Somebody on another laptop, who hasn't seen this one's latest.
            allowed(lambda v=value, e=entity: void(other.commit(  # type: ignore[misc]
                SetField(entity=e, facet="cues.cue", field="number", value=v[:2]))))  # fmt: skip
            yield lambda replica: void(replica.pull(other))
        elif kind == 7:
            yield lambda replica: void(other.pull(replica))
        elif kind == 8:
            yield lambda replica, p=program: p.read(replica)  # type: ignore[misc]
        elif kind == 9:
            # Several at once, one of them nonsense.
            for one in programs:
                one.set(f"{entity}/start", value)
            group = [one.update() for one in programs]
            group.insert(1, OutsideUpdate(document="cues", update=b"\x01nonsense", actor=program.actor))
            yield lambda replica, g=tuple(group): submit(replica, *g)  # type: ignore[misc]
        elif kind == 10:
            # The second of two arrives first, and waits for the other.
            program.set(f"{entity}/start", value)
            first = program.update()
            program.set(f"{entity}/label", value)
            second = program.update()
            yield lambda replica, u=second: submit(replica, u)  # type: ignore[misc]
            if held:
                yield lambda replica, u=held: submit(replica, u)  # type: ignore[misc]
            held = first
        else:
            if kind == 11:
                program.type(chance.randrange(20), f"{value} ")
            program.set(f"{entity}/{chance.choice(['start', 'number', 'label'])}", value)
            update = program.update()
            yield lambda replica, u=update: submit(replica, u)  # type: ignore[misc]


def native(*operations: Any) -> Step:
    return lambda replica: allowed(lambda: void(replica.commit(*operations)))


def decide(place: float) -> Step:
    def step(replica: Replica) -> None:
        rows = replica.storage.conflicts(kind="field", status="open")
        if rows:
            row = rows[int(place * len(rows))]
            allowed(lambda: void(replica.resolve(row.id, value=f"{int(place * 24):02}:15")))

    return step


def allowed(action: Callable[[], None]) -> None:
    """Do it, if that makes sense now."""
    try:
        action()
    except (InvalidOperation, NotFound, Stale, InputError):
        pass
    except OpenprodError as error:
        assert isinstance(error, StorageError), error  # noqa: PT017
        raise


def void(_result: object) -> None:
    return None
