"""The page's files: where they are, what the browser may do with them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from openprod.running import NO_CERTIFICATES
from openprod.server.client_files import ClientFiles
from tests.server.serving import Served, refused, serve

pytestmark = pytest.mark.anyio


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[tuple[Served, httpx.AsyncClient]]:
    dist = tmp_path / "dist"
    (dist / "assets").mkdir(parents=True)
    (dist / "index.html").write_text("<!doctype html><title>page</title>")
    (dist / "sw.js").write_text("// worker")
    (dist / "assets" / "main-abc.js").write_text("// program")
    (tmp_path / "secret.txt").write_text("secret")
    async with (
        serve(tmp_path, client_dist=dist) as served,
        httpx.AsyncClient(base_url=served.url, trust_env=False, verify=NO_CERTIFICATES) as client,
    ):
        yield served, client


async def test_the_page_and_its_own_addresses(page: tuple[Served, httpx.AsyncClient]) -> None:
    _served, client = page
    for address in ("/", "/index.html", "/conflicts", "/sheets/cues.cue"):
        answer = await client.get(address)
        assert (answer.status_code, "<title>page" in answer.text) == (200, True), address
        assert answer.headers["cache-control"] == "no-cache"


async def test_what_the_page_may_do(page: tuple[Served, httpx.AsyncClient]) -> None:
    served, client = page
    headers = (await client.get("/")).headers
    rules = headers["content-security-policy"]
    assert "default-src 'self'" in rules
    assert f"connect-src 'self' ws://127.0.0.1:{served.port};" in rules
    assert "unsafe" not in rules
    assert "frame-ancestors 'none'" in rules
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


async def test_built_files_are_kept_and_the_worker_is_asked_for_anew(page: tuple[Served, httpx.AsyncClient]) -> None:
    _served, client = page
    kept = await client.get("/assets/main-abc.js")
    assert "immutable" in kept.headers["cache-control"]
    assert "javascript" in kept.headers["content-type"]
    worker = await client.get("/sw.js")
    assert worker.headers["cache-control"] == "no-cache"
    assert (await client.get("/sw.js", headers={"if-none-match": worker.headers["etag"]})).status_code == 304


async def test_nothing_beside_the_page(page: tuple[Served, httpx.AsyncClient]) -> None:
    _served, client = page
    for address in ("/assets/gone.js", "/..%2fsecret.txt", "/%2e%2e/secret.txt", "/assets/..%2f..%2fsecret.txt"):
        answer = await client.get(address)
        assert answer.status_code == 404, address
        assert "secret" not in answer.text
    refused(await client.get("/api"), 404, "NOT_FOUND")
    refused(await client.get("/api/v2/workspace"), 404, "NOT_FOUND")
    refused(await client.post("/"), 405, "METHOD_NOT_ALLOWED")


async def test_a_page_that_is_not_built_says_how(served: Served) -> None:
    async with httpx.AsyncClient(base_url=served.url, trust_env=False, verify=NO_CERTIFICATES) as client:
        answer = await client.get("/")
        assert answer.status_code == 503
        assert "make page" in answer.text


async def test_an_odd_host_adds_nothing_to_the_rules(tmp_path: Path) -> None:
    scope = {
        "type": "http", "method": "GET", "path": "/", "headers": [(b"host", b"x; script-src *")], "query_string": b"",
        "scheme": "http", "server": ("127.0.0.1", 80),
    }  # fmt: skip
    answer = await ClientFiles(tmp_path).get_response("", scope)
    assert "script-src" not in answer.headers["content-security-policy"]
