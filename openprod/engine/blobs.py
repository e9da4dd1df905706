"""Files by their content's hash, beside the database: ``blobs/<sha256>``."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path

from openprod.engine.whole_folders import settle
from openprod.errors import InputError, LimitExceeded, NotFound
from openprod.storage.sqlite.connection import translated

BLOB_BYTES_MAX = 512 * 1024 * 1024
_HASH = re.compile(r"[0-9a-f]{64}")


class Blobs:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, data: bytes) -> str:
        """Store durably; returns ``blob:<hash>``, the value that fields hold. Storing it twice is storing it once."""
        if len(data) > BLOB_BYTES_MAX:
            raise LimitExceeded(f"The file is larger than {BLOB_BYTES_MAX // 2**20} MiB.")
        digest = hashlib.sha256(data).hexdigest()
        path = self._folder / digest
        if path.exists():
            return f"blob:{digest}"
        with translated(str(path)):
            self._folder.mkdir(exist_ok=True)
            temporary = self._folder / f".{secrets.token_hex(8)}"
            try:
                with open(temporary, "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                temporary.replace(path)
                settle(self._folder)
            finally:
                temporary.unlink(missing_ok=True)
        return f"blob:{digest}"

    def take(self, file: Path, digest: str) -> str:
        """Store a file that is durable already, on the same disk, by moving it. ``digest``: its SHA-256, checked."""
        path = self._folder / digest
        with translated(str(path)):
            self._folder.mkdir(exist_ok=True)
            file.replace(path)
            settle(self._folder)
        return f"blob:{digest}"

    def path(self, name: str) -> Path:
        """Where it is. Raises NotFound when it isn't here, InputError when it isn't a blob's name."""
        digest = name.removeprefix("blob:")
        if not _HASH.fullmatch(digest):
            raise InputError(f"“{name[:80]}” doesn't name a stored file.")
        path = self._folder / digest
        if not _is_own(path):
            raise NotFound(f"The file {digest[:12]}… isn't on this device.")
        return path

    def get(self, name: str) -> bytes:
        """What it holds. Raises as ``path`` does."""
        path = self.path(name)
        with translated(str(path)):
            return path.read_bytes()

    def names(self) -> Iterator[str]:
        if self._folder.is_dir():
            yield from sorted(one.name for one in self._folder.iterdir() if _HASH.fullmatch(one.name) and _is_own(one))

    def damaged(self) -> list[str]:
        """Stored files whose content isn't what their name says."""
        return [name for name in self.names() if hashlib.sha256((self._folder / name).read_bytes()).hexdigest() != name]


def _is_own(path: Path) -> bool:
    """A file, and no link to one: it may lead to whatever this device's user can read."""
    return path.is_file() and not path.is_symlink()
