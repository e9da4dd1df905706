"""Access tokens for pages and other programs."""

from __future__ import annotations

from typing import Any

from openprod.server.calls import Asked, Call
from openprod.server.payloads import NewToken, RevokedAnswer, TokenRequest, TokensAnswer


async def create(asked: Asked) -> dict[str, Any]:
    request: TokenRequest = asked.body
    return await asked.workspace.token_create(
        label=request.label,
        document=request.document,
        role=request.role,
        user=request.user,
        name=request.name,
        expires=request.expires,
    )


async def listing(asked: Asked) -> dict[str, Any]:
    return {"tokens": [grant.to_json() for grant in asked.workspace.token_list()]}


async def revoke(asked: Asked) -> dict[str, Any]:
    id = asked.part("token")
    await asked.workspace.token_revoke(id)
    return {"revoked": id}


CALLS = (
    Call(
        method="GET",
        path="/tokens",
        handle=listing,
        does="The tokens that were given out, without their secrets",
        role="owner",
        gives=TokensAnswer,
    ),
    Call(
        method="POST",
        path="/tokens",
        handle=create,
        does="A new token, for a page or a program; the answer is the only time it is shown",
        role="owner",
        body=TokenRequest,
        gives=NewToken,
    ),
    Call(
        method="DELETE",
        path="/tokens/{token}",
        handle=revoke,
        does="Withdraw a token; its sockets and streams end",
        role="owner",
        gives=RevokedAnswer,
    ),
)
