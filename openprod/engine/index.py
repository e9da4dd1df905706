"""From released updates to rows: registers and their versions, removals, decisions; runs of text by ``Spans``.

What is derived here depends on the oplog alone. Rows collect while a group of bundles is taken in and are written by
``flush`` inside the group's transaction; ``forget`` drops everything cached when that transaction fails.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from openprod.core import resolutions
from openprod.core.ranges import Range
from openprod.core.versions import NULL
from openprod.engine import removals
from openprod.engine.removals import Part, Rank, rank
from openprod.engine.spans import Spans, TextTouch
from openprod.errors import LimitExceeded
from openprod.storage.ports import ClearRow, LeafRow, RegisterRow, ResolutionRow, Storage, VersionRow
from openprod.yjs import layout
from openprod.yjs.decoder import Struct

CACHED_REGISTERS_MAX = 50_000
_WIDE_DELETE = 4
_RUN_MAX = 1_000_000

_GC, _DELETED, _FORMAT, _TYPE, _DOC, _SKIP = 0, 1, 6, 7, 9, 10  # content references of the v1 encoding


class Said(NamedTuple):
    """What a bundle that is being taken in leaves a register showing: canonical JSON, ``null`` where it cleared it."""

    value: str
    bundle: int


class Entry:
    """A cached register. ``unsure``: its winner must be worked out from the whole tree.

    ``kept``: the value as it was last written down; ``before``: the one before that.
    """

    __slots__ = (
        "before", "client", "clock", "document", "entity", "field", "forked", "id", "kept", "key", "kind", "root",
        "sought", "stored", "unsure", "value",
    )  # fmt: skip

    def __init__(self, row: RegisterRow, *, stored: bool) -> None:
        self.id, self.document, self.root, self.key, self.entity, self.field = row[:6]
        self.kind = layout.parse_root(row.root).kind
        self.client, self.clock, self.forked, self.value = row.client, row.clock, bool(row.forked), row.value
        self.sought = row.sought
        self.stored = stored
        self.unsure = self.forked
        self.kept = self.before = row.value

    @property
    def came_or_went(self) -> bool:
        """Whether it showed nothing before it was last written down and shows something now, or the other way round."""
        return (self.before in (None, NULL)) != (self.value in (None, NULL))

    @property
    def subject(self) -> str:
        """What conflicts and decisions about it are filed under."""
        return f"{self.document}/{self.root}/{self.key}"

    def row(self) -> RegisterRow:
        return RegisterRow(
            self.id, self.document, self.root, self.key, self.entity, self.field,
            self.client, self.clock, self.forked, self.value, self.sought,
        )  # fmt: skip


def _value(ref: int, content: Any, index: int, client: int, clock: int) -> str | None:
    """Canonical JSON of a struct's element; None where it wasn't kept."""
    if ref == _DELETED:
        return None
    if ref in (_TYPE, _DOC):
        # What is in it isn't looked at: it equals nothing but itself.
        return layout.value_text({layout.OUTSIDE_VALUE_KEY: "type", "id": f"{client}:{clock + index}"})
    return layout.value_text(content[index] if content.__class__ is list else content)


class Index:
    def __init__(self, storage: Storage, is_sought: Callable[[str, str], bool]) -> None:
        self._storage = storage
        self._is_sought = is_sought
        self._texts = Spans(storage, self._is_origin)
        self.forget()

    def forget(self) -> None:
        """Drop caches and unwritten rows; the next look-up reads the storage."""
        self._entries: OrderedDict[tuple[str, str, str], Entry] = OrderedDict()
        self._absent: set[tuple[str, str, str]] = set()
        self._by_id: dict[int, Entry] = {}
        self._tails: dict[tuple[str, int, int], Entry] = {}
        self._next_register = 0
        self._clear_pending()

    def _clear_pending(self) -> None:
        self.touched: dict[int, Entry] = {}
        self._typed: set[Part] = set()
        self._texts.forget()
        self._doubted: set[int] = set()
        self._versions: dict[tuple[str, int, int], VersionRow] = {}
        self._again: dict[tuple[str, int, int], VersionRow] = {}
        self._recent: dict[tuple[str, int, int], Entry] = {}
        self._leaves: dict[LeafRow, None] = {}
        self._ranks: dict[int, Rank] = {}
        self._clears: list[ClearRow] = []
        self._resolutions: list[ResolutionRow] = []

    # -- taking in -----------------------------------------------------------------------------------------

    def add(self, document: str, parts: Sequence[Part], removed: Iterable[Range], added: Iterable[Range]) -> None:
        """Take in what a gate released as one: the ids that are new in it, and the ranges that it newly deletes."""
        fresh = {client: clock for client, clock, _length in added}
        # An update lists its structs by client, so a struct may stand before the one that it follows: it waits.
        waiting: dict[tuple[int, int], list[tuple[Part, Struct]]] = {}
        again: list[tuple[Part, Struct, int]] = []
        for part in parts:
            self._ranks[part.bundle] = part.rank
            for struct in part.update.structs:
                first = fresh.get(struct[0])
                if struct[3] == _GC or struct[3] == _SKIP:
                    continue
                if first is None or struct[1] < first:
                    again.append((part, struct, struct[1] + struct[2] if first is None else first))
                if first is not None and struct[1] + struct[2] > first:
                    self._place(document, part, struct, first, fresh, waiting)
        if waiting:
            # What is left refers to things without meaning in the layout: nested types, unknown roots.
            waiting.clear()
        if len(parts) > 1:
            # What several of them hold was taken from the first; it may be another's.
            again = [
                (part, struct, struct[1] + struct[2])
                for part in parts for struct in part.update.structs if struct[3] not in (_GC, _SKIP)
            ]  # fmt: skip
        for part, struct, end in again:
            self._meet_again(document, part, struct, end)
        overwritten = parts[0].overwritten if len(parts) == 1 else {id for part in parts for id in part.overwritten}
        for client, clock, length in removed:
            if length > 1 or (client, clock) not in overwritten:
                self._remove(document, client, clock, length)
        for part in parts:
            if part.overwrites_only and part not in self._typed:
                continue
            self._texts.remove(document, self._removed_text(part), part)
            if part.live:
                for client, clock, entry in removals.of(self, document, part):
                    entry.unsure = True
                    self._doubted.add(entry.id)
                    self.touched[entry.id] = entry
                    self._clears.append(ClearRow(document, client, clock, entry.id, part.bundle))

    def _place(
        self, document: str, part: Part, struct: Struct, first: int, fresh: dict[int, int],
        waiting: dict[tuple[int, int], list[tuple[Part, Struct]]],
    ) -> None:  # fmt: skip
        stack = [(part, struct)]
        while stack:
            part, struct = stack.pop()
            client, clock, length, ref, origin, right, parent, key, content = struct
            first = fresh[client]
            if key is not None and parent.__class__ is str:
                entry: Entry | None = self.entry(document, parent, key)
            elif origin is not None and right is None:
                entry = self.entry_of(document, origin[0], origin[1])
            else:
                entry = None
            if entry is not None:
                self._add_versions(entry, client, clock, length, ref, origin, content, first, part.bundle)
            elif not self._add_text(document, struct, part):
                reference = origin or right
                if reference is not None and reference[1] >= fresh.get(reference[0], 1 << 62):
                    waiting.setdefault(reference, []).append((part, struct))
                continue
            if waiting:
                for id in [id for id in waiting if id[0] == client and clock <= id[1] < clock + length]:
                    stack.extend(waiting.pop(id))

    def _add_versions(
        self, entry: Entry, client: int, clock: int, length: int, ref: int,
        origin: tuple[int, int] | None, content: object, first: int, bundle: int,
    ) -> None:  # fmt: skip
        document, register = entry.document, entry.id
        if length > _RUN_MAX:
            raise LimitExceeded("An update overwrites one field more often than any program does at once.")
        leaf: LeafRow | None = None
        for index in range(max(0, first - clock), length):
            at = clock + index
            if (document, client, at) in self._recent:
                continue
            # Element i of a run overwrote element i − 1.
            parent = origin if index == 0 else (client, at - 1)
            value = _value(ref, content, index, client, clock)
            self._versions[(document, client, at)] = VersionRow(
                document, client, at, register,
                parent[0] if parent else None, parent[1] if parent else None, value, bundle,
            )  # fmt: skip
            self._recent[(document, client, at)] = entry
            if parent == (entry.client, entry.clock) or (parent is None and not entry.stored and entry.client < 0):
                self._tails.pop((document, entry.client, entry.clock), None)
                entry.client, entry.clock, entry.value = client, at, value
                self._tails[(document, client, at)] = entry
            else:
                entry.unsure = True
                if parent is not None:
                    self._leaves.pop(LeafRow(register, *parent), None)
                leaf = LeafRow(register, client, at)
            if entry.root == layout.RESOLUTION_ROOT:
                self._add_resolution(entry, client, at, value, bundle)
        if leaf is not None:
            self._leaves[leaf] = None
        self.touched[register] = entry

    def _meet_again(self, document: str, part: Part, struct: Struct, end: int) -> None:
        """Versions that are here already, in another bundle: it may hold the value, or be the one that made them."""
        client, clock, length, ref, origin, right, _parent, key, content = struct
        if key is None and (root := self._texts.root_at(document, (client, clock))) is not None:
            self._typed.add(part)
            self._texts.write(document, root, client, clock, clock + length, part, content)
        if key is None and (origin is None or right is not None):
            return  # text
        for row in self.versions_in(document, client, clock, min(end, clock + length)):
            value = _value(ref, content, row.clock - clock, client, clock) if row.value is None else row.value
            bundle = part.bundle if self._is_origin(part, row.bundle) else row.bundle
            if value == row.value and bundle == row.bundle:
                continue
            entry = self.by_number(row.register)
            assert entry is not None
            changed = row._replace(value=value, bundle=bundle)
            place = row[:3]
            (self._versions if place in self._versions else self._again)[place] = changed
            entry.unsure = True
            self.touched[entry.id] = entry
            if entry.root == layout.RESOLUTION_ROOT:
                self._add_resolution(entry, client, row.clock, value, bundle)

    def _is_origin(self, part: Part, number: int) -> bool:
        """Whether ``part`` is nearer to where a version was made than bundle ``number``: a laptop's own writes are,
        then what is older. The same on every replica, whichever came first there."""
        if part.bundle == number:
            return False
        known = self._ranks.get(number)
        if known is None:
            row = self._storage.bundle_numbered(number)
            assert row is not None
            known = self._ranks[number] = rank(row.intent, row.hlc, row.log, row.seq)
        return part.rank < known

    def lacks_value_in(self, document: str, structs: Iterable[Struct]) -> bool:
        """Whether one of the structs holds a value that hadn't been kept of a known version."""
        return any(
            row.value is None
            for client, clock, length, ref, origin, right, _parent, key, _content in structs
            if ref not in (_GC, _DELETED, _SKIP) and (key is not None or (origin is not None and right is None))
            for row in self.versions_in(document, client, clock, clock + length)
        )

    def versions_in(self, document: str, client: int, start: int, end: int) -> list[VersionRow]:
        """Stored or about to be, by clock."""
        found = {row.clock: row for row in self._storage.versions_in(document, client, start, end)}
        for place, row in (*self._versions.items(), *self._again.items()) if end - start > 64 else ():
            if place[0] == document and place[1] == client and start <= place[2] < end:
                found[row.clock] = row
        for clock in range(start, end) if end - start <= 64 else ():
            place = (document, client, clock)
            pending = self._versions.get(place) or self._again.get(place)
            if pending is not None:
                found[clock] = pending
        return [found[clock] for clock in sorted(found)]

    def versions_of(self, register: int) -> list[VersionRow]:
        """Stored or about to be."""
        pending = [row for row in self._versions.values() if row.register == register]
        return [one.version for one in self._storage.versions_of(register)] + pending

    def _add_resolution(self, entry: Entry, client: int, clock: int, value: str | None, bundle: int) -> None:
        record = resolutions.parse(value)
        if record is None or value is None:
            return
        root, key = record.register_ or ("", "")
        self._resolutions.append(
            ResolutionRow(entry.key, entry.document, client, clock, record.conflict, root, key, value, bundle)
        )

    def _add_text(self, document: str, struct: Struct, part: Part) -> bool:
        """Keep a run of text; False when where it belongs isn't known (yet)."""
        client, clock, length, _ref, origin, right, parent, _key, content = struct
        root = parent
        if root.__class__ is not str:
            root = self._texts.root_at(document, origin) or self._texts.root_at(document, right)
        if not isinstance(root, str):
            return False
        if layout.parse_root(root).kind == "text":
            self._typed.add(part)
            self._texts.write(document, root, client, clock, clock + length, part, content)
        return True

    def _removed_text(self, part: Part) -> list[Range]:
        if part in self._typed:
            return part.update.deletes
        # What a field's value was written over is no text.
        return [one for one in part.update.deletes if one[2] > 1 or one[:2] not in part.overwritten]

    def _remove(self, document: str, client: int, clock: int, length: int) -> None:
        """What is newly removed shows another value."""
        if length <= _WIDE_DELETE:
            for at in range(clock, clock + length):
                entry = self.entry_of(document, client, at)
                if entry is not None:
                    self._doubt(entry, client, at)
            return
        for row in self.versions_in(document, client, clock, clock + length):
            wide = self.by_number(row.register)
            if wide is not None:
                self._doubt(wide, client, row.clock)

    def _doubt(self, entry: Entry, client: int, clock: int) -> None:
        # A version that another one has taken the place of is shown no more, removed or not.
        if entry.client == client and entry.clock == clock:
            entry.unsure = True
            self._doubted.add(entry.id)
            self.touched[entry.id] = entry

    # -- looking up ----------------------------------------------------------------------------------------

    def entry(self, document: str, root: str, key: str) -> Entry:
        """The register, made when it is new."""
        name = (document, root, key)
        entry = self._entries.get(name)
        if entry is not None:
            return entry
        row = None if name in self._absent else self._storage.register_at(document, root, key)
        if row is None:
            self._absent.discard(name)
            if not self._next_register:
                self._next_register = self._storage.next_register()
            place = layout.place(document, root, key)
            sought = self._is_sought(root, place.field)
            row = RegisterRow(
                self._next_register, document, root, key, place.entity, place.field, -1, -1, False, None, sought
            )  # fmt: skip
            self._next_register += 1
            return self._keep(Entry(row, stored=False))
        return self._keep(Entry(row, stored=True))

    def find(self, document: str, root: str, key: str) -> Entry | None:
        name = (document, root, key)
        entry = self._entries.get(name)
        if entry is not None or name in self._absent:
            return entry
        row = self._storage.register_at(document, root, key)
        if row is None:
            self._absent.add(name)
            return None
        return self._keep(Entry(row, stored=True))

    def by_number(self, id: int) -> Entry | None:
        entry = self._by_id.get(id)
        if entry is None:
            row = self._storage.register(id)
            entry = self._keep(Entry(row, stored=True)) if row else None
        return entry

    def entry_of(self, document: str, client: int, clock: int) -> Entry | None:
        name = (document, client, clock)
        entry = self._tails.get(name) or self._recent.get(name)
        if entry is not None:
            return entry
        row = self._storage.register_of(document, client, clock)
        if row is None:
            return None
        return self._by_id.get(row.id) or self._keep(Entry(row, stored=True))

    def _keep(self, entry: Entry) -> Entry:
        self._entries[(entry.document, entry.root, entry.key)] = entry
        self._by_id[entry.id] = entry
        self._tails[(entry.document, entry.client, entry.clock)] = entry
        return entry

    def said(self, entry: Entry) -> Said | None:
        """What was just written to a register over what it showed; None where anything else stands beside it."""
        if self.is_known(entry):
            row = self._versions.get((entry.document, entry.client, entry.clock))
            return None if row is None or row.value is None else Said(row.value, row.bundle)
        tail = (entry.document, entry.client, entry.clock)
        if entry.forked or any(row.register == entry.id for row in self._versions.values()):
            return None
        return next((Said("null", row.bundle) for row in self._clears if row[:3] == tail), None)

    def is_known(self, entry: Entry) -> bool:
        """Whether a register shows its ``value``, as far as that can be told without the whole tree: where it has
        several leaves, nothing came, or what came was written over the winner, which makes it the winner."""
        if not entry.unsure or not entry.forked:
            return not entry.unsure
        if entry.id not in self.touched:
            return True
        if entry.id in self._doubted or any(row.register == entry.id for row in self._again.values()):
            return False
        stored = self._storage.register(entry.id)
        tail = (entry.client, entry.clock) if stored is None else (stored.client, stored.clock)
        for row in self._versions.values():
            if row.register == entry.id:
                if (row.parent_client, row.parent_clock) != tail:
                    return False
                tail = (row.client, row.clock)
        return tail == (entry.client, entry.clock)

    # -- writing -------------------------------------------------------------------------------------------

    def flush(self) -> tuple[list[Entry], dict[tuple[str, str], TextTouch]]:
        """Write what has been collected, but for the registers' own rows; return what was touched.

        (registers, {(document, root) of a text: what became of it})
        """
        storage = self._storage
        if self._versions:
            storage.add_versions(list(self._versions.values()))
        if self._again:
            storage.change_versions(list(self._again.values()))
        self._write_leaves()
        if self._clears:
            storage.add_clears(self._clears)
        if self._resolutions:
            storage.add_resolutions(self._resolutions)
        touched, texts = list(self.touched.values()), self._texts.touched
        self._clear_pending()
        return touched, texts

    def store(self, entries: Iterable[Entry]) -> None:
        """Write registers' rows, once their winners are known."""
        made: list[RegisterRow] = []
        changed: list[RegisterRow] = []
        for entry in entries:
            (changed if entry.stored else made).append(entry.row())
            entry.stored = True
            if entry.value != entry.kept:
                entry.before, entry.kept = entry.kept, entry.value
        if made:
            self._storage.put_registers(made)
        if changed:
            self._storage.change_registers(changed)
        self._write_leaves()

    def _write_leaves(self) -> None:
        if self._leaves:
            self._storage.add_leaves(list(self._leaves))
            self._leaves.clear()

    def settle(self, entry: Entry, client: int, clock: int, value: str | None, *, forked: bool) -> None:
        """Say what the whole tree says of a register."""
        if (client, clock) != (entry.client, entry.clock):
            self._leaves[LeafRow(entry.id, entry.client, entry.clock)] = None
        self._tails.pop((entry.document, entry.client, entry.clock), None)
        entry.client, entry.clock, entry.value, entry.forked = client, clock, value, forked
        entry.unsure = forked
        self._tails[(entry.document, client, clock)] = entry

    def trim(self) -> None:
        """Let go of the registers longest in the cache. Only between groups."""
        if len(self._absent) > CACHED_REGISTERS_MAX:
            self._absent.clear()
        while len(self._entries) > CACHED_REGISTERS_MAX:
            _name, entry = self._entries.popitem(last=False)
            self._by_id.pop(entry.id, None)
            self._tails.pop((entry.document, entry.client, entry.clock), None)
