"""Queries beside the writer: a read-only connection of its own, which sees whole commits and blocks nobody.

``Answers`` may be called from any thread, one call at a time. Contract: ``openprod.storage.ports.Answers``.
"""

from __future__ import annotations

import json
import re
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final
from weakref import WeakKeyDictionary

from openprod.core.queries.order import END, contains, key_of, number_of, starts, total, value_of
from openprod.core.queries.plan import Past, Plan, Texts
from openprod.errors import LimitExceeded
from openprod.storage.ports import Explained, RegisterRow, Storage
from openprod.storage.sqlite.compiling import Compiled
from openprod.storage.sqlite.connection import BUSY_TIMEOUT_S, quoted, translated
from openprod.storage.sqlite.storage import SqliteStorage

_STEP: Final = 1_000_000
_STEPS_MAX: Final = 4_000
"""A query that takes more than this many million steps of SQLite's machine (minutes) is given up."""

_INDEX: Final = re.compile(r"USING (?:COVERING )?INDEX (\S+)")
_THEN: Final = ("changed", "register", "unmarked", "redirect", "bound")
_REGISTER: Final = "id, document, root, key, entity, field, client, clock, forked, value, sought"


class SqliteAnswers:
    def __init__(self, path: str) -> None:
        self._path = path
        self._lock = threading.RLock()
        self._opened: sqlite3.Connection | None = None
        self._held = False
        self._steps = 0
        self._compiled: WeakKeyDictionary[Plan, Compiled] = WeakKeyDictionary()

    def close(self) -> None:
        with self._lock:
            if self._opened is not None:
                self._opened.close()
                self._opened = None

    def answer(self, plan: Plan, *, past: Past | None = None, texts: Texts | None = None) -> list[list[Any]]:
        """Rows: the entity (None for groups), then the columns' values. Raises LimitExceeded or StorageError."""
        with self._reading() as connection, self._ready(connection, plan, past, texts) as compiled:
            rows = connection.execute(compiled.sql, compiled.parameters).fetchall()
        return [[entity, *map(_shown, values)] for entity, *values in rows]

    def explain(self, plan: Plan, *, past: Past | None = None) -> Explained:
        steps: list[str] = []
        with self._reading() as connection, self._ready(connection, plan, past) as compiled:
            for sql in (*(select for _name, select in compiled.sets), compiled.sql):
                steps += [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", compiled.parameters)]
        indexes = sorted({found[1] for line in steps if (found := _INDEX.search(line))})
        before = [f"CREATE TEMP TABLE {name}; INSERT INTO {name} {select};" for name, select in compiled.sets]
        return Explained("\n".join([*before, compiled.sql]), dict(compiled.parameters), steps, indexes)

    @contextmanager
    def _ready(
        self, connection: sqlite3.Connection, plan: Plan, past: Past | None, texts: Texts | None = None
    ) -> Iterator[Compiled]:
        """The plan as SQL, with the temporary tables there that it needs."""
        compiled = self._compiled.get(plan)
        if compiled is None:
            compiled = self._compiled[plan] = Compiled(plan)
        if texts:
            _give(connection, texts)
        if past is not None:
            _turn_back(connection, past)
        for name, select in compiled.sets:
            connection.execute(f"CREATE TEMP TABLE {name}")
            connection.execute(f"INSERT INTO temp.{name} {select}", compiled.parameters)
        yield compiled
        for name, _select in compiled.sets:
            connection.execute(f"DROP TABLE temp.{name.partition(' ')[0]}")
        for table in _THEN if past is not None else ():
            connection.execute(f"DROP TABLE temp.{table}")
        if texts:
            connection.execute("DELETE FROM query_text")

    # -- what the engine looks up for a plan ---------------------------------------------------------------

    def records(self, root: str) -> dict[str, str]:
        """{key: canonical JSON} of the records of a root that are there."""
        with self._reading() as connection:
            return dict(
                connection.execute(
                    "SELECT entity, value FROM register WHERE root = ? AND field = '' AND entity <> ''"
                    " AND value IS NOT NULL AND value <> 'null'",
                    (root,),
                )
            )

    def unsettled(self, roots: frozenset[str], after: str) -> tuple[list[RegisterRow], list[int]]:
        """Registers of ``roots`` that may have been otherwise at the time ``after`` (any version or removal came to
        them later, or they are absent now), and the numbers of those that weren't there yet."""
        marks = ", ".join("?" * len(roots))
        with self._reading() as connection:
            rows = connection.execute(
                "WITH late(number) AS MATERIALIZED (SELECT number FROM bundle WHERE hlc > ?),"
                " touched(id) AS MATERIALIZED ("
                "   SELECT register FROM version WHERE bundle IN late"
                "   UNION SELECT register FROM clearing WHERE bundle IN late)"
                f" SELECT {_REGISTER}, id IN (SELECT register FROM version WHERE bundle NOT IN late)"
                f" FROM register r WHERE root IN ({marks}) AND entity <> '' AND (value IS NULL OR id IN touched)"
                " ORDER BY id",
                (after, *sorted(roots)),
            ).fetchall()
        known = [RegisterRow._make((*row[:8], row[8] == 1, row[9], row[10] == 1)) for row in rows if row[11]]
        return known, [row[0] for row in rows if not row[11]]

    def with_text(self, facet: str, field: str) -> list[str]:
        """The entities that have ever had something written in a collaborative text."""
        start = f"text:{facet}/"
        with self._reading() as connection:
            rows = connection.execute(
                "SELECT DISTINCT root FROM span WHERE document = ? AND root >= ? AND root < ?",
                (facet.partition(".")[0], start, f"text:{facet}0"),
            ).fetchall()
        parts = (row[0].removeprefix(start).rpartition("/") for row in rows)
        return [entity for entity, _slash, name in parts if name == field]

    @property
    def storage(self) -> Storage:
        """The tables, to be read one by one."""
        return _ReadOnly(self._path, self._connection())

    def touches(self, entities: frozenset[str], roots: frozenset[str]) -> bool:
        """Whether one of the entities has a register in one of the roots, or was merged into another."""
        names = ", ".join("?" * len(roots))
        with self._reading() as connection:
            return any(
                connection.execute(
                    f"SELECT 1 FROM register WHERE entity = ? AND (root IN ({names})"
                    " OR (root = 'core.entity' AND field = 'redirect')) LIMIT 1",
                    (entity, *sorted(roots)),
                ).fetchone()
                for entity in sorted(entities)
            )

    # -- the connection ------------------------------------------------------------------------------------

    @contextmanager
    def held(self) -> Iterator[None]:
        """All calls of this thread within see the same commits."""
        with self._reading():
            yield

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """One snapshot, which takes with it whatever was written beside the tables."""
        with self._lock, translated(self._path):
            connection = self._connection()
            if self._held:
                yield connection
                return
            self._steps, self._held = 0, True
            try:
                connection.execute("BEGIN")
                yield connection
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
                    raise LimitExceeded(
                        "The query takes too long.", hint="Ask for less: one more condition, or fewer edges."
                    ) from None
                raise
            finally:
                self._held = False
                with suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")

    def _connection(self) -> sqlite3.Connection:
        if self._opened is None:
            self._opened = self._open()
        return self._opened

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"file:{quoted(self._path)}?mode=ro", uri=True, isolation_level=None, check_same_thread=False,
            timeout=BUSY_TIMEOUT_S, cached_statements=64,
        )  # fmt: skip
        try:
            connection.execute("PRAGMA temp_store = MEMORY")
            # A sort of everything goes through all pages of the registers: kept, it takes half the time.
            connection.execute("PRAGMA cache_size = -196608")
            connection.execute("PRAGMA trusted_schema = OFF")
            functions = (
                ("order_key", 1, key_of), ("sort_key", 1, _sort_key), ("contains", 2, contains), ("starts", 2, starts),
                ("shown", 1, _behind), ("id_of", 1, _id_of),
            )  # fmt: skip
            for name, arguments, function in functions:
                connection.create_function(name, arguments, function, deterministic=True)
            connection.create_aggregate("total", 1, _Total)  # type: ignore[arg-type]
            connection.set_progress_handler(self._is_enough, _STEP)
            connection.execute(
                "CREATE TEMP TABLE query_text (root TEXT, field TEXT, entity TEXT, value TEXT,"
                " PRIMARY KEY (root, field, entity)) WITHOUT ROWID"
            )
        except BaseException:
            connection.close()
            raise
        return connection

    def _is_enough(self) -> bool:
        self._steps += 1
        return self._steps > _STEPS_MAX


class _ReadOnly(SqliteStorage):
    def __init__(self, path: str, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection


class _Total:
    def __init__(self) -> None:
        self._numbers: list[int | float | None] = []

    def step(self, text: str | None) -> None:
        self._numbers.append(number_of(text))

    def finalize(self) -> str | None:
        return total(self._numbers)


def _sort_key(text: str | None) -> str | None:
    key = key_of(text)
    # 42.1 and 42.10 stand in the same place: then the text decides.
    return None if key is None else f"{key}{END}{text}"


def _behind(key: str | None) -> str | None:
    return None if key is None else key.partition(END)[2]


def _id_of(text: str | None) -> str | None:
    """The id that the end of an edge holds; None for what any program may have written there instead."""
    if text is None or text[0] != '"':
        return None
    if "\\" not in text:
        return text[1:-1]
    value = value_of(text)
    return value if isinstance(value, str) else None


def _shown(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return value[1:-1] if value[0] == '"' and "\\" not in value else value_of(value)


def _give(connection: sqlite3.Connection, texts: Texts) -> None:
    """The contents of collaborative texts, as values like others."""
    connection.executemany(
        "INSERT INTO query_text VALUES (?, ?, ?, ?)",
        (
            (root, field, entity, json.dumps(content, ensure_ascii=False))
            for (root, field), contents in texts.items()
            for entity, content in contents.items()
        ),
    )


def _turn_back(connection: sqlite3.Connection, past: Past) -> None:
    """The tables as they were, under the names of those that they hide."""
    marks = ", ".join("?" * len(past.roots))
    connection.execute("CREATE TEMP TABLE changed (id INTEGER PRIMARY KEY, value TEXT, unborn INTEGER)")
    connection.executemany("INSERT INTO changed VALUES (?, ?, 0)", past.values.items())
    connection.executemany("INSERT INTO changed VALUES (?, NULL, 1)", ((id,) for id in past.unborn))
    connection.execute(
        "CREATE TEMP TABLE register (root TEXT, field TEXT, entity TEXT, id INTEGER, value TEXT, sought INTEGER,"
        " PRIMARY KEY (root, field, entity, id)) WITHOUT ROWID"
    )
    connection.execute(
        "INSERT INTO temp.register SELECT r.root, r.field, r.entity, r.id,"
        " CASE WHEN c.id IS NULL THEN r.value ELSE c.value END, r.sought"
        " FROM main.register r LEFT JOIN temp.changed c ON c.id = r.id"
        f" WHERE r.root IN ({marks}) AND r.entity <> '' AND (c.id IS NULL OR NOT c.unborn)",
        sorted(past.roots),
    )
    for sql in (
        "CREATE INDEX temp.register_by_entity ON register (entity, root)",
        "CREATE INDEX temp.register_by_value ON register (root, field, substr(value, 1, 40)) WHERE sought",
        "CREATE INDEX temp.register_gone ON register (root, entity)"
        " WHERE entity <> '' AND field = '' AND (value IS NULL OR value = 'null')",
        "CREATE TEMP TABLE unmarked AS SELECT DISTINCT root, entity FROM temp.register r WHERE field <> '' AND NOT"
        " EXISTS (SELECT 1 FROM temp.register m WHERE m.root = r.root AND m.field = '' AND m.entity = r.entity"
        " AND m.entity <> '')",
        "CREATE INDEX temp.then_unmarked ON unmarked (root, entity)",
        "CREATE TEMP TABLE redirect (entity TEXT PRIMARY KEY, survivor TEXT)",
        "CREATE TEMP TABLE bound (facet TEXT, entity TEXT, concept_entity TEXT, PRIMARY KEY (facet, entity))",
    ):
        connection.execute(sql)
    connection.executemany("INSERT INTO temp.redirect VALUES (?, ?)", past.redirects.items())
    connection.executemany("INSERT INTO temp.bound VALUES (?, ?, ?)", ((*key, id) for key, id in past.bound.items()))
