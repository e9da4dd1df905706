"""Updates made by hand, byte by byte, and damaged at random."""

from __future__ import annotations

import random


def varuint(number: int) -> bytes:
    encoded = b""
    while number >= 128:
        encoded += bytes([number & 127 | 128])
        number >>= 7
    return encoded + bytes([number])


def text(value: str | bytes) -> bytes:
    encoded = value.encode() if isinstance(value, str) else value
    return varuint(len(encoded)) + encoded


def update(client: int, clock: int, *structs: bytes, deletes: bytes = b"\0") -> bytes:
    return sections((client, clock, structs), deletes=deletes)


def sections(*parts: tuple[int, int, tuple[bytes, ...]], deletes: bytes = b"\0") -> bytes:
    encoded = varuint(len(parts))
    for client, clock, structs in parts:
        encoded += varuint(len(structs)) + varuint(client) + varuint(clock) + b"".join(structs)
    return encoded + deletes


def deleting(client: int, *ranges: tuple[int, int]) -> bytes:
    pairs = b"".join(varuint(clock) + varuint(length) for clock, length in ranges)
    return varuint(1) + varuint(client) + varuint(len(ranges)) + pairs


def root(ref: int, content: bytes, *, name: str = "a", key: str | None = None) -> bytes:
    """A struct at the start of a root, or under a key of it."""
    if key is None:
        return bytes([ref, 1]) + text(name) + content
    return bytes([ref | 0x20, 1]) + text(name) + text(key) + content


def after(ref: int, client: int, clock: int, content: bytes) -> bytes:
    """A struct whose origin is (client, clock)."""
    return bytes([ref | 0x80]) + varuint(client) + varuint(clock) + content


def inside(ref: int, client: int, clock: int, content: bytes) -> bytes:
    """A struct whose parent is the type (client, clock)."""
    return bytes([ref, 0]) + varuint(client) + varuint(clock) + content


def string(value: str) -> bytes:
    """A string at the start of root ``t``."""
    return root(4, text(value), name="t")


def damaged(data: bytes, chance: random.Random) -> bytes:
    """One to four bytes or stretches changed, cut, repeated or put in."""
    changed = bytearray(data)
    for _ in range(chance.choice([1, 1, 2, 4])):
        if not changed:
            return b""
        at = chance.randrange(len(changed))
        match chance.randrange(6):
            case 0:
                changed[at] = chance.randrange(256)
            case 1:
                changed[at] ^= 1 << chance.randrange(8)
            case 2:
                del changed[at:]
            case 3:
                del changed[at : at + chance.randrange(1, 4)]
            case 4:
                changed[at:at] = bytes(chance.choices([0, 1, 127, 128, 255, 7, 10], k=chance.randrange(1, 5)))
            case _:
                start = chance.randrange(len(changed))
                changed[at:at] = changed[start : start + chance.randrange(1, 12)]
    return bytes(changed)
