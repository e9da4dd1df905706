"""A seeded walk through the world of laptops: the same seed, the same walk."""

from __future__ import annotations

import random

from tests.simulation.peers_world import ENTITIES, HUB, NAMES, PeersWorld

VALUES = ("10:00", "10:15", "10:30", None)


def walk(seed: int, steps: int = 40, *, hub: bool = False, trace: list[str] | None = None) -> PeersWorld:
    """``hub``: there is one, and every other seed's laptops can be called by nobody."""
    chance = random.Random(seed + 1)
    names = NAMES[: chance.choice([2, 3, 3, 4])]
    if hub:
        names = (*names, HUB)
    world = PeersWorld(seed, names, behind=hub and chance.random() < 0.5, trace=trace)

    def name() -> str:
        return chance.choice(names)

    def entity() -> str:
        return chance.choice(ENTITIES)

    def noises() -> tuple[float, float, float, int]:
        """(lost, sent twice, out of order, delay in ms)"""
        lost, twice = chance.choice([0, 0.02, 0.1]), chance.choice([0, 0.05])
        return lost, twice, chance.choice([0, 0.05]), chance.choice([5, 40, 400])

    moves = {
        "set_field": (14, lambda: (name(), entity(), chance.choice(["start", "label"]), chance.choice(VALUES))),
        "create": (3, lambda: (name(), entity())),
        "delete": (1, lambda: (name(), entity())),
        "restore_entity": (1, lambda: (name(), entity())),
        "undo": (1, lambda: (name(),)),
        "run": (8, lambda: (chance.choice([50, 500, 3_000, 12_000, 20_000]),)),
        "cut": (3, lambda: ({one: chance.randrange(2) for one in names},)),
        "heal": (3, lambda: ()),
        "noise": (2, noises),
        "persons_say": (1, lambda: (chance.choice([0.0, 0.5, 1.0]),)),
        "crash": (2, lambda: (name(),)),
        "sleep": (2, lambda: (name(), chance.choice([3_000, 15_000, 90_000]))),
        "disk_fails": (2, lambda: (name(), chance.randrange(12), chance.choice([1, 1, 3]))),
        "jump": (1, lambda: (name(), chance.choice([-7200, -90, 90, 7200]))),
        "take_backup": (2, lambda: (name(),)),
        "restore_backup": (1, lambda: (name(), chance.random() < 0.5)),
        "leave": (1, lambda: (name(),)),
        "join": (2, lambda: (name(),)),
        **({"end": (1, lambda: (name(),))} if hub else {}),
    }  # fmt: skip
    kinds = list(moves)
    weights = [moves[kind][0] for kind in kinds]
    for _ in range(steps):
        (kind,) = chance.choices(kinds, weights)
        arguments = moves[kind][1]()
        world.say("-- ", kind, *arguments)
        if kind == "restore_backup":
            world.restore_backup(arguments[0], knows=bool(arguments[1]))
        else:
            getattr(world, kind)(*arguments)
        world.run(200)
        world.check()
    world.settle()
    world.check_settled()
    return world
