"""Where devices are called: this one's addresses, and whoever answers first."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import ifaddr

from openprod.errors import OpenprodError, Unreachable
from openprod.sync.known import KnownDevices
from openprod.sync.transport import Channel, Transport

EVERYWHERE = "0.0.0.0"


async def reach(network: Transport, places: Sequence[tuple[str, int]], pin: bytes = b"") -> Channel:
    """Whoever answers first, in order. Raises Unreachable, Untrusted."""
    error: OpenprodError = Unreachable("No address of that device is known.", hint="Ask for a link.")
    for host, port in places:
        try:
            return await network.call(host, port, pin)
        except OpenprodError as failed:
            error = failed
    raise error


async def reach_any(network: Transport, known: KnownDevices, *, but: Collection[str]) -> tuple[Channel, str]:
    """(a connection to a device that was here before, which); none to those that were removed since (``but``).

    Raises Unreachable.
    """
    for one in known.all():
        if one.device in but:
            continue
        try:
            return await reach(network, known.addresses(one.device)), one.device
        except OpenprodError:
            continue
    raise Unreachable("None of the devices that were here before answers.", hint="Ask somebody for a link.")


def own_addresses(listen: str) -> list[str]:
    """Where others may call this device, when it listens there."""
    if listen not in (EVERYWHERE, "", "::"):
        return [listen]
    found = [str(ip.ip) for adapter in ifaddr.get_adapters() for ip in adapter.ips if ip.is_IPv4]
    outside = [one for one in found if not one.startswith(("127.", "169.254."))]
    return outside or ["127.0.0.1"]
