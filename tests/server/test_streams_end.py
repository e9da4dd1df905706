"""Streams whose reader is gone before they began, or that begin while the node stops, leave nothing behind."""

from __future__ import annotations

from collections.abc import AsyncIterator, MutableMapping
from typing import Any

import anyio
import pytest

from openprod.core.bundles import Actor
from openprod.engine.events import Committed, Feed
from openprod.server.events import EventHub, Stream
from tests.server.serving import TIMEOUT_S

pytestmark = pytest.mark.anyio
SCOPE = {"type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}}


async def _gone() -> MutableMapping[str, Any]:
    return {"type": "http.disconnect"}


async def _stuck(_message: MutableMapping[str, Any]) -> None:
    await anyio.sleep_forever()


async def test_who_goes_away_at_once_is_no_listener_any_more() -> None:
    hub = EventHub(Feed())
    stream = hub.listen(allowed=lambda: True)
    assert hub.listeners == 1
    with anyio.fail_after(TIMEOUT_S):
        await stream(SCOPE, _gone, _stuck)
    assert hub.listeners == 0


async def test_a_stream_that_never_began_ends_all_the_same() -> None:
    async def frames() -> AsyncIterator[bytes]:
        yield b""

    ended: list[bool] = []
    with anyio.fail_after(TIMEOUT_S):
        await Stream(frames(), lambda: ended.append(True))(SCOPE, _gone, _stuck)
    assert ended == [True]


async def test_a_stream_that_begins_while_the_node_stops_ends() -> None:
    hub = EventHub(Feed())
    hub.close()
    with hub.attached() as listener:
        assert listener.closed
    with anyio.fail_after(TIMEOUT_S):
        assert [frame async for frame in hub.listen(allowed=lambda: True).frames]


async def test_many_bundles_at_once_wake_a_live_query_and_do_not_end_it() -> None:
    feed = Feed()
    hub = EventHub(feed, queue_events_max=2)
    with hub.attached() as listener:
        for number in range(10):
            feed.announce(
                Committed(
                    bundle=str(number), actor=Actor("u", "U", "d"), origin=None, intent="edit", updates=[],
                    conflicts=(), entities=(),
                )
            )  # fmt: skip
        assert not listener.closed
        assert await listener.take(TIMEOUT_S)
