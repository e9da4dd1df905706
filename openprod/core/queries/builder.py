"""The Python form: ``Q("plugin.facet").where(F("number") > 3).along("plugin.edge", to="plugin.other").sort("-name")``.

Nothing here changes in place: every call gives a new ``Q``. ``query`` is what is asked.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from openprod.core.queries import data
from openprod.core.queries.ast import (
    Compare,
    Condition,
    Conflicted,
    Has,
    Hop,
    In,
    Matching,
    Measure,
    Name,
    Operator,
    Query,
    all_of,
    wanted,
)


class F:
    """A field, to be compared: ``F("list") == "LX"``, ``F("number") >= 3``, ``F("end").is_null()``."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, name: str) -> None:
        self._name = Name(name)

    def _compare(self, operator: Operator, value: Any) -> Compare:
        if value is None and operator not in ("=", "!="):
            raise ValueError(f"nothing is {operator} null")
        return Compare(self._name, operator, wanted(value))

    def __eq__(self, value: Any) -> Compare:  # type: ignore[override]
        return self._compare("=", value)

    def __ne__(self, value: Any) -> Compare:  # type: ignore[override]
        return self._compare("!=", value)

    def __lt__(self, value: Any) -> Compare:
        return self._compare("<", value)

    def __le__(self, value: Any) -> Compare:
        return self._compare("<=", value)

    def __gt__(self, value: Any) -> Compare:
        return self._compare(">", value)

    def __ge__(self, value: Any) -> Compare:
        return self._compare(">=", value)

    def contains(self, text: Any) -> Compare:
        return self._compare("contains", text)

    def starts(self, text: Any) -> Compare:
        return self._compare("starts", text)

    def is_in(self, *values: Any) -> In:
        return In(self._name, tuple(map(wanted, values)))

    def is_null(self) -> Compare:
        return self._compare("=", None)

    def is_not_null(self) -> Compare:
        return self._compare("!=", None)


def matching(text: str) -> Matching:
    return Matching(text)


def conflicted(*fields: str) -> Conflicted:
    return Conflicted(tuple(map(Name, fields)))


def along(
    edge: str, *, to: str | None = None, where: Condition | None = None, edge_where: Condition | None = None
) -> Hop:
    """A hop in the edge's direction, for ``has``."""
    return Hop(Name(edge), True, None if to is None else Name(to), where, edge_where)


def against(
    edge: str, *, of: str | None = None, where: Condition | None = None, edge_where: Condition | None = None
) -> Hop:
    """A hop against the edge's direction, for ``has``."""
    return Hop(Name(edge), False, None if of is None else Name(of), where, edge_where)


def has(*hops: Hop) -> Has:
    return Has(hops)


def count() -> Measure:
    return Measure("count")


def min_of(field: str) -> Measure:
    return Measure("min", Name(field))


def max_of(field: str) -> Measure:
    return Measure("max", Name(field))


def sum_of(field: str) -> Measure:
    return Measure("sum", Name(field))


class Q:
    def __init__(self, source: str | Query) -> None:
        self.query = source if isinstance(source, Query) else Query(source=Name(source))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Q) and self.query == other.query

    def __hash__(self) -> int:
        return hash(self.query)

    def _with(self, **parts: Any) -> Q:
        return Q(replace(self.query, **parts))

    def where(self, *conditions: Condition) -> Q:
        """Of what has been reached: the source, or where the last edge leads. All that are given must hold."""
        hops = self.query.along
        before = hops[-1].where if hops else self.query.where
        found = all_of([*([] if before is None else [before]), *conditions])
        return self._with(along=(*hops[:-1], replace(hops[-1], where=found))) if hops else self._with(where=found)

    def along(self, edge: str, *, to: str | None = None, edge_where: Condition | None = None) -> Q:
        return self._with(along=(*self.query.along, along(edge, to=to, edge_where=edge_where)))

    def against(self, edge: str, *, of: str | None = None, edge_where: Condition | None = None) -> Q:
        return self._with(along=(*self.query.along, against(edge, of=of, edge_where=edge_where)))

    def select(self, *columns: str | Measure) -> Q:
        return self._with(
            fields=tuple(Name(one) for one in columns if isinstance(one, str)),
            measures=tuple(one for one in columns if isinstance(one, Measure)),
        )

    def group(self, *fields: str) -> Q:
        return self._with(group=tuple(map(Name, fields)))

    def sort(self, *by: str) -> Q:
        """``"field"``, ``"-field"``, ``"-count()"``, ``"field nulls first"``."""
        return self._with(sort=tuple(map(data.sort_of, by)))

    def limit(self, count: int) -> Q:
        return self._with(limit=count)

    def offset(self, count: int) -> Q:
        return self._with(offset=count)

    def as_of(self, moment: str) -> Q:
        """A bundle, or a time as ``moments`` reads it."""
        return self._with(as_of=moment)
