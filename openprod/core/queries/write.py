"""The text form, written: what ``text.read`` makes the same query of."""

from __future__ import annotations

import re
from itertools import zip_longest
from typing import Final

from openprod.core.queries.ast import (
    And,
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
    Or,
    Query,
    Sort,
    Wanted,
)
from openprod.core.queries.text import ANYTHING

_BARE_VALUE: Final = re.compile(r"[A-Za-z0-9_.:/#+][A-Za-z0-9_.:/#+]*")
_BARE_FIELD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_KEYWORDS: Final = frozenset(
    ("not", "has", "matching", "conflicted", "null", "where", "select", "group", "sort", "limit", "offset", "as")
)


def write(query: Query) -> str:
    parts = [str(query.source)]
    if query.where is not None:
        parts.append(f"where {_condition(query.where)}")
    parts += _hops(query.along, within=False)
    selected = [*map(_field, query.fields), *map(_measure, query.measures)]
    if selected:
        parts.append(f"select {', '.join(selected)}")
    if query.group:
        parts.append(f"group by {', '.join(map(_field, query.group))}")
    if query.sort:
        parts.append(f"sort {', '.join(map(_sort, query.sort))}")
    if query.limit is not None:
        parts.append(f"limit {query.limit}")
    if query.offset:
        parts.append(f"offset {query.offset}")
    if query.as_of is not None:
        parts.append(f"as of {_text(query.as_of)}")
    return " ".join(parts)


def _sort(sort: Sort) -> str:
    by = _measure(sort.by) if isinstance(sort.by, Measure) else _field(sort.by)
    return f"{'-' if sort.descending else ''}{by}{' nulls first' if sort.nulls_first else ''}"


def _measure(measure: Measure) -> str:
    return f"{measure.kind}({_field(measure.field) if measure.field is not None else ''})"


def _hops(hops: tuple[Hop, ...], *, within: bool) -> list[str]:
    following = [hop.outward for hop in hops[1:]]
    return [_hop(hop, within=within, before=after) for hop, after in zip_longest(hops, following)]


def _hop(hop: Hop, *, within: bool, before: bool | None) -> str:
    """``before``: the direction of the hop that follows, which would otherwise be taken for where this one leads."""
    arrow = "->" if hop.outward else "<-"

    def where(condition: Condition | None) -> str:
        if condition is None:
            return ""
        return f" where ({_condition(condition)})" if within else f" where {_condition(condition)}"

    name = hop.target or (ANYTHING if hop.where is not None or before == hop.outward else "")
    target = f" {arrow} {name}" if name else ""
    return f"{arrow} {hop.edge}{where(hop.edge_where)}{target}{where(hop.where)}"


def _condition(condition: Condition, above: int = 0) -> str:
    """``above``: how tightly what stands around it holds: 0 nothing, 1 or, 2 and, 3 not."""
    if isinstance(condition, (And, Or)):
        own, word = (2, " and ") if isinstance(condition, And) else (1, " or ")
        text = word.join(_condition(part, own) for part in condition.parts)
        return f"({text})" if above >= own else text
    if isinstance(condition, Not):
        return f"not {_condition(condition.part, 3)}"
    if isinstance(condition, In):
        return f"{_field(condition.field)} in ({', '.join(map(_value, condition.values))})"
    if isinstance(condition, Has):
        # In parentheses, so that no hop of the query itself is taken for one of the path's.
        return f"(has {' '.join(_hops(condition.hops, within=True))})"
    if isinstance(condition, Matching):
        return f"matching {_text(condition.text)}"
    if isinstance(condition, Conflicted):
        return f"conflicted ({', '.join(map(_field, condition.fields))})" if condition.fields else "conflicted"
    assert isinstance(condition, Compare)
    return f"{_field(condition.field)} {condition.operator} {_value(condition.value)}"


def _field(name: Name) -> str:
    return str(name) if _BARE_FIELD.fullmatch(name) and name.casefold() not in _KEYWORDS else _quoted(name)


def _value(value: Wanted) -> str:
    if value is None:
        return "null"
    return value.text if isinstance(value, Json) else _text(value)


def _text(text: str) -> str:
    return text if _BARE_VALUE.fullmatch(text) and text.casefold() not in _KEYWORDS else _quoted(text)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
