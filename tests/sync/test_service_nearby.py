"""Two machines on one network: one hosts, the other finds it by itself and comes in by a spoken code."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from tests.cli.program import SECONDS_MAX, Laptop, Process
from tests.sync.namespaces import machines

__all__ = ["machines"]
SHOW = "show.openprod"


def printed(stream: IO[str] | None, start: str) -> None:
    """Until there is a line that begins so."""
    assert stream is not None
    seen = []
    for line in stream:
        if line.startswith(start):
            return
        seen.append(line)
    raise AssertionError("".join(seen))


class Placed:
    """A person with a laptop in a network namespace."""

    def __init__(self, place: str, folder: Path, person: str) -> None:
        folder.mkdir()
        self.laptop = Laptop(folder, person, place)
        self.started: list[Process] = []

    def run(self, *arguments: str) -> Any:
        out = self.laptop.done(*arguments)
        return json.loads(out) if "--json" in arguments else out

    def start(self, *arguments: str) -> Process:
        """It goes on."""
        self.started.append(self.laptop.start(*arguments))
        return self.started[-1]

    def until(self, holds: Callable[[Any], Any], *arguments: str) -> Any:
        """What a command answers once ``holds`` is true of it."""
        deadline = time.monotonic() + SECONDS_MAX
        while not (found := holds(answer := self.run(*arguments, "--json"))):
            assert time.monotonic() < deadline, answer
        return found

    def stop(self) -> None:
        for process in self.started:
            process.kill()
            process.communicate()


@pytest.fixture
def two(machines: tuple[str, str], tmp_path: Path) -> Iterator[tuple[Placed, Placed]]:
    alex, blake = (
        Placed(place, tmp_path / name, name) for place, name in zip(machines, ("alex", "blake"), strict=True)
    )
    yield alex, blake
    alex.stop()
    blake.stop()


def test_a_host_is_found_and_lets_in_by_code(two: tuple[Placed, Placed]) -> None:
    alex, blake = two
    alex.run("new", SHOW, "--name", "A Show", "--plugin", "cues")
    printed(alex.start("host", SHOW, "--port", "0").stdout, "openprod://")
    (found,) = blake.until(lambda answer: answer["devices"], "discover", "--seconds", "2")
    assert (found["known"], found["addresses"]) == (False, ["10.77.0.1:8041"])
    code = alex.run("host", SHOW, "--json")["code"]
    joining = blake.start("join", code, SHOW, "--port", "0", "--yes")
    printed(joining.stderr, "A Show, hosted by alex")
    (newcomer,) = alex.until(lambda answer: answer["newcomers"], "peers", SHOW)
    assert newcomer["name"] == "blake"
    alex.run("approve", SHOW)
    printed(joining.stdout, "Joined: alex")
    members = alex.until(lambda answer: len(answer["members"]) == 2 and answer["members"], "peers", SHOW)
    assert {one["name"] for one in members} == {"alex", "blake"}
    # From now on blake's device knows whose production that is.
    (known,) = blake.until(
        lambda answer: [one for one in answer["devices"] if one["device"] == found["device"] and one["known"]],
        "discover", "--seconds", "2",
    )  # fmt: skip
    assert known["name"] == "alex"
