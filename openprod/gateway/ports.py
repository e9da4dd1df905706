"""What the gateway asks of the workspace it serves. ``openprod.engine.workspace.Workspace`` has it all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from openprod.core.bundles import Actor


class Grant(Protocol):
    """What a token allows: ``role`` is ``viewer`` or ``editor``; an empty ``document`` means all of them."""

    @property
    def id(self) -> str: ...
    @property
    def document(self) -> str | None: ...
    @property
    def role(self) -> str: ...
    @property
    def user(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def label(self) -> str: ...


class Committed(Protocol):
    """A commit, announced in commit order on the event loop's thread, after it is durable and applied."""

    @property
    def origin(self) -> object: ...
    @property
    def updates(self) -> Sequence[tuple[str, bytes]]: ...


class Feed(Protocol):
    def subscribe(self, fn: Callable[[Any], None], /) -> Callable[[], None]: ...


class ServedWorkspace(Protocol):
    """``enqueue_update`` returns at once; its future is done when the update is durable and applied. Updates become
    durable in the order in which they were enqueued."""

    @property
    def id(self) -> str: ...
    @property
    def documents(self) -> Sequence[str]: ...
    @property
    def feed(self) -> Feed: ...

    def token_check(self, token: str, /) -> Grant | None: ...
    def enqueue_update(
        self,
        document: str,
        update: bytes,
        *,
        actor: Actor,
        origin: object = None,
        live: bool = True,
        seen: bytes | None = None,
    ) -> asyncio.Future[Any]: ...
    async def state_vector(self, document: str, /) -> bytes: ...
    async def state_as_update(self, document: str, state_vector: bytes, /) -> bytes: ...
