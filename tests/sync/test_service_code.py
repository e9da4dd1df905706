"""A spoken code between real processes: heard, proved, confirmed on both sides; wrong ones lock."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from openprod.sync.pairing import parse_link
from openprod.sync.spoken import WORDS, WRONG_MAX
from tests.sync.laptops import REACH, SHOW, Gathered, laptops


@pytest.fixture
def two(tmp_path: Path) -> Iterator[list[Gathered]]:
    with laptops(tmp_path, "alex", "blake") as made:
        yield made


def wrong(code: str) -> str:
    first, *others = code.split("-")
    return " ".join([WORDS[(WORDS.index(first) + 1) % len(WORDS)], *others])


def test_a_device_comes_in_by_code_once_both_people_agree(two: list[Gathered]) -> None:
    alex, blake = two
    at = parse_link(alex.host()).addresses[0]
    alex.create("cue_1", "Ghost")
    code = alex.call("POST", "/session/host")["code"].replace("-", " ")
    blake.process = blake.laptop.start("join", code, SHOW, *REACH, "--at", at, "--yes", asks=True)
    (newcomer,) = alex.until(lambda session: session["newcomers"], "a newcomer")["newcomers"]
    assert newcomer["name"] == "blake"
    # Nothing has moved yet, and nobody is in.
    assert [one["name"] for one in alex.session()["members"]] == ["alex"]
    alex.call("POST", "/session/approve", {"plan": newcomer["device"]})
    blake._printed("Joined")
    alex.together(blake)
    alex.spread(1)
    assert blake.hash() == alex.hash()
    assert alex.session()["newcomers"] == []


def test_a_person_at_the_host_says_no(two: list[Gathered]) -> None:
    alex, blake = two
    at = parse_link(alex.host()).addresses[0]
    code = alex.call("POST", "/session/host")["code"]
    process = blake.laptop.start("join", code, SHOW, *REACH, "--at", at, "--yes", asks=True)
    (newcomer,) = alex.until(lambda session: session["newcomers"], "a newcomer")["newcomers"]
    alex.call("POST", "/session/decline", {"plan": newcomer["device"]})
    _out, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "error[DENIED]" in err
    assert not blake.folder.exists()
    alex.until(lambda session: not session["newcomers"], "nobody to wait")


def test_wrong_codes_fail_and_lock_after_three(two: list[Gathered]) -> None:
    alex, blake = two
    at = parse_link(alex.host()).addresses[0]
    for _ in range(WRONG_MAX):
        code = alex.call("POST", "/session/host")["code"]
        process = blake.laptop.start("join", wrong(code), SHOW, *REACH, "--at", at, "--yes", asks=True)
        _out, err = process.communicate(timeout=60)
        assert "wasn't the code" in err, err
        assert not blake.folder.exists()
    locked = alex.call("POST", "/session/host")
    assert locked["code"] == ""
    assert locked["link"]
    assert any("Three wrong codes" in one["sentence"] for one in locked["events"] + alex.session()["events"])
