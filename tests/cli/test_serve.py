"""Serving: the promised line, the end, and what survives a kill."""

from __future__ import annotations

import os
import signal
import socket
import stat
import webbrowser
from pathlib import Path

import httpx
import pytest

from openprod.cli.serving import open_page
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


class Graphical(webbrowser.GenericBrowser):
    """Any one that shows pages in a window of its own."""


@pytest.mark.skipif(os.name == "nt", reason="a script as a browser")
def test_the_token_is_in_no_list_of_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everybody on the device can read what a program was started with."""
    (tmp_path / "run").mkdir()
    seen, browser = tmp_path / "seen", tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$0 $*" > {seen}\n')
    browser.chmod(0o700)
    monkeypatch.setattr(webbrowser, "get", lambda: Graphical(str(browser)))
    open_page(tmp_path, "http://127.0.0.1:8040/#token=secret")
    told = seen.read_text().split()
    assert told == [str(browser), (tmp_path / "run/page.html").as_uri()]
    assert "url=http://127.0.0.1:8040/#token=secret" in (tmp_path / "run/page.html").read_text()
    assert stat.S_IMODE((tmp_path / "run/page.html").stat().st_mode) == 0o600


def test_a_fixed_token(alex: Laptop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENPROD_TOKEN", "fixed")
    with alex.serving("show.openprod") as node:
        assert node.token == "fixed"
        for token, status in (("fixed", 200), ("no", 401)):
            headers = {"authorization": f"Bearer {token}"}
            answer = httpx.get(f"{node.url}/api/v1/workspace", headers=headers, trust_env=False, verify=NO_CERTIFICATES)
            assert answer.status_code == status
