"""Puts what files say into the workspace's schedule: finds whom and what they mean, or names new ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from openprod.plugin_api import Changes, Proposal, Skipped, Snapshot, entity_id

EVENT, ATTENDEE, ROOM = "schedule.event", "schedule.attendee", "schedule.room"
ATTENDS, IN_ROOM = "schedule.attends", "schedule.in_room"

NAME_LENGTH_MAX = 200


def location(room: Mapping[str, Any]) -> str:
    """A room as calendars call it: its name, venue and address."""
    values = (room.get(field) for field in ("name", "venue", "address"))
    return ", ".join(value.strip() for value in values if isinstance(value, str) and value.strip())


def plain(text: str) -> str:
    """For comparing names: white space and capitals don't tell two people apart."""
    return " ".join(text.casefold().split())


class Book:
    """Collects what a file says. The same thing imported apart gets the same id."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.skipped: list[Skipped] = []
        self._changes = Changes(snapshot)
        self._rooms = _by(snapshot, ROOM, "name")
        self._names = _by(snapshot, ATTENDEE, "displayName")
        self._emails = _by(snapshot, ATTENDEE, "email")
        self._roles = _by(snapshot, ATTENDEE, "role")
        self._attendees = snapshot.entities(ATTENDEE)
        self._known_emails = {
            entity: plain(str(fields["email"])) for entity, fields in self._attendees.items() if fields.get("email")
        }
        self.departments = {
            plain(str(fields["department"])): str(fields["department"])
            for _entity, fields in sorted(self._attendees.items())
            if fields.get("department")
        }
        self._put: dict[str, str] = {}
        self._meant: dict[str, str] = {}
        self._unsettled: dict[str, str] = {}

    def skip(self, where: str, why: str) -> None:
        self.skipped.append(Skipped(where, why))

    def id_of(self, facet: str, key: str) -> str:
        """The id of a thing that nobody has made here yet: the same wherever the same key is imported."""
        return entity_id(facet.partition(".")[2], self.snapshot.workspace, facet, key)

    def event(self, where: str, entity: str, fields: Mapping[str, Any]) -> bool:
        """Ask for an event. False, and a line in ``skipped``, when the file had it before."""
        if entity in self._put:
            self.skip(where, f"This event is already on {self._put[entity]}; the first is taken.")
            return False
        self._put[entity] = where
        self._changes.put(entity, EVENT, fields)
        return True

    def room(self, where: str, name: str, *, venue: str = "") -> str | None:
        """The room of that name, made when there is none."""
        found = self._one(where, "rooms called", name, self._rooms)
        if found != "":
            return found
        entity = self.id_of(ROOM, plain(name))
        self._changes.put(entity, ROOM, {"name": name, "venue": venue or None})
        self._rooms[plain(name)] = [entity]
        return entity

    def place(self, event: str, room: str) -> None:
        self._changes.link(IN_ROOM, event, room)

    def attendee(self, where: str, fields: Mapping[str, Any], *, renames: bool = True) -> str | None:
        """Whom such a row made before, or who has that email address, or that name; made when there is none.

        Rows are best given in the order of ``surest``: one may rename whom another looks for by name.
        """
        name, email = str(fields.get("displayName") or ""), plain(str(fields.get("email") or ""))
        # An address means the same one all through the file, whatever name stands beside it.
        key = email or plain(name)
        if key in self._unsettled:
            self.skip(where, self._unsettled[key])
            return None
        entity = self._meant.get(key) or self._known(where, name, email)
        if entity is None:
            self._unsettled[key] = self.skipped[-1].why
            return None
        self._meant[key] = entity
        if entity in self._put:
            return entity
        self._put[entity] = where
        if entity in self._attendees and not renames:
            name = str(self._attendees[entity].get("displayName") or "")
            fields = {**fields, "displayName": None}
        self._changes.put(entity, ATTENDEE, fields)
        self._forget(self._names, entity, "displayName")
        self._names.setdefault(plain(name), []).append(entity)
        if email:
            self._forget(self._emails, entity, "email")
            self._emails.setdefault(email, []).append(entity)
            self._known_emails[entity] = email
        return entity

    def _forget(self, known: dict[str, list[str]], entity: str, field: str) -> None:
        """What is looked for in a file is called as it will be after the import."""
        before = known.get(plain(str(self._attendees.get(entity, {}).get(field) or "")), [])
        if entity in before:
            before.remove(entity)

    def surest(self, name: str, email: str) -> int:
        """0 for whom the same row made before, 1 for whom an email address tells, 2 and 3 for a name."""
        if self._derived(name, email) in self._attendees:
            return 0
        return 1 if plain(email) in self._emails else 2 if email else 3

    def known_by(self, email: str) -> str | None:
        """Whom an import made from that email address, or the one attendee who has it."""
        if (derived := self._derived("", email)) in self._attendees:
            return derived
        found = set(self._emails.get(plain(email), []))
        return found.pop() if len(found) == 1 else None

    def _derived(self, name: str, email: str) -> str:
        return self.snapshot.survivor(self.id_of(ATTENDEE, plain(email) or plain(name)))

    def met(self, entity: str) -> str:
        """Where the file had this before, "" when it hadn't."""
        return self._put.get(entity, "")

    def _known(self, where: str, name: str, email: str) -> str | None:
        derived = self._derived(name, email)
        if derived in self._attendees:
            return derived
        if email and (found := self._one(where, "people with the address", email, self._emails)) != "":
            return found
        # Somebody of that name with another address is somebody else.
        same = [
            one for one in self._names.get(plain(name), []) if not email or self._known_emails.get(one, email) == email
        ]
        if len(set(same)) > 1:
            self.skip(where, f"There are several people called {name} here; settle that first.")
            return None
        return same[0] if same else derived

    def named(self, text: str) -> list[str]:
        """Attendees by name, or else by role; none when nobody is called so."""
        return sorted(set(self._names.get(plain(text)) or self._roles.get(plain(text)) or []))

    def attends(self, attendee: str, event: str, properties: Mapping[str, Any] | None = None) -> None:
        self._changes.link(ATTENDS, attendee, event, properties)

    def _one(self, where: str, what: str, name: str, known: Mapping[str, list[str]]) -> str | None:
        """The one thing called so; "" when there is none; None, and a line in ``skipped``, for several."""
        found = sorted(set(known.get(plain(name), [])))
        if len(found) > 1:
            self.skip(where, f"There are several {what} {name} here; settle that first.")
            return None
        return found[0] if found else ""

    def proposal(self, *, rows: int, summary: Iterable[str], mapping: dict[str, str], unit: str = "rows") -> Proposal:
        counts = {unit: rows, **self._changes.counts, "skipped": len(self.skipped)}
        outcome = f"{counts['created']} new, {counts['changed']} changed, {counts['unchanged']} as they are."
        links = sum(1 for operation in self._changes.operations if type(operation).__name__ == "AddEdge")
        if links:
            outcome += f" {links} new links between them."
        return Proposal(
            operations=self._changes.operations,
            summary=(*summary, outcome),
            skipped=tuple(self.skipped),
            mapping=mapping,
            counts=counts,
        )


def _by(snapshot: Snapshot, facet: str, field: str) -> dict[str, list[str]]:
    """{plain value: entities}"""
    found: dict[str, list[str]] = {}
    for entity, fields in sorted(snapshot.entities(facet).items()):
        if fields.get(field):
            found.setdefault(plain(str(fields[field])), []).append(entity)
    return found
