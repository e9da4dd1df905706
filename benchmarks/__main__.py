"""Run the benchmarks and keep the results with the machine they come from: ``make bench``.

    python -m benchmarks                 all of them (some twenty minutes)
    python -m benchmarks ingest opening  only these

Each figure stands beside a floor measured in the same run; the targets are those the project holds itself to.
"""

from __future__ import annotations

import json
import os
import platform
import sqlite3
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks import decode, durability, fanout, ingest, opening, peers, queries

HERE = Path(__file__).resolve().parent


def _fanout() -> dict[str, Any]:
    """The node beside a bare server that only forwards, rounds interleaved; medians of three."""
    pairs = [
        [fanout.measure(*one, seconds=4, first=fanout.RATE_FIRST) for one in (fanout.CHOSEN, fanout.BARE)]
        for _ in range(3)
    ]
    node, bare = ({key: sorted(pair[side][key] for pair in pairs)[1] for key in pairs[0][side]} for side in (0, 1))
    return {**node, "bare": bare, "p99_to_bare": node["p99"] / bare["p99"]}


def _durability() -> dict[str, Any]:
    killed, left = durability.run(100)
    return {
        "rounds_each": 100,
        "burst": durability.BURST,
        "lost_after_kill": sum(killed),
        "lost_after_close": sum(left),
    }


SUITES: dict[str, tuple[Callable[[], dict[str, Any]], str]] = {
    "decode": (decode.run, "tiny updates at least 150,000/s"),
    "ingest": (ingest.run, "one by one at least 0.5 of a bare loop of FULL commits; in groups of 100 at least 3"),
    "opening": (opening.run, "at most 1.5 times pycrdt alone, within 600 MB"),
    "fanout": (_fanout, "p99 at most 10 ms with 50 readers at 300/s; 3,200/s with 50 clients; 60 KB a connection"),
    "durability": (_durability, "none lost"),
    "peers": (
        peers.run,
        "10,000 bundles caught up with in at most 5 s; 200 MB for a newcomer at 0.4 of a plain copy over TLS, on a"
        " network of 1 Gbit/s; an edit at 20 followers within 50 ms (p99); idle, less than 1 % of a core is used",
    ),
    "queries": (
        queries.run,
        "a page of 50,000 entities in at most 20 ms with an index, 150 ms without; 1.5 times the same by hand",
    ),
}


def machine() -> dict[str, Any]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**30
    return {
        "cores": os.cpu_count(),
        "memory_gb": memory,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "pycrdt": version("pycrdt"),
    }


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in SUITES]
    if unknown:
        print(f"no benchmark {', '.join(unknown)}; there are: {', '.join(SUITES)}", file=sys.stderr)
        return 2
    file = HERE / "results.json"
    results: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    for name in names or SUITES:
        print(f"{name} …", file=sys.stderr, flush=True)
        run, target = SUITES[name]
        results[name] = {"target": target, "machine": machine(), "figures": run()}
        file.write_text(json.dumps(results, indent=2) + "\n")
    (HERE / "results.md").write_text(_table(results))
    print(_table(results))
    return 0


def _table(results: dict[str, Any]) -> str:
    lines = ["# Results", "", "Written by `make bench`. What each measures: the docstring of its module.", ""]
    for name, result in results.items():
        where = ", ".join(f"{key} {value}" for key, value in result["machine"].items())
        lines += [f"## {name}", "", f"Target: {result['target']}. ({where})", "", "| figure | value |", "|---|---|"]
        lines += [f"| {key} | {_value(value)} |" for key, value in _flat(result["figures"])]
        lines.append("")
    return "\n".join(lines)


def _flat(figures: dict[str, Any], before: str = "") -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = []
    for key, value in figures.items():
        if isinstance(value, dict):
            rows += _flat(value, f"{before}{key}.")
        else:
            rows.append((before + key, value))
    return rows


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.2f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
