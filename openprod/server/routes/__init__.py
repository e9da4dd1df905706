"""The calls of the HTTP interface, one module per noun."""

from __future__ import annotations

from openprod.server.calls import Call
from openprod.server.routes import (
    blobs,
    bundles,
    conflicts,
    derived,
    entities,
    events,
    exchange,
    exports,
    identity,
    imports,
    log,
    maintenance,
    members,
    peers,
    plugins,
    query,
    tokens,
    workspace,
)

CALLS: tuple[Call, ...] = (
    *workspace.CALLS,
    *bundles.CALLS,
    *entities.CALLS,
    *identity.CALLS,
    *query.CALLS,
    *derived.CALLS,
    *conflicts.CALLS,
    *log.CALLS,
    *events.CALLS,
    *tokens.CALLS,
    *blobs.CALLS,
    *exchange.CALLS,
    *imports.CALLS,
    *exports.CALLS,
    *plugins.CALLS,
    *members.CALLS,
    *peers.CALLS,
    *maintenance.CALLS,
)
