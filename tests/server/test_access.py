"""Who may do what: every call, every role, and what a wrong token is told."""

from __future__ import annotations

import json
import re
import socket
from typing import Any

import anyio
import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from openprod.engine.tokens import ROLES
from openprod.running import NO_CERTIFICATES
from openprod.server.calls import Call
from openprod.server.routes import CALLS
from tests.server.serving import OWNER, TIMEOUT_S, Served, refused

pytestmark = pytest.mark.anyio

EACH_CALL = pytest.mark.parametrize("call", CALLS, ids=lambda call: f"{call.method} {call.path}")


async def attempt(client: httpx.AsyncClient, call: Call) -> int:
    """The status of the call with nothing useful in it; a stream is left at once."""
    path = re.sub(r"\{\w+\}", "nothing", call.path)
    async with client.stream(call.method, path, json={} if call.body else None) as response:
        return response.status_code


@EACH_CALL
async def test_every_call_needs_a_token(steady: Served, call: Call) -> None:
    assert await attempt(steady["nobody"], call) == 401


async def test_every_call_needs_its_role(served: Served) -> None:
    for call in CALLS:
        for role in ROLES:
            status = await attempt(served[role], call)
            enough = ROLES.index(role) >= ROLES.index(call.role)
            assert (status not in (401, 403, 500)) if enough else (status == 403), (call.method, call.path, role)


@EACH_CALL
async def test_a_token_of_one_document_stays_there(steady: Served, call: Call) -> None:
    if not call.scoped:
        assert await attempt(steady["scoped"], call) == 403


async def test_a_refusal_names_the_roles(steady: Served) -> None:
    error = refused(await steady["viewer"].post("/undo"), 403, "DENIED")
    assert error["details"] == {"role": "viewer", "needs": "editor"}
    assert error["sentence"] == "This access token is for a viewer; this needs an editor."


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer wrong",
        "Basic wrong",
        f"Basic {OWNER}",
        f"Bearer {OWNER}x",
        f"Bearer {OWNER[:-1]}",
        "Bearer " + "x" * 10_000,
        "Bearer \xff\xfe",
        OWNER,
    ],
)
async def test_wrong_tokens_are_told_the_same(steady: Served, header: str) -> None:
    async with httpx.AsyncClient(trust_env=False, verify=NO_CERTIFICATES) as client:
        answer = await client.get(
            steady.url + "/api/v1/workspace", headers={"authorization": header.encode("latin-1")} if header else {}
        )
    error = refused(answer, 401, "UNAUTHENTICATED")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert error["sentence"] == "The access token is missing, wrong, expired or withdrawn."


async def test_a_token_in_the_address_is_not_taken(steady: Served) -> None:
    refused(await steady["nobody"].get("/state-hash", params={"token": OWNER}), 401, "UNAUTHENTICATED")


async def test_a_token_s_life(served: Served) -> None:
    made = (await served["owner"].post("/tokens", json={"label": "Lighting desk", "name": "Lee"})).json()
    assert made["role"] == "editor"
    async with httpx.AsyncClient(
        base_url=served.url + "/api/v1",
        headers={"authorization": f"Bearer {made['token']}"},
        trust_env=False,
        verify=NO_CERTIFICATES,
    ) as desk:
        assert (await desk.get("/workspace")).json()["you"]["name"] == "Lee"
        listed = (await served["owner"].get("/tokens")).json()["tokens"]
        assert made["id"] in [token["id"] for token in listed]
        assert made["token"] not in json.dumps(listed)
        assert (await served["owner"].delete(f"/tokens/{made['id']}")).json() == {"revoked": made["id"]}
        refused(await desk.get("/workspace"), 401, "UNAUTHENTICATED")


async def test_an_expired_token(served: Served) -> None:
    made = (await served["owner"].post("/tokens", json={"expires": "2001-01-01T00:00:00+00:00"})).json()
    headers = {"authorization": f"Bearer {made['token']}"}
    refused(await served["nobody"].get("/workspace", headers=headers), 401, "UNAUTHENTICATED")


async def test_the_launch_s_token_is_not_in_the_workspace(steady: Served) -> None:
    assert OWNER not in (await steady["owner"].get("/tokens")).text
    assert steady.workspace.token_check(OWNER) is None


async def test_a_token_of_one_document_sees_and_edits_that_one(served: Served) -> None:
    await served.cue()
    scoped = served["scoped"]
    about = (await scoped.get("/workspace")).json()
    assert (about["documents"], list(about["plugins"])) == (["cues"], ["cues"])
    assert (await scoped.post("/query", json={"facet": "cues.cue"})).json()["rows"]
    refused(await scoped.post("/query", json={"facet": "rooms.room"}), 403, "DENIED")

    async def commit(*operations: dict[str, Any]) -> httpx.Response:
        return await scoped.post("/bundles", json={"operations": operations})

    mine = {"op": "set_field", "entity": "cue_42", "facet": "cues.cue", "field": "start", "value": "11:00"}
    other = {"op": "attach_facet", "entity": "cue_42", "facet": "rooms.room", "fields": {"name": "Stage"}}
    assert (await commit(mine)).status_code == 200
    refused(await commit(mine, other), 403, "DENIED")
    refused(await commit({"op": "create_entity", "entity": "x"}), 403, "DENIED")
    refused(await commit({"op": "delete_entity", "entity": "cue_42"}), 403, "DENIED")
    refused(await commit({"op": "create_entity", "entity": "y", "facets": {"rooms.room": {}}}), 403, "DENIED")
    refused(await commit({"op": "remove_edge", "edge": "rooms.door", "id": "d"}), 403, "DENIED")


async def test_local_paths_are_the_owner_s(steady: Served, tmp_path: Any) -> None:
    target = tmp_path / "out.pack"
    refused(await steady["editor"].post("/pack", json={"path": str(target)}), 403, "DENIED")
    assert not target.exists()
    refused(await steady["owner"].post("/pack", json={"path": "out.pack"}), 400, "INPUT")
    refused(await steady["owner"].post("/backup", json={"path": "/tmp/a\0b"}), 400, "INPUT")
    refused(await steady["editor"].post(f"/imports/cues.csv?path={target}"), 403, "DENIED")


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "[::2]:80"])
async def test_another_name_is_not_this_node(steady: Served, host: str) -> None:
    """A page elsewhere whose name was made to point here (DNS rebinding) gets nothing."""
    for path in ("/", "/api/v1/workspace", "/healthz"):
        async with httpx.AsyncClient(trust_env=False, verify=NO_CERTIFICATES) as client:
            answer = await client.get(steady.url + path, headers={"host": host, "authorization": f"Bearer {OWNER}"})
        refused(answer, 421, "MISDIRECTED")
    as_named = f"ws://{host or 'nobody.example'}/yjs/-/cues?token={OWNER}"
    with pytest.raises(InvalidStatus):
        async with connect(as_named, sock=socket.create_connection(("127.0.0.1", steady.port)), proxy=None):
            pass


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "localhost:1234", "LOCALHOST"])
async def test_its_own_names_are(steady: Served, host: str) -> None:
    async with httpx.AsyncClient(trust_env=False, verify=NO_CERTIFICATES) as client:
        assert (await client.get(steady.url + "/healthz", headers={"host": host})).status_code == 200


async def test_pages_of_other_sites_get_no_permission(steady: Served) -> None:
    origin = {"origin": "https://evil.example"}
    asked = {**origin, "access-control-request-method": "POST", "access-control-request-headers": "authorization"}
    for answer in (
        await steady["owner"].get("/workspace", headers=origin),
        await steady["owner"].options("/bundles", headers=asked),
    ):
        assert not [name for name in answer.headers if name.startswith("access-control-")]
    with pytest.raises(InvalidStatus):
        async with connect(
            f"ws://127.0.0.1:{steady.port}/yjs/-/cues?token={OWNER}", origin="https://evil.example", proxy=None
        ):
            pass


@pytest.mark.parametrize("path", ["/yjs", "/other", "/api/v1/events", "/yjs/-/cues/more"])
async def test_sockets_elsewhere_are_refused(steady: Served, path: str) -> None:
    with pytest.raises(InvalidStatus):
        async with connect(f"ws://127.0.0.1:{steady.port}{path}?token={OWNER}", proxy=None):
            pass


async def test_the_owner_s_token_opens_a_socket_and_a_withdrawn_one_closes(served: Served) -> None:
    base = f"ws://127.0.0.1:{served.port}/yjs/-/cues?token="
    async with connect(base + OWNER, proxy=None) as one:
        with anyio.fail_after(TIMEOUT_S):
            assert (await one.recv())[:2] == b"\x00\x00"  # SyncStep1
    async with connect(base + served.tokens["editor"]["token"], proxy=None) as one:
        await served["owner"].delete(f"/tokens/{served.tokens['editor']['id']}")
        with anyio.fail_after(TIMEOUT_S):
            await one.wait_closed()
        assert one.close_code == 4403
