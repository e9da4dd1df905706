"""Derived views: functions of query results, computed when they are asked for and never stored."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from anyio import to_thread

from openprod.core import queries
from openprod.errors import InputError
from openprod.plugin_api.derived import Derived
from openprod.plugin_host.code import describe, load_function
from openprod.plugin_host.deriving import compute
from openprod.plugin_host.running import run_aside
from openprod.server.calls import Asked, Call
from openprod.server.payloads import AsOf, DerivedAnswer
from openprod.server.routes.query import allowed


async def show(asked: Asked) -> dict[str, Any]:
    request: AsOf = asked.query
    registry = await to_thread.run_sync(asked.services.plugins)
    manifest, view = registry.derived(asked.part("view"))
    query = queries.parse(view.query)
    if request.as_of is not None:
        query = replace(query, as_of=request.as_of)
    try:
        answer = await asked.workspace.query(query, allowed=allowed(asked))
    except InputError as error:
        adopted = asked.workspace.schemas.get(manifest.name)
        if adopted is None or adopted.version == manifest.version:
            raise
        raise InputError(
            f"The view “{view.label}” is {manifest.name} {manifest.version}'s, and the production agreed to "
            f"{adopted.version}: {error.sentence}",
            hint=f"Use one version: install {adopted.version} here, or adopt {manifest.version}.",
        ) from None

    def run() -> Derived:
        function = load_function(manifest, view.module, view.function)
        return compute(view, function, answer, lambda error: describe(error, manifest.folder))

    made = await run_aside(run)
    return {
        "label": view.label, "columns": list(made.columns), "rows": [list(row) for row in made.rows],
        "as_of": answer["as_of"],
    }  # fmt: skip


CALLS = (
    Call(
        method="GET",
        path="/derived/{view}",
        handle=show,
        does="A plugin's view (`view` is plugin.id), computed from its query's rows, now or as of a bundle or time",
        query=AsOf,
        gives=DerivedAnswer,
        scoped=True,
    ),
)
