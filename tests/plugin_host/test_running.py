"""A plugin's code beside everything else."""

from __future__ import annotations

import threading

import anyio
import pytest

from openprod.errors import InvalidFile, LimitExceeded
from openprod.plugin_host import running
from openprod.plugin_host.running import run_aside


def test_what_it_gives_or_raises_comes_back() -> None:
    def refuse() -> None:
        raise InvalidFile("No.")

    assert anyio.run(run_aside, lambda: 7) == 7
    with pytest.raises(InvalidFile):
        anyio.run(run_aside, refuse)


def test_whoever_waits_is_told_when_it_does_not_come_to_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "LONGEST_S", 0.01)
    released = threading.Event()
    with pytest.raises(LimitExceeded) as told:
        anyio.run(run_aside, released.wait)
    released.set()
    assert told.value.hint


def test_whoever_is_cancelled_waits_no_longer() -> None:
    begun, released = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        released.wait()

    async def check() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run_aside, work)
            await anyio.to_thread.run_sync(begun.wait)
            tasks.cancel_scope.cancel()

    anyio.run(check)
    released.set()
