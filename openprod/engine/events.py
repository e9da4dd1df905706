"""What the engine announces after a commit, and what a commit gives back."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import msgspec

from openprod.core.bundles import Actor

_log = logging.getLogger(__name__)


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """``bundle`` is "" when nothing changed. ``conflicts``: ids of the open conflicts that this bundle touched.

    ``waiting``: an update in it is stored, and is applied once what it builds on has come.
    """

    bundle: str
    hlc: str
    conflicts: list[str] = []
    waiting: bool = False


class Committed(msgspec.Struct, frozen=True, kw_only=True):
    """One bundle, durable. ``updates``: (document, Yjs update) in the order in which they must be applied.

    ``origin`` is the object that the writer handed in with the update, None for everything else.
    """

    bundle: str
    actor: Actor
    origin: Any
    intent: str
    updates: list[tuple[str, bytes]]
    conflicts: tuple[str, ...]
    entities: tuple[str, ...]


class Feed:
    """Subscribers hear of every commit, in order. One that fails hears of the next all the same; the others too."""

    def __init__(self) -> None:
        self._subscribers: dict[int, Callable[[Committed], None]] = {}
        self._next = 0

    def subscribe(self, subscriber: Callable[[Committed], None]) -> Callable[[], None]:
        """Call ``subscriber`` with each commit; returns what ends it."""
        number = self._next = self._next + 1
        self._subscribers[number] = subscriber

        def unsubscribe() -> None:
            self._subscribers.pop(number, None)

        return unsubscribe

    def announce(self, event: Committed) -> None:
        for subscriber in list(self._subscribers.values()):
            try:
                subscriber(event)
            except Exception:
                # The commit stands: a fault in one listener may silence nobody, itself included.
                _log.exception("a listener failed on bundle %s", event.bundle)
