"""Rows with everything filled in, short to write."""

from __future__ import annotations

from openprod.storage.ports import (
    BundleRow,
    ClearRow,
    ConflictRow,
    LeafRow,
    RegisterRow,
    ResolutionRow,
    SpanRow,
    Storage,
    TextChangeRow,
    TokenRow,
    VersionRow,
)

BODY, SIGNATURE = b"body \x00", b"signature \xff"


def bundle(number: int, *, log: str = "log-a", seq: int | None = None, hlc: str = "", user: str = "u1") -> BundleRow:
    return BundleRow(
        number, f"{number * 0x1234567:032x}", log, number if seq is None else seq, hlc or f"{number:012x}-0000-aaaa",
        user, "Alex", "device", "", "edit", "", "", bytes([number % 256]) * 32,
    )  # fmt: skip


def register(
    id: int, root: str = "p.f", entity: str = "", field: str = "a", value: str | None = '"x"', *, document: str = "p",
    client: int = 1, clock: int = 0, forked: bool = False, sought: bool = True,
) -> RegisterRow:  # fmt: skip
    entity = entity or f"e{id}"
    key = f"{entity}/{field}" if field else entity
    return RegisterRow(id, document, root, key, entity, field, client, clock, forked, value, sought)


def version(
    clock: int, register: int = 1, value: str | None = '"x"', *, client: int = 1, bundle: int = 1,
    parent: tuple[int, int] | None = None,
) -> VersionRow:  # fmt: skip
    return VersionRow("p", client, clock, register, *(parent or (None, None)), value, bundle)


def leaf(clock: int, register: int = 1, *, client: int = 1) -> LeafRow:
    return LeafRow(register, client, clock)


def clear(clock: int, register: int = 1, bundle: int = 1) -> ClearRow:
    return ClearRow("p", 1, clock, register, bundle)


def span(
    clock: int, length: int = 1, bundle: int = 1, *, root: str = "p.t", client: int = 1, deleted: bool = False
) -> SpanRow:
    return SpanRow("p", client, clock, length, root, bundle, deleted)


def change(
    seq: int, bundle: int = 1, *, log: str = "log-a", root: str = "p.t", user: str = "u1", whole: bool = False
) -> TextChangeRow:
    return TextChangeRow("p", root, log, seq, bundle, user, whole)


def resolution(
    clock: int, conflict: str = "c_1", bundle: int = 1, *, body: str = "{}", key: str = "e1/a"
) -> ResolutionRow:
    return ResolutionRow(f"r_{clock}", "p", 1, clock, conflict, "p.f", key, body, bundle)


def conflict(
    id: str, *, status: str = "open", kind: str = "field", entity: str = "e1", reopened: bool = False
) -> ConflictRow:
    return ConflictRow(id, kind, status, reopened, entity, "p.f", "a", "p", 1, "[]", "{}", "")


def token(id: str, *, created: str = "2026-01-01", hash: bytes | None = None) -> TokenRow:
    return TokenRow(id, hash or id.encode(), "label", "", "editor", "u1", "Alex", created, "")


def add_bundles(storage: Storage, *rows: BundleRow) -> None:
    for row in rows:
        storage.add_bundle(row, BODY + row.id.encode(), SIGNATURE)
