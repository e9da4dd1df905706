"""Known ids that arrive with other contents: a program reuses a Yjs client id, as one restored from a backup does.

Yjs programs would keep whichever came first and never agree again. The update is refused and kept aside.
"""

from __future__ import annotations

from openprod.errors import InputError
from openprod.storage.ports import Storage
from openprod.yjs import layout
from openprod.yjs.decoder import Update
from openprod.yjs.documents import LiveDocument

_CHECKED_MAX = 2_000
_ANY = 8


class ReusedClientId(InputError):
    code = "REUSED_CLIENT_ID"
    status = 409


def contradicts(storage: Storage, document: LiveDocument, decoded: Update) -> bool:
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
        for index in range(min(length, have - clock)):
            checked += 1
            if checked > _CHECKED_MAX:
                return False
            found = storage.version(document.name, client, clock + index)
            if found is None:
                if key is not None and parent.__class__ is str:
                    return True  # the known id isn't a version of any field
                continue
            row = found.version
            before = origin if index == 0 else (client, clock + index - 1)
            parents = None if row.parent_client is None else (row.parent_client, row.parent_clock)
            other_value = row.value is not None and row.value != layout.value_text(content[index])
            if other_value or before != parents:
                return True
    return False


def refusal() -> ReusedClientId:
    return ReusedClientId(
        "This program goes on under an identity that wrote something else before; its update was kept aside.",
        hint="Reload the program so that it starts afresh, then make the change again.",
    )
