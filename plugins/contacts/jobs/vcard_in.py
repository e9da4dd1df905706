"""Address books: vCards of any age, one or many in a file."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

from openprod.plugin_api import InvalidFile, Proposal, Snapshot, Source

from . import phones
from .content_lines import Card, Line, read_cards
from .people import PeopleWriter
from .who import Found

CARDS_MAX = 20_000
BROKEN_SHOWN_MAX = 3

X_FIELDS = {
    "X-OPENPROD-AGENT": "agent", "X-OPENPROD-EMERGENCY-CONTACT": "emergency_contact",
    "X-OPENPROD-EMERGENCY-PHONE": "emergency_phone", "X-OPENPROD-MEDICAL": "medical",
    "X-OPENPROD-ALLERGIES": "allergies", "X-OPENPROD-DIETARY": "dietary", "X-OPENPROD-ACCESS": "access",
}  # fmt: skip
"""Properties for what vCard has none."""

_READ = frozenset({
    "FN", "N", "ORG", "TITLE", "ROLE", "TEL", "EMAIL", "ADR", "URL", "NOTE", "BDAY", "PRONOUNS", "X-PRONOUNS",
    "RELATED", "NICKNAME", *X_FIELDS,
})  # fmt: skip
# About the card, or said again elsewhere in it.
_SILENT = frozenset({
    "VERSION", "PRODID", "REV", "UID", "SOURCE", "NAME", "PROFILE", "CLASS", "MAILER", "KIND", "MEMBER", "LABEL",
    "CLIENTPIDMAP", "SORT-STRING", "XML", "CREATED", "X-ABUID", "X-ABLABEL", "X-ABADR", "X-ABSHOWAS",
    "X-ADDRESSBOOKSERVER-KIND", "X-ADDRESSBOOKSERVER-MEMBER",
})  # fmt: skip
_EMERGENCY = re.compile(r"emergency|\bice\b|next of kin", re.IGNORECASE)
_DATE = re.compile(r"(?P<year>[0-9]{4})-?(?P<month>[0-9]{2})-?(?P<day>[0-9]{2})(?:[T ].*)?")
_PHONE_TYPES = ("home", "work", "fax", "pager")


def plan(source: Source, snapshot: Snapshot) -> Proposal:
    """Everybody in the file. Raises InvalidFile when no card is in it."""
    reader = _Reader(PeopleWriter(snapshot))
    count = 0
    for card in read_cards(source):
        count += 1
        if count > CARDS_MAX:
            raise InvalidFile(f"There are more than {CARDS_MAX:,} cards in it.", hint="Split it into several files.")
        reader.read(card)
    if not count:
        raise InvalidFile(
            f"No card was found in “{source.name}”.",
            hint="An address book's file has lines BEGIN:VCARD and END:VCARD; sheets are imported as contacts.sheet.",
        )
    reader.say_properties()
    cards = "1 card." if count == 1 else f"{count} cards."
    return reader.writer.proposal(what="cards", summary=(cards,))


class _Reader:
    def __init__(self, writer: PeopleWriter) -> None:
        self.writer = writer
        self._unknown: dict[str, int] = {}

    def read(self, card: Card) -> None:
        name = _name(card)
        where = f"card {card.number}" + (f" ({name[:60]})" if name else "")
        self._say_faults(card, where)
        kind = card.text("KIND", "X-ADDRESSBOOKSERVER-KIND").lower()
        company = card.text("X-ABSHOWAS").upper() == "COMPANY"
        if not name:
            self.writer.skip(where, "It names nobody.")
        elif kind in ("", "individual") and not company:
            self.writer.person(Found(where, self._person(card, name, where), card.text("UID")))
        elif kind in ("", "individual", "group", "org"):
            fields = self._group(card, name, "group" if kind == "group" else "organisation")
            members = tuple(line.text for line in card.all("MEMBER", "X-ADDRESSBOOKSERVER-MEMBER"))
            self.writer.group(Found(where, fields, card.text("UID"), members))
        else:
            self.writer.skip(where, f"It is a card of kind “{kind[:40]}”, neither a person nor a group.")

    def say_properties(self) -> None:
        for name, count in sorted(self._unknown.items()):
            cards = "1 card" if count == 1 else f"{count} cards"
            self.writer.skip(f"property {name}", f"In {cards}; there is no field for it here.")

    def _say_faults(self, card: Card, where: str) -> None:
        if not card.whole:
            self.writer.skip(where, "Its END is missing: the file may have been cut off there. It is taken as it is.")
        for text in card.broken[:BROKEN_SHOWN_MAX]:
            self.writer.skip(where, f"A line that isn't one: “{text[:60]}”.")
        if len(card.broken) > BROKEN_SHOWN_MAX:
            self.writer.skip(where, f"{len(card.broken) - BROKEN_SHOWN_MAX} more lines that aren't any.")
        for name in {line.name for line in card.lines} - _READ - _SILENT:
            self._unknown[name] = self._unknown.get(name, 0) + 1

    def _person(self, card: Card, name: str, where: str) -> dict[str, Any]:
        labels = {line.group: line.text for line in card.all("X-ABLABEL") if line.group}
        fields: dict[str, Any] = {"name": name, **_given_and_family(card, name)}
        fields |= self._phones(card, labels)
        own, emergency = _by_purpose(card, labels)
        fields |= _emails(own)
        organisation, *units = [*(card.all("ORG") or [Line("ORG")])[0].parts(), ""]
        fields["organisation"] = organisation
        fields["department"] = ", ".join(filter(None, units))
        titles = list(dict.fromkeys(filter(None, (card.text("TITLE"), card.text("ROLE")))))
        fields["role"] = " / ".join(titles)
        fields["website"] = card.text("URL")
        fields["pronouns"] = card.text("PRONOUNS", "X-PRONOUNS")
        fields["address"] = _address(card)
        fields["comment"] = "\n".join(filter(None, (line.text for line in card.all("NOTE"))))
        for line in card.all("RELATED"):
            if "emergency" in line.types:
                fields.setdefault("emergency_contact", line.text)
            elif "agent" in line.types:
                fields.setdefault("agent", line.text)
            else:
                self._unknown["RELATED"] = self._unknown.get("RELATED", 0) + 1
        if emergency:
            fields["emergency_contact"] = "; ".join(filter(None, (fields.get("emergency_contact"), *emergency)))
        for property_, field in X_FIELDS.items():
            fields[field] = fields.get(field) or card.text(property_)
        if born := card.text("BDAY"):
            fields["birthday"] = "" if _without_year(card) else _date(born)
            if not fields["birthday"]:
                self.writer.skip(where, f"The birthday “{born[:20]}” isn't a whole date.")
        for one in ("ADR", "URL", "ORG", "BDAY"):
            if len([line for line in card.all(one) if line.text.strip(";")]) > 1:
                self.writer.skip(f"{where}, {one}", "It has several; the first is taken.")
        return {field: value for field, value in fields.items() if value}

    def _phones(self, card: Card, labels: dict[str, str]) -> dict[str, Any]:
        found: list[tuple[int, str, str]] = []
        fields: dict[str, Any] = {}
        for line in (line for line in card.lines if line.name == "TEL"):
            number = _number(line)
            if not number:
                continue
            if _EMERGENCY.search(labels.get(line.group, "")) or any(map(_EMERGENCY.search, line.types)):
                # Somebody else's number, given for one purpose: never among those that are shared.
                known = fields.get("emergency_phone", "")
                fields["emergency_phone"] = f"{known}, {number}" if known else number
                continue
            label = next((kind for kind in _PHONE_TYPES if kind in line.types), "")
            rank = 9 if label in ("fax", "pager") else 0 if line.preference <= 100 else 1 if not label else 2
            found.append((rank, number, label))
        main = min(range(len(found)), key=lambda place: found[place][0], default=None)
        if main is not None and found[main][0] < 9:
            fields["phone"] = found.pop(main)[1]
        others = [phones.shown(number, label) for _rank, number, label in found]
        fields["other_phones"] = [one for one in dict.fromkeys(others) if one != fields.get("phone")]
        return fields

    def _group(self, card: Card, name: str, kind: str) -> dict[str, Any]:
        tel = next(filter(None, map(_number, card.all("TEL"))), "")
        fields = {
            "name": name, "kind": kind, "email": card.text("EMAIL"), "phone": tel, "website": card.text("URL"),
            "address": _address(card),
        }  # fmt: skip
        return {field: value for field, value in fields.items() if value}


def _name(card: Card) -> str:
    """FN, or what comes nearest to it."""
    if full := card.text("FN"):
        return " ".join(full.split())
    family, given, additional, prefix, suffix, *_ = [*(card.all("N") or [Line("N")])[0].parts(), *[""] * 5]
    parts = " ".join(" ".join(filter(None, (prefix, given, additional, family, suffix))).split())
    organisation = (card.all("ORG") or [Line("ORG")])[0].parts()[0]
    return parts or card.text("NICKNAME") or organisation or card.text("EMAIL")


def _given_and_family(card: Card, name: str) -> dict[str, str]:
    family, given, *_ = [*(card.all("N") or [Line("N")])[0].parts(), "", ""]
    if not given and " ".join(family.split()) == name:
        return {}  # 3.0 wants an N of everybody: a name that isn't divided stands in its first place
    return {"given": given, "family": family}


def _by_purpose(card: Card, labels: dict[str, str]) -> tuple[list[str], list[str]]:
    """Emails: the person's own, and those given for an emergency, which are somebody else's."""
    own: list[str] = []
    emergency: list[str] = []
    for line in card.all("EMAIL"):
        told = _EMERGENCY.search(labels.get(line.group, "")) or any(map(_EMERGENCY.search, line.types))
        if text := line.text.removeprefix("mailto:"):
            (emergency if told else own).append(text)
    return own, emergency


def _emails(own: list[str]) -> dict[str, Any]:
    found = list(dict.fromkeys(own))
    return {"email": found[0] if found else "", "other_emails": found[1:]}


def _number(line: Line) -> str:
    """``tel:+44-20-7946-0000;ext=12`` is +44-20-7946-0000 ext 12."""
    text = phones.plain(line.text)
    number, *params = text.split(";")
    extension = next((param[4:] for param in params if param.lower().startswith("ext=")), "")
    return f"{number} ext {extension}" if extension else number


def _address(card: Card) -> str:
    line = (card.all("ADR") or [Line("ADR")])[0]
    box, beyond, street, *rest = [*line.parts(), "", "", ""]
    lines = [street, beyond, box, *rest]
    return "\n".join(filter(None, (part.strip() for part in lines)))


def _without_year(card: Card) -> bool:
    """Apple writes the year 1604 for one that isn't told, and Google copies that."""
    born = card.all("BDAY")[0]
    return "x-apple-omit-year" in born.params or born.text.startswith("1604")


def _date(text: str) -> str:
    match = _DATE.fullmatch(text)
    if match is None:
        return ""
    try:
        return date(int(match["year"]), int(match["month"]), int(match["day"])).isoformat()
    except ValueError:
        return ""
