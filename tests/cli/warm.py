"""Commands without the second in which Python loads the program: one process has loaded it, each command is its copy.

A copy is a process as any other: its own folder, environment, streams, locks and exit status; it is killed as any
other. Which modules a command loads isn't seen here: whoever asks that starts ``PROGRAM`` (tests/cli/program.py).
Linux only.
"""

from __future__ import annotations

import atexit
import ctypes
import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).parents[2]


def _available() -> bool:
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError):  # not Linux, or one that forbids it
        return False
    return True


AVAILABLE = _available()
_LATER = ("icalendar", "openpyxl", "uvloop", "zeroconf.asyncio")
"""What modules of the program load when they are called."""
_REQUEST_BYTES_MAX = 1 << 20
_NEW_NETWORK = 0x40000000
_CHILD_SUBREAPER = 36


class Command:
    """One command that runs. As far as it goes, a ``subprocess.Popen`` with text streams."""

    def __init__(self, arguments: Iterable[str | Path], folder: Path, environment: Mapping[str, str], *,
                 place: str = "", asks: bool = False) -> None:  # fmt: skip
        self.returncode: int | None = None
        request = {
            "arguments": [*map(str, arguments)], "folder": str(folder),
            "environment": dict(environment), "place": place,
        }  # fmt: skip
        given, typed = os.pipe() if asks else (os.open(os.devnull, os.O_RDONLY), None)
        shown, out = os.pipe()
        said, err = os.pipe()
        self.pid = _loaded().begin(request, (given, out, err))
        self._alive = os.pidfd_open(self.pid)
        self.stdin: IO[str] | None = None if typed is None else os.fdopen(typed, "w", encoding="utf-8")
        self.stdout = os.fdopen(shown, encoding="utf-8")
        self.stderr = os.fdopen(said, encoding="utf-8")

    def poll(self) -> int | None:
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
                os.close(self._alive)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            select.select([self._alive], [], [], timeout)
            if self.poll() is None:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """What it printed until its end."""
        if self.stdin is not None:
            self.stdin.close()
        heard = [_Reading(stream) for stream in (self.stdout, self.stderr)]
        self.wait(timeout)
        out, err = (one.all(timeout) for one in heard)
        return out, err


class _Reading(threading.Thread):
    """Everything from a stream, and its end. Two are read at once: a full pipe would stop the command."""

    def __init__(self, stream: IO[str]) -> None:
        super().__init__(daemon=True)
        self._stream = stream
        self._text = ""
        self.start()

    def run(self) -> None:
        if not self._stream.closed:
            with self._stream:
                self._text = self._stream.read()

    def all(self, timeout: float | None) -> str:
        self.join(timeout)
        return self._text


class _Loaded:
    """The process that has loaded the program."""

    def __init__(self) -> None:
        # Commands become children of this process, so that it can wait for them.
        ctypes.CDLL(None, use_errno=True).prctl(_CHILD_SUBREAPER, 1, 0, 0, 0)
        self._asking, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._one_at_a_time = threading.Lock()
        with other:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.cli.warm", str(other.fileno())],
                cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"},
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, pass_fds=[other.fileno()],
            )  # fmt: skip

    def begin(self, request: dict[str, Any], streams: Iterable[int]) -> int:
        """The command's process. ``streams`` are its own from now on."""
        with self._one_at_a_time:
            socket.send_fds(self._asking, [json.dumps(request).encode()], [*streams])
            for stream in streams:
                os.close(stream)
            pid = self._asking.recv(32)
        assert pid, "the process that loads the program has ended; what it said is on stderr"
        return int(pid)

    def end(self) -> None:
        self._asking.close()
        self._process.wait()


_running: list[_Loaded] = []
_starting = threading.Lock()


def _loaded() -> _Loaded:
    with _starting:
        if not _running:
            _running.append(_Loaded())
            atexit.register(_running[0].end)
        return _running[0]


# -- in the process that has loaded the program ------------------------------------------------------------------


def _serve(asked: socket.socket) -> int:
    """Until nobody asks any more; returns once more in each command, with its exit status."""
    import openprod
    from openprod.cli.main import main

    for module in pkgutil.walk_packages(openprod.__path__, "openprod."):
        importlib.import_module(module.name)
    for name in _LATER:
        importlib.import_module(name)
    gc.freeze()
    while True:
        data, streams, _flags, _address = socket.recv_fds(asked, _REQUEST_BYTES_MAX, 3)
        if not data:
            return 0
        pid = _copy()
        if pid:
            for stream in streams:
                os.close(stream)
            asked.send(str(pid).encode())
        else:
            asked.close()
            request = json.loads(data)
            _become(request, streams)
            return main(request["arguments"])


def _copy() -> int:
    """Fork a child of this process' parent. Its id; 0 in it."""
    reading, writing = os.pipe()
    between = os.fork()
    if between:
        os.close(writing)
        os.waitpid(between, 0)
        with open(reading) as told:
            return int(told.read())
    os.close(reading)
    pid = os.fork()
    if pid:
        os.write(writing, str(pid).encode())
        os._exit(0)
    os.close(writing)
    return 0


def _become(request: dict[str, Any], streams: list[int]) -> None:
    # As at a terminal, also where whoever runs the tests ignores it, as shells do for what runs in the background.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    if request["place"]:
        with open(f"/run/netns/{request['place']}") as network:
            if ctypes.CDLL(None, use_errno=True).setns(network.fileno(), _NEW_NETWORK):
                raise OSError(ctypes.get_errno(), "no such network")


if __name__ == "__main__":
    sys.exit(_serve(socket.socket(fileno=int(sys.argv[1]))))
