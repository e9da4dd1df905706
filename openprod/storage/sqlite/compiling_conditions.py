"""Conditions, and what edges lead to, as SQL. A part of ``compiling``."""

from __future__ import annotations

from openprod.core.queries.ast import ENTITY, Compare, Conflicted, In, Json, Matching, Wanted
from openprod.core.queries.order import order_key, spellings, words_of
from openprod.core.queries.plan import (
    All,
    ConceptSource,
    EdgeStep,
    FacetSource,
    No,
    Path,
    Source,
    Test,
)
from openprod.core.queries.plan import Any as AnyOf
from openprod.storage.sqlite.compiling_rows import CONCEPT_ENTITY, IS, PLACE, Rows

_UNPLAIN = "length(CAST({0} AS BLOB)) <> length({0})"
"""Not all of a text is ASCII."""


class Conditions(Rows):
    """The rows of a source that a condition holds for."""

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
        """Whether the rows are found from the values of a field: no condition leaves few of them."""
        return (
            isinstance(source, FacetSource) and not within and _is_register(source, field)
            and not any(_is_narrow(source, part) for part in _parts(where))
        )  # fmt: skip

    def _by_field(self, source: FacetSource, field: str, where: Test | None) -> tuple[str, str, str]:
        """(the rows that have a value in the field, as (entity, member, value); those that have none, as (entity,
        member); what of both is asked for)."""
        held = (
            f"SELECT v.entity AS entity, v.value AS value FROM register v WHERE v.root = {self._p(source.root)}"
            f" AND v.field = {self._p(field)} AND v.entity <> '' AND v.value {IS.format('v.value')}"
        )
        valued = self._facet_rows(source.root, "", held, valued=True)
        missing = (
            f"SELECT n.entity AS entity, n.member AS member FROM ({self._facet_rows(source.root)}) n"
            f" WHERE n.member NOT IN (SELECT entity FROM ({held}))"
        )
        return valued, missing, "" if where is None else f" WHERE {self._test(source, where, 'r', many=True)}"

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
        if test.field == ENTITY and (isinstance(test, In) or test.operator in ("=", "!=")):
            return self._is_one_of(test, row)
        if many and isinstance(source, FacetSource) and _is_register(source, test.field):
            return self._among(source, test, row)
        return self._compare(test, self._value(source, test.field, row))

    def _is_one_of(self, test: Compare | In, row: str) -> str:
        """Whether a thing is one of these, or what one of these was merged into."""
        wanted = test.values if isinstance(test, In) else (test.value,)
        texts = list(dict.fromkeys(text for one in wanted for text in spellings(one)))
        ids = ", ".join(map(self._p, texts)) or "NULL"
        found = (
            f"(json_quote({row}.entity) IN ({ids}) OR {row}.entity IN"
            f" (SELECT survivor FROM redirect WHERE json_quote(entity) IN ({ids})))"
        )
        other = isinstance(test, Compare) and test.operator == "!="
        return f"coalesce({f'NOT {found}' if other else found}, {int(other)})"

    def _among(self, source: FacetSource, test: Compare | In, row: str) -> str:
        """A comparison as the set of what has such a value, or of what hasn't."""
        holds = _is_positive(test)
        if not holds and isinstance(test, In):
            found = f"g.value {IS.format('g.value')}"
            known = tuple(one for one in test.values if one is not None)
            found += f" AND NOT {self._compare(In(test.field, known), 'g.value')}" if None in test.values else " AND 0"
        elif not holds:
            assert isinstance(test, Compare)
            found = self._filled(Compare(test.field, "=" if test.value is not None else "!=", test.value), "g.value")
        else:
            found = self._filled(test, "g.value")
        # The plus keeps SQLite from going through the set and looking up each of it.
        return (
            f"(+{row}.member {'' if holds else 'NOT '}IN (SELECT g.entity FROM register g"
            f" WHERE g.root = {self._p(source.root)} AND g.field = {self._p(test.field)} AND g.entity <> ''"
            f" AND {found}))"
        )

    def _filled(self, test: Compare | In, value: str) -> str:
        """A comparison that holds only where there is a value, of a column as it stands in its table."""
        wanted = test.values if isinstance(test, In) else (test.value,) if test.operator == "=" else ()
        texts = list(dict.fromkeys(text for one in wanted for text in spellings(one)))
        if texts:
            return f"{value} IN ({', '.join(map(self._p, texts))})"
        return f"{value} {IS.format(value)} AND {self._compare(test, value)}"

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
        narrow = (part for part in able if _is_narrow(source, part))
        first = sought or next(narrow, able[0])
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
        # The + keeps SQLite from putting one wanted text for the value above, where the index would no longer do.
        sql += f" AND {self._filled(first, f'+{d}.value' if sought else f'{d}.value')}"
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
                    f" AND g.field IN ({', '.join(map(self._p, among))}) AND g.entity <> ''"
                    f" AND {self._any_word('g.value', words, held)}"
                )
        if not arms:
            return self._set("SELECT 1 WHERE 0")
        if len(words) == 1:
            return self._set(" UNION ".join(f"SELECT DISTINCT entity FROM ({arm})" for arm in arms))
        found = self._set(" UNION ALL ".join(arms), f"id, {', '.join(names)}")
        return self._set(" INTERSECT ".join(f"SELECT id FROM {found} WHERE {name}" for name in names))

    def _any_word(self, value: str, words: tuple[str, ...], held: list[str]) -> str:
        """What is worth a closer look: at least where one of the words stands in a value."""
        if len(words) == 1 or not all(map(_is_plain, words)):
            return f"({' OR '.join(held)})"
        alike = " OR ".join(f"{value} LIKE {self._p(f'%{word}%')}" for word in words)
        close = " OR ".join(f"contains({value}, {self._p(word)})" for word in words)
        return f"CASE WHEN {alike} THEN 1 WHEN {_UNPLAIN.format(value)} THEN {close} ELSE 0 END"

    def _word(self, value: str, word: str) -> str:
        """Whether a word stands in a value. Of plain letters and digits SQLite sees most itself: a text that has them
        as they are does; one that doesn't and is all ASCII doesn't. CASE stops where OR would ask both."""
        close = f"contains({value}, {self._p(word)})"
        if not _is_plain(word):
            return close
        return (
            f"CASE WHEN {value} LIKE {self._p(f'%{word}%')}"
            f" THEN CASE WHEN {value} GLOB '\"*' AND instr({value}, '\\') = 0 THEN 1 ELSE {close} END"
            f" WHEN {_UNPLAIN.format(value)} THEN {close} ELSE 0 END"
        )

    def _conflicted(self, source: Source, test: Conflicted) -> str:
        said = (
            "SELECT entity, facet, field FROM conflict WHERE status = 'open'"
            " UNION SELECT e.value, k.facet, k.field FROM conflict k, json_each(k.subject, '$.entities') e"
            " WHERE k.status = 'open' AND k.kind = 'duplicate'"
        )
        stands = "SELECT coalesce(d.survivor, k.entity) FROM ({0}) k LEFT JOIN redirect d ON d.entity = k.entity WHERE "
        concept = self._p(CONCEPT_ENTITY)

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
            f" {PLACE} WHERE m.root = {name} AND m.field = '' AND m.entity = {n}.entity AND m.entity <> ''"
            f" AND m.value {IS.format('m.value')})"
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
            f"SELECT id_of({f}.value) AS id FROM {edges} CROSS JOIN register {f} {PLACE} ON {f}.root = {name}"
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
            f"(SELECT nullif({v}.value, 'null') FROM register {v} {PLACE} WHERE {v}.root = {self._p(root)}"
            f" AND {v}.field = {self._p(test.field)} AND {v}.entity = {edge} AND {v}.entity <> '')",
        )


def _text(wanted: Wanted) -> str:
    return wanted.text if isinstance(wanted, Json) else wanted or ""


def _is_plain(word: str) -> bool:
    return word.isascii() and word.isalnum()


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


def _is_narrow(source: FacetSource, test: Test) -> bool:
    """Whether a test that can go first is likely to leave few."""
    return _is_able(source, test) and not (isinstance(test, Compare) and test.operator in ("!=", "<", "<=", ">", ">="))


def _is_positive(test: Compare | In) -> bool:
    """Whether a comparison holds only where there is a value."""
    if isinstance(test, In):
        return bool(test.values) and None not in test.values
    return test.operator != "!=" if test.value is not None else test.operator == "!="
