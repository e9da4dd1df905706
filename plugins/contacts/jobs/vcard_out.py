"""Address books for other programs: vCard 4.0 (RFC 6350), or 3.0 (RFC 2426) for what knows no newer one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from openprod.plugin_api import Files, InputError, Snapshot, without_controls

from .chosen import chosen, own_text, texts
from .people import MEMBER_OF
from .vcard_in import X_FIELDS
from .who import GROUP, card_id

VERSIONS = ("4.0", "3.0")
LINE_BYTES_MAX = 75

_PROPERTIES = {field: property_ for property_, field in X_FIELDS.items()}


def export(snapshot: Snapshot, options: Mapping[str, str]) -> Files:
    """One file with a card for each person, and for each group that has one of them (or none at all)."""
    version = options.get("version", "4.0")
    if version not in VERSIONS:
        raise InputError(f"There is no vCard {version} here.", hint=f"Use version={' or version='.join(VERSIONS)}.")
    people = chosen(snapshot, options)
    members: dict[str, list[str]] = {}
    for view in snapshot.edges(MEMBER_OF).values():
        members.setdefault(snapshot.survivor(view.target), []).append(snapshot.survivor(view.source))
    ids = {entity: card_id(entity, fields) for entity, fields in people.items()}
    cards = [_Card(version).person(ids[entity], fields) for entity, fields in people.items()]
    groups = snapshot.entities(GROUP)
    for entity in sorted(groups, key=lambda id: (own_text(groups[id], "name").casefold(), id)):
        known = sorted({ids[one] for one in members.get(entity, ()) if one in ids})
        if known or ("department" not in options and not members.get(entity)):
            cards.append(_Card(version).group(card_id(entity, groups[entity]), groups[entity], known))
    return {"contacts.vcf": "".join(cards).encode("utf-8", "replace")}


class _Card:
    def __init__(self, version: str) -> None:
        self._new = version == "4.0"
        self._lines: list[str] = []

    def person(self, uid: str, fields: Mapping[str, Any]) -> str:
        self._begin(uid, fields)
        given, family = own_text(fields, "given"), own_text(fields, "family")
        if given or family or not self._new:
            self._add("N", ";".join((_escaped(family), _escaped(given), "", "", "")) if given or family
                      else _escaped(own_text(fields, "name")) + ";;;;")  # fmt: skip
        self._text("PRONOUNS" if self._new else "X-PRONOUNS", fields, "pronouns")
        self._text("TITLE", fields, "role")
        organisation, department = own_text(fields, "organisation"), own_text(fields, "department")
        if organisation or department:
            self._add("ORG", ";".join(map(_escaped, filter(None, (organisation, department))))
                      if organisation else f";{_escaped(department)}")  # fmt: skip
        self._preferred("TEL", own_text(fields, "phone"))
        for text in texts(fields, "other_phones"):
            number, label = _labelled(text)
            self._add(f"TEL;TYPE={label}" if label else "TEL", _escaped(number))
        self._preferred("EMAIL", own_text(fields, "email"))
        for text in texts(fields, "other_emails"):
            self._add("EMAIL", _escaped(text))
        self._url(fields)
        self._address(fields)
        for field, property_ in _PROPERTIES.items():
            related = {"agent": "agent", "emergency_contact": "emergency"}.get(field)
            self._text(f"RELATED;TYPE={related};VALUE=text" if related and self._new else property_, fields, field)
        if born := own_text(fields, "birthday"):
            self._add("BDAY", _escaped(born.replace("-", "") if self._new else born))
        self._text("NOTE", fields, "comment")
        return self._end()

    def group(self, uid: str, fields: Mapping[str, Any], members: list[str]) -> str:
        self._begin(uid, fields)
        organisation = own_text(fields, "kind") == "organisation"
        if self._new:
            self._add("KIND", "org" if organisation else "group")
        else:
            self._add("N", _escaped(own_text(fields, "name")) + ";;;;")
            self._add("X-ABSHOWAS", "COMPANY") if organisation else self._add("X-ADDRESSBOOKSERVER-KIND", "group")
        self._preferred("TEL", own_text(fields, "phone"))
        self._preferred("EMAIL", own_text(fields, "email"))
        self._url(fields)
        self._address(fields)
        # Only a group may have members by the standard; others read this name as well.
        name = "MEMBER" if self._new and not organisation else "X-ADDRESSBOOKSERVER-MEMBER"
        for member in members:
            self._add(name, _escaped(member))
        return self._end()

    def _begin(self, uid: str, fields: Mapping[str, Any]) -> None:
        self._lines = ["BEGIN:VCARD", f"VERSION:{'4.0' if self._new else '3.0'}", "PRODID:-//Openprod//Contacts//EN"]
        self._add("UID" if not self._new or uid.startswith("urn:") else "UID;VALUE=text", _escaped(uid))
        self._add("FN", _escaped(own_text(fields, "name")))

    def _end(self) -> str:
        return "\r\n".join([*self._lines, "END:VCARD", ""])

    def _add(self, name: str, value: str) -> None:
        self._lines.append("\r\n ".join(_folded(f"{name}:{value}")))

    def _text(self, name: str, fields: Mapping[str, Any], field: str) -> None:
        if text := own_text(fields, field):
            self._add(name, _escaped(text))

    def _preferred(self, name: str, text: str) -> None:
        if text:
            self._add(f"{name};PREF=1" if self._new else f"{name};TYPE=pref", _escaped(text))

    def _url(self, fields: Mapping[str, Any]) -> None:
        if url := own_text(fields, "website"):
            self._add("URL", _escaped(" ".join(url.split())))

    def _address(self, fields: Mapping[str, Any]) -> None:
        if address := own_text(fields, "address"):
            # As one piece: which line is the town isn't known.
            self._add("ADR", f";;{_escaped(address)};;;;")


def _escaped(text: str) -> str:
    text = without_controls(text).replace("\\", "\\\\")
    return text.replace(";", "\\;").replace(",", "\\,").replace("\n", "\\n")


def _labelled(text: str) -> tuple[str, str]:
    """``020 7946 0000 (work)`` → the number and ``work``."""
    for label in ("home", "work", "fax", "pager"):
        if text.endswith(f" ({label})"):
            return text.removesuffix(f" ({label})"), label
    return text, ""


def _folded(line: str) -> Iterator[str]:
    """Pieces of at most 75 octets with what folding adds, cut between characters."""
    piece, size = "", 0
    for character in line:
        octets = len(character.encode("utf-8", "replace"))
        if size + octets > LINE_BYTES_MAX - 1:
            yield piece
            piece, size = "", 0
        piece += character
        size += octets
    yield piece
