"""How far this device's logs had come: noted outside the workspaces and their backups (PEERS.md, forks).

A database that is behind its note is an older copy: somebody put a backup in its place, or copied the file without
its -wal. Writing on under the same log would then fork it. A note is never ahead of what was durable, so there is no
false alarm; a note that a crash has torn is no note.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import NamedTuple

from openprod.core.ids import is_log

_LINE = re.compile(r"(\d{20}) ([0-9a-f]{64}) ([0-9a-f]{64})\n")


class Mark(NamedTuple):
    """``seq`` of a log's newest bundle, and that bundle's SHA-256."""

    seq: int
    hash: bytes


class HighWater:
    """The note of the log that is being written, in ``<home>/logs/<log>``. Used from one thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._log = ""
        self._file: int | None = None

    def read(self, log: str) -> Mark | None:
        """None where nothing was noted, or nothing that can be read."""
        try:
            match = _LINE.fullmatch((self._folder / log).read_text(encoding="ascii")) if is_log(log) else None
        except (OSError, ValueError):
            return None
        if match is None or match[3] != _check(match[1], match[2]):
            return None
        return Mark(int(match[1]), bytes.fromhex(match[2]))

    def note(self, log: str, mark: Mark) -> None:
        """Not synced to the disk: after a power failure an older note is as good, and each commit stays cheap.

        A home that can't be written to costs the protection, not the work.
        """
        try:
            if self._log != log:
                self.close()
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._file = os.open(self._folder / log, os.O_WRONLY | os.O_CREAT, 0o600)
                self._log = log
            if self._file is not None:
                seq, digest = f"{mark.seq:020d}", mark.hash.hex()
                line = f"{seq} {digest} {_check(seq, digest)}\n".encode()
                os.lseek(self._file, 0, os.SEEK_SET)
                os.write(self._file, line)
        except OSError:
            self.close()

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
        self._file, self._log = None, ""


def _check(seq: str, digest: str) -> str:
    """Tells a whole line from one of two halves."""
    return hashlib.sha256(f"{seq} {digest}".encode()).hexdigest()
