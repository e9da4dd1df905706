"""Plugins: installed on this device, adopted by the workspace."""

from __future__ import annotations

from typing import Any

from anyio import to_thread

from openprod.engine.events import Receipt
from openprod.server.calls import Asked, Call
from openprod.server.errors import record
from openprod.server.payloads import Nothing, PluginsAnswer


async def listing(asked: Asked) -> dict[str, Any]:
    registry = await to_thread.run_sync(asked.services.plugins)
    adopted = asked.workspace.schemas
    return {
        "installed": [
            {
                "name": manifest.name,
                "version": manifest.version,
                "label": manifest.label,
                "description": manifest.description,
                "adopted": manifest.name in adopted,
                "facets": manifest.facets,
                "edges": manifest.edges,
                "importers": [
                    {"name": importer.name, "label": importer.label, "files": importer.files}
                    for importer in manifest.importers
                ],
            }
            for manifest in registry.plugins.values()
        ],
        "adopted": sorted(adopted),
        "problems": [record(problem) for problem in registry.problems],
    }


async def adopt(asked: Asked) -> Receipt:
    registry = await to_thread.run_sync(asked.services.plugins)
    return await asked.workspace.adopt([registry.schema(asked.part("plugin"))], actor=asked.actor)


CALLS = (
    Call(
        method="GET",
        path="/plugins",
        handle=listing,
        does="Plugins installed on this device and adopted by the workspace",
        gives=PluginsAnswer,
    ),
    Call(
        method="POST",
        path="/plugins/{plugin}/adopt",
        handle=adopt,
        does="Take an installed plugin's schema into the workspace: it travels with it",
        role="owner",
        body=Nothing,
        gives=Receipt,
    ),
)
