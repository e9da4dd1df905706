"""Puts people and groups of any file into the workspace: finds whom a row or card means, or names a new one.

Who is who, in this order: the card's id; an entity that the same row made before; the email (with the name, where a
family shares one); the name, as far as nobody's email says otherwise. Nothing else is guessed: what stays open are
two entities, which people may merge.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, NamedTuple

from openprod.plugin_api import Changes, Proposal, Skipped, Snapshot, entity_id

PERSON, GROUP, MEMBER_OF = "contacts.person", "contacts.group", "contacts.member_of"
PRIVATE = (
    "address", "emergency_contact", "emergency_phone", "medical", "allergies", "dietary", "access", "birthday",
    "comment",
)  # fmt: skip
"""Fields that are private, as the schema says too; its notes never leave the workspace at all."""

_LISTS = ("other_phones", "other_emails")
_CARD_IDS = uuid.UUID("2f6d3c1e-5a0b-5e52-9a4e-6f1c0f7a1d34")


class Found(NamedTuple):
    """One row or card. ``fields`` without empty ones."""

    where: str
    fields: dict[str, Any]
    uid: str = ""

    @property
    def name(self) -> str:
        return folded(self.fields.get("name"))

    @property
    def email(self) -> str:
        return folded(self.fields.get("email"))


class FoundGroup(NamedTuple):
    """``members``: card ids, or emails with ``mailto:`` before them."""

    where: str
    fields: dict[str, Any]
    uid: str = ""
    members: tuple[str, ...] = ()


def folded(value: Any) -> str:
    """Text as it is compared: without regard to capitals and white space; "" for what isn't text."""
    return " ".join(value.split()).casefold() if isinstance(value, str) else ""


def card_id(entity: str, fields: Mapping[str, Any]) -> str:
    """By which address books know the card: the one it came with, or one that follows from the entity."""
    given = fields.get("uid")
    return given if isinstance(given, str) and given.strip() else f"urn:uuid:{uuid.uuid5(_CARD_IDS, entity)}"


class PeopleWriter:
    """Collects rows or cards; the same file read apart names the same entities."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._changes = Changes(snapshot)
        self._people = {id: dict(fields) for id, fields in sorted(snapshot.entities(PERSON).items())}
        self._groups = {id: dict(fields) for id, fields in sorted(snapshot.entities(GROUP).items())}
        self._named = _index(self._people, "name")
        self._mailed = _index(self._people, "email")
        self._found: list[Found] = []
        self._found_groups: list[FoundGroup] = []
        self._taken: dict[str, str] = {}
        self._by_uid: dict[str, str] = {}
        self._by_email: dict[str, str] = {}
        self._renamed: list[str] = []
        self.skipped: list[Skipped] = []

    def person(self, found: Found) -> None:
        self._found.append(found)

    def group(self, found: FoundGroup) -> None:
        self._found_groups.append(found)

    def skip(self, where: str, why: str) -> None:
        self.skipped.append(Skipped(where, why))

    def proposal(self, *, what: str, summary: tuple[str, ...] = (), mapping: dict[str, str] | None = None) -> Proposal:
        """Everything collected. ``what``: how the counts call rows or cards."""
        self._put_people()
        self._put_groups()
        read = len(self._found) + len(self._found_groups)
        counts = {what: read, **self._changes.counts, "skipped": len(self.skipped)}
        outcome = f"{counts['created']} new, {counts['changed']} changed, {counts['unchanged']} as they are."
        return Proposal(
            operations=self._changes.operations,
            summary=(*summary, *self._renamed, *self._private(), outcome),
            skipped=tuple(self.skipped),
            mapping=mapping or {},
            counts=counts,
        )

    def _private(self) -> tuple[str, ...]:
        filled = {field for found in self._found for field in found.fields}
        names = [field.replace("_", " ") for field in PRIVATE if field in filled]
        return (f"Private, left out of what is exported to be shared: {', '.join(names)}.",) if names else ()

    # -- people --------------------------------------------------------------------------------------------

    def _put_people(self) -> None:
        uids = {card_id(id, fields): id for id, fields in self._people.items()}
        emails, places = _emails(self._found)
        shared = frozenset(email for email, names in _names(self._found).items() if len(names) > 1)
        first: dict[tuple[str, str], str] = {}
        for found in self._found:
            entity = self._known_card(PERSON, found.uid, uids)
            if entity is None:
                earlier = None
                if found.email or not found.uid:
                    earlier = first.get((found.name, found.email))
                if not found.email and not found.uid and len(emails.get(found.name, ())) == 1:
                    # A row with the name alone, beside rows that say which of that name it is.
                    earlier = places[found.name]
                if earlier is not None:
                    self._already(found, earlier)
                    continue
                entity = self._match(found, shared)
                if entity is None:
                    continue
            first.setdefault((found.name, found.email), found.where)
            if entity in self._taken:
                self._already(found, self._taken[entity])
            else:
                self._put(entity, found)

    def _match(self, found: Found, shared: frozenset[str]) -> str | None:
        """The entity that is meant, or a new id; None, and said, when several may be."""
        derived = self._derived(found, shared)
        if derived in self._people:
            return derived
        named = [id for id in self._named.get(found.name, ()) if id not in self._taken]
        mailed = [id for id in self._mailed.get(found.email, ()) if id not in self._taken]
        if not found.email:
            candidates = [id for id in named if not (found.uid and self._people[id].get("uid"))]
        elif both := [id for id in mailed if id in named]:
            candidates = both
        elif mailed and found.email not in shared:
            candidates = mailed
        else:
            candidates = [id for id in named if not self._people[id].get("email")]
        if len(candidates) > 1:
            name = found.fields.get("name")
            self.skip(found.where, f"There are several {name} here already; settle that duplicate first.")
            return None
        return candidates[0] if candidates else derived

    def _put(self, entity: str, found: Found) -> None:
        present = self._people.get(entity, {})
        fields = dict(found.fields)
        if found.uid:
            fields["uid"] = found.uid
        if present:
            if card_id(entity, present) == found.uid or present.get("uid"):
                fields.pop("uid", None)  # what another address book calls it stays
            if found.email and folded(present.get("email")) == found.email:
                fields.pop("email")
            for name in _LISTS:
                if name in fields:
                    fields[name] = _united(present.get(name), fields[name])
            before = present.get("name")
            if isinstance(before, str) and found.name and folded(before) != found.name:
                self._renamed.append(f"{before} is now called {fields['name']} ({found.where}).")
        self._taken[entity] = found.where
        if found.uid:
            self._by_uid[found.uid] = entity
        self._by_uid[card_id(entity, present)] = entity
        if found.email:
            self._by_email[found.email] = entity
        self._changes.put(entity, PERSON, fields)

    def _already(self, found: Found, earlier: str) -> None:
        self.skip(found.where, f"{found.fields.get('name')} is already on {earlier}; the first is taken.")

    def _derived(self, found: Found, shared: frozenset[str]) -> str:
        if found.uid:
            key = f"uid/{found.uid}"
        elif found.email:
            key = f"email/{found.email}" + (f"/{found.name}" if found.email in shared else "")
        else:
            key = f"name/{found.name}"
        return self._snapshot.survivor(entity_id("person", self._snapshot.workspace, PERSON, key))

    # -- groups --------------------------------------------------------------------------------------------

    def _put_groups(self) -> None:
        uids = {card_id(id, fields): id for id, fields in self._groups.items()}
        for found in self._found_groups:
            name = folded(found.fields.get("name"))
            named = [id for id, fields in self._groups.items() if folded(fields.get("name")) == name]
            entity = self._known_card(GROUP, found.uid, uids) or (named[0] if len(named) == 1 else None)
            if entity is None and len(named) > 1:
                self.skip(found.where, f"There are several {found.fields.get('name')} here already.")
                continue
            if entity is None:
                key = f"uid/{found.uid}" if found.uid else f"name/{name}"
                entity = self._snapshot.survivor(entity_id("group", self._snapshot.workspace, GROUP, key))
            if entity in self._taken:
                self.skip(found.where, f"{found.fields.get('name')} is already on {self._taken[entity]}.")
                continue
            self._taken[entity] = found.where
            present = self._groups.get(entity, {})
            keeps = not found.uid or present.get("uid") or (present and card_id(entity, present) == found.uid)
            self._changes.put(entity, GROUP, {**found.fields, **({} if keeps else {"uid": found.uid})})
            self._members(entity, found)

    def _members(self, entity: str, found: FoundGroup) -> None:
        known = {card_id(id, fields): id for id, fields in self._people.items()} | self._by_uid
        emails = {folded(fields.get("email")): id for id, fields in self._people.items()} | self._by_email
        missing = 0
        for member in dict.fromkeys(found.members):
            person = emails.get(folded(member[7:])) if member.lower().startswith("mailto:") else known.get(member)
            if person is None:
                missing += 1
            else:
                self._changes.link(MEMBER_OF, person, entity)
        if missing:
            self.skip(found.where, f"Members that are neither in this file nor here: {missing}.")

    def _known_card(self, facet: str, uid: str, uids: Mapping[str, str]) -> str | None:
        if not uid:
            return None
        kind = facet.partition(".")[2]
        derived = self._snapshot.survivor(entity_id(kind, self._snapshot.workspace, facet, f"uid/{uid}"))
        if derived in (self._people if facet == PERSON else self._groups):
            return derived
        return uids.get(uid)


def _index(entities: Mapping[str, Mapping[str, Any]], field: str) -> dict[str, list[str]]:
    """{text of the field as it is compared: entities}"""
    found: dict[str, list[str]] = {}
    for id, fields in entities.items():
        if text := folded(fields.get(field)):
            found.setdefault(text, []).append(id)
    return found


def _names(rows: list[Found]) -> dict[str, set[str]]:
    """{email: the names the file has under it}"""
    names: dict[str, set[str]] = {}
    for found in rows:
        if found.email:
            names.setdefault(found.email, set()).add(found.name)
    return names


def _emails(rows: list[Found]) -> tuple[dict[str, set[str]], dict[str, str]]:
    """{name: the emails the file has for it}, and where the first of them stands."""
    emails: dict[str, set[str]] = {}
    places: dict[str, str] = {}
    for found in rows:
        if found.email:
            emails.setdefault(found.name, set()).add(found.email)
            places.setdefault(found.name, found.where)
    return emails, places


def _united(present: Any, more: list[str]) -> list[str]:
    """Both lists, what is there first: a file that leaves one out is no order to drop it."""
    kept = [item for item in present if isinstance(item, str)] if isinstance(present, list) else []
    known = {folded(item) for item in kept}
    return [*kept, *(item for item in more if folded(item) not in known)]
