"""Bodies that mean harm or make no sense: a clear refusal, and the node goes on."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest

from openprod.server.body import JSON_BYTES_MAX
from tests.seeds import fresh
from tests.server.serving import OWNER, TIMEOUT_S, Served, refused

pytestmark = pytest.mark.anyio
JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"nonsense",
        b"\xff\xfe{}",
        b'{"operations": ["\xff"]}',
        b'{"message": "\\ud800"}',
        b'{"operations": [NaN]}',
        b'{"operations": [1e999]}',
        b"{}{}",
        b"\0",
        b"PK\x03\x04",
    ],
)
async def test_what_is_not_json(steady: Served, body: bytes) -> None:
    refused(await steady["editor"].post("/bundles", content=body, headers=JSON), 400, "INPUT")


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"1",
        b'"text"',
        b"true",
        b"{}",
        b"null",
        b'{"operations": {}}',
        b'{"operations": []}',
        b'{"operations": [1]}',
        b'{"operations": [{}], "message": 1}',
        b'{"operations": [{}], "more": 1}',
        b'{"operations": [[]]}',
    ],
)
async def test_what_is_of_the_wrong_type(steady: Served, body: bytes) -> None:
    error = (await steady["editor"].post("/bundles", content=body, headers=JSON)).json()["error"]
    assert error["code"] in ("INPUT", "INVALID_OPERATION")


@pytest.mark.parametrize("depth", [65, 500, 5_000, 1_000_000])
async def test_deep_nesting(steady: Served, depth: int) -> None:
    deep = b"[" * depth + b"]" * depth
    body = b'{"operations": [{"op": "set_field", "value": ' + deep + b"}]}"
    refused(await steady["editor"].post("/bundles", content=body, headers=JSON), 413, "LIMIT_EXCEEDED")


async def test_a_value_that_is_too_deep_or_too_large(steady: Served) -> None:
    for value in (_nested(40), "x" * 300_000):
        operation = {"op": "set_field", "entity": "cue_42", "facet": "cues.cue", "field": "label", "value": value}
        refused(await steady["editor"].post("/bundles", json={"operations": [operation]}), 413, "LIMIT_EXCEEDED")


def _nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


async def test_a_body_that_is_too_large(steady: Served) -> None:
    body = b'{"message": "' + b"x" * JSON_BYTES_MAX + b'"}'
    error = refused(await steady["editor"].post("/bundles", content=body, headers=JSON), 413, "LIMIT_EXCEEDED")
    assert error["details"] == {"bytes_max": JSON_BYTES_MAX}


async def test_a_body_that_grows_too_large_without_saying_so(steady: Served) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(JSON_BYTES_MAX // 65536 + 1):
            yield b" " * 65536

    refused(await steady["editor"].post("/bundles", content=chunks(), headers=JSON), 413, "LIMIT_EXCEEDED")


async def test_a_body_that_says_it_is_huge_is_not_waited_for(steady: Served) -> None:
    answer = await _raw(steady, f"POST /api/v1/bundles HTTP/1.1\r\nContent-Length: {10**15}\r\n{_head()}\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"LIMIT_EXCEEDED" in answer


async def test_a_request_that_breaks_off(steady: Served) -> None:
    async with await anyio.connect_tcp("127.0.0.1", steady.port) as stream:
        await stream.send(f"POST /api/v1/bundles HTTP/1.1\r\nContent-Length: 1000\r\n{_head()}\r\n{{".encode())
    assert (await steady["nobody"].get("/healthz")).status_code == 200


async def test_random_bytes_on_the_port_and_in_bodies(served: Served) -> None:
    seed = fresh("server.random_bytes")
    print(f"seed {seed}")
    chance = random.Random(seed)
    for _ in range(30):
        body = chance.randbytes(chance.randrange(200))
        answer = await served["owner"].post(
            chance.choice(("/bundles", "/query", "/tokens", "/merge", "/imports/cues.csv")), content=body, headers=JSON
        )
        assert answer.status_code in (200, 400, 404, 413), answer.text
        if answer.status_code != 200:
            assert answer.json()["error"]["sentence"]
    for _ in range(10):
        await _raw(served, chance.randbytes(300) + b"\r\n\r\n")
    assert (await served["nobody"].get("/healthz")).status_code == 200


@pytest.mark.parametrize(
    "path", ["/entities/%00", "/entities/%FF%FE", "/entities/" + "x" * 5000, "/conflicts/..%2f..%2f", "/blobs/..%2f.."]
)
async def test_odd_addresses(steady: Served, path: str) -> None:
    answer = await steady["owner"].get(path)
    assert answer.status_code in (400, 404)
    assert answer.json()["error"]["sentence"]


async def test_what_nobody_expected_is_logged_and_told_by_its_id(
    served: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail() -> str:
        raise RuntimeError("secret inside")

    monkeypatch.setattr(served.workspace, "state_hash", fail)
    answer = await served["viewer"].get("/state-hash")
    error = refused(answer, 500, "INTERNAL")
    assert "secret" not in answer.text
    assert error["details"]["id"] in error["hint"]
    assert error["details"]["id"] in caplog.text
    assert "secret inside" in caplog.text


async def test_what_nobody_expected_in_the_middle_of_long_work(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(**_: Any) -> str:
        raise RuntimeError("secret inside")

    monkeypatch.setattr(served.workspace, "doctor", fail)
    answer = await served["owner"].post("/doctor", headers={"accept": "application/x-ndjson"})
    assert answer.status_code == 200
    assert '"INTERNAL"' in answer.text
    assert "secret" not in answer.text


def _head() -> str:
    return f"Host: 127.0.0.1\r\nAuthorization: Bearer {OWNER}\r\nContent-Type: application/json\r\n"


async def _raw(served: Served, data: bytes) -> bytes:
    answer = b""
    with anyio.fail_after(TIMEOUT_S):
        async with await anyio.connect_tcp("127.0.0.1", served.port) as stream:
            try:
                await stream.send(data)
                await stream.send_eof()
                async for part in stream:
                    answer += part
            except (anyio.BrokenResourceError, anyio.ClosedResourceError):
                pass
    return answer
