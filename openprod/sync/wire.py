"""Frames: one CBOR array each (RFC 8949), at most 256 KiB, bounded before and while they are decoded.

What a frame may hold: definite lengths, text and byte strings as map keys, no tags, six levels. Everything else, and
whatever doesn't fit the message's type, is one error: ``MalformedFrame``.

A message is an array whose first element is the number of its kind. Fields are only ever added at the end, with a
default: a program that doesn't know them leaves them unread. A frame of an unknown kind is ``None``: a newer program
may say what an older one needn't understand; how often is the connection's business.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any, Final, Union

import cbor2
import msgspec

from openprod.errors import MalformedFrame

FRAME_BYTES_MAX: Final = 256 * 1024
DEPTH_MAX: Final = 6


class _NoTags(dict[int, Callable[..., Any]]):
    """Every semantic tag is refused: they make dates, patterns, big numbers and cycles of plain bytes."""

    def __missing__(self, tag: int) -> Callable[..., Any]:
        raise ValueError(f"tag {tag}")


_NO_TAGS = _NoTags()


class Codec:
    """Encodes and decodes the messages of one or more protocol versions: msgspec structs with numbers for tags."""

    def __init__(self, types: Sequence[type[msgspec.Struct]]) -> None:
        self._union: Any = Union[tuple(types)]  # noqa: UP007 - made of a sequence
        self._known = {kind.__struct_config__.tag for kind in types}

    def encode(self, message: msgspec.Struct) -> bytes:
        """Raises ValueError for a message that is larger than a frame may be: its maker's fault."""
        frame: bytes = cbor2.dumps(msgspec.to_builtins(message, builtin_types=(bytes,)))
        if len(frame) > FRAME_BYTES_MAX:
            raise ValueError(f"a frame of {len(frame)} bytes")
        return frame

    def decode(self, frame: bytes) -> Any:
        """A message; None when its kind isn't known here. Raises MalformedFrame."""
        if len(frame) > FRAME_BYTES_MAX:
            raise MalformedFrame("A message is larger than any this program sends.")
        stream = io.BytesIO(frame)
        try:
            plain = cbor2.CBORDecoder(
                stream, max_depth=DEPTH_MAX, allow_indefinite=False, allow_duplicate_keys=False,
                strict_hashable_types=True, semantic_decoders=_NO_TAGS,
            ).decode()  # fmt: skip
            if stream.tell() != len(frame) or not isinstance(plain, list) or not plain or type(plain[0]) is not int:
                raise MalformedFrame("A message isn't one of ours.")
            if plain[0] not in self._known:
                return None
            return msgspec.convert(plain, self._union, builtin_types=(bytes,))
        except (cbor2.CBORError, msgspec.MsgspecError, ValueError, OverflowError, RecursionError) as error:
            raise MalformedFrame(
                "A message can't be read.", hint="The other device may run a damaged or quite different program."
            ) from error
