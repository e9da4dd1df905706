"""A link between real processes: whoever brings it is shown to a person at the host, who says whether it is the one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from openprod.settings import device_name
from tests.sync.laptops import REACH, SHOW, Gathered, laptops
from tests.sync.test_service import alike


@pytest.fixture
def three(tmp_path: Path) -> Iterator[list[Gathered]]:
    with laptops(tmp_path, "alex", "blake", "casey") as made:
        yield made


def host(alex: Gathered) -> str:
    link = alex.host("--role", "viewer")
    alex.create("cue_1", "Ghost")
    return link


def roles(one: Gathered) -> dict[str, str]:
    return {member["name"]: member["role"] for member in one.call("GET", "/members")["members"]}


def asked(alex: Gathered) -> dict[str, Any]:
    found = alex.plan()
    assert roles(alex) == {"alex": "owner"}, "nobody is in before that"
    assert [one["name"] for one in alex.session()["members"]] == ["alex"]
    return found


def test_who_brings_a_link_is_in_once_both_people_agree(three: list[Gathered]) -> None:
    """INV-PAIR-1 INV-PEER-4"""
    alex, blake, casey = three
    link = host(alex)
    blake.join_later(link, "--yes")
    plan = asked(alex)
    assert (plan["name"], plan["device"], plan["newcomer"]) == ("blake", blake.session()["me"]["device"], "viewer")
    assert (plan["bundles"], plan["sends"]) == (0, len(alex.bundles()))
    assert any(f"blake ({plan['device_name']}, device " in one["sentence"] for one in alex.session()["events"])
    assert plan["device_name"] == device_name()
    assert "came with a link, to be viewer" in alex.laptop.done("peers", SHOW)
    assert blake.call("GET", "/members")["members"] == [], "names aren't told before"
    assert blake.bundles() == set()
    # Meanwhile the link is no one else's.
    ended = casey.laptop.run("join", link, SHOW, *REACH, "--yes")
    assert ended.status == 1
    assert "The link has ended, or another device has used it." in ended.err
    other = alex.laptop.run("approve", SHOW, "abc")
    assert (other.status, "“abc” is nothing that waits." in other.err) == (1, True), other.err
    alex.laptop.done("approve", SHOW)
    blake._printed("Joined")
    blake.together(alex)
    alex.spread(1)
    alike(alex, blake)
    assert roles(alex) == roles(blake) == {"alex": "owner", "blake": "viewer"}
    assert [one["device_name"] for one in blake.call("GET", "/members")["members"]] == [device_name()] * 2


def test_a_person_who_turns_a_link_away(three: list[Gathered]) -> None:
    """INV-PEER-4"""
    alex, blake, casey = three
    link = host(alex)
    blake.join_later(link, "--yes")
    alex.call("POST", "/session/decline", {"plan": asked(alex)["id"]})
    assert blake.process is not None
    _out, err = blake.process.communicate(timeout=60)
    assert (blake.process.returncode, "Declined by the other side." in err) == (1, True), err
    blake.process = None
    assert roles(alex) == {"alex": "owner"}
    ended = casey.laptop.run("join", link, SHOW, *REACH, "--yes")
    assert (ended.status, "link" in ended.err) == (1, True), "it lets nobody in any more"


def test_a_lost_connection_isnt_asked_about_twice(three: list[Gathered]) -> None:
    alex, blake, _casey = three
    link = host(alex)
    blake.join_later(link, "--yes")
    alex.call("POST", "/session/approve", {"plan": asked(alex)["id"]})
    blake.together(alex)
    blake.kill()
    blake.join(link, "--yes")
    blake.together(alex)
    alike(alex, blake)
