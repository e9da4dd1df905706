"""The two framings that Yjs programs speak over a WebSocket. Pure: bytes in, values out.

y-websocket (y-protocols): one document per socket, a message is ``varuint type, body``.
Hocuspocus (@hocuspocus/provider 4): many documents per socket, a message is ``varstring address, varuint type, body``;
the address is the document's name, with ``"\\0" + session id`` after it when the provider is session-aware. A single
byte 9 or 10, without address, is a ping or pong of the whole socket.

Reading is bounded and strict: a length that points past the end, a number beyond 2^53 or bytes left over raise
MalformedUpdate; what is merely too large raises LimitExceeded.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import msgspec
from pycrdt import (
    YMessageType,
    YSyncMessageType,
    create_awareness_message,
    create_update_message,
    write_message,
    write_var_uint,
)

from openprod.errors import LimitExceeded, MalformedUpdate
from openprod.gateway.limits import Limits


class Kind(IntEnum):
    """What a message asks for, whichever framing it came in."""

    SYNC_STEP1 = 0
    SYNC_STEP2 = 1
    UPDATE = 2
    AWARENESS = 3
    QUERY_AWARENESS = 4
    TOKEN = 5
    CLOSE = 6
    IGNORED = 7


class MessageType(IntEnum):
    """Numbers on the wire. The first four are shared; 40 is ours, the others are Hocuspocus's."""

    SYNC = YMessageType.SYNC
    AWARENESS = YMessageType.AWARENESS
    AUTH = 2
    QUERY_AWARENESS = 3
    SYNC_REPLY = 4
    STATELESS = 5
    BROADCAST_STATELESS = 6
    CLOSE = 7
    SYNC_STATUS = 8
    PING = 9
    PONG = 10
    SAVED = 40


class AuthType(IntEnum):
    """Second number of an auth message. y-websocket's permission denied is 0, Hocuspocus's is 1."""

    TOKEN = 0
    PERMISSION_DENIED = 1
    AUTHENTICATED = 2


class AwarenessEntry(NamedTuple):
    """One client's presence: ``state`` is its JSON text, None once it left."""

    client: int
    clock: int
    state: bytes | None


PING = bytes([MessageType.PING])
PONG = bytes([MessageType.PONG])
EMPTY_AWARENESS = create_awareness_message(b"\x00")
"""An awareness message about nobody: every client accepts it and does nothing. It counts as a sign of life."""

_NUMBER_MAX = 2**53 - 1
_SYNC_KINDS = {
    int(YSyncMessageType.SYNC_STEP1): Kind.SYNC_STEP1,
    int(YSyncMessageType.SYNC_STEP2): Kind.SYNC_STEP2,
    int(YSyncMessageType.SYNC_UPDATE): Kind.UPDATE,
}
_json = msgspec.json.Decoder()


# ---- reading


def read_var_uint(data: bytes, at: int) -> tuple[int, int]:
    """(number, position after it)."""
    try:
        byte = data[at]
        if byte < 0x80:
            return byte, at + 1
        number = byte & 0x7F
        shift = 7
        while True:
            at += 1
            byte = data[at]
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
            if shift > 53:
                raise MalformedUpdate("A number in the message is too long.")
    except IndexError:
        raise MalformedUpdate("The message ends in the middle of a number.") from None
    if number > _NUMBER_MAX:
        raise MalformedUpdate("A number in the message is beyond 2^53.")
    return number, at + 1


def read_bytes(data: bytes, at: int) -> tuple[bytes, int]:
    """(length-prefixed bytes, position after them)."""
    length, at = read_var_uint(data, at)
    end = at + length
    if end > len(data):
        raise MalformedUpdate("The message is shorter than it says.")
    return data[at:end], end


def read_text(data: bytes, at: int) -> tuple[str, int]:
    """(length-prefixed UTF-8, position after it)."""
    raw, at = read_bytes(data, at)
    try:
        return raw.decode(), at
    except UnicodeDecodeError:
        raise MalformedUpdate("A text in the message isn't UTF-8.") from None


def read_message(data: bytes, at: int = 0) -> tuple[Kind, bytes]:
    """(kind, payload) of the message that starts at ``at``: the same in both framings.

    The payload is the state vector, update or awareness update; the token for TOKEN; else empty. Kinds that need
    no answer here (stateless, pongs, status, numbers nobody defined) are IGNORED.
    """
    number, at = read_var_uint(data, at)
    if number in (MessageType.SYNC, MessageType.SYNC_REPLY):
        step, at = read_var_uint(data, at)
        kind = _SYNC_KINDS.get(step)
        if kind is None:
            raise MalformedUpdate("The message is of no kind that the sync protocol knows.")
        return kind, _rest(data, at)
    if number == MessageType.AWARENESS:
        return Kind.AWARENESS, _rest(data, at)
    if number == MessageType.QUERY_AWARENESS:
        return Kind.QUERY_AWARENESS, b""
    if number == MessageType.AUTH:
        auth, at = read_var_uint(data, at)
        if auth != AuthType.TOKEN:
            return Kind.IGNORED, b""
        return Kind.TOKEN, read_bytes(data, at)[0]  # a program version may follow
    if number == MessageType.CLOSE:
        return Kind.CLOSE, b""
    return Kind.IGNORED, b""


def _rest(data: bytes, at: int) -> bytes:
    payload, end = read_bytes(data, at)
    if end != len(data):
        raise MalformedUpdate("The message is longer than it says.")
    return payload


def read_state_vector(data: bytes) -> dict[int, int]:
    """Client id → next clock."""
    count, at = read_var_uint(data, 0)
    if count > len(data):
        raise MalformedUpdate("A state vector is shorter than it says.")
    clocks: dict[int, int] = {}
    for _ in range(count):
        client, at = read_var_uint(data, at)
        clocks[client], at = read_var_uint(data, at)
    if at != len(data):
        raise MalformedUpdate("A state vector is longer than it says.")
    return clocks


def read_awareness(data: bytes, limits: Limits) -> list[AwarenessEntry]:
    """The entries of an awareness update. Each state is checked to be a JSON object or null."""
    if len(data) > limits.awareness_bytes_max:
        raise LimitExceeded(f"Presence is larger than {limits.awareness_bytes_max // 1024} KiB.")
    count, at = read_var_uint(data, 0)
    if count > limits.awareness_states_max:
        raise LimitExceeded(f"Presence names more than {limits.awareness_states_max} programs.")
    entries = []
    for _ in range(count):
        client, at = read_var_uint(data, at)
        clock, at = read_var_uint(data, at)
        raw, at = read_bytes(data, at)
        if len(raw) > limits.awareness_state_bytes_max:
            raise LimitExceeded(f"One presence is larger than {limits.awareness_state_bytes_max // 1024} KiB.")
        entries.append(AwarenessEntry(client, clock, None if raw == b"null" else raw))
    if at != len(data):
        raise MalformedUpdate("A presence message is longer than it says.")
    return entries


def read_json_object(raw: bytes) -> dict[str, object]:
    """A presence state. Raises MalformedUpdate when it isn't a JSON object."""
    try:
        value = _json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise MalformedUpdate("A presence isn't JSON.") from None
    if not isinstance(value, dict):
        raise MalformedUpdate("A presence isn't a JSON object.")
    return value


def split_address(address: str) -> str:
    """The document's name in a Hocuspocus address."""
    return address.partition("\0")[0]


# ---- writing: bodies are the same in both framings, Hocuspocus puts ``address_prefix`` before them

update_message = create_update_message
awareness_message = create_awareness_message


def sync_step1(state_vector: bytes) -> bytes:
    return bytes([YMessageType.SYNC, YSyncMessageType.SYNC_STEP1]) + write_message(state_vector)


def sync_step2(update: bytes) -> bytes:
    return bytes([YMessageType.SYNC, YSyncMessageType.SYNC_STEP2]) + write_message(update)


def text(value: str) -> bytes:
    """Length-prefixed UTF-8 (pycrdt's Encoder counts characters, which breaks names with accents)."""
    raw = value.encode()
    return write_var_uint(len(raw)) + raw


def address_prefix(address: str) -> bytes:
    return text(address)


def awareness_update(entries: list[AwarenessEntry]) -> bytes:
    parts = [write_var_uint(len(entries))]
    for client, clock, state in entries:
        raw = b"null" if state is None else state
        parts += (write_var_uint(client), write_var_uint(clock), write_var_uint(len(raw)), raw)
    return b"".join(parts)


def permission_denied(reason: str, *, hocuspocus: bool) -> bytes:
    kind = AuthType.PERMISSION_DENIED if hocuspocus else 0
    return bytes([MessageType.AUTH, kind]) + text(reason)


def authenticated(*, viewer: bool) -> bytes:
    return bytes([MessageType.AUTH, AuthType.AUTHENTICATED]) + text("readonly" if viewer else "read-write")


def saved(count: int) -> bytes:
    """Ours: ``count`` updates of this connection are durable so far."""
    return bytes([MessageType.SAVED]) + write_var_uint(count)


def sync_status(*, applied: bool) -> bytes:
    return bytes([MessageType.SYNC_STATUS, int(applied)])


def close_message(reason: str) -> bytes:
    return bytes([MessageType.CLOSE]) + text(reason)
