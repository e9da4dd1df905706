"""Laptops in a gathering: real processes on the loopback interface. Nothing sleeps: every wait ends with what it is
for, or after ``SECONDS_MAX``, and then shows what was instead.
"""

from __future__ import annotations

import hashlib
import json
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from openprod.running import NO_CERTIFICATES, read_record
from tests.cli.program import Laptop, Process

SECONDS_MAX = 60
REACH = ("--listen", "127.0.0.1", "--peer-port", "0", "--port", "0")
SHOW = "show.openprod"


class Gathered:
    """A laptop with ``show.openprod`` and, while it is up, the node that serves it."""

    def __init__(self, folder: Path, person: str, place: str = "") -> None:
        (folder / person).mkdir(parents=True)
        self.laptop = Laptop(folder / person, person, place)
        self.folder = self.laptop.folder / SHOW
        self.process: Process | None = None

    # -- as a process --------------------------------------------------------------------------------------

    def host(self, *options: str) -> str:
        """A link; nobody is asked about who comes with it, unless there are other options."""
        self.process = self.laptop.start("host", SHOW, *REACH, *(options or ("--trust-link",)))
        return self._printed("openprod://")

    def serve(self) -> None:
        self.process = self.laptop.start("serve", SHOW, "--port", "0", "--no-browser")
        self._printed("listening on")

    def hub(self, port: int = 0) -> None:
        """Until its gathering is open."""
        self.process = self.laptop.start(
            "serve", SHOW, "--hub", "--listen", "127.0.0.1", "--peer-port", str(port), "--port", "0"
        )
        self._printed("listening on")
        self.until(lambda session: session["in_session"], "the hub's gathering")

    def link(self, role: str = "editor") -> str:
        """For one device more, from a node that hosts; nobody is asked about it."""
        return str(self.call("POST", "/session/host", {"role": role, "trust_link": True})["link"])

    def join(self, link: str = "", *options: str) -> None:
        """Until it has joined."""
        self.join_later(link, *options)
        self._printed("Joined")

    def join_later(self, link: str = "", *options: str) -> None:
        """Until the node answers; what comes then is asked about."""
        # Nobody answers at its terminal yet; who does so writes to ``process.stdin``.
        self.process = self.laptop.start("join", *([link] if link else []), SHOW, *REACH, *options, asks=True)
        self._printed("listening on")

    def _printed(self, start: str) -> str:
        assert self.process is not None
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith(start):
                return line.strip()
        raise AssertionError(self.process.communicate()[1])

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.communicate()
        self.process = None

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            err = self.process.communicate(timeout=SECONDS_MAX)[1]
            assert "Traceback" not in err, err
            self.process = None

    # -- over HTTP -----------------------------------------------------------------------------------------

    def _http(self, method: str, path: str, **what: Any) -> httpx.Response:
        record = read_record(self.folder)
        assert record is not None, f"{self.laptop.person}'s node is down"
        return httpx.request(
            method, f"{record.url}/api/v1{path}", trust_env=False, timeout=SECONDS_MAX,
            verify=NO_CERTIFICATES,
            headers={"authorization": f"Bearer {record.token}"}, **what,
        )  # fmt: skip

    def call(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        response = self._http(method, path, params=query, json=body)
        found = response.json()
        if response.status_code >= 400:
            raise Refused(found["error"]["code"], found["error"]["sentence"])
        return found

    def session(self) -> dict[str, Any]:
        found: dict[str, Any] = self.call("GET", "/session")
        return found

    def until(self, holds: Callable[[dict[str, Any]], object], what: str = "", *, every_s: float = 5) -> dict[str, Any]:
        """The first state of the session of which ``holds`` is true."""
        deadline = time.monotonic() + SECONDS_MAX
        found = self.session()
        while not holds(found):
            shown = json.dumps(found, indent=1)
            assert time.monotonic() < deadline, f"{self.laptop.person} waited in vain for {what}: {shown}"
            found = self.call("GET", "/session", after=found["revision"], wait=every_s)
        return found

    def plan(self) -> dict[str, Any]:
        found: dict[str, Any] = self.until(lambda session: session["plans"], "a plan")["plans"][0]
        return found

    def approve(self) -> None:
        self.call("POST", "/session/approve", {"plan": self.plan()["id"]})

    def together(self, *others: Gathered) -> None:
        """Until these are here, and nobody else."""
        wanted = {one.laptop.person for one in (self, *others)}
        self.until(
            lambda session: session["leader"]
            and {one["name"] for one in session["members"] if one["here"]} == wanted,
            f"{wanted}",
        )  # fmt: skip

    def create(self, entity: str, label: str) -> None:
        """A cue."""
        self._commit({"op": "create_entity", "entity": entity, "facets": {"cues.cue": {"label": label}}})

    def label(self, entity: str, label: str) -> None:
        self.set(entity, "label", label)

    def set(self, entity: str, field: str, value: str) -> None:
        self._commit({"op": "set_field", "entity": entity, "facet": "cues.cue", "field": field, "value": value})

    def _commit(self, operation: dict[str, Any]) -> None:
        self.call("POST", "/bundles", {"operations": [operation]})

    def store(self, data: bytes) -> str:
        """``blob:<hash>``, which a cue names."""
        name = hashlib.sha256(data).hexdigest()
        stored = str(self._http("PUT", f"/blobs/{name}", content=data).json()["blob"])
        self.create(f"cue_{name[:8]}", stored)
        return stored

    def stored(self, name: str) -> bytes:
        """A stored file, once it is here."""
        arrived = self.folder / "blobs" / name.removeprefix("blob:")
        self.until(lambda _session: arrived.exists(), name, every_s=0.2)
        return self._http("GET", f"/blobs/{arrived.name}").content

    def spread(self, devices: int) -> None:
        """Until the latest edit of this one is on the leader and on so many other devices."""
        self.until(
            lambda session: session["mine"]["on_leader"] and session["mine"]["devices"] >= devices,
            f"an edit to reach {devices}",
        )

    def hash(self) -> str:
        return str(self.call("GET", "/state-hash")["state_hash"])

    def conflicts(self) -> list[str]:
        return sorted(one["id"] for one in self.call("GET", "/conflicts")["conflicts"])

    def bundles(self) -> set[str]:
        return {one["bundle"] for one in self.call("GET", "/log", limit=1000)["bundles"]}


class Refused(Exception):
    pass


@contextmanager
def laptops(folder: Path, *people: str) -> Iterator[list[Gathered]]:
    """The first has a small production."""
    made = [Gathered(folder, person) for person in people]
    made[0].laptop.done("new", SHOW, "--name", "A Show", "--plugin", "cues")
    try:
        yield made
        for one in made:
            one.stop()
    finally:
        for one in made:
            if one.process is not None:
                one.kill()
