"""Membership where bundles are taken in: who may write what here, what is held, and what this device answers for.

A bundle that is here is applied if its verdict is APPLY and held otherwise; ``held`` in the storage says which are. New
records may change verdicts both ways. What becomes APPLY is admitted, in the order in which it came. What was applied
already and wouldn't be now is counted in by an *accept* record, which this device writes if it may; a device that may
not takes it back, by deriving everything again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any, Final, NamedTuple

from openprod.core.bundles import Bundle, read
from openprod.core.ids import device_id
from openprod.core.membership import (
    FORMAT,
    Membership,
    Record,
    SignedRecord,
    Verdict,
    decode,
    encode,
    sign,
    verify,
)
from openprod.errors import DamagedFile, Denied, OpenprodError, Stale, Untrusted
from openprod.storage.ports import Storage

ANCHOR: Final = "anchor"
"""Meta: the hash of the founding record, from the pairing or from the first record."""
DERIVE: Final = "derive"
HEADS_MAX: Final = 64
_LOGS_MAX: Final = 200
_LAST: Final = 2**53
_CACHED_MAX: Final = 10_000


class RecordsMissing(Stale):
    """What came names membership records that aren't here: they are to be asked for first. ``heads``: their hashes."""

    def __init__(self, heads: Collection[bytes]) -> None:
        super().__init__(
            "This builds on a change of who is a member that hasn't come yet.",
            hint="Take that in first: connect again, or pack the file again on the other laptop.",
            details={"records": [head.hex() for head in heads]},
        )
        self.heads = list(heads)


class Settled(NamedTuple):
    """What new records mean: numbers to be admitted now, and whether all is to be derived again."""

    admit: list[int]
    again: bool


class Members:
    """Read from the storage; changed within its transactions, and read again when one of those fails."""

    def __init__(self, storage: Storage, workspace: str, *, key: bytes, signature_of: Callable[[bytes], bytes]) -> None:
        """``key``: this device's public one. Raises DamagedFile."""
        self._storage = storage
        self._key = key
        self._signature_of = signature_of
        self.device = device_id(key)
        self.log = Membership(workspace, bytes.fromhex(storage.meta(ANCHOR) or ""))
        try:
            for data in storage.records():
                self.log.add(decode(data))
        except (OpenprodError, KeyError) as error:
            raise DamagedFile(
                f"{storage.path} is damaged: its membership records don't hold.",
                hint="Keep the file as it is and restore a backup (`openprod restore`).",
            ) from error
        self.held = set(storage.held())
        self._fresh: list[Record] = []
        self._learn()

    def _learn(self) -> None:
        self._heads = self.log.heads[:HEADS_MAX]
        self._now = self.log.members()
        self._verdicts: dict[tuple[Any, ...], Verdict] = {}

    # -- judging -------------------------------------------------------------------------------------------

    @property
    def heads(self) -> list[bytes]:
        """What is written now names these."""
        return self._heads

    def judge(self, bundle: Bundle) -> Verdict:
        """Of a bundle as its author wrote it: with its log's own name and number."""
        if not len(self.log):
            return Verdict.APPLY
        documents = frozenset(part.document for part in bundle.updates)
        return self._judge(device_id(bundle.key), bundle.log, bundle.seq, bundle.membership, documents)

    def _judge(self, device: str, log: str, seq: int, heads: Collection[bytes], documents: Collection[str]) -> Verdict:
        name = (device, tuple(heads), documents)
        found = self._verdicts.get(name)
        if found is None:
            # What holds for the last of all bundles holds for each.
            found = self.log.judge(device=device, log="", seq=_LAST, heads=heads, documents=documents)
            if len(self._verdicts) < _CACHED_MAX:
                self._verdicts[name] = found
        if found in (Verdict.HOLD, Verdict.REFUSE):
            return self.log.judge(device=device, log=log, seq=seq, heads=heads, documents=documents)
        return found

    def admits(self, bundle: Bundle) -> bool:
        """Whether a foreign bundle is to be applied; if not, it is held. Raises Denied, RecordsMissing."""
        verdict = self.judge(bundle)
        if verdict is Verdict.UNKNOWN:
            raise RecordsMissing([head for head in bundle.membership if head not in self.log])
        if verdict is Verdict.REFUSE:
            raise Denied(
                f"A bundle of {bundle.actor.name or 'somebody'} isn't taken in: its device had no right to write it.",
                hint="`openprod members` lists who may do what.",
            )
        return verdict is Verdict.APPLY

    def may_write(self, documents: Iterable[str]) -> bool:
        """Whether this device may, now."""
        if not len(self.log):
            return True
        mine = self._now.get(self.device)
        return mine is not None and mine.may_write(documents)

    def require(self, documents: Collection[str]) -> None:
        """Raises Denied unless this device may write to them."""
        if self.may_write(documents):
            return
        if self.device not in self._now:
            raise Denied(
                "This device isn't a member of this production, so it can't change anything.",
                hint="What is here stays readable. Ask an owner to let the device in.",
            )
        wrong = sorted(document for document in documents if not self.may_write([document]))
        raise Denied(
            f"This device may look at {', '.join(f'“{name}”' for name in wrong)} here, not change it.",
            hint="An owner can give it the role of an editor (`openprod members` lists who may do what).",
        )

    # -- records -------------------------------------------------------------------------------------------

    def write(self, kind: Any, hlc: str, **rest: Any) -> SignedRecord:
        """A record of this device, on top of all that it knows; not yet added."""
        record = Record(FORMAT, self.log.workspace, self._heads, hlc, self._key, kind, **rest)
        return sign(record, self._signature_of)

    def add(self, signed: SignedRecord) -> bool:
        """Within a transaction. Raises Untrusted, LimitExceeded, Denied, RecordsMissing; nothing has changed then."""
        if not self.log.anchor:
            self._check_founder(signed)
        try:
            if not self.log.add(signed):
                return False
        except KeyError as error:
            raise RecordsMissing([error.args[0]]) from None
        self._fresh.append(verify(signed, workspace=self.log.workspace))
        self._storage.add_record(encode(signed))
        self._storage.set_meta(ANCHOR, self.log.anchor.hex())
        self._learn()
        return True

    def _check_founder(self, signed: SignedRecord) -> None:
        """Without an anchor from a pairing, only somebody whose bundles are here already can have founded this."""
        device = device_id(verify(signed, workspace=self.log.workspace).key)
        if device != self.device and all(not log.startswith(f"{device}-") for log in self._storage.logs()):
            raise Untrusted(
                "This comes from somebody who says to own the production, and whom this laptop has never met.",
                hint="Join by the link or the spoken code of the production's owner.",
            )

    # -- what records mean for what is here ----------------------------------------------------------------

    def settle(self, hlc: Callable[[], str]) -> Settled:
        """After records were added, within their transaction."""
        lost = [(number, bundle) for number, bundle in self._applied() if not self._stands(bundle)]
        self._fresh.clear()
        again = False
        if lost and self._may_accept():
            until: dict[str, int] = {}
            for _number, bundle in lost:
                until[bundle.log] = max(bundle.seq, until.get(bundle.log, 0))
            names = sorted(until)
            for start in range(0, len(names), _LOGS_MAX):
                part = {name: until[name] for name in names[start : start + _LOGS_MAX]}
                self.add(self.write("accept", hlc(), until=part))
            self._fresh.clear()
        elif lost:
            self.hold(number for number, _bundle in lost)
            self._storage.set_meta(DERIVE, "1")
            again = True
        admit = [number for number in sorted(self.held) if self._stands(self._bundle(number))]
        self._storage.put_held(dict.fromkeys(admit, False))
        self.held.difference_update(admit)
        return Settled([] if again else admit, again)

    def hold(self, numbers: Iterable[int]) -> None:
        """Within a transaction."""
        found = dict.fromkeys(numbers, True)
        self._storage.put_held(found)
        self.held.update(found)

    def _stands(self, bundle: Bundle) -> bool:
        return self.judge(bundle) is Verdict.APPLY

    def rederive(self, number: int, body: bytes) -> bool:
        """Whether a bundle of the oplog is applied when everything is derived again; noted if not."""
        if len(self.log) and not self._stands(read(body)):
            self.hold([number])
            return False
        return True

    def _may_accept(self) -> bool:
        mine = self._now.get(self.device)
        return mine is not None and mine.role != "viewer" and self.log.may_accept

    def _bundle(self, number: int) -> Bundle:
        return read(self._storage.bundle_body(number)[0])

    def _applied(self) -> Iterator[tuple[int, Bundle]]:
        """(number, bundle) of those applied here whose verdict the fresh records may have changed."""
        devices = {record.member.device for record in self._fresh if record.member is not None}
        if any(record.kind not in ("admit", "accept") for record in self._fresh):
            devices = {log.partition("-")[0] for log in self._storage.logs()}
        if not devices:
            return
        for number, body, _signature in self._storage.bundle_bytes():
            bundle = read(body)
            if number not in self.held and device_id(bundle.key) in devices:
                yield number, bundle

    def reach(self, device: str) -> dict[str, int]:
        """{log: how far it is applied here} of a device's logs, as a record that cuts its rights tells."""
        found: dict[str, int] = {}
        for name, (last, _hash) in self._storage.logs().items():
            log = name.partition("+")[0]
            if log.startswith(f"{device}-"):
                found[log] = max(found.get(log, 0), base_of(self._storage, name) + last)
        for number in self.held:
            bundle = self._bundle(number)
            if bundle.log in found:
                found[bundle.log] = min(found[bundle.log], bundle.seq - 1)
        return {log: seq for log, seq in found.items() if seq}


def base_of(storage: Storage, name: str) -> int:
    """What is to be added to a bundle's number in a log as it is kept here, for the number that its author gave it."""
    if "+" not in name:
        return 0
    body = storage.bundle_at(name, 1)
    assert body is not None, name
    return read(body).seq - 1
