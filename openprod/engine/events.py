"""What the engine announces after a commit, and what a commit gives back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from openprod.core.bundles import Actor


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """``bundle`` is "" when nothing changed. ``conflicts``: ids of the open conflicts that this bundle touched."""

    bundle: str
    hlc: str
    conflicts: list[str] = []


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
    """Subscribers hear of every commit, in order. One that fails is dropped; the others and the engine go on."""

    def __init__(self) -> None:
        self._subscribers: dict[int, Callable[[Committed], None]] = {}
        self._next = 0
        self.dropped: list[tuple[Callable[[Committed], None], Exception]] = []

    def subscribe(self, subscriber: Callable[[Committed], None]) -> Callable[[], None]:
        """Call ``subscriber`` with each commit; returns what ends it."""
        number = self._next = self._next + 1
        self._subscribers[number] = subscriber

        def unsubscribe() -> None:
            self._subscribers.pop(number, None)

        return unsubscribe

    def announce(self, event: Committed) -> None:
        for number, subscriber in list(self._subscribers.items()):
            try:
                subscriber(event)
            except Exception as error:
                self._subscribers.pop(number, None)
                self.dropped.append((subscriber, error))
