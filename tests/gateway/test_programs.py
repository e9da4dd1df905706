"""Unmodified third-party programs against the gateway: y-websocket, Hocuspocus's provider, pycrdt's provider."""

from __future__ import annotations

import random
from typing import Any

import anyio
import pytest
from pycrdt import Doc, Map, Provider
from websockets.asyncio.client import ClientConnection, connect

from openprod.gateway import protocol
from tests.gateway.serving import TIMEOUT_S, Served, peer, program
from tests.seeds import fresh

pytestmark = [pytest.mark.anyio, pytest.mark.interop]
KINDS = ["y-websocket", "hocuspocus"]


async def durable(served: Served, key: str, value: Any) -> None:
    with anyio.fail_after(TIMEOUT_S):
        while (await served.fields()).get(key) != value:
            await anyio.sleep(0.01)


@pytest.mark.parametrize("first", KINDS)
@pytest.mark.parametrize("second", KINDS)
async def test_two_programs_edit_together(served: Served, first: str, second: str) -> None:
    async with program(served, first) as one, program(served, second, token="other") as two:
        await one.connect()
        await one.do("set", key="cue_1/start", value="10:00")
        await two.connect()
        await two.until(**{"cue_1/start": "10:00"})
        await two.do("set", key="cue_1/start", value="10:30")
        await one.until(**{"cue_1/start": "10:30"})
        await one.do("set", key="cue_2/label", value="Ghost, é 👻")
        await two.until(**{"cue_2/label": "Ghost, é 👻"})
        assert await served.fields() == {"cue_1/start": "10:30", "cue_2/label": "Ghost, é 👻"}


@pytest.mark.parametrize("kind", KINDS)
async def test_programs_go_on_with_the_document_of_a_plugin_that_was_dropped(served: Served, kind: str) -> None:
    """INV-DROP-1: what was connected stays, and what comes later finds it."""
    async with program(served, kind) as one, program(served, kind, token="other") as two:
        await one.connect()
        await one.do("set", key="cue_1/start", value="10:00")
        await durable(served, "cue_1/start", "10:00")
        await served.workspace.drop("cues")
        await two.connect()
        await two.until(**{"cue_1/start": "10:00"})
        await two.do("set", key="cue_1/start", value="10:30")
        await one.until(**{"cue_1/start": "10:30"})
        assert served.workspace.documents == ["core"]


@pytest.mark.parametrize("kind", KINDS)
async def test_edits_made_apart_meet_and_the_losing_one_is_told_to_us(served: Served, kind: str) -> None:
    """The losing value of a garbage-collecting program reaches the node, whoever wins."""
    async with program(served, kind) as one, program(served, kind, token="other") as two:
        await one.connect()
        await two.connect()
        await one.do("set", key="cue_42/start", value="10:00")
        await two.until(**{"cue_42/start": "10:00"})
        await two.do("disconnect")
        if kind == "hocuspocus":
            await two.event("closed")  # until then it takes itself for connected
        await one.do("set", key="cue_42/start", value="10:30")
        await durable(served, "cue_42/start", "10:30")
        await two.do("set", key="cue_42/start", value="10:45")
        await two.connect()
        async with peer(served.url()) as reader:
            await reader.synchronise()
            shown = reader.fields["cue_42/start"]
        await one.until(**{"cue_42/start": shown})
        await two.until(**{"cue_42/start": shown})
        state = await served.workspace.state_as_update("cues")
        assert b"10:30" in state
        assert b"10:45" in state


@pytest.mark.parametrize("kind", KINDS)
async def test_a_burst_and_a_close_lose_nothing(served: Served, kind: str) -> None:
    async with program(served, kind) as one:
        await one.connect()
        await one.do("burst", count=200)
        await durable(served, "burst/199", 199)
        assert len(await served.fields()) == 200


@pytest.mark.parametrize("kind", KINDS)
async def test_a_program_that_flaps_neither_loses_nor_doubles(served: Served, kind: str) -> None:
    seed = fresh("programs.flapping")
    print(f"seed {seed}")
    chance = random.Random(seed)
    wanted: dict[str, int] = {}
    async with program(served, kind) as one, program(served, kind, token="other") as stays:
        await stays.connect()
        await one.do("connect")
        for at in range(60):
            wanted[f"cue_{at}/start"] = at
            await one.do("set", key=f"cue_{at}/start", value=at)
            if chance.random() < 0.3:
                await one.do("cut")
            await anyio.sleep(chance.random() * 0.02)
        await stays.until(**wanted)
        await durable(served, "cue_59/start", 59)
        assert await served.fields() == wanted
        assert await one.values() == wanted
        clients = protocol.read_state_vector(await served.workspace.state_vector("cues"))
        assert sum(clients.values()) == len(wanted), "each edit is in the document once"


async def test_hocuspocus_counts_what_is_durable(served: Served) -> None:
    async with program(served, "hocuspocus") as one:
        await one.connect()
        await one.event("unsynced", number=0)
        await one.do("set", key="cue_1/start", value="10:00")
        await one.event("unsynced", number=1)
        await one.event("unsynced", number=0)
        assert await served.fields() == {"cue_1/start": "10:00"}
        await one.do("resync")
        await one.event("unsynced", number=1)
        await one.event("unsynced", number=0)


async def test_hocuspocus_viewer_keeps_its_change_counted_as_unsynced(served: Served) -> None:
    async with program(served, "hocuspocus", token="viewer") as one:
        await one.do("connect")
        await one.event("authenticated", scope="readonly")
        await one.event("unsynced", number=0)
        await one.do("set", key="cue_1/start", value="stolen")
        await one.event("unsynced", number=1)
        async with program(served, "hocuspocus") as two:
            await two.connect()
            await two.do("set", key="cue_2/start", value="10:00")
            await one.until(**{"cue_2/start": "10:00"})
        assert await served.fields() == {"cue_2/start": "10:00"}
        assert not any(event == {"event": "unsynced", "number": 0} for event in one.events[-2:])


async def test_y_websocket_viewer_is_warned(served: Served) -> None:
    async with program(served, "y-websocket", token="viewer") as one:
        await one.connect()
        await one.do("set", key="cue_1/start", value="stolen")
        assert "permission denied" in (await one.event("warning"))["text"]
        assert await served.fields() == {}


async def test_a_bad_token_is_refused_in_each_dialect(served: Served) -> None:
    async with program(served, "y-websocket", token="nobody") as one:
        await one.do("connect")
        assert (await one.event("closed"))["code"] == 4401
    async with program(served, "hocuspocus", token="nobody") as one:
        await one.do("connect")
        assert "token" in (await one.event("refused"))["reason"]


@pytest.mark.parametrize("kind", KINDS)
async def test_presence_is_seen_and_ends(served: Served, kind: str) -> None:
    async with program(served, kind) as one, program(served, kind, token="other") as two:
        await one.do("presence", state={"user": {"name": "Zoë", "color": "#0f0"}})
        await one.connect()
        await two.do("presence", state={"user": {"name": "Jordan"}})
        await two.connect()
        await one.do("names", names=["Jordan", "Zoë"])
        await one.event("seen")
        await two.do("names", names=["Jordan", "Zoë"])
        await two.event("seen")
        await two.do("here")
        states = (await two.event("present"))["states"]
        other = next(state for state in states.values() if state["user"]["name"] == "Zoë")
        assert other["account"]["name"] == "Alex"
        await one.do("cut")
        await two.do("names", names=["Jordan"])
        await two.event("seen")
        # It reconnects by itself, with the clock that it left with, and is seen at once.
        await two.do("names", names=["Jordan", "Zoë"])
        await two.event("seen")


class Line:
    """pycrdt's Channel over a WebSocket."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.path = "cues"

    def __aiter__(self) -> Line:
        return self

    async def __anext__(self) -> bytes:
        return await self.recv()

    async def send(self, message: bytes) -> None:
        await self.connection.send(message)

    async def recv(self) -> bytes:
        message = await self.connection.recv()
        assert isinstance(message, bytes)
        return message


async def test_pycrdt_provider_edits_with_a_javascript_program(served: Served) -> None:
    doc: Doc[Any] = Doc()
    fields = doc.get("cues.cue", type=Map)
    async with program(served, "y-websocket") as one, connect(served.url(token="other")) as connection:
        await one.connect()
        async with Provider(doc, Line(connection)) as provider:
            with anyio.fail_after(TIMEOUT_S):
                await provider.synced.wait()
            fields["cue_1/start"] = "10:00"
            await one.until(**{"cue_1/start": "10:00"})
            await one.do("set", key="cue_2/start", value="11:00")
            with anyio.fail_after(TIMEOUT_S):
                while fields.get("cue_2/start") != "11:00":
                    await anyio.sleep(0.01)
