"""The devices that this one has been together with, per workspace: who they are and where they were last reached.

Kept per user, outside the workspace (0600): addresses are this device's business, and never travel in a backup.
"""

from __future__ import annotations

import logging
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec
from filelock import FileLock, Timeout

from openprod.errors import Busy
from openprod.storage.sqlite.connection import translated

DEVICES_MAX: Final = 500
ADDRESSES_MAX: Final = 8
_log = logging.getLogger(__name__)


class Device(msgspec.Struct):
    """``addresses``: ``HOST:PORT``, the latest first. ``stored``: {log of this device: how far that one holds it}.
    ``certificate``: SHA-256 (hex) of the one by which it answered a call; "" while it never did."""

    device: str
    name: str = ""
    addresses: list[str] = []
    stored: dict[str, int] = {}
    certificate: str = ""


class KnownDevices:
    def __init__(self, folder: Path, workspace: str) -> None:
        self._file = folder / f"{workspace}.json"
        self._lock = FileLock(folder / f"{workspace}.lock", mode=0o600)
        self._devices: dict[str, Device] = {}
        with suppress(OSError, msgspec.MsgspecError):
            found = msgspec.json.decode(self._file.read_bytes(), type=list[Device])
            self._devices = {one.device: one for one in found[:DEVICES_MAX]}

    def __contains__(self, device: str) -> bool:
        return device in self._devices

    def all(self) -> list[Device]:
        return list(self._devices.values())

    def addresses(self, device: str) -> list[tuple[str, int]]:
        one = self._devices.get(device)
        return [place for text in (one.addresses if one else ()) if (place := parse(text)) is not None]

    def name_of(self, device: str) -> str:
        """What it was called, or the beginning of its id."""
        one = self._devices.get(device)
        return one.name if one and one.name else device[:8]

    def places(self, device: str, said: list[str]) -> list[tuple[str, int]]:
        """Where to call a device: where it is said to be, then where it was."""
        found = [place for text in said if (place := parse(text)) is not None]
        return list(dict.fromkeys([*found[:ADDRESSES_MAX], *self.addresses(device)]))

    def pin(self, device: str) -> bytes:
        """SHA-256 of the certificate by which that device answers, or b""."""
        one = self._devices.get(device)
        return bytes.fromhex(one.certificate) if one is not None else b""

    def pins(self, *, but: str) -> set[bytes]:
        """Of all other devices."""
        return {bytes.fromhex(one.certificate) for one in self.all() if one.certificate and one.device != but}

    def add(self, device: str, name: str, addresses: list[str], certificate: bytes = b"") -> None:
        """Raises nothing: what can't be written is told to the log, and known until the end."""
        before = self._devices.get(device)
        kept = [text for text in dict.fromkeys([*addresses, *(before.addresses if before else ())]) if parse(text)]
        now = Device(
            device, name or (before.name if before else ""), kept[:ADDRESSES_MAX], before.stored if before else {},
            certificate.hex() or (before.certificate if before else ""),
        )  # fmt: skip
        if now == before or (before is None and len(self._devices) >= DEVICES_MAX):
            return
        self._devices[device] = now
        self._keep()

    def note(self, stored: Mapping[str, Mapping[str, int]], own: str) -> None:
        """How far the devices known here hold logs, by device; kept for the logs of the device ``own``."""
        changed = False
        for device, one in self._devices.items():
            mine = {log: seq for log, seq in stored.get(device, one.stored).items() if log.startswith(f"{own}-")}
            changed, one.stored = changed or mine != one.stored, mine
        if changed:
            self._keep()

    @property
    def stored(self) -> dict[str, dict[str, int]]:
        """{device: {log: how far it was known to hold it}}"""
        return {one.device: dict(one.stored) for one in self._devices.values() if one.stored}

    def hold(self) -> None:
        """One copy of a workspace on this device may meet the others at a time: both are one device to them, and each
        would have the other's connections ended. As often as ``let_go`` is called. Raises Busy, StorageError.
        """
        with translated(str(self._file)):
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                self._lock.acquire(timeout=0)
            except Timeout:
                raise Busy(
                    "Another copy of this production on this device is in a gathering.",
                    hint="Leave it there first, or work in that copy.",
                ) from None

    def let_go(self) -> None:
        self._lock.release()

    def _keep(self) -> None:
        try:
            self._write()
        except OSError:
            _log.warning("the known devices can't be written", exc_info=True)

    def _write(self) -> None:
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = self._file.with_name(f".{self._file.name}.{secrets.token_hex(4)}")
        try:
            with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(msgspec.json.encode(list(self._devices.values())))
            temporary.replace(self._file)
        finally:
            temporary.unlink(missing_ok=True)


def parse(address: str) -> tuple[str, int] | None:
    """(host, port) of ``HOST:PORT`` or ``[HOST]:PORT``; None for anything else."""
    host, colon, port = address.strip().rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or len(host) > 100 or not port.isascii() or not port.isdigit() or len(port) > 5:
        return None
    return (host, int(port)) if 0 < int(port) < 65536 else None


def text(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def joined(addresses: list[str], most: int = 200) -> str:
    """As many of the addresses as go into ``most`` characters, with blanks between."""
    found = ""
    for one in addresses:
        longer = f"{found} {one}".strip()
        if len(longer) > most:
            break
        found = longer
    return found
