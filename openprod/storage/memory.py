"""The twin of the SQLite storage, in dictionaries: plain enough to be obviously right. For simulations.

``close()`` closes nothing: the same object can be opened again, like a file. ``clone()`` and ``fail_next()`` are what
the simulations do to its disk.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from openprod.errors import StorageError
from openprod.storage.memory_texts import TextTables
from openprod.storage.ports import (
    BundleRow,
    ClearRow,
    ConflictRow,
    LeafRow,
    RegisterRow,
    ResolutionRow,
    Storage,
    TokenRow,
    VersionRow,
    VersionWithAuthor,
)
from openprod.storage.sqlite.storage import SqliteStorage
from openprod.storage.tables import Table

R = TypeVar("R")
T = TypeVar("T", ClearRow, ResolutionRow)


class MemoryStorage(TextTables):
    """One workspace, in memory. Contract: ``openprod.storage.ports``."""

    def __init__(self, path: str = "memory") -> None:
        self.path = path
        super().__init__()
        j = self._journal
        self._meta: Table[str, str] = Table(j)
        self._tokens: Table[str, TokenRow] = Table(j)
        self._quarantine: Table[int, tuple[str, bytes, str, str]] = Table(j)
        self._snapshots: Table[str, tuple[int, bytes]] = Table(j)
        self._bundles: Table[int, tuple[BundleRow, bytes, bytes]] = Table(
            j, id=lambda one: one[0].id, log=lambda one: one[0].log, seq=lambda one: (one[0].log, one[0].seq)
        )
        self._registers: Table[int, RegisterRow] = Table(
            j, place=lambda row: row[1:4], entity=lambda row: row.entity, root=lambda row: row.root,
            value=lambda row: (row.root, row.field, row.value),
        )  # fmt: skip
        self._versions: Table[tuple[str, int, int], VersionRow] = Table(j)
        self._leaves: Table[LeafRow, LeafRow] = Table(j, register=lambda row: row.register)
        self._clears: Table[tuple[str, int, int, int], ClearRow] = Table(j, register=lambda row: row.register)
        self._resolutions: Table[tuple[str, int, int], ResolutionRow] = Table(
            j, place=lambda row: (row.document, row.root, row.key), conflict=lambda row: row.conflict
        )
        self._conflicts: Table[str, ConflictRow] = Table(j, entity=lambda row: row.entity)
        self._redirects: Table[str, str] = Table(j)
        self._bound: Table[tuple[str, str], str] = Table(j)
        self._members: Table[int, bytes] = Table(j)
        self._held: Table[int, int] = Table(j)
        self._derived = (
            self._registers, self._versions, self._leaves, self._clears, self._spans, self._changes, self._apart,
            self._resolutions,
            self._conflicts, self._redirects, self._bound, self._snapshots, self._held,
        )  # fmt: skip

    def close(self) -> None:
        assert not self._open, "closed within a transaction"

    # -- meta, tokens, quarantine, snapshots ---------------------------------------------------------------

    def meta(self, name: str) -> str | None:
        return self._meta.rows.get(name)

    def set_meta(self, name: str, value: str) -> None:
        self._put(self._meta, name, value)

    def tokens(self) -> list[TokenRow]:
        return sorted(self._tokens.rows.values(), key=lambda row: (row.created, row.id))

    def put_token(self, row: TokenRow) -> None:
        for other in list(self._tokens.rows.values()):
            if other.hash == row.hash and other.id != row.id:
                self._put(self._tokens, other.id, None)
        self._put(self._tokens, row.id, row)

    def drop_token(self, id: str) -> None:
        self._put(self._tokens, id, None)

    def quarantine(self, document: str, update: bytes, why: str, at: str) -> None:
        if all(entry[:2] != (document, update) for entry in self.quarantined()):
            self._put(self._quarantine, len(self._quarantine.rows) + 1, (document, update, why, at))

    def quarantined(self) -> list[tuple[str, bytes, str, str]]:
        return [self._quarantine.rows[number] for number in sorted(self._quarantine.rows)]

    def snapshots(self) -> dict[str, tuple[int, bytes]]:
        return dict(self._snapshots.rows)

    def put_snapshot(self, document: str, number: int, state: bytes) -> None:
        self._put(self._snapshots, document, (number, state))

    # -- oplog ---------------------------------------------------------------------------------------------

    def add_bundle(self, row: BundleRow, body: bytes, signature: bytes) -> None:
        if row.number <= max(self._bundles.rows, default=0) or row.seq <= self.logs_of(row.log)[0]:
            raise StorageError(f"{self.path} can't be used: bundle {row.id} is there already, or comes too late.")
        self._put(self._bundles, row.number, (row, body, signature))

    def _rows(self) -> list[BundleRow]:
        return [self._bundles.rows[number][0] for number in sorted(self._bundles.rows)]

    def bundle(self, id: str) -> BundleRow | None:
        return next((row for row, _body, _signature in self._bundles.where("id", id)), None)

    def bundles_like(self, prefix: str) -> list[BundleRow]:
        return sorted((row for row in self._rows() if row.id.startswith(prefix)), key=lambda row: row.id)[:2]

    def bundle_numbered(self, number: int) -> BundleRow | None:
        found = self._bundles.rows.get(number)
        return found[0] if found else None

    def bundles(
        self, *, after: int = 0, limit: int = -1, newest_first: bool = False, before: int | None = None
    ) -> list[BundleRow]:
        rows = [row for row in self._rows() if row.number > after and (before is None or row.number < before)]
        return _first(rows[::-1] if newest_first else rows, limit)

    def bundle_bytes(self, *, after: int = 0) -> Iterator[tuple[int, bytes, bytes]]:
        for row in self.bundles(after=after):
            yield row.number, *self.bundle_body(row.number)

    def bundle_body(self, number: int) -> tuple[bytes, bytes]:
        _row, body, signature = self._bundles.rows[number]
        return body, signature

    def logs(self) -> dict[str, tuple[int, bytes]]:
        rows = sorted(self._rows(), key=lambda row: row.seq)
        return {row.log: (row.seq, row.hash) for row in rows}

    def bundle_at(self, log: str, seq: int) -> bytes | None:
        return next((body for _row, body, _signature in self._bundles.where("seq", (log, seq))), None)

    def _newest(self, log: str) -> BundleRow | None:
        rows = (row for row, _body, _signature in self._bundles.where("log", log))
        return max(rows, key=lambda row: row.seq, default=None)

    def logs_of(self, log: str) -> tuple[int, bytes]:
        row = self._newest(log)
        return (row.seq, row.hash) if row else (0, b"")

    def newest_hlc(self, log: str) -> str:
        row = self._newest(log)
        return row.hlc if row else ""

    def bundles_by_user(self, user: str, *, limit: int) -> list[BundleRow]:
        return _first([row for row in reversed(self._rows()) if row.user == user], limit)

    # -- registers and versions ----------------------------------------------------------------------------

    def clear_derived(self) -> None:
        self._point()
        for table in self._derived:
            table.clear()

    def register(self, id: int) -> RegisterRow | None:
        return self._registers.rows.get(id)

    def register_at(self, document: str, root: str, key: str) -> RegisterRow | None:
        return next(iter(self._registers.where("place", (document, root, key))), None)

    def register_of(self, document: str, client: int, clock: int) -> RegisterRow | None:
        version = self._versions.rows.get((document, client, clock))
        return self.register(version.register) if version else None

    def registers_of_entity(self, entity: str) -> list[RegisterRow]:
        return sorted(self._registers.where("entity", entity), key=lambda row: (row.root, row.key, row.document))

    def registers_of_root(self, root: str) -> Iterator[RegisterRow]:
        return iter(sorted(self._registers.where("root", root), key=lambda row: (row.key, row.document)))

    def seek(self, root: str, field: str) -> None:
        for row in self._registers.where("root", root):
            if row.field == field:
                self._put(self._registers, row.id, row._replace(sought=True))

    def registers_valued(self, root: str, field: str, value: str) -> list[RegisterRow]:
        return [row for row in self._registers.where("value", (root, field, value)) if row.sought]

    def markers_gone(self) -> list[RegisterRow]:
        rows = (self._registers.rows[id] for id in sorted(self._registers.rows))
        return [row for row in rows if not row.field and row.entity and row.value in (None, "null")]

    def all_registers(self) -> Iterator[RegisterRow]:
        return iter(sorted(self._registers.rows.values(), key=lambda row: row[1:4]))

    def put_registers(self, rows: Sequence[RegisterRow]) -> None:
        for row in rows:
            before = self._registers.rows.get(row.id)
            if before is None and self.register_at(row.document, row.root, row.key) is not None:
                raise StorageError(f"{self.path} can't be used: a register of that place is there already.")
            self._put(
                self._registers, row.id, row if before is None else RegisterRow(*before[:6], *row[6:10], before.sought)
            )

    def change_registers(self, rows: Sequence[RegisterRow]) -> None:
        for row in rows:
            before = self._registers.rows.get(row.id)
            if before is not None and (before.root, before.field, before.entity) == (row.root, row.field, row.entity):
                self.put_registers([row])

    def next_register(self) -> int:
        return max(self._registers.rows, default=0) + 1

    def add_versions(self, rows: Sequence[VersionRow]) -> None:
        for row in rows:
            before = self._versions.rows.get(row[:3])
            if before is None:
                self._put(self._versions, row[:3], row)
            elif before.value is None:
                self._put(self._versions, row[:3], before._replace(value=row.value))

    def change_versions(self, rows: Sequence[VersionRow]) -> None:
        for row in rows:
            before = self._versions.rows.get(row[:3])
            if before is not None:
                self._put(self._versions, row[:3], before._replace(value=row.value, bundle=row.bundle))

    def _with_author(self, rows: Iterable[VersionRow]) -> list[VersionWithAuthor]:
        return [VersionWithAuthor(row, bundle) for row in rows if (bundle := self.bundle_numbered(row.bundle))]

    def version(self, document: str, client: int, clock: int) -> VersionWithAuthor | None:
        row = self._versions.rows.get((document, client, clock))
        return next(iter(self._with_author([row] if row else [])), None)

    def add_leaves(self, rows: Sequence[LeafRow]) -> None:
        for row in rows:
            self._put(self._leaves, row, row)

    def versions_of(self, register: RegisterRow | int) -> list[VersionWithAuthor]:
        row = self.register(register) if isinstance(register, int) else register
        if row is None:
            return []
        return self._with_author(self._versions.rows[key] for key in sorted(self._reached(row)))

    def versions_of_root(self, root: str) -> Iterator[tuple[int, VersionWithAuthor]]:
        for register in self._registers.where("root", root):
            for version in self.versions_of(register):
                yield register.id, version

    def _reached(self, register: RegisterRow) -> set[tuple[str, int, int]]:
        """From the winner and the leaves back to the beginning."""
        waiting = [register[6:8], *(leaf[1:] for leaf in self._leaves.where("register", register.id))]
        reached: set[tuple[str, int, int]] = set()
        while waiting:
            key = (register.document, *waiting.pop())
            version = self._versions.rows.get(key)
            if version is not None and key not in reached:
                reached.add(key)
                if version.parent_client is not None:
                    waiting.append((version.parent_client, version.parent_clock or 0))
        return reached

    def versions_in(self, document: str, client: int, start: int, end: int) -> list[VersionRow]:
        keys = sorted(key for key in self._versions.rows if key[:2] == (document, client) and start <= key[2] < end)
        return [self._versions.rows[key] for key in keys]

    def add_clears(self, rows: Sequence[ClearRow]) -> None:
        for row in rows:
            key = (row.document, row.client, row.clock, row.bundle)
            if key not in self._clears.rows:
                self._put(self._clears, key, row)

    def clears_of(self, register: int) -> list[tuple[ClearRow, BundleRow]]:
        return self._by_time(self._clears.where("register", register))

    # -- texts, resolutions, conflicts ---------------------------------------------------------------------

    def add_resolutions(self, rows: Sequence[ResolutionRow]) -> None:
        for row in rows:
            self._put(self._resolutions, (row.document, row.client, row.clock), row)

    def resolutions_at(self, document: str, root: str, key: str) -> list[tuple[ResolutionRow, BundleRow]]:
        return self._by_time(self._resolutions.where("place", (document, root, key)))

    def resolutions_of(self, conflict: str) -> list[tuple[ResolutionRow, BundleRow]]:
        return self._by_time(self._resolutions.where("conflict", conflict))

    def all_resolutions(self) -> list[ResolutionRow]:
        return [self._resolutions.rows[key] for key in sorted(self._resolutions.rows)]

    def _by_time(self, rows: Iterable[T]) -> list[tuple[T, BundleRow]]:
        """With their bundles, by time; the order of the rows within one bundle is kept."""
        found = [(row, bundle) for row in rows if (bundle := self.bundle_numbered(row.bundle))]
        return sorted(found, key=lambda pair: (pair[1].hlc, pair[1].id))

    def put_conflict(self, row: ConflictRow) -> None:
        self._put(self._conflicts, row.id, row)

    def drop_conflict(self, id: str) -> None:
        self._put(self._conflicts, id, None)

    def conflict(self, id: str) -> ConflictRow | None:
        return self._conflicts.rows.get(id)

    def conflicts(
        self, *, status: str = "all", kind: str = "", entity: str = "", after: str = "", limit: int = -1
    ) -> list[ConflictRow]:
        found = [
            row
            for row in (self._conflicts.rows[id] for id in sorted(self._conflicts.rows))
            if row.id > after
            and status in ("all", row.status)
            and kind in ("", row.kind)
            and entity in ("", row.entity)
        ]
        return _first(found, limit)

    def conflicts_of(self, entity: str) -> list[ConflictRow]:
        return self.conflicts(entity=entity)

    # -- who may do what -----------------------------------------------------------------------------------

    def add_record(self, data: bytes) -> None:
        self._put(self._members, len(self._members.rows) + 1, data)

    def records(self) -> list[bytes]:
        return [self._members.rows[number] for number in sorted(self._members.rows)]

    def put_held(self, numbers: Mapping[int, bool]) -> None:
        for number, held in numbers.items():
            self._put(self._held, number, number if held else None)

    def held(self) -> list[int]:
        return sorted(self._held.rows)

    # -- checks, copies ------------------------------------------------------------------------------------

    def put_redirects(self, rows: Mapping[str, str | None]) -> None:
        for entity, survivor in rows.items():
            self._put(self._redirects, entity, survivor)

    def redirects(self) -> dict[str, str]:
        return dict(self._redirects.rows)

    def bound(self) -> dict[tuple[str, str], str]:
        return dict(self._bound.rows)

    def put_bound(self, rows: Mapping[tuple[str, str], str | None]) -> None:
        for place, owner in rows.items():
            self._put(self._bound, place, owner)

    def check(self) -> list[str]:
        versions = self._versions.rows
        reached = {key for register in self._registers.rows.values() for key in self._reached(register)}
        before = {(row.document, row.parent_client, row.parent_clock) for row in versions.values()}
        lost = sum(key not in reached and key not in before for key in versions)
        return [f"{lost} versions that can't be found by their field"] if lost else []

    def backup(self, path: str) -> None:
        """A copy in a real file, that ``SqliteStorage`` opens."""
        if os.path.exists(path):
            raise StorageError(f"{path} can't be used: a file of that name exists already.")
        made = SqliteStorage(path)
        try:
            with made.transaction():
                self._copy_into(made)
        finally:
            made.close()

    def _copy_into(self, other: Storage) -> None:
        for name, value in self._meta.rows.items():
            other.set_meta(name, value)
        for token in self.tokens():
            other.put_token(token)
        for entry in self.quarantined():
            other.quarantine(*entry)
        for data in self.records():
            other.add_record(data)
        other.put_held(dict.fromkeys(self.held(), True))
        for number in sorted(self._bundles.rows):
            other.add_bundle(*self._bundles.rows[number])
        for (log, on_log, seq), on_seq in sorted(self._deps.rows.items()):
            other.add_deps(log, seq, {on_log: on_seq})
        other.put_registers(list(self._registers.rows.values()))
        other.add_versions(list(self._versions.rows.values()))
        other.add_leaves(list(self._leaves.rows.values()))
        other.add_clears(list(self._clears.rows.values()))
        other.put_spans(list(self._spans.rows.values()))
        for change in self._changes.rows.values():
            other.put_text_change(change)
        other.add_apart(list(self._apart.rows.values()))
        other.add_resolutions(list(self._resolutions.rows.values()))
        for conflict in self._conflicts.rows.values():
            other.put_conflict(conflict)
        for document, (number, state) in self._snapshots.rows.items():
            other.put_snapshot(document, number, state)


def _first(rows: list[R], limit: int) -> list[R]:
    return rows if limit < 0 else rows[:limit]


def _is_storage(storage: MemoryStorage) -> Storage:
    return storage
