"""Home, and back the next day: every laptop has another address than the one it was known by."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sync.laptops import SHOW
from tests.sync.namespaces import Bridge, bridged
from tests.sync.test_laptops_on_a_bridge import Seated


@pytest.fixture
def bridge() -> Iterator[Bridge]:
    with bridged(2) as made:
        yield made


@pytest.fixture
def two(bridge: Bridge, tmp_path: Path) -> Iterator[list[Seated]]:
    made = [Seated(tmp_path, who, at) for who, at in zip(("alex", "blake"), bridge.machines, strict=True)]
    yield made
    for one in made:
        one.close()


def test_those_from_before_find_each_other_by_what_they_say_on_the_air(two: list[Seated], bridge: Bridge) -> None:
    """INV-PEER-4: and nothing moves before both have said yes."""
    alex, blake = two
    alex.laptop.done("new", SHOW, "--name", "A Show", "--plugin", "cues")
    alex.terminal = alex.types("host", SHOW, "--trust-link")
    link = "openprod://" + alex.terminal.until("The link lets one device in").partition("openprod://")[2].split()[0]
    blake.terminal = blake.types("join", link, SHOW, "--yes")
    blake.terminal.until("Joined")
    known = blake.known(alex)
    assert known
    for one in (blake, alex):
        one.stops()

    for number, machine in enumerate(bridge.machines, 31):
        bridge.renumber(machine, number)
    alex.terminal = alex.types("host", SHOW)
    alex.terminal.until("You are asked who comes")
    alex.create("cue_1", "Ghost")
    blake.comes_back()
    assert blake.known(alex) == known, "it was called where nobody had said that it is"
    alex.until(lambda session: session["plans"], "blake to be asked about")
    assert blake.bundles() != alex.bundles()
    alex.laptop.done("approve", SHOW)
    blake.sees("cue_1", "Ghost")
    assert blake.known(alex) != known
    for one in (blake, alex):
        one.stops()
