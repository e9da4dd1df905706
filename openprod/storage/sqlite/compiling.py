"""A plan → SQL with named parameters. What it means is said plainly by the memory storage's twin.

Sets of ids (what edges lead to, what a condition over edges holds for, what is in conflict) are temporary tables, made
one after the other: as common table expressions that name each other SQLite would copy them without end.

Values of a field stand together: going through all of them costs as much as looking up one in thirty. So where many
rows are to be expected, a condition is the set of the ids that it holds for, and a page in the order of a field begins
with its values. Where few are (found by value, or along edges), their values are looked up by (root, field, entity).
"""

from __future__ import annotations

from openprod.core.queries.ast import Measure
from openprod.core.queries.plan import FacetSource, Plan, Source, Test
from openprod.storage.sqlite.compiling_conditions import Conditions


class Compiled(Conditions):
    """``sets``: (name and columns, select) to be made before ``sql``; each row of that is the entity, then the columns
    as canonical JSON or NULL. ``parameters`` are those of all."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.sql = self._plan(plan)

    def _plan(self, plan: Plan) -> str:
        source, where, within = plan.source, plan.where, ""
        for step in plan.steps:
            assert step.source is not None
            start = self._set(self._rows(source, where, within, "r.entity"))
            within = self._set(self._reached(start, source, step.root, step.outward, step.edge_where, step.source))
            source, where = step.source, step.where
        if plan.measures:
            return self._grouped(plan, source, where, within)
        return self._listed(plan, source, where, within)

    def _listed(self, plan: Plan, source: Source, where: Test | None, within: str) -> str:
        fields, keys, order = [], [], []
        for number, (by, down, nulls_first) in enumerate(plan.sort):
            assert not isinstance(by, Measure)
            fields.append(by)
            keys.append(f"sort_key({self._value(source, by, 'r')}) AS k{number}")
            order.append(f"k{number}{' DESC' if down else ''} NULLS {'FIRST' if nulls_first else 'LAST'}")
        ordered = f"ORDER BY {', '.join([*order, 'entity'])}"
        limit = self._limit(plan)
        # Columns are looked up for what is on the page only.
        names = ", ".join(["entity", "member", *(f"k{number}" for number in range(len(keys)))])
        if plan.limit is not None and keys and not plan.sort[0][2] and self._goes_by(source, fields[0], where, within):
            assert isinstance(source, FacetSource)
            page = self._in_order(plan, source, where, fields[0], keys, ordered)
        else:
            picked = ", ".join(["r.entity AS entity", "r.member AS member", *keys])
            page = self._rows(source, where, within, picked)
            page = f"WITH page({names}) AS MATERIALIZED ({f'{page} {ordered}{limit}' if limit else page})"
        columns = [self._value(source, name, "r") for name in plan.columns]
        return f"{page} SELECT {', '.join(['r.entity AS entity', *columns])} FROM page r {ordered}"

    def _in_order(
        self, plan: Plan, source: FacetSource, where: Test | None, field: str, keys: list[str], ordered: str
    ) -> str:
        """A page found from the values of the field that comes first in its order; what has none, if there is room."""
        valued, missing, test = self._by_field(source, field, where)
        rest = keys[1:]
        assert plan.limit is not None
        room = self._p(plan.limit + plan.offset)
        names = ", ".join(["entity", "member", *(f"k{number}" for number in range(len(keys)))])
        ahead = f"SELECT r.entity AS entity, r.member AS member, sort_key(r.value) AS k0 FROM ({valued}) r{test}"
        if rest:
            # Only what stands before the last of the page, or beside it, is asked for its other keys.
            down = plan.sort[0][1]
            last = f"SELECT k0 FROM ahead ORDER BY k0{' DESC' if down else ''} LIMIT 1 OFFSET {room} - 1"
            first = (
                f"SELECT r.entity AS entity, r.member AS member, k0, {', '.join(rest)} FROM ahead r"
                f" WHERE NOT coalesce(k0 {'<' if down else '>'} ({last}), 0) {ordered} LIMIT {room}"
            )
            found = f"ahead(entity, member, k0) AS MATERIALIZED ({ahead}), first({names}) AS MATERIALIZED ({first})"
        else:
            found = f"first({names}) AS MATERIALIZED ({ahead} {ordered} LIMIT {room})"
        picked = ", ".join(["r.entity AS entity", "r.member AS member", "NULL AS k0", *rest])
        missing = _only_where(f"(SELECT count(*) FROM first) < {room}", missing)
        return (
            f"WITH {found}, page({names}) AS MATERIALIZED (SELECT * FROM first UNION ALL"
            f" SELECT {picked} FROM ({missing}) r{test} {ordered}{self._limit(plan)})"
        )

    def _grouped(self, plan: Plan, source: Source, where: Test | None, within: str) -> str:
        fields = list(dict.fromkeys([*plan.group, *(str(one.field) for one in plan.measures if one.field)]))
        values = [f"{self._value(source, name, 'r')} AS f{number}" for number, name in enumerate(fields)]
        names = ", ".join(["entity", *(f"f{number}" for number in range(len(fields)))])
        before = ""
        if fields and self._goes_by(source, fields[0], where, within):
            assert isinstance(source, FacetSource)
            valued, missing, test = self._by_field(source, fields[0], where)
            valued = f"({valued})"
            if not test:
                # Whether any lacks a value is counted sooner than searched.
                every = self._facet_rows(source.root)
                missing = _only_where(f"(SELECT count(*) FROM held) < (SELECT count(*) FROM ({every}))", missing)
                before, valued = f"held(entity, member, value) AS MATERIALIZED {valued}, ", "held"
            found = f"SELECT {', '.join(['r.entity', 'r.value AS f0', *values[1:]])} FROM {valued} r{test}"
            found += f" UNION ALL SELECT {', '.join(['r.entity', 'NULL', *values[1:]])} FROM ({missing}) r{test}"
            found = f"({found})"
        else:
            found = self._rows(source, where, within, ", ".join(["r.entity AS entity", *values]))
            found = f"MATERIALIZED ({found})"
        place = {name: f"f{number}" for number, name in enumerate(fields)}
        measures = [self._measure(one, place) for one in plan.measures]
        groups = [place[name] for name in plan.group]
        order = []
        for by, down, nulls_first in plan.sort:
            key = measures[plan.measures.index(by)] if isinstance(by, Measure) else place[by]
            number = isinstance(by, Measure) and by.kind == "count"
            key = key if number else f"sort_key({key})"
            order.append(f"{key}{' DESC' if down else ''} NULLS {'FIRST' if nulls_first else 'LAST'}")
        order += [f"sort_key({group}) NULLS LAST" for group in groups]
        sql = f"WITH {before}found({names}) AS {found}"
        sql += f" SELECT NULL, {', '.join([*groups, *measures])} FROM found"
        if groups:
            sql += f" GROUP BY {', '.join(groups)}"
        if order:
            sql += f" ORDER BY {', '.join(order)}"
        return sql + self._limit(plan)

    @staticmethod
    def _measure(measure: Measure, place: dict[str, str]) -> str:
        if measure.field is None:
            return "count(*)"
        value = place[measure.field]
        # Which is less is decided by the key; what is shown stands behind it.
        return f"total({value})" if measure.kind == "sum" else f"shown({measure.kind}(sort_key({value})))"

    def _limit(self, plan: Plan) -> str:
        if plan.limit is None and not plan.offset:
            return ""
        limit = -1 if plan.limit is None else plan.limit
        return f" LIMIT {self._p(limit)} OFFSET {self._p(plan.offset)}"


def _only_where(condition: str, select: str) -> str:
    """A select that is begun only where a condition about all of it holds: as one of its own conditions it would be
    looked at for each row, once the others hold."""
    return f"{select} LIMIT CASE WHEN {condition} THEN -1 ELSE 0 END"
