"""Identifiers: what each looks like and how it is made. Randomness and time are passed in.

============  =====================================================================
entity        ``<kind>_<ULID>`` for new ones; derived by importers from the row's key
device        16 hex digits: SHA-256 of the device's Ed25519 public key
log           ``<device>-<epoch>``: 8 random hex digits, new after a restored backup
bundle        32 hex digits: SHA-256 of the bundle's bytes
conflict      ``c_`` + 26 characters: hash of the workspace and what disagrees
version       ``<document>:<client>:<clock>``; ``…:cleared`` for a removal without a new value
============  =====================================================================
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from typing import Final, TypeAlias

from ulid import ULID

from openprod.errors import InputError

VersionKey: TypeAlias = "tuple[int, int] | tuple[int, int, int]"
"""(client, clock) of a version within one document; a third element 1 names its removal."""

RandomBytes: TypeAlias = Callable[[int], bytes]
_LOG: Final = re.compile(r"[0-9a-f]{16}-[0-9a-f]{8}")


def new_entity(kind: str, *, time_ms: int, random_bytes: RandomBytes) -> str:
    """``<kind>_<ULID>`` from a time in milliseconds since 1970 and ten random bytes."""
    return f"{kind}_{ulid(time_ms=time_ms, random_bytes=random_bytes)}"


def ulid(*, time_ms: int, random_bytes: RandomBytes) -> str:
    return str(ULID(time_ms.to_bytes(6, "big") + random_bytes(10)))


def digest(*parts: str) -> str:
    """26 lowercase base-32 characters (130 bits) of SHA-256 over the parts, each ended by a zero byte."""
    hashed = hashlib.sha256("".join(f"{part}\0" for part in parts).encode("utf-8", "surrogatepass")).digest()
    return base64.b32encode(hashed)[:26].decode().lower()


def conflict_id(workspace: str, *parts: str) -> str:
    """The same on all replicas and for all of the conflict's life (CRDT.md §3)."""
    return "c_" + digest(workspace, *parts)


def device_id(public_key: bytes) -> str:
    return hashlib.sha256(public_key).hexdigest()[:16]


def is_log(name: str) -> bool:
    """Whether a bundle's author may call its log so; a branch that a replica keeps has another name."""
    return _LOG.fullmatch(name) is not None


def version_text(document: str, key: VersionKey) -> str:
    text = f"{document}:{key[0]}:{key[1]}"
    return text + ":cleared" if len(key) == 3 else text


def parse_version(text: str) -> tuple[str, VersionKey]:
    """Inverse of ``version_text``. Raises InputError on anything else."""
    parts = text.split(":")
    try:
        if len(parts) == 4 and parts[3] == "cleared":
            return parts[0], (int(parts[1]), int(parts[2]), 1)
        if len(parts) == 3:
            return parts[0], (int(parts[1]), int(parts[2]))
    except ValueError:
        pass
    raise InputError(
        f"“{text[:80]}” doesn't name a version.",
        hint="A version looks like DOCUMENT:1234567:89; `openprod conflicts` lists them.",
    )
