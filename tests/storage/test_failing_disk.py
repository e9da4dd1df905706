"""The disk fails at every point where it can, one after the other: the engine goes on, and loses nothing."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
from pycrdt import Doc, Map, Text

from openprod.core.operations import CreateEntity, SetField
from openprod.engine import replay
from openprod.engine.commit import Committer
from openprod.engine.views import Views
from openprod.errors import DiskFull, StorageError
from openprod.storage.memory import MemoryStorage
from tests.engine.replica import CUES, Replica, Time, device_key, new_storage
from tests.storage.day import steps


def live(committer: Committer) -> dict[str, Any]:
    """What Yjs programs would be given of every document."""
    found = {}
    for name, document in committer.documents.items():
        doc: Doc[Any] = Doc()
        doc.apply_update(document.state_as_update())
        roots = {root: doc.get(root, type=Text if root.startswith("text:") else Map) for root in doc}
        shown = {
            root: str(value) if isinstance(value, Text) else json.loads(json.dumps(value.to_py(), sort_keys=True))
            for root, value in roots.items()
        }
        if shown or document.gate.parked:
            found[name] = (shown, document.gate.state, len(document.gate.parked))
    return found


def fresh(storage: MemoryStorage, name: str) -> Committer:
    return Committer(storage, key=device_key(name), now_ms=Time().now, random_bytes=random.Random(1).randbytes)


def assert_as_on_disk(replica: Replica) -> None:
    assert isinstance(replica.storage, MemoryStorage)
    other = fresh(replica.storage.clone(), replica.name)
    assert Views(other).state_hash() == replica.hash()
    assert live(other) == live(replica.committer)


@pytest.mark.parametrize("snapshot_bytes", [300, 1_000, 2_000, 8 << 20])
@pytest.mark.parametrize("seed", range(5))
def test_every_point_of_every_commit_may_fail(seed: int, snapshot_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    print(f"seed {seed}")
    monkeypatch.setattr(replay, "SNAPSHOT_BYTES", snapshot_bytes)
    storage = new_storage()
    replica = Replica("alex", storage=storage, time=Time(), chance=random.Random(seed))
    failures = 0
    for step in steps(seed, 40):
        before = replica.hash()
        known = storage.bundles()
        for point in range(10_000):
            storage.fail_next(DiskFull("There is no room left."), after=point)
            try:
                step(replica)
            except DiskFull:
                failures += 1
                assert replica.hash() == before
                assert storage.bundles() == known
                assert_as_on_disk(replica)
            else:
                assert storage.fault_pending
                break
        storage.fail_next(DiskFull("never"), times=0)
        assert storage.bundles()[: len(known)] == known
        assert_as_on_disk(replica)
    assert failures > 100
    before = replica.hash()
    replica.committer.rebuild()
    assert replica.hash() == before


def test_a_rebuild_that_fails_changes_nothing() -> None:
    storage = new_storage()
    replica = Replica("alex", storage=storage, time=Time(), chance=random.Random(0))
    for step in steps(0, 25):
        step(replica)
    before = replica.hash()
    for point in range(0, 10_000, 7):
        storage.fail_next(DiskFull("There is no room left."), after=point)
        try:
            replica.committer.rebuild()
        except DiskFull:
            assert replica.hash() == before
            assert_as_on_disk(replica)
        else:
            break
    assert storage.fault_pending
    assert replica.hash() == before


def test_a_disk_that_stays_full_refuses_each_and_takes_the_next_when_there_is_room() -> None:
    storage = new_storage()
    replica = Replica("alex", storage=storage, time=Time(), chance=random.Random(0))
    replica.adopt(CUES)
    replica.commit(CreateEntity(entity="cue_1", facets={"cues.cue": {"list": "LX"}}))
    before = replica.hash()
    storage.fail_next(DiskFull("There is no room left."), times=5)
    for _ in range(5):
        with pytest.raises(DiskFull):
            replica.commit(SetField(entity="cue_1", facet="cues.cue", field="list", value="SQ"))
        assert replica.hash() == before
    replica.commit(SetField(entity="cue_1", facet="cues.cue", field="list", value="SQ"))
    assert_as_on_disk(replica)


def test_a_group_that_can_not_be_stored_is_refused_whole() -> None:
    storage = new_storage()
    replica = Replica("alex", storage=storage, time=Time(), chance=random.Random(0))
    replica.adopt(CUES)
    group = [replica.writes(CreateEntity(entity=f"cue_{n}", facets={"cues.cue": {"list": "LX"}})) for n in range(5)]
    storage.fail_next(DiskFull("There is no room left."), after=20)
    outcomes = replica.submit(*group)
    assert all(isinstance(outcome, StorageError) for outcome in outcomes)
    assert len(storage.bundles()) == 1
    assert all(outcome.bundle for outcome in replica.submit(*group))
    assert_as_on_disk(replica)


class Unplugged(MemoryStorage):
    """A disk that can be taken away: nothing can be read either."""

    away = False

    def bundle_bytes(self, *, after: int = 0) -> Iterator[tuple[int, bytes, bytes]]:
        if self.away:
            raise StorageError("The disk failed.")
        return super().bundle_bytes(after=after)


def test_a_disk_that_was_away_is_read_again_before_anything_else() -> None:
    storage = Unplugged()
    with storage.transaction():
        storage.set_meta("workspace", "ws_test")
    replica = Replica("alex", storage=storage, time=Time(), chance=random.Random(0))
    replica.adopt(CUES)
    replica.commit(CreateEntity(entity="cue_1", facets={"cues.cue": {"list": "LX"}}))
    before = replica.hash()
    storage.away = True
    for _ in range(3):
        storage.fail_next(StorageError("The disk failed."))
        with pytest.raises(StorageError):
            replica.commit(SetField(entity="cue_1", facet="cues.cue", field="list", value="SQ"))
    with pytest.raises(StorageError):
        replica.committer.recover()
    storage.away = False
    storage.fail_next(StorageError("never"), times=0)
    replica.commit(SetField(entity="cue_1", facet="cues.cue", field="list", value="SQ"))
    assert replica.storage.conflicts() == []
    assert replica.hash() != before
    assert_as_on_disk(replica)


def test_what_a_replica_had_seen_is_said_after_a_restart_and_its_clock_stays_ahead() -> None:
    alex = Replica("alex", time=Time(), chance=random.Random(0))
    alex.adopt(CUES)
    ahead = Time()
    ahead.ms += 60_000
    blake = Replica("blake", time=ahead, chance=random.Random(1))
    blake.pull(alex)
    seen = blake.commit(CreateEntity(entity="cue_1", facets={"cues.cue": {"list": "LX"}}))
    alex.pull(blake)
    alex.restart()
    receipt = alex.commit(SetField(entity="cue_1", facet="cues.cue", field="list", value="SQ"))
    assert receipt.hlc > seen.hlc
    row = alex.storage.bundle(receipt.bundle)
    assert row is not None
    assert alex.storage.depends(row.log, row.seq, blake.committer.log) == 1
    deps = [bundle.deps for _signed, bundle in alex.bundles() if bundle.log == row.log]
    assert deps == [{}, {blake.committer.log: 1}]


def test_closing_on_a_full_disk_closes() -> None:
    storage = new_storage()
    replica = Replica("alex", storage=storage, time=Time(), chance=random.Random(0))
    replica.adopt(CUES)
    before = replica.hash()
    storage.fail_next(DiskFull("There is no room left."))
    replica.committer.close()
    assert not storage.fault_pending
    assert Views(fresh(storage, "alex")).state_hash() == before
