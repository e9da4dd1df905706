"""Going on to a version whose changes aren't free: what a migration would change, field by field.

A migration is a function of the plugin, as pure as an importer: ``plan(snapshot) → Proposal``. The snapshot holds the
plugin's data as the adopted version shows them; what it proposes is checked against the new version.
"""

from __future__ import annotations

from typing import Any

import msgspec

from openprod.core import evolution, titles, validity
from openprod.core.operations import (
    AddEdge,
    AttachFacet,
    ClearField,
    CreateEntity,
    DetachFacet,
    EditText,
    Operation,
    RemoveEdge,
    SetEdgeProperty,
    SetField,
)
from openprod.core.proposals import Proposal
from openprod.core.schema import Field, Schema
from openprod.core.values import check
from openprod.errors import InvalidManifest, LimitExceeded, OpenprodError
from openprod.plugin_api.snapshot import Snapshot
from openprod.plugin_host.code import describe, load_function
from openprod.plugin_host.importing import malformed
from openprod.plugin_host.manifest import Manifest, Migration
from openprod.plugin_host.previewing import SHOWN_MAX, FieldChange, field_changes


class Misfit(msgspec.Struct, frozen=True, kw_only=True):
    """A value that will not fit its field afterwards: kept, shown and flagged, as any such value is."""

    entity: str
    title: str
    facet: str
    field: str
    value: Any
    why: str


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """``changes``: what differs between the versions. ``fields``: what the migration writes. ``misfits``: what it
    leaves that won't fit. ``hidden``: {"plugin.facet/field": how many values are kept, and shown nowhere any more}."""

    plugin: str
    before: str
    after: str
    changes: tuple[evolution.Change, ...]
    fields: tuple[FieldChange, ...]
    misfits: tuple[Misfit, ...]
    hidden: dict[str, int]
    counts: dict[str, int]
    summary: tuple[str, ...]


def plan_migration(
    manifest: Manifest, migration: Migration, old: Schema, snapshot: Snapshot
) -> tuple[Proposal, Preview]:
    """``snapshot`` holds all facets and edges of ``old``. Raises InvalidManifest when the migration can't be used."""
    assert manifest.schema is not None
    function = load_function(manifest, migration.file, migration.function)
    try:
        proposal = function(snapshot)
    except OpenprodError:
        raise
    except Exception as error:
        raise _fault(manifest, f"it stopped ({describe(error, manifest.folder)})") from error
    if not isinstance(proposal, Proposal):
        raise _fault(manifest, "it returned no proposal")
    if fault := malformed(proposal):
        raise _fault(manifest, fault)
    for operation in proposal.operations:
        try:
            wrong = _wrong(manifest.schema, operation)
        except LimitExceeded:
            raise
        except OpenprodError as error:
            wrong = error.sentence.rstrip(".")
        if wrong:
            raise _fault(manifest, wrong)
    return proposal, _preview(manifest.schema, old, snapshot, proposal)


def _wrong(schema: Schema, operation: Operation) -> str:
    """What is wrong with an operation under the new schema, "" when nothing is."""
    match operation:
        case CreateEntity(facets=facets):
            return next(filter(None, (_facet(schema, name, fields) for name, fields in facets.items())), "")
        case AttachFacet(facet=facet, fields=fields):
            return _facet(schema, facet, fields)
        case SetField(facet=facet, field=field, value=value):
            return _facet(schema, facet, {field: value})
        case ClearField(facet=facet, field=field):
            return _facet(schema, facet, {field: None})
        case EditText(facet=facet, field=field, insert=insert):
            return _facet(schema, facet, {field: insert})
        case DetachFacet(facet=facet):
            return _facet(schema, facet, {})
        case AddEdge(edge=edge) | RemoveEdge(edge=edge) | SetEdgeProperty(edge=edge):
            plugin, _, short = edge.partition(".")
            return "" if plugin == schema.plugin and short in schema.edges else f"it writes {edge}, which isn't its own"
        case _:
            return f"migrations may not propose {type(operation).__name__}"


def _facet(schema: Schema, name: str, fields: dict[str, Any]) -> str:
    plugin, _, short = name.partition(".")
    facet = schema.facets.get(short) if plugin == schema.plugin else None
    if facet is None:
        return f"it writes {name}, which isn't its own"
    for field, value in fields.items():
        if field not in facet.fields:
            return f"it writes {name}/{field}, which version {schema.version} doesn't declare"
        check(value, where=f"{name}/{field}")
        if fault := validity.fault(facet.fields[field], value):
            return f"its value for {name}/{field} {fault}"
    return ""


def _preview(new: Schema, old: Schema, snapshot: Snapshot, proposal: Proposal) -> Preview:
    changes = list(field_changes(new, snapshot, proposal.operations, old=old))
    after: dict[tuple[str, str, str], Any] = {(one.facet, one.entity, one.field): one.after for one in changes}
    misfits: list[Misfit] = []
    hidden: dict[str, int] = {}
    for short, facet in old.facets.items():
        name = f"{old.plugin}.{short}"
        kept = new.facets.get(short)
        for entity, fields in snapshot.entities(name).items():
            for key, value in fields.items():
                if value in (None, ""):
                    continue
                follower = evolution.continues(kept, key) if kept is not None else None
                if kept is None or follower is None:
                    hidden[f"{name}/{key}"] = hidden.get(f"{name}/{key}", 0) + 1
                    continue
                field = kept.fields[follower]
                why = _misfit(facet.fields.get(key), field, after.get((name, entity, follower), value))
                if why:
                    title = titles.title(facet.title, fields, entity=entity)
                    misfits.append(Misfit(entity=entity, title=title, facet=name, field=follower, value=value, why=why))
    return Preview(
        plugin=new.plugin, before=old.version, after=new.version, changes=evolution.changes(old, new),
        fields=tuple(changes[:SHOWN_MAX]), misfits=tuple(misfits[:SHOWN_MAX]), hidden=dict(sorted(hidden.items())),
        counts={
            **proposal.counts, "operations": len(proposal.operations), "fields": len(changes), "misfits": len(misfits),
        },
        summary=proposal.summary,
    )  # fmt: skip


def _misfit(before: Field | None, field: Field, value: Any) -> str:
    if value is None:
        return ""
    also = before is not None and field.type in evolution.WIDER.get(before.type, ())
    wide = msgspec.structs.replace(field, also=(before.type,)) if also and before is not None else field
    return validity.fault(wide, value)


def _fault(manifest: Manifest, what: str) -> InvalidManifest:
    return InvalidManifest(
        f"The migration of “{manifest.name}” to {manifest.version} can't be used: {what}.",
        hint=f"Nothing was changed. Tell the plugin's author: {manifest.name} {manifest.version}.",
    )
