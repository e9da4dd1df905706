"""A message's WebSocket frame, made once and written to every socket that can take it at once.

ASGI frames each message anew for each connection, in a task of that connection: for an edit that goes to fifty readers
that is most of the node's work. A server that allows it puts ``EXTENSION`` into the scope's extensions: a function that
writes whole frames in the order of what was sent through ASGI.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import TypeAlias

EXTENSION = "openprod.frames"

WriteFrames: TypeAlias = Callable[[bytes], bool]
"""Writes them now; False, and nothing is written, when the socket isn't open or has more waiting than it should."""

_BINARY = 0x82  # one final frame, RFC 6455 section 5.2


def frame(payload: bytes) -> bytes:
    """The unmasked binary frame that a server sends."""
    length = len(payload)
    if length < 126:
        return bytes((_BINARY, length)) + payload
    if length < 1 << 16:
        return struct.pack("!BBH", _BINARY, 126, length) + payload
    return struct.pack("!BBQ", _BINARY, 127, length) + payload
