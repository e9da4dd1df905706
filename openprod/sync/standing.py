"""A hub's gathering, noted so that a hub that is started again goes on with it: those who are in it needn't be asked
when it was away for a moment only. Kept per user, outside the workspace.
"""

from __future__ import annotations

import logging
import os
import secrets
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from openprod.sync.messages import Stretch
from openprod.sync.outputs import Now

NOTE_MS: Final = 5_000
_log = logging.getLogger(__name__)


class _Place(msgspec.Struct, array_like=True):
    """``at_ms``: when it was last in touch with that leader, by the wall clock."""

    gathering: str = ""
    term: int = 0
    leader: str = ""
    at_ms: int = 0


class Standing:
    def __init__(self, file: Path) -> None:
        self._file = file
        self._place = _Place()
        with suppress(OSError, msgspec.MsgspecError):
            self._place = msgspec.json.decode(file.read_bytes(), type=_Place)

    @property
    def gathering(self) -> str:
        """As it was noted, or a new one."""
        return self._place.gathering or secrets.token_hex(16)

    def history(self, now: Now) -> list[Stretch]:
        place = self._place
        return [Stretch(place.term, place.leader, max(0, now.wall - place.at_ms))] if place.leader else []

    def note(self, gathering: str, history: Sequence[Stretch], now: Now) -> None:
        """Raises nothing: what can't be written costs a question at most. ``history``: newest first."""
        present = history[0] if history else Stretch(0, "", 0)
        place = _Place(gathering, present.term, present.leader, now.wall - present.age_ms if history else 0)
        before = self._place
        same = msgspec.structs.replace(place, at_ms=0) == msgspec.structs.replace(before, at_ms=0)
        if same and abs(place.at_ms - before.at_ms) < NOTE_MS:
            return
        self._place = place
        try:
            self._write(msgspec.json.encode(place))
        except OSError:
            _log.warning("the hub's gathering can't be noted", exc_info=True)

    def _write(self, data: bytes) -> None:
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = self._file.with_name(f".{self._file.name}.{secrets.token_hex(4)}")
        try:
            with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(data)
            temporary.replace(self._file)
        finally:
            temporary.unlink(missing_ok=True)
