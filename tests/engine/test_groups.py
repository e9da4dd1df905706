"""Submissions that share one transaction: each sees what came before it, and each is in the oplog."""

from __future__ import annotations

import random
from typing import Any

import pycrdt
import pytest

from openprod.core.bundles import Actor
from openprod.core.operations import CreateEntity, SetField
from openprod.engine.drafts import OutsideUpdate
from openprod.engine.events import Receipt
from openprod.errors import OpenprodError
from openprod.yjs.documents import SetKey
from tests.engine.replica import CUES, Replica, Time
from tests.storage.day import steps


class Page:
    def __init__(self, replica: Replica) -> None:
        self.doc: pycrdt.Doc[Any] = pycrdt.Doc()
        self.doc.apply_update(replica.committer.document("cues").state_as_update())

    def update(self, key: str, value: str) -> OutsideUpdate:
        before = self.doc.get_state()
        self.doc.get("cues.cue", type=pycrdt.Map)[key] = value
        actor = Actor("user_page", "Page", "page")
        return OutsideUpdate(document="cues", update=self.doc.get_update(before), actor=actor, origin=self)


def make() -> Replica:
    replica = Replica("alex", time=Time(), chance=random.Random(0))
    replica.adopt(CUES)
    replica.commit(CreateEntity(entity="cue_1", facets={"cues.cue": {"list": "LX", "number": "1"}}))
    return replica


@pytest.mark.parametrize("operation", ["refused", "empty", "good"])
def test_an_update_after_an_operation_of_the_same_group_is_kept(operation: str) -> None:
    replica = make()
    page = Page(replica)
    entity, value = ("nobody", "x") if operation == "refused" else ("cue_1", "1" if operation == "empty" else "2")
    middle = replica.writes(SetField(entity=entity, facet="cues.cue", field="number", value=value))
    first, second, third = replica.submit(page.update("cue_1/label", "one"), middle, page.update("cue_1/label", "two"))
    assert isinstance(second, OpenprodError if operation == "refused" else Receipt)
    assert isinstance(first, Receipt)
    assert isinstance(third, Receipt)
    expected = replica.hash()
    replica.restart()
    assert replica.hash() == expected
    row = replica.storage.register_at("cues", "cues.cue", "cue_1/label")
    assert row is not None
    assert row.value == '"two"'
    replica.committer.rebuild()
    assert replica.hash() == expected


def test_an_operation_sees_the_schema_adopted_before_it_in_its_group() -> None:
    replica = Replica("alex", time=Time(), chance=random.Random(0))
    seen: list[list[str]] = []

    def adopt(committer: Any) -> Any:
        return {"core": [SetKey("core.adoption", "cues", CUES.to_record())]}

    writes = replica.writes()
    writes.plan = adopt
    after = replica.writes()
    after.plan = lambda committer: seen.append(sorted(committer.schemas)) or {}  # type: ignore[func-returns-value]
    replica.submit(writes, after)
    assert seen == [["cues"]]


@pytest.mark.parametrize("seed", range(4))
def test_a_group_comes_to_the_same_as_one_by_one(seed: int) -> None:
    """What is in the oplog decides, not how it was grouped: a rebuild, bundle by bundle, changes nothing."""
    print(f"seed {seed}")
    chance = random.Random(seed)
    replica = Replica("alex", time=Time(), chance=random.Random(seed))
    for step in steps(seed, 20):
        step(replica)
    for _ in range(20):
        pages = [Page(replica) for _ in range(3)]
        group: list[Any] = []
        for _ in range(chance.randrange(1, 12)):
            entity, value = f"cue_{chance.randrange(1, 4)}", str(chance.randrange(3))
            if chance.random() < 0.5:
                group.append(replica.writes(SetField(entity=entity, facet="cues.cue", field="number", value=value)))
            else:
                group.append(chance.choice(pages).update(f"{entity}/{chance.choice(['number', 'list'])}", value))
        replica.submit(*group)
        found, conflicts = replica.hash(), replica.conflicts()
        replica.restart()
        assert replica.hash() == found
        replica.committer.rebuild()
        assert replica.hash() == found
        assert replica.conflicts() == conflicts
