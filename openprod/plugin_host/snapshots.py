"""Takes the read-only view that planners get from an open workspace."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Protocol

from openprod.plugin_api.snapshot import EdgeView, Snapshot


class Drawn(Protocol):
    @property
    def edges(self) -> Mapping[str, Mapping[str, tuple[Any, Any, dict[str, Any]]]]: ...

    @property
    def survivors(self) -> Mapping[str, str]: ...


class Readable(Protocol):
    """What is needed of a workspace."""

    id: str

    async def rows(self, facet: str) -> dict[str, dict[str, Any]]: ...

    async def drawn(self, edges: Sequence[str], entities: Collection[str]) -> Drawn: ...


async def take_snapshot(workspace: Readable, facets: Iterable[str], edges: Iterable[str]) -> Snapshot:
    """Entities of the facets, and the edges that touch them. What was merged into another is there once, as that.

    Raises InputError for a facet nobody adopted.
    """
    found = {facet: await workspace.rows(facet) for facet in facets}
    drawn = await workspace.drawn(list(edges), {entity for rows in found.values() for entity in rows})
    for rows in found.values():
        for merged in rows.keys() & drawn.survivors.keys():
            del rows[merged]
    views = {name: {id: EdgeView(*view) for id, view in each.items()} for name, each in drawn.edges.items()}
    return Snapshot(workspace.id, found, views, survivors=drawn.survivors)
