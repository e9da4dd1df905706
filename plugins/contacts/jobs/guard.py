"""Cells that a spreadsheet must not take for formulas.

A cell that begins with = + - @ (or a tab, or the wide forms of those signs) gets an apostrophe before it, which
spreadsheets show or hide but never calculate. A phone number such as ``+44 20 7946 0000`` stays as it is: a plus,
digits, blanks, dots and brackets can't name a function, and people copy it from there to a telephone. One with
hyphens (``+1-555-0100``) would be subtracted, so it gets the apostrophe too. Reading takes the apostrophe away again.
"""

from __future__ import annotations

import re

_RISKY = re.compile(r"'*\s*[=+\-@\t\r＝＋－＠]")
_GUARDED = re.compile(r"''*\s*[=+\-@\t\r＝＋－＠]")
_DIALLED = re.compile(r"\+[0-9][0-9 .()]*")


def guarded(text: str) -> str:
    return f"'{text}" if _RISKY.match(text) and not _DIALLED.fullmatch(text) else text


def unguarded(text: str) -> str:
    return text[1:] if _GUARDED.match(text) else text
