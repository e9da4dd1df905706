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


class Reached(Payload):
    """How other devices reach this one."""

    listen: Annotated[str, Field(max_length=100, description="The address to listen on; all by default.")] = "0.0.0.0"
    port: Annotated[int | None, Field(ge=0, le=65535, description="0 picks a free one.")] = None
    addresses: Annotated[
        tuple[Place, ...], Field(max_length=8, description="Where others call it, in place of what it finds out.")
    ] = ()


class HostRequest(Reached):
    role: Annotated[Literal["viewer", "editor", "owner"], Field(description="Of whoever joins by the link.")] = "editor"


class JoinRequest(Reached):
    link: Annotated[str, Field(max_length=2048, description="Empty: those who were here before.")] = ""
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


class NewcomerRecord(DeviceRecord):
    """Has proved the spoken code: is it the one that was meant? Approve or decline by its device's id."""

    device_name: str


class AuthorRecord(DeviceRecord):
    bundles: int


class PlanRecord(Payload):
    """What would come (``bundles``, ``bytes``, ``authors``), what would go (``sends``), conflicts to come."""

    id: str
    device: str
    name: str
    bundles: int
    bytes: int
    authors: list[AuthorRecord]
    sends: int
    sends_bytes: int
    conflicts: int
    at_least: bool


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
    joining: Annotated[str, Field(description="calling, deciding, joined, failed or empty")]
    problem: str
    members: list[MemberRecord]
    plans: list[PlanRecord]
    newcomers: list[NewcomerRecord]
    mine: MineRecord
    copy_: Annotated[CopyRecord | None, Field(alias="copy")]
    events: list[EventRecord]
    link: str = ""
    code: Annotated[str, Field(description="To be spoken: for one device, for a minute. Empty while locked.")] = ""


class EditRecord(Payload):
    bundle: str
    author: str
    here: bool
    on_leader: bool
    devices: int


class EditsAnswer(Payload):
    edits: list[EditRecord]


def _peers(asked: Asked) -> PeerService:
    if asked.services.peers is None:
        raise Stale("No node serves this workspace.", hint="Start one: openprod serve, openprod host or openprod join.")
    return asked.services.peers


async def session(asked: Asked) -> dict[str, Any]:
    query: SessionQuery = asked.query
    if query.after is None:
        return _peers(asked).status()
    return await _peers(asked).changed(query.after, query.wait)


async def edits(asked: Asked) -> dict[str, Any]:
    query: EditsQuery = asked.query
    return {"edits": await _peers(asked).edits(query.limit)}


async def host(asked: Asked) -> dict[str, Any]:
    request: HostRequest = asked.body
    return await _peers(asked).host(
        role=request.role, listen=request.listen, port=request.port, addresses=request.addresses
    )


async def join(asked: Asked) -> dict[str, Any]:
    request: JoinRequest = asked.body
    return await _peers(asked).join(
        request.link, yes=request.yes, listen=request.listen, port=request.port, addresses=request.addresses
    )


async def approve(asked: Asked) -> dict[str, Any]:
    request: PlanRequest = asked.body
    return _peers(asked).approve(request.plan)


async def decline(asked: Asked) -> dict[str, Any]:
    request: PlanRequest = asked.body
    return _peers(asked).decline(request.plan)


async def leave(asked: Asked) -> dict[str, Any]:
    return await _peers(asked).leave()


async def end(asked: Asked) -> dict[str, Any]:
    return await _peers(asked).end()


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
        does="The latest bundles, newest first: here, on the leader, on how many other devices",
        query=EditsQuery,
        gives=EditsAnswer,
    ),
    Call(
        method="POST",
        path="/session/host",
        handle=host,
        does="Begin a gathering; the answer holds a link that lets one device in",
        role="owner",
        body=HostRequest,
        gives=SessionAnswer,
    ),
    Call(
        method="POST",
        path="/session/join",
        handle=join,
        does="Join by a link, or those who were here before; what would come waits for approval",
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
