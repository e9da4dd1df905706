"""Coming in by a spoken code: find who hosts, prove the code, confirm whom one sees. What comes out is a link."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from typing import Final

import anyio

from openprod.core.ids import device_id
from openprod.errors import InputError, NotFound, OpenprodError, Unreachable
from openprod.sync import known, pairing, speaking
from openprod.sync.discovery import HINT, Discovery, Found
from openprod.sync.spoken import Me, parse_code
from openprod.sync.transport import PAIRING, Channel, Transport

LOOK_S: Final = 8.0
_SETTLE_S: Final = 1.5
"""Others may answer a moment after the first."""


async def link_by_code(network: Transport, me: Me, code: str, at: str, *, confirm: speaking.Confirmed) -> str:
    """``at``: ``HOST:PORT`` of the host, several with commas between, or "" to look for it nearby. ``confirm``: whether
    the host that is seen is the one that was meant.

    Raises InputError, NotFound, Unreachable, Denied.
    """
    parse_code(code)
    given = tuple(one.strip() for one in at.split(",") if one.strip())
    for one in given:
        if known.parse(one) is None:
            raise InputError(f"“{one[:80]}” isn't an address.", hint="An address looks like 192.168.1.20:8041.")
    places = given or await _look(device_id(me.key))
    channel, place = await _reach(network, places)
    found = await speaking.ask(channel, code, me, confirm=confirm, random_bytes=secrets.token_bytes)
    others = [one for one in places if one != place]
    return pairing.link([place, *others], found.device, found.certificate, found.secret, found.workspace)


async def _look(own: str) -> tuple[str, ...]:
    """Addresses of the one device nearby that a code is open on: it is one guess, so no other may be asked for it."""
    discovery = Discovery()
    until = time.monotonic() + LOOK_S
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(discovery.run)
        with anyio.move_on_after(LOOK_S):
            while not any(one.code for one in _others(discovery, own)):
                await discovery.changed()
            await anyio.sleep(min(_SETTLE_S, max(0.0, until - time.monotonic())))
        hosting, problem = _others(discovery, own), discovery.problem
        tasks.cancel_scope.cancel()
    found = [one for one in hosting if one.code] or hosting
    if not found:
        if problem:
            raise Unreachable(problem, hint=HINT)
        raise NotFound(
            "Nobody nearby hosts, or this network keeps devices apart.",
            hint="Give the address that is shown there (in a terminal: --at HOST:PORT), or join by a link.",
        )
    if len(found) > 1:
        listed = ", ".join(one.addresses[0] for one in found)
        raise InputError(
            f"Several devices nearby host: {listed}.", hint="Say which one is meant (in a terminal: --at HOST:PORT)."
        )
    return found[0].addresses


def _others(discovery: Discovery, own: str) -> list[Found]:
    return [one for one in discovery.found() if one.device != own]


async def _reach(network: Transport, places: Sequence[str]) -> tuple[Channel, str]:
    error: OpenprodError = Unreachable("The other device has no address that can be called.")
    for text in places:
        place = known.parse(text)
        if place is None:
            continue
        try:
            return await network.call(*place, protocol=PAIRING), text
        except OpenprodError as failed:
            error = failed
    raise error
