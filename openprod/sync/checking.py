"""Signatures of many bundles, verified ahead of their being taken in, by a process of its own on another core.

A signature is a third of what a bundle takes. On a thread it would gain nothing: the interpreter, handed to and fro for
every signature, costs as much. The process knows nothing and decides nothing but this; it begins when many bundles come
and ends when no more do, or when its node is gone. Where it can't be, or says no, whoever takes the bundles in verifies
them, as ever, and says what is wrong.
"""

from __future__ import annotations

import asyncio
import logging
import os
import struct
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import IO, Final

import anyio
import msgspec
from anyio.abc import Process

from openprod.core.bundles import SignedBundle, verify
from openprod.errors import Untrusted

MANY: Final = 128
"""Fewer are verified sooner than they are handed over."""
IDLE_S: Final = 10.0
ANSWER_S: Final = 10.0
"""A hundred times what the most takes: who is silent so long was stopped, and what came waits for it no longer."""
_LENGTH: Final = struct.Struct(">I")
_UP, _YES, _NO = b"u", b"y", b"n"
_COMMAND: Final = (sys.executable, "-P", "-c", "from openprod.sync.checking import main; main()")
_log = logging.getLogger(__name__)


class _Task(msgspec.Struct, array_like=True):
    workspace: str
    bundles: list[SignedBundle]


class Checking:
    """``run`` is to run while ``begin`` is called. Used on one event loop."""

    def __init__(self, workspace: str, command: Sequence[str] = _COMMAND) -> None:
        self._workspace, self._command = workspace, command
        self._able = (os.cpu_count() or 1) > 1
        self._wanted = asyncio.Event()
        self._waiting: asyncio.Queue[tuple[Sequence[SignedBundle], asyncio.Future[bool]]] = asyncio.Queue()
        self._up = False

    def expect(self) -> None:
        """Many come soon."""
        self._wanted.set()

    def begin(self, bundles: Sequence[SignedBundle]) -> asyncio.Future[bool] | None:
        """Whether all their signatures hold, once that is known. None: nobody looks."""
        if len(bundles) < MANY or not self._able:
            return None
        if not self._up:
            self.expect()  # those that come after these
            return None
        verdict: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.put_nowait((bundles, verdict))
        return verdict

    async def run(self) -> None:
        """Until cancelled."""
        while self._able:
            await self._wanted.wait()
            try:
                process = await anyio.open_process(self._command, stderr=subprocess.DEVNULL)
                async with process:
                    try:
                        await self._work_with(process)
                    finally:
                        with suppress(ProcessLookupError):
                            process.kill()  # it may be stopped, and wouldn't end by itself
            except (OSError, anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
                _log.warning("signatures are verified one after the other: %r", error)
                self._able = False
            finally:
                self._up = False
                while not self._waiting.empty():
                    _tell(self._waiting.get_nowait()[1], verdict=False)

    async def _work_with(self, process: Process) -> None:
        """Until nothing has come for a while."""
        assert process.stdin is not None
        assert process.stdout is not None
        if await process.stdout.receive(1) != _UP:
            raise anyio.EndOfStream
        self._up = True
        self._wanted.clear()
        while True:
            with anyio.move_on_after(IDLE_S) as waiting:
                bundles, verdict = await self._waiting.get()
            if waiting.cancelled_caught:
                self._up = False
                return
            answer = _NO
            try:
                task = msgspec.msgpack.encode(_Task(self._workspace, list(bundles)))
                with anyio.fail_after(ANSWER_S):
                    await process.stdin.send(_LENGTH.pack(len(task)) + task)
                    answer = await process.stdout.receive(1)
            finally:
                _tell(verdict, verdict=answer == _YES)


def _tell(future: asyncio.Future[bool], *, verdict: bool) -> None:
    if not future.done():
        future.set_result(verdict)


def main() -> None:
    """The process: tasks come in, a letter for each goes out, until there are no more."""
    with suppress(KeyboardInterrupt, BrokenPipeError), open(0, "rb") as asked, open(1, "wb") as answers:
        _answer_all(asked, answers)


def _answer_all(asked: IO[bytes], answers: IO[bytes]) -> None:
    answers.write(_UP)
    answers.flush()
    while len(head := asked.read(_LENGTH.size)) == _LENGTH.size:
        answers.write(_YES if _all_hold(asked.read(*_LENGTH.unpack(head))) else _NO)
        answers.flush()


def _all_hold(data: bytes) -> bool:
    try:
        task = msgspec.msgpack.decode(data, type=_Task)
        for one in task.bundles:
            verify(one, workspace=task.workspace)
    except (msgspec.MsgspecError, Untrusted):
        return False
    return True
