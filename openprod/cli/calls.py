"""Calls to a workspace's node, the same whether it is running or is brought up inside this process for one command."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import quote

import anyio
import httpx

from openprod.cli.output import note, progress
from openprod.errors import Busy, NotFound
from openprod.running import run, served

T = TypeVar("T")

_TURN_S: Final = 10.0
"""So long a command waits until another one is done with the workspace."""
_LOOK_S: Final = 0.1


class Refused(Exception):
    """An error that the node answered."""

    def __init__(self, code: str, sentence: str, hint: str, details: dict[str, Any]) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence
        self.hint = hint
        self.details = details


class Node:
    """The HTTP calls of one workspace. All calls raise Refused, or Busy when the node goes away."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def get(self, *path: str, **query: Any) -> Any:
        return await self._call("GET", path, query)

    async def post(self, *path: str, body: Any = None, **query: Any) -> Any:
        return await self._call("POST", path, query, json={} if body is None else body)

    async def delete(self, *path: str) -> Any:
        return await self._call("DELETE", path, {})

    async def work(self, label: str, *path: str, body: Any = None, **query: Any) -> Any:
        """Long work, with a progress bar."""
        headers = {"accept": "application/x-ndjson"}
        sent = {} if body is None else body
        with progress(label) as report, _reachable():
            async with self._http.stream(
                "POST", _address(path), params=_given(query), headers=headers, json=sent
            ) as response:
                if response.headers.get("content-type", "").partition(";")[0] != "application/x-ndjson":
                    return _result(response.status_code, await response.aread())
                async for line in response.aiter_lines():
                    entry = json.loads(line) if line else {}
                    if "progress" in entry:
                        report(entry["progress"]["done"], entry["progress"]["total"])
                    elif "error" in entry:
                        raise _refused(entry["error"])
                    elif "result" in entry:
                        return entry["result"]
        raise _gone()

    async def _call(self, method: str, path: tuple[str, ...], query: dict[str, Any], **sent: Any) -> Any:
        with _reachable():
            response = await self._http.request(method, _address(path), params=_given(query), **sent)
        return _result(response.status_code, response.content)


@contextmanager
def _reachable() -> Iterator[None]:
    try:
        yield
    except httpx.TransportError as error:
        raise _gone() from error


def call(folder: Path, work: Callable[[Node], Awaitable[T]]) -> T:
    """Run ``work`` with the node of the workspace in ``folder``."""

    async def talk() -> T:
        waits_until = time.monotonic() + _TURN_S
        while True:
            async with served(folder) as http:
                if http is not None:
                    return await work(Node(http))
            from openprod.node import in_process  # heavy: only where no node serves the workspace

            async with AsyncExitStack() as stack:
                try:
                    alone = await stack.enter_async_context(in_process(folder, tell=note))
                except Busy:  # most likely another command, which is done soon; or a node that begins to serve
                    if time.monotonic() > waits_until:
                        raise
                    await anyio.sleep(_LOOK_S)
                    continue
                return await work(Node(alone))

    result: T = run(talk)
    return result


def _address(path: tuple[str, ...]) -> str:
    for part in path:
        if part in ("", ".", "..") or "/" in part:  # no address can say it
            raise NotFound(f"There is nothing called “{part}”.", hint="Names and ids hold no “/”, and aren't empty.")
    return "/" + "/".join(quote(part, safe="") for part in path)


def _given(query: dict[str, Any]) -> dict[str, Any]:
    return {name.rstrip("_"): value for name, value in query.items() if value is not None}


def _result(status: int, data: bytes) -> Any:
    try:
        found = json.loads(data) if data else None
    except ValueError:
        found = None
    if status >= 400:
        error = found.get("error") if isinstance(found, dict) else None
        raise _refused(error if isinstance(error, dict) else {"sentence": f"The node answered {status}."})
    return found


def _refused(error: dict[str, Any]) -> Refused:
    sentence = error.get("sentence") or error.get("message") or "The node refused."
    return Refused(error.get("code", "REFUSED"), sentence, error.get("hint", ""), error.get("details") or {})


def _gone() -> Busy:
    return Busy(
        "The node of this workspace went away before it answered.",
        hint="Everything it confirmed is kept. Start it again with `openprod serve`, or repeat this command.",
    )
