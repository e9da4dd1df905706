"""Reading one register's history back from storage, as the pure rules of ``core.versions`` want it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import msgspec

from openprod.core import resolutions
from openprod.core.bundles import NATIVE_INTENTS, Bundle
from openprod.core.ids import VersionKey
from openprod.core.versions import NULL, Id, Join, Register, Tree, Version, evaluate
from openprod.storage.ports import BundleRow, RegisterRow, ResolutionRow, Storage
from openprod.yjs.decoder import decode_state_vector, decode_update

NOBODY = "somebody"

Records = list[tuple[str, int, resolutions.Resolution]]


class History(NamedTuple):
    """A register's tree with the bundle of every version and the decisions about it, in the order they were made."""

    tree: Tree
    bundles: dict[Id, BundleRow]
    decisions: list[tuple[ResolutionRow, BundleRow, resolutions.Resolution]]
    state: Register

    @property
    def records(self) -> Records:
        return [(row.id, row.client, record) for row, _bundle, record in self.decisions]

    def author_of(self, head: Version) -> BundleRow:
        """The bundle of a head. Where it was removed and nobody said by whom, nobody is named for that."""
        bundle = self.bundles[head.id]
        removed = head.value == NULL and self.tree.versions[head.id].value != NULL
        return bundle._replace(user="", name=NOBODY, device="", via="") if removed else bundle

    def known_to(self, id: Id) -> set[Id]:
        """What the author of a version had before them: what it overwrote, and what decisions below it joined."""
        joined = {
            wrote: [head for head in map(resolutions.parse_local, record.heads) if head is not None]
            for _row, _bundle, record in self.decisions
            for wrote in map(resolutions.parse_local, record.wrote)
        }
        known: set[Id] = set()
        waiting: list[Id] = [id]
        while waiting:
            at = waiting.pop()
            version = self.tree.versions.get(at)
            before = [*joined.get(at, ()), *([version.parent] if version and version.parent else [])]
            waiting += [one for one in before if one not in known]
            known.update(before)
        return known

    def apart_from(self, version: Version, others: Iterable[Version]) -> tuple[Version, ...]:
        """Those of ``others`` that were made without knowing ``version``, and it without knowing them."""
        known = self.known_to(version.id)
        return tuple(
            other
            for other in others
            if other.id != version.id and other.id not in known and version.id not in self.known_to(other.id)
        )


def read(
    storage: Storage, register: RegisterRow, *, is_deleted: Callable[[Id], bool], as_of: str | None = None
) -> History:
    """``as_of``: only bundles up to that HLC. ``is_deleted``: of the document as it is now."""
    versions: list[Version] = []
    bundles: dict[Id, BundleRow] = {}
    for row, bundle in storage.versions_of(register):
        if as_of is not None and bundle.hlc > as_of:
            continue
        parent = None if row.parent_client is None else (row.parent_client, row.parent_clock or 0)
        versions.append(_version((row.client, row.clock), parent, row.value, bundle))
        bundles[(row.client, row.clock)] = bundle
    for clear, bundle in storage.clears_of(register.id):
        id: VersionKey = (clear.client, clear.clock, 1)
        if id in bundles or (as_of is not None and bundle.hlc > as_of) or id[:2] not in bundles:
            continue  # several people may have removed the same value: the first stands for all
        versions.append(_version(id, (clear.client, clear.clock), NULL, bundle))
        bundles[id] = bundle
        versions = [
            one._replace(parent=id)
            if one.parent == id[:2] and len(one.id) == 2 and _over_removal(storage, register.document, one)
            else one
            for one in versions
        ]
    tree = Tree(versions)
    decisions = []
    for resolution, bundle in storage.resolutions_at(register.document, register.root, register.key):
        record = resolutions.parse(resolution.body)
        if record is not None and (as_of is None or bundle.hlc <= as_of) and _counts(resolution, record, tree):
            decisions.append((resolution, bundle, record))
    joins = resolutions.joins((row.id, row.client, record) for row, _bundle, record in decisions)
    joins += _undone(versions, decisions)

    def knows(later: Version, earlier: Version) -> bool:
        seen = _seen(storage, bundles[later.id].number, register.document, later.id[0])
        return seen.get(earlier.id[0], 0) > earlier.id[1]

    def gone(id: Id) -> bool:
        return is_deleted(id) and (as_of is None or (id[0], id[1], 1) in tree.versions)

    state = evaluate(tree, joins, is_deleted=gone, knows=knows)
    return History(tree, bundles, decisions, state)


def _undone(
    versions: Iterable[Version], decisions: list[tuple[ResolutionRow, BundleRow, resolutions.Resolution]]
) -> list[Join]:
    """What the undo of a decision wrote back stands, like the decision taken back, for the values that it had joined:
    whoever undid it and was one of the sides said nothing new."""
    undos = {
        (record.supersedes, bundle.number)
        for _row, bundle, record in decisions
        # What a program passes on in one piece holds much besides the undo.
        if record.withdraws and bundle.intent in NATIVE_INTENTS
    }
    undos = {(id, number) for id, number in undos if id is not None}
    return [
        Join(frozenset(head for head in map(resolutions.parse_local, record.heads) if head is not None), one.id, True)
        for row, _bundle, record in decisions
        for one in versions
        if (row.id, one.bundle) in undos and len(one.id) == 2
    ]


def _over_removal(storage: Storage, document: str, version: Version) -> bool:
    """Whether a version was written over what its author knew as removed: else its transaction removes it itself."""
    client, clock = version.id[0], version.id[1]
    parent = version.parent
    assert parent is not None
    body, _signature = storage.bundle_body(version.bundle)
    for part in msgspec.msgpack.decode(body, type=Bundle).updates:
        if part.document != document or not part.live:
            continue
        update = decode_update(part.update)
        if any(at[0] == client and at[1] <= clock < at[1] + at[2] for at in update.sections):
            return not any(at[0] == parent[0] and at[1] <= parent[1] < at[1] + at[2] for at in update.deletes)
    return False


def _seen(storage: Storage, number: int, document: str, client: int) -> dict[int, int]:
    """What the author of a client's transaction in bundle ``number`` had before it, where that was kept."""
    body, _signature = storage.bundle_body(number)
    for part in msgspec.msgpack.decode(body, type=Bundle).updates:
        if part.document != document or not part.live or not part.seen:
            continue
        if any(section[0] == client for section in decode_update(part.update).sections):
            return decode_state_vector(part.seen)
    return {}


def _counts(row: ResolutionRow, record: resolutions.Resolution, tree: Tree) -> bool:
    """Whether a record says something about this register: anybody may write anything under ``core.resolution``.

    A decision's value was written before its record, by the same Yjs client; what is accepted is there.
    """
    if record.withdraws:
        return True
    if not record.wrote:
        return any(resolutions.parse_local(head) in tree.versions for head in record.heads)
    wrote = [resolutions.parse_local(text) for text in record.wrote]
    return all(
        id is not None and id in tree.versions and id[0] == row.client and id[1] < row.clock for id in wrote
    )  # fmt: skip


def _version(id: VersionKey, parent: Id | None, value: str | None, bundle: BundleRow) -> Version:
    # One laptop's own writes see everything that laptop holds; two people at it stay two authors.
    log = f"{bundle.log}/{bundle.user}" if bundle.intent in NATIVE_INTENTS else ""
    return Version(id, parent, value, bundle.number, log, bundle.seq, bundle.user, bundle.hlc)
