"""Serving: the promised line, the end, and what survives a kill."""

from __future__ import annotations

import signal
import socket

import httpx
import pytest

from openprod.running import NO_CERTIFICATES
from tests.cli.program import SECONDS_MAX, Laptop, set_start
from tests.cli.test_commands import the_cue


def test_the_line_and_the_address(alex: Laptop) -> None:
    with alex.serving("show.openprod") as node:
        assert httpx.get(f"{node.url}/healthz", trust_env=False, verify=NO_CERTIFICATES).status_code == 200
        node.process.send_signal(signal.SIGINT)
        out, err = node.process.communicate(timeout=SECONDS_MAX)
        assert (node.process.returncode, out) == (0, "")
        assert err == f"The page: {node.url}/#token={node.token}\n"
    assert not (alex.folder / "show.openprod/run/node.json").exists()


def test_a_kill_loses_nothing_that_was_confirmed(alex: Laptop) -> None:
    cue = the_cue(alex)
    with alex.serving("show.openprod") as node:
        receipts = [node.commit(set_start(cue, f"12:{minute:02}")) for minute in range(20)]
        before = alex.done("hash", "show.openprod")
        node.kill()
    assert alex.done("hash", "show.openprod") == before
    with alex.serving("show.openprod"):
        assert alex.done("hash", "show.openprod") == before
        log = alex.run("log", "show.openprod", "--json").json["bundles"]
        assert [bundle["bundle"] for bundle in log][-20:] == [receipt["bundle"] for receipt in receipts]
        assert alex.run("doctor", "show.openprod", "--json").json["healthy"]


def test_a_second_node_is_refused(alex: Laptop) -> None:
    with alex.serving("show.openprod"):
        second = alex.run("serve", "show.openprod", "--port", "0", "--no-browser")
    assert second.status == 1
    assert second.err.startswith("error[BUSY]: ")
    assert "\nhint: " in second.err


def test_a_port_that_is_taken(alex: Laptop) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended = alex.run("serve", "show.openprod", "--port", str(taken.getsockname()[1]), "--no-browser")
    assert ended.status == 1
    assert "--port 0" in ended.err


def test_a_fixed_token(alex: Laptop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENPROD_TOKEN", "fixed")
    with alex.serving("show.openprod") as node:
        assert node.token == "fixed"
        for token, status in (("fixed", 200), ("no", 401)):
            headers = {"authorization": f"Bearer {token}"}
            answer = httpx.get(f"{node.url}/api/v1/workspace", headers=headers, trust_env=False, verify=NO_CERTIFICATES)
            assert answer.status_code == status
