"""The log that this device writes: going on with it, and leaving it for another when an older copy was opened."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection

from openprod.core.bundles import signature_of
from openprod.core.clock import BOUND_MS, HybridClock
from openprod.core.ids import RandomBytes
from openprod.engine.drafts import Draft
from openprod.engine.high_water import HighWater
from openprod.engine.members import DERIVE, Members
from openprod.errors import Denied
from openprod.storage.ports import Storage

CLOCK = "clock"
"""Meta: milliseconds that no timestamp given or taken in has passed yet."""
LEFT = "left"
"""Meta: what people haven't been told yet about a log that was left for another."""
RESTORED = (
    "Restored from a backup. It goes on here under a log of its own; what was made since comes back with a merge from "
    "another laptop."
)
_MET = (
    "Another device holds what this one had written and doesn't hold: this is an older copy, or a copy that went on "
    "beside another. It goes on here under a log of its own; what is missing comes back with a merge."
)
_GOES_ON = "It goes on here; what is missing comes back with a merge from another laptop or from the newer copy."


class OwnLog(ABC):
    """Part of the committer."""

    storage: Storage
    workspace: str
    device: str
    members: Members
    _marks: HighWater | None
    _secret: bytes
    _public: bytes
    _now_ms: Callable[[], int]
    _random: RandomBytes
    read_only: str = ""
    """Why nothing may be written here for the time being."""

    @abstractmethod
    def _finish(self, draft: Draft) -> None: ...

    @abstractmethod
    def _restore(self) -> None: ...

    def _open_log(self) -> None:
        self.members = Members(
            self.storage, self.workspace, key=self._public, signature_of=lambda body: signature_of(body, self._secret)
        )
        self._late: set[str] = set()
        self._again = bool(self.storage.meta(DERIVE))
        log = self.storage.meta("log")
        if log is None or not log.startswith(self.device + "-"):
            log = f"{self.device}-{self._random(4).hex()}"
            with self.storage.transaction():
                self.storage.set_meta("log", log)
        logs = self.storage.logs()
        why = self._why_left(log, *logs.get(log, (0, b"")))
        if why:
            log = f"{self.device}-{self._random(4).hex()}"
            with self.storage.transaction():
                self.storage.set_meta("log", log)
                self.storage.set_meta(LEFT, why)
        self.log = log
        self._seq, self._previous = logs.get(log, (0, b""))
        newest = self.storage.bundles(newest_first=True, limit=1)
        self._number = newest[0].number if newest else 0
        self._clock = HybridClock(self.device, last=self.storage.newest_hlc(log))
        self._bound_ms = int(self.storage.meta(CLOCK) or 0)
        now_ms = self._now_ms()
        if now_ms < self._bound_ms - BOUND_MS:  # the clock was set back; else what is here says enough
            self._clock.at_least(self._bound_ms)
        self._vector = self._seen()
        for name in logs.keys() - {log}:
            self._clock.witness(self.storage.newest_hlc(name), now_ms)
        self._said = {name: self.storage.depends(log, self._seq, name) for name in self._vector}

    def _keep_bound(self) -> None:
        """Within a transaction: whatever the wall clock says after a restart, time doesn't go back."""
        if self._clock.ms > self._bound_ms:
            self._bound_ms = self._clock.ms + BOUND_MS
            self.storage.set_meta(CLOCK, str(self._bound_ms))

    def _require(self, documents: Collection[str]) -> None:
        """Raises Denied unless this device may write to them now."""
        self._require_clock()
        self.members.require(documents)

    def _require_clock(self) -> None:
        if self.read_only:
            raise Denied(self.read_only, hint="Set this device's clock right; what is here stays readable.")

    def _why_left(self, log: str, seq: int, digest: bytes) -> str:
        """What to tell people when this device has written more of the log, or something else, than is here."""
        mark = self._marks.read(log) if self._marks is not None else None
        if mark is None or mark.seq < seq or (mark.seq == seq and mark.hash == digest):
            return ""
        if mark.seq == seq:
            return "Another copy of this workspace was written to on this device. " + _GOES_ON
        many = "1 change is" if mark.seq == seq + 1 else f"{mark.seq - seq} changes are"
        return f"This is an older copy of the workspace: {many} missing that this device had made. " + _GOES_ON

    def _leave_log(self, drafts: list[Draft]) -> None:
        """This is an older copy: the log went on elsewhere. From here on write another one."""
        for draft in drafts:
            self._finish(draft)
        self.log = f"{self.device}-{self._random(4).hex()}"
        self.storage.set_meta("log", self.log)
        self.storage.set_meta(LEFT, _MET)
        self._seq, self._previous, self._said = 0, b"", {}
        self._vector = self._seen()

    def leave_log(self) -> str:
        """Write another log from here on: somebody holds more of this one. Returns its name. Raises StorageError."""
        try:
            with self.storage.transaction():
                self._leave_log([])
        except BaseException:
            self._restore()
            raise
        return self.log

    def _seen(self) -> dict[str, int]:
        """{log: seq} of the others', as far as they are applied: nobody here has seen what is held."""
        found = {name: seq for name, (seq, _hash) in self.storage.logs().items() if name != self.log}
        for number in self.members.held:
            row = self.storage.bundle_numbered(number)
            if row is not None and row.log in found:
                found[row.log] = min(found[row.log], row.seq - 1)
        return {name: seq for name, seq in found.items() if seq}


def what_was_left(log: OwnLog) -> str:
    """What to tell people of a log that was left for another, or ""."""
    left = log.storage.meta(LEFT) or ""
    if left != RESTORED or any(name.startswith(log.device + "-") for name in log.storage.logs()):
        return left
    forget_left(log)  # a device that had written nothing left nothing: its first copy came this way
    return ""


def forget_left(log: OwnLog) -> None:
    """People have been told."""
    with log.storage.transaction():
        log.storage.set_meta(LEFT, "")
