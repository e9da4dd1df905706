"""Exporting: a plugin's data as files, to be shared unless private fields are asked for."""

from __future__ import annotations

import mimetypes
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from anyio import to_thread
from starlette.responses import Response

from openprod.plugin_host.export_files import write_files
from openprod.plugin_host.exporting import check_options, export_snapshot, run_export, zipped
from openprod.plugin_host.running import run_aside
from openprod.server.answers import NEVER_KEPT
from openprod.server.auth import require_role
from openprod.server.calls import Asked, Call
from openprod.server.payloads import ExportedAnswer, ExportRequest, ExportsAnswer
from openprod.storage.sqlite.connection import translated


async def listing(asked: Asked) -> dict[str, Any]:
    registry = await to_thread.run_sync(asked.services.plugins)
    return {
        "exports": [
            {
                "name": exporter.name, "label": exporter.label, "file": exporter.file,
                "options": dict(exporter.options), "adopted": exporter.plugin in asked.workspace.schemas,
            }
            for exporter in registry.exporters()
        ]
    }  # fmt: skip


async def run(asked: Asked) -> Response | dict[str, Any]:
    request: ExportRequest = asked.body
    if request.private:
        require_role(asked.grant, "editor")
    path = None if request.path is None else asked.local_path(request.path)
    registry = await to_thread.run_sync(asked.services.plugins)
    manifest, exporter = registry.exporter(asked.part("exporter"))
    check_options(exporter, request.options)
    snapshot = await export_snapshot(asked.workspace, manifest, exporter, private=request.private)
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    files = await run_aside(
        lambda: run_export(manifest, exporter, snapshot, request.options, now=now, private=request.private)
    )
    if path is None:
        return await _download(files, exporter.file)

    def write() -> list[Path]:
        with translated(str(path)):
            # What is private is nobody else's on this device either.
            return write_files(files, path, force=request.force, mode=0o600 if request.private else 0o644)

    places = await to_thread.run_sync(write)
    return {"files": [str(place) for place in places], "private": request.private}


async def _download(files: dict[str, bytes], suggested: str) -> Response:
    """The single file as it is, several as a zip."""
    if len(files) == 1:
        ((name, data),) = files.items()
        name, kind = name.rpartition("/")[2], mimetypes.guess_type(name)[0] or "application/octet-stream"
    else:
        data = await to_thread.run_sync(zipped, files)
        name, kind = f"{Path(suggested).stem}.zip", "application/zip"
    disposition = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
    return Response(data, media_type=kind, headers={**NEVER_KEPT, "content-disposition": disposition})


CALLS = (
    Call(
        method="GET",
        path="/exports",
        handle=listing,
        does="What installed plugins can export, and with which options",
        gives=ExportsAnswer,
    ),
    Call(
        method="POST",
        path="/exports/{exporter}",
        handle=run,
        does="A plugin's data as a file, or as a zip of several (`exporter` is plugin.format), without private fields "
        "unless an editor asks for them. With `path`, written there and the answer says where",
        body=ExportRequest,
        gives=ExportedAnswer,
        gives_file="application/octet-stream",
    ),
)
