"""Bundles name the membership records that their author had seen; those from before that still hold."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from nacl.signing import SigningKey

from openprod.core.bundles import Actor, Bundle, SignedBundle, read, sign, signer, verify
from openprod.core.ids import device_id
from openprod.errors import Untrusted

KEY = SigningKey(b"k" * 32)
PUBLIC = bytes(KEY.verify_key)


def body(*more: Any) -> tuple[Any, ...]:
    return (
        1, "ws_test", f"{device_id(PUBLIC)}-00000000", 1, b"", {}, "019e6f6f0400-0000-00000000", PUBLIC,
        Actor("user_alex", "Alex", "laptop"), "edit", "", "", [], [], *more,
    )  # fmt: skip


def signed(*more: Any) -> SignedBundle:
    encoded = msgspec.msgpack.encode(body(*more))
    return SignedBundle(encoded, KEY.sign(encoded).signature)


def test_bundles_from_before_have_no_heads_and_hold() -> None:
    assert verify(signed(), workspace="ws_test").membership == []


def test_heads_are_part_of_what_is_signed() -> None:
    made, _hash = sign(Bundle(*body([b"m" * 32])), signer(KEY))
    assert verify(made, workspace="ws_test").membership == [b"m" * 32]
    altered = SignedBundle(made.body.replace(b"m" * 32, b"n" * 32), made.signature)
    with pytest.raises(Untrusted):
        verify(altered, workspace="ws_test")


def test_what_a_later_version_adds_is_left_unread() -> None:
    assert read(signed([], "later").body).membership == []


@pytest.mark.parametrize("heads", [[b"short"], [b"m" * 32] * 65])
def test_heads_that_cant_be(heads: list[bytes]) -> None:
    with pytest.raises(Untrusted):
        verify(signed(heads), workspace="ws_test")
