"""Collects what should be so, and keeps only what isn't so yet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from openprod.core.operations import AddEdge, CreateEntity, Operation, SetEdgeProperty, SetField
from openprod.core.values import canonical
from openprod.plugin_api.identity import entity_id
from openprod.plugin_api.snapshot import Snapshot

Outcome: TypeAlias = Literal["created", "changed", "unchanged"]


class Changes:
    """The difference between a snapshot and what a file says.

    A field that the file leaves empty is left as it is: an empty cell is no order to clear.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._operations: list[Operation] = []
        self._links: dict[str, dict[tuple[str, str], str]] = {}
        self._counts: dict[str, int] = {"created": 0, "changed": 0, "unchanged": 0}

    def put(self, entity: str, facet: str, fields: Mapping[str, Any]) -> Outcome:
        """Ask that ``entity`` has ``facet`` with these values. ``None`` values are ignored."""
        wanted = {name: value for name, value in fields.items() if value is not None}
        entity = self._snapshot.survivor(entity)
        present = self._snapshot.entities(facet).get(entity)
        if present is None:
            self._operations.append(CreateEntity(entity=entity, facets={facet: wanted}))
            return self._count("created")
        different = {name: value for name, value in wanted.items() if canonical(present.get(name)) != canonical(value)}
        self._operations += [
            SetField(entity=entity, facet=facet, field=name, value=value) for name, value in different.items()
        ]
        return self._count("changed" if different else "unchanged")

    def link(self, edge: str, source: str, target: str, properties: Mapping[str, Any] | None = None) -> None:
        """Ask for an edge between two entities, with these properties."""
        wanted = {name: value for name, value in (properties or {}).items() if value is not None}
        if edge not in self._links:
            self._links[edge] = {
                (view.source, view.target): identifier for identifier, view in self._snapshot.edges(edge).items()
            }
        source, target = self._snapshot.survivor(source), self._snapshot.survivor(target)
        identifier = self._links[edge].get((source, target))
        if identifier is None:
            # Used where the schema doesn't say the id: the same on every laptop that reads the same row.
            own = entity_id("edge", self._snapshot.workspace, edge, f"{source}/{target}")
            self._operations.append(AddEdge(edge=edge, id=own, source=source, target=target, properties=wanted))
            self._links[edge][source, target] = ""
        elif identifier:
            present = self._snapshot.edges(edge)[identifier].properties
            self._operations += [
                SetEdgeProperty(edge=edge, id=identifier, property=name, value=value)
                for name, value in wanted.items()
                if canonical(present.get(name)) != canonical(value)
            ]

    @property
    def operations(self) -> tuple[Operation, ...]:
        return tuple(self._operations)

    @property
    def counts(self) -> dict[str, int]:
        """Entities created, changed, unchanged."""
        return dict(self._counts)

    def _count(self, outcome: Outcome) -> Outcome:
        self._counts[outcome] += 1
        return outcome
