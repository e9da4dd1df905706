"""Random lives of things that people say are one: see ``identity_world`` for what must hold."""

from __future__ import annotations

import pytest

from tests.seeds import fresh
from tests.simulation.identity_world import walk

# Each of these found something once.
FOUND = [
    (5, 60),
    (17, 60),
    (35, 70),
    (46, 70),
    (53, 70),
    (79, 70),
    (98, 70),
    (910093, 70),
    (1059761947, 30),
    (1844820358, 70),
]

EVOLVING = [1, 4, 8, 11, 12, 14, 18, 20]
"""So has each of these, where laptops also go on to other versions of a schema."""


@pytest.mark.parametrize(("seed", "steps"), FOUND)
def test_seeds_that_found_something(seed: int, steps: int) -> None:
    """INV-BOND-1, INV-BOND-2, INV-UNBIND-1, INV-IDENTITY-1."""
    walk(seed, steps)


@pytest.mark.parametrize("seed", EVOLVING)
def test_seeds_that_found_something_between_versions(seed: int) -> None:
    """INV-CONVERGE-1, INV-REPLAY-1, INV-BOND-1: what a field was called is part of what is one."""
    walk(seed, 60, evolving=True)


def test_fresh_seeds() -> None:
    base = fresh("identity_machine.fresh_seeds")
    print(f"seeds {base}…{base + 24}")
    for seed in range(base, base + 25):
        walk(seed, 70, evolving=seed % 3 == 0)
