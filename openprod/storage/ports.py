"""What the engine asks of storage. Two implementations, one contract suite (tests/contracts).

Every call is synchronous and made from one thread; writes happen inside ``transaction()``, which is durable when it
returns and leaves no trace when it raises. Readers that must not wait for the writer use ``reader()``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol

from openprod.core.queries.plan import Past, Plan, Texts


class BundleRow(NamedTuple):
    """``number`` is the place in this replica's order of arrival, from 1."""

    number: int
    id: str
    log: str
    seq: int
    hlc: str
    user: str
    name: str
    device: str
    via: str
    intent: str
    message: str
    undoes: str
    hash: bytes


class RegisterRow(NamedTuple):
    """One field's storage. ``entity``/``field`` are "" where the layout gives the key no such meaning.

    ``client``/``clock``: the winner. ``forked``: more than one leaf. ``value``: what is shown, canonical JSON, None
    while the key is absent. ``sought``: ``registers_valued`` finds it by its value.
    """

    id: int
    document: str
    root: str
    key: str
    entity: str
    field: str
    client: int
    clock: int
    forked: bool
    value: str | None
    sought: bool = False


class VersionRow(NamedTuple):
    document: str
    client: int
    clock: int
    register: int
    parent_client: int | None
    parent_clock: int | None
    value: str | None
    bundle: int


class LeafRow(NamedTuple):
    """From here, and from the winner, a register's versions are found, parent by parent. Kept once it was a leaf."""

    register: int
    client: int
    clock: int


class VersionWithAuthor(NamedTuple):
    version: VersionRow
    bundle: BundleRow


class ClearRow(NamedTuple):
    """``bundle`` removed the version (client, clock) without writing another."""

    document: str
    client: int
    clock: int
    register: int
    bundle: int


class SpanRow(NamedTuple):
    """A run of text elements [clock, clock + length) in the root text ``root``, written by ``bundle``; ``deleted``:
    removed by it. No two runs of one client and kind overlap.
    """

    document: str
    client: int
    clock: int
    length: int
    root: str
    bundle: int
    deleted: bool


class TextChangeRow(NamedTuple):
    """A bundle that runs of a text are credited to. ``whole``: it holds a whole state of the document."""

    document: str
    root: str
    log: str
    seq: int
    bundle: int
    user: str
    whole: bool


class ResolutionRow(NamedTuple):
    """A version of a record in ``core.resolution``: ``id`` is its key, ``client``/``clock`` the record's own version.

    ``root``/``key``: the register decided, in the same document; "" when it isn't about one.
    """

    id: str
    document: str
    client: int
    clock: int
    conflict: str
    root: str
    key: str
    body: str
    bundle: int


class ConflictRow(NamedTuple):
    """``heads`` is a JSON list of version texts; ``subject`` JSON with what the kind needs beyond the register."""

    id: str
    kind: str
    status: str
    reopened: bool
    entity: str
    facet: str
    field: str
    document: str
    register: int | None
    heads: str
    subject: str
    hlc: str


class TokenRow(NamedTuple):
    id: str
    hash: bytes
    label: str
    document: str
    role: str
    user: str
    name: str
    created: str
    expires: str


class Storage(Protocol):
    path: str

    def transaction(self) -> AbstractContextManager[None]: ...
    def close(self) -> None: ...

    def meta(self, name: str) -> str | None: ...
    def set_meta(self, name: str, value: str) -> None: ...

    # oplog
    def add_bundle(self, row: BundleRow, body: bytes, signature: bytes) -> None: ...
    def bundle(self, id: str) -> BundleRow | None: ...
    def bundles_like(self, prefix: str) -> list[BundleRow]: ...
    def bundle_numbered(self, number: int) -> BundleRow | None: ...
    def bundles(
        self, *, after: int = 0, limit: int = -1, newest_first: bool = False, before: int | None = None
    ) -> list[BundleRow]: ...
    def bundle_bytes(self, *, after: int = 0) -> Iterator[tuple[int, bytes, bytes]]: ...
    def bundle_body(self, number: int) -> tuple[bytes, bytes]: ...
    def logs(self) -> dict[str, tuple[int, bytes]]: ...
    def bundle_at(self, log: str, seq: int) -> bytes | None: ...
    def logs_of(self, log: str) -> tuple[int, bytes]: ...
    def newest_hlc(self, log: str) -> str: ...
    def add_deps(self, log: str, seq: int, deps: dict[str, int]) -> None: ...
    def depends(self, log: str, seq: int, on_log: str) -> int: ...
    def first_depending(self, log: str, on_log: str, on_seq: int) -> int | None: ...
    def bundles_by_user(self, user: str, *, limit: int) -> list[BundleRow]: ...

    def add_record(self, data: bytes) -> None:
        """A membership record, after those that it builds on."""

    def records(self) -> list[bytes]: ...

    # derived: everything below is rebuilt from the oplog by ``clear_derived`` and replay
    def clear_derived(self) -> None: ...
    def register(self, id: int) -> RegisterRow | None: ...
    def register_at(self, document: str, root: str, key: str) -> RegisterRow | None: ...
    def register_of(self, document: str, client: int, clock: int) -> RegisterRow | None: ...
    def registers_of_entity(self, entity: str) -> list[RegisterRow]: ...
    def registers_of_root(self, root: str) -> Iterator[RegisterRow]: ...
    def seek(self, root: str, field: str) -> None: ...
    def registers_valued(self, root: str, field: str, value: str) -> list[RegisterRow]: ...
    def markers_gone(self) -> list[RegisterRow]: ...
    def all_registers(self) -> Iterator[RegisterRow]: ...
    def put_registers(self, rows: Sequence[RegisterRow]) -> None: ...
    def change_registers(self, rows: Sequence[RegisterRow]) -> None:
        """Say what registers that are there show now; those that aren't, in that place, are left out."""

    def next_register(self) -> int: ...
    def add_versions(self, rows: Sequence[VersionRow]) -> None: ...
    def change_versions(self, rows: Sequence[VersionRow]) -> None: ...
    def version(self, document: str, client: int, clock: int) -> VersionWithAuthor | None: ...
    def add_leaves(self, rows: Sequence[LeafRow]) -> None: ...
    def versions_of(self, register: RegisterRow | int) -> list[VersionWithAuthor]:
        """Of a register as it is stored (its id), or as it is about to be."""
        ...

    def versions_of_root(self, root: str) -> Iterator[tuple[int, VersionWithAuthor]]: ...
    def versions_in(self, document: str, client: int, start: int, end: int) -> list[VersionRow]: ...
    def add_clears(self, rows: Sequence[ClearRow]) -> None: ...
    def clears_of(self, register: int) -> list[tuple[ClearRow, BundleRow]]: ...
    def put_spans(self, rows: Sequence[SpanRow]) -> None: ...
    def drop_spans(self, rows: Sequence[SpanRow]) -> None: ...
    def spans_of(self, document: str, root: str) -> list[tuple[SpanRow, BundleRow]]: ...
    def spans_of_change(self, document: str, root: str, bundle: int, *, limit: int = -1) -> list[SpanRow]: ...
    def spans_in(self, document: str, client: int, start: int, end: int, *, deleted: bool) -> list[SpanRow]: ...
    def span_at(self, document: str, client: int, clock: int) -> SpanRow | None: ...
    def text_roots(self) -> list[tuple[str, str]]: ...
    def put_text_change(self, row: TextChangeRow) -> None: ...
    def drop_text_change(self, row: TextChangeRow) -> None: ...
    def text_logs(self, document: str, root: str) -> list[str]: ...
    def text_changes(
        self, document: str, root: str, log: str, *, after: int = 0, before: int | None = None, whole: bool
    ) -> list[TextChangeRow]: ...
    def has_text_change(
        self, document: str, root: str, log: str, *, after: int, before: int | None, other_than: str
    ) -> bool: ...
    def add_apart(self, rows: Sequence[TextChangeRow]) -> None: ...
    def clear_apart(self, document: str, root: str) -> None: ...
    def has_apart(self, document: str, root: str) -> bool: ...
    def apart_in(self, document: str, root: str, log: str, *, limit: int) -> list[TextChangeRow]: ...
    def add_resolutions(self, rows: Sequence[ResolutionRow]) -> None: ...
    def resolutions_at(self, document: str, root: str, key: str) -> list[tuple[ResolutionRow, BundleRow]]: ...
    def resolutions_of(self, conflict: str) -> list[tuple[ResolutionRow, BundleRow]]: ...
    def all_resolutions(self) -> list[ResolutionRow]: ...
    def put_conflict(self, row: ConflictRow) -> None: ...
    def drop_conflict(self, id: str) -> None: ...
    def conflict(self, id: str) -> ConflictRow | None: ...
    def conflicts(
        self, *, status: str = "all", kind: str = "", entity: str = "", after: str = "", limit: int = -1
    ) -> list[ConflictRow]: ...
    def conflicts_of(self, entity: str) -> list[ConflictRow]: ...

    def put_held(self, numbers: Mapping[int, bool]) -> None:
        """{bundle: whether it is kept without being applied}."""

    def held(self) -> list[int]: ...

    def put_redirects(self, rows: Mapping[str, str | None]) -> None:
        """{absorbed entity: surviving entity; None for one that stands for itself again}."""

    def redirects(self) -> dict[str, str]: ...
    def put_bound(self, rows: Mapping[tuple[str, str], str | None]) -> None:
        """{(facet, entity): its concept entity; None for none}."""

    def bound(self) -> dict[tuple[str, str], str]: ...

    # snapshots and the rest
    def snapshots(self) -> dict[str, tuple[int, bytes]]: ...
    def put_snapshot(self, document: str, number: int, state: bytes) -> None: ...
    def tokens(self) -> list[TokenRow]: ...
    def put_token(self, row: TokenRow) -> None: ...
    def drop_token(self, id: str) -> None: ...
    def quarantine(self, document: str, update: bytes, why: str, at: str) -> None:
        """Once, however often the same bytes come: programs connect again and say the same."""

    def quarantined(self) -> list[tuple[str, bytes, str, str]]: ...
    def check(self) -> list[str]: ...
    def backup(self, path: str) -> None: ...


class Explained(NamedTuple):
    """How SQLite goes about a query: ``steps`` as it says them, ``indexes`` by name."""

    sql: str
    parameters: dict[str, str | int]
    steps: list[str]
    indexes: list[str]


class Answers(Protocol):
    """What the engine asks queries of: beside the writer, from any thread."""

    def answer(self, plan: Plan, *, past: Past | None = None, texts: Texts | None = None) -> list[list[Any]]:
        """Rows: the entity (None for groups), then the columns' values. ``past``: as things stood then."""
