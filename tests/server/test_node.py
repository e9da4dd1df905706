"""The node as a whole: launched as a process, found by commands, ended by signals."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import stat
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from websockets.asyncio.client import connect as connect_socket

from openprod import node, running
from openprod.engine.workspace import Workspace
from openprod.errors import Busy, InputError, WrongFile
from openprod.running import NO_CERTIFICATES
from tests.server.serving import CUES, TIMEOUT_S

pytestmark = pytest.mark.anyio
CREATE = {"op": "create_entity", "entity": "cue_1", "facets": {"cues.cue": {"number": "1"}}}
PROGRAM = """
import sys
from openprod import node, running
def announce(url):
    print(url, flush=True)
def page(address):
    print(address, flush=True)
running.run(lambda: node.serve(sys.argv[1], port=0, announce=announce, open_browser=page))
print("ended", flush=True)
"""


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    place = tmp_path / "tests.openprod"
    await Workspace.create(place, name="Tests", schemas=[CUES])
    return place


@asynccontextmanager
async def launched(folder: Path, **environment: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, str, str]]:
    """(process, address, the page's address)"""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", "-c", PROGRAM, str(folder), stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE, env={**os.environ, **environment}, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        with anyio.fail_after(TIMEOUT_S):
            lines = [(await process.stdout.readline()).decode().strip() for _ in range(2)]
            if not lines[0]:
                raise AssertionError((await process.stderr.read()).decode())
        yield process, lines[0], lines[1]
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await process.stdout.read()
        await process.stderr.read()


async def ended(process: asyncio.subprocess.Process) -> tuple[str, str]:
    with anyio.fail_after(TIMEOUT_S):
        out, err = await process.communicate()
    return out.decode(), err.decode()


async def test_a_launch_is_announced_recorded_and_ended_by_a_signal(folder: Path) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        async with launched(folder) as (process, url, page):
            record = json.loads(running.record_path(folder).read_bytes())
            assert stat.S_IMODE(running.record_path(folder).stat().st_mode) == 0o600
            assert url == f"http://127.0.0.1:{record['port']}"
            assert page == f"{url}/#token={record['token']}"
            assert record["pid"] == process.pid
            async with node.connect(folder) as client:
                assert str(client.base_url) == f"{url}/api/v1/"
                assert (await client.get("/workspace")).json()["you"]["role"] == "owner"
            process.send_signal(number)
            assert await ended(process) == ("ended\n", "")
            assert process.returncode == 0
        assert not running.record_path(folder).exists()


async def test_the_token_of_a_launch_can_be_fixed(folder: Path) -> None:
    async with launched(folder, OPENPROD_TOKEN="fixed-for-a-script") as (_process, url, _page):
        headers = {"authorization": "Bearer fixed-for-a-script"}
        async with httpx.AsyncClient(trust_env=False, verify=NO_CERTIFICATES) as client:
            assert (await client.get(f"{url}/api/v1/workspace", headers=headers)).status_code == 200


async def test_the_end_is_prompt_with_pages_and_programs_connected_and_loses_nothing(folder: Path) -> None:
    async with launched(folder) as (process, url, _page), node.connect(folder) as client:
        token = client.headers["authorization"].removeprefix("Bearer ")
        async with (
            client.stream("GET", "/events"),
            connect_socket(f"ws{url[4:]}/yjs/-/cues?token={token}", proxy=None) as one,
        ):
            receipt = (await client.post("/bundles", json={"operations": [CREATE]})).json()
            process.terminate()
            with anyio.fail_after(TIMEOUT_S):
                await one.wait_closed()
            assert one.close_code == 1012
            assert await ended(process) == ("ended\n", "")
    async with node.connect(folder) as client:
        assert (await client.get("/log")).json()["bundles"][-1]["bundle"] == receipt["bundle"]


async def test_what_a_killed_node_left_is_ignored_and_replaced(folder: Path) -> None:
    async with launched(folder) as (process, _url, _page):
        async with node.connect(folder) as client:
            receipt = (await client.post("/bundles", json={"operations": [CREATE]})).json()
        process.kill()
        await process.wait()
    assert running.record_path(folder).exists()
    (folder / "run" / "upload-left").write_bytes(b"half a file")
    async with node.connect(folder) as client:
        assert (await client.get("/log")).json()["bundles"][-1]["bundle"] == receipt["bundle"]
    async with launched(folder) as (process, _url, _page):
        assert json.loads(running.record_path(folder).read_bytes())["pid"] == process.pid
        assert not (folder / "run" / "upload-left").exists()


async def test_another_program_on_the_recorded_port_is_not_taken_for_the_node(folder: Path) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 28\r\n\r\n{"status":"ready","pid":123}')
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    seen: list[bytes] = []
    async with await asyncio.start_server(answer, "127.0.0.1", 0) as other:
        port = other.sockets[0].getsockname()[1]
        record = running.NodeRecord(pid=456, host="127.0.0.1", port=port, token="secret")
        running.write_record(folder, record)
        async with node.connect(folder) as client:
            assert (await client.get("/workspace")).json()["name"] == "Tests"
    assert len(seen) == 1
    assert b"secret" not in seen[0]


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"pid": 1}', b"\xff"])
async def test_a_damaged_record_is_ignored(folder: Path, text: bytes) -> None:
    running.record_path(folder).parent.mkdir(exist_ok=True)
    running.record_path(folder).write_bytes(text)
    async with node.connect(folder) as client:
        assert (await client.get("/workspace")).status_code == 200


async def test_one_node_at_a_time(folder: Path) -> None:
    async with launched(folder):
        with pytest.raises(Busy):
            await node.serve(folder, port=0)
        assert running.read_record(folder) is not None


async def test_what_cannot_be_served(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(WrongFile):
        await node.serve(tmp_path, port=0)
    with pytest.raises(WrongFile):
        async with node.connect(tmp_path / "nothing"):
            pass
    async with await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", 0) as other:
        taken = other.sockets[0].getsockname()[1]
        with pytest.raises(InputError, match=str(taken)):
            await node.serve(folder, port=taken)
    for odd in (70_000, -1):
        with pytest.raises(InputError):
            await node.serve(folder, port=odd)
    with pytest.raises(InputError):
        await node.serve(folder, "no.such.host.invalid", port=0)


async def test_trouble_with_announcing_ends_the_node_and_is_told_as_it_is(folder: Path) -> None:
    def announce(_url: str) -> None:
        raise BrokenPipeError("nobody reads")

    with pytest.raises(BrokenPipeError), anyio.fail_after(TIMEOUT_S):
        await node.serve(folder, port=0, announce=announce)
    assert not running.record_path(folder).exists()


async def test_commands_without_a_node_see_progress_while_it_happens(folder: Path) -> None:
    """The in-process client hands out an answer while it is made."""
    async with node.in_process(folder) as client:
        gate = asyncio.Event()

        async def doctor(*, progress: Any) -> dict[str, Any]:
            progress(1, 2)
            await gate.wait()
            return {"healthy": True, "faults": []}

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Workspace, "doctor", lambda _self, *, progress: doctor(progress=progress))
            accept = {"accept": "application/x-ndjson"}
            with anyio.fail_after(TIMEOUT_S):
                async with client.stream("POST", "/doctor", headers=accept) as response:
                    lines = response.aiter_lines()
                    assert json.loads(await anext(lines)) == {"progress": {"done": 1, "total": 2}}
                    gate.set()
                    assert json.loads(await anext(lines)) == {"result": {"healthy": True, "faults": []}}


async def test_leaving_an_answer_early_in_process(folder: Path) -> None:
    async with node.in_process(folder) as client:
        with anyio.fail_after(TIMEOUT_S):
            async with client.stream("GET", "/events") as response:
                assert response.status_code == 200
            assert (await client.get("/state-hash")).status_code == 200


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is always full is there on Linux only")
def test_a_full_disk_shows_nothing_of_the_log_at_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with node._logging_to(Path("/dev/full")):
        logging.getLogger("openprod").warning("what can't be written")
    assert capsys.readouterr().err == ""
