"""A laptop with a small production on it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.program import Laptop

SHEET = """List,Q,Label,Start time,Page
LX,1,Preset,10:00,1
LX,42,Ghost reveal,10:15,28
LX,42.5,Ghost goes,10:20,29
SND,7,Wind,10:15,28
"""


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made once; tests work on copies."""
    folder = tmp_path_factory.mktemp("prepared")
    alex = Laptop(folder, "Alex")
    (folder / "cues.csv").write_text(SHEET)
    alex.done("new", "show.openprod", "--name", "A Show", "--plugin", "cues")
    alex.done("import", "show.openprod", "cues.csv", "cues.csv", "--apply")
    return folder


@pytest.fixture
def alex(prepared: Path, tmp_path: Path) -> Laptop:
    """Alex's laptop with show.openprod, which no node serves."""
    shutil.copytree(prepared, tmp_path / "alex")
    return Laptop(tmp_path / "alex", "Alex")


@pytest.fixture(params=["closed", "served"])
def either(request: pytest.FixtureRequest, alex: Laptop) -> Iterator[Laptop]:
    """Alex's laptop, once with show.openprod lying there, once with its node running."""
    if request.param == "closed":
        yield alex
        return
    with alex.serving("show.openprod"):
        yield alex


@pytest.fixture
def jordan(alex: Laptop, tmp_path: Path) -> Laptop:
    """Another laptop, with a copy of Alex's workspace."""
    folder = tmp_path / "jordan"
    folder.mkdir()
    alex.done("backup", "show.openprod", tmp_path / "stick")
    jordan = Laptop(folder, "Jordan")
    jordan.done("restore", tmp_path / "stick", "show.openprod")
    return jordan
