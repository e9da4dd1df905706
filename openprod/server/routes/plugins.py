"""Plugins: installed on this device, adopted by the workspace."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from anyio import to_thread

from openprod.core import evolution
from openprod.core.proposals import Proposal
from openprod.core.schema import Schema
from openprod.engine.adopting import refuse_barred, standing
from openprod.engine.events import Committed, Receipt
from openprod.engine.schemas import Schemas
from openprod.errors import InputError, Stale
from openprod.plugin_host.manifest import Manifest, Migration
from openprod.plugin_host.migrating import Preview, plan_migration
from openprod.plugin_host.registry import Registry
from openprod.plugin_host.running import run_aside
from openprod.plugin_host.snapshots import take_snapshot
from openprod.plugin_host.suggestions import suggestions
from openprod.server.calls import Asked, Call
from openprod.server.errors import record
from openprod.server.payloads import AdoptionAnswer, AdoptRequest, Nothing, PluginsAnswer, SuggestionsAnswer

_TRIES_MAX: Final = 3


async def listing(asked: Asked) -> dict[str, Any]:
    registry = await to_thread.run_sync(asked.services.plugins)
    adopted = asked.workspace.schemas
    return {
        "installed": [_installed(registry, manifest, adopted) for manifest in registry.plugins.values()],
        "adopted": sorted(adopted),
        "dropped": sorted(adopted.dropped),
        "problems": [record(problem) for problem in registry.problems],
    }


def _installed(registry: Registry, manifest: Manifest, adopted: Schemas) -> dict[str, Any]:
    present = adopted.get(manifest.name)
    return {
        "name": manifest.name,
        "version": manifest.version,
        "label": manifest.label,
        "description": manifest.description,
        "own": registry.is_own(manifest),
        "adopted": present is not None,
        "adopted_version": present.version if present else None,
        "update": _update(manifest, standing(adopted, manifest.name)),
        "facets": manifest.facets,
        "edges": manifest.edges,
        "importers": [
            {"name": importer.name, "label": importer.label, "files": importer.files} for importer in manifest.importers
        ],
    }


def _update(manifest: Manifest, old: Schema | None) -> str:
    """What adopting it would be for what stands: "" nothing, "free", "migration", or "refused"."""
    new = manifest.schema
    if old is None or new is None or (old.version == new.version and not evolution.changes(old, new)):
        return ""
    if manifest.migration(old.version) is not None:
        return "migration"
    try:
        refuse_barred(old, new)
    except InputError:
        return "refused"
    return "free"


async def suggest(asked: Asked) -> dict[str, Any]:
    return suggestions(asked.workspace.schemas)


async def adopt(asked: Asked) -> dict[str, Any]:
    request: AdoptRequest = asked.body
    registry = await to_thread.run_sync(asked.services.plugins)
    manifest, schema = registry.plugin(asked.part("plugin")), registry.schema(asked.part("plugin"))
    old = standing(asked.workspace.schemas, manifest.name)
    migration = manifest.migration(old.version) if old is not None else None
    if old is not None and migration is not None and evolution.version_key(old.version) < _key(schema):
        return await _migrate(asked, manifest, migration, old, apply=request.apply)
    changes = evolution.changes(old, schema) if old is not None else ()
    receipt = await asked.workspace.adopt([schema], actor=asked.actor)
    return _adoption(schema, changes, receipt=receipt)


async def _migrate(
    asked: Asked, manifest: Manifest, migration: Migration, old: Schema, *, apply: bool
) -> dict[str, Any]:
    assert manifest.schema is not None
    if manifest.name not in asked.workspace.schemas:
        raise InputError(
            f"“{manifest.name}” was dropped as {old.version}, and its data are still as that version wrote them.",
            hint=f"Install {old.version} and adopt it again, then go on to {manifest.version}.",
        )
    if not apply:
        _proposal, preview, _touched = await _plan(asked, manifest, migration, old)
        return _adoption(manifest.schema, preview.changes, preview=preview)
    async with asked.services.importing:
        for _ in range(_TRIES_MAX):
            proposal, preview, touched = await _plan(asked, manifest, migration, old)
            if touched:
                continue
            receipt = await asked.workspace.migrate(
                manifest.schema, proposal.operations, version=old.version, actor=asked.actor
            )
            return _adoption(manifest.schema, preview.changes, preview=preview, receipt=receipt)
    raise Stale("Somebody is changing the same things all the time.", hint="Nothing was changed. Try again.")


async def _plan(
    asked: Asked, manifest: Manifest, migration: Migration, old: Schema
) -> tuple[Proposal, Preview, set[str]]:
    """The proposal, its preview, and the entities that somebody changed while they were made."""
    touched: set[str] = set()

    def note(event: Committed) -> None:
        touched.update(event.entities)

    forget = asked.workspace.feed.subscribe(note)
    try:
        facets = [f"{old.plugin}.{facet}" for facet in old.facets]
        edges = [f"{old.plugin}.{edge}" for edge in old.edges]
        snapshot = await take_snapshot(asked.workspace, facets, edges)
        proposal, preview = await run_aside(lambda: plan_migration(manifest, migration, old, snapshot))
    finally:
        forget()
    return proposal, preview, touched


def _adoption(
    schema: Schema, changes: tuple[evolution.Change, ...], *, preview: Preview | None = None,
    receipt: Receipt | None = None,
) -> dict[str, Any]:  # fmt: skip
    return {
        "version": schema.version,
        "applied": receipt is not None,
        "bundle": receipt.bundle if receipt else "",
        "hlc": receipt.hlc if receipt else "",
        "conflicts": receipt.conflicts if receipt else [],
        "changes": msgspec.to_builtins(changes),
        "migration": msgspec.to_builtins(preview) if preview else None,
    }


def _key(schema: Schema) -> tuple[tuple[int, ...], bool]:
    return evolution.version_key(schema.version)


async def drop(asked: Asked) -> Receipt:
    return await asked.workspace.drop(asked.part("plugin"), actor=asked.actor)


CALLS = (
    Call(
        method="GET",
        path="/plugins",
        handle=listing,
        does="Plugins installed on this device and adopted by the workspace",
        gives=PluginsAnswer,
    ),
    Call(
        method="GET",
        path="/plugins/suggestions",
        handle=suggest,
        does="Concepts and bindings that the adopted plugins suggest; nothing follows from them",
        gives=SuggestionsAnswer,
    ),
    Call(
        method="POST",
        path="/plugins/{plugin}/adopt",
        handle=adopt,
        does="Take an installed plugin's schema into the workspace: it travels with it. Where a migration has to change"
        " data, it is only shown, unless `apply` is true: then one bundle does both",
        role="owner",
        body=AdoptRequest,
        gives=AdoptionAnswer,
    ),
    Call(
        method="POST",
        path="/plugins/{plugin}/drop",
        handle=drop,
        does="Hide an adopted plugin's data: nothing is deleted, and adopting it again brings everything back",
        role="owner",
        body=Nothing,
        gives=Receipt,
    ),
)
