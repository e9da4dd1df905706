"""Runs a plugin's code beside everything else, so that nothing ever waits for it for good."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Final, TypeVar

import anyio
from anyio import RunFinishedError, from_thread
from anyio.lowlevel import current_token

from openprod.errors import LimitExceeded

T = TypeVar("T")

LONGEST_S: Final = 300
"""How long a plugin may take for one file or view: ten times what the largest takes on a slow laptop."""
WAKE_S: Final = 0.5


async def run_aside(work: Callable[[], T]) -> T:
    """What ``work``, a plugin's code, gives or raises. Raises LimitExceeded when it doesn't come to an end.

    A thread can't be ended from outside. This one is left to itself when the caller is cancelled or has waited long
    enough, and the process ends without it: a plugin that loops can't keep a command or a node from ending.
    """
    done, token = anyio.Event(), current_token()
    outcome: Future[T] = Future()

    def run() -> None:
        try:
            outcome.set_result(work())
        except BaseException as error:
            outcome.set_exception(error)
        with suppress(RunFinishedError):  # nobody waits any more
            from_thread.run_sync(done.set, token=token)

    threading.Thread(target=run, name="plugin", daemon=True).start()
    with anyio.move_on_after(LONGEST_S):
        while not done.is_set():
            # Ctrl-C that comes just before the loop goes to sleep is noticed when it wakes.
            with anyio.move_on_after(WAKE_S):
                await done.wait()
        return outcome.result()
    raise LimitExceeded(
        f"The plugin didn't come to an end within {LONGEST_S // 60} minutes.",
        hint="Nothing was changed. Give it less at once, or tell its author.",
    )
