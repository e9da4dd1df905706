"""IdSet against plain sets of ids."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from openprod.core.ranges import IdSet, Range

CLIENTS = st.integers(1, 3)
RANGES = st.tuples(CLIENTS, st.integers(0, 40), st.integers(0, 12))


def ids(ranges: list[Range]) -> set[tuple[int, int]]:
    return {(client, clock + at) for client, clock, length in ranges for at in range(length)}


def tidy(ranges: list[Range]) -> bool:
    """Sorted by client and clock, none empty, none touching."""
    return all(length > 0 for _, _, length in ranges) and all(
        left[0] < right[0] or left[1] + left[2] < right[1] for left, right in pairwise(ranges)
    )


@given(st.lists(st.tuples(st.booleans(), RANGES), max_size=40))
def test_adding_and_removing_behave_as_sets_of_ids(steps: list[tuple[bool, Range]]) -> None:
    ranges, model = IdSet(), set()
    for adding, step in steps:
        touched = ids([step])
        assert ranges.covers(*step) == (touched <= model)
        known = ranges.overlaps(*step)
        assert ids(known) == touched & model
        assert tidy(known)
        if adding:
            added = ranges.add(*step)
            assert ids(added) == touched - model
            assert tidy(added)
            model |= touched
        else:
            ranges.remove(*step)
            model -= touched
        assert ids(list(ranges)) == model
        assert tidy(list(ranges))
        assert len(ranges) == len(list(ranges))
        assert all(ranges.contains(client, clock) for client, clock in model)
        assert ranges == IdSet(reversed(list(ranges)))
        assert ranges.copy() == ranges


def test_a_copy_does_not_follow() -> None:
    ranges = IdSet([(1, 0, 3)])
    twin = ranges.copy()
    twin.add(1, 3, 1)
    assert list(ranges) == [(1, 0, 3)]
    assert ranges != twin
    assert ranges != [(1, 0, 3)]


def test_many_ranges_in_every_order() -> None:
    count = 50_000
    forward, backward, inward = IdSet(), IdSet(), IdSet()
    for at in range(count):
        forward.add(7, 2 * at, 1)
        backward.add(7, 2 * (count - 1 - at), 1)
    for at in range(0, count, 2):
        inward.add(7, 2 * at, 1)
    for at in range(1, count, 2):
        inward.add(7, 2 * at, 1)
    assert forward == backward == inward
    assert len(forward) == count
    assert forward.add(7, 0, 2 * count) == [(7, 2 * at + 1, 1) for at in range(count)]
    assert list(forward) == [(7, 0, 2 * count)]
