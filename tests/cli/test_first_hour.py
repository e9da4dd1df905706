"""docs/guides/first-hour.md, typed as it stands, on two laptops and a stick."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.program import PROGRAM, ROOT, SECONDS_MAX, Laptop

GUIDE = (ROOT / "docs/guides/first-hour.md").read_text(encoding="utf-8")
THEIRS = "# Jordan's laptop\n"


def blocks(heading: str) -> list[str]:
    section = GUIDE.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    found = re.findall(r"^```sh\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    assert found, heading
    return found


def typed(laptop: Laptop, block: str, stick: Path) -> str:
    shell = f'set -eu\nopenprod() {{ {shlex.join(PROGRAM)} "$@"; }}\n{block}'
    done = subprocess.run(
        ["bash", "-c", shell], cwd=laptop.folder, env={**laptop.environment, "STICK": str(stick)},
        capture_output=True, check=False, encoding="utf-8", timeout=SECONDS_MAX,
    )  # fmt: skip
    assert done.returncode == 0, f"{block}\n{done.stderr}"
    return done.stdout


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    (tmp_path / "stick").mkdir()
    return tmp_path / "stick"


@pytest.fixture
def at_the_table(alex: Laptop) -> Laptop:
    (alex.folder / "show.openprod").rename(alex.folder / "hamlet.openprod")
    return alex


@pytest.mark.skipif(sys.platform == "win32", reason="the guide is written for a Unix shell")
def test_the_stick(at_the_table: Laptop, stick: Path, tmp_path: Path) -> None:
    (tmp_path / "jordan").mkdir()
    jordan = Laptop(tmp_path / "jordan", "Jordan")
    said = [
        typed(jordan if block.startswith(THEIRS) else at_the_table, block, stick) for block in blocks("A USB stick")
    ]
    looked = next(text for text in said if "would open" in text)
    assert "Cue LX 42 start time: " in looked
    assert "Alex set 10:30" in looked
    assert "Jordan set 11:00" in looked
    assert said[-2].splitlines()[-1] == said[-1].splitlines()[-1]


def test_what_can_be_typed_at_one_table(at_the_table: Laptop, stick: Path) -> None:
    (entity,) = (row[0] for row in rows(at_the_table, "cues.cue where number = 42"))
    typed(at_the_table, blocks("Who did what")[0].replace("ENTITY", entity), stick)
    typed(at_the_table, blocks("When something goes wrong")[0], stick)
    typed(at_the_table, blocks("A second person")[0], stick)
    typed(at_the_table, blocks("Open the production")[1], stick)
    assert len(rows(at_the_table, "cues.cue", "mine.openprod")) == 4


def rows(laptop: Laptop, query: str, folder: str = "hamlet.openprod") -> list[list[object]]:
    found: list[list[object]] = laptop.run("query", folder, query, "--json").json["rows"]
    return found
