"""The maker of register histories: its updates hold the versions, origins and winners that it says they do."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from openprod.yjs.decoder import ANY, Id, decode_update
from tests.interop.node import node
from tests.seeds import fresh

pytestmark = pytest.mark.interop

HISTORIES = 150
Register = tuple[str, str]


@pytest.mark.parametrize("undo", [0, 1])
def test_registers_are_what_the_updates_hold(undo: int) -> None:
    seed = fresh("histories.registers_are_what_the_updates_hold")
    print(f"seed {seed}")
    forks = 0
    for history in node("histories.mjs", "--seed", seed, "--count", HISTORIES, "--undo", undo):
        found = versions([base64.b64decode(entry["update"]) for entry in history["log"]])
        told = {(register["root"], register["key"]): register for register in history["registers"]}
        assert found.keys() == told.keys(), history["seed"]
        for name, register in told.items():
            by_id = {
                tuple(it["id"]): (it["origin"] and tuple(it["origin"]), it["value"]) for it in register["versions"]
            }
            assert found[name] == by_id, history["seed"]
            origins = {origin for origin, _ in by_id.values()}
            leaves = sorted(id for id in by_id if id not in origins)
            assert [tuple(id) for id in register["leaves"]] == leaves
            assert {tuple(id) for id in register["vector_clock_maxima"]} <= set(leaves)
            assert tuple(register["winner"]) == winner(by_id)
            assert register["shown"] in (None, by_id[tuple(register["winner"])][1])
            forks += len(leaves) > 1
        assert len(history["final_state_of_each"]) == len(history["clients"])
    assert forks


def versions(log: list[bytes]) -> dict[Register, dict[Id, tuple[Id | None, Any]]]:
    registers: dict[Register, dict[Id, tuple[Id | None, Any]]] = {}
    where: dict[Id, Register] = {}
    for update in log:
        for client, clock, length, ref, origin, right, parent, key, content in decode_update(update).structs:
            assert (ref, length, right) == (ANY, 1, None)
            if origin is None:
                assert isinstance(parent, str)
                assert key is not None
            register = (parent, key) if origin is None else where[origin]  # type: ignore[assignment]
            where[client, clock] = register
            registers.setdefault(register, {})[client, clock] = (origin, content[0])
    return registers


def winner(by_id: dict[Any, tuple[Any, Any]]) -> Id:
    at = None
    while following := [id for id, (origin, _) in by_id.items() if origin == at]:
        at = max(following)
    assert at is not None
    return at  # type: ignore[no-any-return]
