from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from openprod.storage.memory import MemoryStorage
from openprod.storage.ports import Storage
from openprod.storage.sqlite.storage import SqliteStorage


@pytest.fixture(params=["memory", "sqlite"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Storage]:
    made: Storage = MemoryStorage() if request.param == "memory" else SqliteStorage(str(tmp_path / "workspace.db"))
    yield made
    made.close()
