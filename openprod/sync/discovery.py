"""Devices that host, found on the local network by mDNS (RFC 6762, DNS-SD RFC 6763). The only importer of zeroconf.

What is on the air: the service ``_openprod._tcp``, an instance named after the device and its port, its addresses, and
a TXT record of less than 200 bytes::

    v  1
    d  device id
    s  id of the gathering, "" before there is one
    t  its term
    p  recognition: HMAC of the day, the device and the port, by whose key members of the production know it again
    c  1 while a spoken code of this device's is open, and left out otherwise: whom to tell the code

No name of a person, a device or a production; a stranger can't tell which production it is, nor link days by ``p``.
Nothing of this is proved: it says where to call, and the greeting says who answers.

mDNS finds devices. It never tells that one has gone: what died without a goodbye stays listed for a while.

**Use.** ``run`` one ``Discovery`` in a task. ``announce`` what is hosted, None to stop; ``found`` is who is there;
``changed`` waits. It follows the interfaces as they come and go, and midnight. Where no interface lets it speak or
listen, ``problem`` says so in a sentence and it tries again: that is no reason to stop hosting.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import logging
import re
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple

import anyio
import ifaddr
from anyio.abc import TaskGroup
from zeroconf import Error as ZeroconfError
from zeroconf import IPVersion, ServiceStateChange
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

SERVICE: Final = "_openprod._tcp.local."
TXT_BYTES_MAX: Final = 200
FOUND_MAX: Final = 200
ADDRESSES_MAX: Final = 8
POLL_S: Final = 2.0
_ASK_MS: Final = 3000
_MDNS: Final = ("224.0.0.251", 5353)
_DAY_S: Final = 86_400
_HEX: Final = re.compile(r"[0-9a-f]*")
_log = logging.getLogger(__name__)

NO_NETWORK: Final = "This device isn't on a network."
REFUSED: Final = "No network lets this device look for others, or be found."
HINT: Final = (
    "Join by a link, a QR code or an address instead. The system may forbid it: on a Mac, System Settings → Privacy & "
    "Security → Local Network; elsewhere the firewall (UDP port 5353)."
)


class Announcement(NamedTuple):
    """``workspace`` isn't announced: only its members recognise it. ``code``: a spoken code is open here."""

    device: str
    port: int
    workspace: str
    gathering: str = ""
    term: int = 0
    code: bool = False


class Found(NamedTuple):
    """``addresses``: ``HOST:PORT``. Everything here is only said, by whoever is on the network."""

    device: str
    addresses: tuple[str, ...]
    gathering: str
    term: int
    port: int
    recognition: bytes
    code: bool = False

    def is_of(self, workspace: str, day: int) -> bool:
        """Whether somebody who knows this workspace announced it; the clocks may be on two sides of midnight."""
        return any(
            hmac.compare_digest(self.recognition, recognition(workspace, near, self.device, self.port))
            for near in (day, day - 1, day + 1)
        )


def today() -> int:
    """Days since 1970, UTC."""
    return int(time.time()) // _DAY_S


def recognition(workspace: str, day: int, device: str, port: int) -> bytes:
    """16 bytes by which those who know the workspace's id know it again."""
    secret = hashlib.sha256(b"openprod discovery 1\0" + workspace.encode()).digest()
    return hmac.new(secret, f"{day} {device} {port}".encode(), hashlib.sha256).digest()[:16]


def txt(announced: Announcement, day: int) -> dict[str, str]:
    known = recognition(announced.workspace, day, announced.device, announced.port)
    return {
        "v": "1", "d": announced.device, "s": announced.gathering, "t": str(announced.term),
        "p": base64.urlsafe_b64encode(known).rstrip(b"=").decode(), **({"c": "1"} if announced.code else {}),
    }  # fmt: skip


def read_txt(properties: dict[bytes, bytes | None], addresses: Sequence[str], port: int | None) -> Found | None:
    """None for what no node announces, or one of another age."""
    try:
        said = {name: (properties.get(name.encode()) or b"").decode("ascii") for name in ("v", "d", "s", "t", "p")}
        known = base64.urlsafe_b64decode(said["p"] + "=" * (-len(said["p"]) % 4))
    except (UnicodeDecodeError, binascii.Error, ValueError):
        return None
    device, gathering, term = said["d"], said["s"], said["t"]
    fits = (
        said["v"] == "1"
        and len(device) == 16
        and len(gathering) in (0, 32)
        and _HEX.fullmatch(device + gathering)
        and len(term) < 16
        and term.isdigit()
        and len(known) == 16
    )
    if not fits or not port or not addresses:
        return None
    places = tuple(f"{address}:{port}" for address in addresses[:ADDRESSES_MAX])
    return Found(device, places, gathering, int(term), port, known, properties.get(b"c") == b"1")


def own_addresses() -> list[str]:
    """IPv4 addresses of this device on networks with others."""
    found = {str(ip.ip) for adapter in ifaddr.get_adapters() for ip in adapter.ips if ip.is_IPv4}
    return sorted(address for address in found if not address.startswith(("127.", "0.")))


def may_speak(address: str) -> bool:
    """Whether the system lets this device send to others from ``address``.

    macOS refuses each packet, and zeroconf passes over that: so one is sent here, a question that asks nothing.
    """
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
            probe.bind((address, 0))
            probe.sendto(bytes(12), _MDNS)
    except OSError:
        return False
    return True


class Discovery:
    """``interfaces``: this device's addresses, asked again and again. Everything runs on one asyncio event loop."""

    def __init__(
        self, *, interfaces: Callable[[], list[str]] = own_addresses, day: Callable[[], int] = today,
        poll_s: float = POLL_S,
    ) -> None:  # fmt: skip
        self.problem = ""
        self._interfaces, self._day, self._poll_s = interfaces, day, poll_s
        self._announced: Announcement | None = None
        self._found: dict[str, Found] = {}
        self._network: AsyncZeroconf | None = None
        self._browser: AsyncServiceBrowser | None = None
        self._info: AsyncServiceInfo | None = None
        self._using: list[str] = []
        self._before: list[str] | None = None
        self._wake = anyio.Event()
        self._moved = anyio.Event()
        self._tasks: TaskGroup | None = None

    def announce(self, announced: Announcement | None) -> None:
        if announced != self._announced:
            self._announced = announced
            self._wake.set()

    def found(self) -> list[Found]:
        """By device; this one too, when it announces itself."""
        return sorted(self._found.values())

    async def changed(self) -> None:
        """Until somebody came or went, or there is another ``problem``."""
        await self._moved.wait()

    async def run(self) -> None:
        """Until cancelled; then says goodbye."""
        try:
            async with anyio.create_task_group() as self._tasks:
                while True:
                    self._wake = anyio.Event()
                    await self._follow()
                    with anyio.move_on_after(self._poll_s):
                        await self._wake.wait()
        finally:
            with anyio.CancelScope(shield=True):
                await self._stop()

    # -- the network as it is ------------------------------------------------------------------------------

    async def _follow(self) -> None:
        addresses = self._interfaces()
        # A network that comes up changes several times in a row: act once two looks agree.
        settled = self._before is None or addresses == self._before
        self._before = addresses
        if settled and (addresses != self._using or self._network is None):
            await self._move_to(addresses)
        if self._network is not None:
            try:
                await self._say(self._network)
            except (OSError, ZeroconfError, RuntimeError) as error:
                _log.warning("announcing failed: %s", error)
                await self._stop()

    async def _move_to(self, addresses: list[str]) -> None:
        speaking = [address for address in addresses if may_speak(address)]
        if not speaking:
            await self._stop()
            self._tell(REFUSED if addresses else NO_NETWORK)
            return
        try:
            if self._network is None:
                self._network = AsyncZeroconf(interfaces=speaking, ip_version=IPVersion.V4Only)
                await self._network.zeroconf.async_wait_for_start()
                self._browser = AsyncServiceBrowser(self._network.zeroconf, SERVICE, handlers=[self._heard])
            else:
                await self._network.async_update_interfaces(speaking)
        except (OSError, ZeroconfError, RuntimeError) as error:
            _log.warning("no discovery on %s: %s", ", ".join(speaking), error)
            await self._stop()
            self._tell(REFUSED)
            return
        self._using = addresses
        self._tell("" if self._network.zeroconf.engine.senders else REFUSED)

    async def _say(self, network: AsyncZeroconf) -> None:
        wanted = self._announced
        if wanted is None:
            if self._info is not None:
                info, self._info = self._info, None
                await (await network.async_unregister_service(info))
            return
        properties = txt(wanted, self._day())
        name = f"{wanted.device}-{wanted.port}"
        info = AsyncServiceInfo(
            SERVICE, f"{name}.{SERVICE}", port=wanted.port, properties=properties, server=f"{name}.local.",
            parsed_addresses=self._using,
        )  # fmt: skip
        said = self._info
        if said is None:
            # Another one by this name is a copy of this device, which a number tells apart.
            await (await network.async_register_service(info, allow_name_change=True))
        elif said.port != info.port:
            self._info = None
            await (await network.async_unregister_service(said))
            await (await network.async_register_service(info, allow_name_change=True))
        elif said.text != info.text or said.parsed_addresses() != info.parsed_addresses():
            info.name = said.name
            await (await network.async_update_service(info))
        else:
            return
        self._info = info

    async def _stop(self) -> None:
        network, browser = self._network, self._browser
        self._network = self._browser = self._info = None
        self._using = []
        if browser is not None:
            with suppress(ZeroconfError, OSError, RuntimeError):
                await browser.async_cancel()
        if network is not None:
            with suppress(ZeroconfError, OSError, RuntimeError):
                await network.async_close()
        if self._found:
            self._found.clear()
            self._stir()

    # -- the others ----------------------------------------------------------------------------------------

    def _heard(self, *, zeroconf: Any, service_type: str, name: str, state_change: ServiceStateChange) -> None:
        if state_change is ServiceStateChange.Removed:
            if self._found.pop(name, None) is not None:
                self._stir()
        elif self._tasks is not None and len(self._found) < FOUND_MAX:
            self._tasks.start_soon(self._look_up, zeroconf, name)

    async def _look_up(self, zeroconf: Any, name: str) -> None:
        try:
            info = AsyncServiceInfo(SERVICE, name)
            if not await info.async_request(zeroconf, _ASK_MS):
                return
            found = read_txt(info.properties, info.parsed_addresses(IPVersion.V4Only), info.port)
        except (ZeroconfError, OSError, ValueError) as error:
            _log.debug("%r can't be looked up: %s", name[:80], error)
            return
        current = self._network is not None and self._network.zeroconf is zeroconf
        room = name in self._found or len(self._found) < FOUND_MAX
        if found is not None and current and room and self._found.get(name) != found:
            self._found[name] = found
            self._stir()

    def _tell(self, problem: str) -> None:
        if problem != self.problem:
            self.problem = problem
            if problem:
                _log.warning("%s", problem)
            self._stir()

    def _stir(self) -> None:
        self._moved.set()
        self._moved = anyio.Event()
