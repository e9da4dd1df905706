"""The table of calls: each says what it takes and gives, who may make it, and what answers it.

The same table makes the routes, the checks in front of them and the OpenAPI document, so that they can't disagree.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import anyio
import msgspec
from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from openprod.core.bundles import Actor
from openprod.engine.tokens import Grant, Role
from openprod.engine.workspace import Workspace
from openprod.errors import Denied, InputError
from openprod.plugin_host.registry import Registry
from openprod.server.answers import answer
from openprod.server.auth import Access, require_all_documents, require_role
from openprod.server.body import read_json
from openprod.server.errors import refuse
from openprod.server.events import EventHub

if TYPE_CHECKING:
    from openprod.sync.service import PeerService

Shape = type[BaseModel] | type[msgspec.Struct]


@dataclass(frozen=True, slots=True)
class Services:
    """What the calls work with."""

    workspace: Workspace
    access: Access
    events: EventHub
    plugins: Callable[[], Registry]
    importing: anyio.Lock = field(default_factory=anyio.Lock)
    peers: PeerService | None = None

    @property
    def uploads(self) -> Path:
        """Where received files are until they are dealt with: on the workspace's own disk."""
        return self.workspace.folder / "run"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that may be answered. ``query`` and ``body`` are of the types that the call declares."""

    request: Request
    services: Services
    token: str
    grant: Grant
    query: Any
    body: Any

    @property
    def workspace(self) -> Workspace:
        return self.services.workspace

    @property
    def actor(self) -> Actor:
        return self.services.access.actor(self.grant)

    def part(self, name: str) -> str:
        """A part of the address."""
        value = self.request.path_params[name]
        assert isinstance(value, str)
        return value

    @property
    def wants_progress(self) -> bool:
        return "application/x-ndjson" in self.request.headers.get("accept", "")

    def local_path(self, text: str) -> Path:
        """A path on this device, which only its owner may name, from this device. Raises Denied or InputError."""
        client = self.request.client
        if self.grant.role != "owner" or client is None or not is_loopback(client.host):
            raise Denied(
                "Only the owner, on this device, may name files on it.", hint="Send the file as the request's body."
            )
        path = Path(text)
        if not path.is_absolute() or "\0" in text:
            raise InputError("The path of a file must be a full one.", hint="Such as /home/me/show.pack.")
        return path


Handler = Callable[[Asked], Awaitable[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """``path`` is below /api/v1. ``role`` is the least that may make it.

    ``scoped``: a token of one document may make it too, and the handler checks the document.
    ``takes_file``/``gives_file``: what the body or the answer may be besides JSON. ``progress``: answers long work as
    newline-delimited JSON to those who accept it.
    """

    method: Literal["GET", "POST", "PUT", "DELETE"]
    path: str
    handle: Handler
    does: str
    role: Role = "viewer"
    query: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    gives: Shape | None = None
    scoped: bool = False
    takes_file: bool = False
    gives_file: str = ""
    progress: bool = False

    def endpoint(self, services: Services) -> Callable[[Request], Awaitable[Response]]:
        async def respond(request: Request) -> Response:
            try:
                result = await self.handle(await self._asked(services, request))
            except Exception as error:
                return refuse(error)
            return result if isinstance(result, Response) else answer(result)

        return respond

    async def _asked(self, services: Services, request: Request) -> Asked:
        token, grant = services.access.identify(request.headers)
        require_role(grant, self.role)
        if not self.scoped:
            require_all_documents(grant)
        query = body = None
        if self.query is not None:
            given = {name: value for name, value in request.query_params.items() if value}
            query = validated(self.query, given, "query")
        if self.body is not None and not (self.takes_file and brings_file(request)):
            body = validated(self.body, await read_json(request) or {}, "body")
        return Asked(request, services, token, grant, query, body)


def brings_file(request: Request) -> bool:
    """A body that isn't JSON is a file."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind not in ("", "application/json")


def validated(model: type[BaseModel], value: Any, where: str) -> Any:
    """Raises InputError that names each wrong place."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        faults = [
            {"at": ".".join(map(str, fault["loc"])) or where, "problem": fault["msg"][:200]}
            for fault in error.errors(include_url=False, include_context=False, include_input=False)[:20]
        ]
        first = faults[0]
        raise InputError(
            f"The {where} can't be used: {first['at'][:80]}: {first['problem']}.",
            hint="The calls and what they take are described at /api/v1/openapi.json.",
            details={"faults": faults},
        ) from None


def is_loopback(host: str) -> bool:
    return host.startswith("127.") or host in ("::1", "localhost")
