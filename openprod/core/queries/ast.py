"""What a query is, however it was written. Every form (text, data, Python) makes exactly this.

Values are kept as people spell them: 42, "42" and 42.0 in JSON are asked for alike (``values``). Names remember the
column of the text they stood in, so that whoever knows that there is no such name can point at it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from openprod.core.values import canonical

DEPTH_MAX: Final = 40
"""How deep conditions may be nested."""

HOPS_MAX: Final = 8
"""How many edges may be followed in a row."""

ENTITY: Final = "entity"
"""In place of a field: the entity's id."""

Operator: TypeAlias = Literal["=", "!=", "<", "<=", ">", ">=", "contains", "starts"]
OPERATORS: Final[tuple[Operator, ...]] = ("=", "!=", "<", "<=", ">", ">=", "contains", "starts")

MeasureKind: TypeAlias = Literal["count", "min", "max", "sum"]
MEASURES: Final[tuple[MeasureKind, ...]] = ("count", "min", "max", "sum")


class Name(str):
    """The name of a facet, concept, edge or field. ``at``: its column in the text form, from 1; 0 where it had none."""

    at: int

    def __new__(cls, text: str, at: int = 0) -> Name:
        made = super().__new__(cls, text)
        made.at = at
        return made


@dataclass(frozen=True, slots=True)
class Json:
    """A list or an object to compare with, as canonical JSON."""

    text: str


Wanted: TypeAlias = "str | Json | None"


def wanted(value: Any) -> Wanted:
    """A JSON value as it is asked for: what is not a text is spelled out, null stays None."""
    if value is None or isinstance(value, (str, Json)):
        return value
    if isinstance(value, (list, dict)):
        return Json(canonical(value))
    return canonical(value)


class Clause:
    """What conditions can do in Python: ``one & other``, ``one | other``, ``~one``."""

    __slots__ = ()

    def __and__(self: Condition, other: Condition) -> Condition:  # type: ignore[misc]
        found = all_of((self, other))
        assert found is not None
        return found

    def __or__(self: Condition, other: Condition) -> Condition:  # type: ignore[misc]
        found = any_of((self, other))
        assert found is not None
        return found

    def __invert__(self: Condition) -> Condition:  # type: ignore[misc]
        return Not(self)


@dataclass(frozen=True, slots=True)
class Compare(Clause):
    """``value`` None with = and !=: is missing, isn't missing."""

    field: Name
    operator: Operator
    value: Wanted


@dataclass(frozen=True, slots=True)
class In(Clause):
    field: Name
    values: tuple[Wanted, ...]


@dataclass(frozen=True, slots=True)
class And(Clause):
    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Or(Clause):
    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not(Clause):
    part: Condition


@dataclass(frozen=True, slots=True)
class Matching(Clause):
    """All words stand somewhere in the entity's fields, as parts of words, whatever their case."""

    text: str


@dataclass(frozen=True, slots=True)
class Conflicted(Clause):
    """There is an open conflict: about one of ``fields``, or about anything when there are none."""

    fields: tuple[Name, ...] = ()


@dataclass(frozen=True, slots=True)
class Hop:
    """One edge further. ``outward``: along its direction. ``target`` None: where the schema says that it leads."""

    edge: Name
    outward: bool = True
    target: Name | None = None
    where: Condition | None = None
    edge_where: Condition | None = None


@dataclass(frozen=True, slots=True)
class Has(Clause):
    """There is such a path from the entity. Without a ``target``, hops may lead to anything."""

    hops: tuple[Hop, ...]


Condition: TypeAlias = "Compare | In | And | Or | Not | Matching | Conflicted | Has"


@dataclass(frozen=True, slots=True)
class Measure:
    """``field`` is None for count alone."""

    kind: MeasureKind
    field: Name | None = None

    def __str__(self) -> str:
        return f"{self.kind}({self.field or ''})"


@dataclass(frozen=True, slots=True)
class Sort:
    by: Name | Measure
    descending: bool = False
    nulls_first: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Rows of ``source`` or, with ``along``, of what the last hop leads to. ``as_of``: a bundle or a time, as text."""

    source: Name
    where: Condition | None = None
    along: tuple[Hop, ...] = ()
    fields: tuple[Name, ...] = ()
    measures: tuple[Measure, ...] = ()
    group: tuple[Name, ...] = ()
    sort: tuple[Sort, ...] = ()
    limit: int | None = None
    offset: int = 0
    as_of: str | None = None


def all_of(parts: Iterable[Condition]) -> Condition | None:
    """One condition that says all of them; None for none. Nested ones of the same kind become one."""
    return _joined(And, parts)


def any_of(parts: Iterable[Condition]) -> Condition | None:
    return _joined(Or, parts)


def _joined(kind: type[And] | type[Or], parts: Iterable[Condition]) -> Condition | None:
    flat: list[Condition] = []
    for part in parts:
        flat += part.parts if isinstance(part, kind) else (part,)
    if not flat:
        return None
    return flat[0] if len(flat) == 1 else kind(tuple(flat))


def parts(query: Query) -> Iterator[Condition | Hop]:
    """Every condition and every hop of a query, whatever they stand within."""
    yield from _within(query.where)
    for hop in query.along:
        yield from _of_hop(hop)


def _within(condition: Condition | None) -> Iterator[Condition | Hop]:
    if condition is None:
        return
    yield condition
    if isinstance(condition, (And, Or)):
        for part in condition.parts:
            yield from _within(part)
    elif isinstance(condition, Not):
        yield from _within(condition.part)
    elif isinstance(condition, Has):
        for hop in condition.hops:
            yield from _of_hop(hop)


def _of_hop(hop: Hop) -> Iterator[Condition | Hop]:
    yield hop
    yield from _within(hop.where)
    yield from _within(hop.edge_where)
