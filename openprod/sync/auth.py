"""Who is at the other end: Ed25519 over everything that was said so far.

The transcript is both HELLO frames as they went over the wire (so: both nonces, both keys, the versions offered, the
workspace, the gathering) and the hash of the certificate that the caller pinned. Each side signs it under its own part
in the conversation, so that a signature can't be sent back to its maker, nor shown to anybody else, nor again later.

A device that isn't a member yet adds a proof that it holds the pairing secret: an HMAC of the same transcript.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final, Literal

from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from openprod.sync.messages import NAMED, Auth

Side = Literal["caller", "called"]

_CONTEXT: Final = b"openprod peer 1\0"


def transcript(caller_hello: bytes, called_hello: bytes, certificate: bytes) -> bytes:
    """32 bytes. ``certificate``: SHA-256 of the called side's certificate, as the caller pinned it, or "" without."""
    parts = (hashlib.sha256(part).digest() for part in (caller_hello, called_hello, certificate))
    return hashlib.sha256(_CONTEXT + b"".join(parts)).digest()


def signed_part(transcript: bytes, side: Side, extra: bytes) -> bytes:
    """What ``side`` signs. ``extra``: the ``rest`` of its AUTH, so that nobody on the way changes it."""
    return _CONTEXT + side.encode() + b"\0" + transcript + hashlib.sha256(extra).digest()


def rest(said: Auth, version: int) -> bytes:
    """What of an AUTH is signed beside the transcript. ``version``: of the protocol that both speak."""
    part = said.proof + (b"\1" if said.resume else b"\0") + said.name.encode("utf-8", "surrogatepass")
    if version < NAMED:
        return part
    device_name = said.device_name.encode("utf-8", "surrogatepass")
    return part + device_name + len(device_name).to_bytes(2, "big")


def holds(key: bytes, signature: bytes, part: bytes) -> bool:
    try:
        VerifyKey(key).verify(part, signature)
    except (BadSignatureError, ValueError):
        return False
    return True


def invitation(secret: bytes) -> bytes:
    """16 bytes that name a pairing secret, and from which it can't be had."""
    return hashlib.sha256(_CONTEXT + b"invitation\0" + secret).digest()[:16]


def proof(secret: bytes, transcript: bytes, side: Side) -> bytes:
    return hmac.new(secret, _CONTEXT + b"pairing " + side.encode() + b"\0" + transcript, hashlib.sha256).digest()


def proves(secret: bytes, transcript: bytes, side: Side, claimed: bytes) -> bool:
    return hmac.compare_digest(proof(secret, transcript, side), claimed)
