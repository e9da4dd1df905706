"""What a removed device wrote without knowing, over connections. Real processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sync.laptops import Gathered, laptops

REACH = {"listen": "127.0.0.1", "port": 0}


@pytest.fixture
def three(tmp_path: Path) -> Iterator[list[Gathered]]:
    with laptops(tmp_path, "alex", "blake", "casey") as made:
        yield made


def held(one: Gathered) -> list[str]:
    return [bundle["bundle"] for bundle in one.call("GET", "/held")["held"]]


def label(one: Gathered, entity: str) -> object:
    return one.call("GET", f"/entities/{entity}")["facets"]["cues.cue"]["label"]


def test_what_is_held_is_held_everywhere_until_an_editor_lets_it_in(three: list[Gathered]) -> None:
    """INV-MEMBER-3"""
    alex, blake, casey = three
    link = alex.host()
    alex.create("cue_1", "Ghost")
    casey.join(link, "--yes")
    blake.join(alex.link(), "--yes")
    alex.together(blake, casey)
    alex.spread(2)
    casey.stop()
    casey.serve()
    casey.label("cue_1", "Casey's, unaware")
    (written,) = [one["bundle"] for one in casey.call("GET", "/session/edits", alone=True)["edits"]]
    alex.call("DELETE", f"/members/{casey.session()['me']['device']}")

    # It comes by a file to one of them, and over the connection to the other.
    pack = casey.folder.parent / "casey.pack"
    casey.call("POST", "/pack", {"path": str(pack)})
    alex.call("POST", "/merge", {"path": str(pack)})
    assert held(alex) == [written]
    blake.until(lambda _session: held(blake) == [written], "what is held", every_s=0.2)
    assert label(alex, "cue_1") == label(blake, "cue_1") == "Ghost"
    # Nobody has seen it: what is written now is no answer to it.
    blake.label("cue_1", "Blake's")
    blake.spread(1)
    assert alex.hash() == blake.hash()
    assert alex.conflicts() == []

    # Asked for again, it is told why, and keeps what it has.
    casey.call("POST", "/session/join", {"link": "", **REACH})
    assert "removed" in casey.until(lambda session: session["joining"] == "failed", "the refusal")["problem"]
    assert written in casey.bundles()

    assert blake.call("POST", "/held", {"bundles": [written]}) == {"accepted": 1, "held": 0}
    alex.until(lambda _session: held(alex) == [], "the word on it", every_s=0.2)
    assert alex.hash() == blake.hash()
    assert len(alex.conflicts()) == 1
    assert alex.conflicts() == blake.conflicts()


def test_who_comes_later_holds_it_too(three: list[Gathered]) -> None:
    """INV-MEMBER-3"""
    alex, blake, casey = three
    link = alex.host()
    alex.create("cue_1", "Ghost")
    casey.join(link, "--yes")
    alex.together(casey)
    alex.spread(1)
    casey.stop()
    casey.serve()
    casey.label("cue_1", "Casey's, unaware")
    alex.call("DELETE", f"/members/{casey.session()['me']['device']}")
    pack = casey.folder.parent / "casey.pack"
    casey.call("POST", "/pack", {"path": str(pack)})
    alex.call("POST", "/merge", {"path": str(pack)})
    blake.join(alex.link(), "--yes")
    blake.until(lambda _session: held(blake) == held(alex), "what is held", every_s=0.2)
    assert len(held(blake)) == 1
    assert blake.hash() == alex.hash()
    blake.label("cue_1", "Blake's")
    blake.spread(1)
    assert alex.call("POST", "/held", {})["accepted"] == 1
    blake.until(lambda _session: held(blake) == [], "the word on it", every_s=0.2)
    assert blake.hash() == alex.hash()
    assert blake.conflicts() == alex.conflicts() != []
