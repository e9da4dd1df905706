"""Live documents: the Yjs state of one document in memory, with its causal gate.

A document belongs to one thread. It never collects garbage (``skip_gc``): a hub that did would lose losing values.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

from pycrdt import Assoc, Doc, Map, StickyIndex, Text, TransactionEvent, merge_updates, write_var_uint

from openprod.errors import InvalidOperation, MalformedUpdate
from openprod.yjs.decoder import Limits, Struct, decode_state_vector, decode_update
from openprod.yjs.gate import Gate

_OWN_STATE = Limits(update_bytes_max=2**31, structs_max=2**31, values_max=2**31)


class SetKey(NamedTuple):
    """Write one register."""

    root: str
    key: str
    value: Any


class SpliceText(NamedTuple):
    """Replace ``delete`` code points at ``start`` of a root text by ``insert``."""

    root: str
    start: int
    delete: int
    insert: str


Write: TypeAlias = "SetKey | SpliceText"


def merged(updates: Sequence[bytes]) -> bytes:
    """One update that says what all of these say."""
    return merge_updates(*updates)


class LiveDocument:
    def __init__(self, name: str, *, client_id: int) -> None:
        self.name = name
        self.gate = Gate()
        self._doc: Doc[Any] = Doc(client_id=client_id, skip_gc=True)
        self._maps: dict[str, Map[Any]] = {}
        self._texts: dict[str, Text] = {}

    @classmethod
    def load(cls, name: str, state: bytes, halves: Sequence[Sequence[int]] = (), *, client_id: int) -> LiveDocument:
        """From a whole state, as ``state_as_update`` gave it, and the gate's ``halves``. Raises MalformedUpdate."""
        document = cls(name, client_id=client_id)
        document.apply([state])
        # An empty difference carries the whole delete set and no structs: all that the gate needs, in little.
        vector = document._doc.get_state()
        empty = decode_update(document._doc.get_update(vector), limits=_OWN_STATE)
        document.gate = Gate(
            decode_state_vector(vector),
            empty.deletes,
            halves=[(client, clock, length) for client, clock, length in halves],
        )
        return document

    @property
    def client_id(self) -> int:
        return int(self._doc.client_id)

    def apply(self, updates: Sequence[bytes]) -> None:
        """Apply updates whose dependencies are in, in order. Raises MalformedUpdate when Yjs can't take one.

        After a failure the document must be dropped: it may hold part of what was applied.
        """
        try:
            if len(updates) == 1:
                self._doc.apply_update(updates[0])
            else:
                with self._doc.transaction():
                    for update in updates:
                        self._doc.apply_update(update)
        except BaseException as error:
            # yrs reports some faults as Rust panics, which pycrdt raises as BaseException.
            if isinstance(error, (KeyboardInterrupt, SystemExit, MemoryError)):
                raise
            raise MalformedUpdate("An update can't be applied: its contents contradict each other.") from error

    def write(self, writes: Sequence[Write]) -> bytes:
        """Make one transaction of the writes and return its update."""
        updates: list[bytes] = []

        def keep(event: TransactionEvent) -> None:
            updates.append(event.update)

        subscription = self._doc.observe(keep)
        try:
            with self._doc.transaction():
                for write in writes:
                    if isinstance(write, SetKey):
                        self._map(write.root)[write.key] = write.value
                    else:
                        self._splice(write)
        finally:
            self._doc.unobserve(subscription)
        assert len(updates) <= 1
        return updates[0] if updates else b""

    def _splice(self, write: SpliceText) -> None:
        text = self._text(write.root)
        current = str(text)
        if not 0 <= write.start <= len(current) or not 0 <= write.delete <= len(current) - write.start:
            raise InvalidOperation(
                "The text is shorter than the place that was to be changed.",
                hint="Read the text again: somebody may have changed it.",
            )
        start = len(current[: write.start].encode())  # pycrdt counts UTF-8 bytes
        if write.delete:
            end = start + len(current[write.start : write.start + write.delete].encode())
            del text[start:end]
        if write.insert:
            text.insert(start, write.insert)

    def _map(self, root: str) -> Map[Any]:
        found = self._maps.get(root)
        if found is None:
            found = self._maps[root] = self._doc.get(root, type=Map)
        return found

    def _text(self, root: str) -> Text:
        found = self._texts.get(root)
        if found is None:
            found = self._texts[root] = self._doc.get(root, type=Text)
        return found

    def text(self, root: str) -> str:
        return str(self._text(root))

    def text_position(self, root: str, client: int, clock: int) -> int | None:
        """Where an element of a text is, or was before it was removed; None when that can't be said.

        In UTF-8 bytes up to its block's beginning, in UTF-16 units from there: ``engine.places`` makes sense of it.
        """
        if not 0 <= clock < self.gate.state.get(client, 0):
            return None  # pycrdt would panic
        sequence = self._text(root)
        sticky = StickyIndex.from_json({"item": {"client": client, "clock": clock}, "assoc": Assoc.AFTER}, sequence)
        try:
            with self._doc.transaction():
                return int(sticky.get_index())
        except RuntimeError:
            return None

    def state_vector(self) -> bytes:
        return bytes(self._doc.get_state())

    def state_as_update(self, state_vector: bytes = b"\0") -> bytes:
        """What a program with that state vector lacks. Raises MalformedUpdate for a vector that can't be read."""
        try:
            return bytes(self._doc.get_update(state_vector))
        except BaseException as error:
            if isinstance(error, (KeyboardInterrupt, SystemExit, MemoryError)):
                raise
            raise MalformedUpdate("A state vector can't be read.") from error

    def structs_from(self, clocks: dict[int, int]) -> list[Struct]:
        """What is known of some clients, from a clock on: {client: clock}."""
        state = {**self.gate.state, **clocks}
        vector = write_var_uint(len(state)) + b"".join(
            write_var_uint(client) + write_var_uint(clock) for client, clock in state.items()
        )
        return decode_update(self.state_as_update(vector), limits=_OWN_STATE).structs
