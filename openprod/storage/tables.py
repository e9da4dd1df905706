"""Tables in dictionaries, with transactions, copies and failures: the ground the memory storage stands on.

A transaction keeps a journal of what it replaced, and rolls back by putting that in again, newest first.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, NamedTuple, Self, TypeVar

from openprod.errors import StorageError

K = TypeVar("K", bound=Hashable)
R = TypeVar("R")


class Change(NamedTuple):
    """``before`` stood under ``key`` in ``table``; None when nothing did."""

    table: Table[Any, Any]
    key: Any
    before: Any


class Table(Generic[K, R]):
    """Rows by key, kept as they are given. ``groups``: {name: row → what else to find it by}."""

    def __init__(self, journal: list[Change], **groups: Callable[[R], Hashable]) -> None:
        self.rows: dict[K, R] = {}
        self._journal = journal
        self._by = groups
        self._groups: dict[str, dict[Hashable, dict[K, None]]] = {name: {} for name in groups}

    def put(self, key: K, row: R | None) -> None:
        """Write a row; None removes."""
        self._journal.append(Change(self, key, self.rows.get(key)))
        self.place(key, row)

    def place(self, key: K, row: R | None) -> None:
        before = self.rows.pop(key, None)
        for name, by in self._by.items():
            group = self._groups[name]
            if before is not None:
                del group[by(before)][key]
            if row is not None:
                group.setdefault(by(row), {})[key] = None
        if row is not None:
            self.rows[key] = row

    def clear(self) -> None:
        for key in list(self.rows):
            self.put(key, None)

    def where(self, group: str, value: Hashable) -> list[R]:
        """Rows by key, ascending."""
        return [self.rows[key] for key in sorted(self._groups[group].get(value, ()))]  # type: ignore[type-var]

    def copy_from(self, other: Table[K, R]) -> None:
        self.rows = dict(other.rows)
        self._groups = {
            name: {value: dict(keys) for value, keys in group.items()} for name, group in other._groups.items()
        }


class Tables:
    """A set of tables that change together. Subclasses make them, with ``_journal``; ``_put`` is their only way in."""

    def __init__(self) -> None:
        self._journal: list[Change] = []
        self._open = False
        self._fault: Exception | None = None
        self._points_left = 0
        self._faults_left = 0

    def clone(self) -> Self:
        """A copy of what is committed: what another process would find on the disk now."""
        made = type(self)()
        for name, table in vars(self).items():
            if isinstance(table, Table):
                getattr(made, name).copy_from(table)
        names = {id(table): name for name, table in vars(self).items() if isinstance(table, Table)}
        for table, key, before in reversed(self._journal):
            getattr(made, names[id(table)]).place(key, before)
        return made

    def fail_next(self, error: Exception, *, after: int = 0, times: int = 1) -> None:
        """Raise ``error`` at the next point, or ``after`` points later, ``times`` times in a row.

        A transaction's beginning, each row it writes, and its COMMIT are one point each.
        """
        self._fault, self._points_left, self._faults_left = error, after, times

    @property
    def fault_pending(self) -> bool:
        """Whether the fault set up hasn't happened (often enough) yet."""
        return self._faults_left > 0

    def _point(self) -> None:
        if not self._faults_left:
            return
        if self._points_left:
            self._points_left -= 1
            return
        self._faults_left -= 1
        assert self._fault is not None
        raise self._fault

    @contextmanager
    def transaction(self) -> Iterator[None]:
        if self._open:
            raise StorageError("A transaction is under way already.")
        self._point()
        self._open = True
        try:
            yield
            self._point()
        except BaseException:
            for table, key, before in reversed(self._journal):
                table.place(key, before)
            raise
        finally:
            self._journal.clear()
            self._open = False

    def _put(self, table: Table[K, R], key: K, row: R | None) -> None:
        assert self._open, "a write outside a transaction"
        self._point()
        table.put(key, row)
