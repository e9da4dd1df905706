"""Queries as text, such as ``plugin.facet where list = A and number = 42 sort -number limit 20``.

::

    query     = facet [ "where" condition { "and" condition } ] [ "sort" [-]field { "," [-]field } ]
                [ "limit" whole number ] [ "as of" bundle ]
    condition = field "=" value
    value     = word | "text in quotes" | null        (a word or a text also means the number or boolean it spells)

``parse`` gives the data form, which programs may send as it is.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final, NamedTuple

from openprod.errors import InputError

TEXT_MAX: Final = 10_000

_TOKEN: Final = re.compile(
    r"""\s*(?: (?P<quoted> "(?:[^"\\]|\\.)*" | '(?:[^'\\]|\\.)*' | “[^”]*” )
            | (?P<sign> [=,] ) | (?P<word> [^\s=,"'“]+ ) )""",
    re.VERBOSE,
)
_KEYWORDS: Final = ("where", "sort", "limit", "as")


class _Token(NamedTuple):
    kind: str
    text: str
    column: int


def parse(text: str) -> dict[str, Any]:
    """The data form: {facet, where?, sort?, limit?, as_of?}. Raises InputError that points at the column."""
    if text.lstrip().startswith("{"):
        try:
            found = json.loads(text)
        except ValueError as error:
            raise _error(f"This isn't JSON: {error}", getattr(error, "colno", 1)) from None
        except RecursionError:
            raise _error("This JSON is nested too deeply.", 1) from None
        assert isinstance(found, dict)
        return found
    return _Parser(text).query()


def matches(wanted: Any, value: Any) -> bool:
    """Whether a stored value is the one asked for. A text also means the number or boolean that it spells."""
    if isinstance(wanted, str) and isinstance(value, bool):
        return wanted.casefold() == ("true" if value else "false")
    if isinstance(wanted, bool) or isinstance(value, bool):
        return wanted is value
    if isinstance(wanted, str) and isinstance(value, (int, float)):
        try:
            return float(wanted) == value
        except ValueError:
            return False
    return bool(wanted == value)


class _Parser:
    def __init__(self, text: str) -> None:
        if len(text) > TEXT_MAX:
            raise InputError("The query is too long.")
        self._tokens = list(_tokens(text))
        self._at = 0
        self._end = len(text) + 1

    def query(self) -> dict[str, Any]:
        query: dict[str, Any] = {"facet": self._word("a facet, such as plugin.facet")}
        while (token := self._peek()) is not None:
            keyword = token.text.casefold()
            key = "as_of" if keyword == "as" else keyword
            if token.kind != "word" or keyword not in _KEYWORDS:
                raise _error(
                    f"“{token.text}” isn't understood here: expected where, sort, limit or as of.", token.column
                )
            if key in query:
                raise _error(f"“{token.text}” stands here a second time.", token.column)
            self._at += 1
            query[key] = getattr(self, f"_{key}")()
        return query

    def _where(self) -> dict[str, Any]:
        conditions: dict[str, Any] = {}
        while True:
            column = self._column()
            field = self._word("a field")
            if field in conditions:
                raise _error(f"The field “{field}” is asked for twice.", column)
            self._sign("=")
            conditions[field] = self._value()
            if not self._follows("word", "and"):
                return conditions

    def _sort(self) -> list[str]:
        fields = [self._word("a field")]
        while self._follows("sign", ","):
            fields.append(self._word("a field"))
        return fields

    def _limit(self) -> int:
        column = self._column()
        word = self._word("a whole number")
        if not (word.isascii() and word.isdigit() and len(word) < 10):
            raise _error(f"“{word}” isn't a whole number.", column)
        return int(word)

    def _as_of(self) -> str:
        if not self._follows("word", "of"):
            raise _error("Expected “of” after “as”.", self._column())
        return self._word("a bundle")

    def _value(self) -> Any:
        token = self._next("a value")
        if token.kind == "sign":
            raise _error(f"Expected a value, not “{token.text}”.", token.column)
        if token.kind == "word" and token.text.casefold() == "null":
            return None
        return token.text

    def _word(self, what: str) -> str:
        token = self._next(what)
        if token.kind != "word":
            raise _error(f"Expected {what}, not “{token.text}”.", token.column)
        return token.text

    def _sign(self, sign: str) -> None:
        token = self._next(f"“{sign}”")
        if (token.kind, token.text) != ("sign", sign):
            raise _error(f"Expected “{sign}”, not “{token.text}”.", token.column)

    def _follows(self, kind: str, text: str) -> bool:
        token = self._peek()
        if token is None or token.kind != kind or token.text.casefold() != text:
            return False
        self._at += 1
        return True

    def _next(self, what: str) -> _Token:
        token = self._peek()
        if token is None:
            raise _error(f"The query ends where {what} was expected.", self._end)
        self._at += 1
        return token

    def _peek(self) -> _Token | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _column(self) -> int:
        token = self._peek()
        return self._end if token is None else token.column


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    at = 0
    end = len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None:
            rest = len(text[at:]) - len(text[at:].lstrip())
            raise _error("A text in quotes doesn't end.", at + rest + 1)
        kind = match.lastgroup
        assert kind is not None
        token = match.group(kind)
        if kind == "quoted":
            token = re.sub(r"\\(.)", r"\1", token[1:-1])
        found.append(_Token(kind, token, match.start(kind) + 1))
        at = match.end()
    return found


def _error(sentence: str, column: int) -> InputError:
    return InputError(
        sentence,
        hint=f"At column {column}. Such as: plugin.facet where field = value and other = “two words” sort field",
        details={"column": column},
    )
