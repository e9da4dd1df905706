"""The twin of the SQLite answers, over dictionaries: what a plan means, said as plainly as it can be."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from operator import itemgetter
from typing import Any, NamedTuple

from openprod.core.queries.ast import ENTITY, Compare, Conflicted, In, Json, Matching, Measure
from openprod.core.queries.order import (
    END,
    contains,
    key_of,
    number_of,
    order_key,
    present,
    spellings,
    starts,
    total,
    value_of,
    words_of,
)
from openprod.core.queries.plan import (
    All,
    ConceptSource,
    EdgeStep,
    FacetSource,
    No,
    Past,
    Path,
    Plan,
    Source,
    Test,
    Texts,
)
from openprod.core.queries.plan import Any as AnyOf
from openprod.storage.ports import Storage

_ENTITY_ROOT = "core.entity"
_CONCEPT_ENTITY = "core.concept_entity"


class _Row(NamedTuple):
    entity: str
    member: str


class MemoryAnswers:
    """Contract: ``openprod.storage.ports.Answers``, but for what only a file has to offer (plans of SQLite)."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def answer(self, plan: Plan, *, past: Past | None = None, texts: Texts | None = None) -> list[list[Any]]:
        return _Evaluation(self._storage, past, texts or {}).run(plan)


class _Evaluation:
    def __init__(self, storage: Storage, past: Past | None, texts: Texts) -> None:
        self._storage = storage
        self._texts = texts
        self._redirects = dict(past.redirects) if past else storage.redirects()
        self._bound = dict(past.bound) if past else storage.bound()
        # {root: {entity: {field: value}}}; a value is None while its key is absent.
        self._roots: defaultdict[str, dict[str, dict[str, str | None]]] = defaultdict(dict)
        for row in storage.all_registers():
            if not row.entity or (past and (row.root not in past.roots or row.id in past.unborn)):
                continue
            value = past.values.get(row.id, row.value) if past else row.value
            self._roots[row.root].setdefault(row.entity, {})[row.field] = value

    # -- the whole -----------------------------------------------------------------------------------------

    def run(self, plan: Plan) -> list[list[Any]]:
        source, rows = plan.source, self._kept(plan.source, plan.where, self._rows(plan.source))
        for step in plan.steps:
            assert step.source is not None
            found = self._reached({row.entity for row in rows}, source, step, step.outward, step.source)
            rows = [row for row in self._rows(step.source) if row.entity in found]
            source, rows = step.source, self._kept(step.source, step.where, rows)
        if plan.measures:
            return self._groups(plan, source, rows)
        rows = sorted(rows, key=lambda row: row.entity)
        for by, down, nulls_first in reversed(plan.sort):
            assert not isinstance(by, Measure)
            self._sort(rows, self._by_field(source, by), down, nulls_first)
        return [
            [row.entity, *(value_of(self._value(source, name, row)) for name in plan.columns)]
            for row in self._page(plan, rows)
        ]

    def _by_field(self, source: Source, field: str) -> Callable[[_Row], str | None]:
        return lambda row: _sort_key(self._value(source, field, row))

    @staticmethod
    def _sort(rows: list[Any], key: Callable[[Any], Any], down: bool, nulls_first: bool) -> None:
        # Sorting is stable, downwards too: what is equal keeps its order.
        there = sorted((row for row in rows if key(row) is not None), key=key, reverse=down)
        missing = [row for row in rows if key(row) is None]
        rows[:] = missing + there if nulls_first else there + missing

    @staticmethod
    def _page(plan: Plan, rows: list[Any]) -> list[Any]:
        return rows[plan.offset : None if plan.limit is None else plan.offset + plan.limit]

    def _groups(self, plan: Plan, source: Source, rows: list[_Row]) -> list[list[Any]]:
        groups: dict[tuple[str | None, ...], list[_Row]] = {} if plan.group else {(): []}
        for row in rows:
            groups.setdefault(tuple(self._value(source, name, row) for name in plan.group), []).append(row)
        found = []
        for key, members in groups.items():
            found.append((*key, *(self._measure(one, source, members) for one in plan.measures)))
        for at in reversed(range(len(plan.group))):
            self._sort(found, _keyed(at), False, False)
        for by, down, nulls_first in reversed(plan.sort):
            counted = isinstance(by, Measure) and by.kind == "count"
            at = len(plan.group) + plan.measures.index(by) if isinstance(by, Measure) else plan.group.index(by)
            self._sort(found, itemgetter(at) if counted else _keyed(at), down, nulls_first)
        return [
            [None, *(value if isinstance(value, int) else value_of(value) for value in row)]
            for row in self._page(plan, found)
        ]

    def _measure(self, measure: Measure, source: Source, rows: list[_Row]) -> int | str | None:
        if measure.field is None:
            return len(rows)
        values = [self._value(source, measure.field, row) for row in rows]
        if measure.kind == "sum":
            return total(map(number_of, values))
        there = [value for value in values if value is not None]
        choose = min if measure.kind == "min" else max
        return choose(there, key=lambda value: _sort_key(value) or "") if there else None

    # -- rows and values -----------------------------------------------------------------------------------

    def _survivor(self, id: str) -> str:
        return self._redirects.get(id, id)

    def _absorbed(self, id: str) -> list[str]:
        return sorted(one for one, survivor in self._redirects.items() if survivor == id)

    def _is_deleted(self, entity: str) -> bool:
        fields = self._roots[_ENTITY_ROOT].get(entity, {})
        return "" in fields and present(fields[""]) is None

    def _has(self, root: str, entity: str) -> bool:
        fields = self._roots[root].get(entity)
        if fields is None:
            return False
        return present(fields[""]) is not None if "" in fields else any(map(present, fields.values()))

    def _has_left(self, root: str, entity: str) -> bool:
        fields = self._roots[root].get(entity, {})
        return "" in fields and present(fields[""]) is None

    def _rows(self, source: Source) -> list[_Row]:
        if isinstance(source, FacetSource):
            return self._facet_rows(source.root)
        rows = {
            id for id, fields in self._roots[_CONCEPT_ENTITY].items() if fields.get("") == json.dumps(source.concept)
        }
        for facet in source.bindings:
            rows |= {row.entity for row in self._facet_rows(facet) if self._is_free(facet, row.entity)}
        return [_Row(id, id) for id in rows]

    def _facet_rows(self, root: str) -> list[_Row]:
        found: dict[str, list[str]] = {}
        for entity in self._roots[root]:
            if self._has(root, entity):
                found.setdefault(self._survivor(entity), []).append(entity)
        return [
            _Row(entity, entity if entity in members else min(members))
            for entity, members in found.items()
            if not self._is_deleted(entity) and not self._has_left(root, entity)
        ]

    def _is_free(self, facet: str, entity: str) -> bool:
        """Whether what the entity is of a facet belongs to no concept entity."""
        return not any((facet, id) in self._bound for id in (entity, *self._absorbed(entity)))

    def _field(self, root: str, entity: str, field: str) -> str | None:
        return self._roots[root].get(entity, {}).get(field)

    def _value(self, source: Source, field: str, row: _Row) -> str | None:
        if field == ENTITY:
            return json.dumps(row.entity, ensure_ascii=False)
        if isinstance(source, FacetSource):
            if field in source.texts:
                content = self._texts.get((source.root, field), {}).get(row.member)
                return None if content is None else json.dumps(content, ensure_ascii=False)
            names = (field, *source.former.get(field, ()))
            values = (present(self._field(source.root, row.member, name)) for name in names)
            return next((value for value in values if value is not None), None)
        return self._concept_value(source, field, row.entity)

    def _concept_value(self, source: ConceptSource, field: str, entity: str) -> str | None:
        canonical = present(self._field(_CONCEPT_ENTITY, entity, field))
        if canonical is not None:
            return canonical
        own = {facet: fields[field] for facet, fields in source.bindings.items() if field in fields}
        members = sorted(
            (facet, id)
            for (facet, id), owner in self._bound.items()
            if owner == entity and facet in own and not self._is_deleted(id)
        )
        members += [
            (facet, id)
            for facet in own
            if self._is_free(facet, entity) and not self._has_left(facet, entity)
            for id in (entity, *self._absorbed(entity))
        ]
        values = (
            present(self._field(facet, id, key))
            for facet, id in members
            if not self._has_left(facet, id)
            for key in source.keys(facet, own[facet])
        )
        return next((value for value in values if value is not None), None)

    # -- conditions ----------------------------------------------------------------------------------------

    def _kept(self, source: Source, where: Test | None, rows: list[_Row]) -> list[_Row]:
        if where is None:
            return rows
        holds = self._test(source, where)
        return [row for row in rows if holds(row)]

    def _test(self, source: Source, test: Test) -> Callable[[_Row], bool]:
        if isinstance(test, (All, AnyOf)):
            parts = [self._test(source, part) for part in test.parts]
            combined = all if isinstance(test, All) else any
            return lambda row: combined(part(row) for part in parts)
        if isinstance(test, No):
            part = self._test(source, test.part)
            return lambda row: not part(row)
        if isinstance(test, Path):
            holding = self._holding(source, test.steps)
            return lambda row: row.entity in holding
        if isinstance(test, Conflicted):
            conflicted = self._conflicted(source, test)
            return lambda row: row.entity in conflicted
        if isinstance(test, Matching):
            words = words_of(test.text)
            return lambda row: all(
                any(contains(self._value(source, name, row), word) for name in source.fields) for word in words
            )
        if test.field == ENTITY and (isinstance(test, In) or test.operator in ("=", "!=")):
            wanted = test.values if isinstance(test, In) else (test.value,)
            texts = {text for one in wanted for text in spellings(one)}
            ids = {
                id
                for id in (*self._redirects, *self._redirects.values())
                if json.dumps(id, ensure_ascii=False) in texts
            }
            ones = texts | {json.dumps(self._survivor(id), ensure_ascii=False) for id in ids}
            other = isinstance(test, Compare) and test.operator == "!="
            return lambda row: (json.dumps(row.entity, ensure_ascii=False) in ones) != other
        return lambda row: _holds(test, self._value(source, test.field, row))

    def _conflicted(self, source: Source, test: Conflicted) -> set[str]:
        found: set[str] = set()
        for conflict in self._storage.conflicts(status="open"):
            entities = {conflict.entity}
            if conflict.kind == "duplicate":
                entities.update(json.loads(conflict.subject).get("entities", ()))
            for entity in entities:
                found.update(self._in_conflict(source, test, entity, conflict.facet, conflict.field))
        return found

    def _in_conflict(self, source: Source, test: Conflicted, entity: str, facet: str, field: str) -> Iterable[str]:
        whole = not test.fields
        if isinstance(source, FacetSource):
            if (facet == source.root and (whole or field in test.fields)) or (facet == "" and whole):
                yield self._survivor(entity)
            means = source.meanings.get(field)
            if facet == _CONCEPT_ENTITY and means is not None and (whole or means in test.fields):
                yield from (
                    self._survivor(id)
                    for (of, id), owner in self._bound.items()
                    if owner == entity and of == source.root
                )
            return
        if facet == _CONCEPT_ENTITY and (whole or field in test.fields):
            yield entity
        for name, fields in source.bindings.items():
            meant = [theirs for own, theirs in fields.items() if whole or own in test.fields]
            if (facet == name and field in meant) or (facet == "" and whole):
                yield self._survivor(entity)
                if (name, entity) in self._bound:
                    yield self._bound[name, entity]

    # -- edges ---------------------------------------------------------------------------------------------

    def _holding(self, source: Source, steps: tuple[EdgeStep, ...]) -> set[str]:
        """The source's rows from which there is such a path."""
        start: set[str] | None = None
        for at in range(len(steps) - 1, -1, -1):
            step = steps[at]
            if step.source is not None:
                rows = [row for row in self._rows(step.source) if start is None or row.entity in start]
                start = {row.entity for row in self._kept(step.source, step.where, rows)}
            before = steps[at - 1].source if at else source
            assert before is not None
            start = self._reached(start, step.source, step, not step.outward, before)
        assert start is not None
        return start

    def _reached(
        self, start: set[str] | None, source: Source | None, step: EdgeStep, outward: bool, target: Source
    ) -> set[str]:
        members = None
        if start is not None:
            assert source is not None
            members = self._members(source, start)
        near, far = ("from", "to") if outward else ("to", "from")
        found: set[str] = set()
        for fields in self._roots[step.root].values():
            begins, ends = value_of(fields.get(near)), value_of(fields.get(far))
            if present(fields.get("")) is None or near not in fields or not isinstance(ends, str):
                continue
            if members is not None and (not isinstance(begins, str) or begins not in members):
                continue
            if step.edge_where is None or _edge_test(step.edge_where, fields):
                found.add(ends)
        return self._standing(target, found)

    def _one(self, ids: set[str]) -> set[str]:
        """With all that they were merged with."""
        survivors = ids | {self._redirects[id] for id in ids if id in self._redirects}
        return survivors | {id for id, survivor in self._redirects.items() if survivor in survivors}

    def _members(self, source: Source, rows: set[str]) -> set[str]:
        if isinstance(source, FacetSource):
            return rows | {id for id, survivor in self._redirects.items() if survivor in rows}
        facets = source.bindings
        return self._one(rows | {id for (facet, id), owner in self._bound.items() if owner in rows and facet in facets})

    def _standing(self, target: Source, ids: set[str]) -> set[str]:
        if isinstance(target, FacetSource):
            return {self._survivor(id) for id in ids}
        every = self._one(ids)
        owners = {owner for (facet, id), owner in self._bound.items() if id in every and facet in target.bindings}
        return owners | {id for id in every if id not in self._redirects}


def _keyed(at: int) -> Callable[[Any], str | None]:
    return lambda row: _sort_key(row[at])


def _sort_key(text: str | None) -> str | None:
    key = key_of(text)
    return None if key is None else f"{key}{END}{text}"


def _holds(test: Compare | In, value: str | None) -> bool:
    if isinstance(test, In):
        wanted = {text for one in test.values for text in spellings(one)}
        return None in test.values if value is None else value in wanted
    if test.value is None:
        return (value is None) == (test.operator == "=")
    if test.operator in ("=", "!="):
        return (value in spellings(test.value)) == (test.operator == "=")
    text = test.value.text if isinstance(test.value, Json) else test.value
    if test.operator == "contains":
        return contains(value, text.casefold())
    if test.operator == "starts":
        return starts(value, text.casefold())
    key, other = key_of(value), order_key(text)
    if key is None or other is None:
        return False
    return {"<": key < other, "<=": key <= other, ">": key > other, ">=": key >= other}[test.operator]


def _edge_test(test: Test, fields: dict[str, str | None]) -> bool:
    if isinstance(test, All):
        return all(_edge_test(part, fields) for part in test.parts)
    if isinstance(test, AnyOf):
        return any(_edge_test(part, fields) for part in test.parts)
    if isinstance(test, No):
        return not _edge_test(test.part, fields)
    assert isinstance(test, (Compare, In)), "of an edge only its properties are asked"
    return _holds(test, present(fields.get(test.field)))
