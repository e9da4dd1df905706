"""Where devices are called: this one's addresses, and whoever answers first."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import Final

import ifaddr

from openprod.errors import InputError, OpenprodError, Unreachable
from openprod.sync.known import KnownDevices
from openprod.sync.nearby import Nearby
from openprod.sync.transport import Accepted, Channel, Listening, Transport

EVERYWHERE = "0.0.0.0"
PORT: Final = 8041
LOOK_S: Final = 5.0


async def reach(network: Transport, places: Sequence[tuple[str, int]], pin: bytes = b"") -> Channel:
    """Whoever answers first, in order. Raises Unreachable, Untrusted."""
    error: OpenprodError = Unreachable("No address of that device is known.", hint="Ask for a link.")
    for host, port in places:
        try:
            return await network.call(host, port, pin)
        except OpenprodError as failed:
            error = failed
    raise error


async def reach_known(network: Transport, known: KnownDevices, nearby: Nearby, device: str, said: list[str]) -> Channel:
    """A device that was here before: where it is said to be, where it was, or else where it says on the air that it is
    now: only by the certificate that it had, for anybody can repeat on the air what another said. Raises Unreachable,
    Untrusted.

    Addresses change hands: where this device itself, or another that is known, answers by now, it isn't. Where somebody
    answers with a certificate that nobody had, it may have a new one, and is called there last.
    """
    pin, others = known.pin(device), {network.certificate, *known.pins(but=device)}
    error: OpenprodError = Unreachable("No address of that device is known.", hint="Ask for a link.")
    strange: list[tuple[str, int]] = []
    for place in known.places(device, said):
        try:
            channel = await network.call(*place)
        except OpenprodError as failed:
            error = failed
            continue
        if channel.certificate == pin or not (pin or channel.certificate in others):
            return channel
        await channel.close()
        error = Unreachable(f"Another device is at {place[0]} by now.", hint="Ask for a link.")
        if channel.certificate not in others:
            strange.append(place)
    if pin and (on_air := nearby.places(device)):
        try:
            return await reach(network, on_air, pin)
        except OpenprodError as failed:
            error = failed
    if strange:
        return await reach(network, strange)
    raise error


async def reach_any(
    network: Transport, known: KnownDevices, nearby: Nearby, *, but: Collection[str], look_s: float = LOOK_S
) -> tuple[Channel, str]:
    """(a connection to a device that was here before, which); none to those that were removed since (``but``).

    Raises Unreachable, once nobody answers and nobody has been on the air for ``look_s``.
    """
    devices = [one.device for one in known.all() if one.device not in but]
    for device in devices:
        with suppress(OpenprodError):
            return await reach_known(network, known, nearby, device, []), device
    for device in await nearby.others(look_s):
        if device in devices and known.pin(device):
            with suppress(OpenprodError):
                return await reach(network, nearby.places(device), known.pin(device)), device
    raise Unreachable("None of the devices that were here before answers.", hint="Ask somebody for a link.")


async def listen_at(network: Transport, listen: str, port: int | None, accepted: Accepted) -> Listening:
    """``port`` None: the usual one, or any other where that is taken. Raises InputError."""
    try:
        return await network.listen(listen, PORT if port is None else port, accepted)
    except InputError:
        if port is not None:
            raise
        return await network.listen(listen, 0, accepted)


def own_addresses(listen: str) -> list[str]:
    """Where others may call this device, when it listens there."""
    if listen not in (EVERYWHERE, "", "::"):
        return [listen]
    found = [str(ip.ip) for adapter in ifaddr.get_adapters() for ip in adapter.ips if ip.is_IPv4]
    outside = [one for one in found if not one.startswith(("127.", "169.254."))]
    return outside or ["127.0.0.1"]
