"""At a terminal: coming in by a spoken code, and a link as a QR code."""

from __future__ import annotations

import sys

import anyio
import click
from anyio import to_thread

from openprod import settings
from openprod.cli.output import note
from openprod.engine.workspace import load_identity
from openprod.sync import certificates, coming_in, pairing
from openprod.sync.spoken import Confirm, Me
from openprod.sync.transport import WebSocketTransport


def link_by_code(code: str, at: str, *, yes: bool) -> str:
    """``at``: ``HOST:PORT`` of the host, or "" to look for it nearby; ``yes``: don't ask whether it is the one.

    Raises InputError, NotFound, Unreachable, Denied.
    """
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
        found = yes or await to_thread.run_sync(
            lambda: click.confirm("Is that the one?", err=True), abandon_on_cancel=True
        )
        if found:
            note("Asking to be let in: somebody has to agree at the other device.")
        return found

    network = WebSocketTransport(certificates.load(settings.home()))
    return await coming_in.link_by_code(network, me, code, at, confirm=confirm)
