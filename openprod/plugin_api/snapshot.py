"""The read-only view of a workspace that planners get."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec


class EdgeView(msgspec.Struct, frozen=True):
    source: str
    target: str
    properties: dict[str, Any] = {}


class Written(NamedTuple):
    """Who wrote a register another value than it had: {bundle: when, as ISO 8601 in UTC}.

    ``apart``: how many more than one first value it was given by people who hadn't seen each other.
    """

    bundles: Mapping[str, str]
    apart: int = 0


class Revision(NamedTuple):
    """How many bundles changed something since it was made, and when it was last written.

    ``changes`` never falls: what comes from other laptops only adds to it, and the same bundles give the same number.
    ``at``: ISO 8601, UTC; "" when that isn't known.
    """

    changes: int = 0
    at: str = ""


class Answer(NamedTuple):
    """Whom a query names just now. ``problem``: why it can't be asked, a sentence; then nobody."""

    entities: tuple[str, ...] = ()
    problem: str = ""


_NOTHING: Mapping[str, Any] = MappingProxyType({})


class Snapshot:
    """Live entities by facet, and live edges, as they were when the plan was asked for.

    Facets and edges are named ``plugin.facet``, ``plugin.edge``. Fields without a value are absent or None.
    ``survivors``: {entity that was merged into another: that other}; only the others are among the entities.
    ``titles`` name entities to people, those of other plugins too: whatever the edges and references here lead to.
    ``revisions``: {facet or edge: {id: {field: who wrote it}}}, the field "" being the thing's own existence and ``to``
    an edge's end. ``answers``: {query in one line: whom it names}. Both are given only to exporters that ask for them.
    """

    __slots__ = ("_edges", "_facets", "_titles", "answers", "revisions", "survivors", "workspace")

    def __init__(
        self,
        workspace: str,
        facets: Mapping[str, Mapping[str, Mapping[str, Any]]] | None = None,
        edges: Mapping[str, Mapping[str, EdgeView]] | None = None,
        titles: Mapping[str, str] | None = None,
        *,
        survivors: Mapping[str, str] | None = None,
        revisions: Mapping[str, Mapping[str, Mapping[str, Written]]] | None = None,
        answers: Mapping[str, Answer] | None = None,
    ) -> None:
        self.workspace = workspace
        self._facets = {} if facets is None else dict(facets)
        self._edges = {} if edges is None else dict(edges)
        self._titles = {} if titles is None else dict(titles)
        self.survivors = {} if survivors is None else dict(survivors)
        self.revisions = {} if revisions is None else dict(revisions)
        self.answers = {} if answers is None else dict(answers)

    def entities(self, facet: str) -> Mapping[str, Mapping[str, Any]]:
        """{entity id: {field: value}} of every live entity that has the facet."""
        return self._facets.get(facet, _NOTHING)

    def edges(self, edge: str) -> Mapping[str, EdgeView]:
        """{edge id: its ends and properties} of every live edge."""
        return self._edges.get(edge, _NOTHING)

    def survivor(self, entity: str) -> str:
        """What stands for the entity now: itself, unless it was merged into another."""
        return self.survivors.get(entity, entity)

    def revision(self, name: str, id: str, fields: Iterable[str], *more: tuple[str, str, Iterable[str]]) -> Revision:
        """Of these fields of an entity's facet, and of ``more`` that belongs to it (its edges), since it was made."""
        made = self._written(name, id, "").bundles
        parts = [self._written(one, of, field) for one, of, names in ((name, id, fields), *more) for field in names]
        at = max((when for part in (*parts, Written(made)) for when in part.bundles.values()), default="")
        changed = {bundle for part in parts for bundle in part.bundles}
        return Revision(len(changed - made.keys()) + sum(part.apart for part in parts), at)

    def _written(self, name: str, id: str, field: str) -> Written:
        return self.revisions.get(name, {}).get(id, {}).get(field, Written({}))

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
