"""Runs the command as people do: real processes, real folders, each person with an identity of their own.

Where it can be (tests/cli/warm.py), these processes are copies of one that has loaded the program already.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from openprod.running import NO_CERTIFICATES, read_record
from tests.cli import warm

SECONDS_MAX = 60
PROGRAM = (sys.executable, "-m", "openprod.cli.main")
ROOT = Path(__file__).parents[2]
Process = subprocess.Popen[str] | warm.Command


@dataclass(frozen=True)
class Ended:
    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.status == 0, self.err
        return json.loads(self.out)


@dataclass(frozen=True)
class Laptop:
    """A device with a person. ``folder`` is where relative paths start; ``place``: the network namespace it is in."""

    folder: Path
    person: str
    place: str = ""
    clock_ahead_s: int = 0

    def command(self, *arguments: str | Path) -> list[str]:
        where = ["ip", "netns", "exec", self.place] if self.place else []
        return [*where, *PROGRAM, *map(str, arguments)]

    @property
    def environment(self) -> dict[str, str]:
        home = self.folder / "home"
        wrong = {
            "PYTHONPATH": f"{ROOT / 'tests/sync/wrong_clock'}{os.pathsep}{ROOT}",
            "CLOCK_AHEAD_S": str(self.clock_ahead_s),
        }  # fmt: skip
        return {
            **os.environ, "OPENPROD_HOME": str(home), "OPENPROD_USER": self.person, "PYTHONPATH": str(ROOT),
            "PYTHONIOENCODING": "utf-8", "COLUMNS": "120", "NO_COLOR": "1",
            **(wrong if self.clock_ahead_s else {}),
        }  # fmt: skip

    def run(self, *arguments: str | Path) -> Ended:
        process = self.start(*arguments)
        try:
            out, err = process.communicate(timeout=SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        assert "Traceback" not in out + err
        return Ended(process.wait(), out, err)

    def done(self, *arguments: str | Path) -> str:
        """What it printed; it must have worked."""
        ended = self.run(*arguments)
        assert ended.status == 0, ended.err
        return ended.out

    def start(self, *arguments: str | Path, asks: bool = False) -> Process:
        """``asks``: it may ask at its terminal, and is answered through ``stdin``."""
        # A wrong clock is set while Python starts.
        if warm.AVAILABLE and not self.clock_ahead_s:
            return warm.Command(arguments, self.folder, self.environment, place=self.place, asks=asks)
        return subprocess.Popen(
            self.command(*arguments),
            cwd=self.folder, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8",
            stdin=subprocess.PIPE if asks else subprocess.DEVNULL,
        )  # fmt: skip

    @contextmanager
    def serving(self, folder: str) -> Iterator[Serving]:
        process = self.start("serve", folder, "--port", "0", "--no-browser")
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("listening on http://"), process.communicate()[1]
            record = read_record(self.folder / folder)
            assert record is not None
            url = line.removeprefix("listening on ").strip()
            yield Serving(process, url, record.token)
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            process.communicate(timeout=SECONDS_MAX)

    def edit(self, folder: str, *operations: dict[str, Any]) -> dict[str, Any]:
        """Commit as this person, through a node that is started for it."""
        with self.serving(folder) as node:
            return node.commit(*operations)


@dataclass(frozen=True)
class Serving:
    process: Process
    url: str
    token: str

    def commit(self, *operations: dict[str, Any]) -> dict[str, Any]:
        response = httpx.post(
            f"{self.url}/api/v1/bundles",
            json={"operations": operations},
            headers={"authorization": f"Bearer {self.token}"},
            trust_env=False,
            verify=NO_CERTIFICATES,
        )
        assert response.status_code == 200, response.text
        receipt: dict[str, Any] = response.json()
        return receipt

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(SECONDS_MAX)


def set_start(entity: str, value: str) -> dict[str, Any]:
    return {"op": "set_field", "entity": entity, "facet": "cues.cue", "field": "start", "value": value}
