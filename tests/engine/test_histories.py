"""The shared histories through the whole engine: in order, shuffled, doubled, merged, and from each final state."""

from __future__ import annotations

import base64
import json
import random
from pathlib import Path
from typing import Any

import pytest
from pycrdt import merge_updates

from openprod.core.bundles import Actor
from openprod.engine.drafts import OutsideUpdate
from openprod.storage.ports import Storage
from openprod.storage.sqlite.storage import SqliteStorage
from openprod.yjs.decoder import decode_update
from tests.engine.replica import CUES, WORKSPACE, Replica, Time
from tests.seeds import fresh

VECTORS = Path(__file__).parents[2] / "crdt_schema" / "vectors"
HISTORIES = [json.loads(line) for line in (VECTORS / "histories.jsonl").read_text(encoding="utf-8").splitlines()]
AUTHOR = Actor("user_sam", "Sam", "outside")


def replica(chance: random.Random, storage: Storage | None = None) -> Replica:
    made = Replica("alex", storage=storage, time=Time(), chance=chance)
    made.adopt(CUES)
    return made


def feed(made: Replica, updates: list[bytes], chance: random.Random, *, live: bool = True) -> None:
    """In groups of random sizes."""
    at = 0
    while at < len(updates):
        size = chance.randint(1, 5)
        group = [
            OutsideUpdate(document="cues", update=update, actor=AUTHOR, live=live, origin=chance.choice([None, AUTHOR]))
            for update in updates[at : at + size]
        ]
        for outcome in made.submit(*group):
            assert outcome is None or outcome.bundle
        at += size
    assert not made.committer.document("cues").gate.parked


def check(made: Replica, history: dict[str, Any], *, values: bool = True, heads_too: bool = True) -> None:
    for told in history["registers"]:
        row = made.storage.register_at("cues", told["root"], told["key"])
        assert row is not None
        found = made.committer.detector.history(row)
        versions = {id: version for id, version in found.tree.versions.items() if len(id) == 2}
        assert sorted(versions) == sorted(tuple(one["id"]) for one in told["versions"])
        for one in told["versions"]:
            version = versions[tuple(one["id"])]
            parent = version.parent and version.parent[:2]  # written over a removal: over what had been removed
            assert parent == (one["origin"] and tuple(one["origin"]))
            if values or version.value is not None:
                assert version.value == json.dumps(one["value"])
        winner = found.tree.winner()
        assert winner is not None
        assert winner.id == tuple(told["winner"]) == (row.client, row.clock)
        assert row.value == (None if told["shown"] is None else json.dumps(told["shown"]))
        if not heads_too:
            continue
        # A removal stands for the version that it removed; who removed it may have gone on to write.
        heads = {head.id[:2] for head in found.state.heads}
        assert heads <= {tuple(id) for id in told["heads"]}
        removed = {version.parent for id, version in found.tree.versions.items() if len(id) == 3}
        assert {tuple(id) for id in told["heads"]} - heads <= removed
        if len({version.value for version in found.state.heads}) > 1:
            (conflict,) = [one for one in made.conflicts("open") if one.register == row.id]
            texts = ["cues:" + ":".join(map(str, head.id[:2])) for head in found.state.heads]
            assert [":".join(head.split(":")[:3]) for head in json.loads(conflict.heads)] == texts


@pytest.mark.parametrize("way", ["in order", "shuffled", "doubled", "in pairs", "all at once"])
def test_every_way_the_log_may_come(way: str) -> None:
    seed = fresh("histories.every_way_the_log_may_come")
    print(f"seed {seed}")
    chance = random.Random(seed)
    for history in HISTORIES:
        updates = [base64.b64decode(entry["update"]) for entry in history["log"]]
        if way == "doubled":
            updates = updates * 2
        if way in ("shuffled", "doubled"):
            chance.shuffle(updates)
        if way == "in pairs":
            updates = [merge_updates(*updates[at : at + 2]) for at in range(0, len(updates), 2)]
            chance.shuffle(updates)
        if way == "all at once":
            updates = [merge_updates(*updates)]
        made = replica(chance)
        feed(made, updates, chance)
        check(made, history)
        before = made.tables()
        made.committer.rebuild()
        assert made.tables() == before, history["seed"]


def test_every_order_gives_the_same_heads_and_conflicts() -> None:
    seed = fresh("histories.every_order_gives_the_same_heads_and_conflicts")
    print(f"seed {seed}")
    chance = random.Random(seed)
    for history in HISTORIES:
        updates = [base64.b64decode(entry["update"]) for entry in history["log"]]
        found = []
        for _ in range(3):
            made = replica(chance)
            feed(made, updates, chance)
            found.append([(one.id, one.kind, one.status, one.heads) for one in made.conflicts()])
            chance.shuffle(updates)
        assert found[0] == found[1] == found[2], history["seed"]


def test_from_each_final_state_alone() -> None:
    chance = random.Random(1)
    for history in HISTORIES:
        for state in history["final_state_of_each"]:
            made = replica(chance)
            feed(made, [base64.b64decode(state)], chance, live=False)
            check(made, history, values=False)


def test_values_come_later_than_their_places() -> None:
    """INV-LOSS-1: a state whose old values were collected, then the edits themselves."""
    chance = random.Random(2)
    filled = 0
    for history in HISTORIES:
        made = replica(chance)
        for state in history["final_state_of_each"]:
            feed(made, [base64.b64decode(state)], chance, live=False)
        filled += any(
            version.value is None
            for row in made.storage.registers_of_root("cues.cue")
            for version in made.committer.detector.history(row).tree.versions.values()
        )
        feed(made, [base64.b64decode(entry["update"]) for entry in history["log"]], chance)
        # What was known in full isn't stored again, so that a later write knew of a removal can't be told any more.
        check(made, history, heads_too=not any(entry["op"][0] == "d" for entry in history["log"]))
    assert filled


def test_on_disk(tmp_path: Path) -> None:
    chance = random.Random(3)
    for index, history in enumerate(HISTORIES[:10]):
        storage = SqliteStorage(str(tmp_path / f"{index}.db"))
        with storage.transaction():
            storage.set_meta("workspace", WORKSPACE)
        made = replica(chance, storage)
        updates = [base64.b64decode(entry["update"]) for entry in history["log"]]
        chance.shuffle(updates)
        feed(made, updates, chance)
        check(made, history)
        before = (made.hash(), made.tables())
        made.restart()
        assert (made.hash(), made.tables()) == before
        made.committer.rebuild()
        assert (made.hash(), made.tables()) == before
        storage.close()


def test_vectors_hold_what_is_asked_of_them() -> None:
    assert any(entry["op"][0] == "d" for history in HISTORIES for entry in history["log"])
    assert all(
        decode_update(base64.b64decode(state)).structs
        for history in HISTORIES
        for state in history["final_state_of_each"]
    )
