"""The text form, read. The grammar is ``GRAMMAR``; ``write`` is the way back."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeVar

from openprod.core.queries.ast import (
    DEPTH_MAX,
    HOPS_MAX,
    MEASURES,
    Compare,
    Condition,
    Conflicted,
    Has,
    Hop,
    In,
    Json,
    Matching,
    Measure,
    Name,
    Not,
    Operator,
    Query,
    Sort,
    Wanted,
    all_of,
    any_of,
)
from openprod.core.values import canonical
from openprod.errors import InputError

T = TypeVar("T")

TEXT_MAX: Final = 10_000
ANYTHING: Final = "*"
"""Where an edge leads when that is left to its schema, said because something else follows."""

GRAMMAR: Final = """\
query      = source { "where" condition | hop | select | group | sort | limit | offset | as-of }
source     = plugin.facet | Concept
hop        = arrow plugin.edge [ "where" condition ] [ arrow ( source | "*" ) ]      arrow = "->" | "<-", twice the same
select     = "select" ( field | measure ) { "," ( field | measure ) }
measure    = "count()" | ( "min" | "max" | "sum" ) "(" field ")"
group      = "group by" field { "," field }
sort       = "sort" [ "-" ] ( field | measure ) [ "nulls first" | "nulls last" ] { "," … }
limit      = "limit" number        offset = "offset" number
as-of      = "as of" ( bundle | date | date-and-time | "yesterday" | "last friday" | "3 days ago" | … )

condition  = all { "or" all }
all        = one { "and" one }
one        = "not" one | "(" condition ")" | "has" path | "matching" value
           | "conflicted" [ "(" field { "," field } ")" ] | comparison
comparison = field ( "=" | "!=" | "<" | "<=" | ">" | ">=" | "contains" | "starts" ) value
           | field [ "not" ] "in" "(" value { "," value } ")" | field "is" [ "not" ] "null"
path       = arrow plugin.edge [ "where" "(" condition ")" ]
             [ arrow ( source | "*" ) [ "where" "(" condition ")" ] ] [ path ]
field      = word | "entity"       value = word | "text in quotes" | null | JSON list or object
"""

_TOKEN: Final = re.compile(
    r"""\s*(?: (?P<quoted> "(?:[^"\\]|\\.)*" | '(?:[^'\\]|\\.)*' | “[^”]*” )
            | (?P<arrow> -> | <-(?![\d.]) ) | (?P<sign> != | <= | >= | [=<>,()] )
            | (?P<word> (?: (?!->|!=) [^\s=,()<>"'“] )+ ) )""",
    re.VERBOSE | re.DOTALL,
)
_CLAUSES: Final = ("where", "select", "group", "sort", "limit", "offset", "as")
_COMPARING: Final[dict[str, Operator]] = {
    "=": "=", "!=": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">=", "contains": "contains", "starts": "starts",
}  # fmt: skip


class _Token(NamedTuple):
    kind: str
    text: str
    column: int


def read(text: str) -> Query:
    """Raises InputError that points at the column."""
    if len(text) > TEXT_MAX:
        raise InputError("The query is too long.", hint=f"At most {TEXT_MAX:,} characters.")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise wrong("Half a character (a lone surrogate) stands here.", error.start + 1) from None
    return _Parser(text).query()


def wrong(sentence: str, column: int) -> InputError:
    """An error at a column of the text form, from 1."""
    return InputError(
        sentence,
        hint=f"At column {column}. Such as: plugin.facet where field = value and other = “two words” sort field",
        details={"column": column},
    )


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(_tokens(text))
        self._at = 0
        self._end = len(text) + 1
        self._depth = 0

    # -- the query and its clauses -------------------------------------------------------------------------

    def query(self) -> Query:
        source = self._name("a facet or a concept")
        where: Condition | None = None
        hops: list[Hop] = []
        parts: dict[str, Any] = {}
        while (token := self._peek()) is not None:
            keyword = token.text.casefold()
            if token.kind == "arrow":
                if len(hops) == HOPS_MAX:
                    raise wrong(f"A query follows at most {HOPS_MAX} edges.", token.column)
                hops.append(self._hop(self._condition))
                parts.pop("where", None)
            elif token.kind != "word" or keyword not in _CLAUSES:
                raise wrong(
                    f"“{token.text}” isn't understood here: expected where, ->, select, group by, sort, limit, offset"
                    " or as of.",
                    token.column,
                )
            elif keyword in parts:
                raise wrong(f"“{token.text}” stands here a second time.", token.column)
            else:
                self._at += 1
                parts[keyword] = True
                if keyword != "where":
                    parts[keyword] = getattr(self, f"_{keyword}")()
                elif hops:
                    last = hops[-1]
                    hops[-1] = Hop(last.edge, last.outward, last.target, self._condition(), last.edge_where)
                else:
                    where = self._condition()
        selected = parts.get("select", ())
        return Query(
            source=source, where=where, along=tuple(hops),
            fields=tuple(one for one in selected if isinstance(one, Name)),
            measures=tuple(one for one in selected if isinstance(one, Measure)),
            group=parts.get("group", ()), sort=parts.get("sort", ()), limit=parts.get("limit"),
            offset=parts.get("offset", 0), as_of=parts.get("as"),
        )  # fmt: skip

    def _select(self) -> tuple[Name | Measure, ...]:
        return self._list(self._column_or_measure)

    def _group(self) -> tuple[Name, ...]:
        self._keyword("by", "group")
        return self._list(self._field)

    def _sort(self) -> tuple[Sort, ...]:
        return self._list(self._sorted)

    def _sorted(self) -> Sort:
        token = self._peek()
        down = token is not None and token.kind == "word" and token.text.startswith("-")
        if down:
            assert token is not None
            if token.text == "-":
                self._at += 1  # what follows is in quotes
            else:
                self._tokens[self._at] = _Token("word", token.text[1:], token.column + 1)
        by = self._column_or_measure()
        nulls_first = False
        if self._follows("nulls"):
            if self._follows("first"):
                nulls_first = True
            else:
                self._keyword("last", "nulls", "“first” or “last”")
        return Sort(by, down, nulls_first)

    def _limit(self) -> int:
        column = self._column()
        word = self._word("a whole number")
        if not (word.isascii() and word.isdigit() and len(word) < 10):
            raise wrong(f"“{word}” isn't a whole number.", column)
        return int(word)

    _offset = _limit

    def _as(self) -> str:
        self._keyword("of", "as")
        column = self._column()
        words = [self._next("a bundle or a time").text]
        while (token := self._peek()) is not None and token.kind == "word" and token.text.casefold() not in _CLAUSES:
            self._at += 1
            words.append(token.text)
        return Name(" ".join(words), column)

    def _column_or_measure(self) -> Name | Measure:
        token = self._peek()
        after = self._peek(1)
        if token is None or token.kind != "word" or after is None or after[:2] != ("sign", "("):
            return self._field()
        for kind in MEASURES:
            if token.text.casefold() == kind:
                self._at += 2
                field = None if kind == "count" else self._field()
                self._sign(")")
                return Measure(kind, field)
        raise wrong(f"“{token.text}” can't be measured: count(), min(…), max(…) or sum(…).", token.column)

    # -- edges ---------------------------------------------------------------------------------------------

    def _hop(self, condition: Callable[[], Condition]) -> Hop:
        """``condition`` reads what stands after a “where” of the edge; what follows the target is the caller's."""
        outward = self._next("an arrow").text == "->"
        edge = self._name("the name of an edge")
        edge_where = condition() if self._follows("where") else None
        target = None
        token = self._peek()
        if token is not None and token.kind == "arrow" and (token.text == "->") == outward:
            self._at += 1
            name = self._name("a facet or a concept")
            target = None if name == ANYTHING else name
        return Hop(edge, outward, target, None, edge_where)

    def _has(self) -> Has:
        hops: list[Hop] = []
        while (token := self._peek()) is not None and token.kind == "arrow":
            if len(hops) == HOPS_MAX:
                raise wrong(f"A query follows at most {HOPS_MAX} edges.", token.column)
            hop = self._hop(self._in_parentheses)
            if self._follows("where"):
                hop = Hop(hop.edge, hop.outward, hop.target, self._in_parentheses(), hop.edge_where)
            hops.append(hop)
        if not hops:
            raise wrong("Expected an arrow after “has”: has -> plugin.edge -> plugin.facet.", self._column())
        return Has(tuple(hops))

    # -- conditions ----------------------------------------------------------------------------------------

    def _condition(self) -> Condition:
        return self._joined("or", lambda: self._joined("and", self._one, all_of), any_of)

    def _joined(
        self, word: str, part: Callable[[], Condition], join: Callable[[list[Condition]], Condition | None]
    ) -> Condition:
        parts = [part()]
        while self._follows(word):
            parts.append(part())
        joined = join(parts)
        assert joined is not None
        return joined

    def _one(self) -> Condition:
        token = self._peek()
        if token is None:
            raise wrong("The query ends where a field was expected.", self._end)
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise wrong("The conditions are nested too deeply.", token.column)
        try:
            return self._at_one(token)
        finally:
            self._depth -= 1

    def _at_one(self, token: _Token) -> Condition:
        if token[:2] == ("sign", "("):
            return self._in_parentheses()
        after = self._peek(1)
        # A field may be called as a keyword is: then what compares it follows.
        if token.kind == "word" and not (after is not None and after.kind == "sign" and after.text not in "()"):
            keyword = token.text.casefold()
            if keyword == "not":
                self._at += 1
                return Not(self._one())
            if keyword == "has" and after is not None and after.kind == "arrow":
                self._at += 1
                return self._has()
            if keyword == "matching":
                self._at += 1
                return Matching(self._text_value("a text to look for"))
            if keyword == "conflicted":
                self._at += 1
                return Conflicted(self._group_of(self._field) if after and after[:2] == ("sign", "(") else ())
        return self._comparison()

    def _in_parentheses(self) -> Condition:
        self._sign("(")
        found = self._condition()
        self._sign(")")
        return found

    def _comparison(self) -> Condition:
        field = self._field()
        token = self._next("“=”")
        word = token.text.casefold()
        operator = _COMPARING.get(word) if token.kind in ("sign", "word") else None
        if operator is not None:
            column = self._column()
            value = self._value()
            if value is None and operator not in ("=", "!="):
                raise wrong(f"Nothing is {operator} null: ask for “is null” or “is not null”.", column)
            return Compare(field, operator, value)
        if token.kind == "word" and word == "is":
            negative = self._follows("not")
            self._keyword("null", "is not" if negative else "is")
            return Compare(field, "!=" if negative else "=", None)
        if token.kind == "word" and word in ("in", "not"):
            if word == "not":
                self._keyword("in", "not")
            found = In(field, self._group_of(self._value))
            return Not(found) if word == "not" else found
        raise wrong(f"Expected “=”, another comparison, “in” or “is”, not “{token.text}”.", token.column)

    def _value(self) -> Wanted:
        token = self._next("a value")
        if token.kind == "json":
            return _json(token)
        if token.kind in ("sign", "arrow"):
            more = ": “=” stands once" if token.text == "=" else ""
            raise wrong(f"Expected a value, not “{token.text}”{more}.", token.column)
        if token.kind == "word" and token.text.casefold() == "null":
            return None
        return token.text

    def _text_value(self, what: str) -> str:
        token = self._next(what)
        if token.kind not in ("word", "quoted"):
            raise wrong(f"Expected {what}, not “{token.text}”.", token.column)
        return token.text

    # -- tokens --------------------------------------------------------------------------------------------

    def _list(self, part: Callable[[], T]) -> tuple[T, ...]:
        found = [part()]
        while self._follows(",", "sign"):
            found.append(part())
        return tuple(found)

    def _group_of(self, part: Callable[[], T]) -> tuple[T, ...]:
        self._sign("(")
        found = self._list(part)
        self._sign(")")
        return found

    def _name(self, what: str) -> Name:
        column = self._column()
        return Name(self._word(what), column)

    def _field(self) -> Name:
        token = self._next("a field")
        if token.kind not in ("word", "quoted"):
            raise wrong(f"Expected a field, not “{token.text}”.", token.column)
        return Name(token.text, token.column)

    def _word(self, what: str) -> str:
        token = self._next(what)
        if token.kind != "word":
            raise wrong(f"Expected {what}, not “{token.text}”.", token.column)
        return token.text

    def _keyword(self, word: str, before: str, what: str = "") -> None:
        column = self._column()
        if not self._follows(word):
            raise wrong(f"Expected {what or f'“{word}”'} after “{before}”.", column)

    def _sign(self, sign: str) -> None:
        token = self._next(f"“{sign}”")
        if (token.kind, token.text) != ("sign", sign):
            raise wrong(f"Expected “{sign}”, not “{token.text}”.", token.column)

    def _follows(self, text: str, kind: str = "word") -> bool:
        token = self._peek()
        if token is None or token.kind != kind or token.text.casefold() != text:
            return False
        self._at += 1
        return True

    def _next(self, what: str) -> _Token:
        token = self._peek()
        if token is None:
            raise wrong(f"The query ends where {what} was expected.", self._end)
        self._at += 1
        return token

    def _peek(self, ahead: int = 0) -> _Token | None:
        at = self._at + ahead
        return self._tokens[at] if at < len(self._tokens) else None

    def _column(self) -> int:
        token = self._peek()
        return self._end if token is None else token.column


def _json(token: _Token) -> Json:
    try:
        found = canonical(json.loads(token.text))
        json.loads(found, parse_constant=_no_constant)
        return Json(found)
    except (RecursionError, ValueError):
        raise wrong("This JSON can't be compared with: it is nested too deeply or too large.", token.column) from None


_DECODER: Final = json.JSONDecoder(parse_constant=lambda name: _no_constant(name))


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    at = 0
    end = len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None:
            rest = len(text[at:]) - len(text[at:].lstrip())
            raise wrong("A text in quotes doesn't end.", at + rest + 1)
        kind = match.lastgroup
        assert kind is not None
        start = match.start(kind)
        if kind == "word" and text[start] in "[{":
            stop = _end_of_json(text, start)
            found.append(_Token("json", text[start:stop], start + 1))
            at = stop
            continue
        token = match.group(kind)
        if kind == "quoted":
            token = token[1:-1] if token[0] == "“" else re.sub(r"\\(.)", r"\1", token[1:-1], flags=re.DOTALL)
        found.append(_Token(kind, token, start + 1))
        at = match.end()
    return found


def _end_of_json(text: str, start: int) -> int:
    try:
        return _DECODER.raw_decode(text, start)[1]
    except RecursionError:
        raise wrong("This JSON is nested too deeply.", start + 1) from None
    except ValueError as error:
        raise wrong(f"This isn't JSON: {getattr(error, 'msg', error)}.", getattr(error, "pos", start) + 1) from None
