"""ETC Eos, File > Export > CSV: sections of comma-separated rows between START_… and END_… lines.

Targets are of type 1 (cue), 15 (cue list) or 28 (event), among others. Times are in seconds; FOLLOW is ``F3``
(from the start) or ``H3`` (from completion). Columns and meanings: Eos Family v3 operations manual, "CSV export".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from openprod.plugin_api import InvalidFile, Proposal, Row, Snapshot, Source

from .cells import seconds
from .cues import CueWriter

TIMES = {
    "UP_DELAY": "delay", "DOWN_TIME": "down", "DOWN_DELAY": "down_delay",
    "FOCUS_TIME": "focus_time", "FOCUS_DELAY": "focus_delay", "COLOR_TIME": "color_time",
    "COLOR_DELAY": "color_delay", "BEAM_TIME": "beam_time", "BEAM_DELAY": "beam_delay",
}  # fmt: skip
TEXTS = {
    "LABEL": "label", "MARK": "mark", "BLOCK": "block", "ASSERT": "assert", "PREHEAT": "preheat",
    "CURVE": "curve", "RATE": "rate", "CUE_NOTES": "comment",
}  # fmt: skip
CUE_TEXTS = {
    "ALL_FADE": "all_fade", "LINK": "link", "LOOP": "loop",
    "EXTERNAL_LINKS": "external", "SCENE_TEXT": "scene", "SCENE_END": "scene_end",
}  # fmt: skip
UNUSED = {
    "TARGET_DCID": "The console's own id: it changes when a show is merged into another, so it isn't kept.",
    "DURATION": "The console works it out from the times.",
    "ALERT_TIME": "Only the console's own screen uses it.",
    "EFFECTS": "Effects belong to the console's show file.",
    "MODE": "Only the console's own screen uses it.",
    "WIDTH": "The size of a magic sheet, not of a cue.",
    "HEIGHT": "The size of a magic sheet, not of a cue.",
}
_READ = frozenset({"TARGET_TYPE", "TARGET_TYPE_AS_TEXT", "TARGET_LIST_NUMBER", "TARGET_ID", "PART_NUMBER"})
_SECTION = re.compile(r"(START|END)_([A-Z_]+)")
_CUE_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_FOLLOW = re.compile(r"(?P<kind>[FH])\s*(?P<time>.+)", re.IGNORECASE)


def plan(source: Source, snapshot: Snapshot) -> Proposal:
    """The targets that are cues, parts and cue lists; everything else is said in ``skipped``."""
    sections = _sections(source)
    targets = sections.pop("TARGETS", None)
    if not targets:
        raise InvalidFile(
            f"“{source.name}” holds no cues as an Eos console exports them.",
            hint="Export from Eos with File > Export > CSV; for any other sheet use cues.csv.",
        )
    return _Reader(snapshot, targets[0], sections).read(targets[1:])


class _Reader:
    def __init__(self, snapshot: Snapshot, header: Row, others: dict[str, list[Row]]) -> None:
        self._writer = CueWriter(snapshot)
        self._columns = {name: index for index, name in reversed(list(enumerate(header.cells))) if name}
        self._others = others
        self._mapping: dict[str, str] = {}
        missing = [name for name in ("TARGET_TYPE", "TARGET_ID") if name not in self._columns]
        if missing:
            raise InvalidFile(
                f"Row {header.number} has no column {' and no column '.join(missing)}.",
                hint="Export again with every column, from Eos with File > Export > CSV.",
            )

    def read(self, rows: Sequence[Row]) -> Proposal:
        found = {"cues": 0, "parts": 0, "cue lists": 0}
        for row in rows:
            kind = self._cell(row, "TARGET_TYPE")
            if kind == "1":
                found["parts" if self._is_part(row) else "cues"] += self._cue(row)
            elif kind == "15":
                found["cue lists"] += self._cue_list(row)
            else:
                self._writer.skip(
                    f"row {row.number}",
                    f"{self._named(row)} is neither a cue nor a cue list.",
                )
        self._say_unused(rows)
        for name, section in self._others.items():
            if len(section) > 1:
                self._writer.skip(f"section {name}", f"{len(section) - 1} rows, no part of a cue sheet.")
        summary = ", ".join(f"{what}: {count}" for what, count in found.items() if count) or "no cues"
        return self._writer.proposal(rows=len(rows), summary=(f"Found {summary}.",), mapping=self._mapping)

    def _cue(self, row: Row) -> bool:
        number = self._cell(row, "TARGET_ID")
        if not _CUE_NUMBER.fullmatch(number):
            self._writer.skip(f"row {row.number}", f"“{number}” isn't a cue number.")
            return False
        fields: dict[str, Any] = {"list": self._cell(row, "TARGET_LIST_NUMBER") or "1", "number": number}
        self._map("TARGET_LIST_NUMBER", "list")
        self._map("TARGET_ID", "number")
        part = self._is_part(row)
        self._times(row, fields)
        self._texts(row, fields, TEXTS)
        if part:
            fields["part"] = self._cell(row, "PART_NUMBER")
            self._map("PART_NUMBER", "part")
            self._left_out_of_part(row)
            return self._writer.part(f"row {row.number}", fields) is not None
        self._texts(row, fields, CUE_TEXTS)
        self._follow(row, fields)
        return self._writer.cue(f"row {row.number}", fields) is not None

    def _cue_list(self, row: Row) -> bool:
        name = self._cell(row, "TARGET_ID") or self._cell(row, "TARGET_LIST_NUMBER")
        if not name:
            self._writer.skip(f"row {row.number}", "A cue list without a number.")
            return False
        fields = {"name": name, "label": self._cell(row, "LABEL") or None}
        return self._writer.cue_list(f"row {row.number}", fields) is not None

    def _times(self, row: Row, fields: dict[str, Any]) -> None:
        for column, field in {"TIME_DATA": "up", **TIMES}.items():
            text = self._cell(row, column)
            if not text:
                continue
            value = seconds(text)
            if value is None:
                self._writer.skip(f"row {row.number}, column {column}", f"“{text}” isn't a time in seconds.")
                continue
            self._map(column, field)
            fields[field] = value

    def _texts(self, row: Row, fields: dict[str, Any], columns: dict[str, str]) -> None:
        for column, field in columns.items():
            if text := self._cell(row, column):
                self._map(column, field)
                fields[field] = text

    def _follow(self, row: Row, fields: dict[str, Any]) -> None:
        text = self._cell(row, "FOLLOW")
        if not text:
            return
        match = _FOLLOW.fullmatch(text)
        value = seconds(match["time"]) if match else seconds(text)
        if value is None:
            self._writer.skip(f"row {row.number}, column FOLLOW", f"“{text}” is neither F and a time nor H and a time.")
            return
        field = "hang" if match and match["kind"].upper() == "H" else "follow"
        self._mapping["FOLLOW"] = "follow, hang"
        fields[field] = value

    def _left_out_of_part(self, row: Row) -> None:
        for column in (*CUE_TEXTS, "FOLLOW"):
            if text := self._cell(row, column):
                self._writer.skip(
                    f"row {row.number}, column {column}", f"“{text}” belongs to the whole cue, not to a part."
                )

    def _say_unused(self, rows: Sequence[Row]) -> None:
        used = _READ | {"TIME_DATA", "FOLLOW"} | TIMES.keys() | TEXTS.keys() | CUE_TEXTS.keys()
        for column in self._columns:
            filled = [row for row in rows if self._cell(row, column)]
            if column in used or not filled:
                continue
            why = UNUSED.get(column, "This column isn't known here.")
            sample = ", ".join(f"row {row.number}: {self._cell(row, column)}" for row in filled[:6])
            more = f" and {len(filled) - 6} more" if len(filled) > 6 else ""
            self._writer.skip(f"column {column}", f"{why} ({sample}{more})")

    def _is_part(self, row: Row) -> bool:
        return self._cell(row, "PART_NUMBER") not in ("", "0")

    def _named(self, row: Row) -> str:
        name = self._cell(row, "TARGET_TYPE_AS_TEXT") or f"Target type {self._cell(row, 'TARGET_TYPE')}"
        return " ".join(filter(None, (name, self._cell(row, "TARGET_ID"), self._cell(row, "LABEL"))))

    def _map(self, column: str, field: str) -> None:
        self._mapping[column] = field

    def _cell(self, row: Row, column: str) -> str:
        index = self._columns.get(column)
        return "" if index is None else row.cell(index)


def _sections(source: Source) -> dict[str, list[Row]]:
    """{section: its rows, header first}. A section without its END line runs to the next START."""
    sections: dict[str, list[Row]] = {}
    current: list[Row] | None = None
    for row in source.table.rows:
        match = _SECTION.fullmatch(row.cell(0)) if not any(row.cells[1:]) else None
        if match is not None:
            current = sections.setdefault(match[2], []) if match[1] == "START" else None
        elif current is not None and not row.empty:
            current.append(row)
    return sections
