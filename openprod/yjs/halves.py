"""Characters that an edit would cut in half.

Yjs counts UTF-16 units, of which an emoji has two, and lets a program delete or insert between them: every Yjs
program then shows two replacement characters. yrs 0.28 instead shifts the clocks of all that follows, so that its
document no longer agrees with anybody's and can't take the author's next edit. Such an edit must not reach it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from openprod.core.ranges import IdSet
from openprod.yjs.decoder import STRING, Id, Range, Struct, Update


def second_halves(structs: Iterable[Struct]) -> Iterator[Id]:
    """The ids of the second units of all characters of two units in texts."""
    for client, clock, length, ref, _, _, _, _, content in structs:
        if ref == STRING and len(content) != length:
            for character in content:
                if character > "\uffff":
                    yield client, clock + 1
                    clock += 1
                clock += 1


def second_half_ranges(structs: Iterable[Struct]) -> Iterator[Range]:
    for client, clock in second_halves(structs):
        yield client, clock, 1


def cuts(decoded: Update, known: IdSet, new: set[Id]) -> bool:
    """Whether an update cuts before one of these second halves, by inserting or deleting."""
    for _, _, _, _, origin, right, _, _, _ in decoded.structs:
        if origin is not None:
            before = (origin[0], origin[1] + 1)
            if before in new or known.contains(*before):
                return True
        if right is not None and (right in new or known.contains(*right)):
            return True
    for client, clock, length in decoded.deletes:
        for edge in (clock, clock + length):
            if (client, edge) in new or known.contains(client, edge):
                return True
    return False
