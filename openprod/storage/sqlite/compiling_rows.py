"""The rows of a facet or a concept, and the values of their fields, as SQL. A part of ``compiling``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from openprod.core.queries.ast import ENTITY
from openprod.core.queries.plan import ConceptSource, FacetSource, Source

PLACE = "INDEXED BY sqlite_autoindex_register_1"
"""The table itself, by (root, field, entity): SQLite would rather go by an index of ids and then to the table."""
IS = "IS NOT NULL AND {0} <> 'null'"
_GONE = "entity <> '' AND field = '' AND (value IS NULL OR value = 'null')"
_CORE_GONE = f"SELECT entity FROM register INDEXED BY register_gone WHERE root = 'core.entity' AND {_GONE}"
CONCEPT_ENTITY = "core.concept_entity"


class Rows:
    """Parameters, sets, rows and values of one query."""

    def __init__(self) -> None:
        self.parameters: dict[str, str | int] = {}
        self.sets: list[tuple[str, str]] = []
        self._known: dict[tuple[type, object], str] = {}
        self._names = 0

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

    def _left(self, root: str) -> str:
        """A select of what doesn't have a facet any more."""
        return f"SELECT entity FROM register INDEXED BY register_gone WHERE root = {self._p(root)} AND {_GONE}"

    def _facet_rows(self, root: str, within: str = "", driver: str = "", *, valued: bool = False) -> str:
        """``driver``: a select of ``entity``, once each, of those that have a field with a value; ``valued``: and that
        ``value``, which the rows then have too."""
        name, gone = self._p(root), self._left(root)

        def alive(entity: str) -> str:
            return (
                f"{entity} NOT IN ({gone}) AND {entity} NOT IN ({_CORE_GONE})"
                f" AND {entity} NOT IN (SELECT entity FROM redirect)"
            )

        inside = f" AND m.entity IN {within}" if within else ""
        filled = (
            f"SELECT 1 FROM register v INDEXED BY register_by_entity WHERE v.root = {name} AND v.entity = {{0}}"
            " AND v.entity <> ''"
            f" AND v.value {IS.format('v.value')}"
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

        # What was merged into an entity that never had the facet stands for it; of several the first by id.
        absorbed = (
            "SELECT a.survivor AS entity, CAST(min(a.entity) AS TEXT) AS member FROM redirect a"
            f" WHERE {has('a.entity')}"
            f" AND a.survivor NOT IN ({_CORE_GONE}) AND a.survivor NOT IN ({gone}) AND NOT {has('a.survivor')}"
            f"{f' AND a.survivor IN {within}' if within else ''} GROUP BY a.survivor"
        )
        # Within another select, so that SQLite can take the arms apart, go through the first in order and stop early.
        absorbed = f"SELECT b.entity AS entity, b.member AS member FROM ({absorbed}) b"
        if valued:
            # From the few that were merged to their values, not the other way round.
            absorbed = f"SELECT b.entity, b.member, w.value FROM ({absorbed}) b CROSS JOIN ({driver}) w"
            absorbed += " ON w.entity = b.member"
        elif driver:
            absorbed += f" WHERE b.member IN ({driver})"
        return f"{own} UNION ALL {absorbed}"

    def _concept_rows(self, source: ConceptSource, within: str) -> str:
        arms = [
            "SELECT c.entity AS entity FROM register c"
            f" WHERE c.root = {self._p(CONCEPT_ENTITY)} AND c.field = '' AND c.entity <> ''"
            f" AND c.value = {self._p(json.dumps(source.concept))}{f' AND c.entity IN {within}' if within else ''}"
        ]
        arms += [
            f"SELECT x.entity FROM ({self._facet_rows(facet, within)}) x"
            f" WHERE x.entity NOT IN (SELECT coalesce(d.survivor, b.entity) FROM bound b"
            f" LEFT JOIN redirect d ON d.entity = b.entity WHERE b.facet = {self._p(facet)})"
            for facet in source.bindings
        ]
        return f"SELECT u.entity AS entity, u.entity AS member FROM ({' UNION '.join(arms)}) u"

    def _value(self, source: Source, field: str, row: str) -> str:
        """Canonical JSON of a field of a row; NULL while it is missing."""
        if field == ENTITY:
            return f"json_quote({row}.entity)"
        if isinstance(source, FacetSource):
            return self._facet_value(source, field, f"{row}.member")
        return self._concept_value(source, field, f"{row}.entity")

    def _facet_value(self, source: FacetSource, field: str, member: str) -> str:
        v = self._alias("v")
        table = f"query_text {v}" if field in source.texts else f"register {v} {PLACE}"
        found = [
            f"(SELECT nullif({v}.value, 'null') FROM {table} WHERE {v}.root = {self._p(source.root)}"
            f" AND {v}.field = {self._p(name)} AND {v}.entity = {member} AND {v}.entity <> '')"
            for name in (field, *source.former.get(field, ()))
        ]
        return found[0] if len(found) == 1 else f"coalesce({', '.join(found)})"

    def _concept_value(self, source: ConceptSource, field: str, entity: str) -> str:
        """The canonical value; while there is none, the first of those bound; of what isn't bound, its own."""
        c, g, b, a, h = (self._alias(letter) for letter in "cgbah")
        found = [
            f"(SELECT nullif({c}.value, 'null') FROM register {c} {PLACE} WHERE {c}.root = {self._p(CONCEPT_ENTITY)}"
            f" AND {c}.field = {self._p(field)} AND {c}.entity = {entity} AND {c}.entity <> '')"
        ]
        bound = {facet: fields[field] for facet, fields in source.bindings.items() if field in fields}
        if bound:
            keys = {facet: source.keys(facet, own) for facet, own in bound.items()}
            which = [
                f"CASE {b}.facet {' '.join(f'WHEN {self._p(facet)} THEN {self._p(key)}' for facet, key in turn)} END"
                for turn in _turns(keys)
            ]
            facets = ", ".join(map(self._p, bound))
            found.append(
                f"(SELECT {g}.value FROM bound {b} CROSS JOIN register {g} {PLACE} ON {g}.root = {b}.facet"
                f" AND {g}.field IN ({', '.join(which)}) AND {g}.entity = {b}.entity AND {g}.entity <> ''"
                f" WHERE {b}.concept_entity = {entity} AND {b}.facet IN ({facets})"
                f" AND {g}.value {IS.format(f'{g}.value')} AND {b}.entity NOT IN ({_CORE_GONE})"
                f" AND NOT EXISTS (SELECT 1 FROM register {h} {PLACE} WHERE {h}.root = {b}.facet AND {h}.field = ''"
                f" AND {h}.entity = {b}.entity AND {h}.entity <> '' AND ({h}.value IS NULL OR {h}.value = 'null'))"
                f" ORDER BY {b}.facet, {b}.entity{_first(f'{g}.field', which)} LIMIT 1)"
            )
        for facet, own in bound.items():
            name, names = self._p(facet), list(map(self._p, source.keys(facet, own)))
            free = (
                f"{entity} NOT IN (SELECT coalesce(d.survivor, b.entity) FROM bound b"
                f" LEFT JOIN redirect d ON d.entity = b.entity WHERE b.facet = {name})"
                f" AND {entity} NOT IN ({self._left(facet)})"
            )
            value = (
                f"SELECT {g}.value FROM register {g} {PLACE} WHERE {g}.root = {name} AND {g}.field IN"
                f" ({', '.join(names)}) AND {g}.entity <> '' AND {g}.value {IS.format(f'{g}.value')}"
                f" AND {g}.entity NOT IN ({self._left(facet)}) AND {g}.entity"
            )
            first = _first(f"{g}.field", names)
            own_value = f"{value} = {entity}{f' ORDER BY {first[2:]} LIMIT 1' if first else ''}"
            found.append(f"(CASE WHEN {free} THEN ({own_value}) END)")
            found.append(
                f"(CASE WHEN {free} THEN ({value} IN (SELECT {a}.entity FROM redirect {a}"
                f" WHERE {a}.survivor = {entity}) ORDER BY {g}.entity{first} LIMIT 1) END)"
            )
        return f"coalesce({', '.join([*found, 'NULL'])})"


def _turns(keys: Mapping[str, tuple[str, ...]]) -> list[list[tuple[str, str]]]:
    """(facet, key) of all first keys, then of all second ones, and so on."""
    longest = max(map(len, keys.values()))
    return [[(facet, of[at]) for facet, of in keys.items() if at < len(of)] for at in range(longest)]


def _first(field: str, keys: Sequence[str]) -> str:
    """What an order goes on with so that the first of several keys comes first."""
    if len(keys) == 1:
        return ""
    return f", CASE {field} {' '.join(f'WHEN {key} THEN {at}' for at, key in enumerate(keys))} END"
