"""Devices that a person is asked about, by name, while they wait: each is the one that was meant, or isn't."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio

from openprod.sync.spoken import Confirm


class _Waiting:
    def __init__(self, who: Confirm) -> None:
        self.who, self.answered, self.yes = who, anyio.Event(), False


class Asking:
    """``moved`` is called when others wait than before."""

    def __init__(self, moved: Callable[[], None]) -> None:
        self._moved = moved
        self._waiting: dict[str, _Waiting] = {}

    def __contains__(self, device: str) -> bool:
        return device in self._waiting

    @property
    def listed(self) -> list[dict[str, Any]]:
        """``title``: what the other calls its production; "" of whom this one asks to come in."""
        return [
            {"device": who.device, "name": who.name, "device_name": who.device_name, "title": who.title}
            for who in (one.who for one in self._waiting.values())
        ]

    def decide(self, device: str, yes: bool) -> bool:
        """A person's word. False: nobody by this id waits."""
        found = self._waiting.get(device)
        if found is None:
            return False
        found.yes = yes
        found.answered.set()
        return True

    async def ask(self, who: Confirm) -> bool:
        """What a person says; it waits no longer once this is cancelled."""
        if who.device in self._waiting:
            return False
        one = self._waiting[who.device] = _Waiting(who)
        self._moved()
        try:
            await one.answered.wait()
            return one.yes
        finally:
            del self._waiting[who.device]
            self._moved()
