"""A plan → SQL with named parameters. What it means is said plainly by the memory storage's twin.

Sets of ids (what edges lead to, what a condition over edges holds for, what is in conflict) are temporary tables, made
one after the other: as common table expressions that name each other SQLite would copy them without end.

Values of a field stand together: going through all of them costs as much as looking up one in thirty. So where many
rows are to be expected, a condition is the set of the ids that it holds for, and a page in the order of a field begins
with its values. Where few are (found by value, or along edges), their values are looked up by (root, field, entity).
"""

from __future__ import annotations

import json

from openprod.core.queries.ast import ENTITY, Compare, Conflicted, In, Json, Matching, Measure, Wanted
from openprod.core.queries.order import order_key, spellings, words_of
from openprod.core.queries.plan import (
    All,
    ConceptSource,
    EdgeStep,
    FacetSource,
    No,
    Path,
    Plan,
    Source,
    Test,
)
from openprod.core.queries.plan import Any as AnyOf

_PLACE = "INDEXED BY sqlite_autoindex_register_1"
"""The table itself, by (root, field, entity): SQLite would rather go by an index of ids and then to the table."""
_IS = "IS NOT NULL AND {0} <> 'null'"
_GONE = "entity <> '' AND field = '' AND (value IS NULL OR value = 'null')"
_CORE_GONE = f"SELECT entity FROM register INDEXED BY register_gone WHERE root = 'core.entity' AND {_GONE}"
_CONCEPT_ENTITY = "core.concept_entity"


class Compiled:
    """``sets``: (name and columns, select) to be made before ``sql``; each row of that is the entity, then the columns
    as canonical JSON or NULL. ``parameters`` are those of all."""

    def __init__(self, plan: Plan) -> None:
        self.parameters: dict[str, str | int] = {}
        self.sets: list[tuple[str, str]] = []
        self._known: dict[tuple[type, object], str] = {}
        self._names = 0
        self.sql = self._plan(plan)

    def _p(self, value: str | int) -> str:
        name = self._known.get((type(value), value))
        if name is None:
            name = self._known[type(value), value] = f"p{len(self.parameters) + 1}"
            self.parameters[name] = str(value) if isinstance(value, str) else value
        return f":{name}"

    def _alias(self, letter: str) -> str:
        self._names += 1
        return f"{letter}{self._names}"

    def _set(self, select: str, columns: str = "id") -> str:
        """A set made once; its name."""
        name = self._alias("s")
        self.sets.append((f"{name} ({columns})", select))
        return name

    # -- the whole -----------------------------------------------------------------------------------------

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
        joined = " AND " if test else " WHERE "
        return (
            f"WITH {found}, page({names}) AS MATERIALIZED (SELECT * FROM first UNION ALL"
            f" SELECT {picked} FROM ({missing}) r{test}{joined}(SELECT count(*) FROM first) < {room}"
            f" {ordered}{self._limit(plan)})"
        )

    def _grouped(self, plan: Plan, source: Source, where: Test | None, within: str) -> str:
        fields = list(dict.fromkeys([*plan.group, *(str(one.field) for one in plan.measures if one.field)]))
        values = [f"{self._value(source, name, 'r')} AS f{number}" for number, name in enumerate(fields)]
        names = ", ".join(["entity", *(f"f{number}" for number in range(len(fields)))])
        if fields and self._goes_by(source, fields[0], where, within):
            assert isinstance(source, FacetSource)
            valued, missing, test = self._by_field(source, fields[0], where)
            found = f"SELECT {', '.join(['r.entity', 'r.value AS f0', *values[1:]])} FROM ({valued}) r{test}"
            found += f" UNION ALL SELECT {', '.join(['r.entity', 'NULL', *values[1:]])} FROM ({missing}) r{test}"
            if not test:
                # Whether any lacks a value is counted sooner than searched.
                found += (
                    f" WHERE (SELECT count(*) FROM ({valued})) < (SELECT count(*) FROM ({self._facet_rows(source.root)}))"
                )
        else:
            found = self._rows(source, where, within, ", ".join(["r.entity AS entity", *values]))
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
        sql = f"WITH found({names}) AS MATERIALIZED ({found})"
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

    # -- rows of a source ----------------------------------------------------------------------------------

    def _rows(self, source: Source, where: Test | None, within: str, picked: str) -> str:
        """``within``: the name of a set that the entities are in, "" for none."""
        many = False
        if isinstance(source, FacetSource):
            driver, rest, by_value = self._driver(source, where) if not within else ("", where, False)
            rows = self._facet_rows(source.root, within, driver)
            many = not within and not by_value
        else:
            rest = where
            rows = self._concept_rows(source, within)
        test = "" if rest is None else f" WHERE {self._test(source, rest, 'r', many=many)}"
        return f"SELECT {picked} FROM ({rows}) r{test}"

    def _goes_by(self, source: Source, field: str, where: Test | None, within: str) -> bool:
        """Whether the rows are found from the values of a field: no condition finds few of them at once."""
        return (
            isinstance(source, FacetSource) and not within and _is_register(source, field)
            and not any(_is_sought(source, part) for part in _parts(where))
        )  # fmt: skip

    def _by_field(self, source: FacetSource, field: str, where: Test | None) -> tuple[str, str, str]:
        """(the rows that have a value in the field, as (entity, member, value); those that have none, as (entity,
        member); what of both is asked for)."""
        held = (
            f"SELECT v.entity AS entity, v.value AS value FROM register v WHERE v.root = {self._p(source.root)}"
            f" AND v.field = {self._p(field)} AND v.entity <> '' AND v.value {_IS.format('v.value')}"
        )
        valued = self._facet_rows(source.root, "", held, valued=True)
        missing = (
            f"SELECT n.entity AS entity, n.member AS member FROM ({self._facet_rows(source.root)}) n"
            f" WHERE n.member NOT IN (SELECT entity FROM ({held}))"
        )
        return valued, missing, "" if where is None else f" WHERE {self._test(source, where, 'r', many=True)}"

    def _facet_rows(self, root: str, within: str = "", driver: str = "", *, valued: bool = False) -> str:
        """``driver``: a select of ``entity``, once each, of those that have a field with a value; ``valued``: and that
        ``value``, which the rows then have too."""
        name = self._p(root)
        gone = f"SELECT entity FROM register INDEXED BY register_gone WHERE root = {name} AND {_GONE}"

        def alive(entity: str) -> str:
            return (
                f"{entity} NOT IN ({gone}) AND {entity} NOT IN ({_CORE_GONE})"
                f" AND {entity} NOT IN (SELECT entity FROM redirect)"
            )

        inside = f" AND m.entity IN {within}" if within else ""
        filled = (
            f"SELECT 1 FROM register v INDEXED BY register_by_entity WHERE v.root = {name} AND v.entity = {{0}}"
            " AND v.entity <> ''"
            f" AND v.value {_IS.format('v.value')}"
        )
        if driver:
            value = ", m.value AS value" if valued else ""
            own = f"SELECT m.entity AS entity, m.entity AS member{value} FROM ({driver}) m WHERE {alive('m.entity')}"
        else:
            own = (
                "SELECT m.entity AS entity, m.entity AS member FROM register m"
                f" WHERE m.root = {name} AND m.field = '' AND m.entity <> ''{inside} AND {alive('m.entity')}"
                " UNION ALL SELECT m.entity, m.entity FROM unmarked m"
                f" WHERE m.root = {name}{inside} AND {alive('m.entity')}"
                f" AND EXISTS ({filled.format('m.entity')})"
            )

        def has(entity: str) -> str:
            marked = (
                f"SELECT 1 FROM register h WHERE h.root = {name} AND h.field = '' AND h.entity = {entity}"
                " AND h.entity <> ''"
            )
            return f"({entity} NOT IN ({gone}) AND (EXISTS ({marked}) OR EXISTS ({filled.format(entity)})))"

        # What was merged into an entity that lacks the facet stands for it; of several the first by id.
        absorbed = (
            "SELECT a.survivor AS entity, CAST(min(a.entity) AS TEXT) AS member FROM redirect a"
            f" WHERE {has('a.entity')}"
            f" AND a.survivor NOT IN ({_CORE_GONE}) AND NOT {has('a.survivor')}"
            f"{f' AND a.survivor IN {within}' if within else ''} GROUP BY a.survivor"
        )
        # Within another select, so that SQLite can take the arms apart, go through the first in order and stop early.
        absorbed = f"SELECT b.entity AS entity, b.member AS member FROM ({absorbed}) b"
        if valued:
            absorbed = f"SELECT b.entity, b.member, w.value FROM ({absorbed}) b JOIN ({driver}) w ON w.entity = b.member"
        elif driver:
            absorbed += f" WHERE b.member IN ({driver})"
        return f"{own} UNION ALL {absorbed}"

    def _concept_rows(self, source: ConceptSource, within: str) -> str:
        arms = [
            "SELECT c.entity AS entity FROM register c"
            f" WHERE c.root = {self._p(_CONCEPT_ENTITY)} AND c.field = '' AND c.entity <> ''"
            f" AND c.value = {self._p(json.dumps(source.concept))}{f' AND c.entity IN {within}' if within else ''}"
        ]
        arms += [
            f"SELECT x.entity FROM ({self._facet_rows(facet, within)}) x"
            f" WHERE x.entity NOT IN (SELECT coalesce(d.survivor, b.entity) FROM bound b"
            f" LEFT JOIN redirect d ON d.entity = b.entity WHERE b.facet = {self._p(facet)})"
            for facet in source.bindings
        ]
        return f"SELECT u.entity AS entity, u.entity AS member FROM ({' UNION '.join(arms)}) u"

    # -- values --------------------------------------------------------------------------------------------

    def _value(self, source: Source, field: str, row: str) -> str:
        """Canonical JSON of a field of a row; NULL while it is missing."""
        if field == ENTITY:
            return f"json_quote({row}.entity)"
        if isinstance(source, FacetSource):
            return self._facet_value(source, field, f"{row}.member")
        return self._concept_value(source, field, f"{row}.entity")

    def _facet_value(self, source: FacetSource, field: str, member: str) -> str:
        v = self._alias("v")
        table = f"query_text {v}" if field in source.texts else f"register {v} {_PLACE}"
        found = [
            f"(SELECT nullif({v}.value, 'null') FROM {table} WHERE {v}.root = {self._p(source.root)}"
            f" AND {v}.field = {self._p(name)} AND {v}.entity = {member} AND {v}.entity <> '')"
            for name in (field, *source.former.get(field, ()))
        ]
        return found[0] if len(found) == 1 else f"coalesce({', '.join(found)})"

    def _concept_value(self, source: ConceptSource, field: str, entity: str) -> str:
        """The canonical value; while nobody gave one, the first of those bound; of what isn't bound, its own."""
        c, g, b, a = (self._alias(letter) for letter in "cgba")
        found = [
            f"(SELECT {c}.value FROM register {c} {_PLACE} WHERE {c}.root = {self._p(_CONCEPT_ENTITY)}"
            f" AND {c}.field = {self._p(field)} AND {c}.entity = {entity} AND {c}.entity <> '')"
        ]
        bound = {facet: fields[field] for facet, fields in source.bindings.items() if field in fields}
        if bound:
            which = " ".join(f"WHEN {self._p(facet)} THEN {self._p(own)}" for facet, own in bound.items())
            facets = ", ".join(map(self._p, bound))
            found.append(
                f"(SELECT {g}.value FROM bound {b} CROSS JOIN register {g} {_PLACE} ON {g}.root = {b}.facet"
                f" AND {g}.field = CASE {b}.facet {which} END AND {g}.entity = {b}.entity AND {g}.entity <> ''"
                f" WHERE {b}.concept_entity = {entity} AND {b}.facet IN ({facets})"
                f" AND {g}.value {_IS.format(f'{g}.value')} ORDER BY {b}.facet, {b}.entity LIMIT 1)"
            )
        for facet, own in bound.items():
            name, field_name = self._p(facet), self._p(own)
            free = (
                f"{entity} NOT IN (SELECT coalesce(d.survivor, b.entity) FROM bound b"
                f" LEFT JOIN redirect d ON d.entity = b.entity WHERE b.facet = {name})"
            )
            value = (
                f"SELECT {g}.value FROM register {g} {_PLACE} WHERE {g}.root = {name} AND {g}.field = {field_name}"
                f" AND {g}.entity <> '' AND {g}.value {_IS.format(f'{g}.value')} AND {g}.entity"
            )
            found.append(f"(CASE WHEN {free} THEN ({value} = {entity}) END)")
            found.append(
                f"(CASE WHEN {free} THEN ({value} IN (SELECT {a}.entity FROM redirect {a}"
                f" WHERE {a}.survivor = {entity}) ORDER BY {g}.entity LIMIT 1) END)"
            )
        return f"nullif(coalesce({', '.join([*found, 'NULL'])}), 'null')"

    # -- conditions ----------------------------------------------------------------------------------------

    def _test(self, source: Source, test: Test, row: str, *, many: bool = False) -> str:
        """True or false, never NULL. ``many``: of most that the source has."""
        if isinstance(test, All):
            return f"({' AND '.join(self._test(source, part, row, many=many) for part in test.parts)})"
        if isinstance(test, AnyOf):
            return f"({' OR '.join(self._test(source, part, row, many=many) for part in test.parts)})"
        if isinstance(test, No):
            return f"(NOT {self._test(source, test.part, row, many=many)})"
        if isinstance(test, Path):
            return f"({row}.entity IN {self._holding(source, test.steps)})"
        if isinstance(test, Matching):
            return self._matching(source, test, row)
        if isinstance(test, Conflicted):
            return f"({row}.entity IN {self._conflicted(source, test)})"
        if many and isinstance(source, FacetSource) and _is_register(source, test.field):
            return self._among(source, test, row)
        return self._compare(test, self._value(source, test.field, row))

    def _among(self, source: FacetSource, test: Compare | In, row: str) -> str:
        """A comparison as the set of what has such a value, or of what hasn't."""
        holds = _is_positive(test)
        if not holds and isinstance(test, In):
            known = tuple(one for one in test.values if one is not None)
            found = f"(NOT {self._compare(In(test.field, known), 'g.value')})" if None in test.values else "0"
        elif not holds:
            assert isinstance(test, Compare)
            found = self._compare(Compare(test.field, "=" if test.value is not None else "!=", test.value), "g.value")
        else:
            found = self._compare(test, "g.value")
        # The plus keeps SQLite from going through the set and looking up each of it.
        return (
            f"(+{row}.member {'' if holds else 'NOT '}IN (SELECT g.entity FROM register g"
            f" WHERE g.root = {self._p(source.root)} AND g.field = {self._p(test.field)} AND g.entity <> ''"
            f" AND g.value {_IS.format('g.value')} AND {found}))"
        )

    def _compare(self, test: Compare | In, value: str) -> str:
        if isinstance(test, In):
            texts = list(dict.fromkeys(text for wanted in test.values for text in spellings(wanted)))
            found = f"coalesce({value} IN ({', '.join(map(self._p, texts))}), 0)" if texts else "0"
            return f"({found} OR {value} IS NULL)" if None in test.values else found
        wanted = test.value
        if test.operator in ("=", "!="):
            if wanted is None:
                return f"({value} IS {'NOT ' if test.operator == '!=' else ''}NULL)"
            found = f"coalesce({value} IN ({', '.join(map(self._p, spellings(wanted)))}), 0)"
            return found if test.operator == "=" else f"(NOT {found})"
        assert wanted is not None
        if test.operator in ("contains", "starts"):
            return f"{test.operator}({value}, {self._p(_text(wanted).casefold())})"
        key = order_key(_text(wanted))
        assert key is not None
        return f"coalesce(order_key({value}) {test.operator} {self._p(key)}, 0)"

    def _driver(self, source: FacetSource, where: Test | None) -> tuple[str, Test | None, bool]:
        """(a select of the entities that one part of a condition holds for, the rest of it, whether these are found by
        value and so few), ("", all, False) where none can go first."""
        parts = list(_parts(where))
        able = [part for part in parts if _is_able(source, part)]
        if not able:
            return "", where, False
        sought = next((part for part in able if _is_sought(source, part)), None)
        first = sought or next((part for part in able if isinstance(part, Matching)), able[0])
        parts.remove(first)
        rest = All(tuple(parts)) if parts else None
        if isinstance(first, Matching):
            return f"SELECT id AS entity FROM {self._matched(source, words_of(first.text))}", rest, False
        assert isinstance(first, (Compare, In))
        d = self._alias("d")
        sql = (
            f"SELECT {d}.entity FROM register {d}{{0}} WHERE {d}.root = {self._p(source.root)}"
            f" AND {d}.field = {self._p(first.field)} AND {d}.entity <> ''"
        )
        # SQLite would rather go through all values in the order of the answer than sort the few it finds.
        sql = sql.format(" INDEXED BY register_by_value" if sought else "")
        if sought:
            wanted = first.values if isinstance(first, In) else (first.value,)
            texts = list(dict.fromkeys(text for one in wanted for text in spellings(one)))
            starts = ", ".join(f"substr({self._p(text)}, 1, 40)" for text in texts)
            sql += f" AND {d}.sought AND substr({d}.value, 1, 40) IN ({starts})"
        sql += f" AND {self._compare(first, f'nullif({d}.value, {chr(39)}null{chr(39)})')}"
        return sql, rest, sought is not None

    def _matching(self, source: Source, test: Matching, row: str) -> str:
        words = words_of(test.text)
        if not words:
            return "1"
        if isinstance(source, FacetSource) and not source.former:
            return f"({row}.member IN {self._matched(source, words)})"
        found = []
        for word in words:
            held = [f"contains({self._value(source, name, row)}, {self._p(word)})" for name in source.fields]
            found.append(f"({' OR '.join(held or ['0'])})")
        return f"({' AND '.join(found)})"

    def _matched(self, source: FacetSource, words: tuple[str, ...]) -> str:
        """The set of what has every word somewhere: all values are gone through once."""
        fields = [name for name in source.fields if name not in source.texts]
        names = [f"w{number}" for number in range(len(words))]
        arms = []
        for table, among in (("register", fields), ("query_text", sorted(source.texts))):
            if among:
                held = [self._word("g.value", word) for word in words]
                arms.append(
                    f"SELECT g.entity, {', '.join(held)} FROM {table} g WHERE g.root = {self._p(source.root)}"
                    f" AND g.field IN ({', '.join(map(self._p, among))}) AND g.entity <> '' AND ({' OR '.join(held)})"
                )
        if not arms:
            return self._set("SELECT 1 WHERE 0")
        if len(words) == 1:
            every = " UNION ".join(f"SELECT entity FROM ({arm})" for arm in arms)
            return self._set(every)
        found = self._set(" UNION ALL ".join(arms), f"id, {', '.join(names)}")
        return self._set(" INTERSECT ".join(f"SELECT id FROM {found} WHERE {name}" for name in names))

    def _word(self, value: str, word: str) -> str:
        """Whether a word stands in a value. Of plain letters and digits SQLite sees most itself: a text that has them
        as they are does; one that doesn't and is all ASCII doesn't."""
        close = f"contains({value}, {self._p(word)})"
        if not (word.isascii() and word.isalnum()):
            return close
        return (
            f"CASE WHEN {value} LIKE {self._p(f'%{word}%')}"
            f" THEN CASE WHEN {value} GLOB '\"*' AND instr({value}, '\\') = 0 THEN 1 ELSE {close} END"
            f" WHEN length(CAST({value} AS BLOB)) <> length({value}) THEN {close} ELSE 0 END"
        )

    def _conflicted(self, source: Source, test: Conflicted) -> str:
        said = (
            "SELECT entity, facet, field FROM conflict WHERE status = 'open'"
            " UNION SELECT e.value, k.facet, k.field FROM conflict k, json_each(k.subject, '$.entities') e"
            " WHERE k.status = 'open' AND k.kind = 'duplicate'"
        )
        stands = "SELECT coalesce(d.survivor, k.entity) FROM ({0}) k LEFT JOIN redirect d ON d.entity = k.entity WHERE "
        concept = self._p(_CONCEPT_ENTITY)

        def fields(names: list[str]) -> str:
            return f"k.field IN ({', '.join(map(self._p, names))})" if names else "0"

        whole = not test.fields
        if isinstance(source, FacetSource):
            meant = [own for own, theirs in source.meanings.items() if whole or theirs in test.fields]
            about = f"k.facet = {self._p(source.root)}"
            about = f"({about} OR k.facet = '')" if whole else f"({about} AND {fields(list(test.fields))})"
            arms = [
                stands.format(said) + about,
                f"SELECT coalesce(d.survivor, b.entity) FROM ({said}) k JOIN bound b ON b.concept_entity = k.entity"
                f" AND b.facet = {self._p(source.root)} LEFT JOIN redirect d ON d.entity = b.entity"
                f" WHERE k.facet = {concept} AND {fields(meant)}",
            ]
            return self._set(" UNION ".join(arms))
        held = "1" if whole else fields(list(test.fields))
        arms = [f"SELECT k.entity FROM ({said}) k WHERE k.facet = {concept} AND {held}"]
        for facet, own in source.bindings.items():
            names = [theirs for mine, theirs in own.items() if whole or mine in test.fields]
            about = f"k.facet = {self._p(facet)} AND {fields(names)}"
            about = f"({about} OR k.facet = '')" if whole else f"({about})"
            arms.append(stands.format(said) + about)
            arms.append(
                f"SELECT b.concept_entity FROM ({said}) k JOIN bound b ON b.entity = k.entity"
                f" AND b.facet = {self._p(facet)} WHERE {about}"
            )
        return self._set(" UNION ".join(arms))

    # -- edges ---------------------------------------------------------------------------------------------

    def _holding(self, source: Source, steps: tuple[EdgeStep, ...]) -> str:
        """The set of the source's rows from which there is such a path: found from its far end."""
        start = ""
        for at in range(len(steps) - 1, -1, -1):
            step = steps[at]
            if step.source is None:
                assert not start, "only the last step may lead to anything"
            else:
                start = self._set(self._rows(step.source, step.where, start, "r.entity"))
            before = steps[at - 1].source if at else source
            assert before is not None
            start = self._set(self._reached(start, step.source, step.root, not step.outward, step.edge_where, before))
        return start

    def _reached(
        self, start: str, source: Source | None, root: str, outward: bool, edge_where: Test | None, target: Source
    ) -> str:
        """The ids of ``target`` that edges lead to from the rows in ``start``; "" for edges from anywhere."""
        name = self._p(root)
        near, far = ("from", "to") if outward else ("to", "from")
        n, f = self._alias("n"), self._alias("f")
        kept = (
            f"{n}.root = {name} AND {n}.field = '{near}' AND {n}.entity <> '' AND EXISTS (SELECT 1 FROM register m"
            f" {_PLACE} WHERE m.root = {name} AND m.field = '' AND m.entity = {n}.entity AND m.entity <> ''"
            f" AND m.value {_IS.format('m.value')})"
        )
        if edge_where is not None:
            kept += f" AND {self._edge_test(root, edge_where, f'{n}.entity')}"
        if start:
            assert source is not None
            members = self._set(self._members(source, start))
            # CROSS JOIN is SQLite's way to fix the order: from the rows to their edges, by the index of ends.
            edges = (
                f"(SELECT json_quote(id) AS id FROM {members}) i"
                f" CROSS JOIN register {n} INDEXED BY register_by_value ON {n}.sought"
                f" AND substr({n}.value, 1, 40) = substr(i.id, 1, 40) AND {n}.value = i.id AND {kept}"
            )
        else:
            edges = f"register {n}"
        ends = (
            f"SELECT id_of({f}.value) AS id FROM {edges} CROSS JOIN register {f} {_PLACE} ON {f}.root = {name}"
            f" AND {f}.field = '{far}' AND {f}.entity = {n}.entity AND {f}.entity <> ''"
            f"{'' if start else f' WHERE {kept}'}"
        )
        ends = self._set(f"SELECT id FROM ({ends}) WHERE id IS NOT NULL")
        return self._standing(target, ends)

    def _members(self, source: Source, rows: str) -> str:
        """All ids that count as the rows': what was merged into them, and of a concept what is bound to them."""
        if isinstance(source, ConceptSource) and source.bindings:
            facets = ", ".join(map(self._p, source.bindings))
            rows = self._set(
                f"SELECT id FROM {rows} UNION SELECT entity FROM bound"
                f" WHERE concept_entity IN {rows} AND facet IN ({facets})"
            )
            rows = self._set(f"SELECT id FROM {rows} UNION SELECT survivor FROM redirect WHERE entity IN {rows}")
        return f"SELECT id FROM {rows} UNION SELECT entity FROM redirect WHERE survivor IN {rows}"

    def _standing(self, target: Source, ids: str) -> str:
        """The rows that ids may stand for; not all need be there."""
        if isinstance(target, FacetSource) or not target.bindings:
            return f"SELECT coalesce(d.survivor, e.id) FROM {ids} e LEFT JOIN redirect d ON d.entity = e.id"
        every = self._set(f"SELECT id FROM {ids} UNION SELECT survivor FROM redirect WHERE entity IN {ids}")
        every = self._set(f"SELECT id FROM {every} UNION SELECT entity FROM redirect WHERE survivor IN {every}")
        facets = ", ".join(map(self._p, target.bindings))
        return (
            f"SELECT id FROM {every} WHERE id NOT IN (SELECT entity FROM redirect)"
            f" UNION SELECT concept_entity FROM bound WHERE entity IN {every} AND facet IN ({facets})"
        )

    def _edge_test(self, root: str, test: Test, edge: str) -> str:
        if isinstance(test, All):
            return f"({' AND '.join(self._edge_test(root, part, edge) for part in test.parts)})"
        if isinstance(test, AnyOf):
            return f"({' OR '.join(self._edge_test(root, part, edge) for part in test.parts)})"
        if isinstance(test, No):
            return f"(NOT {self._edge_test(root, test.part, edge)})"
        assert isinstance(test, (Compare, In)), "of an edge only its properties are asked"
        v = self._alias("v")
        return self._compare(
            test,
            f"(SELECT nullif({v}.value, 'null') FROM register {v} {_PLACE} WHERE {v}.root = {self._p(root)}"
            f" AND {v}.field = {self._p(test.field)} AND {v}.entity = {edge} AND {v}.entity <> '')",
        )


def _text(wanted: Wanted) -> str:
    return wanted.text if isinstance(wanted, Json) else wanted or ""


def _parts(where: Test | None) -> tuple[Test, ...]:
    """What must all hold."""
    return where.parts if isinstance(where, All) else () if where is None else (where,)


def _is_register(source: FacetSource, field: str) -> bool:
    """Whether a field's value is that of one register."""
    return field != ENTITY and field not in source.texts and field not in source.former


def _is_able(source: FacetSource, test: Test) -> bool:
    """Whether what a test holds for can be found from it, and has a value in a register."""
    if isinstance(test, Matching):
        return not source.former and not source.texts and bool(words_of(test.text))
    return isinstance(test, (Compare, In)) and _is_register(source, test.field) and _is_positive(test)


def _is_sought(source: FacetSource, test: Test) -> bool:
    """Whether the few that a test holds for are found by their value."""
    if not isinstance(test, (Compare, In)) or not _is_able(source, test) or test.field not in source.sought:
        return False
    return isinstance(test, In) or (test.operator == "=")


def _is_positive(test: Compare | In) -> bool:
    """Whether a comparison holds only where there is a value."""
    if isinstance(test, In):
        return bool(test.values) and None not in test.values
    return test.operator != "!=" if test.value is not None else test.operator == "!="
