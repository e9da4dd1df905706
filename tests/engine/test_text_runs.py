"""Who wrote which run of a text, whatever ways the text came here."""

from __future__ import annotations

import random
from typing import Any

import pycrdt
import pytest

from openprod.core.bundles import Actor
from openprod.core.operations import CreateEntity
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
