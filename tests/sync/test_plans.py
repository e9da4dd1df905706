"""INV-PLAN-2: the conflicts that a plan counts beforehand are those that come."""

from __future__ import annotations

import random

import pytest

from openprod.core.operations import (
    AttachFacet,
    ClearField,
    CreateEntity,
    DeleteEntity,
    DetachFacet,
    Operation,
    SetField,
)
from openprod.errors import OpenprodError
from openprod.sync import plans
from openprod.sync.catchup import survey
from openprod.sync.replica import Held, offer
from tests.engine.replica import CUES, Replica, Time
from tests.seeds import fresh

SECRET = bytes(32)
CUE, NOTE = "cues.cue", "cues.note"


def pair(chance: random.Random) -> tuple[Replica, Replica]:
    """Two who had the same, with two cues, each with a note."""
    time = Time()
    ann, bob = Replica("ann", time=time, chance=chance), Replica("bob", time=time, chance=chance)
    ann.adopt(CUES)
    for entity in ("cue_1", "cue_2"):
        ann.commit(CreateEntity(entity=entity, facets={CUE: {"list": "LX"}, NOTE: {"body": "mind the step"}}))
    bob.pull(ann)
    return ann, bob


def told(ann: Replica, bob: Replica) -> int:
    """What both are told, before they merge."""
    prints = []
    for one, other in ((ann, bob), (bob, ann)):
        found = survey(Held(one.committer), Held(other.committer).tips().values())
        prints.append(plans.fingerprints(SECRET, offer(one.committer, found.known, found.after).touched))
    there, back = plans.conflicts_to_come(*prints), plans.conflicts_to_come(*reversed(prints))
    assert there == back
    return there


def came(ann: Replica, bob: Replica) -> list[str]:
    ann.pull(bob)
    bob.pull(ann)
    assert ann.hash() == bob.hash()
    return [one.kind for one in ann.conflicts("open")]


DELETED = DeleteEntity(entity="cue_1")
DETACHED = DetachFacet(entity="cue_1", facet=NOTE)


@pytest.mark.parametrize(
    ("one", "other", "count"),
    [
        (DELETED, SetField(entity="cue_1", facet=CUE, field="label", value="Ghost"), 1),
        (DELETED, SetField(entity="cue_1", facet=CUE, field="list", value="Sound"), 1),
        (DELETED, AttachFacet(entity="cue_1", facet=NOTE, fields={"body": "mind the trap"}), 1),
        (DELETED, ClearField(entity="cue_1", facet=CUE, field="list"), 0),
        (DELETED, DETACHED, 0),
        (DELETED, DELETED, 0),
        (DELETED, SetField(entity="cue_2", facet=CUE, field="label", value="Ghost"), 0),
        (DETACHED, SetField(entity="cue_1", facet=NOTE, field="body", value="mind the trap"), 1),
        (DETACHED, SetField(entity="cue_1", facet=CUE, field="label", value="Ghost"), 0),
        (DETACHED, DETACHED, 0),
    ],
    ids=str,
)
def test_what_one_takes_away_while_the_other_writes_to_it_is_counted_once(
    one: Operation, other: Operation, count: int
) -> None:
    ann, bob = pair(random.Random(1))
    ann.commit(one)
    bob.commit(other)
    assert told(ann, bob) == count
    assert came(ann, bob) == ["edit-delete"] * count


def test_two_things_that_no_two_may_be_are_counted() -> None:
    """Each side makes a cue with the same number, say."""
    ann, bob = pair(random.Random(1))
    for one in (ann, bob):
        one.commit(CreateEntity(entity=f"cue_{one.name}", facets={CUE: {"list": "LX", "number": "7"}}))
    bob.commit(SetField(entity="cue_1", facet=CUE, field="number", value="8"))
    ann.commit(SetField(entity="cue_1", facet=CUE, field="number", value="8"))
    assert told(ann, bob) == 1
    assert came(ann, bob) == ["duplicate"]


def test_as_many_come_as_were_told() -> None:
    """INV-PLAN-2"""
    base = fresh("plans.as_many_come_as_were_told")
    for seed in range(base, base + 60):
        chance = random.Random(seed)
        ann, bob = pair(chance)
        for _ in range(10):
            act(chance, chance.choice((ann, bob)))
        count = told(ann, bob)
        kinds = came(ann, bob)
        assert len(kinds) == count, f"seed {seed}: {kinds}"


def act(chance: random.Random, one: Replica) -> None:
    entity, field = chance.choice(("cue_1", "cue_2", f"cue_{one.name}")), chance.choice(("label", "start"))
    moves: list[Operation] = [
        *[SetField(entity=entity, facet=CUE, field=field, value=chance.choice(("10:00", "10:15")))] * 4,
        ClearField(entity=entity, facet=CUE, field=field),
        DeleteEntity(entity=entity),
        DetachFacet(entity=entity, facet=NOTE),
        CreateEntity(entity=f"cue_{one.name}", facets={CUE: {"list": "LX", "number": "7"}}),
    ]
    try:
        one.commit(chance.choice(moves))
    except OpenprodError:
        return  # what isn't there any more
