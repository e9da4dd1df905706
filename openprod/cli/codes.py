"""Coming in by a spoken code: find who hosts, prove the code, confirm whom one sees. What comes out is a link."""

from __future__ import annotations

import secrets
import sys
import time
from collections.abc import Sequence

import anyio
import click
from anyio import to_thread

from openprod import settings
from openprod.cli.output import note, printable
from openprod.engine.workspace import load_identity
from openprod.errors import InputError, NotFound, OpenprodError, Unreachable
from openprod.sync import certificates, known, pairing, speaking
from openprod.sync.discovery import HINT, Discovery, Found
from openprod.sync.spoken import Confirm, Me, parse_code
from openprod.sync.transport import PAIRING, Channel, WebSocketTransport

_LOOK_S = 8.0
_SETTLE_S = 1.5
"""Others may answer a moment after the first."""


def link_by_code(code: str, at: str, *, yes: bool) -> str:
    """``at``: ``HOST:PORT`` of the host, or "" to look for it nearby; ``yes``: don't ask whether it is the one.

    Raises InputError, NotFound, Unreachable, Denied.
    """
    parse_code(code)
    if at and known.parse(at) is None:
        raise InputError(f"“{at}” isn't an address.", hint="An address looks like 192.168.1.20:8041.")
    return anyio.run(_come_in, code, at, yes)


def note_qr(text: str) -> None:
    """A QR code on stderr."""
    # Its colours are commands to the terminal, which `note` would take out; none of the text is in them.
    sys.stderr.write(pairing.qr(text) + "\n")


async def _come_in(code: str, at: str, yes: bool) -> str:
    who = load_identity()
    me = Me(bytes(who.key.verify_key), who.name, who.device_name)

    async def confirm(host: Confirm) -> bool:
        note(f"{host.title or 'A production'}, hosted by {host.name} ({host.device_name}).")
        if yes:
            return True
        return await to_thread.run_sync(lambda: click.confirm("Is that the one?", err=True), abandon_on_cancel=True)

    places = (at,) if at else await _look(who.device)
    channel, place = await _reach(WebSocketTransport(certificates.load(settings.home())), places)
    note("Asking to be let in: somebody has to agree at the other device.")
    found = await speaking.ask(channel, code, me, confirm=confirm, random_bytes=secrets.token_bytes)
    others = [one for one in places if one != place]
    return pairing.link([place, *others], found.device, found.certificate, found.secret, found.workspace)


async def _look(own: str) -> tuple[str, ...]:
    """Addresses of the one device nearby that a code is open on: it is one guess, so no other may be asked for it."""
    discovery = Discovery()
    until = time.monotonic() + _LOOK_S
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(discovery.run)
        with anyio.move_on_after(_LOOK_S):
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
            hint="Name the other device with --at HOST:PORT, which `openprod host` shows there, or join by a link.",
        )
    if len(found) > 1:
        listed = ", ".join(printable(one.addresses[0]) for one in found)
        raise InputError(f"Several devices nearby host: {listed}.", hint="Name the one that is meant with --at.")
    return found[0].addresses


def _others(discovery: Discovery, own: str) -> list[Found]:
    return [one for one in discovery.found() if one.device != own]


async def _reach(transport: WebSocketTransport, places: Sequence[str]) -> tuple[Channel, str]:
    error: OpenprodError = Unreachable("The other device has no address that can be called.")
    for text in places:
        place = known.parse(text)
        if place is None:
            continue
        try:
            return await transport.call(*place, protocol=PAIRING), text
        except OpenprodError as failed:
            error = failed
    raise error
