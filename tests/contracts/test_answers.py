"""The answers of SQLite are those of its twin in memory: random tables, random queries. INV-QUERY-2."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from openprod.core import queries
from openprod.core.concepts import Binding, Concept, ConceptField
from openprod.core.queries.ast import (
    OPERATORS,
    Compare,
    Condition,
    Conflicted,
    Has,
    Hop,
    In,
    Matching,
    Measure,
    Name,
    Not,
    Query,
    Sort,
    all_of,
    any_of,
    wanted,
)
from openprod.core.queries.plan import Past
from openprod.core.schema import Edge, Facet, Field, Schema
from openprod.core.values import canonical
from openprod.engine.queries import KnownNames, prepare
from openprod.engine.schemas import Schemas
from openprod.storage.memory import MemoryStorage
from openprod.storage.memory_answers import MemoryAnswers
from openprod.storage.ports import ConflictRow, RegisterRow, Storage
from openprod.storage.sqlite.queries import SqliteAnswers
from openprod.storage.sqlite.storage import SqliteStorage

SCHEMA = Schema(
    plugin="a",
    facets={
        "one": Facet(
            unique=(("x",),),
            fields={"x": Field(), "y": Field(type="decimal"), "t": Field(type="text"), "new": Field(was=("old",))},
        ),
        "two": Facet(fields={"name": Field(), "n": Field(type="number")}),
    },
    edges={
        "to_two": Edge(source="one", target="two", properties={"p": Field()}),
        "any": Edge(properties={"p": Field()}),
    },
)
NAMES = KnownNames(
    Schemas({"a": SCHEMA}),
    {"Thing": Concept(name="Thing", fields={"label": ConceptField(), "size": ConceptField(), "free": ConceptField()})},
    [
        Binding(facet="a.one", concept="Thing", fields={"label": "x", "size": "y", "free": "new"}),
        Binding(facet="a.two", concept="Thing", fields={"label": "name"}),
    ],
)
FIELDS = {"a.one": ("x", "y", "t", "new"), "a.two": ("name", "n"), "Thing": ("label", "size", "free")}
EDGES = {"a.to_two": ("a.one", "a.two"), "a.any": ("", "")}
ENTITIES = [f"e{number}" for number in range(9)] + ["é-ntity", 'q"uo\\te']
THINGS = ["c1", "c2", "c3"]
VALUES = (
    None, "LX", "lx", "snd 10", "SND 2", "42", "42.10", "42.1", 42, 7.5, -3, "-3", "", True, "true", 'say "hi"\n',
    "Été", "Straße 4", ["LX", 2], {"a": [1]}, "ghost light", "x" * 60, "x" * 61, "null",
)  # fmt: skip


class World:
    """The same rows in both storages."""

    def __init__(self, chance: random.Random, path: str) -> None:
        self.chance = chance
        self.storages: list[Storage] = [MemoryStorage(), SqliteStorage(path)]
        self.rows: list[RegisterRow] = []
        self._places: set[tuple[str, str]] = set()
        self._fill()
        redirects = self._redirects()
        bound = {
            (facet, entity): chance.choice(THINGS)
            for facet in ("a.one", "a.two")
            for entity in ENTITIES
            if chance.random() < 0.3
        }
        conflicts = [self._conflict(number) for number in range(chance.randrange(5))]
        for storage in self.storages:
            with storage.transaction():
                storage.put_registers(self.rows)
                storage.put_redirects(redirects)
                storage.put_bound(bound)
                for row in conflicts:
                    storage.put_conflict(row)
        self.texts = {("a.one", "t"): {entity: "The Ghost\nwalks" for entity in ENTITIES if chance.random() < 0.4}}

    def _redirects(self) -> dict[str, str | None]:
        absorbed = self.chance.sample(ENTITIES, self.chance.randrange(4))
        rest = [entity for entity in ENTITIES if entity not in absorbed]
        return {entity: self.chance.choice(rest) for entity in absorbed}

    def _add(self, document: str, root: str, entity: str, field: str, value: Any, *, sought: bool = False) -> None:
        if (root, f"{entity}/{field}") in self._places:
            return
        self._places.add((root, f"{entity}/{field}"))
        text = None if value is ... else canonical(value)
        key = f"{entity}/{field}" if field else entity
        number = len(self.rows) + 1
        self.rows.append(RegisterRow(number, document, root, key, entity, field, 1, number, False, text, sought))

    def _fill(self) -> None:
        some = self.chance.random
        pick = self.chance.choice
        for entity in ENTITIES:
            if some() < 0.5:
                self._add("core", "core.entity", entity, "", pick((True, True, None, ...)))
            for facet, fields in (("a.one", ("x", "y", "new", "old")), ("a.two", ("name", "n"))):
                if some() < 0.6:
                    names = [name for name in fields if some() < 0.8]
                    places = [*names, *([""] if some() < 0.7 else [])]
                    self.chance.shuffle(places)  # a field may come before its marker
                    for name in places:
                        value = pick((True, True, True, None, ...)) if not name else pick((*VALUES, ...))
                        self._add("a", facet, entity, name, value, sought=name == "x")
        for thing in THINGS:
            if some() < 0.8:
                self._add("core", "core.concept_entity", thing, "", pick(("Thing", "Thing", "Other", None)))
                for name in FIELDS["Thing"]:
                    if some() < 0.5:
                        self._add("core", "core.concept_entity", thing, name, pick((*VALUES, ...)))
        for edge in EDGES:
            for number in range(self.chance.randrange(14)):
                root, id = f"edge:{edge}", f"{edge}{number}"
                self._add("a", root, id, "", pick((True, True, True, None)))
                for end in ("from", "to"):
                    ends = [*ENTITIES, *THINGS, "nobody", 3, None]
                    self._add("a", root, id, end, pick(ends), sought=True)
                if some() < 0.5:
                    self._add("a", root, id, "p", pick(VALUES))

    def _conflict(self, number: int) -> ConflictRow:
        kind, facet, field = self.chance.choice(
            [
                ("field", "a.one", "x"), ("field", "a.two", "name"), ("edit-delete", "", ""), ("invalid", "a.one", "y"),
                ("semantic", "core.concept_entity", "label"), ("duplicate", "a.one", "x"),
            ]
        )  # fmt: skip
        entities = self.chance.sample([*ENTITIES, *THINGS], 2)
        return ConflictRow(
            f"k{number}", kind, self.chance.choice(("open", "open", "resolved")), False, entities[0], facet, field, "a",
            None, "[]", json.dumps({"entities": entities} if kind == "duplicate" else {}), "",
        )  # fmt: skip

    # -- queries -------------------------------------------------------------------------------------------

    def query(self) -> Query:
        chance = self.chance
        source = chance.choice(list(FIELDS))
        hops, last = [], source
        for _ in range(chance.choice((0, 0, 0, 1, 2))):
            hop, last = self._hop(3)
            hops.append(hop)
        parts: dict[str, Any] = {}
        names = [*FIELDS[last], "entity"]
        if chance.random() < 0.3:
            parts["group"] = tuple(map(Name, chance.sample(FIELDS[last], chance.randrange(3))))
            measures = {Measure("count"), *(
                Measure(chance.choice(("min", "max", "sum")), Name(chance.choice(names))) for _ in range(2)
            )}  # fmt: skip
            parts["measures"] = tuple(sorted(measures, key=str))
            keys: list[Any] = [*parts["group"], *parts["measures"]]
        else:
            keys = [Name(name) for name in names]
        parts["sort"] = tuple(
            Sort(key, chance.random() < 0.5, chance.random() < 0.3) for key in chance.sample(keys, min(2, len(keys)))
        )
        if chance.random() < 0.3:
            parts |= {"limit": chance.randrange(6), "offset": chance.randrange(4)}
        where = None if chance.random() < 0.2 else self._condition(source, 3)
        return Query(source=Name(source), where=where, along=tuple(hops), **parts)

    def _hop(self, depth: int, *, open_end: bool = False) -> tuple[Hop, str]:
        chance = self.chance
        edge = chance.choice(list(EDGES))
        target = chance.choice(list(FIELDS))
        where = self._condition(target, depth - 1) if chance.random() < 0.4 else None
        edge_where = Compare(Name("p"), "=", wanted(chance.choice(VALUES))) if chance.random() < 0.2 else None
        if open_end and chance.random() < 0.4:
            return Hop(Name(edge), chance.random() < 0.5, None, None, edge_where), ""
        return Hop(Name(edge), chance.random() < 0.5, Name(target), where, edge_where), target

    def _condition(self, source: str, depth: int) -> Condition:
        chance = self.chance
        field = Name(chance.choice([*FIELDS[source], *FIELDS[source], "entity"]))
        kind = chance.randrange(12 if depth else 7)
        if kind < 4:
            operator = chance.choice(OPERATORS)
            value = wanted(chance.choice([*VALUES, *ENTITIES, "l", "4"]))
            return Compare(field, operator if value is not None or operator == "!=" else "=", value)
        if kind == 4:
            return In(field, tuple(wanted(chance.choice([*VALUES, *ENTITIES])) for _ in range(chance.randrange(1, 4))))
        if kind == 5:
            return Matching(
                chance.choice(
                    ("ghost", "GHOST walks", "lx", "n", '"hi"', "été", "", "ss", "4 ss", "lx 2", "n hi é", "4", "x")
                )
            )
        if kind == 6:
            return Conflicted(tuple(map(Name, chance.sample(FIELDS[source], chance.randrange(2)))))
        if kind == 7:
            return Not(self._condition(source, depth - 1))
        if kind in (8, 9):
            parts = [self._condition(source, depth - 1) for _ in range(2)]
            found = (all_of if kind == 8 else any_of)(parts)
            assert found is not None
            return found
        first, last = self._hop(depth - 1, open_end=kind == 10)
        return Has((first, self._hop(depth - 1, open_end=True)[0]) if kind == 11 and last else (first,))

    def past(self) -> Past:
        chance = self.chance
        ids = [row.id for row in self.rows]
        unborn = frozenset(chance.sample(ids, len(ids) // 8))
        values = {
            id: None if chance.random() < 0.2 else canonical(chance.choice(VALUES))
            for id in chance.sample(ids, len(ids) // 6)
            if id not in unborn
        }
        redirects = {key: value for key, value in self._redirects().items() if value is not None}
        bound = {("a.one", entity): chance.choice(THINGS) for entity in chance.sample(ENTITIES, 3)}
        return Past(frozenset(row.root for row in self.rows), values, unborn, redirects, bound)


@pytest.mark.parametrize("seed", range(40))
def test_random_queries_get_the_same_answers(seed: int, tmp_path: Path) -> None:
    """INV-QUERY-2: SQL and the plain reading of a plan agree, now and in the past."""
    print(f"seed {seed}")
    world = World(random.Random(seed), str(tmp_path / "workspace.db"))
    memory, sqlite = MemoryAnswers(world.storages[0]), SqliteAnswers(str(tmp_path / "workspace.db"))
    filled = 0
    try:
        for _ in range(30):
            query = world.query()
            assert queries.parse(queries.to_text(query)) == query
            plan = prepare(query, NAMES).plan
            past = None if world.chance.random() < 0.7 or "conflicted" in queries.to_text(query) else world.past()
            expected = memory.answer(plan, past=past, texts=world.texts)
            assert sqlite.answer(plan, past=past, texts=world.texts) == expected, queries.to_text(query)
            filled += bool(expected)
    finally:
        sqlite.close()
        for storage in world.storages:
            storage.close()
    assert filled  # not all of them asked for nothing


def test_an_entity_whose_words_stand_in_several_fields_is_one_row(tmp_path: Path) -> None:
    """INV-QUERY-2, where every field matches: by one word, by two, in an order."""
    rows = []
    for number, (field, value) in enumerate([("", "true"), ("name", '"Ghost 4"'), ("n", '"4 ghosts"')] * 3):
        entity = f"e{number // 3}"
        key = f"{entity}/{field}" if field else entity
        rows.append(RegisterRow(number, "a", "a.two", key, entity, field, 1, number, False, value, False))
    sqlite, memory = SqliteStorage(str(tmp_path / "workspace.db")), MemoryStorage()
    for storage in (sqlite, memory):
        with storage.transaction():
            storage.put_registers(rows)
    answers = SqliteAnswers(str(tmp_path / "workspace.db"))
    try:
        for line in ("matching ghost", "matching “ghost 4”", "matching ghost sort n limit 2", "matching zzz"):
            plan = prepare(queries.parse(f"a.two where {line}"), NAMES).plan
            found = answers.answer(plan)
            assert found == MemoryAnswers(memory).answer(plan)
            assert len(found) == (0 if "zzz" in line else 2 if "limit" in line else 3)
    finally:
        answers.close()
        sqlite.close()
