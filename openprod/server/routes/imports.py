"""Importing files: a proposal to look at, and applying it as one bundle."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
from anyio import to_thread
from starlette.responses import Response

from openprod.core.operations import CreateEntity
from openprod.core.proposals import Proposal
from openprod.core.values import canonical
from openprod.engine.events import Committed, Receipt
from openprod.errors import InputError, InvalidFile, LimitExceeded, Stale
from openprod.plugin_host.fitting import fit, known
from openprod.plugin_host.importing import FILE_BYTES_MAX, plan_import
from openprod.plugin_host.manifest import Importer, Manifest
from openprod.plugin_host.previewing import SHOWN_MAX, FieldChange, edge_changes, field_changes, made_again
from openprod.plugin_host.running import run_aside
from openprod.plugin_host.snapshots import take_snapshot
from openprod.server.body import read_bytes
from openprod.server.calls import Asked, Call
from openprod.server.payloads import ImportAnswer, ImportQuery
from openprod.server.progress import Report, work
from openprod.storage.sqlite.connection import translated

_TRIES_MAX: Final = 3


class _Planned(NamedTuple):
    """``changes``: what would stand otherwise in things that are there. ``touched``: entities that somebody changed
    while it was made."""

    proposal: Proposal
    changes: tuple[FieldChange, ...]
    touched: set[str]

    def to_json(self) -> dict[str, Any]:
        changes = [msgspec.to_builtins(one) for one in self.changes[:SHOWN_MAX]]
        return {
            **self.proposal.to_json(), "changes": changes, "changes_count": len(self.changes), "digest": self.digest()
        }  # fmt: skip

    def digest(self) -> str:
        """Of what it would do and what stands there now: who has looked at one has looked at all that have it."""
        told = msgspec.to_builtins([self.proposal.operations, self.changes])
        return hashlib.sha256(canonical(told).encode()).hexdigest()


async def run(asked: Asked) -> Response:
    query: ImportQuery = asked.query
    registry = await to_thread.run_sync(asked.services.plugins)
    manifest, importer = registry.importer(asked.part("importer"))
    name = query.file_name or (Path(query.path).name if query.path else "")
    data = await _data(asked, query.path)
    if not data:
        if query.path:
            raise InvalidFile(f"“{name}” is empty.", hint="Export it again, and look whether it holds anything.")
        raise InputError("The request brought no file.", hint="Send the file as the body of the request.")
    if manifest.name not in asked.workspace.schemas:
        raise InputError(
            f"This workspace hasn't adopted the plugin “{manifest.name}”.", hint="Adopt it, then import again."
        )

    async def look(report: Report) -> dict[str, Any]:
        planned = await _plan(asked, manifest, importer, data, name, _part(report, 0, 1))
        return {"proposal": planned.to_json(), "applied": False, "receipt": None}

    async def apply(report: Report) -> dict[str, Any]:
        async with asked.services.importing:
            planned, receipt = await _apply(asked, manifest, importer, data, name, query, report)
        return {"proposal": planned.to_json(), "applied": True, "receipt": receipt}

    return await work(asked, apply if query.apply else look)


def _part(report: Report, part: int, parts: int) -> Report:
    """Reports of one of several parts of the work, which count the same."""
    return lambda done, total: report(100 * part + 100 * done // max(total, 1), 100 * parts)


async def _data(asked: Asked, path: str | None) -> bytes:
    if path is None:
        return await read_bytes(asked.request, FILE_BYTES_MAX)
    file = asked.local_path(path)

    def read() -> bytes:
        with translated(str(file)), open(file, "rb") as opened:
            return opened.read(FILE_BYTES_MAX + 1)

    data = await to_thread.run_sync(read)
    if len(data) > FILE_BYTES_MAX:
        raise LimitExceeded(f"“{file.name}” is larger than {FILE_BYTES_MAX // 1024**2} MiB.")
    return data


async def _plan(
    asked: Asked, manifest: Manifest, importer: Importer, data: bytes, name: str, report: Report
) -> _Planned:
    touched: set[str] = set()

    def note(event: Committed) -> None:
        touched.update(event.entities)

    forget = asked.workspace.feed.subscribe(note)
    try:
        adopted = asked.workspace.schemas[manifest.name]
        facets, edges = known(manifest.facets, adopted.facets), known(manifest.edges, adopted.edges)
        snapshot = await take_snapshot(asked.workspace, facets, edges)
        report(1, 2)
        planned = await run_aside(lambda: plan_import(manifest, importer, data, snapshot, file_name=name))
        report(2, 2)
        proposal = fit(planned, adopted, manifest.version)
        operations = proposal.operations
        made = [one for one in operations if isinstance(one, CreateEntity)]
        there = [one for one in operations if not isinstance(one, CreateEntity)]
        were_here = await asked.workspace.facets([one.entity for one in made])
        if line := made_again(adopted, made, were_here):
            proposal = msgspec.structs.replace(proposal, summary=(*proposal.summary, line))

        def changed() -> tuple[FieldChange, ...]:
            return (*field_changes(adopted, snapshot, there), *edge_changes(adopted, snapshot, operations))

        changes = await to_thread.run_sync(changed)
    finally:
        forget()
    return _Planned(proposal, changes, touched)


async def _apply(
    asked: Asked, manifest: Manifest, importer: Importer, data: bytes, name: str, query: ImportQuery, report: Report
) -> tuple[_Planned, Receipt]:
    """Plan and commit; plan again when somebody changed what the plan is about."""
    for _ in range(_TRIES_MAX):
        planned = await _plan(asked, manifest, importer, data, name, _part(report, 0, 3))
        operations = planned.proposal.operations
        if query.looked_at and query.looked_at != await to_thread.run_sync(planned.digest):
            raise Stale("The import would do something else by now.", hint="Nothing was imported. Look at it again.")
        about = {getattr(operation, name, "") for operation in operations for name in ("entity", "source")}
        if planned.touched & about:
            continue
        receipt = await asked.workspace.commit(
            operations,
            message=query.message or f"{importer.label}: {name}".removesuffix(": "),
            actor=asked.actor,
            intent="import",
            progress=_part(report, 1, 3),
        )
        report(300, 300)
        return planned, receipt
    raise Stale("Somebody is changing the same things all the time.", hint="Nothing was imported. Try again.")


CALLS = (
    Call(
        method="POST",
        path="/imports/{importer}",
        handle=run,
        does="What importing the file would change (`importer` is plugin.format); with apply=true, one bundle does it",
        role="editor",
        query=ImportQuery,
        gives=ImportAnswer,
        takes_file=True,
        progress=True,
    ),
)
