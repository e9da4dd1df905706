"""The scenarios of the vision, as people live them: real laptops, real nodes, real yjs programs."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.program import Laptop
from tests.interop.node import FOLDER, SECONDS_MAX

SHEET = "List,Q,Label,Start time\n" + "".join(
    f"{list_},{number},{list_} cue {number},10:{number:02}\n" for list_ in ("LX", "SND") for number in range(1, 31)
)


@pytest.fixture
def lighting(tmp_path: Path) -> Laptop:
    laptop = _laptop(tmp_path, "Lighting")
    (laptop.folder / "cues.csv").write_text(SHEET)
    laptop.done("new", "ham.openprod", "--name", "Hamlet", "--plugin", "cues")
    laptop.done("import", "ham.openprod", "cues.csv", "cues.csv", "--apply")
    return laptop


def _laptop(folder: Path, person: str) -> Laptop:
    (folder / person.lower()).mkdir()
    return Laptop(folder / person.lower(), person)


def _copy(laptop: Laptop, other: Laptop) -> None:
    laptop.done("backup", "ham.openprod", other.folder / "stick")
    other.done("restore", other.folder / "stick", "ham.openprod")


def _cues(laptop: Laptop) -> dict[str, str]:
    """{"LX 42": entity}"""
    found = laptop.run("query", "ham.openprod", "cues.cue", "--json").json
    list_, number = found["columns"].index("list"), found["columns"].index("number")
    return {f"{row[list_]} {row[number]}": row[0] for row in found["rows"]}


def _work_alone(laptop: Laptop, name: str, changes: Iterable[tuple[str, str]]) -> None:
    """One session of a department with its own Yjs program, on its own laptop."""
    lines = "".join(json.dumps({"key": key, "value": value}) + "\n" for key, value in changes)
    with laptop.serving("ham.openprod") as node:
        made = laptop.run("token", "create", "ham.openprod", "--document", "cues", "--name", name, "--json").json
        done = subprocess.run(
            ["node", FOLDER / "department.mjs", node.url, made["token"], "cues", "cues.cue"],
            input=lines, capture_output=True, check=False, encoding="utf-8", timeout=SECONDS_MAX,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout.splitlines()[-1])["changed"] == lines.count("\n")


def _conflicts(laptop: Laptop, status: str = "open") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = laptop.run("conflicts", "ham.openprod", "--status", status, "--json").json[
        "conflicts"
    ]
    return found


def _carry(source: Laptop, target: Laptop) -> dict[str, Any]:
    source.done("pack", "ham.openprod", "-o", target.folder / "monday.pack")
    plan: dict[str, Any] = target.run("merge", "ham.openprod", "monday.pack", "--json").json
    target.done("merge", "ham.openprod", "monday.pack", "--apply")
    (target.folder / "monday.pack").unlink()
    return plan


def test_scenario_a(lighting: Laptop, tmp_path: Path) -> None:
    """Two departments work alone, 20 and 15 changes; on Monday there are exactly the 3 conflicts they made."""
    sound = _laptop(tmp_path, "Sound")
    _copy(lighting, sound)
    cues = _cues(lighting)
    both = ("LX 3", "LX 7", "SND 9")
    saturday = [f"LX {n}" for n in range(1, 19) if f"LX {n}" not in both] + ["SND 1", *both]
    sunday = [f"SND {n}" for n in range(2, 14) if f"SND {n}" not in both] + ["LX 25", *both]
    assert (len(saturday), len(sunday)) == (20, 15)
    _work_alone(lighting, "Lou of lighting", [(f"{cues[one]}/start", "11:00") for one in saturday])
    _work_alone(sound, "Sol of sound", [(f"{cues[one]}/start", "12:00") for one in sunday])
    assert _conflicts(lighting) == _conflicts(sound) == []

    plan = _carry(sound, lighting)
    _carry(lighting, sound)
    conflicts = _conflicts(lighting)
    assert sorted(one["sentence"] for one in conflicts) == [
        f"Cue {one} start time: Lou of lighting set 11:00, Sol of sound set 12:00 without seeing each other. "
        "Choose a value."
        for one in both
    ]
    assert sorted(one["id"] for one in plan["conflicts"]) == sorted(one["id"] for one in conflicts)
    assert [one["id"] for one in _conflicts(sound)] == [one["id"] for one in conflicts]

    for conflict in conflicts:
        chosen = next(one["version"] for one in conflict["candidates"] if one["author"] == "Sol of sound")
        lighting.done("resolve", "ham.openprod", conflict["id"], "--choose", chosen)
    _carry(lighting, sound)
    _carry(sound, lighting)
    assert _conflicts(lighting) == _conflicts(sound) == []
    assert lighting.done("hash", "ham.openprod") == sound.done("hash", "ham.openprod")
    rows = lighting.run("query", "ham.openprod", "cues.cue where start = 12:00", "--json").json["rows"]
    assert len(rows) == 15


def test_scenario_c(lighting: Laptop) -> None:
    """Two people change one field alone; the sentence names both; a choice is recorded, looked at, and changed."""
    cue = _cues(lighting)["LX 10"]
    entity = f"{cue}/start"
    with lighting.serving("ham.openprod") as node:
        people = []
        for name in ("Alex", "Jordan"):
            made = lighting.run("token", "create", "ham.openprod", "--document", "cues", "--name", name, "--json").json
            people.append(
                subprocess.Popen(
                    ["node", FOLDER / "department.mjs", node.url, made["token"], "cues", "cues.cue"],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8",
                )
            )  # fmt: skip
        # Both have the sheet before either is told what to change: neither can see the other's value.
        said = [f'{{"key": "{entity}", "value": "{value}"}}\n' for value in ("10:30", "10:45")]
        for person in people:
            assert person.stdout is not None
            assert "entries" in person.stdout.readline()
        for person, line in zip(people, said, strict=True):
            _out, wrong = person.communicate(line, timeout=SECONDS_MAX)
            assert person.returncode == 0, wrong
        (conflict,) = _conflicts(lighting)
        assert conflict["sentence"] in (
            "Cue LX 10 start time: Alex set 10:30, Jordan set 10:45 without seeing each other. Choose a value.",
            "Cue LX 10 start time: Jordan set 10:45, Alex set 10:30 without seeing each other. Choose a value.",
        )
        versions = {one["author"]: one["version"] for one in conflict["candidates"]}
        lighting.done("resolve", "ham.openprod", conflict["id"], "--choose", versions["Jordan"])
        (decided,) = _conflicts(lighting, "resolved")
        assert (decided["resolution"]["value"], decided["resolution"]["by"]) == ("10:45", "Lighting")
        lighting.done("resolve", "ham.openprod", conflict["id"], "--choose", versions["Alex"])
        (revised,) = _conflicts(lighting, "resolved")
        assert revised["resolution"]["value"] == "10:30"
        assert [one["value"] for one in revised["resolutions"]] == ["10:45", "10:30"]
        assert revised["resolution"]["supersedes"] == decided["resolution"]["id"]
        assert "10:45" in lighting.done("history", "ham.openprod", cue)
