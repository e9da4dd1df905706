"""Reads the lines of vCards: 2.1, 3.0 (RFC 2426) and 4.0 (RFC 6350), as phones and address books really write them.

No well-kept library reads them all (vobject stops at 3.0 and refuses bare parameters and quoted-printable), so these
few rules are here. Nothing is refused: a line that makes no sense is given back as such.
"""

from __future__ import annotations

import quopri
import re
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from openprod.plugin_api import Source

HEAD_LENGTH_MAX = 4_000

_LINE = re.compile(r"(?:(?P<group>[A-Za-z0-9-]+)\.)?(?P<name>[A-Za-z0-9-]+)(?P<params>;.*)?", re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_TOKEN = re.compile(r"\\.|[;,]|[^\\;,]+|\\", re.DOTALL)
_FOLD = re.compile(rb"(\r\n|\n|\r)[ \t]")
_BASE64 = re.compile(r"[A-Za-z0-9+/=\s]*")
_QUOTED = "quoted-printable"
_BINARY = frozenset({"base64", "b"})
_CHARSETS = frozenset({
    "utf-8", "utf8", "us-ascii", "ascii", "iso-8859-1", "iso-8859-2", "iso-8859-15", "windows-1250", "windows-1251",
    "windows-1252", "macintosh", "koi8-r", "shift_jis", "euc-jp", "iso-2022-jp", "gb2312", "gbk", "big5", "euc-kr",
})  # fmt: skip


class Line(NamedTuple):
    """``name`` in capitals, ``params`` {name: values}, both of them in small letters; ``raw`` has its escapes still.

    ``group``: what ties lines together (``item1``). ``old``: of a 2.1 card, where a backslash means little.
    """

    name: str
    params: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    raw: str = ""
    group: str = ""
    old: bool = False

    @property
    def text(self) -> str:
        return self._plain(self.raw)

    @property
    def types(self) -> frozenset[str]:
        return frozenset(self.params.get("type", ()))

    @property
    def binary(self) -> bool:
        return bool(_BINARY.intersection(self.params.get("encoding", ())))

    @property
    def preference(self) -> int:
        """1 is liked best, 100 least; 101 says nothing."""
        if "pref" in self.types:
            return 1
        value = self.params.get("pref", ("",))[0]
        return (
            int(value) if value.isascii() and value.isdecimal() and len(value) <= 3 and 1 <= int(value) <= 100 else 101
        )

    def parts(self, separator: str = ";") -> list[str]:
        """The value cut at every separator that isn't escaped."""
        pieces = [""]
        for token in _TOKEN.findall(self.raw):
            if token == separator:
                pieces.append("")
            else:
                pieces[-1] += token
        return [self._plain(piece) for piece in pieces]

    def _plain(self, text: str) -> str:
        if self.old:
            text = _ESCAPE.sub(lambda match: match[1] if match[1] in ";:,\\" else match[0], text)
        else:
            text = _ESCAPE.sub(lambda match: "\n" if match[1] in "nN" else match[1], text)
        return text.replace("\r\n", "\n").replace("\r", "\n").replace("\u00a0", " ").strip()


class Card(NamedTuple):
    """``number`` counts from 1. ``broken``: lines that aren't any. ``whole``: it has its END."""

    number: int
    lines: tuple[Line, ...]
    broken: tuple[str, ...] = ()
    whole: bool = True

    def all(self, *names: str) -> list[Line]:
        """Lines of these names, the preferred ones first, otherwise as they stand."""
        return sorted((line for line in self.lines if line.name in names), key=lambda line: line.preference)

    def text(self, *names: str) -> str:
        return next((line.text for line in self.all(*names) if line.text), "")


def read_cards(source: Source) -> Iterator[Card]:
    """Every card of the file, in its order. What stands outside of cards is ignored."""
    number, lines, broken, nested = 0, list[Line](), list[str](), 0
    inside = False
    for text in _logical(_text(source)):
        line = _line(text)
        if line is not None and line.name in ("BEGIN", "END") and line.raw.strip().upper() == "VCARD":
            if line.name == "BEGIN" and inside and (nested or _opens_agent(lines)):
                nested += 1
            elif line.name == "BEGIN":
                if inside:
                    yield _card(number, lines, broken, whole=False)
                number, lines, broken, inside = number + 1, [], [], True
            elif nested:
                nested -= 1
            elif inside:
                yield _card(number, lines, broken, whole=True)
                inside = False
        elif inside and not nested and text.strip():
            if line is None:
                broken.append(text.strip())
            else:
                lines.append(line)
    if inside:
        yield _card(number, lines, broken, whole=False)


def _card(number: int, lines: list[Line], broken: list[str], *, whole: bool) -> Card:
    version = next((line.raw.strip() for line in lines if line.name == "VERSION"), "")
    old = version.startswith("2")
    return Card(number, tuple(_decoded(line)._replace(old=old) for line in lines), tuple(broken), whole)


def _opens_agent(lines: list[Line]) -> bool:
    """Whether the card that begins now is inside the last line: 2.1 has an agent's whole card there."""
    return bool(lines) and lines[-1].name == "AGENT" and not lines[-1].raw.strip()


def _text(source: Source) -> str:
    if source.encoding in ("cp1252", "mac_roman"):
        # Some programs fold in the middle of a character: then only the unfolded bytes are UTF-8.
        unfolded = Source(_FOLD.sub(b"", source.data), source.name)
        if unfolded.encoding == "utf-8":
            return unfolded.text
    return source.text


def _logical(text: str) -> Iterator[str]:
    """Lines as they were before they were folded: by white space, by quoted-printable, or (pictures) by nothing."""
    pieces: list[str] = []
    head = ""
    for physical in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        if pieces and head == _QUOTED and pieces[-1].endswith("="):
            pieces[-1] = pieces[-1][:-1]
            pieces.append(physical)
        elif pieces and physical[:1] in (" ", "\t"):
            pieces.append(physical[1:])
        elif pieces and head == "binary" and ":" not in physical and physical and _BASE64.fullmatch(physical):
            pieces.append(physical)
        else:
            if pieces:
                yield "".join(pieces)
            pieces, head = [physical], _kind(physical)
    if pieces:
        yield "".join(pieces)


def _kind(physical: str) -> str:
    start = physical.partition(":")[0].lower()
    if _QUOTED in start:
        return _QUOTED
    return "binary" if re.search(r";(encoding=)?(base64|b)(;|$)", start) else ""


def _line(text: str) -> Line | None:
    head, value = _at_colon(text)
    match = _LINE.fullmatch(head.strip()) if len(head) <= HEAD_LENGTH_MAX else None
    if match is None or value is None:
        return None
    params: dict[str, tuple[str, ...]] = {}
    for param in _outside_quotes(match["params"] or "", ";"):
        name, equals, content = param.partition("=")
        values = tuple(filter(None, (one.strip().strip('"').lower() for one in content.replace('"', "").split(","))))
        if not equals:
            # 2.1 writes TEL;CELL:…, and ;QUOTED-PRINTABLE: without saying of what.
            bare = param.strip().lower()
            name, values = ("encoding" if bare in {_QUOTED, *_BINARY, "8bit", "7bit"} else "type"), (bare,)
        if values and values[0]:
            key = name.strip().lower()
            params[key] = (*params.get(key, ()), *values)
    return Line(match["name"].upper(), params, value, (match["group"] or "").lower())


def _at_colon(text: str) -> tuple[str, str | None]:
    quoted = False
    for at, character in enumerate(text):
        if character == '"':
            quoted = not quoted
        elif character == ":" and not quoted:
            return text[:at], text[at + 1 :]
    head, colon, value = text.partition(":")
    return head, value if colon else None


def _outside_quotes(text: str, separator: str) -> Iterable[str]:
    pieces, quoted = [""], False
    for character in text:
        quoted = quoted != (character == '"')
        if character == separator and not quoted:
            pieces.append("")
        else:
            pieces[-1] += character
    return filter(None, pieces)


def _decoded(line: Line) -> Line:
    if _QUOTED not in line.params.get("encoding", ()):
        return line
    data = quopri.decodestring(line.raw.encode())
    charset = line.params.get("charset", ("utf-8",))[0]
    for name in (charset if charset in _CHARSETS else "utf-8", "utf-8"):
        try:
            return line._replace(raw=data.decode(name).replace("\0", ""))
        except UnicodeDecodeError:
            continue
    return line._replace(raw=data.decode("cp1252", "replace").replace("\0", ""))
