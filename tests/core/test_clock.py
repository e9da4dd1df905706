"""The hybrid clock: never back, whatever the wall clock does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openprod.core.clock import HybridClock, is_hlc, moment, parts

DEVICE = "0123456789abcdef"
NOW = 1_780_000_000_000


@given(st.lists(st.integers(0, 2**41), min_size=2, max_size=50))
def test_rises_with_any_wall_clock(times: list[int]) -> None:
    clock = HybridClock(DEVICE)
    ticks = [clock.tick(ms) for ms in times]
    assert ticks == sorted(set(ticks))
    assert all(map(is_hlc, ticks))
    assert all(parts(tick)[0] >= ms for tick, ms in zip(ticks, times, strict=True))


@given(st.integers(0, 2**41), st.integers(0, 2**41), st.integers(0, 2**41))
def test_goes_on_after_a_restart(before: int, after: int, seen: int) -> None:
    last = HybridClock(DEVICE).tick(before)
    clock = HybridClock(DEVICE, last=last)
    other = HybridClock("f" * 16).tick(seen)
    clock.witness(other, after)
    tick = clock.tick(after)
    assert tick > last
    assert tick > other or seen > after + 300_000


def test_one_claim_from_the_future_does_not_drag_everybody_along() -> None:
    clock = HybridClock(DEVICE)
    clock.witness(HybridClock("f" * 16).tick(NOW + 300_001), NOW)
    assert parts(clock.tick(NOW))[0] == NOW
    clock.witness(HybridClock("f" * 16).tick(NOW + 300_000), NOW)
    assert parts(clock.tick(NOW)) == (NOW + 300_000, 1)


def test_more_ticks_than_the_counter_holds() -> None:
    clock = HybridClock(DEVICE, last=f"{NOW:012x}-fffe-01234567")
    assert parts(clock.tick(NOW)) == (NOW, 0xFFFF)
    assert parts(clock.tick(NOW)) == (NOW + 1, 0)


@pytest.mark.parametrize(
    "text",
    ["", "x", "019e70448803-0000", "019e70448803-0000-0123456", "019E70448803-0000-01234567",
     "ffffffffffff-0000-01234567", "019e70448803-0000-01234567\n", "-19e70448803-0000-01234567"],
)  # fmt: skip
def test_what_is_no_timestamp(text: str) -> None:
    assert not is_hlc(text)


def test_as_people_read_it() -> None:
    assert moment(f"{NOW:012x}-0000-01234567") == "2026-05-28T20:26:40.000Z"
