"""The node's HTTP application: the calls, their description, the page."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route, Router
from starlette.types import ASGIApp

from openprod.engine.workspace import Workspace
from openprod.plugin_host.registry import Registry
from openprod.server.answers import answer
from openprod.server.auth import Access
from openprod.server.calls import Services
from openprod.server.client_files import ClientFiles
from openprod.server.errors import refuse_http
from openprod.server.events import EventHub
from openprod.server.guard import LOOPBACK_HOSTS, Guard
from openprod.server.openapi import openapi
from openprod.server.routes import CALLS

if TYPE_CHECKING:
    from openprod.sync.service import PeerService

BASE: Final = "/api/v1"


def build_app(
    workspace: Workspace,
    *,
    access: Access | None = None,
    gateway: ASGIApp | None = None,
    client_dist: Path | None = None,
    hosts: Collection[str] | None = LOOPBACK_HOSTS,
    plugins: Callable[[], Registry] = Registry.load,
    events: EventHub | None = None,
    peers: PeerService | None = None,
) -> Starlette:
    """The application that serves ``workspace``.

    ``access``: who tokens are; by default only the workspace's own tokens hold. ``gateway`` gets the WebSockets below
    /yjs/. ``hosts``: names under which it answers, None for any. ``plugins`` reads the installed plugins.
    ``events``: announces commits to listeners; whoever passes one closes it when the node stops. ``peers``: this
    node's part in gatherings, where it may have one.
    """
    services = Services(
        workspace=workspace,
        access=access or Access(workspace, None),
        events=EventHub(workspace.feed) if events is None else events,
        plugins=plugins,
        peers=peers,
    )
    calls: list[BaseRoute] = [
        Route(call.path, call.endpoint(services), methods=[call.method], name=f"{call.method} {call.path}")
        for call in CALLS
    ]
    calls += [Route("/healthz", healthz), Route("/openapi.json", description)]
    routes: list[BaseRoute] = [
        Mount(BASE, app=Router(calls, redirect_slashes=False)),
        Mount("/yjs", app=gateway, routes=None if gateway else []),
        Route("/healthz", healthz),
    ]
    if client_dist is not None:
        routes.append(Mount("/", app=ClientFiles(client_dist)))
    return Starlette(
        routes=routes,
        middleware=[Middleware(Guard, hosts=hosts, sockets=gateway)],
        exception_handlers={HTTPException: refuse_http},
    )


async def healthz(_request: Request) -> Response:
    return answer({"status": "ready", "pid": os.getpid()})


@cache
def described() -> dict[str, Any]:
    """The OpenAPI document."""
    return openapi(CALLS, base=BASE)


async def description(_request: Request) -> Response:
    return answer(described())
