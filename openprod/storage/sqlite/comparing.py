"""Two databases of one workspace held against each other: what one derived, and what the oplog derives anew."""

from __future__ import annotations

import sqlite3
from typing import Final

from openprod.storage.sqlite.connection import quoted, translated

# Rows by what they are about: registers' numbers are each replica's own. The first columns name the row.
_COMPARED: Final = (
    ("register", 3, "document, root, key, entity, field, client, clock, forked, value FROM {of}.register"),
    (
        "version", 3,
        "v.document, v.client, v.clock, r.root, r.key, v.parent_client, v.parent_clock, v.value, v.bundle"
        " FROM {of}.version v LEFT JOIN {of}.register r ON r.id = v.register",
    ),
    (
        "removal", 3,
        "c.document, c.client, c.clock, r.root, r.key, c.bundle"
        " FROM {of}.clearing c LEFT JOIN {of}.register r ON r.id = c.register",
    ),
    ("text run", 3, "document, client, clock, deleted, length, root, bundle FROM {of}.span"),
    ("decision", 1, "id, document, client, clock, conflict, root, key, body, bundle FROM {of}.resolution"),
    ("conflict", 1, "id, kind, status, reopened, entity, facet, field, document, heads FROM {of}.conflict"),
    ("redirect", 1, "entity, survivor FROM {of}.redirect"),
    ("held bundle", 1, "bundle FROM {of}.held"),
    ("binding", 2, "facet, entity, concept_entity FROM {of}.bound"),
)  # fmt: skip


def differences(found: str, expected: str) -> list[tuple[str, int, str]]:
    """(kind of row, how many differ, the first of them) of the derived rows in the database at ``found`` that aren't as
    in the one at ``expected``. Raises StorageError."""
    result: list[tuple[str, int, str]] = []
    with translated(found):
        connection = sqlite3.connect(f"file:{quoted(expected)}?mode=ro", uri=True, isolation_level=None)
        try:
            connection.execute("ATTACH ? AS found", (f"file:{quoted(found)}?mode=ro",))
            for kind, named, columns in _COMPARED:
                here, there = (f"SELECT {columns.format(of=of)}" for of in ("found", "main"))
                rows = set()
                for one, other in ((here, there), (there, here)):
                    rows |= {row[:named] for row in connection.execute(f"{one} EXCEPT {other}")}
                if rows:
                    result.append((kind, len(rows), "/".join(map(str, min(rows)))))
        finally:
            connection.close()
    return result
