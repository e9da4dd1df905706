"""The thread that owns a workspace: its storage, its live documents, its index.

Calls run in the order they were handed in. Commits that wait at the same time are taken together and share one
durable transaction. Results go back to the event loop they came from.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

from openprod.engine.commit import Committer
from openprod.engine.drafts import Outcome, Submission
from openprod.engine.events import Committed, Receipt
from openprod.errors import OpenprodError, StorageError

T = TypeVar("T")

GROUP_MAX = 512


class Worker:
    """``announce`` is called on the event loop, once per commit, before the commit's callers go on."""

    def __init__(self, make: Callable[[], Committer], announce: Callable[[Committed], None]) -> None:
        self._make = make
        self._announce = announce
        self._loop = asyncio.get_running_loop()
        self._queue: deque[tuple[asyncio.Future[Any], Submission | Callable[[Committer], Any]]] = deque()
        self._wake = threading.Condition()
        self._closing = False
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self._thread = threading.Thread(target=self._run, name="openprod-workspace", daemon=True)

    async def start(self) -> None:
        """Raises what opening the workspace raises."""
        self._thread.start()
        await self._ready

    async def stop(self) -> None:
        """Finish what was handed in, then end the thread."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        await self._loop.run_in_executor(None, self._thread.join)

    def call(self, function: Callable[[Committer], T]) -> asyncio.Future[T]:
        """Run ``function`` on the thread. It must not keep what it is given."""
        return self._put(function)

    def submit(self, submission: Submission) -> asyncio.Future[Receipt | None]:
        """Queue a commit. The order of calls is the order of commits."""
        return self._put(submission)

    def _put(self, item: Submission | Callable[[Committer], Any]) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = self._loop.create_future()
        with self._wake:
            if self._closing:
                future.set_exception(StorageError("The workspace is closed."))
                return future
            self._queue.append((future, item))
            if len(self._queue) == 1:
                self._wake.notify()
        return future

    # -- on the thread -------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            committer = self._make()
        except BaseException as error:
            self._loop.call_soon_threadsafe(_fail, self._ready, error)
            return
        self._loop.call_soon_threadsafe(_succeed, self._ready, None)
        try:
            while True:
                with self._wake:
                    while not self._queue and not self._closing:
                        self._wake.wait()
                    if not self._queue:
                        break
                    group = self._take()
                if callable(group[0][1]):
                    self._call(committer, group[0][0], group[0][1])
                else:
                    self._commit(committer, group)
            committer.close()
        finally:
            # The documents belong to this thread; they end with it.
            del committer

    def _take(self) -> list[tuple[asyncio.Future[Any], Any]]:
        group = [self._queue.popleft()]
        if not callable(group[0][1]):
            while self._queue and len(group) < GROUP_MAX and not callable(self._queue[0][1]):
                group.append(self._queue.popleft())
        return group

    def _call(self, committer: Committer, future: asyncio.Future[Any], function: Callable[[Committer], Any]) -> None:
        try:
            committer.recover()
            result = function(committer)
        except BaseException as error:  # Rust panics too: whoever waits must hear of it, and the thread go on
            self._loop.call_soon_threadsafe(_fail, future, error)
        else:
            self._loop.call_soon_threadsafe(_succeed, future, result)

    def _commit(self, committer: Committer, group: list[tuple[asyncio.Future[Any], Any]]) -> None:
        try:
            outcomes, events = committer.commit([submission for _future, submission in group])
        except BaseException as error:
            for future, _submission in group:
                self._loop.call_soon_threadsafe(_fail, future, error)
            return
        futures = [future for future, _submission in group]
        self._loop.call_soon_threadsafe(self._deliver, futures, outcomes, events)

    def _deliver(self, futures: list[asyncio.Future[Any]], outcomes: list[Outcome], events: list[Committed]) -> None:
        for event in events:
            self._announce(event)
        for future, outcome in zip(futures, outcomes, strict=True):
            if isinstance(outcome, OpenprodError):
                _fail(future, outcome)
            else:
                _succeed(future, outcome)


def _succeed(future: asyncio.Future[Any], result: object) -> None:
    if not future.done():
        future.set_result(result)


def _fail(future: asyncio.Future[Any], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
