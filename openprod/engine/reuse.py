"""Known ids that arrive with other contents: a program reuses a Yjs client id, as one restored from a backup does.

Yjs programs would keep whichever came first and never agree again. The update is refused and kept aside.
"""

from __future__ import annotations

from openprod.engine.index import Index
from openprod.errors import InputError
from openprod.yjs import layout
from openprod.yjs.decoder import Update
from openprod.yjs.documents import LiveDocument

_CHECKED_MAX = 2_000
_ANY = 8


class ReusedClientId(InputError):
    code = "REUSED_CLIENT_ID"
    status = 409


def contradicts(index: Index, document: LiveDocument, decoded: Update) -> bool:
    """Whether the update says something else of a field's version that is known already."""
    known = document.gate.overlaps(decoded)
    if not known:
        return False
    checked = 0
    state = document.gate.state
    for client, clock, length, ref, origin, _right, parent, key, content in decoded.structs:
        have = state.get(client, 0)
        if ref != _ANY or clock >= have:
            continue
        checked += min(length, have - clock)
        if checked > _CHECKED_MAX:
            return False
        # Also what came earlier in the same group, which isn't stored yet.
        rows = index.versions_in(document.name, client, clock, min(clock + length, have))
        if not rows and key is not None and parent.__class__ is str:
            return True  # the known id isn't a version of any field
        for row in rows:
            before = origin if row.clock == clock else (client, row.clock - 1)
            parents = None if row.parent_client is None else (row.parent_client, row.parent_clock)
            other_value = row.value is not None and row.value != layout.value_text(content[row.clock - clock])
            if other_value or before != parents:
                return True
    return False


def refusal() -> ReusedClientId:
    return ReusedClientId(
        "This program goes on under an identity that wrote something else before; its update was kept aside.",
        hint="Reload the program so that it starts afresh, then make the change again.",
    )
