"""Runs an exporter: a snapshot and options in, files by name out. What is private stays out unless it is asked for."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Protocol

from openprod.core import queries, titles
from openprod.core.schema import Facet, Field, Schema
from openprod.errors import InputError, LimitExceeded, OpenprodError
from openprod.plugin_api.exports import Files, check_files
from openprod.plugin_api.snapshot import Answer, EdgeView, Snapshot
from openprod.plugin_host.code import describe, load_function
from openprod.plugin_host.manifest import HOST_OPTIONS, Exporter, Manifest
from openprod.plugin_host.snapshots import Readable, take_snapshot

OPTIONS_MAX: Final = 50
OPTION_LENGTH_MAX: Final = 1_000
QUERIES_MAX: Final = 500
_ZIP_TIME: Final = (1980, 1, 1, 0, 0, 0)


class Shared(Readable, Protocol):
    """What is needed of a workspace."""

    @property
    def schemas(self) -> Mapping[str, Schema]: ...

    async def facets(self, ids: Sequence[str]) -> dict[str, dict[str, dict[str, Any]]]: ...

    async def query(self, query: Any) -> dict[str, Any]: ...

    async def concepts(self) -> list[dict[str, Any]]: ...

    async def concept_entities(self, concept: str) -> list[dict[str, Any]]: ...

    async def shared_private(self) -> dict[str, dict[str, set[str]]]: ...

    async def revisions(self, facets: Sequence[str], edges: Sequence[str]) -> dict[str, dict[str, Any]]: ...


async def export_snapshot(
    workspace: Shared, manifest: Manifest, exporter: Exporter | None = None, *, private: bool = False
) -> Snapshot:
    """The plugin's entities and edges, titles of what those lead to, and what else ``exporter`` declares it needs.

    Without ``private``, fields that its schema calls private (the adopted one or the installed one) aren't in it, and
    no title is made of them; nor are fields that show one value with another plugin's private field, bound to the same
    field of a concept. Raises InputError for a plugin that wasn't adopted.
    """
    if manifest.name not in workspace.schemas:
        raise InputError(
            f"This workspace hasn't adopted the plugin “{manifest.name}”.",
            hint="Adopt it first.",
        )
    adopted = workspace.schemas[manifest.name]
    facets = [name for name in manifest.facets if name.partition(".")[2] in adopted.facets]
    edges = [name for name in manifest.edges if name.partition(".")[2] in adopted.edges]
    taken = await take_snapshot(workspace, facets, edges)
    rows = {facet: {id: dict(fields) for id, fields in taken.entities(facet).items()} for facet in facets}
    drawn = {edge: dict(taken.edges(edge)) for edge in edges}
    bound = {} if private else await workspace.shared_private()
    if not private:
        schemas = [adopted, *([manifest.schema] if manifest.schema else ())]
        for facet, entities in rows.items():
            hidden = _private(schema.facets[_short(facet)].fields for schema in schemas)
            for id, fields in entities.items():
                _drop(fields, hidden | bound.get(facet, {}).get(id, set()))
        for edge, views in drawn.items():
            hidden = _private(schema.edges[_short(edge)].properties for schema in schemas)
            for id, view in views.items():
                views[id] = EdgeView(view.source, view.target, _drop(dict(view.properties), hidden))
    facets_of = await workspace.facets(sorted(_led_to(adopted, rows, drawn)))
    for id, found in facets_of.items():
        for facet, fields in found.items():
            _drop(fields, bound.get(facet, {}).get(id, set()))
    named = {id: _title(workspace.schemas, found) for id, found in facets_of.items()}
    return Snapshot(
        workspace.id,
        rows,
        drawn,
        {id: title for id, title in named.items() if title},
        survivors=taken.survivors,
        revisions=await workspace.revisions(facets, edges) if exporter and exporter.needs_revisions else None,
        answers=await _answers(workspace, manifest, exporter, rows) if exporter else None,
    )


async def _answers(
    workspace: Shared, manifest: Manifest, exporter: Exporter, rows: Mapping[str, Mapping[str, Mapping[str, Any]]]
) -> dict[str, Answer]:
    """What the queries name that stand in the fields the exporter says. One that can't be asked stops nothing."""
    texts = {
        text
        for facet, field in exporter.queries
        for fields in rows.get(f"{manifest.name}.{facet}", {}).values()
        if isinstance(text := fields.get(field), str) and text
    }
    if len(texts) > QUERIES_MAX:
        raise LimitExceeded(f"There are more than {QUERIES_MAX} different queries to ask.")
    groups = await _groups(workspace) if texts else []
    found: dict[str, Answer] = {}
    for text in sorted(texts):
        try:
            answer = await workspace.query(queries.to_data(queries.parse(text)))
            at = answer["columns"].index("entity")
        except ValueError:
            found[text] = Answer(problem="It counts or groups, and names nobody.")
        except OpenprodError as error:
            found[text] = Answer(problem=error.sentence)
        else:
            named = {str(row[at]) for row in answer["rows"]}
            found[text] = Answer(tuple(sorted(named.union(*(group for group in groups if group & named)))))
    return found


async def _groups(workspace: Shared) -> list[set[str]]:
    """Entities that were said to be the same, each group with the concept entity: who names one of them means all."""
    return [
        {one["id"], *(bound["entity"] for bound in one["bound"])}
        for concept in await workspace.concepts()
        for one in await workspace.concept_entities(concept["concept"])
    ]


def run_export(
    manifest: Manifest,
    exporter: Exporter,
    snapshot: Snapshot,
    options: Mapping[str, str],
    *,
    now: str,
    private: bool = False,
) -> Files:
    """The exporter's files, names checked. ``now``: ISO 8601, UTC; only handed to an exporter that needs it.

    ``private`` must be what the snapshot was taken with. Raises InputError (options, nothing to export, the exporter
    failed), LimitExceeded, InvalidManifest (code that doesn't load).
    """
    given = check_options(exporter, options)
    if exporter.needs_now:
        given["now"] = now
    if private:
        given["private"] = "yes"
    function = load_function(manifest, exporter.module, exporter.function)
    try:
        made = function(snapshot, given)
    except OpenprodError:
        raise
    except Exception as error:
        raise _fault(manifest, exporter, f"it stopped ({describe(error, manifest.folder)})") from error
    try:
        files = check_files(made)
    except LimitExceeded:
        raise  # the data's doing, not the exporter's
    except InputError as error:
        raise _fault(manifest, exporter, error.sentence[:1].lower() + error.sentence[1:].rstrip(".")) from error
    if not files:
        raise InputError(f"There is nothing to export as {exporter.label}.", hint="Other options may give something.")
    return files


def check_options(exporter: Exporter, options: Mapping[str, str]) -> dict[str, str]:
    """A copy. Raises InputError for an option that the exporter doesn't declare, or that isn't for people to set."""
    for name in options:
        if name in HOST_OPTIONS:
            raise InputError(
                f"“{name}” isn't an option that can be given.",
                hint="--private exports private fields too."
                if name == "private"
                else "The time is always the present.",
            )
        if exporter.options and name not in dict(exporter.options):
            known = ", ".join(f"{option} ({meaning})" for option, meaning in exporter.options)
            raise InputError(f"{exporter.name} has no option “{name[:80]}”.", hint=f"Its options: {known}.")
    if len(options) > OPTIONS_MAX or any(len(text) > OPTION_LENGTH_MAX for pair in options.items() for text in pair):
        raise LimitExceeded("There are too many options, or one is too long.")
    return dict(options)


def zipped(files: Files) -> bytes:
    """The files as one zip, the same bytes for the same files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _ZIP_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, files[name])
    return buffer.getvalue()


def _led_to(
    schema: Schema, rows: Mapping[str, Mapping[str, Mapping[str, Any]]], drawn: Mapping[str, Mapping[str, EdgeView]]
) -> set[str]:
    """Entities of the plugin, and those that its edges and references lead to."""
    found = {entity for entities in rows.values() for entity in entities}
    found |= {end for views in drawn.values() for view in views.values() for end in (view.source, view.target) if end}
    for facet, entities in rows.items():
        references = [name for name, field in schema.facets[_short(facet)].fields.items() if field.type == "reference"]
        found |= {
            value for fields in entities.values() for name in references if isinstance(value := fields.get(name), str)
        }
    return found


def _title(schemas: Mapping[str, Schema], facets: Mapping[str, Mapping[str, Any]]) -> str:
    """The title by the first of an entity's facets that gives one, without the kind of thing it is."""
    for name in sorted(facets):
        facet = _facet(schemas, name)
        if facet is not None and facet.title:
            shown = {key: value for key, value in facets[name].items() if not _is_private(facet, key)}
            if title := titles.title(facet.title, shown):
                return title
    return ""


def _facet(schemas: Mapping[str, Schema], name: str) -> Facet | None:
    plugin, _, short = name.partition(".")
    schema = schemas.get(plugin)
    return schema.facets.get(short) if schema else None


def _is_private(facet: Facet, field: str) -> bool:
    return field in facet.fields and facet.fields[field].private


def _private(declared: Iterable[Mapping[str, Field]]) -> set[str]:
    return {name for fields in declared for name, field in fields.items() if field.private}


def _drop(fields: dict[str, Any], names: set[str]) -> dict[str, Any]:
    for name in names:
        fields.pop(name, None)
    return fields


def _short(name: str) -> str:
    return name.partition(".")[2]


def _fault(manifest: Manifest, exporter: Exporter, what: str) -> InputError:
    return InputError(
        f"The exporter {exporter.name} can't be used: {what}.",
        hint=f"Nothing was written. Tell the plugin's author: {manifest.name} {manifest.version}.",
        details={"exporter": exporter.name},
    )
