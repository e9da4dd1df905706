"""Which column of a contact sheet is which field, found by the headers people use.

Whatever belongs to an emergency contact is kept apart from the person's own: a second "Phone" to the right of
"Emergency contact", or below such a heading, is somebody else's number and private.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from openprod.plugin_api import Row, without_accents

HEADER_ROWS_MAX = 40
HEADER_LENGTH_MAX = 80

ALIASES: dict[str, tuple[str, ...]] = {
    "name": ("name", "full name", "person", "who", "artist", "actor", "actress", "performer", "crew member",
             "company member", "contact", "contact name", "display name", "preferred name", "known as", "name s"),
    "family_given": ("last first", "last name first name", "surname first name", "family name given name",
                     "surname forename"),
    "given": ("given", "given name", "first", "first name", "forename", "firstname", "vorname", "prenom"),
    "family": ("family", "family name", "last", "last name", "surname", "lastname", "nachname", "nom", "second name"),
    "pronouns": ("pronouns", "pronoun"),
    "role": ("role", "position", "title", "job", "job title", "job role", "character", "characters", "part", "playing",
             "roles", "responsibility", "function", "post", "character role", "funktion", "fonction", "rolle"),
    "department": ("department", "dept", "team", "section", "area", "discipline", "abteilung",
                   "service"),
    "organisation": ("organisation", "organization", "company", "employer", "firm", "supplier", "institution",
                     "school"),
    "phone": ("phone", "phone no", "phone number", "mobile", "mobile no", "mobile number", "cell", "cell phone", "tel",
              "tel no", "telephone", "telephone number", "contact no", "contact number", "cell no", "mobile phone",
              "mob", "phone mobile", "phone cell", "handy", "telefon", "mobil", "portable"),
    "phone home": ("home", "home phone", "phone home", "home tel", "landline", "home no", "home number"),
    "phone work": ("work", "work phone", "phone work", "office", "office phone", "work tel", "work no",
                   "work number"),
    "phone fax": ("fax", "fax no"),
    "phone other": ("other phones", "other phone", "alternative phone", "phone 2", "second phone", "alt phone"),
    "email": ("email", "e mail", "mail", "email address", "e mail address", "emails", "personal email",
              "courriel", "mel"),
    "email other": ("other emails", "other email", "email 2", "work email", "alternative email", "second email",
                    "home email", "alt email"),
    "website": ("website", "web", "url", "web site"),
    "address": ("address", "home address", "postal address", "mailing address", "postal"),
    "agent": ("agent", "agent contact", "agency", "representation", "agent agency", "agent details"),
    "emergency_contact": ("emergency contact", "emergency", "emergency contact name", "ice", "ice contact", "ice name",
                          "next of kin", "nok", "emergency name", "in case of emergency", "emergency contact details",
                          "emergency contact s"),
    "emergency_phone": ("emergency phone", "emergency contact phone", "emergency contact number", "emergency number",
                        "emergency contact no", "emergency no", "ice phone", "ice number", "emergency tel",
                        "next of kin phone", "next of kin number", "emergency mobile"),
    "emergency_relation": ("emergency relationship", "relationship", "relation", "emergency contact relationship",
                           "relationship to you"),
    "medical": ("medical", "medical conditions", "medical info", "medical information", "medical notes", "health",
                "medication", "conditions", "medical needs", "medical details"),
    "allergies": ("allergies", "allergy", "allergens", "allergies intolerances"),
    "dietary": ("dietary", "diet", "dietary requirements", "dietary needs", "dietary restrictions", "dietaries", "food",
                "dietary reqs"),
    "access": ("access", "access needs", "access requirements", "accessibility", "access rider"),
    "birthday": ("birthday", "dob", "date of birth", "birth date", "birthdate", "d o b"),
    "comment": ("comment", "comments", "note", "notes", "remarks", "other", "other info", "info", "misc"),
}  # fmt: skip

_FIELDS = {alias: field for field, aliases in ALIASES.items() for alias in aliases}
_NAMING = frozenset({"name", "family_given", "given", "family", "email"})
_SEVERAL = frozenset({
    "role", "phone", "phone home", "phone work", "phone other", "email other", "emergency_contact", "emergency_phone",
    "emergency_relation", "medical", "allergies", "dietary", "access", "comment",
})  # fmt: skip
_EMERGENCY = re.compile(r"emergency|\bice\b|next of kin", re.IGNORECASE)
# What a plain header is, once the columns are about the emergency contact.
_OF_EMERGENCY = {
    "name": "emergency_contact", "phone": "emergency_phone", "phone home": "emergency_phone",
    "phone work": "emergency_phone", "phone other": "emergency_phone", "email": "emergency_contact",
    "email other": "emergency_contact", "role": "emergency_relation", "address": "emergency_contact",
}  # fmt: skip
_QUESTIONS = (
    (_EMERGENCY, "emergency_contact"),
    (re.compile(r"allerg", re.IGNORECASE), "allergies"),
    (re.compile(r"dietary|\bdiet\b", re.IGNORECASE), "dietary"),
    (re.compile(r"medical|medication|health condition", re.IGNORECASE), "medical"),
    (re.compile(r"access (needs|requirements)", re.IGNORECASE), "access"),
)
_NOT_WORDS = re.compile(r"[^a-z0-9]+")


class Columns(NamedTuple):
    """``fields``: column → field, several columns may fill one; ``names``: column → its header as written.

    ``unknown`` and ``again``: headed columns that mean nothing here, or what an earlier one says already.
    """

    header: Row
    fields: dict[int, str]
    names: dict[int, str]
    unknown: dict[int, str]
    again: dict[int, str]

    @property
    def mapping(self) -> dict[str, str]:
        """Header → field, in the order of the sheet."""
        found: dict[str, str] = {}
        for column, field in sorted(self.fields.items()):
            name = self.names[column]
            found[name if name not in found else f"{name} ({column + 1})"] = field.replace("_", " ")
        return found


def find_header(rows: Sequence[Row]) -> Columns | None:
    """The first row with at least two headers that are known, one of which tells people apart."""
    above: Row | None = None
    for row in rows[:HEADER_ROWS_MAX]:
        columns = _read(row, above)
        known = set(columns.fields.values())
        if len(known) >= 2 and known & _NAMING:
            return columns
        above = row
    return None


def normal(header: str) -> str:
    """``Mobile #`` → ``mobile no``, ``E-Mail:`` → ``e mail``; "" for one that is too long."""
    if len(header) > HEADER_LENGTH_MAX:
        return ""
    plain = without_accents(header).lower()
    text = re.sub(r"\([^)]*\)", " ", plain).replace("#", " no ").replace("'s", " ").replace("’s", " ")
    return " ".join(_NOT_WORDS.sub(" ", text).split())


def _read(row: Row, above: Row | None) -> Columns:
    columns = Columns(row, {}, {}, {}, {})
    heading, emergency, beside = "", False, False
    for index, name in enumerate(row.cells):
        heading = (above.cell(index) if above is not None else "") or heading
        if not name:
            continue
        columns.names[index] = name
        field = _FIELDS.get(normal(name)) or _asked(name)
        if field and field.startswith("emergency"):
            emergency, beside = True, True
        elif _EMERGENCY.search(heading):
            field = _OF_EMERGENCY.get(field or "", "emergency_contact")
        elif emergency and field in _OF_EMERGENCY and (_is_said(field, columns) or (beside and _is_phone(field))):
            field = _OF_EMERGENCY[field]
        else:
            beside = False
        if field is None:
            columns.unknown[index] = name
        elif field in columns.fields.values() and field not in _SEVERAL:
            columns.again[index] = name
        else:
            columns.fields[index] = field
    return columns


def _asked(name: str) -> str | None:
    """What a form's question is about, for what had better be private."""
    return next((field for pattern, field in _QUESTIONS if pattern.search(name)), None)


def _is_phone(field: str) -> bool:
    return field.startswith("phone")


def _is_said(field: str, columns: Columns) -> bool:
    """Whether a column to the left holds the person's own already."""
    kind = field.partition(" ")[0]
    return any(known.partition(" ")[0] == kind for known in columns.fields.values())
