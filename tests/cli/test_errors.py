"""Every way of going wrong ends with a code, a sentence and a hint."""

from __future__ import annotations

import os
import pty
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from openprod.cli import main as program
from openprod.engine.workspace import Workspace
from tests.cli.program import PROGRAM, Laptop

SHAPE = re.compile(r"\Aerror\[([A-Z_]+)\]: \S.*\nhint: \S.*\n\Z")

WRONG = [
    ("hash nowhere", "WRONG_FILE", 1),
    ("query show.openprod cues.cue wher", "INPUT", 1),
    ("query show.openprod cues.nothing", "INPUT", 1),
    ("query show.openprod 'cues.cue where nothing = 1'", "INPUT", 1),
    ("query show.openprod {]", "INPUT", 1),
    ("history show.openprod nobody", "NOT_FOUND", 1),
    ("log show.openprod --after ffffffff", "NOT_FOUND", 1),
    ("undo show.openprod ffffffff", "NOT_FOUND", 1),
    ("redo show.openprod", "NOT_FOUND", 1),
    ("resolve show.openprod c_none --value true", "NOT_FOUND", 1),
    ("resolve show.openprod c_none --value 10:45", "INPUT", 1),
    ("resolve show.openprod c_none", "USAGE", 2),
    ("resolve show.openprod c_none --reopen --value 1", "USAGE", 2),
    ("import show.openprod cues.nothing cues.csv", "NOT_FOUND", 1),
    ("import show.openprod cues.csv missing.csv", "STORAGE", 1),
    ("import show.openprod script.fountain cues.csv", "INPUT", 1),
    ("import show.openprod cues.eos-csv home/device.key", "INVALID_FILE", 1),
    ("merge show.openprod cues.csv", "INVALID_FILE", 1),
    ("merge show.openprod missing", "STORAGE", 1),
    ("merge show.openprod torn.pack --apply", "INVALID_FILE", 1),
    ("pack show.openprod -o missing/pack", "STORAGE", 1),
    ("pack show.openprod -o p --for cues.csv", "INVALID_FILE", 1),
    ("pack show.openprod -o p --for missing", "INPUT", 1),
    ("pack show.openprod", "USAGE", 2),
    ("have show.openprod -o missing/have", "STORAGE", 1),
    ("token revoke show.openprod t_none", "NOT_FOUND", 1),
    ("token create show.openprod --role king", "USAGE", 2),
    ("token create show.openprod --document nothing", "NOT_FOUND", 1),
    ("token create show.openprod --expires soon", "INPUT", 1),
    ("plugin adopt show.openprod nothing", "NOT_FOUND", 1),
    ("plugin adopt show.openprod hamlet", "NOT_FOUND", 1),
    ("new show.openprod --name Again", "INPUT", 1),
    ("new other.openprod --name ' '", "INPUT", 1),
    ("new other.openprod --name Other --plugin nothing", "NOT_FOUND", 1),
    ("new other.openprod", "USAGE", 2),
    ("restore cues.csv other.openprod", "WRONG_FILE", 1),
    ("restore empty other.openprod", "WRONG_FILE", 1),
    ("import show.openprod cues.csv empty", "INVALID_FILE", 1),
    ("history show.openprod ''", "NOT_FOUND", 1),
    ("history show.openprod a/b", "NOT_FOUND", 1),
    ("history show.openprod ..", "NOT_FOUND", 1),
    ("restore missing other.openprod", "WRONG_FILE", 1),
    ("restore show.openprod show.openprod", "INPUT", 1),
    ("serve missing", "WRONG_FILE", 1),
    ("serve show.openprod --port 99999", "USAGE", 2),
    ("conflicts show.openprod --status odd", "USAGE", 2),
    ("conflicts show.openprod --limit 0", "USAGE", 2),
    ("nonsense", "USAGE", 2),
    ("hash", "USAGE", 2),
    ("hash --nonsense", "USAGE", 2),
]


@pytest.fixture(scope="module")
def laptop(prepared: Path) -> Laptop:
    """Nothing here changes it."""
    laptop = Laptop(prepared, "Alex")
    laptop.done("pack", "show.openprod", "-o", "whole.pack")
    whole = (prepared / "whole.pack").read_bytes()
    (prepared / "torn.pack").write_bytes(whole[: len(whole) // 2])
    (prepared / "empty").touch()
    return laptop


@pytest.mark.parametrize(("line", "code", "status"), WRONG, ids=[line for line, _code, _status in WRONG])
def test_errors_have_a_code_and_a_hint(
    laptop: Laptop,
    line: str,
    code: str,
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """In this process, which is what makes so many affordable; `Laptop.run` checks the same for real processes."""
    monkeypatch.chdir(laptop.folder)
    monkeypatch.setenv("OPENPROD_HOME", str(laptop.folder / "home"))
    assert program.main(shlex.split(line)) == status
    out, err = capfd.readouterr()
    assert out == ""
    found = SHAPE.match(err)
    assert found is not None, err
    assert found[1] == code


def test_a_file_that_is_no_backup_is_called_as_people_called_it(laptop: Laptop) -> None:
    """And is seen before it is copied. So is one whose damage only shows in the copy."""
    (laptop.folder / "half.db").write_bytes((laptop.folder / "show.openprod/workspace.db").read_bytes()[:5000])
    for name, says in (("cues.csv", "isn't a backup"), ("half.db", "damaged")):
        ended = laptop.run("restore", name, "other.openprod")
        assert ended.status == 1
        assert name in ended.err
        assert says in ended.err
        assert ".part" not in ended.err


def test_what_no_address_can_say_is_answered_in_the_words_of_the_question(laptop: Laptop) -> None:
    assert "“a/b”" in laptop.run("history", "show.openprod", "a/b").err


def test_a_second_node_is_told_where_the_first_one_is(alex: Laptop) -> None:
    with alex.serving("show.openprod"):
        ended = alex.run("serve", "show.openprod", "--port", "0", "--no-browser")
    assert ended.status == 1
    assert SHAPE.match(ended.err)
    assert "served already, at http://127.0.0.1:" in ended.err
    assert "/#token=" in ended.err


def test_a_damaged_workspace(alex: Laptop) -> None:
    (alex.folder / "show.openprod/workspace.db").write_bytes(b"no database at all" * 100)
    ended = alex.run("hash", "show.openprod")
    assert ended.status == 1
    assert SHAPE.match(ended.err), ended.err


def test_what_nobody_expected_is_kept_for_a_report(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(**_options: object) -> None:
        raise ExceptionGroup("tasks", [ZeroDivisionError("by zero")])

    monkeypatch.setenv("OPENPROD_HOME", str(tmp_path))
    monkeypatch.setattr(program.cli, "main", fail)
    assert program.main([]) == 1
    _out, err = capfd.readouterr()
    assert SHAPE.match(err)
    assert "by zero" not in err
    assert "by zero" in (tmp_path / "last-error.txt").read_text()


def test_what_nobody_expected_of_a_call_is_in_the_node_s_log_also_where_no_node_runs(
    monkeypatch: pytest.MonkeyPatch, alex: Laptop, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async def fail(_workspace: object) -> str:
        raise ZeroDivisionError("by zero")

    monkeypatch.setenv("OPENPROD_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(Workspace, "state_hash", fail)
    assert program.main(["hash", str(alex.folder / "show.openprod")]) == 1
    _out, err = capfd.readouterr()
    assert SHAPE.match(err), err
    assert "by zero" in (alex.folder / "show.openprod/run/node.log").read_text()


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.exceptions.Abort()])
def test_an_interruption_is_quiet(
    error: BaseException, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def interrupted(**_options: object) -> None:
        raise error

    monkeypatch.setattr(program.cli, "main", interrupted)
    assert program.main([]) == 130
    assert capfd.readouterr() == ("", "")


def test_a_reader_that_has_enough_is_told_nothing(alex: Laptop) -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(
            [*PROGRAM, "query", "show.openprod", "cues.cue"],
            cwd=alex.folder, env=alex.environment, stdout=write, stderr=subprocess.PIPE, check=False,
        )  # fmt: skip
    finally:
        os.close(write)
    assert (done.returncode, done.stderr) == (1, b"")


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are Unix's")
def test_a_terminal_gets_tables_and_no_commands_from_data(alex: Laptop) -> None:
    (alex.folder / "evil.csv").write_text("List,Q,Label\nLX,66,\x1b]0;owned\x07[bold]x[/bold]\n")
    alex.done("import", "show.openprod", "cues.csv", "evil.csv", "--apply")
    master, slave = pty.openpty()
    try:
        process = subprocess.Popen(
            [*PROGRAM, "query", "show.openprod", "cues.cue where number = 66"],
            cwd=alex.folder, env={**alex.environment, "TERM": "xterm"}, stdout=slave, stderr=slave, stdin=slave,
        )  # fmt: skip
        assert process.wait(60) == 0
        shown = os.read(master, 65536).decode()
    finally:
        os.close(slave)
        os.close(master)
    assert "\t" not in shown
    assert "]0;owned" in shown
    assert "\x1b]0" not in shown
    assert "[bold]x[/bold]" in shown
