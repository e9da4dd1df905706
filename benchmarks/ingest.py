"""Taking updates in, with everything on, beside a bare loop of durable commits of the same bytes.

Everything on: bounded decoding, causal gate, live document, version tree, conflict check, signed bundle, one FULL
transaction. Floor: the same bytes inserted into one table by plain sqlite3, one FULL transaction each.
Target: one by one at least half of the floor; in groups of 100 at least three times the floor.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import tempfile
import time
from pathlib import Path
from typing import Any

import pycrdt
from nacl.signing import SigningKey

from openprod.core.bundles import Actor
from openprod.core.schema import Facet, Field, Schema
from openprod.engine.commit import Committer
from openprod.engine.drafts import OutsideUpdate, Writes
from openprod.engine.lower import Lowering
from openprod.storage.sqlite.storage import SqliteStorage
from openprod.yjs import layout

SCHEMA = Schema(
    plugin="cues", facets={"cue": Facet(label="Cue", title="{number}", fields={"number": Field(), "start": Field()})}
)
ACTOR = Actor("user_bench", "Bench", "device")


def make(folder: Path) -> Committer:
    """A committer on a new workspace file with one plugin adopted."""
    storage = SqliteStorage(str(folder / f"{secrets.token_hex(4)}.db"))
    with storage.transaction():
        storage.set_meta("workspace", "ws_bench")
    committer = Committer(
        storage, key=SigningKey.generate(), now_ms=lambda: time.time_ns() // 1_000_000, random_bytes=secrets.token_bytes
    )

    def adopt(it: Committer) -> Any:
        lowering = Lowering(it)
        lowering.write(layout.CORE, layout.ADOPTION_ROOT, "cues", SCHEMA.to_record())
        return lowering.plan()

    committer.commit([Writes(plan=adopt, actor=ACTOR, intent="adopt")])
    return committer


def updates(count: int) -> list[bytes]:
    """One person typing: ``count`` overwrites over 200 fields, each its own transaction."""
    doc: pycrdt.Doc[Any] = pycrdt.Doc(client_id=7)
    fields = doc.get("cues.cue", type=pycrdt.Map)
    made: list[bytes] = []
    subscription = doc.observe(lambda event: made.append(event.update))
    for number in range(count):
        fields[f"cue_{number % 200}/start"] = f"10:{number:05d}"
    doc.unobserve(subscription)
    return made


def floor(folder: Path, data: list[bytes]) -> float:
    connection = sqlite3.connect(folder / f"floor-{secrets.token_hex(4)}.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE log (number INTEGER PRIMARY KEY, bytes BLOB)")
    start = time.perf_counter()
    for update in data:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO log (bytes) VALUES (?)", (update,))
        connection.execute("COMMIT")
    seconds = time.perf_counter() - start
    connection.close()
    return len(data) / seconds


def ours(folder: Path, data: list[bytes], group: int) -> float:
    committer = make(folder)
    origin = object()
    start = time.perf_counter()
    for first in range(0, len(data), group):
        committer.commit(
            [
                OutsideUpdate(document="cues", update=update, actor=ACTOR, origin=origin)
                for update in data[first : first + group]
            ]
        )
    seconds = time.perf_counter() - start
    committer.storage.close()
    return len(data) / seconds


def run(*, count: int = 4000, rounds: int = 5) -> dict[str, Any]:
    data = updates(count)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = [
            {"floor": floor(folder, data), "single": ours(folder, data, 1), "grouped": ours(folder, data, 100)}
            for _ in range(rounds)
        ]
    middle = rounds // 2
    result: dict[str, Any] = {
        f"{key}_per_s": round(sorted(row[key] for row in rows)[middle]) for key in ("floor", "single", "grouped")
    }
    for key in ("single", "grouped"):
        result[f"{key}_to_floor"] = round(sorted(row[key] / row["floor"] for row in rows)[middle], 2)
    return result


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
