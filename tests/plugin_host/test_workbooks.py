"""Excel workbooks are read as the sheet shows them, within bounds, or refused in a sentence."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import Any

import openpyxl
import pytest

from openprod.errors import InvalidFile, LimitExceeded
from openprod.plugin_api import Snapshot, Source
from openprod.plugin_api import workbook as reading
from openprod.plugin_host.importing import plan_import
from openprod.plugin_host.registry import Registry, shipped_folder


def made(*sheets: list[list[Any]], change: Callable[[Any], None] | None = None) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for number, rows in enumerate(sheets, 1):
        sheet = book.create_sheet(f"Sheet {number}")
        for row in rows:
            sheet.append(row)
    if change is not None:
        change(book)
    kept = io.BytesIO()
    book.save(kept)
    return kept.getvalue()


def repacked(data: bytes, **changed: bytes) -> bytes:
    """The same workbook with other members; ``__`` stands for ``/``, ``_x`` ends for ``.xml``."""
    kept = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(kept, "w", zipfile.ZIP_DEFLATED) as new:
        for one in old.infolist():
            new.writestr(one.filename, changed.pop(one.filename, None) or old.read(one))
        for name, content in changed.items():
            new.writestr(name, content)
    return kept.getvalue()


SHEET = "xl/worksheets/sheet1.xml"


def cells(data: bytes) -> list[tuple[str, ...]]:
    return [row.cells for row in Source(data, "list.xlsx").table.rows]


def test_cells_are_as_the_sheet_shows_them() -> None:
    def shown(book: Any) -> None:
        for cell, shown_as in zip(book.active[1], ["0.00", "000", "0.0", "General"], strict=True):
            cell.number_format = shown_as
        book.active["A4"] = "=1/0"

    data = made(
        [
            [42.1, 7, 3.25, 42.0],
            [date(2026, 11, 30), datetime(2026, 11, 30, 19, 30), time(10, 30), timedelta(hours=27, minutes=5)],
            [True, " two\r\nlines\u00a0", None, -0.5],
            [],
        ],
        change=shown,
    )
    assert cells(data) == [
        ("42.10", "007", "3.25", "42"),
        ("2026-11-30", "2026-11-30 19:30", "10:30", "27:05"),
        ("TRUE", "two\nlines", "", "-0.5"),
    ]


def test_rows_keep_their_numbers_and_what_is_only_formatted_is_nothing() -> None:
    def far(book: Any) -> None:
        book.active["A1000000"].number_format = "0.00"
        book.active["C5"] = "last"

    rows = Source(made([["Name"], [None, "x"]], change=far), "list.xlsx").table.rows
    assert [(row.number, row.cells) for row in rows] == [
        (1, ("Name",)), (2, ("", "x")), (3, ()), (4, ()), (5, ("", "", "last")),
    ]  # fmt: skip


def test_people_come_from_a_workbook_and_hear_which_sheet_was_read() -> None:
    registry = Registry.load(shipped=shipped_folder())
    manifest, importer = registry.importer("contacts.sheet")
    assert importer.suits("Company.XLSX")
    data = made(
        [
            ["Contact sheet", None, None],
            [None, None, None],
            ["Name", None, "Phone"],
            ["Jane Doe", None, "+44 20 7946 0001"],
        ],
        [["old"]],
    )
    proposal = plan_import(manifest, importer, data, Snapshot("ws"), file_name="company.xlsx")
    assert proposal.summary[0] == "Read the sheet “Sheet 1”; of this workbook not: “Sheet 2”."
    assert proposal.counts["created"] == 1
    assert proposal.mapping == {"Name": "name", "Phone": "phone"}


def test_the_first_sheet_that_is_shown_is_read() -> None:
    def hide(book: Any) -> None:
        book.worksheets[0].sheet_state = "hidden"

    source = Source(made([["secret"]], [["seen"]], change=hide), "list.xlsx")
    assert [row.cells for row in source.table.rows] == [("seen",)]
    assert source.notes == []


BILLION = b"""<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>
<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>&b;</sheetData></worksheet>"""
FAR = b"""<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>
<row r="99999999999"><c r="A99999999999"><v>1</v></c></row></sheetData></worksheet>"""


def test_what_would_unpack_to_too_much_is_refused_unread() -> None:
    bomb = repacked(made([["a"]]), **{"xl/media/image1.xml": b" " * (reading.UNPACKED_BYTES_MAX + 1)})
    assert len(bomb) < 1_000_000
    with pytest.raises(LimitExceeded, match="unpacks to more than") as refused:
        cells(bomb)
    assert refused.value.hint


def test_rows_without_end_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "CELLS_MAX", 5_000)
    with pytest.raises(LimitExceeded, match="more than"):
        cells(repacked(made([["a"]]), **{SHEET: FAR}))
    with pytest.raises(LimitExceeded, match="more than"):
        cells(made([[1, 2, 3]] * 2_000))


@pytest.mark.parametrize(
    "data",
    [
        made([["a"]])[:-40],
        made([["a"]])[:200],
        b"PK\x03\x04" + b"\0" * 100,
        repacked(b"PK\x05\x06" + b"\0" * 18, **{"readme.txt": b"no workbook"}),
        repacked(made([["a"]]), **{SHEET: BILLION}),
        repacked(made([["a"]]), **{SHEET: BILLION.decode().encode("utf-16")}),
        repacked(made([["a"]]), **{SHEET: b"<worksheet><sheetData><row r='x'>"}),
        repacked(made([["a"]]), **{"xl/workbook.xml": b"<a/>"}),
        repacked(made([["a"]]), **{SHEET: b"<a>" * 20_000}),
    ],
    ids=["cut", "torn", "a head alone", "another zip", "entities", "entities in UTF-16", "no XML", "no book", "deep"],
)
def test_what_is_no_workbook_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidFile) as refused:
        cells(data)
    assert "“list.xlsx”" in refused.value.sentence
    assert "CSV" in refused.value.hint


def test_a_workbook_with_a_password_is_refused() -> None:
    with pytest.raises(InvalidFile, match="password") as refused:
        cells(b"\xd0\xcf\x11\xe0" + b"\0" * 600)
    assert "without one" in refused.value.hint


def test_numbers_that_were_worked_out_have_no_more_digits_than_are_shown() -> None:
    data = made([[1.25, 0.75, 42.5]])
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        sheet = packed.read(SHEET)
    for written, kept in ((b"1.25", b"1.2000000000000002"), (b"0.75", b"0.30000000000000004"), (b"42.5", b"1e-3")):
        sheet = sheet.replace(b"<v>" + written + b"</v>", b"<v>" + kept + b"</v>")
    assert cells(repacked(data, **{SHEET: sheet})) == [("1.2", "0.3", "0.001")]
