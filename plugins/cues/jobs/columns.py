"""Which column of an ordinary cue sheet is which field: found by the headers people use."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from openprod.plugin_api import Row, without_accents

from .cells import LISTS, list_name

HEADER_ROWS_MAX = 40
HEADER_LENGTH_MAX = 80

ALIASES: dict[str, tuple[str, ...]] = {
    "list": ("list", "cue list", "dept", "department"),
    "number": ("q", "cue", "q no", "q number", "cue no", "cue number", "cue num", "no", "number", "num", "cue id",
               "lx q", "lx cue", "lxq", "lx no", "sound q", "sound cue", "sq", "video q", "video cue", "vq"),
    "part": ("part", "cue part"),
    "label": ("label", "cue label", "name", "cue name", "title", "description", "what", "look", "cue description"),
    "page": ("page", "pg", "p", "page no", "pg no", "script page", "page number"),
    "scene": ("scene", "sc", "act scene", "a s", "scene no"),
    "line": ("line", "cue line", "line visual", "visual", "text", "line text", "placement", "go on", "on",
             "cue point", "trigger", "when", "standby line", "spoken line"),
    "place": ("place", "called", "called on", "type of call", "cue type"),
    "start": ("start", "start time", "starts", "time of day", "clock"),
    "up": ("up", "up time", "time", "fade", "fade time", "in", "time in", "fade in", "upfade", "cue time", "time up"),
    "down": ("down", "down time", "out", "time out", "fade out", "downfade", "time down"),
    "delay": ("delay", "wait", "pre wait", "prewait", "up delay", "delay in"),
    "down_delay": ("down delay", "delay out"),
    "follow": ("follow", "follow on", "followon", "auto follow", "autofollow", "f", "af", "auto", "continue"),
    "hang": ("hang", "h"),
    "link": ("link", "link to"),
    "block": ("block", "blk"),
    "mark": ("mark", "mk"),
    "status": ("status", "state"),
    "colour": ("row colour", "row color", "highlight"),
    "comment": ("comment", "comments", "note", "notes", "cue notes", "remarks", "remark"),
}  # fmt: skip

_FIELDS = {alias: field for field, aliases in ALIASES.items() for alias in aliases}
_NOT_WORDS = re.compile(r"[^a-z0-9]+")


class Columns(NamedTuple):
    """``fields``: column → field; ``departments``: column → list, when cells hold several departments' cues;
    ``names``: column → its header as written; ``unknown``: headed columns that mean nothing here.
    """

    header: Row
    fields: dict[int, str]
    departments: dict[int, str]
    names: dict[int, str]
    unknown: dict[int, str]

    @property
    def wide(self) -> bool:
        """Each row is one moment, with a column of cues for each department."""
        return bool(self.departments)

    @property
    def mapping(self) -> dict[str, str]:
        """Header → field, in the order of the sheet."""
        by_column = {**self.fields, **{column: f"cues of {name}" for column, name in self.departments.items()}}
        return {self.names[column]: field for column, field in sorted(by_column.items())}


def find_header(rows: Sequence[Row]) -> Columns | None:
    """The first row with at least two headers that are known, one of which can hold cue numbers."""
    for row in rows[:HEADER_ROWS_MAX]:
        columns = _read(row)
        if len(columns.fields) + len(columns.departments) >= 2 and (
            columns.wide or "number" in columns.fields.values()
        ):
            return columns
    return None


def _read(row: Row) -> Columns:
    names = {index: cell for index, cell in enumerate(row.cells) if cell}
    fields: dict[int, str] = {}
    departments: dict[int, str] = {}
    for index, name in names.items():
        plain = normal(name)
        field = _FIELDS.get(plain)
        if field is not None and field not in fields.values():
            fields[index] = field
        elif field is None and plain in LISTS:
            departments[index] = list_name(plain)
    if "list" in fields.values():
        departments = {}
    unknown = {index: name for index, name in names.items() if index not in fields and index not in departments}
    return Columns(row, fields, departments, names, unknown)


def normal(header: str) -> str:
    """``Cue #`` → ``cue no``, ``Line/Visual`` → ``line visual``, ``UP (s)`` → ``up``; "" for one that is too long."""
    if len(header) > HEADER_LENGTH_MAX:
        return ""
    text = re.sub(r"\([^)]*\)", " ", without_accents(header).lower()).replace("#", " no ")
    return " ".join(_NOT_WORDS.sub(" ", text).split())
