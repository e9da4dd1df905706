"""Devices find each other by real mDNS: on this machine's loopback interface, and in network namespaces."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from zeroconf.asyncio import AsyncServiceInfo

from openprod.sync import discovery
from openprod.sync.discovery import (
    NO_NETWORK,
    REFUSED,
    SERVICE,
    TXT_BYTES_MAX,
    Announcement,
    Discovery,
    Found,
    read_txt,
    recognition,
    txt,
)
from tests.sync.namespaces import ip, machines

__all__ = ["machines"]

SECONDS_MAX = 60
WORKSPACE = "ws_01ARZ3NDEKTSV4RRFFQ69G5FAV"
ROOT = Path(__file__).parent.parent.parent
LOOPBACK = "127.0.0.1"


def device() -> str:
    """Another one each time: what an earlier test announced may still be on the air."""
    return secrets.token_hex(8)


# -- what is on the air ------------------------------------------------------------------------------------


def announced(term: int = 7) -> Announcement:
    return Announcement("0123456789abcdef", 8041, WORKSPACE, "f" * 32, term)


def test_what_is_announced_is_small_and_says_no_names() -> None:
    """INV-PAIR-2."""
    said = txt(announced(10**12)._replace(code=True), 20_000)
    record = AsyncServiceInfo(SERVICE, f"x.{SERVICE}", port=1, properties=said).text
    assert len(record) < TXT_BYTES_MAX
    assert set(said) == {"v", "d", "s", "t", "p", "c"}
    assert WORKSPACE not in repr(record)


def test_members_know_it_again_and_strangers_do_not() -> None:
    said = {key.encode(): value.encode() for key, value in txt(announced(), 20_000).items()}
    found = read_txt(said, ["192.168.1.20"], 8041)
    assert found is not None
    assert found[:5] == ("0123456789abcdef", ("192.168.1.20:8041",), "f" * 32, 7, 8041)
    assert all(found.is_of(WORKSPACE, day) for day in (19_999, 20_000, 20_001))
    assert not found.is_of(WORKSPACE, 20_002)
    assert not found.is_of("ws_other", 20_000)
    assert not found.code
    assert read_txt({**said, b"c": b"1"}, ["192.168.1.20"], 8041) == found._replace(code=True)
    # What one device announces isn't another's, and says nothing tomorrow.
    values = {
        recognition(WORKSPACE, day, one, port) for day in (1, 2) for one in ("a" * 16, "b" * 16) for port in (1, 2)
    }
    assert len(values) == 8


@given(st.dictionaries(st.sampled_from([b"v", b"d", b"s", b"t", b"p", b"x"]), st.none() | st.binary(max_size=60)))
def test_hostile_records_are_passed_over(properties: dict[bytes, bytes | None]) -> None:
    assert read_txt(properties, ["10.0.0.1"], 8041) is None


@given(st.sampled_from("vdstp"), st.binary(max_size=60), st.integers(0, 60))
def test_one_hostile_value_is_passed_over_or_fits(key: str, value: bytes, place: int) -> None:
    good = {name.encode(): text.encode() for name, text in txt(announced(), 1).items()}
    before = good[key.encode()]
    found = read_txt({**good, key.encode(): before[:place] + value}, ["10.0.0.1"], 8041)
    assert found is None or (len(found.device), len(found.recognition)) == (16, 16)
    assert read_txt(good, [], 8041) is None
    assert read_txt(good, ["10.0.0.1"], None) is None


# -- on this machine ---------------------------------------------------------------------------------------


async def until(one: Discovery, holds: Callable[[list[Found]], bool]) -> list[Found]:
    with anyio.fail_after(SECONDS_MAX):
        while not holds(one.found()):
            await one.changed()
    return one.found()


def on_loopback(play: Callable[[Discovery, Discovery], Awaitable[None]]) -> None:
    async def scene() -> None:
        one, other = (Discovery(interfaces=lambda: [LOOPBACK], poll_s=0.2) for _ in range(2))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(one.run)
            tasks.start_soon(other.run)
            await play(one, other)
            tasks.cancel_scope.cancel()

    anyio.run(scene)


def test_two_find_each_other_follow_changes_and_hear_the_goodbye() -> None:
    a, b = device(), device()

    async def play(one: Discovery, other: Discovery) -> None:
        one.announce(Announcement(a, 8041, WORKSPACE))
        other.announce(Announcement(b, 8042, "ws_other"))
        seen = await until(other, lambda found: a in {it.device for it in found})
        (first,) = (it for it in seen if it.device == a)
        assert first.addresses == ("127.0.0.1:8041",)
        assert first.is_of(WORKSPACE, discovery.today())
        await until(one, lambda found: b in {it.device for it in found})
        one.announce(Announcement(a, 8041, WORKSPACE, "e" * 32, 4))
        await until(other, lambda found: (a, "e" * 32, 4) in {(it.device, it.gathering, it.term) for it in found})
        one.announce(Announcement(a, 9000, WORKSPACE, "e" * 32, 4))
        await until(other, lambda found: [it.port for it in found if it.device == a] == [9000])
        one.announce(None)
        await until(other, lambda found: a not in {it.device for it in found})
        assert one.problem == other.problem == ""

    on_loopback(play)


def test_two_productions_on_one_device_are_two() -> None:
    a = device()

    async def play(one: Discovery, other: Discovery) -> None:
        one.announce(Announcement(a, 8041, WORKSPACE))
        other.announce(Announcement(a, 8043, "ws_other"))
        found = await until(one, lambda found: [it.device for it in found].count(a) == 2)
        mine = {it.port: it.is_of(WORKSPACE, discovery.today()) for it in found if it.device == a}
        assert mine == {8041: True, 8043: False}

    on_loopback(play)


def test_another_day_is_another_recognition() -> None:
    a, day = device(), [20_000]

    async def scene() -> None:
        one = Discovery(interfaces=lambda: [LOOPBACK], day=lambda: day[0], poll_s=0.2)
        one.announce(Announcement(a, 8041, WORKSPACE))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(one.run)
            await until(one, lambda found: any(it.device == a and it.is_of(WORKSPACE, 20_000) for it in found))
            day[0] = 20_007
            await until(one, lambda found: any(it.device == a and it.is_of(WORKSPACE, 20_007) for it in found))
            tasks.cancel_scope.cancel()

    anyio.run(scene)


# -- networks that refuse, come and go ---------------------------------------------------------------------


async def told(one: Discovery, problem: str) -> None:
    with anyio.fail_after(SECONDS_MAX):
        while one.problem != problem:
            await one.changed()


def test_it_says_when_there_is_no_network_and_goes_on_when_there_is() -> None:
    addresses: list[str] = []
    a = device()

    async def scene() -> None:
        one = Discovery(interfaces=lambda: list(addresses), poll_s=0.05)
        one.announce(Announcement(a, 8041, WORKSPACE))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(one.run)
            await told(one, NO_NETWORK)
            addresses.append(LOOPBACK)
            await until(one, lambda found: a in {it.device for it in found})
            assert one.problem == ""
            addresses.clear()
            await told(one, NO_NETWORK)
            assert one.found() == []
            tasks.cancel_scope.cancel()

    anyio.run(scene)


def test_it_says_when_every_interface_refuses() -> None:
    async def scene() -> None:
        # An address that this device hasn't got can't be spoken from (TEST-NET-3, RFC 5737).
        one = Discovery(interfaces=lambda: ["203.0.113.7"], poll_s=0.05)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(one.run)
            await told(one, REFUSED)
            tasks.cancel_scope.cancel()

    anyio.run(scene)


def test_it_says_when_the_system_lets_nobody_listen(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: Any, **_named: Any) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(discovery, "AsyncZeroconf", refuse)

    async def scene() -> None:
        one = Discovery(interfaces=lambda: [LOOPBACK], poll_s=0.05)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(one.run)
            await told(one, REFUSED)
            monkeypatch.undo()
            await told(one, "")
            tasks.cancel_scope.cancel()

    anyio.run(scene)


def test_addresses_are_those_on_networks_with_others() -> None:
    assert all(not address.startswith("127.") for address in discovery.own_addresses())
    for address in discovery.own_addresses():
        socket.inet_aton(address)


# -- two machines ------------------------------------------------------------------------------------------


class Machine:
    """A process in a namespace; ``last`` is the line that it printed last."""

    def __init__(self, name: str, *arguments: str) -> None:
        self.last: dict[str, Any] = {"found": [], "problem": None}
        self._changed = threading.Condition()
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", name, sys.executable, str(Path(__file__).parent / "discovery_node.py"), *arguments],
            stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._changed:
                self.last = json.loads(line)
                self._changed.notify_all()

    def until(self, holds: Callable[[dict[str, Any]], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: holds(self.last), SECONDS_MAX), self.last

    def finds(self, *devices: str) -> None:
        self.until(lambda last: {it["device"] for it in last["found"]} == set(devices))

    def __enter__(self) -> Machine:
        return self

    def __exit__(self, *_error: object) -> None:
        self.process.terminate()
        self.process.wait()
        self._reading.join()
        assert self.process.stdout is not None
        self.process.stdout.close()


def test_two_machines_find_each_other_and_each_others_new_address(machines: tuple[str, str]) -> None:
    a, b = device(), device()
    with Machine(machines[0], a, "8041", WORKSPACE) as one, Machine(machines[1], b, "8041", WORKSPACE) as other:
        other.finds(a)
        one.finds(b)
        (seen,) = other.last["found"]
        assert seen == {"device": a, "addresses": ["10.77.0.1:8041"], "known": True}
        # Another network: the new address is the first to be tried; the old one may be remembered for a while.
        ip("-n", machines[0], "addr", "flush", "dev", "eth0")
        ip("-n", machines[0], "addr", "add", "10.77.0.9/24", "dev", "eth0")
        other.until(lambda last: any(it["addresses"][0] == "10.77.0.9:8041" for it in last["found"]))


def test_a_machine_whose_network_refuses_says_so_and_finds_others_later(machines: tuple[str, str]) -> None:
    a = device()
    ip("-n", machines[1], "link", "set", "eth0", "down")
    with Machine(machines[0], a, "8041", WORKSPACE), Machine(machines[1], "-", "0", WORKSPACE) as other:
        other.until(lambda last: last["problem"] == REFUSED)
        ip("-n", machines[1], "link", "set", "eth0", "up")
        other.finds(a)
        assert other.last["problem"] == ""
