"""Ordinary cue sheets, as lighting, sound and stage management keep them in spreadsheets.

Two shapes are read. One cue a row: a column for the number, others for what is said of it. One moment a row: a
column for each department (``QLab,Page,LX,Sound,Video,Comment``), each cell holding cues such as ``2, 3/d8``
(cue 2, and cue 3 eight seconds later) or ``1/L3`` (cue 1 of list 3), as qlab-from-csv has it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from openprod.plugin_api import InvalidFile, Proposal, Row, Snapshot, Source, column_letters

from .cells import LISTS, cue_number, fade, list_name, part_number, seconds, time_of_day
from .columns import ALIASES, Columns, find_header
from .cues import CueWriter

STATUSES = ("planned", "written", "working", "set", "cut")
PLACES = {
    "line": "line", "word": "line", "l": "line", "visual": "visual", "vis": "visual", "v": "visual",
    "follow": "follow", "auto": "follow", "f": "follow", "music": "music", "m": "music",
}  # fmt: skip
_TIMES = frozenset({"down", "delay", "down_delay", "hang"})
_PART_FIELDS = frozenset({
    "list", "number", "part", "label", "up", "down", "delay", "down_delay", "mark", "block",
    "comment",
})  # fmt: skip
_OPTION = re.compile(r"(?P<kind>[dl])(?P<value>\d+(?:\.\d+)?)", re.IGNORECASE)
_COMMA = re.compile(r"([0-9]),([0-9]+)(?![0-9,])")
_COLOR = re.compile(r"#[0-9a-fA-F]{6}")
_DEPARTMENT_WORD = re.compile(r"[A-Za-z]+")


def plan(source: Source, snapshot: Snapshot) -> Proposal:
    """The cues of a sheet whose header row can be found; everything else is said in ``skipped``."""
    rows = source.table.rows
    columns = find_header(rows)
    if columns is None:
        raise InvalidFile(
            f"No header row was found in “{source.name}”.",
            hint="One row needs at least two headers that are known, such as "
            f"{', '.join(aliases[0] for aliases in list(ALIASES.values())[:8])}; one of them for the cue number.",
        )
    return _Reader(source, snapshot, columns).read(rows)


class _Reader:
    def __init__(self, source: Source, snapshot: Snapshot, columns: Columns) -> None:
        self._writer = CueWriter(snapshot)
        self._columns = columns
        self._default_list = _guess_list(source, columns)
        self._default_used = False
        # Who cuts cells at semicolons writes a comma for the point.
        self._semicolons = source.table.delimiter == ";"

    def read(self, rows: Sequence[Row]) -> Proposal:
        header = self._columns.header.number
        above = [row for row in rows if row.number < header and not row.empty]
        below = [row for row in rows if row.number > header]
        body = [row for row in below if not row.empty]
        for row in above:
            self._writer.skip(f"row {row.number}", f"Stands above the header: {row.excerpt}.")
        self._say_columns(body)
        if len(below) > len(body):
            self._writer.skip(
                "empty rows",
                f"{_rows(len(below) - len(body))} below the header.",
            )
        for row in body:
            if row.cells == self._columns.header.cells:
                self._writer.skip(f"row {row.number}", "The header once more.")
            elif self._columns.wide:
                self._moment(row)
            else:
                self._cue(row)
        summary = [f"Header on row {header}."]
        if self._default_used:
            summary.append(f"Cues without a list are taken as {self._default_list}.")
        self._writer.lists()
        return self._writer.proposal(rows=len(body), summary=tuple(summary), mapping=self._columns.mapping)

    def _cue(self, row: Row) -> None:
        """A row of the shape with one cue a row."""
        where = f"row {row.number}"
        cells = {field: text for index, field in self._columns.fields.items() if (text := row.cell(index))}
        number = self._pointed(cells.pop("number", ""))
        if not number:
            self._writer.skip(where, f"No cue number: {row.excerpt}.")
            return
        numbered = cue_number(number)
        if numbered is None:
            self._writer.skip(where, f"“{number}” isn't a cue number.")
            return
        part = cells.pop("part", "")
        if part:
            found = part_number(part)
            if found is None or numbered.part not in ("", found):
                self._writer.skip(f"{where}, column {self._header('part')}", f"“{part}” isn't the number of a part.")
                return
            part = found
        part = part or numbered.part
        fields = {"list": list_name(cells.pop("list", "")) or numbered.list, "number": numbered.number}
        if not fields["list"]:
            fields["list"], self._default_used = self._default_list, True
        fields |= self._fields(where, cells)
        if not part:
            self._writer.cue(where, fields)
            return
        for field in sorted(fields.keys() - _PART_FIELDS):
            self._writer.skip(f"{where}, column {self._header(field)}", "Belongs to the whole cue, not to a part.")
        kept = {field: value for field, value in fields.items() if field in _PART_FIELDS}
        self._writer.part(where, {**kept, "part": part})

    def _pointed(self, number: str) -> str:
        return _COMMA.sub(r"\1.\2", number) if self._semicolons else number

    def _moment(self, row: Row) -> None:
        """A row of the shape with a column for each department."""
        where = f"row {row.number}"
        cells = {field: text for index, field in self._columns.fields.items() if (text := row.cell(index))}
        own = cells.pop("number", "")
        shared = self._fields(where, cells)
        found = False
        for index, department in self._columns.departments.items():
            for token in filter(None, (item.strip() for item in row.cell(index).split(","))):
                found = True
                self._token(f"{where}, column {self._columns.names[index]}", token, department, shared)
        if own and (numbered := cue_number(own)) and not numbered.part:
            found = True
            fields = {"list": numbered.list or self._default_list, "number": numbered.number, **shared}
            self._default_used = self._default_used or not numbered.list
            self._writer.cue(where, fields)
        if not found:
            self._writer.skip(where, f"No cue number in any column: {row.excerpt}.")

    def _token(self, where: str, token: str, department: str, shared: dict[str, Any]) -> None:
        """``3/d8``, ``1/L3``: a number and options."""
        number, *options = (piece.strip() for piece in token.split("/"))
        numbered = cue_number(number)
        fields = {"list": department, **shared}
        for option in options:
            match = _OPTION.fullmatch(option)
            if match is None:
                self._writer.skip(where, f"“{option}” of “{token}” is neither a delay (d8) nor a list (L3).")
            elif match["kind"].lower() == "d":
                fields["delay"] = seconds(match["value"])
            else:
                fields["list"] = department + match["value"]
        if numbered is None:
            self._writer.skip(where, f"“{token}” isn't a cue number.")
            return
        if numbered.part:
            kept = {field: value for field, value in fields.items() if field in _PART_FIELDS}
            self._writer.part(where, {**kept, "number": numbered.number, "part": numbered.part})
        else:
            self._writer.cue(where, {**fields, "number": numbered.number})

    def _fields(self, where: str, cells: dict[str, str]) -> dict[str, Any]:
        """Cells as values; one that can't be understood is said, and left out."""
        fields: dict[str, Any] = {}
        for field, text in cells.items():
            value = _value(field, text)
            if value is None:
                self._writer.skip(f"{where}, column {self._header(field)}", f"“{text}” {_expected(field)}.")
            else:
                fields |= value
        return fields

    def _header(self, field: str) -> str:
        return next(self._columns.names[index] for index, name in self._columns.fields.items() if name == field)

    def _say_columns(self, body: Sequence[Row]) -> None:
        width = max((len(row.cells) for row in body), default=0)
        for index in range(max(width, len(self._columns.header.cells))):
            if index in self._columns.fields or index in self._columns.departments:
                continue
            filled = [row for row in body if row.cell(index)]
            name = self._columns.unknown.get(index)
            if name is not None:
                why = f"This header isn't known here; filled in {_rows(len(filled))}."
                self._writer.skip(f"column {name}", why)
            elif filled:
                sample = ", ".join(f"row {row.number}: {row.cell(index)}" for row in filled[:3])
                more = ", …" if len(filled) > 3 else ""
                self._writer.skip(f"column {column_letters(index)}", f"It has no header ({sample}{more}).")


def _value(field: str, text: str) -> dict[str, Any] | None:
    """What the cell says, by field; None when it can't be understood."""
    if field == "up":
        times = fade(text)
        if times is None:
            return None
        return {"up": times[0]} if times[1] is None else {"up": times[0], "down": times[1]}
    if field in ("follow", "hang") and text[:1].upper() in ("F", "H"):
        # As consoles write it, in whichever column: F3 from the start, H3 from the end.
        time = seconds(text[1:])
        return None if time is None else {"hang" if text[:1].upper() == "H" else "follow": time}
    if field in _TIMES or field == "follow":
        time = seconds(text)
        return None if time is None else {field: time}
    if field == "start":
        clock = time_of_day(text)
        return None if clock is None else {field: clock}
    if field == "status":
        return {field: text.lower()} if text.lower() in STATUSES else None
    if field == "place":
        place = PLACES.get(text.lower())
        return None if place is None else {field: place}
    if field == "colour":
        return {field: text.lower()} if _COLOR.fullmatch(text) else None
    return {field: text}


def _expected(field: str) -> str:
    if field == "start":
        return "isn't a time of day such as 10:30"
    if field == "status":
        return f"isn't one of {', '.join(STATUSES)}"
    if field == "place":
        return "isn't one of line, visual, follow, music"
    if field == "colour":
        return "isn't a colour such as #ffcc00"
    return "isn't a time such as 3, 2.5 or 1:30"


def _guess_list(source: Source, columns: Columns) -> str:
    """The list of a sheet that has no column for it: by its number's header, the rows above it, the file's name."""
    above = (cell for row in source.table.rows if row.number < columns.header.number for cell in row.cells)
    header = next((columns.names[index] for index, field in columns.fields.items() if field == "number"), "")
    for text in (header, *above, source.name):
        for word in _DEPARTMENT_WORD.findall(text):
            if word.lower() in LISTS:
                return list_name(word)
    return "Q"


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"
