"""What an importer gets to read: bytes that the host has read, and ways to decode them."""

from __future__ import annotations

from functools import cached_property

from openprod.errors import InvalidFile
from openprod.plugin_api.components import Component
from openprod.plugin_api.table import Table, read_table

_BOMS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_PACKED = b"PK\x03\x04"
_NOT_TEXT = (
    (_PACKED, "a packed file such as an Excel workbook", "Save it as CSV and import that."),
    (b"\xd0\xcf\x11\xe0", "an old Excel or Word file, or one with a password", "Save it as .xlsx or CSV, without one."),
    (b"%PDF", "a PDF", "Import the sheet or text it was made from."),
)
_COMMON = frozenset("äöüÄÖÜßéèêëáàâåÅçñíîïóôøØúûæ°–—‘’“”…·£§«»½© \u00a0\t")


class Source:
    """A file's content. ``name`` is its file name without folders; the content never changes.

    ``notes``: what people should know of how it was read; it stands above what the importer says.
    """

    def __init__(self, data: bytes, name: str = "") -> None:
        self.data = data
        self.name = name
        self.notes: list[str] = []

    @cached_property
    def encoding(self) -> str:
        """utf-8-sig, utf-16, utf-8, cp1252 or mac_roman.

        A byte order mark decides; then whether it is UTF-8; then which of the two old tables reads as words.
        """
        for mark, encoding in _BOMS:
            if self.data.startswith(mark):
                return encoding
        try:
            self.data.decode("utf-8")
        except UnicodeDecodeError:
            return self._old_encoding()
        return "utf-8"

    def _old_encoding(self) -> str:
        def readable(encoding: str) -> int:
            text = high.decode(encoding, "replace")
            return sum(1 if char in _COMMON else -2 if char == "\ufffd" else -1 for char in text)

        high = bytes(byte for byte in self.data if byte >= 0x80)
        windows, mac = readable("cp1252"), readable("mac_roman")
        if windows == mac:
            # Bare CR line ends are only ever written by programs that grew up on the old Mac system.
            return "mac_roman" if b"\r" in self.data and b"\n" not in self.data else "cp1252"
        return "mac_roman" if mac > windows else "cp1252"

    @cached_property
    def text(self) -> str:
        """The content as text, line ends as they are. Raises InvalidFile for what isn't text."""
        for mark, what, hint in _NOT_TEXT:
            if self.data.startswith(mark):
                raise InvalidFile(f"“{self.name}” is {what}, not text.", hint=hint)
        try:
            text = self.data.decode(self.encoding, "replace" if self.encoding == "cp1252" else "strict")
        except UnicodeDecodeError as error:
            raise InvalidFile(
                f"“{self.name}” can't be read as text: it is damaged near byte {error.start}.",
                hint="Export it again, as CSV in UTF-8 where there is a choice.",
            ) from error
        if "\0" in text:
            raise InvalidFile(f"“{self.name}” isn't text.", hint="Save it as CSV or plain text and import that.")
        return text

    @cached_property
    def table(self) -> Table:
        """The content as rows of cells: text, delimiter and line ends found out, or a workbook's first sheet.

        Raises InvalidFile or LimitExceeded.
        """
        if not self.data.startswith(_PACKED):
            return read_table(self.text)
        from openprod.plugin_api import workbook  # it takes 0.2 s to load, and few commands read a workbook

        sheet = workbook.read_workbook(self.data, self.name)
        if sheet.others:
            others = ", ".join(f"“{other}”" for other in sheet.others[:10])
            self.notes.append(f"Read the sheet “{sheet.name}”; of this workbook not: {others}.")
        return sheet.table

    @cached_property
    def calendars(self) -> tuple[Component, ...]:
        """The content as iCalendar. Raises InvalidFile for what isn't."""
        from openprod.plugin_api import ical  # it takes 0.1 s to load, and few commands read a calendar

        return ical.read(self.text, self.name)
