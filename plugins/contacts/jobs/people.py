"""Puts people and groups of any file into the workspace: those that its rows or cards mean, or new ones.

Nothing is guessed: what stays open are two entities, which people may merge.
"""

from __future__ import annotations

from typing import Any

from openprod.plugin_api import Changes, Proposal, Skipped, Snapshot

from .who import GROUP, PERSON, Found, card_id, folded, groups_meant, index, people_meant

MEMBER_OF = "contacts.member_of"
PRIVATE = (
    "address", "emergency_contact", "emergency_phone", "medical", "allergies", "dietary", "access", "birthday",
    "comment",
)  # fmt: skip
"""Fields that are private, as the schema says too; its notes never leave the workspace at all."""

_LISTS = ("other_phones", "other_emails")


class PeopleWriter:
    """Collects rows or cards; the same file read apart names the same entities."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._changes = Changes(snapshot)
        self._people = {id: dict(fields) for id, fields in sorted(snapshot.entities(PERSON).items())}
        self._groups = {id: dict(fields) for id, fields in sorted(snapshot.entities(GROUP).items())}
        self._found: list[Found] = []
        self._found_groups: list[Found] = []
        self._by_uid: dict[str, str] = {}
        self._by_email: dict[str, str] = {}
        self._renamed: list[str] = []
        self.skipped: list[Skipped] = []

    def person(self, found: Found) -> None:
        self._found.append(found)

    def group(self, found: Found) -> None:
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
        matching = people_meant(self._snapshot, self._found)
        for found in self._found:
            if found.where in matching.left:
                self.skip(found.where, matching.left[found.where])
            else:
                self._put(matching.meant[found.where], found)

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
        if found.uid:
            self._by_uid[found.uid] = entity
        if found.email:
            self._by_email[found.email] = entity
        self._people[entity] = {**present, **fields}
        self._changes.put(entity, PERSON, fields)

    # -- groups --------------------------------------------------------------------------------------------

    def _put_groups(self) -> None:
        matching = groups_meant(self._snapshot, self._found_groups)
        for found in self._found_groups:
            if found.where in matching.left:
                self.skip(found.where, matching.left[found.where])
                continue
            entity = matching.meant[found.where]
            present = self._groups.get(entity, {})
            keeps = not found.uid or present.get("uid") or (present and card_id(entity, present) == found.uid)
            self._changes.put(entity, GROUP, {**found.fields, **({} if keeps else {"uid": found.uid})})
            self._members(entity, found)

    def _members(self, entity: str, found: Found) -> None:
        """Members as people are called after the import: the next time they are called so too."""
        known = {card_id(id, fields): id for id, fields in sorted(self._people.items())} | self._by_uid
        emails = {email: ids[0] for email, ids in index(self._people, "email").items() if len(ids) == 1}
        emails |= self._by_email
        missing = 0
        for member in dict.fromkeys(found.members):
            person = emails.get(folded(member[7:])) if member.lower().startswith("mailto:") else known.get(member)
            if person is None:
                missing += 1
            else:
                self._changes.link(MEMBER_OF, person, entity)
        if missing:
            self.skip(found.where, f"Members that are neither in this file nor here: {missing}.")


def _united(present: Any, more: list[str]) -> list[str]:
    """Both lists, what is there first: a file that leaves one out is no order to drop it."""
    kept = [item for item in present if isinstance(item, str)] if isinstance(present, list) else []
    known = {folded(item) for item in kept}
    return [*kept, *(item for item in more if folded(item) not in known)]
