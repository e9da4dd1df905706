"""A query whose names have been looked up: what storage is asked. Only the engine makes one (``engine.queries``).

Every row is (entity, member): the entity that the row is about, and the one whose registers hold its values. The two
differ where an entity was merged into one that lacks the facet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from openprod.core.queries.ast import Compare, Conflicted, In, Matching, Measure, Name


@dataclass(frozen=True, slots=True)
class FacetSource:
    """``texts``: fields that are collaborative texts. ``sought``: fields found by value quickly.

    ``meanings``: {field of the concept it is bound to: its own field}. ``former``: {field: what it was called before},
    the newest first: read where the field itself has no value.
    """

    root: str
    fields: tuple[str, ...]
    texts: frozenset[str] = frozenset()
    sought: frozenset[str] = frozenset()
    meanings: Mapping[str, str] = field(default_factory=dict)
    former: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ConceptSource:
    """``bindings``: {facet: {field of the concept: field of the facet}}, by facet. ``former``: {facet: {field: what it
    was called before}}, as of a facet."""

    concept: str
    fields: tuple[str, ...]
    bindings: Mapping[str, Mapping[str, str]]
    former: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)

    def keys(self, facet: str, own: str) -> tuple[str, ...]:
        """Where a field of a facet has its value: under its name, or else under one that it had."""
        return (own, *self.former.get(facet, {}).get(own, ()))


Source: TypeAlias = "FacetSource | ConceptSource"


@dataclass(frozen=True, slots=True)
class EdgeStep:
    """``root`` is the edges'. ``source`` is where the step leads, None: to anything."""

    root: str
    outward: bool
    source: Source | None
    where: Test | None
    edge_where: Test | None


@dataclass(frozen=True, slots=True)
class Path:
    """There is such a path from the row."""

    steps: tuple[EdgeStep, ...]


@dataclass(frozen=True, slots=True)
class All:
    parts: tuple[Test, ...]


@dataclass(frozen=True, slots=True)
class Any:
    parts: tuple[Test, ...]


@dataclass(frozen=True, slots=True)
class No:
    part: Test


Test: TypeAlias = "Compare | In | Matching | Conflicted | All | Any | No | Path"

Order: TypeAlias = "tuple[Name | Measure, bool, bool]"
"""What to sort by, whether downwards, whether missing values come first."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, weakref_slot=True)
class Plan:
    """``columns``: fields, after the entity. With ``measures``: the columns are ``group``, then the measures.

    A plan equals itself only, so that storage can keep beside it what it made of it.
    """

    source: Source
    where: Test | None = None
    steps: tuple[EdgeStep, ...] = ()
    columns: tuple[str, ...] = ()
    measures: tuple[Measure, ...] = ()
    group: tuple[str, ...] = ()
    sort: tuple[Order, ...] = ()
    limit: int | None = None
    offset: int = 0

    @property
    def last(self) -> Source:
        """What the rows are."""
        found = self.steps[-1].source if self.steps else self.source
        assert found is not None, "a query ends somewhere"
        return found


@dataclass(frozen=True, slots=True)
class Past:
    """How things stood: the registers that were otherwise than they are now, and who stood for whom.

    ``values``: {register's number: canonical JSON, None while the key was absent}; a number in ``unborn`` wasn't there.
    ``roots``: those for which that is known. ``redirects``: {entity: survivor}; ``bound``: {(facet, entity): concept
    entity}.
    """

    roots: frozenset[str]
    values: Mapping[int, str | None]
    unborn: frozenset[int]
    redirects: Mapping[str, str]
    bound: Mapping[tuple[str, str], str]


Texts: TypeAlias = "Mapping[tuple[str, str], Mapping[str, str]]"
"""{(facet, field): {entity: content}} of collaborative texts that a query asks about."""
