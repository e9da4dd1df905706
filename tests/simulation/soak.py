"""Walks through the world, one seed after another, for as long as one likes: `make soak ARGS="--seconds 3600"`.

Prints each seed that fails, and ends with status 1 if any did. A failing seed belongs into the tests for good.
"""

from __future__ import annotations

import argparse
import secrets
import sys
import time
import traceback

from tests.simulation import peers_walk
from tests.simulation.long_run import walk


def one(seed: int, steps: int) -> None:
    """A walk on one desk and, as that costs a tenth, ten on the network."""
    walk(seed, steps, edges=bool(seed % 2), texts=bool(seed % 3), prose=seed % 4 == 0)
    for other in range(10 * seed, 10 * seed + 10):
        try:
            peers_walk.walk(other, max(40, steps // 4), hub=bool(other % 2))
        except Exception as error:
            raise AssertionError(f"peers, seed {other}, {max(40, steps // 4)} steps") from error


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--first", type=int, default=secrets.randbelow(10**9), help="the first seed")
    asked = parser.parse_args()
    end = time.monotonic() + asked.seconds
    seed, failed = asked.first, []
    while time.monotonic() < end:
        try:
            one(seed, asked.steps)
        except Exception:
            failed.append(seed)
            print(f"seed {seed}, {asked.steps} steps:\n{traceback.format_exc()}", flush=True)
        seed += 1
    print(f"{seed - asked.first} walks from seed {asked.first}, {len(failed)} failed: {failed}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
