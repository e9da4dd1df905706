"""What a bundle wrote, and what would take it back: the ground that undo, redo and restoring stand on."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from openprod.core.bundles import Bundle
from openprod.core.versions import NULL
from openprod.engine.bonds import Register
from openprod.storage.ports import BundleRow, RegisterRow, Storage, VersionRow, VersionWithAuthor
from openprod.yjs import layout
from openprod.yjs.decoder import decode_update

if TYPE_CHECKING:
    from openprod.engine.commit import Committer


class Inverse(NamedTuple):
    """``values``: (document, root, key, earlier value; None for none). ``since``: registers changed since, left alone.

    ``decisions``: keys of the decisions that the bundle recorded, by document.
    """

    values: list[tuple[str, str, str, Any]]
    since: list[RegisterRow]
    decisions: list[tuple[str, str]]


def versions(committer: Committer, bundle: BundleRow) -> list[VersionRow]:
    """The versions that a bundle wrote, oldest first per document and client."""
    body, _signature = committer.storage.bundle_body(bundle.number)
    found: list[VersionRow] = []
    for part in msgspec.msgpack.decode(body, type=Bundle).updates:
        for client, clock, length in decode_update(part.update).sections:
            rows = committer.storage.versions_in(part.document, client, clock, clock + length)
            found += [row for row in rows if row.bundle == bundle.number]
    return found


def of_bundle(committer: Committer, bundle: BundleRow) -> Inverse:
    storage = committer.storage
    wrote = versions(committer, bundle)
    own = {(row.document, row.client, row.clock): row for row in wrote}
    registers: dict[int, VersionRow] = {}
    for row in wrote:
        registers.setdefault(row.register, row)
    latest = {row.register: row for row in wrote}
    result = Inverse([], [], [])
    for id, first in registers.items():
        register = storage.register(id)
        assert register is not None
        if register.root == layout.RESOLUTION_ROOT:
            result.decisions.append((register.document, register.key))
            continue
        shown = storage.version(register.document, register.client, register.clock)
        if _meaning(storage, shown) != _meaning(storage, storage.version(*latest[id][:3])):
            result.since.append(register)
            continue
        at: VersionRow | None = first
        while at is not None and (at.document, at.client, at.clock) in own and at.parent_client is not None:
            parent = storage.version(at.document, at.parent_client, at.parent_clock or 0)
            at = parent.version if parent else None
        earlier = None
        if at is not None and (at.document, at.client, at.clock) not in own and at.value is not None:
            earlier = json.loads(at.value)
        elif at is None or (at.document, at.client, at.clock) in own:
            # Something that nothing had marked was taken away: it was there.
            gone = not register.field and layout.parse_root(register.root).kind in ("entity", "facet", "edge")
            earlier = True if gone and latest[id].value == "null" else None
        result.values.append((register.document, register.root, register.key, earlier))
    _add_removed(committer, bundle, result)
    return result


def is_shared(committer: Committer, place: Register, bundle: BundleRow) -> bool:
    """Whether a register shows a value that a bundle wrote and, apart from it, another one too; both stand."""
    register = committer.storage.register_at(*place)
    if register is None or not register.forked or register.value in (None, NULL):
        return False
    heads = committer.detector.history(register).state.heads
    return {head.bundle == bundle.number for head in heads if head.value == register.value} == {True, False}


def unsaid(committer: Committer, bundle: BundleRow, values: list[tuple[str, str, str, Any]]) -> set[Register]:
    """Of what a bundle filled in where nothing had been: what the rest of its concept entity goes on to show.

    A null there would be somebody's word against that value, and nobody has said it.
    """
    bonds, index = committer.detector.bonds, committer.index
    taken = {(document, root, key) for document, root, key, _value in values}

    def stays(place: Register, owner: str) -> bool:
        """Whether it belongs to the concept entity by a word of its own, which stands."""
        if place[1] == layout.CONCEPT_ENTITY_ROOT:
            return (layout.CORE, layout.CONCEPT_ENTITY_ROOT, owner) not in taken
        said = (layout.CORE, layout.BINDING_ROOT, layout.membership_key(layout.place(*place).entity, place[1]))
        there = index.find(*said)
        return said not in taken and there is not None and there.value == json.dumps(owner, ensure_ascii=False)

    found = set()
    for document, root, key, value in values:
        place, named = (document, root, key), layout.place(document, root, key)
        bond, entry = bonds.of(document, root, named.entity, named.field), index.find(document, root, key)
        if value is not None or bond is None or bond.facet or entry is None or not stays(place, bond.owner):
            continue
        if all(one.bundle.number == bundle.number for one in committer.storage.versions_of(entry.id)) and any(
            (other := index.find(*at)) is not None and other.value == entry.value and stays(at, bond.owner)
            for at in bonds.places(bond)
            if at not in taken
        ):
            found.add(place)
    return found


def before_all(committer: Committer, bundles: Collection[BundleRow]) -> list[tuple[str, str, str, Any]]:
    """(document, root, key, value): what registers showed before any of several bundles, where one of them still shows.

    Two laptops may have taken the same thing away apart: each has written over part of what was there.
    """
    storage, numbers = committer.storage, {bundle.number for bundle in bundles}
    registers = {row.register for bundle in bundles for row in versions(committer, bundle)}
    found: list[tuple[str, str, str, Any]] = []
    for id in sorted(registers):
        register = storage.register(id)
        assert register is not None
        shown = storage.version(register.document, register.client, register.clock)
        if shown is None or shown.bundle.number not in numbers or register.root == layout.RESOLUTION_ROOT:
            continue
        at: VersionWithAuthor | None = shown
        while at is not None and at.bundle.number in numbers:
            at = _before(storage, at)
        value = None if at is None or at.version.value is None else json.loads(at.version.value)
        found.append((register.document, register.root, register.key, value))
    return found


def _meaning(storage: Storage, version: VersionWithAuthor | None) -> tuple[int, int] | None:
    """Which version stands where this one is shown: an undo shows what was before, a redo what had been undone.

    None: what was before everything.
    """
    while version is not None and version.bundle.intent in ("undo", "redo"):
        about = version.bundle.undoes
        at = _before(storage, version)
        while at is not None and at.bundle.id != about:
            at = _before(storage, at)
        if at is None:
            break  # it was taken back beside this branch
        if version.bundle.intent == "redo":
            return at.version.client, at.version.clock
        while at is not None and at.bundle.id == about:
            at = _before(storage, at)
        version = at
    return None if version is None else (version.version.client, version.version.clock)


def _before(storage: Storage, version: VersionWithAuthor) -> VersionWithAuthor | None:
    row = version.version
    if row.parent_client is None:
        return None
    return storage.version(row.document, row.parent_client, row.parent_clock or 0)


def _add_removed(committer: Committer, bundle: BundleRow, result: Inverse) -> None:
    """Values that the bundle removed without writing others, as outside programs do."""
    storage = committer.storage
    body, _signature = storage.bundle_body(bundle.number)
    for part in msgspec.msgpack.decode(body, type=Bundle).updates:
        for client, clock, length in decode_update(part.update).deletes if part.live else ():
            for row in storage.versions_in(part.document, client, clock, clock + length):
                register = storage.register(row.register)
                assert register is not None
                shown = (register.client, register.clock) == (row.client, row.clock)
                if shown and register.value is None and row.value is not None:
                    result.values.append((register.document, register.root, register.key, json.loads(row.value)))
