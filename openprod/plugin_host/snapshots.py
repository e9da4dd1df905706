"""Takes the read-only view that planners get from an open workspace."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from openprod.plugin_api.snapshot import EdgeView, Snapshot


class Readable(Protocol):
    """What is needed of a workspace."""

    id: str

    async def rows(self, facet: str) -> dict[str, dict[str, Any]]: ...

    async def entity(self, id: str) -> dict[str, Any]: ...


async def take_snapshot(workspace: Readable, facets: Iterable[str], edges: Iterable[str]) -> Snapshot:
    """Entities of the facets, and the edges that touch them. What was merged into another is there once, as that.

    Raises InputError for a facet nobody adopted.
    """
    found = {facet: await workspace.rows(facet) for facet in facets}
    drawn: dict[str, dict[str, EdgeView]] = {edge: {} for edge in edges}
    survivors: dict[str, str] = {}
    for entity in sorted({entity for rows in found.values() for entity in rows}):
        about = await workspace.entity(entity)
        survivors |= {one["id"]: about["id"] for one in about.get("merged", ())}
        if about["id"] != entity:
            survivors[entity] = about["id"]
            for rows in found.values():
                rows.pop(entity, None)
        for edge in about["edges"]:
            if edge["edge"] in drawn:
                drawn[edge["edge"]][edge["id"]] = EdgeView(edge["from"], edge["to"], edge["properties"])
    return Snapshot(workspace.id, found, drawn, survivors=survivors)
