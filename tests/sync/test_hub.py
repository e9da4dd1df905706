"""A hub: laptops that are never there at the same time, or can't reach each other. Real processes, real TLS."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sync.laptops import Gathered, Refused, laptops

NOWHERE = ("--address", "127.0.0.1:1")
"""Nobody answers there: as behind a router that lets nobody in."""


@pytest.fixture
def show(tmp_path: Path) -> Iterator[list[Gathered]]:
    """The hub, which has a production, and two laptops."""
    with laptops(tmp_path, "hub", "alex", "blake") as made:
        made[0].hub()
        yield made


def port_of(hub: Gathered) -> int:
    return int(hub.session()["addresses"][0].rpartition(":")[2])


def free_port() -> int:
    """Nobody listens there now: where a hub is has to be known before it is started."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def alike(*people: Gathered) -> None:
    assert len({one.hash() for one in people}) == 1
    assert all(one.bundles() == people[0].bundles() for one in people)


def test_laptops_that_are_never_there_together_exchange_through_it(show: list[Gathered]) -> None:
    """INV-HUB-1, INV-PEER-1, INV-PEER-4, INV-PEER-5: the hub asks nobody, the laptop asks its person."""
    hub, alex, blake = show
    alex.join(hub.link(), "--yes")
    alex.until(lambda session: session["leads"], "the lead")
    assert not hub.session()["leads"]
    assert [(one["name"], one["hub"]) for one in alex.session()["members"]] == [("hub", True), ("alex", False)]
    alex.create("cue_1", "Ghost")
    alex.spread(1)
    alex.call("POST", "/session/leave")
    alex.stop()
    hub.until(lambda session: [one["name"] for one in session["members"]] == ["hub"], "to be alone")

    blake.join_later(hub.link())
    plan = blake.plan()
    assert (plan["name"], plan["bundles"]) == ("hub", len(hub.bundles()))
    assert blake.bundles() == set()
    blake.approve()
    blake.until(lambda session: session["leads"], "the lead")
    blake.until(lambda _session: blake.bundles() == hub.bundles(), "what alex made", every_s=0.2)
    blake.label("cue_1", "Wind")
    blake.spread(1)
    blake.stop()

    alex.serve()
    alex.call("POST", "/session/join", {"listen": "127.0.0.1", "port": 0})
    assert alex.plan()["bundles"] == 1
    with pytest.raises(Refused, match=r"DENIED.*leads"):
        alex.call("POST", "/session/end")
    alex.approve()
    alex.until(lambda _session: alex.bundles() == hub.bundles(), "what blake made", every_s=0.2)
    alike(alex, hub)
    assert hub.session()["plans"] == []
    # It gets what blake made as soon as it is connected, and the lead a moment later.
    alex.until(lambda session: session["leads"], "the lead")
    alex.call("POST", "/session/end")
    hub.until(lambda session: session["in_session"] and len(session["members"]) == 1, "to be there for the next")


def test_it_passes_on_what_laptops_send_that_cant_reach_each_other(show: list[Gathered]) -> None:
    """INV-PEER-1, INV-PEER-5"""
    hub, alex, blake = show
    alex.join(hub.link(), "--yes", *NOWHERE)
    blake.join(hub.link(), "--yes", *NOWHERE)
    for one in (hub, alex, blake):
        one.together(*(other for other in show if other is not one))
    leader = hub.session()["leader"]
    assert leader in {one.session()["me"]["device"] for one in (alex, blake)}
    assert [one["name"] for one in blake.session()["members"] if one["connected"]] == ["hub"]
    alex.create("cue_1", "Ghost")
    alex.spread(2)
    blake.label("cue_1", "Wind")
    blake.spread(2)
    alike(alex, blake, hub)

    first, second = (alex, blake) if alex.session()["leads"] else (blake, alex)
    first.call("POST", "/session/leave")
    second.until(lambda session: session["leads"], "the lead")
    second.together(hub)
    hub.together(second)
    second.create("cue_2", "Still here")
    second.spread(1)


def test_killed_and_started_again_it_goes_on_and_asks_nobody(show: list[Gathered]) -> None:
    """INV-PEER-2, INV-PEER-4"""
    hub, alex, _blake = show
    port = port_of(hub)
    alex.join(hub.link(), "--yes")
    alex.together(hub)
    alex.create("cue_1", "Ghost")
    alex.spread(1)
    hub.kill()
    alex.until(lambda session: not session["members"][0]["here"], "the loss")
    alex.label("cue_1", "Wind")
    assert alex.session()["alone"] == 1
    hub.hub(port)
    alex.spread(1)
    alike(alex, hub)
    assert alex.session()["alone"] == 0
    assert alex.session()["leads"]
    assert not hub.session()["leads"]


def test_it_keeps_nothing_of_strangers_and_refuses_who_was_removed(show: list[Gathered]) -> None:
    """INV-HUB-1"""
    hub, alex, blake = show
    link = hub.link()
    alex.join(link, "--yes")
    alex.together(hub)
    alex.until(lambda _session: alex.bundles() == hub.bundles(), "the production", every_s=0.2)
    alex.stop()
    hub.until(lambda session: not session["members"][-1]["here"], "alex to go")
    # Somebody has got hold of a copy and of a link that was used.
    shutil.copytree(alex.folder, blake.folder)
    blake.serve()
    with pytest.raises(Refused, match="DENIED"):
        blake.create("cue_9", "A stranger's")
    before, state = hub.bundles(), hub.hash()
    blake.call("POST", "/session/join", {"link": link, "listen": "127.0.0.1", "port": 0})
    assert blake.until(lambda session: session["joining"] == "failed", "the refusal")["problem"]
    blake.stop()

    alex.serve()
    alex.create("cue_1", "Before the news")
    hub.call("DELETE", f"/members/{alex.session()['me']['device']}")
    alex.call("POST", "/session/join", {"listen": "127.0.0.1", "port": 0})
    found = alex.until(lambda session: session["joining"] == "failed", "the refusal")
    assert "removed" in found["problem"]
    assert (hub.bundles(), hub.hash()) == (before, state)


def test_a_viewer_is_enough_for_a_hub(tmp_path: Path) -> None:
    """INV-MEMBER-2: it writes nothing itself, and passes on what others may write."""
    with laptops(tmp_path, "alex", "hub", "blake") as (alex, hub, blake):
        port = free_port()
        alex.host()
        hub.join(alex.link("viewer"), "--yes", "--peer-port", str(port))
        blake.join(alex.link(), "--yes")
        for one in (alex, hub, blake):
            one.together(*(other for other in (alex, hub, blake) if other is not one))
        alex.spread(2)
        for one in (alex, hub, blake):
            one.stop()
        hub.hub(port)
        assert hub.call("POST", "/session/host")["link"] == "", "letting somebody in is an owner's"
        with pytest.raises(Refused, match="DENIED"):
            hub.create("cue_9", "A viewer's")
        for one in (alex, blake):
            one.serve()
            one.call("POST", "/session/join", {"listen": "127.0.0.1", "port": 0, "addresses": ["127.0.0.1:1"]})
            one.approve()
            one.until(lambda session: session["in_session"], "the hub's gathering")
        assert alex.session()["leads"]
        for one, other in ((alex, blake), (blake, alex)):
            one.create(f"cue_{one.laptop.person}", "Ghost")
            one.spread(2)
            other.until(lambda _session, a=one, b=other: a.bundles() == b.bundles(), "the other's edit", every_s=0.2)
        alike(alex, blake, hub)
        assert [one["role"] for one in hub.session()["members"] if one["hub"]] == ["viewer"]
