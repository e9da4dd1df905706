"""A command at a terminal of its own, as people use it: what it shows can be waited for, and answers typed."""

from __future__ import annotations

import os
import pty
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

SECONDS_MAX = 60


class Terminal:
    """``shown``: everything so far."""

    def __init__(self, command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
        self.shown = ""
        self._read = 0
        self._over = False
        self._more = threading.Condition()
        self._screen, end = pty.openpty()
        self.process = subprocess.Popen(
            command, cwd=folder, env={**environment}, stdin=end, stdout=end, stderr=end, start_new_session=True
        )
        os.close(end)
        self._reading = threading.Thread(target=self._read_all, daemon=True)
        self._reading.start()

    def _read_all(self) -> None:
        while True:
            try:
                data = os.read(self._screen, 65536)
            except OSError:  # nobody is at the other end any more
                data = b""
            with self._more:
                self.shown += data.decode("utf-8", "replace").replace("\r", "")
                self._over = not data
                self._more.notify_all()
            if not data:
                return

    def until(self, text: str) -> str:
        """What was shown since the last call, to the end of the line with ``text``, or to ``text`` at a prompt."""
        with self._more:
            found = self._more.wait_for(lambda: text in self.shown[self._read :] or self._over, SECONDS_MAX)
            assert found, f"waited in vain for {text!r}: {self.shown}"
            assert text in self.shown[self._read :], f"ended without {text!r}: {self.shown}"
            since = self.shown[self._read :]
            end = since.index(text) + len(text)
            self._read += end
            return since[:end]

    def type(self, line: str) -> None:
        os.write(self._screen, line.encode() + b"\n")

    def ended(self) -> int:
        """Its exit status, once it has ended."""
        status = self.process.wait(SECONDS_MAX)
        self._close()
        assert "Traceback" not in self.shown, self.shown
        return status

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(SECONDS_MAX)
        self._close()

    def _close(self) -> None:
        self._reading.join(SECONDS_MAX)
        os.close(self._screen)
