"""The workspace itself: what it is, and its state hash."""

from __future__ import annotations

from typing import Any

from openprod.server.calls import Asked, Call
from openprod.server.payloads import StateHashAnswer, WorkspaceAnswer


async def show(asked: Asked) -> dict[str, Any]:
    workspace, grant = asked.workspace, asked.grant
    await workspace.settled()
    return {
        "id": workspace.id,
        "name": workspace.name,
        "documents": [document for document in workspace.documents if grant.allows(document)],
        "replica": workspace.replica,
        "plugins": {plugin: schema.to_record() for plugin, schema in workspace.schemas.items() if grant.allows(plugin)},
        "you": {
            "user": asked.actor.user,
            "name": asked.actor.name,
            "role": grant.role,
            "document": grant.document or None,
        },
    }


async def state_hash(asked: Asked) -> dict[str, Any]:
    return {"state_hash": await asked.workspace.state_hash()}


CALLS = (
    Call(
        method="GET",
        path="/workspace",
        handle=show,
        does="What this workspace is",
        gives=WorkspaceAnswer,
        scoped=True,
    ),
    Call(
        method="GET",
        path="/state-hash",
        handle=state_hash,
        does="Equal on replicas that hold the same bundles",
        gives=StateHashAnswer,
    ),
)
