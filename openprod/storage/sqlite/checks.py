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
        "WITH RECURSIVE known(document, client, clock) AS (SELECT document, client, clock FROM register"
        " UNION SELECT g.document, l.client, l.clock FROM leaf l JOIN register g ON g.id = l.register"
        " UNION SELECT v.document, v.parent_client, v.parent_clock FROM known k JOIN version v"
        " ON v.document = k.document AND v.client = k.client AND v.clock = k.clock WHERE v.parent_client IS NOT NULL)"
        " SELECT (SELECT count(*) FROM version) - (SELECT count(*) FROM known k JOIN version v"
        " ON v.document = k.document AND v.client = k.client AND v.clock = k.clock)",
    ),
)


def faults(integrity: list[str], counts: list[int]) -> list[str]:
    """Sentences, of what ``INTEGRITY`` and the ``CHECKS`` said; [] when all is well."""
    if integrity != ["ok"]:
        return integrity  # what the statements say of a damaged file says nothing
    return [f"{count} {what}" for (what, _sql), count in zip(CHECKS, counts, strict=True) if count]
