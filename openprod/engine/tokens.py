"""Access tokens for web pages and other programs: random, scoped, kept only as hashes, revocable."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import UTC, datetime
from typing import Literal, NamedTuple

from openprod.errors import InputError, NotFound
from openprod.storage.ports import TokenRow

Role = Literal["viewer", "editor", "owner"]
ROLES = ("viewer", "editor", "owner")


class Grant(NamedTuple):
    """What a token allows. ``document`` "": all of them. ``user`` "": whoever runs the node."""

    id: str
    label: str
    document: str
    role: str
    user: str
    name: str
    expires: str

    def allows(self, document: str) -> bool:
        return not self.document or self.document == document

    @property
    def may_edit(self) -> bool:
        return self.role in ("editor", "owner")

    def to_json(self) -> dict[str, str | None]:
        return {
            "id": self.id, "label": self.label, "document": self.document or None, "role": self.role,
            "user": self.user, "name": self.name, "expires": self.expires or None,
        }  # fmt: skip


def token_hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def create(*, label: str, document: str, role: str, user: str, name: str, expires: str) -> tuple[str, TokenRow]:
    """(the token, shown once; its row). Raises InputError."""
    if role not in ROLES:
        raise InputError(f"There is no role “{role}”.", hint="Roles: viewer, editor, owner.")
    if expires:
        try:
            until = datetime.fromisoformat(expires)
        except ValueError:
            raise InputError(f"“{expires}” isn't a date and time.", hint="Such as 2026-12-24T18:00:00+00:00.") from None
        expires = (until if until.tzinfo else until.astimezone()).astimezone(UTC).isoformat()
    token = secrets.token_urlsafe(32)
    created = datetime.now(UTC).isoformat(timespec="seconds")
    return token, TokenRow(
        f"t_{secrets.token_hex(6)}", token_hash(token), label, document, role, user, name, created, expires
    )


class Tokens:
    """The grants in memory, by hash."""

    def __init__(self, rows: list[TokenRow]) -> None:
        self._rows: dict[bytes, TokenRow] = {row.hash: row for row in rows}

    def add(self, row: TokenRow) -> None:
        self._rows[row.hash] = row

    def remove(self, id: str) -> TokenRow:
        for key, row in self._rows.items():
            if row.id == id:
                return self._rows.pop(key)
        raise NotFound(f"There is no token {id}.", hint="`openprod token list` shows them.")

    def check(self, token: str) -> Grant | None:
        """The grant of a token that holds now, else None."""
        presented = token_hash(token)
        row = self._rows.get(presented)
        if row is None or not hmac.compare_digest(row.hash, presented):
            return None
        if row.expires and datetime.fromisoformat(row.expires) <= datetime.now(UTC):
            return None
        return grant(row)

    def all(self) -> list[Grant]:
        return [grant(row) for row in sorted(self._rows.values(), key=lambda row: (row.created, row.id))]


def grant(row: TokenRow) -> Grant:
    return Grant(row.id, row.label, row.document, row.role, row.user, row.name, row.expires)
