"""What a person decides on before anything of content moves: how much, by whom, and how many conflicts to come.

Conflicts are counted without showing content. For each field that the bundles to be sent wrote, a side gives 16 bytes:
8 that name the field and 8 that name its value, both hashed with a key that only these two connections share. Neither
side has what the other would send, so a field that both wrote was written without knowledge of each other, and
different values are a conflict. An entity that one side deleted while the other wrote to it is one, and so is a facet
that one side detached while the other wrote to it; fields that went with what was taken away say nothing themselves.
Where each side gave another thing the values that no two may share, that is one: values are a place then, and things
what each side has there.

Texts, relations and schemas can't be told from this.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import msgspec

from openprod.sync.messages import Author, Plan, Tip

TOUCHED_MAX: Final = 8192
AUTHORS_MAX: Final = 50
_NAME_MAX: Final = 60

_WRITTEN: Final = "written"
_DELETED: Final = "deleted"


class Touched(NamedTuple):
    """A register (or values that no two things may share) that bundles wrote, and its value (or the thing) after them:
    canonical JSON, None where the key is gone.

    ``entity``, ``part``: what it is a field or the mark of, a part of an entity or ("") all of it; no entity for what
    can't be taken away as a whole. ``marks``: the register says whether that is there.
    """

    place: str
    entity: str
    value: str | None
    part: str = ""
    marks: bool = False

    @property
    def is_nothing(self) -> bool:
        return self.value in (None, "null")


class Offer(NamedTuple):
    """What one side would send."""

    bundles: int
    size: int
    authors: list[Author]
    touched: list[Touched]


class Coming(msgspec.Struct, frozen=True, kw_only=True):
    """What a person is shown. ``conflicts`` None: too much to be told beforehand. ``at_least``: there may be more."""

    id: bytes
    device: str
    name: str
    bundles: int
    size: int
    authors: list[Author]
    sends: int
    sends_size: int
    conflicts: int
    at_least: bool


def plan_id(caller: Sequence[Tip], called: Sequence[Tip]) -> bytes:
    """The same on both sides; another one as soon as either has something else."""
    hashed = hashlib.sha256()
    for tips in (caller, called):
        for tip in sorted(tips, key=lambda tip: (tip.log, tip.seq, tip.hash)):
            hashed.update(f"{tip.log}:{tip.seq}:".encode() + tip.hash)
        hashed.update(b"|")
    return hashed.digest()


def fingerprints(secret: bytes, touched: Sequence[Touched]) -> list[bytes]:
    """16 bytes each, sorted; see the module."""
    gone = {(one.entity, one.part) for one in touched if one.marks and one.is_nothing}
    said = {(entity, part): _DELETED for entity, part in gone if not part or (entity, "") not in gone}
    found: set[bytes] = set()
    for one in touched:
        if one.entity and not gone.isdisjoint({(one.entity, one.part), (one.entity, "")}):
            continue
        if not one.marks:
            found.add(_short(secret, "value", one.place) + _short(secret, "is", str(one.value)))
        if one.entity and not one.is_nothing:
            said[one.entity, ""] = said[one.entity, one.part] = _WRITTEN
    for (entity, part), was in said.items():
        found.add(_short(secret, "entity", f"{entity}\0{part}" if part else entity) + _short(secret, "was", was))
    return sorted(found)


def conflicts_to_come(mine: Iterable[bytes], theirs: Iterable[bytes]) -> int:
    """Of two sides' fingerprints: places that both wrote, differently."""
    sides: list[dict[bytes, set[bytes]]] = [{}, {}]
    for side, prints in zip(sides, (mine, theirs), strict=True):
        for one in prints:
            side.setdefault(one[:8], set()).add(one[8:])
    return sum(1 for place, values in sides[0].items() if place in sides[1] and _differ(values, sides[1][place]))


def _differ(mine: set[bytes], theirs: set[bytes]) -> bool:
    # An older program says of what it deleted that it wrote to it, too.
    return not (mine >= theirs or theirs >= mine)


def message(id: bytes, offer: Offer, prints: Sequence[bytes]) -> Plan:
    authors = [
        Author(author.name[:_NAME_MAX], author.device[:_NAME_MAX], author.bundles)
        for author in offer.authors[:AUTHORS_MAX]
    ]
    return Plan(
        id, offer.bundles, offer.size, authors, list(prints[:TOUCHED_MAX]), len(prints) <= TOUCHED_MAX
    )  # fmt: skip


def _short(secret: bytes, kind: str, text: str) -> bytes:
    return hmac.new(secret, f"{kind}\0{text}".encode("utf-8", "surrogatepass"), hashlib.sha256).digest()[:8]
