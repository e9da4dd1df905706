"""The SQLite storage: one writer connection, plain SQL, nothing clever. Contract: ``openprod.storage.ports``."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from openprod.errors import DamagedFile
from openprod.storage.ports import (
    BundleRow,
    ClearRow,
    ConflictRow,
    LeafRow,
    RegisterRow,
    ResolutionRow,
    TokenRow,
    VersionRow,
    VersionWithAuthor,
)
from openprod.storage.sqlite import checks
from openprod.storage.sqlite.connection import FAULTS, explain, translated
from openprod.storage.sqlite.oplog import BUNDLE, Oplog
from openprod.storage.sqlite.texts import TextTables

_REGISTER = "id, document, root, key, entity, field, client, clock, forked, value, sought"
_VERSION = "v.document, v.client, v.clock, v.register, v.parent_client, v.parent_clock, v.value, v.bundle"
_RESOLUTION = "r.id, r.document, r.client, r.clock, r.conflict, r.root, r.key, r.body, r.bundle"
_CONFLICT = "id, kind, status, reopened, entity, facet, field, document, register, heads, subject, hlc"
_DERIVED = (
    "register",
    "version",
    "leaf",
    "clearing",
    "span",
    "text_change",
    "apart",
    "resolution",
    "conflict",
    "redirect",
    "bound",
    "snapshot",
    "held",
)


class SqliteStorage(Oplog, TextTables):
    """One workspace file. Not thread-safe: one owner calls it."""

    # -- meta, tokens, quarantine --------------------------------------------------------------------------

    def meta(self, name: str) -> str | None:
        row = self._row("SELECT value FROM meta WHERE name = ?", (name,))
        return row[0] if row else None

    def set_meta(self, name: str, value: str) -> None:
        self._execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))

    def tokens(self) -> list[TokenRow]:
        return [TokenRow(*row) for row in self._rows("SELECT * FROM token ORDER BY created, id")]

    def put_token(self, row: TokenRow) -> None:
        self._execute("INSERT OR REPLACE INTO token VALUES (?,?,?,?,?,?,?,?,?)", row)

    def drop_token(self, id: str) -> None:
        self._execute("DELETE FROM token WHERE id = ?", (id,))

    def quarantine(self, document: str, update: bytes, why: str, at: str) -> None:
        self._execute(
            "INSERT INTO quarantine (document, bytes, why, at) SELECT ?1, ?2, ?3, ?4"
            " WHERE NOT EXISTS (SELECT 1 FROM quarantine WHERE document = ?1 AND bytes = ?2)",
            (document, update, why, at),
        )

    def quarantined(self) -> list[tuple[str, bytes, str, str]]:
        return self._rows("SELECT document, bytes, why, at FROM quarantine ORDER BY number")

    # -- registers and versions ----------------------------------------------------------------------------

    def clear_derived(self) -> None:
        for table in _DERIVED:
            self._execute(f"DELETE FROM {table}")

    def _register(self, where: str, parameters: tuple[object, ...]) -> RegisterRow | None:
        row = self._row(f"SELECT {_REGISTER} FROM register WHERE {where}", parameters)
        return _register(row) if row else None

    def register(self, id: int) -> RegisterRow | None:
        return self._register("id = ?", (id,))

    def register_at(self, document: str, root: str, key: str) -> RegisterRow | None:
        return self._register("root = ? AND key = ? AND document = ?", (root, key, document))

    def register_of(self, document: str, client: int, clock: int) -> RegisterRow | None:
        return self._register(
            "id = (SELECT register FROM version WHERE document = ? AND client = ? AND clock = ?)",
            (document, client, clock),
        )

    def registers_of_entity(self, entity: str) -> list[RegisterRow]:
        rows = self._rows(f"SELECT {_REGISTER} FROM register WHERE entity = ? ORDER BY root, key, document", (entity,))
        return [_register(row) for row in rows]

    def registers_of_root(self, root: str) -> Iterator[RegisterRow]:
        rows = self._stream(f"SELECT {_REGISTER} FROM register WHERE root = ? ORDER BY key, document", (root,))
        return (_register(row) for row in rows)

    def seek(self, root: str, field: str) -> None:
        """Let ``registers_valued`` find every register of a field."""
        self._execute("UPDATE register SET sought = 1 WHERE root = ? AND field = ?", (root, field))

    def registers_valued(self, root: str, field: str, value: str) -> list[RegisterRow]:
        rows = self._rows(
            # The index holds the first 40 characters of each value: long values would swell it.
            # The + keeps SQLite from putting ?3 for the value in the other condition too: the index would do nothing.
            f"SELECT {_REGISTER} FROM register INDEXED BY register_by_value WHERE root = ?1 AND field = ?2 AND sought"
            " AND +value = ?3 AND substr(value, 1, 40) = substr(?3, 1, 40)",
            (root, field, value),
        )
        return [_register(row) for row in rows]

    def markers_gone(self) -> list[RegisterRow]:
        """Markers of entities and facets that have been deleted or detached."""
        rows = self._rows(
            f"SELECT {_REGISTER} FROM register WHERE field = '' AND entity <> '' AND (value IS NULL OR value = 'null')"
        )
        return [_register(row) for row in rows]

    def all_registers(self) -> Iterator[RegisterRow]:
        rows = self._stream(f"SELECT {_REGISTER} FROM register ORDER BY document, root, key")
        return (_register(row) for row in rows)

    def put_registers(self, rows: Sequence[RegisterRow]) -> None:
        self._executemany(
            f"INSERT INTO register ({_REGISTER}) VALUES (?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (id) DO UPDATE SET"
            " client = excluded.client, clock = excluded.clock, forked = excluded.forked, value = excluded.value",
            rows,
        )

    def change_registers(self, rows: Sequence[RegisterRow]) -> None:
        self._executemany(
            # The table itself, by its own key: `id` would be looked up in an index first.
            "UPDATE register INDEXED BY sqlite_autoindex_register_1 SET client = ?, clock = ?, forked = ?, value = ?"
            " WHERE root = ? AND field = ? AND entity = ? AND id = ?",
            [(*row[6:10], row.root, row.field, row.entity, row.id) for row in rows],
        )

    def next_register(self) -> int:
        return int(self._row("SELECT coalesce(max(id), 0) + 1 FROM register")[0])

    def add_versions(self, rows: Sequence[VersionRow]) -> None:
        self._executemany(
            "INSERT INTO version VALUES (?,?,?,?,?,?,?,?) ON CONFLICT (document, client, clock) DO UPDATE SET"
            " value = excluded.value WHERE value IS NULL",
            rows,
        )

    def change_versions(self, rows: Sequence[VersionRow]) -> None:
        """Say anew what versions hold and which bundle they came in."""
        self._executemany(
            "UPDATE version SET value = ?, bundle = ? WHERE document = ? AND client = ? AND clock = ?",
            [(row.value, row.bundle, row.document, row.client, row.clock) for row in rows],
        )

    def version(self, document: str, client: int, clock: int) -> VersionWithAuthor | None:
        row = self._row(
            f"SELECT {_VERSION}, {BUNDLE} FROM version v JOIN bundle b ON b.number = v.bundle"
            " WHERE v.document = ? AND v.client = ? AND v.clock = ?",
            (document, client, clock),
        )
        return VersionWithAuthor(VersionRow(*row[:8]), BundleRow(*row[8:])) if row else None

    def add_leaves(self, rows: Sequence[LeafRow]) -> None:
        self._executemany("INSERT OR IGNORE INTO leaf VALUES (?,?,?)", rows)

    def versions_of(self, register: RegisterRow | int) -> list[VersionWithAuthor]:
        """Of a register as it is stored (its id), or as it is about to be."""
        row = self.register(register) if isinstance(register, int) else register
        if row is None:
            return []
        rows = self._rows(
            "WITH RECURSIVE known(client, clock) AS (VALUES (?2, ?3)"
            " UNION SELECT client, clock FROM leaf WHERE register = ?4"
            " UNION SELECT p.parent_client, p.parent_clock FROM known k CROSS JOIN version p"
            " ON p.document = ?1 AND p.client = k.client AND p.clock = k.clock WHERE p.parent_client IS NOT NULL)"
            f" SELECT {_VERSION}, {BUNDLE} FROM known k CROSS JOIN version v"
            " ON v.document = ?1 AND v.client = k.client AND v.clock = k.clock"
            " CROSS JOIN bundle b ON b.number = v.bundle ORDER BY v.client, v.clock",
            (row.document, row.client, row.clock, row.id),
        )
        return [VersionWithAuthor(VersionRow(*one[:8]), BundleRow(*one[8:])) for one in rows]

    def versions_of_root(self, root: str) -> Iterator[tuple[int, VersionWithAuthor]]:
        """(register, version), by register."""
        rows = self._stream(
            "WITH RECURSIVE known(register, document, client, clock) AS ("
            " SELECT id, document, client, clock FROM register WHERE root = ?1"
            " UNION SELECT g.id, g.document, l.client, l.clock FROM register g JOIN leaf l ON l.register = g.id"
            " WHERE g.root = ?1"
            " UNION SELECT k.register, k.document, p.parent_client, p.parent_clock FROM known k CROSS JOIN version p"
            " ON p.document = k.document AND p.client = k.client AND p.clock = k.clock"
            " WHERE p.parent_client IS NOT NULL)"
            f" SELECT k.register, {_VERSION}, {BUNDLE} FROM known k CROSS JOIN version v"
            " ON v.document = k.document AND v.client = k.client AND v.clock = k.clock"
            " CROSS JOIN bundle b ON b.number = v.bundle ORDER BY k.register, v.client, v.clock",
            (root,),
        )
        return ((row[0], VersionWithAuthor(VersionRow(*row[1:9]), BundleRow(*row[9:]))) for row in rows)

    def versions_in(self, document: str, client: int, start: int, end: int) -> list[VersionRow]:
        rows = self._rows(
            f"SELECT {_VERSION} FROM version v WHERE document = ? AND client = ? AND clock >= ? AND clock < ?"
            " ORDER BY clock",
            (document, client, start, end),
        )
        return [VersionRow(*row) for row in rows]

    def add_clears(self, rows: Sequence[ClearRow]) -> None:
        self._executemany(
            "INSERT OR IGNORE INTO clearing (document, client, clock, register, bundle) VALUES (?,?,?,?,?)", rows
        )

    def clears_of(self, register: int) -> list[tuple[ClearRow, BundleRow]]:
        rows = self._rows(
            "SELECT c.document, c.client, c.clock, c.register, c.bundle, "
            f"{BUNDLE} FROM clearing c JOIN bundle b ON b.number = c.bundle WHERE c.register = ?"
            " ORDER BY b.hlc, b.id, c.document, c.client, c.clock",
            (register,),
        )
        return [(ClearRow(*row[:5]), BundleRow(*row[5:])) for row in rows]

    # -- texts, resolutions, conflicts ---------------------------------------------------------------------

    def add_resolutions(self, rows: Sequence[ResolutionRow]) -> None:
        self._executemany(
            "INSERT OR REPLACE INTO resolution (id, document, client, clock, conflict, root, key, body, bundle)"
            " VALUES (?,?,?,?,?,?,?,?,?)",
            rows,
        )

    def resolutions_at(self, document: str, root: str, key: str) -> list[tuple[ResolutionRow, BundleRow]]:
        return self._resolutions("r.root = ? AND r.key = ? AND r.document = ?", (root, key, document))

    def resolutions_of(self, conflict: str) -> list[tuple[ResolutionRow, BundleRow]]:
        return self._resolutions("r.conflict = ?", (conflict,))

    def _resolutions(self, where: str, parameters: tuple[str, ...]) -> list[tuple[ResolutionRow, BundleRow]]:
        rows = self._rows(
            f"SELECT {_RESOLUTION}, {BUNDLE} FROM resolution r JOIN bundle b ON b.number = r.bundle"
            f" WHERE {where} ORDER BY b.hlc, b.id, r.document, r.client, r.clock",
            parameters,
        )
        return [(ResolutionRow(*row[:9]), BundleRow(*row[9:])) for row in rows]

    def all_resolutions(self) -> list[ResolutionRow]:
        rows = self._rows(f"SELECT {_RESOLUTION} FROM resolution r ORDER BY document, client, clock")
        return [ResolutionRow(*row) for row in rows]

    def put_conflict(self, row: ConflictRow) -> None:
        self._execute("INSERT OR REPLACE INTO conflict VALUES (?,?,?,?,?,?,?,?,?,?,?,?)", row)

    def drop_conflict(self, id: str) -> None:
        self._execute("DELETE FROM conflict WHERE id = ?", (id,))

    def conflict(self, id: str) -> ConflictRow | None:
        row = self._row(f"SELECT {_CONFLICT} FROM conflict WHERE id = ?", (id,))
        return _conflict(row) if row else None

    def conflicts(
        self, *, status: str = "all", kind: str = "", entity: str = "", after: str = "", limit: int = -1
    ) -> list[ConflictRow]:
        where, parameters = ["id > ?"], [after]
        for column, value in (
            ("status", "" if status == "all" else status),
            ("kind", kind),
            ("entity", entity),
        ):
            if value:
                where.append(f"{column} = ?")
                parameters.append(value)
        rows = self._rows(
            f"SELECT {_CONFLICT} FROM conflict WHERE {' AND '.join(where)} ORDER BY id LIMIT ?",
            (*parameters, limit),
        )
        return [_conflict(row) for row in rows]

    def conflicts_of(self, entity: str) -> list[ConflictRow]:
        return self.conflicts(entity=entity)

    # -- who stands for whom -------------------------------------------------------------------------------

    def put_redirects(self, rows: Mapping[str, str | None]) -> None:
        self._executemany("DELETE FROM redirect WHERE entity = ?", [(entity,) for entity in rows])
        self._executemany("INSERT INTO redirect VALUES (?,?)", [row for row in rows.items() if row[1] is not None])

    def redirects(self) -> dict[str, str]:
        return dict(self._rows("SELECT entity, survivor FROM redirect"))

    def bound(self) -> dict[tuple[str, str], str]:
        return {row[:2]: row[2] for row in self._rows("SELECT facet, entity, concept_entity FROM bound")}

    def put_bound(self, rows: Mapping[tuple[str, str], str | None]) -> None:
        self._executemany("DELETE FROM bound WHERE facet = ? AND entity = ?", list(rows))
        self._executemany(
            "INSERT INTO bound VALUES (?,?,?)", [(*place, owner) for place, owner in rows.items() if owner is not None]
        )

    # -- who may do what -----------------------------------------------------------------------------------

    def add_record(self, data: bytes) -> None:
        self._execute("INSERT INTO member_record (data) VALUES (?)", (data,))

    def records(self) -> list[bytes]:
        return [row[0] for row in self._rows("SELECT data FROM member_record ORDER BY number")]

    def put_held(self, numbers: Mapping[int, bool]) -> None:
        self._executemany("DELETE FROM held WHERE bundle = ?", [(number,) for number in numbers])
        self._executemany("INSERT INTO held VALUES (?)", [(number,) for number, held in numbers.items() if held])

    def held(self) -> list[int]:
        return [row[0] for row in self._rows("SELECT bundle FROM held ORDER BY bundle")]

    # -- snapshots, checks, copies -------------------------------------------------------------------------

    def snapshots(self) -> dict[str, tuple[int, bytes]]:
        return {name: (number, state) for name, number, state in self._rows("SELECT * FROM snapshot")}

    def put_snapshot(self, document: str, number: int, state: bytes) -> None:
        self._execute("INSERT OR REPLACE INTO snapshot VALUES (?,?,?)", (document, number, state))

    def check(self) -> list[str]:
        """What is wrong with the file or between its tables, [] when all is well."""
        found = [row[0] for row in self._rows(checks.INTEGRITY)]
        return checks.faults(found, [self._row(sql)[0] for _what, sql in checks.CHECKS] if found == ["ok"] else [])

    def backup(self, path: str) -> None:
        """A whole, compact copy at ``path``, which must not exist. Raises StorageError."""
        with translated(path):
            if os.path.exists(path):
                raise FileExistsError(17, "a file of that name exists already")
            try:
                self._connection.execute("VACUUM INTO ?", (path,))
            except FAULTS as error:
                with suppress(OSError):
                    os.unlink(path)
                # Room is lacking where it goes to; damage is in what it comes from.
                found = explain(error, path)
                raise (explain(error, self.path) if isinstance(found, DamagedFile) else found) from error


def _register(row: Any) -> RegisterRow:
    return RegisterRow._make((*row[:8], row[8] == 1, row[9], row[10] == 1))


def _conflict(row: Any) -> ConflictRow:
    return ConflictRow._make((*row[:3], row[3] == 1, *row[4:]))
