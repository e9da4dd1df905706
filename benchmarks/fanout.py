"""Fan-out through real sockets: how late an edit reaches the other programs, and how many edits a node carries.

    python -m benchmarks.fanout                      # the server that the node uses, beside a bare one
    python -m benchmarks.fanout --all --rounds 3     # every ASGI server that was compared, rounds interleaved

Two measurements, by one lean load generator (benchmarks/load/fanout.mjs) in a process of its own:

- latency: 1 writer at 300 updates/s, 50 readers; from the writer's send to each reader's decode.
- sustained: 50 clients of which 5 write; the highest rate at which everything is delivered, p95 is at most 100 ms and
  the backlog is gone 500 ms after the last send. Rates are tried in steps of 1.4.

``bare`` is the floor of the machine at that moment: the same server passing messages on, with no document, no disk, no
author and no conflict. Memory is what the server process grows by, per idle synced connection. Medians of the rounds.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
CHOSEN = ("node", "uvloop")
BARE = ("bare", "uvloop")
COMPARED = [
    CHOSEN,
    ("uvicorn-websockets-sansio", "uvloop"),
    ("uvicorn-websockets-sansio", "asyncio"),
    ("uvicorn-websockets", "uvloop"),
    ("uvicorn-wsproto", "uvloop"),
    ("granian", "uvloop"),
    ("hypercorn", "uvloop"),
    BARE,
]
LATENCY = {"clients": 51, "writers": 1, "rate": 300}
SUSTAINED = {"clients": 50, "writers": 5}
RATE_FIRST = 3200
RATE_STEP = 1.4
IDLE_CONNECTIONS = 200


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


@contextmanager
def server(kind: str, loop: str) -> Iterator[tuple[str, int]]:
    """(URL of the document, process id) of a fresh server."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        options = ["--port", str(port)]
        if kind == BARE[0]:
            script = HERE / "bare_server.py"
        else:
            script = HERE / "gateway_server.py"
            options = [kind, "--loop", loop, *options, "--file", str(Path(folder) / "workspace")]
        process = subprocess.Popen(
            [sys.executable, str(script), *options],
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout is not None
            token = process.stdout.readline().strip()
            for _ in range(400):
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
                    break
                except OSError:
                    time.sleep(0.05)
            yield f"ws://127.0.0.1:{port}/yjs/-/cues?token={token}", process.pid
        finally:
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()


def load(url: str, *, seconds: float, **options: int) -> dict[str, Any]:
    command = ["node", str(HERE / "load" / "fanout.mjs"), url, "--seconds", str(seconds)]
    for name, value in options.items():
        command += ["--" + name, str(value)]
    try:
        done = subprocess.run(command, check=True, capture_output=True, timeout=seconds + 30)
    except subprocess.TimeoutExpired:
        return {"expected": 1, "delivered": 0, "closed": 0, "p50": math.inf, "p95": math.inf, "p99": math.inf}
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def holds(result: dict[str, Any]) -> bool:
    return (
        result["delivered"] == result["expected"]
        and not result["closed"]
        and result["p95"] <= 100
        and result["backlogMs"] <= 500
    )


def sustained(kind: str, loop: str, *, first: int, seconds: float) -> int:
    """The highest rate that holds; a rate that fails is given a second chance, for the machine's sake.

    Each try has a server of its own: some are never well again after a crowd has left.
    """

    def once(rate: float) -> bool:
        with server(kind, loop) as (url, _):
            return holds(load(url, seconds=seconds, rate=round(rate), **SUSTAINED))

    def tried(rate: float) -> bool:
        return once(rate) or once(rate)

    rate = float(first)
    if tried(rate):
        while tried(rate * RATE_STEP):
            rate *= RATE_STEP
        return round(rate)
    while rate > 100:
        rate /= RATE_STEP
        if tried(rate):
            return round(rate)
    return 0


def resident_kb(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def memory_per_connection_kb(url: str, pid: int) -> float:
    load(url, seconds=0.5, clients=5, writers=1, rate=50)  # what the first connections load once
    before = resident_kb(pid)
    idle = subprocess.Popen(
        ["node", str(HERE / "load" / "idle.mjs"), url, str(IDLE_CONNECTIONS)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert idle.stdout is not None
    idle.stdout.readline()
    grown = resident_kb(pid) - before
    idle.kill()
    idle.wait()
    return grown / IDLE_CONNECTIONS


def measure(kind: str, loop: str, *, seconds: float, first: int) -> dict[str, float]:
    with server(kind, loop) as (url, pid):
        memory = memory_per_connection_kb(url, pid)
    with server(kind, loop) as (url, _):
        latency = load(url, seconds=seconds, **LATENCY)
    rate = sustained(kind, loop, first=first, seconds=min(seconds, 2))
    return {
        "p50": latency["p50"],
        "p95": latency["p95"],
        "p99": latency["p99"],
        "lost": latency["expected"] - latency["delivered"],
        "sustained": rate,
        "memory_kb": memory,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true", help="every server, not only the one in use")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--first", type=int, default=RATE_FIRST, help="rate to start the search at")
    parser.add_argument("--server", help="another one by name, such as pycrdt-websocket, with its own store")
    options = parser.parse_args()
    compared = COMPARED if options.all else [(options.server, "uvloop")] if options.server else [CHOSEN, BARE]
    results: dict[tuple[str, str], list[dict[str, float]]] = {one: [] for one in compared}
    for number in range(options.rounds):
        for one in compared:
            result = measure(*one, seconds=options.seconds, first=options.first)
            results[one].append(result)
            print(f"round {number + 1}: {' + '.join(one)}: {result}", file=sys.stderr)
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()}")
    print("| server | loop | p50 ms | p95 ms | p99 ms | updates/s, 50 clients | KB per connection |")
    print("|---|---|---|---|---|---|---|")
    for (kind, loop), rounds in results.items():
        middle = {key: statistics.median(each[key] for each in rounds) for key in rounds[0]}
        print(
            f"| {kind} | {loop} | {middle['p50']:.1f} | {middle['p95']:.1f} | {middle['p99']:.1f} "
            f"| {middle['sustained']:.0f} | {middle['memory_kb']:.0f} |"
        )


if __name__ == "__main__":
    main()
