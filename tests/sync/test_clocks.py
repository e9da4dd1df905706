"""Clocks that are wrong: what is told, what is corrected, when nothing may be written. INV-CLOCK-1, INV-CLOCK-2"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pycrdt import Doc, Map

from openprod.core.clock import parts
from openprod.core.operations import CreateEntity, SetField
from openprod.engine.views import Views
from openprod.errors import Denied
from openprod.sync.clocks import Clocks, Verdict, measure
from tests.engine.replica import CUES, Replica, Time
from tests.sync.laptops import Gathered, Refused, laptops

SECOND = 1000
MINUTE = 60 * SECOND
NOW = 1_780_000_000_000


@pytest.mark.parametrize(
    ("ahead_ms", "verdict", "correction_ms"),
    [
        (2 * SECOND, Verdict.FINE, 0),
        (-2 * SECOND - 1, Verdict.WARN, 0),
        (MINUTE, Verdict.WARN, 0),
        (MINUTE + 1, Verdict.CORRECT, -MINUTE - 1),
        (5 * MINUTE, Verdict.CORRECT, -5 * MINUTE),
        (5 * MINUTE + 1, Verdict.READ_ONLY, 0),
        (-600 * MINUTE, Verdict.CORRECT, 600 * MINUTE),
    ],
)
def test_what_follows_from_an_offset(ahead_ms: int, verdict: Verdict, correction_ms: int) -> None:
    report = measure(NOW + ahead_ms, NOW)
    assert (report.verdict, report.correction_ms) == (verdict, correction_ms)
    assert bool(report.sentence) == (verdict is not Verdict.FINE)


def told(leader: str = "", **others_ahead_ms: int) -> Clocks:
    clocks = Clocks()
    for device, ahead_ms in others_ahead_ms.items():
        clocks.heard(device, NOW, NOW + ahead_ms, leads=device == leader)
    return clocks


def test_a_follower_goes_by_its_leader() -> None:
    clocks = told("a", a=10 * MINUTE, b=0)
    report = clocks.judge({"a", "b"}, "a")
    assert (report.verdict, report.correction_ms) == (Verdict.CORRECT, 10 * MINUTE)
    assert clocks.told_ms(NOW, leads=False) == NOW


def test_nobody_goes_by_what_the_leader_told_before_it_led() -> None:
    """INV-CLOCK-1: that is its own clock, which may be far ahead."""
    clocks = told(a=10 * MINUTE)
    report = clocks.judge({"a"}, "a")
    assert (report.verdict, report.correction_ms) == (Verdict.WARN, 0)
    clocks.heard("a", NOW, NOW, leads=True)
    assert clocks.judge({"a"}, "a").verdict is Verdict.FINE
    clocks.heard("a", NOW, NOW + 2 * MINUTE)
    assert clocks.judge({"a"}, "a").correction_ms == 0


def test_a_leader_goes_by_most_of_the_others() -> None:
    one_is_wrong = told(a=-10_000 * MINUTE, b=0)
    assert one_is_wrong.judge({"a", "b"}, "").verdict is Verdict.FINE
    i_am_wrong = told(a=-10 * MINUTE, b=-10 * MINUTE, c=0)
    assert i_am_wrong.judge({"a", "b"}, "").verdict is Verdict.READ_ONLY
    assert i_am_wrong.told_ms(NOW, leads=True) == NOW - 10 * MINUTE
    behind = told(a=10 * MINUTE, b=10 * MINUTE)
    assert behind.judge({"a", "b"}, "").correction_ms == 10 * MINUTE
    assert behind.told_ms(NOW, leads=True) == NOW + 10 * MINUTE


def test_two_never_exchange_their_clocks() -> None:
    leader = told(a=2 * MINUTE)
    report = leader.judge({"a"}, "")
    assert (report.verdict, report.correction_ms) == (Verdict.WARN, 0)
    assert "used" not in report.sentence
    assert leader.told_ms(NOW, leads=True) == NOW


def test_who_has_gone_no_longer_counts() -> None:
    clocks = told(a=-10 * MINUTE)
    assert clocks.judge({"a"}, "").verdict is Verdict.READ_ONLY
    assert clocks.judge(set(), "").verdict is Verdict.FINE


def test_a_clock_in_the_past_is_its_own_devices_trouble() -> None:
    """INV-CLOCK-1: it makes nobody else read-only, whoever leads."""
    for written_ms, behind_ms in ((NOW - MINUTE, 600 * MINUTE), (0, NOW - 946_684_800_000)):
        for leader in ("", "a"):
            clocks = Clocks()
            clocks.written(written_ms)
            clocks.heard("a", NOW, NOW - behind_ms, leads=bool(leader))
            report = clocks.judge({"a"}, leader)
            assert (report.verdict, report.correction_ms) == (Verdict.WARN, 0)
            assert "The other device's clock is" in report.sentence
            assert clocks.told_ms(NOW, leads=True) == NOW


def test_who_is_far_ahead_finds_no_excuse_in_what_others_wrote() -> None:
    """INV-CLOCK-1: they may have followed it for five minutes, and no further."""
    clocks = Clocks()
    clocks.written(NOW - 10 * MINUTE + 5 * MINUTE)
    clocks.heard("a", NOW, NOW - 10 * MINUTE)
    assert clocks.judge({"a"}, "").verdict is Verdict.READ_ONLY
    clocks.heard("b", NOW, NOW - 600 * MINUTE)
    assert clocks.judge({"a", "b"}, "").verdict is Verdict.READ_ONLY, "of three, most are right"


def replicas(ahead_ms: int) -> tuple[Replica, Replica]:
    """Both with a cue; the clock of the second is so far ahead."""
    chance = random.Random(3)
    first = Replica("alex", time=Time(NOW), chance=chance)
    second = Replica("blake", time=Time(NOW + ahead_ms), chance=chance)
    first.adopt(CUES)
    first.commit(CreateEntity(entity="cue_1", facets={"cues.cue": {"label": "Ghost"}}))
    second.pull(first)
    return first, second


def set_label(replica: Replica, label: str) -> str:
    """The time that the bundle bears."""
    return replica.commit(SetField(entity="cue_1", facet="cues.cue", field="label", value=label)).hlc


def test_a_restart_never_goes_back_whatever_the_wall_clock_says() -> None:
    """INV-CLOCK-2"""
    alex, blake = replicas(4 * MINUTE)
    seen = set_label(blake, "Wind")
    alex.pull(blake)
    alex.time.ms = NOW - 600 * MINUTE
    alex.restart()
    written = set_label(alex, "After it")
    assert written > seen
    assert parts(written)[0] <= parts(seen)[0] + 11 * SECOND


def test_what_comes_from_far_ahead_is_kept_and_moves_no_clock() -> None:
    """INV-CLOCK-1"""
    alex, blake = replicas(600 * MINUTE)
    seen = set_label(blake, "From the future")
    alex.pull(blake)
    assert alex.hash() == blake.hash()
    written = set_label(alex, "After it")
    assert written < seen
    shown = Views(alex.committer).log(after=None, limit=2, newest_first=True)
    assert [one["clock_ahead"] for one in shown] == [False, True]
    blake.pull(alex)
    assert blake.hash() == alex.hash()
    assert not blake.conflicts("open"), "it was written after it, whatever the clocks say"


def test_while_nothing_may_be_written_every_door_says_why_and_what_others_wrote_comes_in() -> None:
    """INV-CLOCK-1"""
    alex, blake = replicas(0)
    alex.committer.read_only = "This clock is wrong."
    with pytest.raises(Denied, match="clock is wrong"):
        set_label(alex, "Refused")
    program: Doc[Any] = Doc()
    program.get("cues.cue", type=Map)["x"] = "y"
    with pytest.raises(Denied, match="clock is wrong"):
        alex.outside("cues", program.get_update())
    set_label(blake, "Comes in")
    alex.pull(blake)
    assert alex.hash() == blake.hash()
    alex.committer.read_only = ""
    assert set_label(alex, "Again")


@pytest.fixture
def two(tmp_path: Path) -> Iterator[list[Gathered]]:
    with laptops(tmp_path, "alex", "blake") as made:
        yield made


def ahead(one: Gathered, seconds: int) -> None:
    one.laptop = dataclasses.replace(one.laptop, clock_ahead_s=seconds)


def hlc_of_latest(one: Gathered) -> str:
    (latest,) = one.call("GET", "/log", limit=1, newest_first=True)["bundles"]
    return str(latest["hlc"])


def test_a_clock_far_ahead_makes_read_only_until_it_is_alone(two: list[Gathered]) -> None:
    """INV-CLOCK-1"""
    alex, blake = two
    ahead(alex, 600)
    link = alex.host()
    alex.create("cue_1", "Ten minutes early")
    blake.join(link, "--yes")
    found = alex.until(lambda session: session["clock"]["verdict"] == "read-only", "the verdict")
    assert "ahead" in found["clock"]["sentence"]
    with pytest.raises(Refused, match=r"DENIED.*ahead"):
        alex.create("cue_2", "Refused")
    shown = alex.laptop.done("peers", "show.openprod")
    assert "ahead" in shown or "ahead" in alex.laptop.run("peers", "show.openprod").err
    # Whose clock is right goes on, and isn't drawn into the future by what it took in.
    blake.until(lambda _session: blake.bundles() == alex.bundles(), "the production", every_s=0.2)
    blake.until(lambda session: session["clock"]["verdict"] == "fine", "the gathering's time")
    early = blake.call("GET", "/log", limit=100)["bundles"]
    assert [one["clock_ahead"] for one in early][-1] is True
    assert "clock ahead" in blake.laptop.done("log", "show.openprod")
    blake.label("cue_1", "On time")
    assert hlc_of_latest(blake) < early[-1]["hlc"]
    blake.spread(1)
    assert alex.hash() == blake.hash()
    alex.call("POST", "/session/leave")
    alex.until(lambda session: session["clock"]["verdict"] == "fine", "to be alone")
    alex.create("cue_2", "Alone it may")


def test_a_clock_some_minutes_off_is_corrected_while_together(two: list[Gathered]) -> None:
    """INV-CLOCK-1, INV-CLOCK-2"""
    alex, blake = two
    ahead(blake, 120)
    blake.join(alex.host(), "--yes")
    blake.until(lambda session: session["clock"]["verdict"] == "correct", "the verdict")
    alex.create("cue_1", "Now")
    alex.spread(1)
    before = hlc_of_latest(alex)
    blake.label("cue_1", "Soon after")
    during = hlc_of_latest(blake)
    assert parts(during)[0] - parts(before)[0] < 60_000
    blake.call("POST", "/session/leave")
    blake.label("cue_1", "By its own clock")
    assert hlc_of_latest(blake) > during


def test_a_laptop_whose_clock_stood_still_for_years_hurts_nobody_else(two: list[Gathered]) -> None:
    """INV-CLOCK-1"""
    alex, blake = two
    ahead(blake, -3 * 365 * 86_400)
    link = alex.host()
    alex.create("cue_1", "Now")
    blake.join(link, "--yes")
    found = alex.until(lambda session: session["clock"]["sentence"], "a word on it")["clock"]
    assert (found["verdict"], "has to be set right there" in found["sentence"]) == ("warn", True)
    blake.until(lambda session: session["clock"]["verdict"] == "correct", "the gathering's time")
    alex.label("cue_1", "Goes on")
    before = hlc_of_latest(alex)
    alex.spread(1)
    blake.label("cue_1", "Soon after")
    assert before < hlc_of_latest(blake)
