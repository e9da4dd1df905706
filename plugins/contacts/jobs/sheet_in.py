"""Contact sheets, as companies keep them in spreadsheets: one person a row, headings between departments."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from typing import Any

from openprod.plugin_api import InvalidFile, Proposal, Row, Snapshot, Source, column_letters

from . import phones
from .columns import ALIASES, Columns, find_header, normal
from .guard import unguarded
from .people import PeopleWriter
from .who import Found

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_ISO = re.compile(r"(?P<year>[0-9]{4})-(?P<month>[0-9]{1,2})-(?P<day>[0-9]{1,2})(?:[T ][0-9:.]+)?")
_DOTTED = re.compile(r"(?P<day>[0-9]{1,2})\.\s?(?P<month>[0-9]{1,2})\.\s?(?P<year>[0-9]{4})")
_WRITTEN = re.compile(r"(?P<day>[0-9]{1,2})(?:st|nd|rd|th)?[ -]+(?P<month>[A-Za-z]{3,9})[ ,-]+(?P<year>[0-9]{4})")
_HEADINGS = frozenset({
    "actors", "automation", "backstage", "band", "box office", "carpentry", "cast", "chorus", "company",
    "company management", "costume", "costumes", "creative", "creative team", "creatives", "crew", "dance", "design",
    "design team", "directing", "electrics", "ensemble", "flys", "foh", "front of house", "hair", "hair make up",
    "hair and make up", "lighting", "lx", "make up", "makeup", "management", "marketing", "music", "musicians",
    "orchestra", "press", "principals", "producers", "production", "production team", "props", "scenic", "security",
    "set", "sound", "stage crew", "stage management", "suppliers", "swings", "technical", "technical team",
    "technicians", "theatre", "understudies", "venue", "video", "wardrobe", "wigs", "wigs hair and make up",
    "workshop",
})  # fmt: skip
"""What stands alone in a row above the people of a department, when it isn't in capitals."""

_ORDER = ("phone", "phone work", "phone home", "phone other", "phone fax")
_JOINED = {"role": " / ", "comment": "\n", "emergency_phone": ", "}


def plan(source: Source, snapshot: Snapshot) -> Proposal:
    """The people of a sheet whose header row can be found; everything else is said in ``skipped``."""
    rows = source.table.rows
    columns = find_header(rows)
    if columns is None:
        known = ", ".join(ALIASES[field][0] for field in ("name", "role", "department", "phone", "email"))
        raise InvalidFile(
            f"No header row was found in “{source.name}”.",
            hint=f"One row needs at least two headers that are known, such as {known}; one of them for the name.",
        )
    return _Reader(snapshot, columns).read(rows)


class _Reader:
    def __init__(self, snapshot: Snapshot, columns: Columns) -> None:
        self._writer = PeopleWriter(snapshot)
        self._columns = columns
        self._section = ""

    def read(self, rows: Sequence[Row]) -> Proposal:
        header = self._columns.header.number
        for row in rows:
            if row.number < header and not row.empty:
                self._writer.skip(f"row {row.number}", f"Stands above the header: {row.excerpt}.")
        below = [row for row in rows if row.number > header]
        body = [row for row in below if not row.empty]
        self._say_columns(body)
        if len(below) > len(body):
            self._writer.skip("empty rows", f"{_rows(len(below) - len(body))} below the header.")
        for row in body:
            self._row(row)
        return self._writer.proposal(what="rows", summary=(f"Header on row {header}.",), mapping=self._columns.mapping)

    def _row(self, row: Row) -> None:
        where = f"row {row.number}"
        cells: dict[str, list[tuple[int, str]]] = {}
        for index, field in self._columns.fields.items():
            if text := unguarded(row.cell(index)).strip():
                cells.setdefault(field, []).append((index, text))
        if heading := self._heading(row):
            self._section = heading
            self._writer.skip(where, f"“{heading}” is taken as the department of the rows below it.")
            return
        if row.cells == self._columns.header.cells:
            self._writer.skip(where, "The header once more.")
            return
        fields = _named(cells)
        if not fields.get("name") or phones.is_nothing(fields["name"]):
            self._writer.skip(where, f"No name: {row.excerpt}.")
            return
        self._numbers(where, cells, fields)
        self._emails(where, cells, fields)
        self._rest(where, cells, fields)
        if self._section:
            fields.setdefault("department", self._section)
        self._writer.person(Found(where, {name: value for name, value in fields.items() if value}))

    def _heading(self, row: Row) -> str:
        """The department that a row with a single cell announces, "" for any other row."""
        filled = [(index, cell) for index, cell in enumerate(row.cells) if cell]
        if len(filled) != 1 or self._columns.fields.get(filled[0][0]) not in (
            None,
            "name",
            "given",
            "department",
            "role",
        ):
            return ""
        text = filled[0][1]
        if len(text) > 60:
            return ""
        if self._columns.fields.get(filled[0][0]) == "department" or text.endswith(":"):
            return text.rstrip(": ")
        letters = [character for character in text if character.isalpha()]
        shouted = len(letters) >= 2 and all(character.isupper() for character in letters)
        return text if shouted or normal(text) in _HEADINGS else ""

    def _numbers(self, where: str, cells: dict[str, list[tuple[int, str]]], fields: dict[str, Any]) -> None:
        found: list[tuple[str, str]] = []
        for field in _ORDER:
            for index, text in cells.pop(field, []):
                numbers = phones.numbers(text)
                if phones.is_cut(text):
                    self._wrong(where, index, text, "was cut by a spreadsheet: its last digits are gone")
                elif not numbers and not phones.is_nothing(text):
                    self._wrong(where, index, text, "isn't a phone number")
                label = field.removeprefix("phone").strip().replace("other", "")
                found += [(number, own or label) for number, own in numbers]
        main = next((place for place, (_number, label) in enumerate(found) if label != "fax"), None)
        fields["phone"] = "" if main is None else found.pop(main)[0]
        others = [phones.shown(number, label) for number, label in found]
        fields["other_phones"] = [one for one in dict.fromkeys(others) if one != fields["phone"]]

    def _emails(self, where: str, cells: dict[str, list[tuple[int, str]]], fields: dict[str, Any]) -> None:
        found: list[str] = []
        for field in ("email", "email other"):
            for index, text in cells.pop(field, []):
                emails = phones.emails(text)
                if not emails and not phones.is_nothing(text):
                    self._wrong(where, index, text, "isn't an email address")
                found += emails
        found = list(dict.fromkeys(found))
        fields["email"], fields["other_emails"] = (found[0] if found else ""), found[1:]

    def _rest(self, where: str, cells: dict[str, list[tuple[int, str]]], fields: dict[str, Any]) -> None:
        relation = " ".join(text for _index, text in cells.pop("emergency_relation", []))
        for field, filled in cells.items():
            values = list(dict.fromkeys(text for _index, text in filled if not phones.is_nothing(text)))
            if field == "birthday":
                fields[field] = _date(values[0]) if values else ""
                if values and not fields[field]:
                    self._wrong(where, filled[0][0], values[0], "isn't a date that reads one way, such as 1990-03-12")
            elif field == "emergency_phone":
                fields[field] = ", ".join(phones.plain(value) for value in values)
            else:
                fields[field] = _JOINED.get(field, "; ").join(values)
        if relation:
            contact = fields.get("emergency_contact", "")
            fields["emergency_contact"] = f"{contact} ({relation})".strip()

    def _wrong(self, where: str, index: int, text: str, why: str) -> None:
        self._writer.skip(f"{where}, column {self._columns.names[index]}", f"“{text[:60]}” {why}.")

    def _say_columns(self, body: Sequence[Row]) -> None:
        width = max((len(row.cells) for row in body), default=0)
        for index in range(max(width, len(self._columns.header.cells))):
            if index in self._columns.fields:
                continue
            filled = [row for row in body if row.cell(index)]
            if index in self._columns.again:
                why = f"An earlier column says that already; filled in {_rows(len(filled))}."
                self._writer.skip(f"column {self._columns.again[index]}", why)
            elif index in self._columns.unknown:
                why = f"This header isn't known here; filled in {_rows(len(filled))}."
                self._writer.skip(f"column {self._columns.unknown[index]}", why)
            elif filled:
                sample = ", ".join(f"row {row.number}: {row.cell(index)[:40]}" for row in filled[:3])
                more = ", …" if len(filled) > 3 else ""
                self._writer.skip(f"column {column_letters(index)}", f"It has no header ({sample}{more}).")


def _named(cells: dict[str, list[tuple[int, str]]]) -> dict[str, Any]:
    """Name, given and family name, from whichever of them the sheet has."""

    def take(field: str) -> str:
        return " ".join(" ".join(text for _index, text in cells.pop(field, [])).split())

    name, turned, given, family = take("name"), take("family_given"), take("given"), take("family")
    if turned and not name:
        family, _comma, given = (part.strip() for part in turned.partition(","))
    if name and given and not family and given.casefold() not in name.casefold():
        name, family = f"{given} {name}", name  # two columns, the other one of them called just “Name”
    return {"name": name or f"{given} {family}".strip(), "given": given, "family": family}


def _date(text: str) -> str:
    match = _ISO.fullmatch(text) or _DOTTED.fullmatch(text) or _WRITTEN.fullmatch(text)
    if match is None:
        return ""
    month = match["month"]
    try:
        number = int(month) if month.isdecimal() else _MONTHS.index(month[:3].lower()) + 1
        return date(int(match["year"]), number, int(match["day"])).isoformat()
    except ValueError:
        return ""


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"
