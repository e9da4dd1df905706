"""How fast updates are decoded and gated: tiny ones, as typing makes them, and a whole document at once.

    python -m benchmarks.decode

Two floors run beside it, so that figures of different machines compare: a loop that does no more than look at every
byte (``floor``, in Python), and pycrdt applying the same updates (``apply``, in Rust).
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from typing import Any

from pycrdt import Doc, Map

from openprod.yjs.decoder import decode_update
from openprod.yjs.gate import Gate

TINY = 20_000
BULK = 300_000
REGISTERS = 2_000
ROUNDS = 5
# Ids of one byte, of five (those that yjs draws) and of eight (the largest there are).
CLIENTS = {"client_7_bits": 7, "client_32_bits": 3_243_353_099, "client_53_bits": 9_007_199_254_740_464}


def run() -> dict[str, Any]:
    """Rates per second, medians of interleaved rounds, and ratios to the floors of the same run."""
    tiny = {}
    for name, client in CLIENTS.items():
        updates, _ = history(client, TINY)
        tiny[name] = rates(
            len(updates),
            {
                "floor": lambda updates=updates: each(look, updates),  # type: ignore[misc]
                "apply": lambda updates=updates: each(Doc[Any](skip_gc=True).apply_update, updates),  # type: ignore[misc]
                "decode": lambda updates=updates: each(decode_update, updates),  # type: ignore[misc]
                "decode_and_gate": lambda updates=updates: gate(updates),  # type: ignore[misc]
            },
        ) | {"update_bytes": len(updates[-1])}
    _, state = history(CLIENTS["client_32_bits"], BULK)
    bulk = rates(
        len(decode_update(state).structs),
        {
            "floor": lambda: look(state),
            "apply": lambda: Doc[Any](skip_gc=True).apply_update(state),
            "decode": lambda: decode_update(state),
            "gate_from_state": lambda: Gate.from_state(state),
        },
    )
    return {"tiny_updates_per_s": tiny, "bulk_structs_per_s": bulk | {"state_bytes": len(state)}}


def history(client: int, count: int) -> tuple[list[bytes], bytes]:
    """Every update of one client that sets registers over and over, and the whole state."""
    doc: Doc[Any] = Doc(client_id=client, skip_gc=True)
    updates: list[bytes] = []
    doc.observe(lambda event: updates.append(event.update))
    registers = doc.get("plugin.facet", type=Map)
    for number in range(count):
        registers[f"entity_{number % REGISTERS}/field"] = f"v{number}"
    return updates, doc.get_update()


def look(data: bytes) -> int:
    """What any reader in Python must do at the least: fetch each byte and test it."""
    long = 0
    for byte in data:
        if byte > 127:
            long += 1
    return long


def each(do: Callable[[bytes], object], updates: list[bytes]) -> None:
    for update in updates:
        do(update)


def gate(updates: list[bytes]) -> None:
    at = Gate()
    for update in updates:
        at.admit(update, decode_update(update))


def rates(count: int, ways: dict[str, Callable[[], object]]) -> dict[str, Any]:
    """``count`` per second of every way, and its ratio to each floor (above 1: faster than the floor)."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - start)
    rate = {name: count / statistics.median(taken) for name, taken in seconds.items()}
    return {
        name: {
            "rate": round(value),
            "ratio_to_floor": round(value / rate["floor"], 3),
            "ratio_to_apply": round(value / rate["apply"], 3),
        }
        for name, value in rate.items()
    }


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
