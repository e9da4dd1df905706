"""Commits as they happen, and listeners that can't follow."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import anyio
import httpx
import pytest

from openprod.core.bundles import Actor
from openprod.engine.events import Committed, Feed
from openprod.server.events import EventHub
from tests.server.serving import TIMEOUT_S, Served, refused

pytestmark = pytest.mark.anyio


async def events(response: httpx.Response) -> AsyncIterator[tuple[str, Any]]:
    """(event, data) of a stream of server-sent events."""
    kind = ""
    async for line in response.aiter_lines():
        name, _, value = line.partition(": ")
        if name == "event":
            kind = value
        elif name == "data":
            yield kind, json.loads(value)


async def test_a_commit_is_told(served: Served) -> None:
    with anyio.fail_after(TIMEOUT_S):
        async with served["viewer"].stream("GET", "/events") as response:
            assert response.headers["content-type"].startswith("text/event-stream")
            assert response.headers["cache-control"] == "no-store"
            # The answer has begun, so nothing from here on is missed.
            await served.cue()
            conflict = await served.disagree()
            told = events(response)
            kind, first = await anext(told)
            second, third = (await anext(told))[1], (await anext(told))[1]
    assert kind == "commit"
    assert set(first) == {"bundle", "actor", "intent", "conflicts", "entities", "documents"}
    assert (first["actor"]["name"], first["actor"]["via"], first["intent"]) == ("Edith", "editor", "edit")
    assert (first["entities"], first["documents"], first["conflicts"]) == (["cue_42"], ["cues"], [])
    assert second["actor"]["name"] == "Alex"
    assert third["conflicts"] == [conflict["id"]]


async def test_another_session_is_told_and_following_ends_with_the_hub() -> None:
    hub = EventHub(Feed())
    heard = hub.listen(allowed=lambda: True).frames
    await anext(heard)
    revisions = iter([3, 3, 4])  # the second time nothing came while it waited
    asked: list[int] = []
    told: list[bytes] = []

    async def changed(after: int, _wait_s: float) -> dict[str, Any]:
        asked.append(after)
        revision = next(revisions, None)
        if revision is None:
            told.append(await anext(heard))
            hub.close()
        return {"revision": revision or 4}

    with anyio.fail_after(TIMEOUT_S):
        await hub.follow_session(changed)
    assert told == [b'event: session\ndata: {"revision":4}\n\n']
    assert asked == [-1, 3, 3, 4]


async def test_a_stream_ends_when_its_token_is_withdrawn(served: Served) -> None:
    with anyio.fail_after(TIMEOUT_S):
        async with served["viewer"].stream("GET", "/events") as response:
            # Nothing happens afterwards that would wake it.
            await served["owner"].delete(f"/tokens/{served.tokens['viewer']['id']}")
            assert [event async for event in events(response)] == []
    refused(await served["viewer"].get("/state-hash"), 401, "UNAUTHENTICATED")


async def test_streams_end_when_the_node_stops(served: Served) -> None:
    with anyio.fail_after(TIMEOUT_S):
        async with served["viewer"].stream("GET", "/events") as response:
            served.node.stop()
            assert [event async for event in events(response)] == []


def committed(number: int) -> Committed:
    return Committed(
        bundle=f"{number:032}", actor=Actor("u", "Alex", "d"), origin=None, intent="edit", updates=[("cues", b"")],
        conflicts=(), entities=("cue_1",),
    )  # fmt: skip


async def test_a_listener_that_falls_behind_is_closed_and_the_others_go_on() -> None:
    feed = Feed()
    hub = EventHub(feed, queue_events_max=3)
    slow, quick = hub.listen(allowed=lambda: True).frames, hub.listen(allowed=lambda: True).frames
    for stream in (slow, quick):
        assert b"retry" in await anext(stream)
    for number in range(5):
        feed.announce(committed(number))
        if number < 3:
            assert f"{number:032}".encode() in await anext(quick)
    assert hub.listeners == 1
    assert [part async for part in slow] == []
    assert (await anext(quick)).count(b"event: commit") == 2
    hub.close()
    assert [part async for part in quick] == []


async def test_a_quiet_stream_says_that_it_is_there() -> None:
    hub = EventHub(Feed(), keepalive_s=0.01)
    stream = hub.listen(allowed=lambda: True).frames
    await anext(stream)
    assert (await anext(stream)).startswith(b":")
