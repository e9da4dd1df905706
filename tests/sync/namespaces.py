"""Machines on a network of their own: network namespaces of Linux, for tests that are about networks."""

from __future__ import annotations

import ctypes
import os
import secrets
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

_CLONE_NEWNET = 0x40000000


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


@pytest.fixture
def machines() -> Iterator[tuple[str, str]]:
    """Two network namespaces with a cable in between: 10.77.0.1 and 10.77.0.2."""
    suffix = secrets.token_hex(3)
    with _namespaces(f"opd-a-{suffix}", f"opd-b-{suffix}") as (one, other):
        with _or_skipped():
            ip("link", "add", "eth0", "netns", one, "type", "veth", "peer", "name", "eth0", "netns", other)
            for number, name in enumerate((one, other), 1):
                ip("-n", name, "addr", "add", f"10.77.0.{number}/24", "dev", "eth0")
                ip("-n", name, "link", "set", "eth0", "up")
        yield one, other


class Bridge:
    """``machines``, each with a cable to one bridge: 10.77.0.1, 10.77.0.2 and so on."""

    def __init__(self, name: str, machines: tuple[str, ...]) -> None:
        self.name, self.machines = name, machines
        ip("-n", name, "link", "add", "br0", "type", "bridge")
        ip("-n", name, "link", "set", "br0", "up")
        for number, machine in enumerate(machines, 1):
            ip("link", "add", "eth0", "netns", machine, "type", "veth", "peer", "name", machine, "netns", name)
            ip("-n", name, "link", "set", machine, "master", "br0", "up")
            ip("-n", machine, "addr", "add", f"10.77.0.{number}/24", "dev", "eth0")
            ip("-n", machine, "link", "set", "eth0", "up")

    def pull(self, *machines: str) -> None:
        """Pull these machines' cables out of the bridge."""
        for machine in machines:
            ip("-n", self.name, "link", "set", machine, "down")

    def renumber(self, machine: str, number: int) -> None:
        """As a machine is that comes back to a network: under another address."""
        ip("-n", machine, "addr", "flush", "dev", "eth0")
        ip("-n", machine, "addr", "add", f"10.77.0.{number}/24", "dev", "eth0")

    def plug(self, *machines: str) -> None:
        for machine in machines:
            ip("-n", self.name, "link", "set", machine, "up")


@contextmanager
def bridged(count: int) -> Iterator[Bridge]:
    suffix = secrets.token_hex(2)
    with _namespaces(*(f"opd-{number}-{suffix}" for number in range(count + 1))) as (bridge, *machines):
        with _or_skipped():
            made = Bridge(bridge, tuple(machines))
        yield made


@contextmanager
def _namespaces(*names: str) -> Iterator[tuple[str, ...]]:
    """Each with nothing but its own loopback interface."""
    try:
        with _or_skipped():
            for name in names:
                ip("netns", "add", name)
                ip("-n", name, "link", "set", "lo", "up")
        yield names
    finally:
        for name in names:
            with suppress(OSError):
                subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


@contextmanager
def _or_skipped() -> Iterator[None]:
    """tests/conftest.py says so at the end of the run."""
    try:
        yield
    except (OSError, subprocess.CalledProcessError) as error:
        why = getattr(error, "stderr", "") or error
        pytest.skip(f"NOT TESTED: several machines on a network, for network namespaces are forbidden here: {why}")


def inside(name: str) -> ThreadPoolExecutor:
    """A thread of this process that is in that network namespace."""

    def enter() -> None:
        place = os.open(Path("/run/netns") / name, os.O_RDONLY)
        try:
            libc = ctypes.CDLL(None, use_errno=True)
            if libc.setns(place, _CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), f"can't enter {name}")
        finally:
            os.close(place)

    return ThreadPoolExecutor(1, name, enter)
