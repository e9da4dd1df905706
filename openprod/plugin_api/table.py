"""Delimited text: finds the delimiter and gives rows of cells, numbered as a spreadsheet numbers them."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from openprod.errors import InvalidFile, LimitExceeded

DELIMITERS = ",;\t|"
ROWS_MAX = 200_000
_SAMPLE_ROWS = 60


class Row(NamedTuple):
    """``number`` counts from 1, as in a spreadsheet. Cells are text without surrounding white space."""

    number: int
    cells: tuple[str, ...]

    @property
    def empty(self) -> bool:
        return not any(self.cells)

    def cell(self, index: int) -> str:
        """The cell, "" beyond the row's end."""
        return self.cells[index] if index < len(self.cells) else ""

    @property
    def excerpt(self) -> str:
        """What stands in it, quoted and at most 80 characters long, to tell people which row is meant."""
        text = " · ".join(cell for cell in self.cells if cell)
        return f"“{text[:77]}…”" if len(text) > 78 else f"“{text}”"


class Table(NamedTuple):
    rows: tuple[Row, ...]
    delimiter: str

    @property
    def width(self) -> int:
        return max((len(row.cells) for row in self.rows), default=0)


def column_letters(index: int) -> str:
    """A column as spreadsheets call it: 0 → A, 26 → AA."""
    letters = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def read_table(text: str) -> Table:
    """Rows of ``text``: any of LF, CRLF, CR; quotes as spreadsheets write them."""
    first_line = text.lstrip("\ufeff").splitlines()[:1]
    if first_line and first_line[0].lower().startswith("sep=") and len(first_line[0]) == 5:
        delimiter = first_line[0][4]
    else:
        delimiter = find_delimiter(text)
    return Table(tuple(_rows(text, delimiter)), delimiter)


def find_delimiter(text: str) -> str:
    """The delimiter that cuts the first rows most evenly into more than one cell; a comma if none does."""
    best, best_score = ",", 0.0
    for delimiter in DELIMITERS:
        try:
            rows = _rows(text, delimiter, limit=_SAMPLE_ROWS)
        except (InvalidFile, LimitExceeded):
            continue
        widths = Counter(len(row.cells) for row in rows if not row.empty and len(row.cells) > 1)
        if not widths:
            continue
        width, count = widths.most_common(1)[0]
        score = count * (1 - 1 / width)
        if score > best_score:
            best, best_score = delimiter, score
    return best


class _Lines:
    """The lines of a text; ``ended`` once more were asked for than there are."""

    def __init__(self, text: str) -> None:
        self._lines = io.StringIO(text, newline="")
        self.ended = False

    def __iter__(self) -> Iterator[str]:
        yield from self._lines
        self.ended = True


def _rows(text: str, delimiter: str, limit: int = ROWS_MAX + 1) -> list[Row]:
    rows: list[Row] = []
    lines = _Lines(text.removeprefix("\ufeff"))
    reader = csv.reader(lines, delimiter=delimiter)
    begins = 1
    try:
        for number, cells in enumerate(reader, start=1):
            if number > limit:
                break
            if lines.ended:  # within a row: one of its cells would hold all that follows in the file
                raise InvalidFile(
                    f"A quotation mark is opened near line {begins} and never closed.",
                    hint="Close it or take it out. Nothing was read: the rows after it can't be told apart.",
                )
            begins = reader.line_num + 1
            rows.append(Row(number, tuple(clean(cell) for cell in cells)))
    except csv.Error as error:
        raise InvalidFile(
            f"The table can't be read near line {reader.line_num}: {error}.",
            hint="Look for a quotation mark that is opened and never closed.",
        ) from error
    if len(rows) > ROWS_MAX:
        raise LimitExceeded(f"The table has more than {ROWS_MAX:,} rows.", hint="Split it into several files.")
    return rows


def without_accents(text: str) -> str:
    """``Prénom`` → ``Prenom``: to look for a word however it was typed."""
    return "".join(one for one in unicodedata.normalize("NFKD", text) if not unicodedata.combining(one))


def clean(cell: str) -> str:
    """A cell without surrounding white space, its line ends as LF."""
    return cell.replace("\r\n", "\n").replace("\r", "\n").replace("\u00a0", " ").strip()
