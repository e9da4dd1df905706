"""The sample's cue sheet stands on the play: every quoted line is there, in its scene, in order."""

import csv
import re
from collections import Counter
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1]
ROMAN = {"I": 1, "II": 2, "III": 3, "IV": 4, "V": 5, "VI": 6, "VII": 7}


@pytest.fixture(scope="module")
def cues() -> list[dict[str, str]]:
    with (FOLDER / "hamlet-cues.csv").open(encoding="utf-8", newline="") as file:
        next(file)  # the sheet's title row
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def scenes() -> dict[str, str]:
    """{"1.5": the words of act one, scene five}"""
    text = (FOLDER / "hamlet.fountain").read_text(encoding="utf-8")
    scenes: dict[str, str] = {}
    act = 0
    for block in re.split(r"^(# ACT \w+|\.SCENE \w+)$", text, flags=re.MULTILINE):
        if block.startswith("# ACT "):
            act = ROMAN[block.removeprefix("# ACT ")]
        elif block.startswith(".SCENE "):
            scenes[f"{act}.{ROMAN[block.removeprefix('.SCENE ')]}"] = ""
        elif scenes:
            scenes[list(scenes)[-1]] += block
    return scenes


def number(cue: dict[str, str]) -> tuple[int, ...]:
    return tuple(int(part) for part in cue["Q"].split("."))


def test_the_play_has_its_twenty_scenes(scenes: dict[str, str]) -> None:
    assert len(scenes) == 20


def test_there_are_enough_cues_of_both_departments(cues: list[dict[str, str]]) -> None:
    assert len(cues) >= 120
    assert Counter(cue["List"] for cue in cues) == {"LX": 160, "SND": 63}


def test_every_quoted_line_is_in_its_scene_in_running_order(cues: list[dict[str, str]], scenes: dict[str, str]) -> None:
    order = list(scenes)
    place = (0, 0)
    for cue in cues:
        scene = order.index(cue["Scene"])
        found = scenes[cue["Scene"]].find(cue["Line"], place[1] if scene == place[0] else 0)
        assert cue["Line"], cue
        assert found >= 0, f"{cue['List']} {cue['Q']}: “{cue['Line']}” isn't in {cue['Scene']} from there on"
        assert scene >= place[0], cue
        place = (scene, found)


def test_numbers_are_unique_and_rise_within_each_list(cues: list[dict[str, str]]) -> None:
    for name in ("LX", "SND"):
        numbers = [number(cue) for cue in cues if cue["List"] == name]
        assert numbers == sorted(set(numbers))
    assert any("." in cue["Q"] for cue in cues)


def test_pages_never_go_back(cues: list[dict[str, str]]) -> None:
    pages = [int(cue["Page"]) for cue in cues]
    assert pages == sorted(pages)


def test_every_cue_has_a_label_and_a_way_to_be_called(cues: list[dict[str, str]]) -> None:
    for cue in cues:
        assert cue["Label"], cue
        assert cue["Called on"] in ("line", "visual", "follow"), cue


def test_every_follow_comes_after_a_cue_that_brings_it(cues: list[dict[str, str]]) -> None:
    before: dict[str, dict[str, str]] = {}
    for cue in cues:
        if cue["Called on"] == "follow":
            assert before[cue["List"]]["Follow"], f"{cue['List']} {cue['Q']}: the one before it doesn't follow on"
        before[cue["List"]] = cue


def test_start_times_rise_through_the_day_and_lx_42_has_one(cues: list[dict[str, str]]) -> None:
    times = [cue["Start time"] for cue in cues if cue["Start time"]]
    assert times == sorted(times)
    assert next(cue for cue in cues if (cue["List"], cue["Q"]) == ("LX", "42"))["Start time"] == "10:15"
