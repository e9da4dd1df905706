"""How a device gets in that isn't a member yet: links (also as QR codes), and the one-time secrets in them.

A link is ``openprod://join/<61 bytes in base 64>/<workspace>/<HOST:PORT>,…``. The 61 bytes: version 1, device id (8),
SHA-256 of the host's certificate (32), one-time secret (16), a checksum over everything (4). The checksum finds a link
that was cut short or mistyped; the secret and the certificate's hash are what protects.

**Use.** The host keeps one ``Invitations``: ``make`` for each link, ``key`` as ``PeerConfig.invited``, and ``spend`` in
``admit``, which says once whether the device comes with an invitation. The joining side: ``transport.call(…,
link.certificate)``, then ``Peer.opened(secret=link.key, expected=link.device)``.

A secret is one device's: whoever proves it first. That device may prove it again until it expires, so that a connection
lost halfway needs no new link. Of a secret, only a hash is kept, and neither is shown by ``repr``.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from ipaddress import IPv6Address, ip_address
from typing import Final

import segno

from openprod.core.ids import RandomBytes
from openprod.errors import InputError, LimitExceeded
from openprod.sync import auth

LINK_CHARACTERS_MAX: Final = 1024
ADDRESSES_MAX: Final = 8
SECRET_BYTES: Final = 16
LIFETIME_MS: Final = 60 * 60 * 1000
INVITATIONS_MAX: Final = 100

_START: Final = "openprod://join/"
_VERSION: Final = 1
_PACKED_BYTES: Final = 1 + 8 + 32 + SECRET_BYTES + 4
_DEVICE: Final = re.compile(r"[0-9a-f]{16}")
_WORKSPACE: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_HOST_NAME: Final = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,9}\.?")
_PORT: Final = re.compile(r"[1-9][0-9]{0,4}")
_HINT: Final = "Copy the whole link, from “openprod://” to its last character, or ask for a new one."


@dataclass(frozen=True)
class Link:
    """``addresses``: ``HOST:PORT`` or ``[HOST]:PORT``, the likeliest first. ``certificate``: SHA-256."""

    addresses: tuple[str, ...]
    device: str
    certificate: bytes
    secret: bytes = field(repr=False)
    workspace: str

    @property
    def key(self) -> bytes:
        """What is proved to the host (``Config.secret``)."""
        return key_of(self.secret)


def key_of(secret: bytes) -> bytes:
    """32 bytes, from which the secret of the link can't be had."""
    return hashlib.sha256(b"openprod invitation 1\0" + secret).digest()


def link(addresses: Iterable[str], device: str, certificate_hash: bytes, secret: bytes, workspace: str) -> str:
    """Of at most eight addresses. Raises InputError for what no link can hold."""
    places = ",".join(_address(one) for one in list(addresses)[:ADDRESSES_MAX])
    if not places:
        raise InputError("A link needs an address.", hint="Connect this device to a network first.")
    if not _DEVICE.fullmatch(device) or not _WORKSPACE.fullmatch(workspace):
        raise InputError("No link can be made for that device or workspace.")
    if len(certificate_hash) != 32 or len(secret) != SECRET_BYTES:
        raise InputError("A link needs a certificate's SHA-256 and a secret of 16 bytes.")
    packed = bytes([_VERSION]) + bytes.fromhex(device) + certificate_hash + secret
    packed += _checksum(packed, workspace, places)
    made = f"{_START}{base64.urlsafe_b64encode(packed).rstrip(b'=').decode()}/{workspace}/{places}"
    if len(made) > LINK_CHARACTERS_MAX:
        raise LimitExceeded("The addresses are too long for a link.", hint="Give fewer addresses.")
    return made


def parse_link(text: str) -> Link:
    """Inverse of ``link``; blanks and line breaks, as mail programs make them, are passed over. Raises InputError."""
    if len(text) > 2 * LINK_CHARACTERS_MAX:
        raise LimitExceeded("That is far longer than any link to join.", hint=_HINT)
    plain = "".join(text.split()).strip("<>\"'“”")
    if not plain[: len(_START)].lower() == _START:
        raise InputError("That isn't a link to join: those begin with openprod://join/.", hint=_HINT)
    packed_text, _, rest = plain[len(_START) :].partition("/")
    workspace, _, places = rest.partition("/")
    packed = _unpacked(packed_text)
    if packed and packed[0] != _VERSION:
        raise InputError("The link was made by a newer version of Openprod.", hint="Update Openprod on this device.")
    if len(packed) != _PACKED_BYTES or packed[-4:] != _checksum(packed[:-4], workspace, places):
        raise InputError("The link isn't whole, or was changed.", hint=_HINT)
    addresses = tuple(_address(one) for one in places.split(","))
    if len(addresses) > ADDRESSES_MAX or not _WORKSPACE.fullmatch(workspace):
        raise InputError("The link holds what no link may.", hint=_HINT)
    return Link(addresses, packed[1:9].hex(), packed[9:41], packed[41:57], workspace)


def qr(text: str) -> str:
    """A QR code in lines of text, for a dark or a light terminal that shows Unicode. Raises InputError."""
    out = io.StringIO()
    try:
        segno.make_qr(text, error="L").terminal(out, compact=True, border=2)
    except ValueError as error:
        raise InputError("That is too long for a QR code.", hint="Give fewer addresses.") from error
    return out.getvalue()


def qr_rows(text: str) -> list[str]:
    """A QR code as rows of dark (1) and light (0) squares, without a quiet zone; none for what is too long."""
    try:
        return ["".join(map(str, row)) for row in segno.make_qr(text, error="L").matrix]
    except ValueError:
        return []


def _unpacked(text: str) -> bytes:
    # Python's decoder leaves out what isn't of its alphabet: two links would then be one.
    if len(text) > 2 * _PACKED_BYTES or not re.fullmatch(r"[A-Za-z0-9_-]*", text):
        return b""
    try:
        packed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return b""
    return packed if base64.urlsafe_b64encode(packed).rstrip(b"=").decode() == text else b""


def _checksum(packed: bytes, workspace: str, places: str) -> bytes:
    rest = f"/{workspace}/{places}".encode("utf-8", "surrogatepass")
    return hashlib.sha256(packed + rest).digest()[:4]


def _address(text: str) -> str:
    """``text`` as it stands in a link. Raises InputError."""
    host, _, port = text.strip().rpartition(":")
    if _PORT.fullmatch(port) and int(port) < 65536:
        bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
        try:
            # A zone, such as in fe80::1%eth0, means something on its own device only.
            parsed = ip_address(bare.partition("%")[0])
            return f"[{parsed}]:{port}" if isinstance(parsed, IPv6Address) else f"{parsed}:{port}"
        except ValueError:
            if len(host) <= 253 and _HOST_NAME.fullmatch(host):
                return f"{host.lower()}:{port}"
    raise InputError(f"“{text[:80]}” isn't an address.", hint="An address looks like 192.168.1.20:8041.")


# -- one-time secrets --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Invitation:
    """``id``: no secret; 32 hex digits. ``note``: what it was made for. ``device``: whose it is, once it was spent.

    ``trusted``: a person has said already that whoever proves it may come in.
    """

    id: str
    note: str
    expires_ms: int
    device: str = ""
    key: bytes = field(repr=False, default=b"")
    trusted: bool = False


class Invitations:
    """Kept in memory only: a host that ends takes its invitations back. ``now_ms``: any clock that goes forward."""

    def __init__(self, *, random_bytes: RandomBytes, now_ms: Callable[[], int]) -> None:
        self._random, self._now_ms = random_bytes, now_ms
        self._open: dict[str, Invitation] = {}
        self._asked: dict[str, str] = {}

    def make(self, *, note: str = "", lifetime_ms: int = LIFETIME_MS, trusted: bool = False) -> bytes:
        """The secret of a new invitation: 16 bytes, for ``link``; it isn't kept. Raises LimitExceeded."""
        secret = self._random(SECRET_BYTES)
        self.add(key_of(secret), note=note, lifetime_ms=lifetime_ms, trusted=trusted)
        return secret

    def add(
        self, key: bytes, *, device: str = "", note: str = "", lifetime_ms: int = LIFETIME_MS, trusted: bool = False
    ) -> None:  # fmt: skip
        """One whose key came about elsewhere (``openprod.sync.spoken``), for ``device`` only. Raises LimitExceeded."""
        self._expire()
        if len(self._open) >= INVITATIONS_MAX:
            raise LimitExceeded("There are too many open invitations.", hint="Withdraw some, or wait until they end.")
        id = auth.invitation(key).hex()
        self._open[id] = Invitation(id, note, self._now_ms() + lifetime_ms, device, key, trusted)

    def key(self, id: bytes, device: str) -> bytes:
        """What ``device`` has to prove that names invitation ``id``; empty where it has no such invitation."""
        self._expire()
        found = self._open.get(id.hex())
        if found is None or found.device not in ("", device):
            return b""
        while len(self._asked) >= INVITATIONS_MAX:
            del self._asked[next(iter(self._asked))]
        self._asked[device] = found.id
        return found.key

    def spend(self, device: str) -> Invitation | None:
        """Once ``device`` has proved its key: the invitation is this device's from now on. None: it was another's."""
        self._expire()
        found = self._open.get(self._asked.pop(device, ""))
        if found is None or found.device not in ("", device):
            return None
        self._open[found.id] = replace(found, device=device)
        return self._open[found.id]

    def withdraw(self, id: str) -> bool:
        return self._open.pop(id, None) is not None

    def listed(self) -> list[Invitation]:
        """Those that nobody has spent."""
        self._expire()
        return [one for one in self._open.values() if not one.device]

    def _expire(self) -> None:
        now_ms = self._now_ms()
        self._open = {id: one for id, one in self._open.items() if one.expires_ms > now_ms}
