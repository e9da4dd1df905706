"""Which column of a sheet is which field: found by the headers people use."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from openprod.plugin_api import InvalidFile, Row, Source, column_letters, without_accents

from .book import Book

HEADER_ROWS_MAX = 40
HEADER_LENGTH_MAX = 80

EVENT_ALIASES: dict[str, tuple[str, ...]] = {
    "id": ("id", "event id", "uid", "key", "ref"),
    "title": ("title", "event", "activity", "what", "call", "session", "name", "subject", "item", "summary"),
    "kind": ("kind", "type", "category", "event type"),
    "date": ("date", "day", "when", "start date", "on"),
    "start": ("start", "time", "from", "start time", "begin", "begins", "starts", "call time", "times"),
    "end": ("end", "to", "until", "till", "finish", "end time", "ends"),
    "end_date": ("end date", "last day", "to date"),
    "zone": ("zone", "time zone", "timezone", "tz"),
    "room": ("room", "where", "location", "place", "space", "studio"),
    "venue": ("venue", "building"),
    "status": ("status", "state"),
    "details": ("details", "description", "notes", "note", "comments", "comment", "remarks", "info"),
    "attendees": ("attendees", "who", "called", "company", "people", "cast", "required", "calls"),
    "attendees_query": ("attendees query", "who by query", "query"),
}
PEOPLE_ALIASES: dict[str, tuple[str, ...]] = {
    "displayName": ("name", "display name", "displayname", "full name", "attendee", "person", "who"),
    "first": ("first name", "first", "given name", "forename"),
    "last": ("last name", "last", "surname", "family name"),
    "role": ("role", "character", "part", "job", "position", "title", "job title", "function"),
    "department": ("department", "dept", "dep", "team", "company"),
    "email": ("email", "e mail", "email address", "mail"),
    "phone": ("phone", "mobile", "cell", "tel", "telephone", "phone number", "mobile number"),
}

_NOT_WORDS = re.compile(r"[^a-z0-9]+")


class Columns(NamedTuple):
    """``fields``: column → field; ``names``: column → its header as written; ``unknown``: the rest of those."""

    header: Row
    fields: dict[int, str]
    names: dict[int, str]
    unknown: dict[int, str]

    @property
    def mapping(self) -> dict[str, str]:
        """Header → field, in the order of the sheet."""
        return {self.names[column]: field for column, field in sorted(self.fields.items())}

    def cells(self, row: Row) -> dict[str, str]:
        """{field: text} of the cells that aren't empty."""
        return {field: text for index, field in self.fields.items() if (text := row.cell(index))}

    def place(self, row: Row, field: str) -> str:
        """A cell as the report names it: ``row 4, column Start``."""
        return f"row {row.number}, column {next(self.names[i] for i, name in self.fields.items() if name == field)}"


def find_columns(source: Source, aliases: Mapping[str, tuple[str, ...]], needed: Sequence[Sequence[str]]) -> Columns:
    """By the first row with at least two known headers, among them one of each group in ``needed``.

    Raises InvalidFile when there is none.
    """
    fields = {alias: field for field, names in aliases.items() for alias in names}
    for row in source.table.rows[:HEADER_ROWS_MAX]:
        columns = _read(row, fields)
        found = set(columns.fields.values())
        if len(found) >= 2 and all(found & set(group) for group in needed):
            return columns
    wanted = " and ".join(" or ".join(aliases[name][0] for name in group) for group in needed)
    raise InvalidFile(
        f"No header row was found in “{source.name}”.",
        hint=f"One row needs headers that are known, with one for {wanted}; others are "
        f"{', '.join(names[0] for field, names in aliases.items() if field not in {n for g in needed for n in g})}.",
    )


def say_columns(book: Book, source: Source, columns: Columns) -> list[Row]:
    """Say what stands above the header and which columns aren't taken; the rows below it that aren't empty."""
    header = columns.header.number
    rows = [row for row in source.table.rows if not row.empty]
    for row in rows:
        if row.number < header:
            book.skip(f"row {row.number}", f"Stands above the header: {row.excerpt}.")
    below = [row for row in rows if row.number > header]
    body = [row for row in below if row.cells != columns.header.cells]
    for row in below:
        if row.cells == columns.header.cells:
            book.skip(f"row {row.number}", "The header once more.")
    for index in range(max((len(row.cells) for row in (columns.header, *body)), default=0)):
        if index in columns.fields:
            continue
        filled = [row for row in body if row.cell(index)]
        if (name := columns.unknown.get(index)) is not None:
            what = "1 row" if len(filled) == 1 else f"{len(filled)} rows"
            book.skip(f"column {name}", f"This header isn't known here; filled in {what}.")
        elif filled:
            sample = ", ".join(f"row {row.number}: {row.cell(index)[:40]}" for row in filled[:3])
            book.skip(
                f"column {column_letters(index)}", f"It has no header ({sample}{', …' if len(filled) > 3 else ''})."
            )
    return body


def _read(row: Row, known: Mapping[str, str]) -> Columns:
    names = {index: cell for index, cell in enumerate(row.cells) if cell}
    fields: dict[int, str] = {}
    for index, name in names.items():
        field = known.get(_plain(name))
        if field is not None and field not in fields.values():
            fields[index] = field
    return Columns(row, fields, names, {index: name for index, name in names.items() if index not in fields})


def _plain(header: str) -> str:
    """``E-Mail:`` → ``e mail``, ``Start (h)`` → ``start``; "" for one that is too long."""
    if len(header) > HEADER_LENGTH_MAX:
        return ""
    return " ".join(_NOT_WORDS.sub(" ", re.sub(r"\([^)]*\)", " ", without_accents(header).lower())).split())
