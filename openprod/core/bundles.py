"""Bundles: operations committed as one, by one author, at one time, and the chain that makes a log of them.

A bundle's bytes are its msgpack body, made once by its author and never encoded again: its id is their SHA-256, its
signature is the device's Ed25519 over them, and ``previous`` is the hash of the log's bundle before it.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
from nacl.bindings import crypto_sign, crypto_sign_BYTES, crypto_sign_open
from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey

from openprod.core import clock, ids
from openprod.errors import Untrusted

BODY_BYTES_MAX = 64 * 1024 * 1024
FORMAT = 1
_SEQ_MAX = 2**53
MEMBERSHIP_MAX = 64
NATIVE_INTENTS = frozenset({"edit", "import", "resolve", "undo", "redo", "adopt", "migrate"})
"""Intents of bundles that this engine wrote itself, seeing everything its replica held ("native log")."""


class Actor(msgspec.Struct, frozen=True, array_like=True):
    """Who did it: stable user id, shown name, the device's name, and the label of the token it came through, if any."""

    user: str
    name: str
    device: str
    via: str = ""


class DocumentUpdate(msgspec.Struct, frozen=True, array_like=True):
    """One Yjs v1 update. ``live``: sent as it was made, rather than as part of a whole state.

    ``seen`` is the author's encoded state vector when that matters (text edits, whole states), else empty.
    """

    document: str
    update: bytes
    live: bool = True
    seen: bytes = b""


class Bundle(msgspec.Struct, frozen=True, array_like=True):
    format: int
    workspace: str
    log: str
    seq: int
    previous: bytes
    deps: dict[str, int]
    hlc: str
    key: bytes
    actor: Actor
    intent: str
    message: str
    undoes: str
    operations: list[dict[str, Any]]
    updates: list[DocumentUpdate]
    membership: list[bytes] = []
    """Heads of the membership records that its author had seen; bundles from before there were any have none."""

    @property
    def native(self) -> bool:
        return self.intent in NATIVE_INTENTS


class SignedBundle(msgspec.Struct, frozen=True, array_like=True):
    """What is stored and sent."""

    body: bytes
    signature: bytes


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Bundle)


def signer(key: SigningKey) -> bytes:
    """The key in the form that ``sign`` takes: 64 bytes, to be kept as secret as the key."""
    return bytes(key) + bytes(key.verify_key)


def signature_of(body: bytes, secret: bytes) -> bytes:
    """64 bytes. ``secret`` as ``signer`` gives it."""
    return crypto_sign(body, secret)[:crypto_sign_BYTES]


def sign(bundle: Bundle, secret: bytes) -> tuple[SignedBundle, bytes]:
    """(what is stored, its hash)."""
    body = _encoder.encode(bundle)
    # libsodium itself: the object around it costs as much again, at every commit.
    signature = crypto_sign(body, secret)[:crypto_sign_BYTES]
    return SignedBundle(body, signature), hashlib.sha256(body).digest()


def bundle_id(body_hash: bytes) -> str:
    return body_hash.hex()[:32]


def read(body: bytes) -> Bundle:
    """Decode a body. Raises Untrusted when it isn't one."""
    if len(body) > BODY_BYTES_MAX:
        raise Untrusted("A bundle is larger than any this program writes.")
    try:
        return _decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Untrusted("A bundle can't be read.", hint="The file may be damaged.") from error


def verify(signed: SignedBundle, *, workspace: str) -> Bundle:
    """The bundle, when its signature holds and its log belongs to its key. Raises Untrusted."""
    bundle = inspect(signed, workspace=workspace)
    if not _holds(signed, bundle.key):
        raise Untrusted("A bundle's signature doesn't hold: it was altered on the way.")
    return bundle


def inspect(signed: SignedBundle, *, workspace: str) -> Bundle:
    """As ``verify``, of one whose signature has been verified. Raises Untrusted."""
    bundle = read(signed.body)
    if bundle.workspace != workspace:
        raise Untrusted(
            "This comes from another production.",
            hint="Merge only files packed from a copy of the same workspace.",
        )
    if bundle.format != FORMAT:
        raise Untrusted("A bundle was written by a newer version of the program.", hint="Update this one.")
    if not 0 < bundle.seq <= _SEQ_MAX or not all(0 < seq <= _SEQ_MAX for seq in bundle.deps.values()):
        raise Untrusted("A bundle's place in its log isn't one.")
    if not clock.is_hlc(bundle.hlc):
        raise Untrusted("A bundle's time isn't one.")
    if len(bundle.membership) > MEMBERSHIP_MAX or not all(len(head) == 32 for head in bundle.membership):
        raise Untrusted("A bundle names membership records that can't be.")
    if len(bundle.key) != 32 or not bundle.log.startswith(ids.device_id(bundle.key) + "-"):
        raise Untrusted("A bundle names a device whose key it doesn't carry.")
    if not ids.is_log(bundle.log):
        # Whoever kept it would tell others of a log by a name that they don't take, and be let go by all of them.
        raise Untrusted("A bundle's log has a name that no log has.")
    return bundle


def _holds(signed: SignedBundle, key: bytes) -> bool:
    if len(signed.signature) != crypto_sign_BYTES:
        return False
    try:
        crypto_sign_open(signed.signature + signed.body, key)  # as in ``sign``: without the object around it
    except BadSignatureError:
        return False
    return True
