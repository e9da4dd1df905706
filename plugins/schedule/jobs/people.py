"""Sheets of people: one a row, with a name and whatever else is known."""

from __future__ import annotations

import re

from openprod.plugin_api import Proposal, Row, Snapshot, Source

from .book import NAME_LENGTH_MAX, Book
from .headers import PEOPLE_ALIASES, Columns, find_columns, say_columns

_EMAIL = re.compile(r"[^@\s<>]+@[^@\s<>]+")


def plan(source: Source, snapshot: Snapshot) -> Proposal:
    """The people of a sheet whose header row can be found; everything else is said in ``skipped``."""
    columns = find_columns(source, PEOPLE_ALIASES, [("displayName", "first", "last")])
    book = Book(snapshot)
    body = say_columns(book, source, columns)
    meant = [one for row in body if (one := _person(book, columns, row)) is not None]
    # One whom the address tells may get another name: names are looked for when that is done.
    for where, fields in sorted(meant, key=lambda one: book.surest(one[1]["displayName"], one[1].get("email", ""))):
        before = len(book.skipped)
        found = book.attendee(where, fields)
        if found is not None and book.met(found) != where and len(book.skipped) == before:
            book.skip(where, f"{fields['displayName']} is already on {book.met(found)}; the first is taken.")
    return book.proposal(rows=len(body), summary=[f"Header on row {columns.header.number}."], mapping=columns.mapping)


def _person(book: Book, columns: Columns, row: Row) -> tuple[str, dict[str, str]] | None:
    """Where the row stands, and its fields; None, and a line in ``skipped``, when it names nobody."""
    where = f"row {row.number}"
    cells = columns.cells(row)
    first, last = cells.pop("first", ""), cells.pop("last", "")
    name = " ".join(cells.pop("displayName", f"{first} {last}").split())
    if not name:
        book.skip(where, f"No name: {row.excerpt}.")
        return None
    if len(name) > NAME_LENGTH_MAX:
        book.skip(where, f"Too long for a name: {row.excerpt}.")
        return None
    if "email" in cells and not _EMAIL.fullmatch(cells["email"]):
        book.skip(columns.place(row, "email"), f"“{cells.pop('email')}” isn't an email address.")
    return where, {"displayName": name, **cells}
