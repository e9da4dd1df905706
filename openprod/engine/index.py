"""From released updates to rows: registers and their versions, removals, runs of text, decisions.

What is derived here depends on the oplog alone. Rows collect while a group of bundles is taken in and are written by
``flush`` inside the group's transaction; ``forget`` drops everything cached when that transaction fails.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence

from openprod.core import resolutions
from openprod.core.ranges import Range
from openprod.errors import LimitExceeded
from openprod.storage.ports import ClearRow, RegisterRow, ResolutionRow, SpanRow, Storage, VersionRow
from openprod.yjs import layout
from openprod.yjs.decoder import Struct, Update

CACHED_REGISTERS_MAX = 50_000
_WIDE_DELETE = 256
_RUN_MAX = 1_000_000

_GC, _DELETED, _FORMAT, _TYPE, _SKIP = 0, 1, 6, 7, 10  # content references of the v1 encoding


class Part:
    """One update to take in: its bundle, and whether it is one transaction as it was made.

    A removal in a live update is its author's; a whole state repeats everybody's. ``apart``: its author may not have
    seen what this replica held.
    """

    __slots__ = ("apart", "bundle", "live", "update", "written")

    def __init__(self, update: Update, *, bundle: int, live: bool, apart: bool) -> None:
        self.update = update
        self.bundle = bundle
        self.live = live
        self.apart = apart
        self.written: set[int] = set()


class Entry:
    """A cached register. ``unsure``: its winner must be worked out from the whole tree."""

    __slots__ = (
        "client", "clock", "document", "entity", "field", "forked", "id", "key", "root", "sought", "stored", "unsure",
        "value",
    )  # fmt: skip

    def __init__(self, row: RegisterRow, *, stored: bool) -> None:
        self.id, self.document, self.root, self.key, self.entity, self.field = row[:6]
        self.client, self.clock, self.forked, self.value = row.client, row.clock, bool(row.forked), row.value
        self.sought = row.sought
        self.stored = stored
        self.unsure = self.forked

    def row(self) -> RegisterRow:
        return RegisterRow(
            self.id, self.document, self.root, self.key, self.entity, self.field,
            self.client, self.clock, self.forked, self.value, self.sought,
        )  # fmt: skip


class Index:
    def __init__(self, storage: Storage, is_sought: Callable[[str, str], bool]) -> None:
        self._storage = storage
        self._is_sought = is_sought
        self.forget()

    def forget(self) -> None:
        """Drop caches and unwritten rows; the next look-up reads the storage."""
        self._entries: OrderedDict[tuple[str, str, str], Entry] = OrderedDict()
        self._by_id: dict[int, Entry] = {}
        self._tails: dict[tuple[str, int, int], Entry] = {}
        self._next_register = 0
        self._clear_pending()

    def _clear_pending(self) -> None:
        self.touched: dict[int, Entry] = {}
        self.touched_texts: dict[tuple[str, str], set[int]] = {}
        self._versions: list[VersionRow] = []
        self._recent: dict[tuple[str, int, int], Entry] = {}
        self._clears: list[ClearRow] = []
        self._spans: list[SpanRow] = []
        self._resolutions: list[ResolutionRow] = []

    # -- taking in -----------------------------------------------------------------------------------------

    def add(self, document: str, parts: Sequence[Part], removed: Iterable[Range], added: Iterable[Range]) -> None:
        """Take in what a gate released as one: the ids that are new in it, and the ranges that it newly deletes."""
        fresh = {client: clock for client, clock, _length in added}
        # An update lists its structs by client, so a struct may stand before the one that it follows: it waits.
        waiting: dict[tuple[int, int], list[tuple[Part, Struct]]] = {}
        overwritten: set[tuple[int, int]] = set()
        for part in parts:
            for struct in part.update.structs:
                first = fresh.get(struct[0])
                if first is None or struct[1] + struct[2] <= first or struct[3] == _GC or struct[3] == _SKIP:
                    continue
                self._place(document, part, struct, first, fresh, waiting, overwritten)
        if waiting:
            # What is left refers to things without meaning in the layout: nested types, unknown roots.
            waiting.clear()
        for part in parts:
            ranges = removed if len(parts) == 1 else part.update.deletes
            for client, clock, length in ranges:
                self._remove(document, client, clock, length, overwritten, part)

    def _place(
        self, document: str, part: Part, struct: Struct, first: int, fresh: dict[int, int],
        waiting: dict[tuple[int, int], list[tuple[Part, Struct]]], overwritten: set[tuple[int, int]],
    ) -> None:  # fmt: skip
        stack = [(part, struct)]
        while stack:
            part, struct = stack.pop()
            client, clock, length, ref, origin, right, parent, key, content = struct
            first = fresh[client]
            if key is not None and parent.__class__ is str:
                entry: Entry | None = self.entry(document, parent, key)
            elif origin is not None and right is None:
                entry = self._entry_of(document, origin[0], origin[1])
            else:
                entry = None
            if entry is not None:
                part.written.add(entry.id)
                self._add_versions(entry, client, clock, length, ref, origin, content, first, part.bundle, overwritten)
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
        origin: tuple[int, int] | None, content: object, first: int, bundle: int, overwritten: set[tuple[int, int]],
    ) -> None:  # fmt: skip
        document, register = entry.document, entry.id
        if length > _RUN_MAX:
            raise LimitExceeded("An update overwrites one field more often than any program does at once.")
        for index in range(max(0, first - clock), length):
            at = clock + index
            if (document, client, at) in self._recent:
                continue
            # Element i of a run overwrote element i − 1.
            parent = origin if index == 0 else (client, at - 1)
            if parent is not None:
                overwritten.add(parent)
            if ref == _DELETED:
                value = None
            elif ref == _TYPE:
                value = layout.value_text({layout.OUTSIDE_VALUE_KEY: "type"})
            elif content.__class__ is list:
                value = layout.value_text(content[index])
            else:
                value = layout.value_text(content)
            self._versions.append(
                VersionRow(
                    document, client, at, register,
                    parent[0] if parent else None, parent[1] if parent else None, value, bundle,
                )
            )  # fmt: skip
            self._recent[(document, client, at)] = entry
            if parent == (entry.client, entry.clock) or (parent is None and not entry.stored and entry.client < 0):
                self._tails.pop((document, entry.client, entry.clock), None)
                entry.client, entry.clock, entry.value = client, at, value
                self._tails[(document, client, at)] = entry
            else:
                entry.unsure = True
            if entry.root == layout.RESOLUTION_ROOT:
                self._add_resolution(entry, client, at, value, bundle)
        self.touched[register] = entry

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
        client, clock, length, ref, origin, right, parent = struct[:7]
        root = parent if parent.__class__ is str else self._text_of(document, origin) or self._text_of(document, right)
        if not isinstance(root, str):
            return False
        if layout.parse_root(root).kind == "text":
            if ref != _FORMAT:
                self._touch_text(document, root, part)
            self._spans.append(SpanRow(document, client, clock, length, root, part.bundle, False))
        return True

    def _touch_text(self, document: str, root: str, part: Part) -> None:
        bundles = self.touched_texts.setdefault((document, root), set())
        if part.apart:
            bundles.add(part.bundle)

    def _text_of(self, document: str, id: tuple[int, int] | None) -> str | None:
        if id is None:
            return None
        span = self._span_at(document, *id)
        return span.root if span else None

    def _span_at(self, document: str, client: int, clock: int) -> SpanRow | None:
        for span in reversed(self._spans):
            if (
                span.client == client
                and span.clock <= clock < span.clock + span.length
                and span.document == document
                and not span.deleted
            ):
                return span
        return self._storage.span_at(document, client, clock)

    def _remove(
        self, document: str, client: int, clock: int, length: int,
        overwritten: set[tuple[int, int]], part: Part,
    ) -> None:  # fmt: skip
        if length == 1 and (client, clock) in overwritten:
            return
        found: list[tuple[int, Entry]] = []
        if length <= _WIDE_DELETE:
            at, end = clock, clock + length
            while at < end:
                entry = self._entry_of(document, client, at)
                if entry is not None:
                    found.append((at, entry))
                    at += 1
                    continue
                span = self._span_at(document, client, at)
                if span is None:
                    at += 1
                    continue
                run = min(end, span.clock + span.length) - at
                self._touch_text(document, span.root, part)
                self._spans.append(SpanRow(document, client, at, run, span.root, part.bundle, True))
                at += run
        else:
            pending = {key[2]: entry for key, entry in self._recent.items() if key[:2] == (document, client)}
            found = [(at, entry) for at, entry in pending.items() if clock <= at < clock + length]
            for row in self._storage.versions_in(document, client, clock, clock + length):
                entry = self._by_number(row.register)
                if entry is not None and row.clock not in pending:
                    found.append((row.clock, entry))
        for at, entry in found:
            if (client, at) in overwritten:
                continue
            entry.unsure = True
            self.touched[entry.id] = entry
            if part.live and entry.id not in part.written and not self._mentions(document, part, entry):
                self._clears.append(ClearRow(document, client, at, entry.id, part.bundle))

    def _mentions(self, document: str, part: Part, entry: Entry) -> bool:
        """Whether the update carries a version of the register, known or not.

        Programs pass on what they took in together with the losing items that this removed: no removal of theirs.
        """
        return any(self._entry_of(document, struct[0], struct[1]) is entry for struct in part.update.structs)

    # -- looking up ----------------------------------------------------------------------------------------

    def entry(self, document: str, root: str, key: str) -> Entry:
        """The register, made when it is new."""
        name = (document, root, key)
        entry = self._entries.get(name)
        if entry is not None:
            return entry
        row = self._storage.register_at(document, root, key)
        if row is None:
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
        entry = self._entries.get((document, root, key))
        if entry is not None:
            return entry
        row = self._storage.register_at(document, root, key)
        return self._keep(Entry(row, stored=True)) if row else None

    def _by_number(self, id: int) -> Entry | None:
        entry = self._by_id.get(id)
        if entry is None:
            row = self._storage.register(id)
            entry = self._keep(Entry(row, stored=True)) if row else None
        return entry

    def _entry_of(self, document: str, client: int, clock: int) -> Entry | None:
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

    # -- writing -------------------------------------------------------------------------------------------

    def flush(self) -> tuple[list[Entry], dict[tuple[str, str], set[int]]]:
        """Write what has been collected, but for the registers' own rows; return what was touched.

        (registers, {(document, root) of a text: bundles whose authors may have worked apart})
        """
        storage = self._storage
        if self._versions:
            storage.add_versions(self._versions)
        if self._clears:
            storage.add_clears(self._clears)
        if self._spans:
            storage.add_spans(self._spans)
        if self._resolutions:
            storage.add_resolutions(self._resolutions)
        touched, texts = list(self.touched.values()), self.touched_texts
        self._clear_pending()
        return touched, texts

    def touch(self, entries: Iterable[Entry], texts: Mapping[tuple[str, str], set[int]]) -> None:
        """Count as touched again: judged once more with the rest of the group."""
        self.touched.update((entry.id, entry) for entry in entries)
        for name, bundles in texts.items():
            self.touched_texts.setdefault(name, set()).update(bundles)

    def store(self, entries: Iterable[Entry]) -> None:
        """Write registers' rows, once their winners are known."""
        rows = []
        for entry in entries:
            rows.append(entry.row())
            entry.stored = True
        self._storage.put_registers(rows)

    def settle(self, entry: Entry, client: int, clock: int, value: str | None, *, forked: bool) -> None:
        """Say what the whole tree says of a register."""
        self._tails.pop((entry.document, entry.client, entry.clock), None)
        entry.client, entry.clock, entry.value, entry.forked = client, clock, value, forked
        entry.unsure = forked
        self._tails[(entry.document, client, clock)] = entry

    def trim(self) -> None:
        """Let go of the registers longest in the cache. Only between groups."""
        while len(self._entries) > CACHED_REGISTERS_MAX:
            _name, entry = self._entries.popitem(last=False)
            self._by_id.pop(entry.id, None)
            self._tails.pop((entry.document, entry.client, entry.clock), None)
