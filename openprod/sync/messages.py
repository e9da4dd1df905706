"""What nodes say to each other. One struct per kind of message; ``openprod.sync.wire`` turns them into frames.

The order of a PeerSession, each way::

    HELLO → AUTH → HAVE (→ RECORDS, FORKED) → PLAN → APPROVE → OPS … → LIVE …, ACK …

REFUSE ends a connection before anything was agreed, BYE afterwards. Whatever concerns the gathering as a whole
(HEARTBEAT, ROSTER, ANNOUNCE, END) and what is fetched beside the stream (manifest, chunks, blobs) may come at any time
after both have joined.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Final, TypeAlias

import msgspec
from msgspec import Meta

from openprod.sync.wire import FRAME_BYTES_MAX, Codec

VERSIONS: Final = (1, 2)
"""Versions of the protocol that this program speaks."""

NAMED: Final = 2
"""From this version on AUTH says what the device is called."""

BUNDLES_BYTES_MAX: Final = FRAME_BYTES_MAX - 8 * 1024
"""Bodies and signatures in one OPS frame; a bundle that is larger travels in PIECEs."""
PIECE_BYTES_MAX: Final = 192 * 1024
TIPS_MAX: Final = 3000
"""In one frame."""
BODY_SLACK_BYTES: Final = 128
"""What a bundle takes in a frame beyond its body."""

DeviceId: TypeAlias = Annotated[str, Meta(pattern="^[0-9a-f]{16}$")]
LogId: TypeAlias = Annotated[str, Meta(pattern="^[0-9a-f]{16}-[0-9a-f]{8}$")]
GatheringId: TypeAlias = Annotated[str, Meta(pattern="^([0-9a-f]{32})?$")]
Name: TypeAlias = Annotated[str, Meta(max_length=200)]
Sentence: TypeAlias = Annotated[str, Meta(max_length=1000)]
Code: TypeAlias = Annotated[str, Meta(pattern="^[a-z_]{1,40}$")]
Hash: TypeAlias = Annotated[bytes, Meta(min_length=32, max_length=32)]
Count: TypeAlias = Annotated[int, Meta(ge=0, le=2**53)]
Milliseconds: TypeAlias = Annotated[int, Meta(ge=0, le=253_402_300_799_999)]


class Stretch(msgspec.Struct, array_like=True, frozen=True):
    """A place in the history of a gathering: who led it in which term, and how long ago the sender was last with it."""

    term: Count
    leader: DeviceId
    age_ms: Count


class Tip(msgspec.Struct, array_like=True, frozen=True):
    """The last bundle of a log, or of one branch of a forked log."""

    log: LogId
    seq: Count
    hash: Hash


class Point(msgspec.Struct, array_like=True, frozen=True):
    seq: Count
    hash: Hash


class Signed(msgspec.Struct, array_like=True, frozen=True):
    """A bundle as it is stored: ``openprod.core.bundles.SignedBundle``."""

    body: bytes
    signature: Annotated[bytes, Meta(min_length=64, max_length=64)]


class Author(msgspec.Struct, array_like=True, frozen=True):
    name: Name
    device: Name
    bundles: Count


class RosterEntry(msgspec.Struct, array_like=True, frozen=True):
    """A device of the gathering. ``hub``: never leads. ``away``: its connection is gone, its place is kept."""

    device: DeviceId
    name: Name
    address: Name = ""
    hub: bool = False
    away: bool = False


class Stored(msgspec.Struct, array_like=True, frozen=True):
    """How far a device has a log of the receiver's on its disk."""

    device: DeviceId
    log: LogId
    seq: Count


# -- coming in ---------------------------------------------------------------------------------------------


class Hello(msgspec.Struct, array_like=True, frozen=True, tag=1):
    """First both ways; the one who was called answers only a HELLO that it can go on from.

    ``history``: newest first. ``address``: where the sender can be called, ``HOST:PORT`` with blanks between.
    ``invitation``: which pairing secret the sender is going to prove, or "". No name of a person or a production is in
    it: nobody has proved anything yet.
    """

    versions: Annotated[list[Count], Meta(min_length=1, max_length=16)]
    key: Hash
    workspace: Name
    gathering: GatheringId
    history: Annotated[list[Stretch], Meta(max_length=16)]
    nonce: Hash
    clock_ms: Milliseconds
    hub: bool = False
    address: Name = ""
    invitation: Annotated[bytes, Meta(max_length=16)] = b""


class Auth(msgspec.Struct, array_like=True, frozen=True, tag=2):
    """``signature`` of the device over the transcript (``openprod.sync.auth``); ``proof``: HMAC of the transcript under
    a pairing secret, from a device that isn't a member yet, else empty. ``resume``: this side needs no approval to go
    on with the stretch that both are in. ``device_name``: "" from programs that speak an older version than ``NAMED``.
    """

    signature: Annotated[bytes, Meta(min_length=64, max_length=64)]
    proof: Annotated[bytes, Meta(max_length=32)] = b""
    resume: bool = False
    name: Name = ""
    device_name: Name = ""


class Refuse(msgspec.Struct, array_like=True, frozen=True, tag=3):
    code: Code
    sentence: Sentence


class Bye(msgspec.Struct, array_like=True, frozen=True, tag=4):
    code: Code
    sentence: Sentence


# -- what each has -----------------------------------------------------------------------------------------


class Have(msgspec.Struct, array_like=True, frozen=True, tag=5):
    """``more``: another one goes on with it. Anybody may make thousands of logs, and no frame holds that many tips."""

    tips: Annotated[list[Tip], Meta(max_length=TIPS_MAX)]
    membership: Annotated[list[Hash], Meta(max_length=64)] = []
    more: bool = False


class Forked(msgspec.Struct, array_like=True, frozen=True, tag=6):
    """Somebody's log has two histories: where the sender's goes, ever sparser towards the beginning."""

    log: LogId
    points: Annotated[list[Point], Meta(max_length=128)]


class Records(msgspec.Struct, array_like=True, frozen=True, tag=7):
    """Membership records, encoded, each after those it builds on."""

    records: Annotated[list[bytes], Meta(max_length=1000)]


class Plan(msgspec.Struct, array_like=True, frozen=True, tag=8):
    """What the sender would send. ``touched``: see ``openprod.sync.plans``; ``all_touched``: none was left out."""

    id: Hash
    bundles: Count
    size: Count
    authors: Annotated[list[Author], Meta(max_length=100)]
    touched: Annotated[list[Annotated[bytes, Meta(min_length=16, max_length=16)]], Meta(max_length=8192)] = []
    all_touched: bool = True


class Approve(msgspec.Struct, array_like=True, frozen=True, tag=9):
    id: Hash


# -- content -----------------------------------------------------------------------------------------------


class Ops(msgspec.Struct, array_like=True, frozen=True, tag=10):
    bundles: Annotated[list[Signed], Meta(max_length=2048)]


class Piece(msgspec.Struct, array_like=True, frozen=True, tag=11):
    """A piece of one large bundle's body, which begins at ``offset`` of ``total`` bytes."""

    hash: Hash
    signature: Annotated[bytes, Meta(min_length=64, max_length=64)]
    offset: Count
    total: Count
    data: bytes


class Live(msgspec.Struct, array_like=True, frozen=True, tag=12):
    """``gseq``: place in the sender's order; ``previous``: that of the LIVE before on this connection."""

    term: Count
    gseq: Count
    previous: Count
    bundle: Signed


class Ack(msgspec.Struct, array_like=True, frozen=True, tag=13):
    """What is on the sender's disk: tips that moved since its last ACK, or ``whole``: all."""

    tips: Annotated[list[Tip], Meta(max_length=TIPS_MAX)]
    whole: bool = False


class Credit(msgspec.Struct, array_like=True, frozen=True, tag=14):
    """At most ``size`` bytes of bundles may be under way without an ACK: none for now, while it is 0."""

    size: Count


class Presence(msgspec.Struct, array_like=True, frozen=True, tag=15):
    """May be lost. ``data`` means something to pages only."""

    device: DeviceId
    data: Annotated[bytes, Meta(max_length=16 * 1024)]


# -- the gathering -----------------------------------------------------------------------------------------


class Heartbeat(msgspec.Struct, array_like=True, frozen=True, tag=16):
    """``direct``: the sender leads, or hears the leader on a connection of its own. ``clock_ms``: from who leads, the
    gathering's time (``openprod.sync.clocks``). ``joined``: who is joined with the sender.
    """

    term: Count
    leader: Annotated[str, Meta(pattern="^([0-9a-f]{16})?$")]
    direct: bool
    clock_ms: Milliseconds
    stored: Annotated[list[Stored], Meta(max_length=256)] = []
    joined: Annotated[list[DeviceId], Meta(max_length=256)] = []


class Roster(msgspec.Struct, array_like=True, frozen=True, tag=17):
    """In order of joining."""

    term: Count
    members: Annotated[list[RosterEntry], Meta(max_length=256)]


class Announce(msgspec.Struct, array_like=True, frozen=True, tag=18):
    """``leader`` leads from now on. ``rank``: its place in the roster, 0 for whoever joined first; part of the claim.
    ``history``: the stretches that this one goes on from.
    """

    gathering: GatheringId
    term: Count
    leader: DeviceId
    rank: Count
    history: Annotated[list[Stretch], Meta(max_length=16)]


class End(msgspec.Struct, array_like=True, frozen=True, tag=19):
    """The leader closes the gathering for all. Everybody keeps what they have."""

    gathering: GatheringId
    term: Count


# -- beside the stream -------------------------------------------------------------------------------------


class ManifestWanted(msgspec.Struct, array_like=True, frozen=True, tag=20):
    """Make a whole copy, and say what it is. Only to whoever said that it would."""


class Manifest(msgspec.Struct, array_like=True, frozen=True, tag=21):
    """A whole copy to begin from: of ``bundles``, in ``size`` bytes; nothing of either where none can be made.
    ``signature`` of ``key`` over the rest: see ``openprod.sync.bootstrap``.
    """

    workspace: Name
    bundles: Count
    size: Annotated[int, Meta(ge=0, le=2**36)]
    chunk_bytes: Annotated[int, Meta(ge=1024, le=64 * 1024 * 1024)]
    chunks: Annotated[list[Hash], Meta(max_length=4096)]
    key: Hash
    signature: Annotated[bytes, Meta(min_length=64, max_length=64)]


class ChunkWanted(msgspec.Struct, array_like=True, frozen=True, tag=22):
    hash: Hash
    offset: Count = 0


class Chunk(msgspec.Struct, array_like=True, frozen=True, tag=23):
    """``data`` from ``offset`` of the chunk of that hash; empty: the sender hasn't got it."""

    hash: Hash
    offset: Count
    data: bytes


class BlobsWanted(msgspec.Struct, array_like=True, frozen=True, tag=24):
    """Which of these does the other hold? They travel over a connection of their own."""

    hashes: Annotated[list[Hash], Meta(max_length=4096)]


class BlobsHeld(msgspec.Struct, array_like=True, frozen=True, tag=25):
    hashes: Annotated[list[Hash], Meta(max_length=4096)]


class About(msgspec.Struct, array_like=True, frozen=True, tag=26):
    """What people call the production: to whoever has joined, for a newcomer's copy.

    ``bundles``: about how many the sender would make a whole copy of, when asked; 0 where it can't.
    """

    name: Name
    bundles: Count = 0


TYPES: Final = (
    Hello, Auth, Refuse, Bye, Have, Forked, Records, Plan, Approve, Ops, Piece, Live, Ack, Credit, Presence, Heartbeat,
    Roster, Announce, End, ManifestWanted, Manifest, ChunkWanted, Chunk, BlobsWanted, BlobsHeld, About,
)  # fmt: skip

Message: TypeAlias = (
    Hello | Auth | Refuse | Bye | Have | Forked | Records | Plan | Approve | Ops | Piece | Live | Ack | Credit
    | Presence | Heartbeat | Roster | Announce | End | ManifestWanted | Manifest | ChunkWanted | Chunk | BlobsWanted
    | BlobsHeld | About
)  # fmt: skip

CODEC: Final = Codec(TYPES)


def haves(tips: Sequence[Tip], membership: Sequence[bytes]) -> list[Have]:
    """In as many frames as it takes."""
    parts = _parts(tips)
    return [Have(part, list(membership), at < len(parts)) for at, part in enumerate(parts, 1)]


def acks(tips: Sequence[Tip], *, whole: bool = False) -> list[Ack]:
    """In as many frames as it takes; of all, the first one says so, and others add to it."""
    return [Ack(part, whole and at == 0) for at, part in enumerate(_parts(tips))]


def of_records(records: Sequence[bytes]) -> Iterator[Records]:
    """In as many frames as it takes."""
    batch: list[bytes] = []
    for record in records:
        if batch and (sum(map(len, batch)) + len(record) > PIECE_BYTES_MAX or len(batch) >= 500):
            yield Records(batch)
            batch = []
        batch.append(record)
    if batch:
        yield Records(batch)


def _parts(tips: Sequence[Tip]) -> list[list[Tip]]:
    return [list(tips[at : at + TIPS_MAX]) for at in range(0, len(tips), TIPS_MAX)] or [[]]


def common_version(mine: Iterable[int], theirs: Iterable[int]) -> int | None:
    """The highest that both speak."""
    return max({*mine} & {*theirs}, default=None)
