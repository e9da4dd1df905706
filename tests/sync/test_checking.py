"""Signatures verified ahead, by a process of its own: what it says, and that nothing hangs on it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from openprod.core.bundles import SignedBundle
from openprod.sync import checking
from openprod.sync.checking import MANY, Checking
from tests.sync.test_catchup import Author

NOTED = (
    "import os; from pathlib import Path; from openprod.sync.checking import main;"
    " Path({!r}).write_text(str(os.getpid())); main()"
)
SECONDS_MAX = 60


def bundles(count: int = MANY) -> list[SignedBundle]:
    alex = Author("alex")
    return [alex.write(str(number)) for number in range(count)]


async def up(one: Checking) -> None:
    one.expect()
    while one.begin(bundles()) is None:
        await asyncio.sleep(0.01)


async def verdict(one: Checking, what: list[SignedBundle]) -> bool:
    found = one.begin(what)
    assert found is not None
    return await found


def play(scene: Callable[[Checking, Path], Awaitable[None]], folder: Path) -> None:
    async def run() -> None:
        one = Checking("ws_test", (sys.executable, "-c", NOTED.format(str(folder / "pid"))))
        async with asyncio.timeout(SECONDS_MAX):
            running = asyncio.create_task(one.run())
            await scene(one, folder / "pid")
            running.cancel()
            await asyncio.wait([running])

    asyncio.run(run())


def is_there(pid: int) -> bool:
    """Whether it runs: one that has ended and that nobody has asked for doesn't."""
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:1]
    except (FileNotFoundError, ProcessLookupError):  # it went before, or while it was read
        return False


async def gone(pid: int) -> None:
    async with asyncio.timeout(SECONDS_MAX):
        while is_there(pid):
            await asyncio.sleep(0.01)


def test_it_says_whether_all_hold(tmp_path: Path) -> None:
    async def scene(one: Checking, _pid: Path) -> None:
        good = bundles()
        assert one.begin(good) is None, "nobody is there yet; the first wait for nobody"
        await up(one)
        assert await verdict(one, good)
        assert one.begin(good[1:]) is None, "few are verified sooner by whoever takes them in"
        for at in (0, MANY // 2, MANY - 1):
            altered = list(good)
            altered[at] = SignedBundle(good[at].body, good[at - 1].signature)
            assert not await verdict(one, altered)
        foreign = [*good[:-1], SignedBundle(good[-1].body.replace(b"ws_test", b"ws_tesu"), good[-1].signature)]
        assert not await verdict(one, foreign)
        assert not await verdict(one, [*good, SignedBundle(b"garbage", b"")])
        several = [one.begin(good), one.begin(foreign), one.begin(good)]
        assert [await found for found in several if found] == [True, False, True]

    play(scene, tmp_path)


def test_killed_it_leaves_the_work_to_others(tmp_path: Path) -> None:
    async def scene(one: Checking, pid: Path) -> None:
        await up(one)
        os.kill(int(pid.read_text()), signal.SIGSTOP)
        waiting = [one.begin(bundles()) for _ in range(3)]
        os.kill(int(pid.read_text()), signal.SIGKILL)
        assert [await found for found in waiting if found] == [False] * 3
        while one.begin(bundles()) is not None:
            await asyncio.sleep(0)
        one.expect()
        assert one.begin(bundles()) is None

    play(scene, tmp_path)


def test_stopped_it_is_waited_for_no_longer_than_an_answer_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    """Else what came over these connections would wait for ever, and so would their ends."""

    async def scene(one: Checking, pid: Path) -> None:
        await up(one)
        os.kill(int(pid.read_text()), signal.SIGSTOP)
        waiting = [one.begin(bundles()) for _ in range(3)]
        assert [await found for found in waiting if found] == [False] * 3
        await gone(int(pid.read_text()))
        assert one.begin(bundles()) is None

    monkeypatch.setattr(checking, "ANSWER_S", 0.2, raising=False)
    play(scene, tmp_path)


def test_stopped_it_keeps_no_node_from_ending(tmp_path: Path) -> None:
    async def scene(one: Checking, pid: Path) -> None:
        await up(one)
        assert await verdict(one, bundles())
        os.kill(int(pid.read_text()), signal.SIGSTOP)
        one.begin(bundles())

    play(scene, tmp_path)
    asyncio.run(gone(int((tmp_path / "pid").read_text())))


def test_where_no_process_can_be(tmp_path: Path) -> None:
    async def scene() -> None:
        for command in ((str(tmp_path / "nothing"),), (sys.executable, "-c", "print()"), (sys.executable, "-c", "1/0")):
            one = Checking("ws_test", command)
            one.expect()
            async with asyncio.timeout(SECONDS_MAX):
                await one.run()
            assert one.begin(bundles()) is None

    asyncio.run(scene())


def test_it_ends_when_no_more_come_and_begins_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(one: Checking, pid: Path) -> None:
        await up(one)
        assert await verdict(one, bundles())
        first = int(pid.read_text())
        await gone(first)
        await up(one)
        assert int(pid.read_text()) != first

    monkeypatch.setattr(checking, "IDLE_S", 0.05)
    play(scene, tmp_path)


def test_it_ends_with_its_node(tmp_path: Path) -> None:
    """Also when that is killed."""
    node = (
        "import asyncio, sys; from tests.sync.test_checking import *\n"
        "async def main():\n"
        "    one = Checking('ws_test', (sys.executable, '-c', NOTED.format(sys.argv[1])))\n"
        "    running = asyncio.create_task(one.run())\n"
        "    await up(one)\n"
        "    print('up', flush=True)\n"
        "    await running\n"
        "asyncio.run(main())\n"
    )
    pid = tmp_path / "pid"
    with subprocess.Popen([sys.executable, "-c", node, str(pid)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "up\n"
        assert is_there(int(pid.read_text()))
        parent.kill()
    asyncio.run(gone(int(pid.read_text())))
