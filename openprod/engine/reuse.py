"""Known ids that arrive with other contents: a program reuses a Yjs client id, as one restored from a backup does.

Yjs programs would keep whichever came first and never agree again. The update is refused and kept aside.
"""

from __future__ import annotations

from bisect import bisect_right
from operator import itemgetter

from openprod.engine.index import Index
from openprod.errors import InputError
from openprod.yjs import layout
from openprod.yjs.decoder import Struct, Update
from openprod.yjs.documents import LiveDocument

_CHECKED_MAX = 2_000
_STRING, _ANY = 4, 8
_CLOCK = itemgetter(1)
_NOT_KEPT = (0, 1, 10)  # garbage-collected, deleted, skipped


class ReusedClientId(InputError):
    code = "REUSED_CLIENT_ID"
    status = 409


def contradicts(index: Index, document: LiveDocument, decoded: Update) -> bool:
    """Whether the update says something else of a field's version, or of a stretch of text, that is known already."""
    if not document.gate.overlaps(decoded):
        return False
    return _fields(index, document, decoded) or _texts(document, decoded)


def _fields(index: Index, document: LiveDocument, decoded: Update) -> bool:
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


def _texts(document: LiveDocument, decoded: Update) -> bool:
    state = document.gate.state
    typed = [struct for struct in decoded.structs if struct[3] == _STRING and struct[1] < state.get(struct[0], 0)]
    first: dict[int, int] = {}
    for client, clock, *_ in typed:
        first[client] = min(clock, first.get(client, clock))
    known: dict[int, list[Struct]] = {}
    for struct in document.structs_from(first) if first else ():
        known.setdefault(struct[0], []).append(struct)
    for client, clock, length, *_, content in typed:
        there = known[client]
        for place in range(bisect_right(there, clock, key=_CLOCK) - 1, len(there)):
            _, at, reach, ref, *_, ours = there[place]
            start, end = max(clock, at), min(clock + length, at + reach)
            if start >= end:
                break
            if ref in _NOT_KEPT:
                continue
            if ref != _STRING or _units(content, start - clock, end - clock) != _units(ours, start - at, end - at):
                return True
    return False


def _units(text: str, start: int, end: int) -> bytes:
    """A stretch of a text, as Yjs counts: in UTF-16 units."""
    return text.encode("utf-16-le")[2 * start : 2 * end]


def refusal() -> ReusedClientId:
    return ReusedClientId(
        "This program goes on under an identity that wrote something else before; its update was kept aside.",
        hint="Reload the program so that it starts afresh, then make the change again.",
    )
