"""Whom the rows or cards of a file mean.

The surest sign first, each over the whole file: the card's id; what the same row made before; the email (with the
name, where the file has several names under one); the name, as far as nobody's email or card says otherwise. Who is
found by one sign is out of reach for the weaker ones, so a name is looked for only among those that the file doesn't
rename. Several that fit are left to people, and to no other row either.

That is what makes the same file change nothing the second time: whoever was found by a weaker sign has got the
file's email, name or card id by then and is found by a surer one, and those left open are as many as before.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from openprod.plugin_api import Snapshot, entity_id

PERSON, GROUP = "contacts.person", "contacts.group"

_CARD_IDS = uuid.UUID("2f6d3c1e-5a0b-5e52-9a4e-6f1c0f7a1d34")


class Found(NamedTuple):
    """One row or card. ``where`` is like no other's; ``fields`` without empty ones."""

    where: str
    fields: dict[str, Any]
    uid: str = ""
    members: tuple[str, ...] = ()
    """Of a group: card ids, or emails with ``mailto:`` before them."""

    @property
    def name(self) -> str:
        return folded(self.fields.get("name"))

    @property
    def email(self) -> str:
        return folded(self.fields.get("email"))


def folded(value: Any) -> str:
    """Text as it is compared: without regard to capitals and white space; "" for what isn't text."""
    return " ".join(value.split()).casefold() if isinstance(value, str) else ""


def card_id(entity: str, fields: Mapping[str, Any]) -> str:
    """By which address books know the card: the one it came with, or one that follows from the entity."""
    given = fields.get("uid")
    return given if isinstance(given, str) and given.strip() else f"urn:uuid:{uuid.uuid5(_CARD_IDS, entity)}"


def index(entities: Mapping[str, Mapping[str, Any]], field: str) -> dict[str, list[str]]:
    """{text of the field as it is compared: entities}"""
    found: dict[str, list[str]] = {}
    for id, fields in entities.items():
        if text := folded(fields.get(field)):
            found.setdefault(text, []).append(id)
    return found


class Matching:
    """Every row of one kind ends up in ``meant`` ({where: entity}, new ones too) or in ``left`` ({where: why not})."""

    def __init__(self, snapshot: Snapshot, facet: str, rows: Sequence[Found]) -> None:
        self.meant: dict[str, str] = {}
        self.left: dict[str, str] = {}
        self._snapshot = snapshot
        self._facet = facet
        self._rows = rows
        self._present = dict(sorted(snapshot.entities(facet).items()))
        self._named = index(self._present, "name")
        self._mailed = index(self._present, "email")
        self._taken: dict[str, str] = {}
        self._contested: set[str] = set()
        names = _values(rows, "email", "name")
        self._shared = frozenset(email for email, found in names.items() if len(found) > 1)

    def _open(self) -> list[Found]:
        return [one for one in self._rows if one.where not in self.meant and one.where not in self.left]

    # -- the signs, surest first ---------------------------------------------------------------------------

    def by_card(self) -> None:
        """The card's id. Of several cards with one id the first is taken."""
        first: dict[str, str] = {}
        for one in self._rows:
            if one.uid and first.setdefault(one.uid, one.where) != one.where:
                self._already(one, first[one.uid])
        self._rows = self._open()
        known = {card_id(id, fields): id for id, fields in self._present.items()}
        for one in self._open():
            derived = self._derived(one)
            if one.uid and derived in self._present:
                self._take(one, derived)
            elif one.uid in known:
                self._take(one, known[one.uid])

    def without_repeated(self) -> None:
        """Leaves out rows that say what another says: one with a known card before one with a card, before others."""
        emails = _values(self._rows, "name", "email")
        cards = set(self.meant) | set(self.left)
        first: dict[tuple[str, str], str] = {}
        for one in sorted(self._rows, key=lambda one: (one.where not in cards, not one.uid)):
            earlier = first.setdefault((one.name, one.email), one.where)
            if one.where in cards:
                continue
            if not one.email and not one.uid and len(emails.get(one.name, ())) == 1:
                # A row with the name alone, beside rows that say which of that name it is.
                (earlier,) = emails[one.name].values()
            if earlier != one.where and (one.email or not one.uid):
                self._already(one, earlier)

    def by_row(self) -> None:
        """What the same row made before."""
        for one in self._open():
            if (derived := self._derived(one)) in self._present:
                self._take(one, derived)

    def by_email(self) -> None:
        for one in self._open():
            mailed = self._free(self._mailed.get(one.email, ()))
            both = [id for id in mailed if folded(self._present[id].get("name")) == one.name]
            self._choose(one, both or (mailed if one.email not in self._shared else []))

    def by_name(self) -> None:
        """Rows that say most come first: they reach the fewest."""
        for one in self._open():
            if one.email:
                self._choose(one, [id for id in self._of_name(one) if not self._present[id].get("email")])
        for one in self._open():
            if one.uid and not one.email:
                self._choose(one, [id for id in self._of_name(one) if not self._present[id].get("uid")])
        for one in self._open():
            if self._facet == GROUP or (not one.uid and not one.email):
                self._choose(one, self._of_name(one))

    def new(self) -> None:
        for one in self._open():
            self._take(one, self._derived(one))

    # -- one row -------------------------------------------------------------------------------------------

    def _free(self, entities: Iterable[str]) -> list[str]:
        return [id for id in entities if id not in self._taken]

    def _of_name(self, one: Found) -> list[str]:
        return self._free(self._named.get(one.name, ()))

    def _choose(self, one: Found, free: list[str]) -> None:
        """The only one that is meant. Of several none, for no other row: with one gone, the next time would choose."""
        if len(free) > 1 or self._contested.intersection(free):
            self._contested.update(free)
            name = one.fields.get("name")
            self.left[one.where] = f"There are several {name} here already; settle that duplicate first."
        elif free:
            self._take(one, free[0])

    def _take(self, one: Found, entity: str) -> None:
        if entity in self._taken:
            self._already(one, self._taken[entity])
        else:
            self.meant[one.where] = entity
            self._taken[entity] = one.where

    def _already(self, one: Found, earlier: str) -> None:
        self.left[one.where] = f"{one.fields.get('name')} is already on {earlier}; the first is taken."

    def _derived(self, one: Found) -> str:
        if one.uid:
            key = f"uid/{one.uid}"
        elif one.email and self._facet == PERSON:
            key = f"email/{one.email}" + (f"/{one.name}" if one.email in self._shared else "")
        else:
            key = f"name/{one.name}"
        kind = self._facet.partition(".")[2]
        return self._snapshot.survivor(entity_id(kind, self._snapshot.workspace, self._facet, key))


def people_meant(snapshot: Snapshot, rows: Sequence[Found]) -> Matching:
    matching = Matching(snapshot, PERSON, rows)
    matching.by_card()
    matching.without_repeated()
    matching.by_row()
    matching.by_email()
    matching.by_name()
    matching.new()
    return matching


def groups_meant(snapshot: Snapshot, rows: Sequence[Found]) -> Matching:
    """By card or name: a group's email says little, several share one."""
    bare = [one._replace(fields={"name": one.fields.get("name")}) for one in rows]
    matching = Matching(snapshot, GROUP, bare)
    matching.by_card()
    matching.without_repeated()
    matching.by_row()
    matching.by_name()
    matching.new()
    return matching


def _values(rows: Sequence[Found], of: str, field: str) -> dict[str, dict[str, str]]:
    """{text of ``of``: {text of ``field``: where it stands first}}, of rows with an email."""
    found: dict[str, dict[str, str]] = {}
    for one in rows:
        if one.email:
            found.setdefault(getattr(one, of), {}).setdefault(getattr(one, field), one.where)
    return found
