"""Excel workbooks (.xlsx) → rows of cells, as the sheet shows them. Bounded before anything is decoded."""

from __future__ import annotations

import io
import re
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from typing import Any, Final, NamedTuple

import openpyxl

from openprod.errors import InvalidFile, LimitExceeded
from openprod.plugin_api.table import ROWS_MAX, Row, Table, clean

MEMBERS_MAX: Final = 2_000
UNPACKED_BYTES_MAX: Final = 128 * 1024 * 1024
"""Of all that is packed in it. What says less of itself than it holds is cut there, and found damaged."""
CELLS_MAX: Final = 20_000_000
_GAP_MAX = 1_000
_CHUNK = 1024 * 1024
_WIDE = (b"\xff\xfe", b"\xfe\xff", b"<\0", b"\0<")
_DECLARES = re.compile(rb"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_FIXED = re.compile(r"(?P<whole>0+)(?:\.(?P<part>0+))?")
_HINT = "Save it again as .xlsx or as CSV, and import that."


class Sheet(NamedTuple):
    """``others``: the names of the workbook's further sheets, which weren't read."""

    table: Table
    name: str
    others: tuple[str, ...]


def read_workbook(data: bytes, name: str) -> Sheet:
    """The first sheet that isn't hidden. ``name``: what errors call the file.

    Formulas count as what they last gave. Raises InvalidFile or LimitExceeded.
    """
    with _read_as_workbook(name):
        _check(data, name)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about what a workbook holds besides cells
            book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)
            try:
                sheets = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
                if not sheets:
                    raise InvalidFile(f"“{name}” holds no sheet that is shown.", hint=_HINT)
                sheets[0].reset_dimensions()  # programs write wrong ones
                rows = tuple(_rows(sheets[0], name))
            finally:
                book.close()
    return Sheet(Table(rows, ""), sheets[0].title, tuple(sheet.title for sheet in sheets[1:]))


@contextmanager
def _read_as_workbook(name: str) -> Iterator[None]:
    try:
        yield
    except (InvalidFile, LimitExceeded):
        raise
    except Exception as error:  # whatever stands in a file that isn't what it says
        raise InvalidFile(f"“{name}” can't be read as an Excel workbook: it is damaged, or another kind of file.",
                          hint=_HINT) from error  # fmt: skip


def _check(data: bytes, name: str) -> None:
    """Sizes as the file says them, and nothing in its XML that makes more of it than is there."""
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        members = packed.infolist()
        if len(members) > MEMBERS_MAX or sum(one.file_size for one in members) > UNPACKED_BYTES_MAX:
            raise LimitExceeded(
                f"“{name}” unpacks to more than {UNPACKED_BYTES_MAX // 1024**2} MiB.",
                hint="Copy the sheet that matters into a workbook of its own.",
            )
        for one in members:
            if not one.filename.lower().endswith((".xml", ".rels", ".vml")):
                continue
            with packed.open(one) as member:
                before = b""
                while chunk := member.read(_CHUNK):
                    if (not before and chunk.startswith(_WIDE)) or _DECLARES.search(before + chunk):
                        raise InvalidFile(f"“{name}” holds declarations that no workbook needs.", hint=_HINT)
                    before = chunk[-16:]


def _rows(sheet: Any, name: str) -> Iterator[Row]:
    """Filled rows, with short runs of empty ones between them; formats often reach to the millionth row."""
    empty: list[Row] = []
    cells = filled = 0
    for number, row in enumerate(sheet.iter_rows(), start=1):
        cells += len(row) + 1
        if cells > CELLS_MAX or filled > ROWS_MAX:
            raise LimitExceeded(
                f"The sheet in “{name}” has more than {ROWS_MAX:,} rows or {CELLS_MAX:,} cells.",
                hint="Copy what matters into a workbook of its own.",
            )
        texts = [_text(cell) for cell in row]
        while texts and not texts[-1]:
            texts.pop()
        if not texts:
            if len(empty) <= _GAP_MAX:
                empty.append(Row(number, ()))
            continue
        if len(empty) <= _GAP_MAX:
            yield from empty
        empty.clear()
        filled += 1
        yield Row(number, tuple(texts))


def _text(cell: Any) -> str:
    """As the sheet shows it, where that matters: 42.10 stays 42.10, and dates and times are ISO."""
    value = cell.value
    if value is None or cell.data_type == "e":
        return ""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, (int, float)):
        return _number(value, cell.number_format or "")
    if isinstance(value, datetime):
        if value.time() == time() and "h" not in (cell.number_format or "").lower():
            return value.date().isoformat()
        return f"{value.date().isoformat()} {_time(value.time())}"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, time):
        return _time(value)
    if isinstance(value, timedelta):
        minutes, seconds = divmod(round(value.total_seconds()), 60)
        return f"{minutes // 60}:{minutes % 60:02}" + (f":{seconds:02}" if seconds else "")
    return clean(str(value))


def _number(value: float, shown_as: str) -> str:
    if isinstance(value, float):
        # Spreadsheets keep 17 digits and show 15: =A2+0.1 is 1.2 to everybody, and 1.2000000000000002 in the file.
        value = float(f"{value:.15g}")
    fixed = _FIXED.fullmatch(shown_as)
    if fixed is not None and abs(value) < 1e15:
        places = len(fixed["part"] or "")
        rounded = f"{abs(value):.{places}f}".zfill(len(fixed["whole"]) + (places + 1 if places else 0))
        if float(rounded) == abs(value):  # a format that hides digits isn't what was meant
            return f"-{rounded}" if value < 0 else rounded
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return repr(value)


def _time(value: time) -> str:
    # A clock time is a fraction of a day: half a second of it is noise.
    seconds = value.hour * 3600 + value.minute * 60 + value.second + (value.microsecond >= 500_000)
    hours, minutes, seconds = seconds // 3600 % 24, seconds // 60 % 60, seconds % 60
    return f"{hours:02}:{minutes:02}" + (f":{seconds:02}" if seconds else "")
