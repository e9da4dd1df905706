"""Who wrote which run of a text, whatever ways the text came here."""

from __future__ import annotations

import random
from typing import Any

import pycrdt
import pytest

from openprod.core.bundles import Actor
from openprod.core.operations import CreateEntity, EditText, SetField
from tests.engine.replica import CUES, Replica, Time

TEXT = "text:cues.cue/cue_1/notes"
ALEX, BLAKE = Actor("user_alex", "Alex", "desk"), Actor("user_blake", "Blake", "page")


@pytest.mark.parametrize("live", [True, False])
def test_a_run_that_is_sent_again_with_more_keeps_its_author(live: bool) -> None:
    replica = Replica("node", time=Time(), chance=random.Random(0))
    replica.adopt(CUES)
    replica.commit(CreateEntity(entity="cue_1", facets={"cues.cue": {"list": "LX"}}))
    doc: pycrdt.Doc[Any] = pycrdt.Doc(client_id=50)
    text = doc.get(TEXT, type=pycrdt.Text)
    text += "abc"
    replica.outside("cues", doc.get_update(), actor=ALEX)
    text += "def"
    # Blake's program had Alex's words by another way, and sends all of it: Yjs makes one run of both.
    replica.outside("cues", doc.get_update(), actor=BLAKE, live=live)
    runs = [(span.clock, span.length, bundle.name) for span, bundle in replica.storage.spans_of("cues", TEXT)]
    assert runs == [(0, 3, "Alex"), (3, 3, "Blake")]
    assert replica.conflicts() == []
    before = replica.hash()
    replica.committer.rebuild()
    assert replica.hash() == before
    assert replica.conflicts() == []


def test_a_file_whose_migration_asks_for_it_is_derived_again_when_it_is_opened() -> None:
    replica = Replica("node", time=Time(), chance=random.Random(0))
    replica.adopt(CUES)
    replica.commit(CreateEntity(entity="cue_1", facets={"cues.cue": {"list": "LX", "notes": "one\ntwo"}}))
    doc: pycrdt.Doc[Any] = pycrdt.Doc(client_id=50)
    doc.get(TEXT, type=pycrdt.Text).insert(0, "zero")
    replica.outside("cues", doc.get_update(), actor=ALEX, live=False)
    before = replica.tables()
    assert [row.kind for row in replica.conflicts()] == ["text-overlap"]
    with replica.storage.transaction():
        replica.storage.clear_derived()
        replica.storage.set_meta("derive", "again")
    replica.restart()
    assert replica.tables() == before
    assert not replica.storage.meta("derive")


@pytest.mark.parametrize("first", ["live", "whole"])
def test_a_run_belongs_to_who_wrote_it_whatever_came_first(first: str) -> None:
    """Blake's program carries Alex's words to another laptop before Alex's own laptop tells of them."""
    chance = random.Random(0)
    alex, blake = (Replica(name, time=Time(), chance=chance) for name in ("alex", "blake"))
    alex.adopt(CUES)
    alex.commit(CreateEntity(entity="cue_1", facets={"cues.cue": {"list": "LX"}}))
    blake.pull(alex)
    page: pycrdt.Doc[Any] = pycrdt.Doc(client_id=50)
    blake.commit(SetField(entity="cue_1", facet="cues.cue", field="notes", value="here"))
    alex.commit(SetField(entity="cue_1", facet="cues.cue", field="notes", value="there and everywhere"))
    page.apply_update(alex.committer.document("cues").state_as_update())
    text = page.get(TEXT, type=pycrdt.Text)
    del text[5:8]
    if first == "live":
        blake.pull(alex)
    blake.outside("cues", page.get_update(), actor=BLAKE, live=False)
    if first == "whole":
        carried = [bundle.name for span, bundle in blake.storage.spans_of("cues", TEXT) if not span.deleted]
        assert set(carried) == {"Blake"}
        blake.pull(alex)
    runs = [
        (span.length, span.deleted, bundle.name)
        for span, bundle in blake.storage.spans_of("cues", TEXT)
        if bundle.name != "Blake" or span.client == text_client(alex)
    ]
    assert sorted(runs) == [(3, True, "Blake"), (20, False, "Alex")]
    (overlap,) = blake.conflicts()
    assert "Alex" in blake.describe(overlap).sentence
    alex.pull(blake)
    assert alex.tables() == blake.tables()


def text_client(replica: Replica) -> int:
    return replica.committer.document("cues").client_id


def test_what_was_removed_names_who_removed_it() -> None:
    chance = random.Random(0)
    alex, blake = (Replica(name, time=Time(), chance=chance) for name in ("alex", "blake"))
    alex.adopt(CUES)
    alex.commit(CreateEntity(entity="cue_1", facets={"cues.cue": {"list": "LX", "notes": "slow fade " * 90}}))
    blake.pull(alex)
    text = "slow fade " * 90
    # A long stretch is removed as well as a short one.
    blake.commit(EditText(entity="cue_1", facet="cues.cue", field="notes", index=0, delete=600))
    alex.commit(EditText(entity="cue_1", facet="cues.cue", field="notes", index=700, delete=1))
    alex.pull(blake)
    (overlap,) = alex.conflicts()
    said = alex.describe(overlap)
    assert {candidate.author for candidate in said.candidates} == {"Alex", "Blake"}
    assert len(alex.committer.document("cues").text(TEXT)) == len(text) - 601


@pytest.mark.parametrize("shared", [True, False])
def test_paragraphs_are_told_apart_in_any_language(shared: bool) -> None:
    chance = random.Random(0)
    alex, blake = (Replica(name, time=Time(), chance=chance) for name in ("alex", "blake"))
    alex.adopt(CUES)
    lines = ["Höhenflüge über Überläufer " * 4, "Öl", "Brücke äußerst träge"]
    alex.commit(CreateEntity(entity="cue_1", facets={"cues.cue": {"list": "LX", "notes": "\n".join(lines)}}))
    blake.pull(alex)
    start = len(lines[0]) + len(lines[1]) + 2
    # Both remove what stands within one run: in the last paragraph, or one of them in the middle one.
    alex.commit(EditText(entity="cue_1", facet="cues.cue", field="notes", index=start + 8, delete=1))
    place = start + 1 if shared else start - 3
    blake.commit(EditText(entity="cue_1", facet="cues.cue", field="notes", index=place, insert="ü"))
    alex.pull(blake)
    blake.pull(alex)
    assert [row.kind for row in alex.conflicts()] == (["text-overlap"] if shared else [])
    assert alex.tables() == blake.tables()
