"""Gatherings of several devices: who is here, who leads, what waits for a person's word; host, join, leave, end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from openprod.errors import Stale
from openprod.server.calls import Asked, Call
from openprod.server.payloads import Payload

if TYPE_CHECKING:
    from openprod.sync.service import PeerService

Revision = Annotated[int | None, Field(ge=0, description="Wait for another state than that of this revision.")]
Seconds = Annotated[float, Field(ge=0, le=60, description="How long to wait at most.")]
Place = Annotated[str, Field(min_length=3, max_length=100, description="`HOST:PORT`")]


class SessionQuery(Payload):
    after: Revision = None
    wait: Seconds = 20.0


class EditsQuery(Payload):
    limit: Annotated[int, Field(ge=1, le=1000)] = 50
    alone: Annotated[bool, Field(description="Only this device's own that are on no other device.")] = False


class NearbyQuery(Payload):
    seconds: Annotated[float, Field(ge=0.5, le=30, description="How long to listen.")] = 4.0


class Reached(Payload):
    """How other devices reach this one."""

    listen: Annotated[str, Field(max_length=100, description="The address to listen on; all by default.")] = "0.0.0.0"
    port: Annotated[int | None, Field(ge=0, le=65535, description="0 picks a free one.")] = None
    addresses: Annotated[
        tuple[Place, ...], Field(max_length=8, description="Where others call it, in place of what it finds out.")
    ] = ()


class HostRequest(Reached):
    role: Annotated[Literal["viewer", "editor", "owner"], Field(description="Of whoever joins by the link.")] = "editor"
    trust_link: Annotated[bool, Field(description="Don't ask whether it is the one that the link was given to.")] = (
        False
    )


class JoinRequest(Reached):
    link: Annotated[
        str,
        Field(
            max_length=2048,
            description="A link; the three words of a spoken code; addresses (`HOST:PORT`, commas between) of a "
            "member; empty: those who were here before.",
        ),
    ] = ""
    at: Annotated[str, Field(max_length=1000, description="With a code: addresses of that device.")] = ""
    yes: Annotated[bool, Field(description="Approve of whatever comes.")] = False


class PlanRequest(Payload):
    plan: Annotated[str, Field(pattern="^([0-9a-f]{64}|[0-9a-f]{16})$", description="Its id, or a newcomer's.")]


class DeviceRecord(Payload):
    device: str
    name: str


class MemberRecord(DeviceRecord):
    me: bool
    leads: bool
    here: bool
    connected: bool
    hub: Annotated[bool, Field(description="Always on; never leads")]
    role: Annotated[str, Field(description="viewer, editor or owner; empty while nobody has let anybody in")]


class AskedRecord(DeviceRecord):
    """Has proved the spoken code: is it the one that was meant? Approve or decline by its device's id."""

    device_name: str
    title: Annotated[str, Field(description="Of a host: what it calls its production")]


class AuthorRecord(DeviceRecord):
    bundles: int


class PlanRecord(Payload):
    """What would come (``bundles``, ``bytes``, ``authors``), what would go (``sends``), conflicts to come."""

    id: str
    device: str
    name: str
    device_name: Annotated[str, Field(description="As it calls itself; empty from older programs")]
    bundles: int
    bytes: int
    authors: list[AuthorRecord]
    sends: int
    sends_bytes: int
    conflicts: int
    at_least: bool
    newcomer: Annotated[str, Field(description="It came with a link, which makes it this; empty for who is a member")]


class MineRecord(Payload):
    """How far this device's latest bundle has come."""

    bundles: int
    on_leader: bool
    devices: int


class CopyRecord(Payload):
    """A whole copy on its way: ``came`` of ``bytes`` are here, ``taken`` of its ``bundles`` verified and taken in."""

    came: int
    bytes: int
    taken: int
    bundles: int


class ClockRecord(Payload):
    """This device's clock against the gathering's time."""

    verdict: Literal["fine", "warn", "correct", "read-only"]
    offset_ms: Annotated[int, Field(description="What the others' clocks say more; whole seconds")]
    sentence: Annotated[str, Field(description="For people; empty while fine")]


class EventRecord(Payload):
    at: str
    sentence: str


class SessionAnswer(Payload):
    revision: int
    in_session: bool
    gathering: str
    me: DeviceRecord
    leader: str
    leads: bool
    term: int
    addresses: Annotated[list[str], Field(description="Where others call this device")]
    alone: Annotated[int, Field(description="This device's own bundles that are on no other, as far as is known")]
    joining: Annotated[str, Field(description="calling, deciding, joined, failed or empty")]
    problem: str
    hub: Annotated[bool, Field(description="Whether this node is a hub: always on, never leads")]
    members: list[MemberRecord]
    plans: list[PlanRecord]
    newcomers: list[AskedRecord]
    hosts: Annotated[list[AskedRecord], Field(description="Found by a spoken code, to be joined")]
    mine: MineRecord
    copy_: Annotated[CopyRecord | None, Field(alias="copy")]
    clock: ClockRecord
    events: list[EventRecord]
    link: str = ""
    qr: Annotated[
        tuple[str, ...], Field(description="The link as a QR code: rows of dark (1) and light (0) squares")
    ] = ()
    code: Annotated[str, Field(description="To be spoken: for one device, for a minute. Empty while locked.")] = ""


class EditRecord(Payload):
    bundle: str
    author: str
    here: bool
    on_leader: bool
    devices: int
    at: str
    message: str
    intent: str


class EditsAnswer(Payload):
    edits: list[EditRecord]
    alone: Annotated[int, Field(description="This device's own bundles that are on no other, as far as is known")]


class NearbyRecord(Payload):
    """Only said, by whoever is on the network. ``known``: it hosts a production that this device has been in."""

    device: str
    name: Annotated[str, Field(description="As this device met it; empty for one that it never met")]
    addresses: list[str]
    known: bool
    workspace: str | None
    gathering: str | None
    code: Annotated[bool, Field(description="A spoken code is open there")]


class NearbyAnswer(Payload):
    devices: list[NearbyRecord]
    problem: Annotated[str, Field(description="Why this device can't look around; empty if it can")]


def _peers(asked: Asked) -> PeerService:
    if asked.services.peers is None:
        raise Stale("No node serves this workspace.", hint="Start one: openprod serve, openprod host or openprod join.")
    return asked.services.peers


async def session(asked: Asked) -> dict[str, Any]:
    query: SessionQuery = asked.query
    peers = _peers(asked)
    if query.after is not None:
        await peers.changed(query.after, query.wait)
    return await _answer(peers)


async def _answer(peers: PeerService, more: dict[str, Any] | None = None) -> dict[str, Any]:
    alone = await peers.alone()
    return {**peers.status(), "alone": alone, **(more or {})}


async def edits(asked: Asked) -> dict[str, Any]:
    query: EditsQuery = asked.query
    return await _peers(asked).edits(query.limit, alone=query.alone)


async def nearby(asked: Asked) -> dict[str, Any]:
    query: NearbyQuery = asked.query
    return await _peers(asked).nearby(query.seconds)


async def host(asked: Asked) -> dict[str, Any]:
    from openprod.sync.pairing import qr_rows  # heavy: only who hosts needs it

    request: HostRequest = asked.body
    peers = _peers(asked)
    found = await peers.host(
        role=request.role, trust_link=request.trust_link, listen=request.listen, port=request.port,
        addresses=request.addresses,
    )  # fmt: skip
    letting = {name: found[name] for name in ("link", "code")}
    return await _answer(peers, {**letting, "qr": qr_rows(found["link"]) if found["link"] else []})


async def join(asked: Asked) -> dict[str, Any]:
    request: JoinRequest = asked.body
    peers = _peers(asked)
    await peers.join(
        request.link, at=request.at, yes=request.yes, listen=request.listen, port=request.port,
        addresses=request.addresses,
    )  # fmt: skip
    return await _answer(peers)


async def approve(asked: Asked) -> dict[str, Any]:
    request: PlanRequest = asked.body
    await _peers(asked).approve(request.plan)
    return await _answer(_peers(asked))


async def decline(asked: Asked) -> dict[str, Any]:
    request: PlanRequest = asked.body
    _peers(asked).decline(request.plan)
    return await _answer(_peers(asked))


async def leave(asked: Asked) -> dict[str, Any]:
    await _peers(asked).leave()
    return await _answer(_peers(asked))


async def end(asked: Asked) -> dict[str, Any]:
    await _peers(asked).end()
    return await _answer(_peers(asked))


CALLS = (
    Call(
        method="GET",
        path="/session",
        handle=session,
        does="Who is here, who leads, what waits for a person's word; with `after`, once that is another",
        query=SessionQuery,
        gives=SessionAnswer,
    ),
    Call(
        method="GET",
        path="/session/edits",
        handle=edits,
        does="The latest bundles, newest first: here, on the leader, on how many other devices; those on none else",
        query=EditsQuery,
        gives=EditsAnswer,
    ),
    Call(
        method="GET",
        path="/session/nearby",
        handle=nearby,
        does="Devices on this network that host; nothing is asked of them and nothing is told to them",
        role="owner",
        query=NearbyQuery,
        gives=NearbyAnswer,
    ),
    Call(
        method="POST",
        path="/session/host",
        handle=host,
        does="Begin a gathering; the answer holds a link that lets one device in, once approved",
        role="owner",
        body=HostRequest,
        gives=SessionAnswer,
    ),
    Call(
        method="POST",
        path="/session/join",
        handle=join,
        does="Join by a link, a spoken code or an address, or those from before; what would come waits for approval",
        role="owner",
        body=JoinRequest,
        gives=SessionAnswer,
    ),
    Call(
        method="POST",
        path="/session/approve",
        handle=approve,
        does="Say yes to a plan; both sides must",
        role="owner",
        body=PlanRequest,
        gives=SessionAnswer,
    ),
    Call(
        method="POST",
        path="/session/decline",
        handle=decline,
        does="Say no to a plan: nothing moves",
        role="owner",
        body=PlanRequest,
        gives=SessionAnswer,
    ),
    Call(
        method="POST",
        path="/session/leave",
        handle=leave,
        does="Leave; everybody keeps what they have",
        role="owner",
        gives=SessionAnswer,
    ),
    Call(
        method="POST",
        path="/session/end",
        handle=end,
        does="Close the gathering for all; everybody keeps what they have",
        role="owner",
        gives=SessionAnswer,
    ),
)
