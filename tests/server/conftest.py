from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.server.serving import Served, serve


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENPROD_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("OPENPROD_TOKEN", raising=False)


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async with serve(tmp_path) as one:
        yield one


@pytest.fixture(scope="module")
async def steady(tmp_path_factory: pytest.TempPathFactory, anyio_backend: str) -> AsyncIterator[Served]:
    """One node for a module's tests that change nothing: it holds a cue, and a conflict about its start."""
    async with serve(tmp_path_factory.mktemp("steady")) as one:
        await one.cue()
        await one.disagree()
        yield one
