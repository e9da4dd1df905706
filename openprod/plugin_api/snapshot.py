"""The read-only view of a workspace that planners get."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import msgspec


class EdgeView(msgspec.Struct, frozen=True):
    source: str
    target: str
    properties: dict[str, Any] = {}


_NOTHING: Mapping[str, Any] = MappingProxyType({})


class Snapshot:
    """Live entities by facet, and live edges, as they were when the plan was asked for.

    Facets and edges are named ``plugin.facet``, ``plugin.edge``. Fields without a value are absent or None.
    ``titles`` name entities to people, those of other plugins too: whatever the edges and references here lead to.
    """

    __slots__ = ("_edges", "_facets", "_titles", "workspace")

    def __init__(
        self,
        workspace: str,
        facets: Mapping[str, Mapping[str, Mapping[str, Any]]] | None = None,
        edges: Mapping[str, Mapping[str, EdgeView]] | None = None,
        titles: Mapping[str, str] | None = None,
    ) -> None:
        self.workspace = workspace
        self._facets = {} if facets is None else dict(facets)
        self._edges = {} if edges is None else dict(edges)
        self._titles = {} if titles is None else dict(titles)

    def entities(self, facet: str) -> Mapping[str, Mapping[str, Any]]:
        """{entity id: {field: value}} of every live entity that has the facet."""
        return self._facets.get(facet, _NOTHING)

    def edges(self, edge: str) -> Mapping[str, EdgeView]:
        """{edge id: its ends and properties} of every live edge."""
        return self._edges.get(edge, _NOTHING)

    def title(self, entity: str) -> str:
        """How people call the entity, "" when it isn't known or has no name. Importers are given no titles."""
        return self._titles.get(entity, "")

    @property
    def titles(self) -> Mapping[str, str]:
        """{entity id: title}"""
        return MappingProxyType(self._titles)

    @property
    def facets(self) -> tuple[str, ...]:
        return tuple(self._facets)

    @property
    def edge_names(self) -> tuple[str, ...]:
        return tuple(self._edges)
