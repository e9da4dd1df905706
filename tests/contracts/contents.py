"""Everything that can be read from a storage, for comparing."""

from __future__ import annotations

from typing import Any

from openprod.storage.ports import Storage


def contents(storage: Storage) -> dict[str, Any]:
    registers = list(storage.all_registers())
    ids = range(1, max([storage.next_register(), *(row.id + 1 for row in registers)]) + 4)
    return {
        "meta": {name: storage.meta(name) for name in ("workspace", "name", "log", "parked", "new", "empty")},
        "tokens": storage.tokens(),
        "quarantined": storage.quarantined(),
        "bundles": storage.bundles(),
        "bytes": list(storage.bundle_bytes()),
        "logs": storage.logs(),
        "registers": registers,
        "versions": [storage.versions_of(row) for row in registers if storage.versions_of(row)],
        "clears": [storage.clears_of(id) for id in ids if storage.clears_of(id)],
        "spans": [storage.spans_of(document, root) for document, root in storage.text_roots()],
        "changes": [
            [
                (
                    storage.text_changes(document, root, log, whole=whole),
                    storage.apart_in(document, root, log, limit=-1),
                )
                for log in storage.text_logs(document, root)
                for whole in (False, True)
            ]
            for document, root in storage.text_roots()
        ],
        "resolutions": storage.all_resolutions(),
        "conflicts": storage.conflicts(),
        "snapshots": storage.snapshots(),
        "records": storage.records(),
        "held": storage.held(),
    }
