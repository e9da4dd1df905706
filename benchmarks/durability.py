"""Does a node lose what it has shown to others, or what it has received?

    python -m benchmarks.durability --rounds 100

- killed: 100 ms after another program has received all of a burst of 200 edits, the node is killed with SIGKILL and
  started again; how many of the 200 does it still hold?
- left: a program sends a burst of 200 edits and closes its socket at once; how many does the node hold?

Both drive the command that people run, ``openprod serve``, on a workspace on disk.
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
BURST = 200
TOKEN = "benchmark-token-of-the-durability-run"
OPENPROD = [sys.executable, "-c", "from openprod.cli.main import main; main()"]


@dataclass
class Node:
    """A workspace and the process that serves it."""

    folder: Path
    port: int
    process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/yjs/-/cues?token={TOKEN}"

    def start(self) -> None:
        self.process = subprocess.Popen(
            [*OPENPROD, "serve", str(self.folder), "--port", str(self.port), "--no-browser"],
            env={**os.environ, "OPENPROD_TOKEN": TOKEN},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("listening on "):
                return
        raise SystemExit("the node didn't start")

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()


@contextmanager
def node() -> Iterator[Node]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "durability.openprod"
        subprocess.run([*OPENPROD, "new", str(place), "--name", "Durability", "--plugin", "cues"], check=True)
        one = Node(place, port)
        one.start()
        try:
            yield one
        finally:
            one.kill()


def play(mode: str, url: str, name: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["node", str(HERE / "load" / "durability.mjs"), mode, url, name, str(BURST)],
        stdout=subprocess.PIPE,
        text=True,
    )


def lost(url: str, name: str) -> int:
    counting = play("count", url, name)
    held, _ = counting.communicate(timeout=60)
    return BURST - int(held)


def killed_after_others_received(one: Node, name: str) -> int:
    """Number of edits lost."""
    playing = play("received", one.url, name)
    assert playing.stdout is not None
    heard = playing.stdout.readline()
    time.sleep(0.1)
    one.kill()
    playing.kill()
    playing.communicate()
    if heard.strip() != "received":
        raise SystemExit("the burst was never received by the other program")
    one.start()
    return lost(one.url, name)


def left_at_once(one: Node, name: str) -> int:
    """Number of edits lost."""
    if play("leave", one.url, name).wait(timeout=60) != 0:
        raise SystemExit("the program could not connect")
    return lost(one.url, name)


def run(rounds: int) -> tuple[list[int], list[int]]:
    """Edits lost in each round: (killed, left)."""
    with node() as one:
        killed = [killed_after_others_received(one, f"killed{number}") for number in range(rounds)]
        left = [left_at_once(one, f"left{number}") for number in range(rounds)]
    return killed, left


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=100)
    killed, left = run(parser.parse_args().rounds)
    for what, losses in (("kill -9 after others had it", killed), ("burst, then close", left)):
        bad = sum(1 for each in losses if each)
        print(f"{what}: {len(losses)} rounds of {BURST} edits, {bad} rounds with losses, {sum(losses)} edits lost")


if __name__ == "__main__":
    main()
