"""`openprod discover`, by real mDNS on the loopback interface."""

from __future__ import annotations

import asyncio
import json
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import pytest

from openprod.cli.main import main
from openprod.sync.discovery import Announcement, Discovery
from openprod.sync.known import KnownDevices

WORKSPACE = "ws_01ARZ3NDEKTSV4RRFFQ69G5FAV"
LOOPBACK = "127.0.0.1"
SECONDS_MAX = 60


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OPENPROD_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@contextmanager
def announced(device: str, port: int) -> Iterator[None]:
    """A device that is announced, from a thread of its own, as soon as it can be found."""
    ready = threading.Event()
    over: list[tuple[asyncio.AbstractEventLoop, anyio.CancelScope]] = []

    async def play() -> None:
        one = Discovery(interfaces=lambda: [LOOPBACK])
        one.announce(Announcement(device, port, WORKSPACE))
        async with anyio.create_task_group() as tasks:
            over.append((asyncio.get_running_loop(), tasks.cancel_scope))
            tasks.start_soon(one.run)
            while device not in {it.device for it in one.found()}:
                await one.changed()
            ready.set()

    thread = threading.Thread(target=lambda: anyio.run(play))
    thread.start()
    try:
        assert ready.wait(SECONDS_MAX)
        yield
    finally:
        loop, scope = over[0]
        loop.call_soon_threadsafe(scope.cancel)
        thread.join()


def look(capsys: pytest.CaptureFixture[str], device: str, *options: str) -> dict[str, object]:
    """What is said of ``device``; the network is asked again until it answers."""
    for _ in range(10):
        assert main(["discover", "--seconds", "3", "--interface", LOOPBACK, "--json", *options]) == 0
        for one in json.loads(capsys.readouterr().out)["devices"]:
            if one["device"] == device:
                return dict(one)
    raise AssertionError("it wasn't found")


def test_who_hosts_is_listed_and_known_once_it_was_met(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    device = secrets.token_hex(8)
    with announced(device, 8041):
        found = look(capsys, device)
        assert (found["addresses"], found["known"], found["name"]) == (["127.0.0.1:8041"], False, "")
        KnownDevices(home / "peers", WORKSPACE).add(device, "Sam", [])
        found = look(capsys, device)
        assert (found["known"], found["name"], found["workspace"]) == (True, "Sam", WORKSPACE)
        assert main(["discover", "--seconds", "3", "--interface", LOOPBACK]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines[0].split("\t") == ["device", "name", "addresses", "known"]
        assert [device[:8], "Sam", "127.0.0.1:8041", "yes"] in [line.split("\t") for line in lines]


def test_a_device_that_may_not_look_is_told_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["discover", "--seconds", "0.5", "--interface", "203.0.113.7"]) == 1
    shown = capsys.readouterr().err
    assert "error[UNREACHABLE]" in shown
    assert "link" in shown
    assert "QR" in shown
