"""Stored files: what is durable when ``put`` and ``take`` return."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

import pytest

from openprod.engine.blobs import Blobs


@pytest.mark.parametrize("moved", [False, True])
def test_a_file_is_durable_under_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moved: bool) -> None:
    """INV-LOSS-1: a crash after the rename may otherwise leave a folder that doesn't know of it."""
    synced: list[tuple[str, bool]] = []
    real = os.fsync

    def fsync(file: int) -> None:
        kind = "folder" if stat.S_ISDIR(os.fstat(file).st_mode) else "file"
        synced.append((kind, any((tmp_path / "blobs").glob("[0-9a-f]*"))))
        real(file)

    monkeypatch.setattr(os, "fsync", fsync)
    blobs, data = Blobs(tmp_path / "blobs"), b"a drawing"
    digest = hashlib.sha256(data).hexdigest()
    if moved:
        (tmp_path / "uploaded").write_bytes(data)
        assert blobs.take(tmp_path / "uploaded", digest) == f"blob:{digest}"
    else:
        assert blobs.put(data) == f"blob:{digest}"
    assert synced[-1] == ("folder", True), "the folder, once the file has its name"
    assert moved or synced[0] == ("file", False), "the file, before it has its name"
    assert blobs.get(f"blob:{digest}") == data
    assert blobs.damaged() == []
