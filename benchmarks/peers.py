"""Peers, between real nodes in processes of their own, over TLS on the loopback interface, on this machine's disk.

    python -m benchmarks.peers                                    # all four, as the targets say
    python -m benchmarks.peers --small                            # a tenth of it, to see that it works
    python -m benchmarks.peers catch_up --bundles 2000

- catch_up: a member that was away and made edits of its own comes back to BUNDLES of the other's. From the second
  approval to the last bundle in its file: verified, committed, conflicts found. ``by_bundles``: as they are streamed;
  ``by_copy``: an empty replica, which gets a whole copy. Floor: one core that verifies the same bundles and commits
  them to one table, 256 at a time, FULL.
- bootstrap: a newcomer to a workspace of MB, most of it stored files. From joining to the last byte. Floor: the same
  files over one TLS socket to the same disk. ``gigabit``: both over a network of 1 Gbit/s, the fastest that laptops
  meet (a network namespace whose loopback is shaped; Linux). Without it, from memory to memory, where both nodes'
  processors are all there is to wait for.
- live: an edit asked for at the leader's HTTP, until it is read by each of FOLLOWERS. Floor: a bare server that passes
  on as many bytes to as many sockets.
- idle: processor time of a leader and of its follower, with nothing to do.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import inspect
import json
import os
import secrets
import socket
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import httpx
import pycrdt
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from openprod.core.bundles import SignedBundle, verify
from openprod.engine import identity
from openprod.engine.workspace import Workspace
from openprod.running import read_record
from openprod.sync import certificates

SHOW: Final = "show.openprod"
FIELDS: Final = 500
APART: Final = 100
PATIENCE_S: Final = 900
_PROGRAM: Final = "from openprod.cli.main import main; main()"
_BY_BUNDLES: Final = "import openprod.sync.copying as one; one.LACKING_MIN = 10**9; " + _PROGRAM


class Node:
    """A person's device; while ``process`` is up, the node that serves its show."""

    def __init__(self, folder: Path, person: str, program: str = _PROGRAM) -> None:
        self.home, self.folder, self._program = folder / f"{person}-home", folder / person / SHOW, program
        self.folder.parent.mkdir()
        self.person = person
        self.process: subprocess.Popen[str] | None = None
        self._http: httpx.Client | None = None

    @property
    def who(self) -> identity.Identity:
        return identity.load(self.home, name=self.person, device_name=self.person)

    def do(self, *words: str) -> None:
        subprocess.run([sys.executable, "-c", self._program, *words], check=True, env=self._environment(),
                       stdout=subprocess.DEVNULL)  # fmt: skip

    def start(self, *words: str, until: str) -> str:
        self.process = subprocess.Popen(
            [sys.executable, "-c", self._program, *words], env=self._environment(), text=True, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith(until):
                return line.strip()
        raise SystemExit(f"{self.person}'s node ended")

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "OPENPROD_HOME": str(self.home), "OPENPROD_USER": self.person}

    def host(self) -> str:
        return self.start("host", str(self.folder), "--trust-link", "--listen", "127.0.0.1", "--peer-port", "0",
                          "--port", "0", until="openprod://")  # fmt: skip

    def join(self, link: str) -> None:
        self.start("join", link, str(self.folder), "--yes", "--listen", "127.0.0.1", "--peer-port", "0", "--port", "0",
                   until="listening on")  # fmt: skip

    def call(self, method: str, path: str, body: Any = None) -> Any:
        if self._http is None:
            record = read_record(self.folder)
            assert record is not None
            self._http = httpx.Client(base_url=f"{record.url}/api/v1", timeout=PATIENCE_S, trust_env=False,
                                      headers={"authorization": f"Bearer {record.token}"})  # fmt: skip
        response = self._http.request(method, path, json=body)
        response.raise_for_status()
        return response.json()

    def approve(self) -> None:
        wait_for(lambda: self.call("GET", "/session")["plans"])
        self.call("POST", "/session/approve", {"plan": self.call("GET", "/session")["plans"][0]["id"]})

    def bundles(self) -> int:
        connection = sqlite3.connect(f"file:{self.folder / 'workspace.db'}?mode=ro", uri=True)
        try:
            return int(connection.execute("SELECT coalesce(max(number), 0) FROM bundle").fetchone()[0])
        except sqlite3.OperationalError:
            return 0  # it is being made
        finally:
            connection.close()

    def cpu_s(self) -> float:
        assert self.process is not None
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        if self._http is not None:
            self._http.close()
            self._http = None
        if self.process is not None:
            self.process.terminate()
            self.process.wait()
            assert self.process.stdout is not None
            self.process.stdout.close()
            self.process = None


@contextmanager
def nodes(*people: str, program: str = _PROGRAM) -> Iterator[list[Node]]:
    """The first has a production."""
    with tempfile.TemporaryDirectory(prefix="openprod-bench-") as folder:
        made = [Node(Path(folder), person, program) for person in people]
        made[0].do("new", str(made[0].folder), "--name", "Bench", "--plugin", "cues")
        try:
            yield made
        finally:
            for one in made:
                one.stop()


def wait_for(holds: Any, every_s: float = 0.01) -> float:
    """When it was so."""
    deadline = time.perf_counter() + PATIENCE_S
    while not holds():
        if time.perf_counter() > deadline:
            raise SystemExit("waited in vain")
        time.sleep(every_s)
    return time.perf_counter()


def edit(node: Node, count: int, *, client: int = 7) -> None:
    """``count`` bundles, one person's overwrites of 500 fields."""

    async def write() -> None:
        doc: pycrdt.Doc[Any] = pycrdt.Doc(client_id=client)
        made: list[bytes] = []
        async with Workspace.open(node.folder, identity_=node.who, home=node.home) as workspace:
            doc.apply_update(await workspace.state_as_update("cues"))
            fields = doc.get("cues.cue", type=pycrdt.Map)
            subscription = doc.observe(lambda event: made.append(event.update))
            for number in range(count):
                minute = (2 * number + client % 2) % 1440  # two people never agree
                fields[f"cue_{number % FIELDS}/start"] = f"{minute // 60:02d}:{minute % 60:02d}"
            doc.unobserve(subscription)
            for start in range(0, count, 1000):
                await asyncio.gather(
                    *(
                        workspace.enqueue_update("cues", update, actor=workspace.actor, origin=object())
                        for update in made[start : start + 1000]
                    )
                )

    asyncio.run(write())


def floor_of(node: Node, count: int) -> float:
    """Seconds to verify and store the last ``count`` bundles, and nothing else."""
    connection = sqlite3.connect(node.folder / "workspace.db")
    rows = connection.execute("SELECT body, signature FROM bundle ORDER BY number DESC LIMIT ?", (count,)).fetchall()
    workspace = connection.execute("SELECT value FROM meta WHERE name = 'workspace'").fetchone()[0]
    connection.close()
    with tempfile.TemporaryDirectory() as folder:
        target = sqlite3.connect(Path(folder) / "floor.db", isolation_level=None)
        target.execute("PRAGMA journal_mode = WAL")
        target.execute("PRAGMA synchronous = FULL")
        target.execute("CREATE TABLE bundle (number INTEGER PRIMARY KEY, hash BLOB, body BLOB, signature BLOB)")
        start = time.perf_counter()
        for first in range(0, len(rows), 256):
            target.execute("BEGIN IMMEDIATE")
            for body, signature in rows[first : first + 256]:
                verify(SignedBundle(body, signature), workspace=workspace)
                target.execute("INSERT INTO bundle (hash, body, signature) VALUES (?,?,?)",
                               (hashlib.sha256(body).digest(), body, signature))  # fmt: skip
            target.execute("COMMIT")
        seconds = time.perf_counter() - start
        target.close()
    return seconds


def catch_up(*, bundles: int = 10_000) -> dict[str, Any]:
    figures: dict[str, Any] = {"bundles": bundles}
    with nodes("alex", "blake", program=_BY_BUNDLES) as (alex, blake):
        edit(alex, FIELDS)
        blake.join(alex.host())
        wait_for(lambda: alex.bundles() == blake.bundles())
        alex.stop()
        blake.stop()
        edit(alex, bundles)
        edit(blake, APART, client=8)
        figures["floor_s"] = floor_of(alex, bundles)
        before = blake.bundles()
        link = alex.host()
        blake.start("serve", str(blake.folder), "--port", "0", "--no-browser", until="listening on")
        blake.call("POST", "/session/join", {"link": link, "listen": "127.0.0.1", "port": 0})
        blake.approve()
        wait_for(lambda: alex.call("GET", "/session")["plans"] or alex.call("GET", "/session")["members"][1:])
        start = time.perf_counter()
        if alex.call("GET", "/session")["plans"]:
            alex.approve()
        seconds = wait_for(lambda: blake.bundles() >= before + bundles) - start
        figures["by_bundles"] = _speed(bundles, seconds, figures["floor_s"])
        conflicts = blake.call("GET", "/conflicts?limit=1000")["conflicts"]
        figures["conflicts_found"] = len(conflicts)
    with nodes("alex", "blake") as (alex, blake):
        edit(alex, bundles)
        link, whole = alex.host(), alex.bundles()
        blake.join(link)
        start = wait_for(lambda: blake.call("GET", "/session")["in_session"])
        seconds = wait_for(lambda: blake.bundles() >= whole) - start
        figures["by_copy"] = _speed(bundles, seconds, figures["floor_s"])
    return figures


def _speed(bundles: int, seconds: float, floor: float) -> dict[str, float]:
    return {"seconds": round(seconds, 2), "per_s": round(bundles / seconds), "to_floor": round(floor / seconds, 2)}


def bootstrap(*, mb: int = 200, bundles: int = 5_000, file_mb: int = 4) -> dict[str, Any]:
    """A workspace of ``mb``: ``bundles`` of edits, the rest in stored files of ``file_mb``."""
    with nodes("alex", "blake") as (alex, blake):
        edit(alex, bundles)
        blobs = alex.folder / "blobs"
        blobs.mkdir()
        size = (alex.folder / "workspace.db").stat().st_size
        while size < mb * 2**20:
            data = secrets.token_bytes(min(file_mb * 2**20, max(1, mb * 2**20 - size)))
            (blobs / hashlib.sha256(data).hexdigest()).write_bytes(data)
            size += len(data)
        floor = _plain_copy([alex.folder / "workspace.db", *blobs.iterdir()], alex.home)
        names = {file.name for file in blobs.iterdir()}
        link, whole = alex.host(), alex.bundles()
        blake.join(link)
        start = wait_for(lambda: blake.call("GET", "/session")["in_session"])
        arrived = blake.folder / "blobs"
        taken = wait_for(lambda: blake.bundles() >= whole) - start
        seconds = wait_for(lambda: arrived.is_dir() and names <= {one.name for one in arrived.iterdir()}) - start
        assert alex.call("GET", "/state-hash") == blake.call("GET", "/state-hash")
        return {
            "mb": round(size / 2**20), "bundles": whole, "plain_copy_s": round(floor, 2), "seconds": round(seconds, 2),
            "to_plain_copy": round(floor / seconds, 2), "bundles_taken_in_s": round(taken, 2),
        }  # fmt: skip


def bootstrap_all(**options: int) -> dict[str, Any]:
    return {"memory": bootstrap(**options), "gigabit": _over("1gbit", options)}


def _over(rate: str, options: dict[str, int]) -> dict[str, Any]:
    """The same over a network of that rate."""
    words = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    script = f'ip link set lo up && tc qdisc add dev lo root tbf rate {rate} burst 512kb latency 100ms && exec "$@"'
    space = ["unshare", "--net", *([] if os.geteuid() == 0 else ["--map-root-user"]), "sh", "-c", script, "sh"]
    command = [*space, sys.executable, "-m", "benchmarks.peers", "bootstrap_here", *words]
    try:
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        return {"not_measured": f"no network can be shaped here: {error}"}
    found: dict[str, Any] = json.loads(done.stdout)["bootstrap_here"]
    return found


def _plain_copy(files: list[Path], home: Path) -> float:
    """Seconds for these files over one TLS socket, durable on the disk at the other end."""
    listening = socket.create_server(("127.0.0.1", 0))
    context = certificates.load(home).server_context()

    def send() -> None:
        near, _address = listening.accept()
        with context.wrap_socket(near, server_side=True) as secured:
            for file in files:
                with open(file, "rb") as source:
                    while data := source.read(192 * 1024):
                        secured.sendall(data)

    sending = threading.Thread(target=send)
    sending.start()
    script = (
        "import os, socket, sys, time; from openprod.sync.certificates import client_context\n"
        "with socket.create_connection(('127.0.0.1', int(sys.argv[1]))) as near, open(sys.argv[2], 'wb') as target:\n"
        "    start = time.perf_counter()\n"
        "    far = client_context().wrap_socket(near)\n"
        "    while data := far.recv(192 * 1024): target.write(data)\n"
        "    target.flush(); os.fsync(target.fileno()); print(time.perf_counter() - start)\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", script, str(listening.getsockname()[1]), str(Path(folder) / "copy")]
        seconds = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    sending.join()
    listening.close()
    return seconds


def live(*, followers: int = 20, edits: int = 200, every_s: float = 0.1) -> dict[str, Any]:
    with nodes("alex") as (alex,):
        links = [
            alex.host(),
            *(alex.call("POST", "/session/host", {"trust_link": True})["link"] for _ in range(followers - 1)),
        ]
        halves = [links[: followers // 2], links[followers // 2 :]]
        with _crowd([half for half in halves if half]) as crowd:
            before = alex.cpu_s()
            for number in range(edits):
                time.sleep(every_s)
                operation = {"op": "create_entity", "entity": f"cue_{number}",
                             "facets": {"cues.cue": {"label": f"asked:{time.monotonic_ns()}"}}}  # fmt: skip
                alex.call("POST", "/bundles", {"operations": [operation]})
            found = _delays(crowd)
            used = alex.cpu_s() - before
        floor = _bare_fan_out(alex.home, followers, edits, every_s)
    return {"followers": followers, "edits": edits, **_spread(found), "bare": _spread(floor),
            "leader_cpu_ms_an_edit": round(1000 * used / edits, 1), "lost": followers * edits - len(found)}  # fmt: skip


@contextmanager
def _crowd(parts: list[list[str]]) -> Iterator[list[subprocess.Popen[str]]]:
    crowd = [
        subprocess.Popen(
            [sys.executable, "-m", "benchmarks.load.followers", *words],
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for words in parts
    ]
    try:
        for one in crowd:
            assert one.stdout is not None
            if one.stdout.readline().strip() != "ready":
                raise SystemExit("the followers didn't come in")
        yield crowd
    finally:
        for one in crowd:
            one.kill()
            one.communicate()


def _delays(crowd: list[subprocess.Popen[str]]) -> list[float]:
    time.sleep(1)  # the last one is on its way
    found: list[float] = []
    for one in crowd:
        assert one.stdin is not None
        assert one.stdout is not None
        one.stdin.write("\n")
        one.stdin.flush()
        found += json.loads(one.stdout.readline())
    return found


def _bare_fan_out(home: Path, followers: int, edits: int, every_s: float) -> list[float]:
    async def measure() -> list[float]:
        here: set[ServerConnection] = set()

        async def accepted(one: ServerConnection) -> None:
            here.add(one)
            with suppress(ConnectionClosed):
                async for _frame in one:
                    pass

        context: ssl.SSLContext = certificates.load(home).server_context()
        async with serve(accepted, "127.0.0.1", 0, ssl=context, compression=None) as server:
            port = str(next(iter(server.sockets)).getsockname()[1])
            parts = [["bare", port, str(followers // 2)], ["bare", port, str(followers - followers // 2)]]
            with _crowd(parts) as crowd:
                while len(here) < followers:
                    await asyncio.sleep(0.05)
                for _ in range(edits):
                    await asyncio.sleep(every_s)
                    frame = b"asked:%d" % time.monotonic_ns() + bytes(500)
                    for one in here:
                        await one.send(frame)
                await asyncio.sleep(1)
                return await asyncio.to_thread(_delays, crowd)

    return asyncio.run(measure())


def _spread(delays: list[float]) -> dict[str, float]:
    ordered = sorted(delays)
    return {f"p{part}_ms": round(ordered[int(len(ordered) * part / 100)], 1) for part in (50, 95, 99)}


def idle(*, seconds: float = 30) -> dict[str, Any]:
    with nodes("alex", "blake") as (alex, blake):
        edit(alex, 200)
        blake.join(alex.host())
        wait_for(lambda: alex.bundles() == blake.bundles())
        time.sleep(3)  # what joining leaves to do
        before = alex.cpu_s(), blake.cpu_s()
        time.sleep(seconds)
        after = alex.cpu_s(), blake.cpu_s()
        used = [100 * (one - other) / seconds for one, other in zip(after, before, strict=True)]
        return {"leader_percent_of_a_core": round(used[0], 2), "follower_percent_of_a_core": round(used[1], 2)}


MEASURED: Final[dict[str, Callable[..., dict[str, Any]]]] = {
    "catch_up": catch_up,
    "bootstrap": bootstrap_all,
    "live": live,
    "idle": idle,
}
ALONE: Final[dict[str, Callable[..., dict[str, Any]]]] = {"bootstrap_here": bootstrap}
SMALL: Final[dict[str, dict[str, Any]]] = {
    "catch_up": {"bundles": 1_000}, "bootstrap": {"mb": 20, "bundles": 2_500}, "live": {"followers": 4, "edits": 20},
    "idle": {"seconds": 5},
}  # fmt: skip


def run() -> dict[str, Any]:
    return {name: measure() for name, measure in MEASURED.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[[], *MEASURED, *ALONE])
    parser.add_argument("--small", action="store_true")
    for name in ("bundles", "mb", "file-mb", "followers", "edits", "seconds"):
        parser.add_argument(f"--{name}", type=int)
    options = vars(parser.parse_args())
    for name in options["names"] or MEASURED:
        wanted = SMALL[name] if options["small"] else {}
        measure = {**MEASURED, **ALONE}[name]
        takes = inspect.signature(bootstrap if measure is bootstrap_all else measure).parameters
        wanted = {**wanted, **{key: value for key, value in options.items() if key in takes and value is not None}}
        print(json.dumps({name: measure(**wanted)}, indent=2), flush=True)


if __name__ == "__main__":
    main()
