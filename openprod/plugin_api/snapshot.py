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
    """

    __slots__ = ("_edges", "_facets", "workspace")

    def __init__(
        self,
        workspace: str,
        facets: Mapping[str, Mapping[str, Mapping[str, Any]]] | None = None,
        edges: Mapping[str, Mapping[str, EdgeView]] | None = None,
    ) -> None:
        self.workspace = workspace
        self._facets = {} if facets is None else dict(facets)
        self._edges = {} if edges is None else dict(edges)

    def entities(self, facet: str) -> Mapping[str, Mapping[str, Any]]:
        """{entity id: {field: value}} of every live entity that has the facet."""
        return self._facets.get(facet, _NOTHING)

    def edges(self, edge: str) -> Mapping[str, EdgeView]:
        """{edge id: its ends and properties} of every live edge."""
        return self._edges.get(edge, _NOTHING)

    @property
    def facets(self) -> tuple[str, ...]:
        return tuple(self._facets)

    @property
    def edge_names(self) -> tuple[str, ...]:
        return tuple(self._edges)
