"""Two and three laptops: they find together, edit, lose their leader, part and come back. Real processes, real TLS."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sync.laptops import Gathered, Refused, laptops


@pytest.fixture
def three(tmp_path: Path) -> Iterator[list[Gathered]]:
    with laptops(tmp_path, "alex", "blake", "casey") as made:
        yield made


@pytest.fixture
def two(tmp_path: Path) -> Iterator[list[Gathered]]:
    with laptops(tmp_path, "alex", "blake") as made:
        yield made


def alike(*people: Gathered) -> None:
    first, *others = people
    for one in others:
        assert one.bundles() == first.bundles()
        assert one.hash() == first.hash()
        assert one.conflicts() == first.conflicts()


def test_everything_arrives_and_edits_travel_both_ways(two: list[Gathered]) -> None:
    alex, blake = two
    link = alex.host()
    alex.create("cue_1", "Ghost")
    blake.join(link, "--yes")
    alex.together(blake)
    alex.spread(1)
    alike(alex, blake)
    assert blake.call("GET", "/workspace")["name"] == "A Show"
    blake.create("cue_2", "Wind")
    blake.spread(1)
    alex.label("cue_2", "Storm")
    alex.spread(1)
    alike(alex, blake)
    assert alex.call("GET", "/session/edits", limit=2)["edits"][0]["devices"] == 1


def test_stored_files_come_too_and_live(two: list[Gathered]) -> None:
    alex, blake = two
    link = alex.host()
    seed = 4
    files = [b"a small one", random.Random(seed).randbytes(700_000)]
    before = [alex.store(data) for data in files]
    blake.join(link, "--yes")
    for name, data in zip(before, files, strict=True):
        assert blake.stored(name) == data, f"seed {seed}"
    later = blake.store(b"made while together")
    assert alex.stored(later) == b"made while together"


def test_leaving_keeps_the_data_and_ends_the_exchange(two: list[Gathered]) -> None:
    alex, blake = two
    blake.join(alex.host(), "--yes")
    blake.together(alex)
    alex.spread(1)
    left = blake.call("POST", "/session/leave")
    assert not left["in_session"]
    alex.together()
    before = blake.bundles()
    assert before == alex.bundles()
    alex.create("cue_9", "Alone")
    assert blake.bundles() == before
    assert blake.session()["members"] == []


def test_the_leader_ends_it_for_all_and_nobody_else_can(two: list[Gathered]) -> None:
    alex, blake = two
    blake.join(alex.host(), "--yes")
    blake.together(alex)
    alex.spread(1)
    with pytest.raises(Refused, match="DENIED"):
        blake.call("POST", "/session/end")
    alex.call("POST", "/session/end")
    blake.until(lambda session: not session["in_session"], "the end")
    alike(alex, blake)


@pytest.mark.parametrize("leaver", [0, 1], ids=["who leads", "who follows"])
def test_what_was_edited_last_goes_out_before_one_leaves(two: list[Gathered], leaver: int) -> None:
    """More than is under way at once: nobody who leaves takes home what the others could have had."""
    alex, blake = two
    blake.join(alex.host(), "--yes")
    blake.together(alex)
    leaves, stays = two[leaver], two[1 - leaver]
    for number in range(20):
        leaves.create(f"cue_{number}", f"{number % 10}" * 200_000)
    left = leaves.call("POST", "/session/leave")
    assert (left["in_session"], left["alone"]) == (False, 0)
    stays.together()
    alike(leaves, stays)


def test_a_newcomer_decides_before_anything_moves(two: list[Gathered]) -> None:
    alex, blake = two
    link = alex.host()
    alex.create("cue_1", "Ghost")
    blake.join_later(link)
    plan = blake.plan()
    assert (plan["name"], plan["bundles"], plan["sends"], plan["conflicts"]) == ("alex", len(alex.bundles()), 0, 0)
    assert blake.bundles() == set()
    blake.approve()
    blake.together(alex)
    alex.spread(1)
    alike(alex, blake)


def test_a_link_lets_one_device_in(three: list[Gathered]) -> None:
    alex, blake, casey = three
    link = alex.host()
    blake.join(link, "--yes")
    blake.together(alex)
    ended = casey.laptop.run("join", link, "show.openprod", "--listen", "127.0.0.1", "--peer-port", "0", "--port", "0")
    assert ended.status == 1
    assert "UNREACHABLE" in ended.err
    assert "link" in ended.err
    casey.join(alex.link(), "--yes")
    casey.together(alex, blake)


def test_a_removed_device_is_let_go_and_not_let_in_again(two: list[Gathered]) -> None:
    alex, blake = two
    blake.join(alex.host(), "--yes")
    blake.together(alex)
    alex.spread(1)
    assert {one["name"] for one in alex.call("GET", "/members")["members"]} == {"alex", "blake"}
    device = blake.session()["me"]["device"]
    before = blake.bundles()
    alex.call("DELETE", f"/members/{device}")
    alex.together()
    for one, other in ((alex, "blake"), (blake, "alex")):
        gone = f"{other} is gone: “This device was removed from the production.”"
        one.until(lambda session, gone=gone: any(gone == it["sentence"] for it in session["events"]), gone)
    alex.create("cue_1", "Blake needn't know")
    blake.call("POST", "/session/leave")
    with pytest.raises(Refused, match="DENIED"):
        blake.create("cue_2", "Too late")
    blake.call("POST", "/session/join", _reach())
    found = blake.until(lambda session: session["joining"] == "failed", "the refusal")
    assert "removed" in found["problem"]
    assert blake.bundles() == before


def test_the_leader_is_killed(three: list[Gathered]) -> None:
    """INV-PEER-2, INV-PEER-5"""
    alex, blake, casey = three
    blake.join(alex.host(), "--yes")
    casey.join(alex.link(), "--yes")
    for one in three:
        one.together(*(other for other in three if other is not one))
    casey.create("cue_1", "Ghost")
    casey.spread(2)
    before = alex.bundles()
    alex.kill()
    blake.create("cue_2", "nobody leads now")
    blake.until(lambda session: session["leads"], "the lead")
    casey.until(lambda session: session["leader"] == blake.session()["me"]["device"], "blake to lead")
    blake.spread(1)
    casey.create("cue_3", "Wind")
    casey.spread(1)
    assert before < casey.bundles()
    alike(blake, casey)

    # It comes back: asked about, no fight for the lead.
    alex.join_later()
    alex.approve()
    blake.approve()
    alex.together(blake, casey)
    alex.until(lambda session: session["leader"] == blake.session()["me"]["device"], "blake to lead")
    assert blake.session()["leads"]
    alex.create("cue_4", "Back")
    alex.spread(2)
    alike(alex, blake, casey)


def apart(alex: Gathered, blake: Gathered) -> None:
    """Both have been together, and have edited the same cue by themselves since."""
    link = alex.host()
    alex.create("cue_1", "Ghost")
    blake.join(link, "--yes")
    blake.together(alex)
    alex.spread(1)
    for one, label in ((alex, "Alex's"), (blake, "Blake's")):
        one.stop()
        one.serve()
        one.label("cue_1", label)


def test_edits_made_apart_are_shown_and_approved_by_both(two: list[Gathered]) -> None:
    """INV-PEER-1, INV-PEER-4, INV-PEER-6"""
    alex, blake = two
    apart(alex, blake)
    alex.call("POST", "/session/host", _reach())
    _rejoin(blake, alex)
    before = alex.hash(), blake.hash()
    theirs, mine = blake.plan(), alex.plan()
    assert (theirs["bundles"], theirs["sends"], theirs["conflicts"]) == (1, 1, 1)
    assert (mine["bundles"], mine["sends"], mine["conflicts"]) == (1, 1, 1)
    assert [one["name"] for one in mine["authors"]] == ["blake"]
    blake.approve()
    assert (alex.hash(), blake.hash()) == before
    alex.approve()
    blake.together(alex)
    alex.spread(1)
    blake.spread(1)
    alike(alex, blake)
    assert len(alex.conflicts()) == 1


def test_what_is_declined_doesnt_move(two: list[Gathered]) -> None:
    alex, blake = two
    apart(alex, blake)
    alex.call("POST", "/session/host", _reach())
    _rejoin(blake, alex)
    before = alex.bundles(), blake.bundles()
    blake.approve()
    alex.call("POST", "/session/decline", {"plan": alex.plan()["id"]})
    blake.until(lambda session: session["joining"] == "failed", "the refusal")
    assert (alex.bundles(), blake.bundles()) == before
    alex.label("cue_1", "On we go")
    assert blake.bundles() == before[1]


def _reach() -> dict[str, object]:
    return {"listen": "127.0.0.1", "port": 0}


def _rejoin(one: Gathered, other: Gathered) -> None:
    """By a link: the port that it was on is another's by now."""
    link = other.call("POST", "/session/host")["link"]
    one.call("POST", "/session/join", {"link": link, **_reach()})
