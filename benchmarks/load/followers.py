"""Light followers of a real leader, in one process: the native protocol over TLS, without a replica.

    python -m benchmarks.load.followers LINK …           each link lets one in
    python -m benchmarks.load.followers bare PORT COUNT  the same of frames that a bare server passes on

What is edited says when it was asked for (``asked:`` and CLOCK_MONOTONIC in ns). Prints ``ready`` once all are in; told
to by a line on stdin, it prints the delays in milliseconds as JSON: of each edit at each follower.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import secrets
import sys
import time
from typing import Any

from nacl.signing import SigningKey
from websockets.asyncio.client import connect

from openprod.core.bundles import read
from openprod.sync import messages as m
from openprod.sync.catchup import Survey
from openprod.sync.certificates import client_context
from openprod.sync.known import parse
from openprod.sync.outputs import Ask, Closed, Compare, Config, Fetch, Joined, Now, Output, Proven, Send, TakeIn
from openprod.sync.pairing import parse_link
from openprod.sync.plans import Offer
from openprod.sync.session import PeerSession
from openprod.sync.transport import Channel, WebSocketTransport
from openprod.sync.transport import Closed as Gone

ASKED = re.compile(rb"asked:(\d+)")
delays: list[float] = []


def note(data: bytes) -> None:
    now = time.monotonic_ns()
    delays.extend((now - int(asked)) / 1e6 for asked in ASKED.findall(data)[:1])


def now() -> Now:
    return Now(time.monotonic_ns() // 1_000_000, time.time_ns() // 1_000_000)


class Follower:
    def __init__(self, text: str) -> None:
        self._link = parse_link(text)
        self._key = SigningKey.generate()
        self.joined = asyncio.Event()

    async def run(self) -> None:
        link = self._link
        place = parse(link.addresses[0])
        assert place is not None
        channel = await WebSocketTransport.call(_NOBODY, *place, link.certificate)
        self._session = PeerSession(
            Config(
                caller=True, workspace=link.workspace, key=bytes(self._key.verify_key),
                sign=lambda part: self._key.sign(part).signature, nonce=secrets.token_bytes(32),
                admit=lambda _key, _paired: "", certificate=channel.certificate, secret=link.key,
                expected=link.device, name=f"Follower {secrets.token_hex(2)}",
            ),
            now(),
        )  # fmt: skip
        await self._do(channel, self._session.start(now()))
        asyncio.get_running_loop().create_task(self._tick(channel))
        try:
            while True:
                await self._do(channel, self._session.receive(await channel.receive(), now()))
        except Gone:
            sys.exit("a follower was let go")

    async def _tick(self, channel: Channel) -> None:
        while True:
            await asyncio.sleep(1)
            await self._do(channel, self._session.tick(now()))
            at = now()
            await self._do(channel, self._session.say(m.Heartbeat(1, self._link.device, True, at.wall)))

    async def _do(self, channel: Channel, outputs: list[Output]) -> None:
        session = self._session
        for output in outputs:
            if isinstance(output, Send):
                await channel.send(output.frame)
            elif isinstance(output, Proven):
                await self._do(channel, session.have({}, approved=True))
            elif isinstance(output, Compare):
                offer = Offer(0, 0, [], []) if output.offer else None
                await self._do(channel, session.surveyed(Survey({}, {}, {}, frozenset()), offer, now()))
            elif isinstance(output, Ask):
                await self._do(channel, session.approve(output.coming.id))
            elif isinstance(output, Fetch):
                await self._do(channel, session.supply([], 0, True, 1, now()))
            elif isinstance(output, TakeIn):
                tips: dict[str, m.Tip] = {}
                for one in output.bundles:
                    note(one.body)
                    bundle = read(one.body)
                    tips[bundle.log] = m.Tip(bundle.log, bundle.seq, hashlib.sha256(one.body).digest())
                size = sum(len(one.body) for one in output.bundles)
                known = {log: tip.seq for log, tip in tips.items()}
                await self._do(channel, session.took(tips, known, size))
            elif isinstance(output, Joined):
                self.joined.set()
            elif isinstance(output, Closed):
                sys.exit(f"a follower was let go: {output.sentence}")


_NOBODY: Any = None  # calling takes nothing of the caller's own


async def _bare(port: str) -> None:
    async with connect(f"wss://127.0.0.1:{port}", ssl=client_context(), compression=None, proxy=None) as socket:
        async for frame in socket:
            assert isinstance(frame, bytes)
            note(frame)
            await socket.send(frame[:100])


async def main(words: list[str]) -> None:
    loop = asyncio.get_running_loop()
    if words[0] == "bare":
        running = [loop.create_task(_bare(words[1])) for _ in range(int(words[2]))]
    else:
        followers = [Follower(word) for word in words]
        running = [loop.create_task(one.run()) for one in followers]
        for one in followers:
            await asyncio.wait_for(one.joined.wait(), 120)
    print("ready", flush=True)
    told = asyncio.create_task(asyncio.to_thread(sys.stdin.readline))
    await asyncio.wait([*running, told], return_when=asyncio.FIRST_COMPLETED)
    print(json.dumps(delays), flush=True)
    sys.stdout.flush()
    import os

    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
