"""Whom a call reaches: real TLS on the loopback interface; what is said on the air is said by hand."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import pytest

from openprod.errors import Unreachable, Untrusted
from openprod.sync import certificates
from openprod.sync.known import KnownDevices
from openprod.sync.nearby import Nearby
from openprod.sync.reach import reach_any, reach_known
from openprod.sync.transport import Channel, Closed, WebSocketTransport

ALEX = "a" * 16
BLAKE = "b" * 16


class OnAir:
    """What devices say, true or not: {device: places}."""

    def __init__(self, said: dict[str, list[tuple[str, int]]]) -> None:
        self.said = said

    def places(self, device: str) -> list[tuple[str, int]]:
        return self.said.get(device, [])

    async def others(self, _wait_s: float) -> list[str]:
        return list(self.said)


def network(folder: Path, name: str) -> WebSocketTransport:
    return WebSocketTransport(certificates.load(folder / name))


@pytest.mark.parametrize("moved", ["home", "elsewhere", "replayed", "never called"])
def test_on_the_air_a_device_is_called_by_the_certificate_that_it_had(tmp_path: Path, moved: str) -> None:
    """Anybody can repeat what another announced: it is called, and told nothing."""

    async def scene() -> None:
        mine, alex, mallory = (network(tmp_path, name) for name in ("me", "alex", "mallory"))
        frames: list[bytes] = []

        async def hears(channel: Channel) -> None:
            with suppress(Closed):
                while True:
                    frames.append(await channel.receive())

        there = await (mallory if moved == "replayed" else alex).listen("127.0.0.1", 0, hears)
        gone = await alex.listen("127.0.0.1", 0, hears)
        await gone.close()
        known = KnownDevices(tmp_path / "known", "ws_1")
        at_home = moved == "home"
        place = f"127.0.0.1:{there.port if at_home else gone.port}"
        known.add(ALEX, "alex", [place], b"" if moved == "never called" else alex.certificate)
        known.add(ALEX, "", [])  # what is known stays
        on_air = cast(Any, OnAir({} if at_home else {ALEX: [("127.0.0.1", there.port)], BLAKE: [("127.0.0.1", 1)]}))
        nearby: Nearby = on_air
        if moved in ("home", "elsewhere"):
            channel = await reach_known(mine, known, nearby, ALEX, [])
            assert channel.certificate == alex.certificate
            await channel.close()
            channel, device = await reach_any(mine, known, nearby, but=())
            assert device == ALEX
            await channel.close()
        else:
            with pytest.raises(Untrusted if moved == "replayed" else Unreachable):
                await reach_known(mine, known, nearby, ALEX, [])
            with pytest.raises(Unreachable):
                await reach_any(mine, known, nearby, but=())
        with pytest.raises(Unreachable):
            await reach_any(mine, known, nearby, but=(ALEX,))
        await there.close()
        assert frames == []
        assert KnownDevices(tmp_path / "known", "ws_1").pin(ALEX) == known.pin(ALEX)

    asyncio.run(scene())


def test_an_address_that_another_has_by_now_is_passed_over(tmp_path: Path) -> None:
    """As a network gives them out anew: Blake is at Alex's, and this device at the one before that."""

    async def scene() -> None:
        mine, alex, blake = (network(tmp_path, name) for name in ("me", "alex", "blake"))
        frames: list[bytes] = []

        async def hears(channel: Channel) -> None:
            with suppress(Closed):
                frames.append(await channel.receive())

        there = [await one.listen("127.0.0.1", 0, hears) for one in (mine, blake, alex)]
        known = KnownDevices(tmp_path / "known", "ws_1")
        known.add(BLAKE, "blake", [], blake.certificate)
        silent = cast(Any, OnAir({}))
        aired = cast(Any, OnAir({ALEX: [("127.0.0.1", there[2].port)]}))
        first_two = [f"127.0.0.1:{one.port}" for one in there[:2]]
        known.add(ALEX, "alex", first_two)
        with pytest.raises(Unreachable, match="Another device is at"):
            await reach_known(mine, known, silent, ALEX, [])
        known.add(ALEX, "alex", first_two, alex.certificate)
        for nearby, said in ((silent, [f"127.0.0.1:{there[2].port}"]), (aired, [])):
            channel = await reach_known(mine, known, nearby, ALEX, said)
            assert channel.certificate == alex.certificate
            await channel.close()
        # With a certificate that nobody had, it may be the one.
        known.add(ALEX, "alex", [f"127.0.0.1:{there[2].port}"], b"c" * 32)
        channel = await reach_known(mine, known, silent, ALEX, [])
        assert channel.certificate == alex.certificate
        await channel.close()
        for one in there:
            await one.close()
        assert frames == []

    asyncio.run(scene())
