"""What must hold between tables and isn't held by SQLite's own constraints: each statement counts what doesn't."""

from __future__ import annotations

INTEGRITY = "PRAGMA integrity_check(20)"

CHECKS = (
    (
        "bundles that can't be found by their log",
        "SELECT count(*) FROM bundle b LEFT JOIN run r ON r.number = b.number"
        " WHERE (r.log, r.seq) IS NOT (b.log, b.seq) AND NOT EXISTS"
        " (SELECT 1 FROM bundle p WHERE p.number = b.number - 1 AND p.log = b.log AND p.seq = b.seq - 1)",
    ),
    (
        "bundles that can't be found by their id",
        "SELECT count(*) FROM bundle b LEFT JOIN bundle_id i"
        " ON i.beginning = substr(b.id, 1, 12) AND i.number = b.number WHERE i.number IS NULL AND"
        " b.number <= (SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'ids_until')",
    ),
    (
        "versions that can't be found by their field",
        # Every version is one that another was written over, or is known to be a tip: so all of them are reached.
        "SELECT count(*) FROM (SELECT document, client, clock FROM version"
        " EXCEPT SELECT document, parent_client, parent_clock FROM version"
        " EXCEPT SELECT document, client, clock FROM register"
        " EXCEPT SELECT g.document, l.client, l.clock FROM leaf l JOIN register g ON g.id = l.register)",
    ),
)


def faults(integrity: list[str], counts: list[int]) -> list[str]:
    """Sentences, of what ``INTEGRITY`` and the ``CHECKS`` said; [] when all is well."""
    if integrity != ["ok"]:
        return integrity  # what the statements say of a damaged file says nothing
    return [f"{count} {what}" for (what, _sql), count in zip(CHECKS, counts, strict=True) if count]
