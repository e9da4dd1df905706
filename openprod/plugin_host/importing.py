"""Runs an importer: a file's bytes and a snapshot in, a proposal out. Nothing is written here."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from openprod.core import validity, values
from openprod.core.operations import AddEdge, AttachFacet, CreateEntity, EditText, Operation, SetEdgeProperty, SetField
from openprod.core.proposals import Proposal
from openprod.core.schema import TEXT_TYPES, Field
from openprod.errors import InvalidFile, LimitExceeded, OpenprodError
from openprod.plugin_api.snapshot import Snapshot
from openprod.plugin_api.source import Source
from openprod.plugin_host.code import describe, load_function
from openprod.plugin_host.manifest import Importer, Manifest

FILE_BYTES_MAX = 64 * 1024 * 1024


def plan_import(
    manifest: Manifest, importer: Importer, data: bytes, snapshot: Snapshot, *, file_name: str = ""
) -> Proposal:
    """What importing ``data`` would change.

    ``snapshot`` must hold ``manifest.facets`` and ``manifest.edges``; ``file_name`` is the name without folders.
    Raises InvalidFile (it can't be read, or the importer failed), LimitExceeded, InvalidManifest (code that doesn't
    load).
    """
    if len(data) > FILE_BYTES_MAX:
        raise LimitExceeded(
            f"“{file_name}” is larger than {FILE_BYTES_MAX // 1024**2} MiB.", hint="Split it into several files."
        )
    function = load_function(manifest, importer.file, importer.function)
    source = Source(data, file_name)
    try:
        proposal = function(source, snapshot)
    except OpenprodError:
        raise
    except Exception as error:
        raise InvalidFile(
            f"“{file_name}” can't be imported as {importer.label}: the importer stopped.",
            hint=f"Check that it is such a file. If it is, tell the plugin's author: "
            f"{manifest.name} {manifest.version}, {describe(error, manifest.folder)}.",
            details={"importer": importer.name, "error": type(error).__name__},
        ) from error
    checked = _checked(manifest, importer, proposal)
    if not source.notes:
        return checked
    return msgspec.structs.replace(checked, summary=(*source.notes, *checked.summary))


def _checked(manifest: Manifest, importer: Importer, proposal: object) -> Proposal:
    """Hold the importer to what its plugin declares: it adds and changes its own data, and nothing else."""
    if not isinstance(proposal, Proposal):
        raise _fault(manifest, importer, "it returned no proposal")
    if fault := malformed(proposal):
        raise _fault(manifest, importer, fault)
    for operation in proposal.operations:
        try:
            wrong = _wrong(manifest, operation)
        except LimitExceeded:
            raise  # the file's doing, not the importer's
        except OpenprodError as error:
            wrong = error.sentence.rstrip(".")
        if wrong:
            raise _fault(manifest, importer, wrong)
    return proposal


def malformed(proposal: Proposal) -> str:
    """What is wrong with the parts of a proposal that a plugin's code made, "" when nothing is."""
    operations: object = proposal.operations
    if not isinstance(operations, tuple | list):
        return "its operations are no tuple"
    try:
        msgspec.convert(msgspec.to_builtins(msgspec.structs.replace(proposal, operations=())), Proposal)
    except (msgspec.ValidationError, TypeError, ValueError) as error:
        return f"it isn't as proposals are ({error})"
    return ""


def _wrong(manifest: Manifest, operation: Operation) -> str:
    """What is wrong with an operation, "" when nothing is. Raises for a value that can't be stored."""
    if isinstance(operation, CreateEntity):
        return next(filter(None, (_fields(manifest, name, set_) for name, set_ in operation.facets.items())), "")
    if isinstance(operation, AttachFacet):
        return _fields(manifest, operation.facet, operation.fields)
    if isinstance(operation, SetField):
        return _fields(manifest, operation.facet, {operation.field: operation.value})
    if isinstance(operation, EditText):
        return _fields(manifest, operation.facet, {operation.field: operation.insert})
    if isinstance(operation, AddEdge):
        return _properties(manifest, operation.edge, operation.properties)
    if isinstance(operation, SetEdgeProperty):
        return _properties(manifest, operation.edge, {operation.property: operation.value})
    return f"importers may not propose {type(operation).__name__}"


def _fields(manifest: Manifest, facet: str, fields: dict[str, object]) -> str:
    if manifest.schema is None or facet not in manifest.facets:
        return f"it writes {facet}, which isn't its own"
    return _values(facet, manifest.schema.facets[facet.partition(".")[2]].fields, fields)


def _properties(manifest: Manifest, edge: str, properties: dict[str, object]) -> str:
    if manifest.schema is None or edge not in manifest.edges:
        return f"it writes {edge}, which isn't its own"
    return _values(edge, manifest.schema.edges[edge.partition(".")[2]].properties, properties)


def _values(where: str, declared: Mapping[str, Field], written: Mapping[str, object]) -> str:
    for name, value in written.items():
        if name not in declared:
            return f"it writes {where}/{name}, which its schema doesn't declare"
        values.check(value, where=name)
        fault = validity.fault(declared[name], value)
        if declared[name].type in TEXT_TYPES and not isinstance(value, str | None):
            fault = "isn't text"
        if fault:
            return f"its value “{str(value)[:80]}” for {where}/{name} {fault}"
    return ""


def _fault(manifest: Manifest, importer: Importer, what: str) -> InvalidFile:
    return InvalidFile(
        f"The importer {importer.name} made a proposal that can't be used: {what}.",
        hint=f"Nothing was changed. Tell the plugin's author: {manifest.name} {manifest.version}.",
        details={"importer": importer.name},
    )
