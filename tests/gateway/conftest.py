from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from openprod.gateway.limits import Limits
from tests.gateway.serving import Served, serve


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async with serve(tmp_path) as one:
        yield one


@pytest.fixture
async def serving(tmp_path: Path) -> AsyncIterator[Callable[..., object]]:
    """``await serving(keepalive_s=0.1)``: a node with other limits."""
    async with AsyncExitStack() as stack:

        async def start(**limits: float) -> Served:
            return await stack.enter_async_context(serve(tmp_path, limits=Limits(**limits)))  # type: ignore[arg-type]

        yield start
