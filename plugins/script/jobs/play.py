"""A play as its text has it: scenes in order, and who speaks how often in each."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

JOINT_WORDS_MAX = 12
"""Longer headings aren't taken apart: the ways to do so double with every word."""

ROMAN = {"I": 1, "V": 5, "X": 10, "L": 50}
_DIVISION = re.compile(r"(?P<kind>ACT|SCENE)\s+(?P<number>[IVXL]+|\d+)\b[\s.:,—–-]*(?P<rest>.*)", re.IGNORECASE)
_ENTRANCE = re.compile(r"\b(?:re-?)?enter\b(?:\s+to\s+\w+)?", re.IGNORECASE)
_SEPARATOR = re.compile(r",|;|\.|\band\b|\bwith\b|\bto\b", re.IGNORECASE)
_WORD = re.compile(r"\b[^\W\d_]’(?=[^\W\d_]{2})|[^\W\d_]+(?:’[^\W\d_]+)?")
_JOINED = re.compile(r"\s*(?:,|&|/|\+|\bAND\b)\s*", re.IGNORECASE)


@dataclass(slots=True)
class Scene:
    """``act`` and ``number`` are as written ("III"), either may be "". ``speeches``: by role, in order of speaking."""

    act: str
    number: str
    heading: str = ""
    page: int = 0
    speeches: Counter[str] = field(default_factory=Counter)

    @property
    def name(self) -> str:
        """``Act I, Scene V``; what there is of it."""
        parts = [f"{kind} {number}" for kind, number in (("Act", self.act), ("Scene", self.number)) if number]
        return ", ".join(parts) or self.heading or "Scene"

    @property
    def code(self) -> str:
        """``1.5``; the text's own numbers when they aren't Roman."""
        return ".".join(arabic(number) for number in (self.act, self.number) if number)


@dataclass(frozen=True, slots=True)
class Division:
    kind: str
    number: str
    rest: str


def division(text: str) -> Division | None:
    """``ACT II`` or ``Scene 3. A heath``: what a heading says. None when it is neither act nor scene."""
    match = _DIVISION.fullmatch(text.strip())
    return Division(match["kind"].lower(), match["number"].upper(), match["rest"].strip()) if match else None


def arabic(number: str) -> str:
    """``IV`` → ``4``; anything else as it is."""
    if not number or set(number) - ROMAN.keys():
        return number
    values = [ROMAN[letter] for letter in number]
    return str(sum(-value if value < after else value for value, after in zip(values, [*values[1:], 0], strict=True)))


def entering(direction: str) -> set[str]:
    """Upper-case names in a direction such as "Enter King, Voltimand, Cornelius and Lords."."""
    match = _ENTRANCE.search(direction)
    if match is None:
        return set()
    return {item.strip().upper() for item in _SEPARATOR.split(direction[match.end() :]) if item.strip()}


def speakers(heading: str, known: set[str]) -> list[str]:
    """The roles that a speech's heading names.

    ``MARCELLUS BERNARDO`` is two when both are known from elsewhere; ``JACK AND ALGERNON`` is always two;
    ``PLAYER KING`` is one.
    """
    joined = [piece for piece in _JOINED.split(heading) if piece]
    if len(joined) > 1:
        return joined
    words = heading.split()
    for cut in range(len(words) - 1 if len(words) <= JOINT_WORDS_MAX else 0, 0, -1):
        first, rest = " ".join(words[:cut]), " ".join(words[cut:])
        if first in known:
            others = speakers(rest, known)
            if rest in known or len(others) > 1:
                return [first, *others]
    return [heading]


def shown(name: str) -> str:
    """``FIRST CLOWN`` → ``First Clown``, ``O’NEILL`` → ``O’Neill``; a name that isn't all capitals stays."""
    return name if name != name.upper() else _WORD.sub(lambda match: match[0].capitalize(), name)
