"""Where the elements of a text are, however its blocks were cut and joined and whatever is written in it."""

from __future__ import annotations

import random
from typing import Any

import pycrdt
import pytest

from openprod.core.operations import CreateEntity
from openprod.engine.places import Places
from openprod.yjs.decoder import STRING, decode_update
from tests.engine.replica import CUES, Replica, Time
from tests.seeds import fresh

TEXT = "text:cues.cue/cue_1/notes"
ALPHABETS = [range(0x61, 0x7B), range(0xC0, 0x17F), range(0x4E00, 0x5000), range(0x1F300, 0x1F500)]


@pytest.mark.parametrize("seed", [*range(12), fresh("places.an_element_is_where_its_character_stands")])
def test_an_element_is_where_its_character_stands(seed: int) -> None:
    print(f"seed {seed}")
    chance = random.Random(seed)
    # Every character once, so that the text itself says where each is.
    unused = [chr(code) for alphabet in ALPHABETS for code in alphabet]
    chance.shuffle(unused)
    docs: list[pycrdt.Doc[Any]] = [pycrdt.Doc(client_id=client, skip_gc=True) for client in (7, 8, 9)]
    for _ in range(60):
        doc = chance.choice(docs)
        text = doc.get(TEXT, type=pycrdt.Text)
        before = str(text)
        at = chance.choice([len(before), chance.randrange(len(before) + 1)])
        place = len(before[:at].encode())
        if chance.random() < 0.3:
            del text[place : len(before[: at + chance.randrange(4)].encode())]
        else:
            some = [unused.pop() for _ in range(chance.randrange(1, 7))]
            if chance.random() < 0.4:
                some.sort()  # mostly one alphabet after the other
            text.insert(place, "".join(some))
        if chance.random() < 0.3:
            doc.apply_update(chance.choice(docs).get_update(doc.get_state()))
    for doc in docs:
        for other in docs:
            doc.apply_update(other.get_update(doc.get_state()))
    replicas = []
    for order in (docs, docs[::-1]):
        replica = Replica("node", time=Time(), chance=random.Random(0))
        replica.adopt(CUES)
        replica.commit(CreateEntity(entity="cue_1", facets={"cues.cue": {"list": "LX"}}))
        for doc in order:
            replica.outside("cues", doc.get_update(replica.committer.document("cues").state_vector()), live=False)
        replicas.append(replica)
    live = replicas[0].committer.document("cues")
    shown = live.text(TEXT)
    seen = 0
    found = [Places(replica.storage, replica.committer.document("cues"), TEXT) for replica in replicas]
    for client, clock, length, ref, *_rest, content in decode_update(docs[0].get_update()).structs:
        at = clock
        for character in content if ref == STRING else "":
            if not live.gate.deleted.contains(client, at):
                assert found[0].bytes(client, at) == len(shown[: shown.index(character)].encode())
                assert found[0].point(client, at) == shown.index(character)
                seen += 1
            at += 2 if character > "\uffff" else 1
        for at in range(clock, clock + length):
            assert found[0].bytes(client, at) == found[1].bytes(client, at)
    assert seen == len(shown)
    assert found[0].bytes(99, 0) is None
    assert found[0].bytes(7, 10**6) is None
