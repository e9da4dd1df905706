"""Texts that were changed apart very often: said in bounds, the same whatever came first, at a cost that stays flat."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pycrdt
import pytest

from openprod.core.bundles import Actor
from openprod.core.operations import CreateEntity, EditText, SetField
from openprod.engine import overlaps
from openprod.storage.sqlite.storage import SqliteStorage
from tests.engine.replica import CUES, WORKSPACE, Replica, Time
from tests.seeds import fresh
from tests.simulation import texts

TEXT = "text:cues.cue/cue_1/notes"
PAGE = Actor("user_page", "Page", "page")


def pair(chance: random.Random) -> tuple[Replica, Replica]:
    alex, blake = (Replica(name, time=Time(), chance=chance) for name in ("alex", "blake"))
    alex.adopt(CUES)
    alex.commit(CreateEntity(entity="cue_1", facets={"cues.cue": {"list": "LX", "notes": "one\ntwo\nthree"}}))
    blake.pull(alex)
    return alex, blake


def type_some(replica: Replica, count: int, chance: random.Random, *, actor: Actor | None = None) -> None:
    for _ in range(count):
        length = len(replica.committer.document("cues").text(TEXT))
        at = chance.randrange(length + 1)
        delete = min(chance.choice([0, 0, 0, 1]), length - at)
        edit = EditText(
            entity="cue_1", facet="cues.cue", field="notes", index=at, delete=delete, insert=chance.choice("xyé\n")
        )
        replica.commit(edit, actor=actor)


@pytest.mark.parametrize("seed", [0, 1, fresh("overlaps.a_day_apart_is_told_in_bounds_and_alike")])
def test_a_day_apart_is_told_in_bounds_and_alike(seed: int) -> None:
    print(f"seed {seed}")
    chance = random.Random(seed)
    alex, blake = pair(chance)
    type_some(alex, 120, chance)
    type_some(blake, 120, chance)
    one_by_one = blake.bundles()
    for place in range(len(one_by_one)):
        alex.merge(one_by_one[: place + 1])
    blake.pull(alex)
    assert alex.tables() == blake.tables()
    (overlap,) = alex.conflicts()
    pairs = json.loads(overlap.subject)["pairs"]
    assert 0 < len(pairs) <= overlaps.PAIRS_MAX
    texts.check(alex)
    before = alex.tables()
    alex.committer.rebuild()
    assert alex.tables() == before


def test_what_comes_late_reopens_what_was_read() -> None:
    chance = random.Random(5)
    alex, blake = pair(chance)
    type_some(alex, 40, chance)
    type_some(blake, 40, chance)
    late = blake.bundles()
    alex.merge(late[:-1])
    (overlap,) = alex.conflicts("open")
    alex.resolve(overlap.id, value="read", heads=json.loads(overlap.heads))
    assert alex.conflicts("open") == []
    # Typed before Blake heard of anything; it stands where Alex typed too.
    blake.commit(EditText(entity="cue_1", facet="cues.cue", field="notes", index=0, insert="late"))
    alex.commit(SetField(entity="cue_1", facet="cues.cue", field="label", value="x"))
    alex.pull(blake)
    (again,) = alex.conflicts("open")
    assert again.id == overlap.id
    assert again.reopened
    blake.pull(alex)
    assert alex.tables() == blake.tables()


def test_people_who_heard_each_other_are_left_out_however_much_a_third_was_away() -> None:
    chance = random.Random(7)
    alex, blake = pair(chance)
    casey = Replica("casey", time=Time(), chance=chance)
    casey.pull(alex)
    for _ in range(20):
        type_some(alex, 2, chance)
        blake.pull(alex)
        type_some(blake, 2, chance)
        alex.pull(blake)
    assert alex.conflicts() == []
    casey.commit(EditText(entity="cue_1", facet="cues.cue", field="notes", index=1, insert="c"))
    alex.pull(casey)
    casey.pull(alex)
    assert alex.tables() == casey.tables()
    (overlap,) = alex.conflicts()
    by = json.loads(overlap.subject)["by"]
    for pair_ in json.loads(overlap.subject)["pairs"]:
        users = {alex.storage.bundle(id).user for head in pair_ for id in by[head]}  # type: ignore[union-attr]
        assert "user_casey" in users
    texts.check(alex)


def steps_of(storage: SqliteStorage, replica: Replica, doc: pycrdt.Doc[Any], count: int, chance: random.Random) -> int:
    """Steps that SQLite's machine takes while ``count`` characters are typed, in hundreds."""
    ticks = 0

    def tick() -> int:
        nonlocal ticks
        ticks += 1
        return 0

    storage._connection.set_progress_handler(tick, 100)
    text = doc.get(TEXT, type=pycrdt.Text)
    for _ in range(count):
        before = doc.get_state()
        shown = str(text)
        place = len(shown[: chance.randrange(len(shown) + 1)].encode())  # pycrdt counts bytes
        text.insert(place, chance.choice("abcdefgh"))
        replica.outside("cues", doc.get_update(before), actor=PAGE, origin=PAGE)
    storage._connection.set_progress_handler(None, 0)
    return ticks


@pytest.mark.parametrize("apart", [False, True])
def test_a_keystroke_costs_the_same_in_a_long_text(apart: bool, tmp_path: Path) -> None:
    chance = random.Random(11)
    storage = SqliteStorage(str(tmp_path / "workspace.db"))
    with storage.transaction():
        storage.set_meta("workspace", WORKSPACE)
    try:
        alex = Replica("alex", storage=storage, time=Time(), chance=chance)
        alex.adopt(CUES)
        alex.commit(CreateEntity(entity="cue_1", facets={"cues.cue": {"list": "LX", "notes": "one"}}))
        blake = Replica("blake", time=Time(), chance=chance)
        blake.pull(alex)
        if apart:
            type_some(blake, 3, chance)
            type_some(alex, 3, chance)
            alex.pull(blake)
            assert [row.kind for row in alex.conflicts()] == ["text-overlap"]
        doc: pycrdt.Doc[Any] = pycrdt.Doc(client_id=50)
        doc.apply_update(alex.committer.document("cues").state_as_update())
        steps_of(storage, alex, doc, 50, chance)
        early = steps_of(storage, alex, doc, 100, chance)
        steps_of(storage, alex, doc, 1200, chance)
        late = steps_of(storage, alex, doc, 100, chance)
        assert len(storage.spans_of("cues", TEXT)) > 1400
        # A look-up that read the text's rows would take ten times as many.
        assert late < 2 * early
    finally:
        storage.close()
