"""What a derived view gets and gives: the rows of its query, and a table made of them."""

from __future__ import annotations

from typing import Any

import msgspec


class Found(msgspec.Struct, frozen=True):
    """What a query found. ``columns``: names, ``entity`` first unless the query counts. A missing value is None."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]

    def records(self) -> list[dict[str, Any]]:
        """Each row as {column: value}."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


class Derived(msgspec.Struct, frozen=True):
    """A table for people. Rows are as long as ``columns``; values are such as JSON has."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...] = ()
