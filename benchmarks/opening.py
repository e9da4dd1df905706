"""Opening a large workspace beside what pycrdt alone needs to load the same document.

100,000 registers, 1,000,000 versions. Each side runs in a process of its own, so that memory can be told apart.
Target: at most 1.5 times pycrdt's time, within 600 MB.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pycrdt

from benchmarks.ingest import ACTOR, make
from openprod.engine.drafts import OutsideUpdate

REGISTERS, ROUNDS = 100_000, 10


def build(folder: Path) -> Path:
    """A workspace file with the history, taken in through the commit path; snapshots written."""
    committer = make(folder)
    path = Path(committer.storage.path)
    doc: pycrdt.Doc[Any] = pycrdt.Doc(client_id=7)
    fields = doc.get("cues.cue", type=pycrdt.Map)
    made: list[bytes] = []
    subscription = doc.observe(lambda event: made.append(event.update))
    for _round in range(ROUNDS):
        for start in range(0, REGISTERS, 1000):
            with doc.transaction():
                for number in range(start, start + 1000):
                    fields[f"cue_{number // 10}/f{number % 10}"] = f"{_round}:{number}"
            committer.commit([OutsideUpdate(document="cues", update=made.pop(), actor=ACTOR)])
    doc.unobserve(subscription)
    (folder / "state").write_bytes(committer.documents["cues"].state_as_update())
    committer.close()
    return path


def resident_mb() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return 0.0


def _child(kind: str, path: str) -> None:
    start = time.perf_counter()
    if kind == "pycrdt":
        doc: pycrdt.Doc[Any] = pycrdt.Doc(skip_gc=True)
        doc.apply_update(Path(path).read_bytes())
    else:
        import secrets

        from nacl.signing import SigningKey

        from openprod.engine.commit import Committer
        from openprod.storage.sqlite.storage import SqliteStorage

        start = time.perf_counter()
        Committer(
            SqliteStorage(path), key=SigningKey.generate(), now_ms=lambda: time.time_ns() // 1_000_000,
            random_bytes=secrets.token_bytes,
        )  # fmt: skip
    print(json.dumps({"seconds": time.perf_counter() - start, "mb": resident_mb()}))
    sys.stdout.flush()
    os._exit(0)


def _measure(kind: str, path: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.opening", kind, str(path)]
    output = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    result: dict[str, float] = json.loads(output)
    return result


def run(*, rounds: int = 3) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        start = time.perf_counter()
        path = build(folder)
        built = time.perf_counter() - start
        pairs = [(_measure("pycrdt", folder / "state"), _measure("openprod", path)) for _ in range(rounds)]
        size = path.stat().st_size
    middle = sorted(pairs, key=lambda pair: pair[1]["seconds"] / pair[0]["seconds"])[rounds // 2]
    return {
        "registers": REGISTERS,
        "versions": REGISTERS * ROUNDS,
        "built_in_s": round(built, 1),
        "file_mb": round(size / 2**20),
        "pycrdt_s": round(middle[0]["seconds"], 2),
        "pycrdt_mb": round(middle[0]["mb"]),
        "openprod_s": round(middle[1]["seconds"], 2),
        "openprod_mb": round(middle[1]["mb"]),
        "to_pycrdt": round(middle[1]["seconds"] / middle[0]["seconds"], 2),
    }


if __name__ == "__main__":
    if len(sys.argv) == 3:
        _child(sys.argv[1], sys.argv[2])
    else:
        print(json.dumps(run(), indent=2))
