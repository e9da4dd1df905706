"""What goes into a PeerSession and what comes out of it; ``openprod.sync.session`` says when."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any, NamedTuple, TypeAlias

import msgspec

from openprod.core.bundles import SignedBundle
from openprod.sync import messages as m
from openprod.sync.clocks import ClockReport
from openprod.sync.plans import Coming
from openprod.sync.wire import Codec


class Now(NamedTuple):
    """Milliseconds: ``mono`` of a clock that only goes forward, ``wall`` since 1970."""

    mono: int
    wall: int


class State(Enum):
    GREETING = "greeting"
    PROVING = "proving"
    COMPARING = "comparing"
    DECIDING = "deciding"
    JOINED = "joined"
    CLOSED = "closed"


def nobody(_invitation: bytes, _device: str) -> bytes:
    return b""


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """``sign``: this device's Ed25519. ``nonce``: 32 random bytes, new for every connection. ``certificate``: SHA-256
    of the called side's TLS certificate. ``secret``: the pairing secret, while pairing. ``invited``: (which
    invitation it names, device) → the secret that it has to prove, or "": where there are several. ``admit``: (key,
    whether it proved the pairing secret) → "" or why not. ``expected``: the device that was called, if that is known.
    """

    caller: bool
    workspace: str
    key: bytes
    sign: Callable[[bytes], bytes]
    nonce: bytes
    admit: Callable[[bytes, bool], str]
    gathering: str = ""
    history: list[m.Stretch] = []
    certificate: bytes = b""
    secret: bytes = b""
    invited: Callable[[bytes, str], bytes] = nobody
    expected: str = ""
    name: str = ""
    device_name: str = ""
    address: str = ""
    hub: bool = False
    codec: Codec = m.CODEC
    versions: tuple[int, ...] = m.VERSIONS


# -- outputs -----------------------------------------------------------------------------------------------


class Send(NamedTuple):
    frame: bytes


class Closed(NamedTuple):
    """``theirs``: the other side ended it. Close the connection once what was sent has gone out."""

    code: str
    sentence: str
    theirs: bool


class Proven(NamedTuple):
    """The other side is who it says. Answer with ``have``."""

    device: str
    key: bytes
    name: str
    hub: bool
    paired: bool
    resumes: bool
    gathering: str
    history: list[m.Stretch]
    clock: ClockReport
    device_name: str = ""


class Compare(NamedTuple):
    """Answer with ``surveyed``: ``catchup.survey(history, tips, points)``, and before joining what would be sent."""

    tips: list[m.Tip]
    points: dict[str, list[m.Point]]
    offer: bool


class RecordsCame(NamedTuple):
    records: list[bytes]


class Ask(NamedTuple):
    coming: Coming


class Joined(NamedTuple):
    resumed: bool


class Fetch(NamedTuple):
    """Answer with ``supply``: ``replica.outgoing(known, cursor=…, size=…)``."""

    known: dict[str, int]
    cursor: int
    size: int


class TakeIn(NamedTuple):
    """Answer with ``took`` or ``refuse`` once they are durable: ``replica.take_in``."""

    bundles: list[SignedBundle]


class Heard(NamedTuple):
    """What concerns the gathering, or is fetched beside the stream."""

    message: Any


Output: TypeAlias = Send | Closed | Proven | Compare | RecordsCame | Ask | Joined | Fetch | TakeIn | Heard
