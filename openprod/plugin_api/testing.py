"""For a plugin's own tests: what a workspace would hold after a proposal, and what an exporter gives, without one.

Only what importers propose is understood (create, set, clear, edges). Conflicts, history and deletion need the
engine.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from openprod.core.operations import (
    AddEdge,
    AttachFacet,
    ClearField,
    CreateEntity,
    Operation,
    SetEdgeProperty,
    SetField,
)
from openprod.plugin_api.exports import Exporter, Files, check_files
from openprod.plugin_api.identity import entity_id
from openprod.plugin_api.snapshot import EdgeView, Snapshot


def applied(snapshot: Snapshot, operations: Iterable[Operation]) -> Snapshot:
    """A new snapshot with the operations applied. Raises TypeError for one that importers don't propose."""
    facets: dict[str, dict[str, dict[str, Any]]] = {
        facet: {entity: dict(fields) for entity, fields in snapshot.entities(facet).items()}
        for facet in snapshot.facets
    }
    edges: dict[str, dict[str, EdgeView]] = {edge: dict(snapshot.edges(edge)) for edge in snapshot.edge_names}
    for operation in operations:
        match operation:
            case CreateEntity(entity=entity, facets=attached):
                for facet, fields in attached.items():
                    facets.setdefault(facet, {}).setdefault(entity, {}).update(fields)
            case AttachFacet(entity=entity, facet=facet, fields=fields):
                facets.setdefault(facet, {}).setdefault(entity, {}).update(fields)
            case SetField(entity=entity, facet=facet, field=field, value=value):
                facets[facet][entity][field] = value
            case ClearField(entity=entity, facet=facet, field=field):
                facets[facet][entity].pop(field, None)
            case AddEdge(edge=edge, source=source, target=target, properties=properties):
                identifier = operation.id or entity_id("edge", edge, source, target)
                edges.setdefault(edge, {})[identifier] = EdgeView(source, target, dict(properties))
            case SetEdgeProperty(edge=edge, id=identifier, property=name, value=value):
                view = edges[edge][identifier]
                edges[edge][identifier] = EdgeView(view.source, view.target, {**view.properties, name: value})
            case _:
                raise TypeError(f"an importer doesn't propose {type(operation).__name__}")
    return Snapshot(
        snapshot.workspace,
        facets,
        edges,
        snapshot.titles,
        survivors=snapshot.survivors,
        revisions=snapshot.revisions,
        answers=snapshot.answers,
    )


def exported(function: Exporter, snapshot: Snapshot, options: Mapping[str, str] | None = None) -> Files:
    """What the exporter gives, held to what the host asks of it: good file names, and the same bytes each time.

    The second time it gets everything in the opposite order, because the host promises none.
    """
    files = check_files(function(snapshot, dict(options or {})))
    turned = Snapshot(
        snapshot.workspace,
        {facet: _turned(snapshot.entities(facet)) for facet in reversed(snapshot.facets)},
        {edge: _turned(snapshot.edges(edge)) for edge in reversed(snapshot.edge_names)},
        snapshot.titles,
        survivors=_turned(snapshot.survivors),
        revisions=_turned(snapshot.revisions),
        answers=_turned(snapshot.answers),
    )
    assert function(turned, dict(options or {})) == files, "the same data gave other files"
    return files


def _turned(mapping: Mapping[str, Any]) -> dict[str, Any]:
    return dict(reversed(list(mapping.items())))
