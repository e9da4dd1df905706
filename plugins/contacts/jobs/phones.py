"""What people write into cells for phone numbers and emails."""

from __future__ import annotations

import re
import unicodedata

_LABELS = {
    "m": "", "mob": "", "mobile": "", "cell": "", "c": "", "t": "", "tel": "", "telephone": "", "phone": "", "p": "",
    "h": "home", "home": "home", "w": "work", "work": "work", "o": "work", "office": "work", "fax": "fax", "f": "fax",
}  # fmt: skip
_APART = re.compile(r"[;\n|,]|\s/\s|\s+(?:or|and|&)\s+", re.IGNORECASE)
_LABEL_BEFORE = re.compile(r"\(?(?P<label>[A-Za-z]+)\)?\s*[.:)]?\s*(?P<number>[+(]*[0-9].*)", re.DOTALL)
_LABEL_AFTER = re.compile(r"(?P<number>.*[0-9)])\s*\((?P<label>[A-Za-z]+)\)", re.DOTALL)
_EMAIL = re.compile(r"[^@]+@[^@.]+(?:\.[^@.]+)+")
_NO_EMAIL = re.compile(r"[\s<>,;:\"'()]+")
_CUT = re.compile(r"[0-9](?:[.,][0-9]+)?E\+?[0-9]+", re.IGNORECASE)
_NOTHING = frozenset({"", "-", "–", "—", "?", "n/a", "na", "tbc", "tbd", "tba", "none", "x", "#n/a"})

NUMBERS_MAX = 20
EMAIL_LENGTH_MAX = 254
NUMBER_LENGTH_MAX = 200


def is_nothing(text: str) -> bool:
    """Whether a cell only says that nothing is known."""
    return text.strip(" \"'“”‘’.").casefold() in _NOTHING


def is_cut(text: str) -> bool:
    """Whether a spreadsheet has turned a long number into 7.7E+09: its digits are gone."""
    return _CUT.fullmatch(text.strip()) is not None


def numbers(text: str) -> list[tuple[str, str]]:
    """(number, label) of each phone number in a cell; none when there is none. Numbers stay as they are written."""
    found: list[tuple[str, str]] = []
    for piece in _APART.split(text):
        if len(piece) > NUMBER_LENGTH_MAX:
            continue
        number, label = _labelled(plain(piece))
        if sum(character.isdigit() for character in number) >= 3 and not is_cut(number):
            found.append((number, label))
    return found[:NUMBERS_MAX]


def shown(number: str, label: str) -> str:
    """As it stands in a list of numbers: ``020 7946 0000 (work)``."""
    return f"{number} ({label})" if label else number


def emails(text: str) -> list[str]:
    """The addresses in a cell, as in ``Ana <ana@post.example>; office@post.example.``"""
    pieces = (piece.strip(".") for piece in _NO_EMAIL.split(plain(text)))
    fit = (piece for piece in pieces if len(piece) <= EMAIL_LENGTH_MAX and _EMAIL.fullmatch(piece))
    return list(dict.fromkeys(fit))[:NUMBERS_MAX]


def plain(text: str) -> str:
    """Without what copying leaves behind: marks of direction, hard spaces, ``tel:``, a spreadsheet's apostrophe."""
    text = "".join(
        " " if unicodedata.category(character) == "Zs" else character
        for character in text
        if character == "\n" or unicodedata.category(character) not in ("Cf", "Cc")
    )
    text = text.strip().removeprefix("'").strip()
    return re.sub(r"^(tel|mailto|callto):", "", text, flags=re.IGNORECASE)


def _labelled(text: str) -> tuple[str, str]:
    for pattern in (_LABEL_BEFORE, _LABEL_AFTER):
        match = pattern.fullmatch(text)
        if match and match["label"].lower() in _LABELS:
            return match["number"].strip(), _LABELS[match["label"].lower()]
    return text, ""
