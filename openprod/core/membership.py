"""Who may do what: a signed log of records about devices, the same on every replica that holds the same records.

Each record names the records that its author had seen (``parents``), so the log is a graph, not a chain: two owners can
write apart from each other. Its first record founds the workspace; its hash is the workspace's anchor, which a device
learns when it is paired.

**Who may write records.** An owner, as of the record's parents. *Accept* may be written by every editor.

**Records written apart.** A record is void when its author was removed, or ceased to be an owner, by a standing record
that its author hadn't seen and that hadn't seen it either. Where two owners remove each other apart, the one who was
admitted first (by the depth of that record, then its hash) stands.

**Bundles.** A bundle names the records that its author had seen. It is judged by what it names, and by what its author
could not know:

========  ====================================================================================================
APPLY     its author might write to these documents then, and still may, or it came before its rights were cut
HOLD      its author's rights were cut without it knowing: kept for review, shown to people, not applied
REFUSE    its author had no such right, as it knew: not taken in
UNKNOWN   it names records that aren't here yet: they are asked for first
========  ====================================================================================================

A record that cuts rights says how far the author's logs count (``until``: {log: seq} as its own author had them). What
was applied somewhere before that somebody heard of the cut is counted in by an *accept* record, written by that
device on its own; a person's review is written the same way. It counts against cuts that had not seen it: a later one
ends what was accepted before. So replicas with the same records agree on every bundle.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator
from enum import Enum
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from openprod.core import clock
from openprod.core.ids import device_id
from openprod.errors import Denied, LimitExceeded, Untrusted

Role = Literal["owner", "editor", "viewer"]
ROLES: Final[tuple[Role, ...]] = ("viewer", "editor", "owner")
RECORD_BYTES_MAX: Final = 16 * 1024
RECORDS_MAX: Final = 4096
ACCEPTS_MAX: Final = 1024
"""Of *accept* records, which every editor may write: whatever they do, owners have room to remove them."""
FORMAT: Final = 1

_Key = Annotated[bytes, Meta(min_length=32, max_length=32)]
_Name = Annotated[str, Meta(max_length=200)]


class Member(msgspec.Struct, frozen=True, array_like=True):
    """A device of a person. ``grants``: {document: role} where it differs from ``role``."""

    key: _Key
    user: _Name
    name: _Name
    device_name: _Name
    role: Role
    grants: Annotated[dict[_Name, Role], Meta(max_length=200)] = {}

    @property
    def device(self) -> str:
        return device_id(self.key)

    def may_write(self, documents: Iterable[str]) -> bool:
        """Whether all of them. ``core``, which holds what the documents share, may be written by whoever may write to
        any; what somebody may write in it follows from the documents of the things that it is about.
        """
        return all(self._may_write(document) for document in documents)

    def _may_write(self, document: str) -> bool:
        roles = [self.role, *self.grants.values()] if document == "core" else [self.grants.get(document, self.role)]
        return any(role != "viewer" for role in roles)


class Record(msgspec.Struct, frozen=True, array_like=True):
    """``kind``: *found* and *admit* and *change* carry ``member``; *remove* names ``device``; *accept* only ``until``.

    ``until``: {log: seq}. In *change* and *remove*: how far the device's logs count, as the author had them; in
    *accept*: how far they count all the same.
    """

    format: int
    workspace: _Name
    parents: Annotated[list[_Key], Meta(max_length=64)]
    hlc: str
    key: _Key
    kind: Literal["found", "admit", "change", "remove", "accept"]
    member: Member | None = None
    device: Annotated[str, Meta(max_length=16)] = ""
    until: Annotated[dict[_Name, Annotated[int, Meta(ge=0, le=2**53)]], Meta(max_length=200)] = {}


class SignedRecord(msgspec.Struct, frozen=True, array_like=True):
    body: bytes
    signature: bytes

    @property
    def hash(self) -> bytes:
        return hashlib.sha256(self.body).digest()


class Verdict(Enum):
    APPLY = "apply"
    HOLD = "hold"
    REFUSE = "refuse"
    UNKNOWN = "unknown"


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Record)
_signed_decoder = msgspec.msgpack.Decoder(SignedRecord)


def sign(record: Record, signature_of: Callable[[bytes], bytes]) -> SignedRecord:
    """``signature_of``: bytes → the device's 64 bytes."""
    body = _encoder.encode(record)
    return SignedRecord(body, signature_of(b"openprod member\0" + body))


def encode(signed: SignedRecord) -> bytes:
    return _encoder.encode(signed)


def decode(data: bytes) -> SignedRecord:
    """Raises Untrusted."""
    if len(data) > RECORD_BYTES_MAX:
        raise Untrusted("A membership record is larger than any this program writes.")
    try:
        return _signed_decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Untrusted("A membership record can't be read.") from error


def verify(signed: SignedRecord, *, workspace: str) -> Record:
    """The record, when its form and signature hold. Raises Untrusted."""
    if len(signed.body) > RECORD_BYTES_MAX:
        raise Untrusted("A membership record is larger than any this program writes.")
    try:
        record = _decoder.decode(signed.body)
        VerifyKey(record.key).verify(b"openprod member\0" + signed.body, signed.signature)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Untrusted("A membership record can't be read.") from error
    except (BadSignatureError, ValueError) as error:
        raise Untrusted("A membership record's signature doesn't hold.") from error
    if record.workspace != workspace:
        raise Untrusted("A membership record is of another production.")
    if record.format != FORMAT:
        raise Untrusted("A membership record was written by a newer version of the program.", hint="Update this one.")
    if not clock.is_hlc(record.hlc):
        raise Untrusted("A membership record's time isn't one.")
    names_member = record.kind in ("found", "admit", "change")
    if names_member != (record.member is not None) or (record.kind == "remove") != bool(record.device):
        raise Untrusted("A membership record doesn't say what it is about.")
    if (record.kind == "found") == bool(record.parents) or record.parents != sorted(set(record.parents)):
        raise Untrusted("A membership record doesn't follow others as it should.")
    if record.kind == "found" and (
        record.member is None or (record.member.key, record.member.role) != (record.key, "owner")
    ):
        raise Untrusted("A workspace is founded by its first owner.")
    return record


class Membership:
    """The records of one workspace. ``anchor``: the hash of its founding record, b"" until the first is added.

    Adding is idempotent and keeps to no order but parents first.
    """

    def __init__(self, workspace: str, anchor: bytes = b"") -> None:
        self.workspace = workspace
        self.anchor = anchor
        self._signed: dict[bytes, SignedRecord] = {}
        self._records: dict[bytes, Record] = {}
        self._index: dict[bytes, int] = {}
        self._before: dict[bytes, int] = {}
        self._depth: dict[bytes, int] = {}
        self._accepts = 0
        self._void: frozenset[bytes] | None = None

    # -- the log -------------------------------------------------------------------------------------------

    def __contains__(self, hash: bytes) -> bool:
        return hash in self._records

    def __len__(self) -> int:
        return len(self._records)

    @property
    def heads(self) -> list[bytes]:
        """What a record or bundle written now names."""
        parents = {parent for record in self._records.values() for parent in record.parents}
        return sorted(self._records.keys() - parents)

    def records(self) -> Iterator[SignedRecord]:
        """Each after its parents."""
        yield from self._signed.values()

    def lacking(self, heads: Iterable[bytes]) -> list[SignedRecord]:
        """What somebody with these heads lacks: all that isn't among what they build on."""
        known = self._closure(head for head in heads if head in self._records)
        return [signed for hash, signed in self._signed.items() if not known >> self._index[hash] & 1]

    def add(self, signed: SignedRecord) -> bool:
        """False when it was here already. Raises Untrusted; LimitExceeded; Denied when its author, as it knew, had no
        right to write it; KeyError when a parent isn't here yet.
        """
        hash = signed.hash
        if hash in self._records:
            return False
        record = verify(signed, workspace=self.workspace)
        if len(self._records) >= RECORDS_MAX or (record.kind == "accept" and not self.may_accept):
            raise LimitExceeded("This production has more membership records than this program takes in.")
        for parent in record.parents:
            if parent not in self._records:
                raise KeyError(parent)
        if record.kind == "found":
            if self.anchor and hash != self.anchor:
                raise Untrusted("This production was founded by somebody else.")
            self.anchor = hash
        else:
            self._check_right(record)
        self._index[hash] = len(self._records)
        self._before[hash] = self._closure(record.parents)
        self._depth[hash] = 1 + max((self._depth[parent] for parent in record.parents), default=0)
        self._records[hash], self._signed[hash] = record, signed
        self._accepts += record.kind == "accept"
        self._void = None
        return True

    @property
    def may_accept(self) -> bool:
        """Whether there is room for another *accept* record."""
        return self._accepts < ACCEPTS_MAX

    def _check_right(self, record: Record) -> None:
        members = self.members(record.parents)
        author = members.get(device_id(record.key))
        if author is None or author.key != record.key:
            raise Denied("A membership record was written by somebody who isn't a member.")
        if author.role != "owner" and not (record.kind == "accept" and author.role == "editor"):
            raise Denied("Only an owner decides who is a member, and as what.")
        if record.kind == "change" and self._subject(record) not in members:
            raise Denied("A membership record changes somebody who isn't a member.")
        owners = {device for device, member in members.items() if member.role == "owner"}
        if self._takes_ownership(record) and not owners - {self._subject(record)}:
            raise Denied("A production keeps an owner.", hint="Make somebody else an owner first.")

    # -- what follows from it ------------------------------------------------------------------------------

    def members(self, heads: Collection[bytes] | None = None) -> dict[str, Member]:
        """{device: member} as of these heads, or as of everything."""
        seen = self._closure(self.heads if heads is None else heads)
        found: dict[str, Member] = {}
        for hash in self._in_order(seen):
            record = self._records[hash]
            if self._takes_ownership(record) and self._is_last_owner(self._subject(record), found):
                continue  # two owners who each left it to the other, apart
            if record.member is not None and (record.kind != "change" or record.member.device in found):
                found[record.member.device] = record.member
            elif record.kind == "remove":
                found.pop(record.device, None)
        return found

    @staticmethod
    def _is_last_owner(device: str, members: dict[str, Member]) -> bool:
        return [one for one, member in members.items() if member.role == "owner"] == [device]

    def removed(self) -> dict[str, bytes]:
        """{device: the record that removed it}, of those who aren't members now."""
        members = self.members()
        return {
            record.device: hash
            for hash, record in self._records.items()
            if record.kind == "remove" and record.device not in members and hash not in self._voided()
        }

    def judge(
        self, *, device: str, log: str, seq: int, heads: Collection[bytes], documents: Collection[str]
    ) -> Verdict:
        """Of a bundle that ``device`` wrote to ``documents`` as bundle ``seq`` of ``log``, having seen ``heads``."""
        if not self._records:
            return Verdict.APPLY  # nobody but its maker has ever been let in
        if any(head not in self._records for head in heads):
            return Verdict.UNKNOWN
        seen = self._closure(heads)
        if heads:
            then = self.members(heads).get(device)
            if then is None or not then.may_write(documents):
                return Verdict.REFUSE
        elif not self._is_founder(device):
            return self._unaware(device, log, seq)
        now = self.members().get(device)
        if now is not None and now.may_write(documents):
            return Verdict.APPLY
        return Verdict.APPLY if seq <= self._counted(device, log, seen) else Verdict.HOLD

    def _counted(self, device: str, log: str, seen: int) -> int:
        """Up to where a log counts of a device whose rights were cut by records that it hadn't ``seen``: for each of
        them, as far as its author had it, or as somebody has accepted since, or apart from it. What was accepted
        before, an owner who cuts has seen, and ends: else an editor could let somebody write for ever.
        """
        cuts = [
            max(record.until.get(log, 0), self._accepted(log, self._before[hash]))
            for hash, record in self._standing()
            if self._cuts(record, device) and not seen >> self._index[hash] & 1
        ]
        return min(cuts, default=self._accepted(log))

    def _accepted(self, log: str, before: int = 0) -> int:
        """``before``: records that don't count any more, as bits."""
        return max(
            (
                record.until.get(log, 0)
                for hash, record in self._standing()
                if record.kind == "accept" and not before >> self._index[hash] & 1
            ),
            default=0,
        )

    def _unaware(self, device: str, log: str, seq: int) -> Verdict:
        """Of what names no records: its author didn't know yet of any. Only who was ever let in is heard."""
        if seq <= min(self._accepted(log), self._counted(device, log, 0)):
            return Verdict.APPLY
        admitted = any(r.member is not None and r.member.device == device for r in self._records.values())
        return Verdict.HOLD if admitted else Verdict.REFUSE

    def _is_founder(self, device: str) -> bool:
        """What the founder wrote before it let anybody in names no records."""
        founding = self._records.get(self.anchor)
        return founding is not None and device_id(founding.key) == device

    def _cuts(self, record: Record, device: str) -> bool:
        return record.device == device or (
            record.kind == "change" and record.member is not None and record.member.device == device
        )

    def _standing(self) -> list[tuple[bytes, Record]]:
        void = self._voided()
        return [(hash, record) for hash, record in self._records.items() if hash not in void]

    def _in_order(self, seen: int) -> list[bytes]:
        """Standing records of a closure: by depth, then removals after what was written apart from them."""
        void = self._voided() if seen.bit_count() == len(self._records) else self._voids(seen)
        hashes = [hash for hash in self._records if seen >> self._index[hash] & 1 and hash not in void]
        return sorted(hashes, key=lambda hash: (self._depth[hash], self._records[hash].kind == "remove", hash))

    def _closure(self, heads: Iterable[bytes]) -> int:
        """The heads and all that they build on, as a set of bits."""
        found = 0
        for head in heads:
            found |= self._before[head] | 1 << self._index[head]
        return found

    def _voided(self) -> frozenset[bytes]:
        if self._void is None:
            self._void = self._voids((1 << len(self._records)) - 1)
        return self._void

    def _voids(self, seen: int) -> frozenset[bytes]:
        """Records whose author lost the right to them by a standing record that neither had seen."""
        cuts = [
            hash for hash, record in self._records.items()
            if seen >> self._index[hash] & 1 and self._takes_ownership(record)
        ]  # fmt: skip
        if not cuts:
            return frozenset()
        seniority = self._seniority()
        cuts.sort(key=lambda hash: (*seniority[device_id(self._records[hash].key)], self._depth[hash], hash))
        void: set[bytes] = set()
        for hash in cuts:
            author = device_id(self._records[hash].key)
            senior = [other for other in cuts[: cuts.index(hash)] if other not in void]
            if any(self._subject(self._records[other]) == author and self._apart(hash, other) for other in senior):
                void.add(hash)
        standing = [hash for hash in cuts if hash not in void]
        for hash, record in self._records.items():
            if hash in void or not seen >> self._index[hash] & 1 or hash in cuts:
                continue
            author = device_id(record.key)
            if any(self._subject(self._records[other]) == author and self._apart(hash, other) for other in standing):
                void.add(hash)
        return frozenset(void)

    def _seniority(self) -> dict[str, tuple[int, bytes]]:
        found: dict[str, tuple[int, bytes]] = {}
        for hash, record in self._records.items():
            if record.kind in ("found", "admit") and record.member is not None:
                place = self._depth[hash], hash
                found[record.member.device] = min(place, found.get(record.member.device, place))
        return found

    @staticmethod
    def _takes_ownership(record: Record) -> bool:
        return record.kind == "remove" or (
            record.kind == "change" and record.member is not None and record.member.role != "owner"
        )

    @staticmethod
    def _subject(record: Record) -> str:
        return record.device or (record.member.device if record.member is not None else "")

    def _apart(self, one: bytes, other: bytes) -> bool:
        return not self._before[one] >> self._index[other] & 1 and not self._before[other] >> self._index[one] & 1
