"""Who is a member, as what; what is held for review."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from openprod.server.calls import Asked, Call
from openprod.server.payloads import BundleRecord, Form, Payload

RoleName = Literal["viewer", "editor", "owner"]
Grants = Annotated[
    dict[str, RoleName], Field(max_length=200, description="{document: role} where it differs from the role")
]


class InviteRequest(Payload):
    role: RoleName = "editor"
    grants: Grants = Field(default_factory=dict)


class ReviewRequest(Payload):
    bundles: Annotated[
        list[str], Field(max_length=1000, description="Let these in, and what is held before them; all if empty")
    ] = Field(default_factory=list)


class MemberRecord(Form):
    device: str
    device_name: str
    user: str
    name: str
    role: RoleName
    grants: Grants


class MembersAnswer(Form):
    founded: Annotated[bool, Field(description="Whether anybody was ever let in; until then there are no rules")]
    anchor: str
    device: Annotated[str, Field(description="This one")]
    members: list[MemberRecord]
    removed: list[str]
    held: Annotated[int, Field(description="How many bundles wait for review")]


class InviteAnswer(Form):
    workspace: str
    name: str
    anchor: str
    role: RoleName
    grants: Grants


class HeldRecord(BundleRecord):
    signed_by: str
    documents: list[str]
    operations: list[dict[str, Any]]


class HeldAnswer(Form):
    held: list[HeldRecord]


class ReviewAnswer(Form):
    accepted: int
    held: Annotated[int, Field(description="How many are left")]


class RemovedDevice(Form):
    removed: str


async def listing(asked: Asked) -> dict[str, Any]:
    return await asked.workspace.members()


async def invite(asked: Asked) -> dict[str, Any]:
    request: InviteRequest = asked.body
    return await asked.workspace.invite(request.role, request.grants)


async def change(asked: Asked) -> dict[str, Any]:
    request: InviteRequest = asked.body
    await asked.workspace.change_member(asked.part("device"), role=request.role, grants=request.grants)
    return await asked.workspace.members()


async def remove(asked: Asked) -> dict[str, Any]:
    return {"removed": await asked.workspace.remove_member(asked.part("device"))}


async def held(asked: Asked) -> dict[str, Any]:
    return {"held": await asked.workspace.held()}


async def review(asked: Asked) -> dict[str, int]:
    request: ReviewRequest = asked.body
    return await asked.workspace.review(request.bundles)


CALLS = (
    Call(
        method="GET",
        path="/members",
        handle=listing,
        does="The devices that may work on this production, and as what",
        gives=MembersAnswer,
    ),
    Call(
        method="POST",
        path="/invite",
        handle=invite,
        does="What pairing a device needs to know; makes this device the first owner if there is none",
        role="owner",
        body=InviteRequest,
        gives=InviteAnswer,
    ),
    Call(
        method="POST",
        path="/members/{device}",
        handle=change,
        does="Give a device another role",
        role="owner",
        body=InviteRequest,
        gives=MembersAnswer,
    ),
    Call(
        method="DELETE",
        path="/members/{device}",
        handle=remove,
        does="End a device's membership; what it writes without knowing of that is held for review",
        role="owner",
        gives=RemovedDevice,
    ),
    Call(
        method="GET",
        path="/held",
        handle=held,
        does="Bundles that are kept and not applied until somebody has looked at them",
        role="editor",
        gives=HeldAnswer,
    ),
    Call(
        method="POST",
        path="/held",
        handle=review,
        does="Let held bundles in, on every device",
        role="owner",
        body=ReviewRequest,
        gives=ReviewAnswer,
    ),
)
