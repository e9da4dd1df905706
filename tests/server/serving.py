"""A node for the tests, on a real socket, whose every answer is held against the OpenAPI document."""

from __future__ import annotations

import re
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import httpx
from jsonschema import Draft202012Validator
from pycrdt import Doc, Map

from openprod.core.bundles import Actor
from openprod.core.schema import Edge, Facet, Field, Schema
from openprod.engine import identity
from openprod.engine.workspace import Workspace
from openprod.node import Node
from openprod.running import NO_CERTIFICATES
from openprod.server.app import BASE, described

TIMEOUT_S = 20
OWNER = "the-owner's-token-of-this-launch"
CUES = Schema(
    plugin="cues",
    label="Cues",
    facets={
        "cue": Facet(
            label="Cue",
            title="{list} {number}",
            fields={
                "list": Field(),
                "number": Field(type="decimal", label="Q"),
                "start": Field(label="start time"),
                "label": Field(),
            },
        )
    },
    edges={"follows": Edge(source="cues.cue", target="cues.cue", properties={"wait": Field()})},
)
ROOMS = Schema(
    plugin="rooms", label="Rooms", facets={"room": Facet(label="Room", title="{name}", fields={"name": Field()})}
)


@dataclass
class Served:
    """``clients``: by role, plus ``scoped`` (an editor of the document cues) and ``nobody``."""

    workspace: Workspace
    node: Node
    port: int
    tokens: dict[str, dict[str, Any]]
    clients: dict[str, httpx.AsyncClient] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __getitem__(self, role: str) -> httpx.AsyncClient:
        return self.clients[role]

    async def cue(self, entity: str = "cue_42", **fields: Any) -> None:
        values = {"list": "LX", "number": "42", "start": "10:00", **fields}
        answer = await self["editor"].post(
            "/bundles",
            json={"operations": [{"op": "create_entity", "entity": entity, "facets": {"cues.cue": values}}]},
        )
        assert answer.status_code == 200, answer.text

    async def disagree(self, entity: str = "cue_42", values: tuple[str, ...] = ("10:30", "10:45")) -> dict[str, Any]:
        """Alex and Jordan set the start without seeing each other; the conflict."""
        state = await self.workspace.state_as_update("cues")
        for number, value in enumerate(values):
            person = ("Alex", "Jordan", "Sam")[number]
            copy: Doc[Any] = Doc(client_id=1000 + number)
            copy.apply_update(state)
            before = copy.get_state()
            copy.get("cues.cue", type=Map)[f"{entity}/start"] = value
            await self.workspace.ingest("cues", copy.get_update(before), actor=Actor(f"u{person}", person, "dev"))
        page = (await self["viewer"].get("/conflicts", params={"entity": entity})).json()
        assert len(page["conflicts"]) == 1
        conflict: dict[str, Any] = page["conflicts"][0]
        return conflict


@asynccontextmanager
async def serve(folder: Path, *, client_dist: Path | None = None) -> AsyncIterator[Served]:
    who = identity.load(folder / "home", name="Olga", device_name="laptop")
    place = folder / "tests.openprod"
    await Workspace.create(place, name="Tests", schemas=[CUES, ROOMS], identity_=who)
    async with Workspace.open(place, identity_=who) as workspace, AsyncExitStack() as stack:
        people: dict[str, dict[str, Any]] = {
            "editor": {"name": "Edith"},
            "viewer": {"name": "Vera", "role": "viewer"},
            "scoped": {"name": "Scott", "document": "cues"},
        }
        tokens = {label: await workspace.token_create(label=label, **about) for label, about in people.items()}
        node = Node(workspace, token=OWNER, client_dist=client_dist or folder / "no-such-folder")
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        listener.setblocking(False)
        tasks = await stack.enter_async_context(anyio.create_task_group())
        ready = anyio.Event()
        tasks.start_soon(node.run, listener, ready.set)
        with anyio.fail_after(TIMEOUT_S):
            await ready.wait()
        served = Served(workspace, node, listener.getsockname()[1], tokens)
        secrets = {"owner": OWNER, "nobody": "", **{label: token["token"] for label, token in tokens.items()}}
        for role, secret in secrets.items():
            headers = {"authorization": f"Bearer {secret}"} if secret else {}
            served.clients[role] = await stack.enter_async_context(
                httpx.AsyncClient(
                    base_url=served.url + BASE,
                    headers=headers,
                    timeout=TIMEOUT_S,
                    trust_env=False,
                    verify=NO_CERTIFICATES,
                    event_hooks={"response": [fits_its_description]},
                )
            )
        yield served
        node.stop()


async def fits_its_description(response: httpx.Response) -> None:
    """Every JSON answer has the shape that the OpenAPI document gives it."""
    kind = response.headers.get("content-type", "")
    path = response.request.url.path
    if kind != "application/json" or not path.startswith(BASE) or path.endswith("/openapi.json"):
        return
    await response.aread()
    document = described()
    operation = _operation(document, response.request.method.lower(), path)
    if operation is None:
        schema: dict[str, Any] = {"$ref": "#/components/schemas/ErrorAnswer"}
    else:
        described_answer = operation["responses"].get(str(response.status_code)) or operation["responses"]["default"]
        schema = described_answer["content"]["application/json"]["schema"]
    validator = Draft202012Validator({**schema, "components": document["components"]})
    faults = [f"{list(fault.absolute_path)}: {fault.message}" for fault in validator.iter_errors(response.json())]
    assert not faults, (response.request.method, path, response.status_code, faults, response.text)


def _operation(document: dict[str, Any], method: str, path: str) -> dict[str, Any] | None:
    for template, operations in document["paths"].items():
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path) and method in operations:
            found: dict[str, Any] = operations[method]
            return found
    return None


def refused(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The error of an answer, which must be a proper one: a sentence, and nothing of the program's insides."""
    assert response.status_code == status, response.text
    error: dict[str, Any] = response.json()["error"]
    assert error["code"] == code
    assert error["sentence"].endswith(".")
    assert "Traceback" not in response.text
    assert 'File "' not in response.text
    return error
