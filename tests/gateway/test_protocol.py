"""The two framings: what is read is what was written, and hostile bytes are refused."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from openprod.errors import InputError, LimitExceeded, MalformedUpdate
from openprod.gateway import protocol
from openprod.gateway.limits import Limits
from openprod.gateway.protocol import AwarenessEntry, Kind

LIMITS = Limits()


@given(st.binary(max_size=64))
@example(b"\x00\x02\xff\xff\xff\xff\xff\xff\xff\x7f")
@example(b"\x80" * 60)
@example(b"\x02\x00\x05")
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for read in (
        protocol.read_message,
        protocol.read_state_vector,
        lambda data: protocol.read_awareness(data, LIMITS),
        lambda data: protocol.read_text(data, 0),
        protocol.read_json_object,
    ):
        with contextlib.suppress(InputError):
            read(data)


@given(st.integers(0, 2**53 - 1))
def test_numbers_survive(number: int) -> None:
    data = protocol.text("x" * 3) + bytes(protocol.saved(number)[1:])
    word, at = protocol.read_text(data, 0)
    assert (word, protocol.read_var_uint(data, at)) == ("xxx", (number, len(data)))


@pytest.mark.parametrize("data", [b"\xff" * 7 + b"\x7f", b"\xff" * 8 + b"\x01"])
def test_numbers_beyond_2_to_the_53_are_refused(data: bytes) -> None:
    with pytest.raises(MalformedUpdate):
        protocol.read_var_uint(data, 0)


@given(st.binary(max_size=300))
def test_sync_messages_survive_in_both_framings(payload: bytes) -> None:
    prefix = protocol.address_prefix("cues\0session é")
    for write, kind in (
        (protocol.sync_step1, Kind.SYNC_STEP1),
        (protocol.sync_step2, Kind.SYNC_STEP2),
        (protocol.update_message, Kind.UPDATE),
        (protocol.awareness_message, Kind.AWARENESS),
    ):
        body = write(payload)
        assert protocol.read_message(body) == (kind, payload)
        address, at = protocol.read_text(prefix + body, 0)
        assert protocol.split_address(address) == "cues"
        assert protocol.read_message(prefix + body, at) == (kind, payload)
        for cut in range(len(body)):
            with pytest.raises(MalformedUpdate):
                protocol.read_message(body[:cut])


@given(
    st.lists(
        st.builds(
            AwarenessEntry, st.integers(0, 2**53 - 1), st.integers(0, 2**32), st.none() | st.just(b'{"a":"\xc3\xa9"}')
        )
    )
)
def test_presence_survives(entries: list[AwarenessEntry]) -> None:
    assert protocol.read_awareness(protocol.awareness_update(entries), LIMITS) == entries


def test_presence_is_bounded() -> None:
    many = protocol.awareness_update([AwarenessEntry(at, 1, b"{}") for at in range(LIMITS.awareness_states_max + 1)])
    large = protocol.awareness_update([AwarenessEntry(1, 1, b"x" * (LIMITS.awareness_state_bytes_max + 1))])
    for update in (many, large, b"\x00" * (LIMITS.awareness_bytes_max + 1)):
        with pytest.raises(LimitExceeded):
            protocol.read_awareness(update, LIMITS)


@pytest.mark.parametrize("raw", [b"[" * 100_000, b'{"a":' * 100_000, b"1", b"", b'{"a":NaN}', b"\xff"])
def test_a_state_that_is_no_json_object_is_refused(raw: bytes) -> None:
    with pytest.raises(MalformedUpdate):
        protocol.read_json_object(raw)


def test_a_token_message_may_carry_the_programs_version() -> None:
    message = b"\x02\x00" + protocol.text("secret") + protocol.text("4.8.0")
    assert protocol.read_message(message) == (Kind.TOKEN, b"secret")
