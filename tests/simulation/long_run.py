"""A seeded walk through the world: the same moves as the state machine's, chosen by one seed."""

from __future__ import annotations

import random

from openprod.yjs import layout
from tests.simulation.texts import check as texts_check
from tests.simulation.world import EDGES, ENTITIES, FIELDS, OUTSIDERS, REPLICAS, VALUES, World

RELATING = ("relate", "unrelate", "place_near", "weigh", "part", "outside_relate")
TEXTS = ("slow fade", "slow\nfade", "slow fade\nthen out", "", "then out")


PROSE = ("é", "yz", "😀", "\n", "neue Zeile\n", "", "ß\nü", "x")


PROSE_MOVES = (
    "set_field", "delete", "restore_entity", "undo", "redo", "resolve", "reopen", "write_text", "crash", "stop",
    "disk_fails", "take_backup", "restore_backup", "jump", "pull", "dial", "hang_up", "answer", "send", "read",
    "outside_set", "reload",
)  # fmt: skip


def walk(
    seed: int, steps: int, *, texts: bool = False, edges: bool = False, prose: bool = False,
    trace: list[str] | None = None,
) -> World:  # fmt: skip
    """``prose``: little else than texts, in more than ASCII."""
    world = World(seed)
    chance = random.Random(seed + 1)

    def entity() -> str:
        return chance.choice(ENTITIES)

    def place() -> tuple[str, str]:
        facet = chance.choice(["cues.cue", "cues.cue", "cues.note"])
        return facet, chance.choice(FIELDS[facet])

    def value() -> object:
        return chance.choice(VALUES)

    def edge() -> tuple[str, str, dict[str, object]]:
        """Whole ones and scraps: known ids and others, to entities that are there, were, or never will be."""
        name = chance.choice(EDGES)
        id = chance.choice([*ENTITIES, "edge_x", layout.pair_edge_id(*ENTITIES)])
        keys: dict[str, object] = {
            "": chance.choice([True, True, True, None]),
            "from": chance.choice([*ENTITIES, *ENTITIES, None, "cue_never"]),
            "to": chance.choice([*ENTITIES, *ENTITIES, None, "cue_never", 7]),
            "weight": chance.choice([1, 2, None, "heavy"]),
        }
        fields = chance.choice([["", "from", "to"], ["", "from", "to"], ["to"], [""], ["weight"], ["from", "to"]])
        return name, id, {field: keys[field] for field in fields}

    moves = {
        "set_field": (10, lambda: (chance.choice(REPLICAS), entity(), *place(), value())),
        "create": (2, lambda: (chance.choice(REPLICAS), entity())),
        "delete": (3, lambda: (chance.choice(REPLICAS), entity())),
        "restore_entity": (3, lambda: (chance.choice(REPLICAS), entity())),
        "attach": (2, lambda: (chance.choice(REPLICAS), entity())),
        "detach": (1, lambda: (chance.choice(REPLICAS), entity(), chance.choice(list(FIELDS)))),
        "undo": (4, lambda: (chance.choice(REPLICAS),)),
        "redo": (3, lambda: (chance.choice(REPLICAS),)),
        "resolve": (8, lambda: (chance.choice(REPLICAS), chance.randrange(9), chance.randrange(-1, 4), "12:00")),
        "revise": (2, lambda: (chance.choice(REPLICAS), chance.randrange(9), chance.choice(["12:15", "12:30"]))),
        "reopen": (2, lambda: (chance.choice(REPLICAS), chance.randrange(9))),
        "relate": (2, lambda: (chance.choice(REPLICAS), *chance.sample(ENTITIES, 2))),
        "unrelate": (1, lambda: (chance.choice(REPLICAS), entity())),
        "place_near": (2, lambda: (chance.choice(REPLICAS), *chance.sample(ENTITIES, 2), chance.randrange(3))),
        "weigh": (2, lambda: (chance.choice(REPLICAS), *chance.sample(ENTITIES, 2), chance.randrange(3))),
        "part": (1, lambda: (chance.choice(REPLICAS), *chance.sample(ENTITIES, 2))),
        "outside_relate": (4, lambda: (chance.choice(OUTSIDERS), *edge())),
        "write_text": (3, lambda: (chance.choice(REPLICAS), entity(), chance.choice(TEXTS))),
        "outside_type": (
            5,
            lambda: (
                chance.choice(OUTSIDERS),
                entity(),
                chance.randrange(20),
                chance.randrange(4),
                chance.choice(["", "x", "yz", "\n", "new line\n"]),
            ),
        ),
        "crash": (2, lambda: (chance.choice(REPLICAS),)),
        "stop": (1, lambda: (chance.choice(REPLICAS),)),
        "disk_fails": (1, lambda: (chance.choice(REPLICAS), chance.randrange(8), entity())),
        "take_backup": (1, lambda: (chance.choice(REPLICAS),)),
        "restore_backup": (1, lambda: (chance.choice(REPLICAS),)),
        "jump": (1, lambda: (chance.choice(REPLICAS), chance.choice([-7200, -5, 30, 86400]))),
        "pull": (8, lambda: chance.sample(REPLICAS, 2)),
        "dial": (6, lambda: (chance.choice(OUTSIDERS), chance.choice(REPLICAS))),
        "hang_up": (2, lambda: (chance.choice(OUTSIDERS),)),
        "answer": (10, lambda: (chance.choice(OUTSIDERS),)),
        "send": (14, lambda: (chance.choice(OUTSIDERS), chance.randrange(1, 4))),
        "read": (8, lambda: (chance.choice(OUTSIDERS), chance.randrange(1, 5))),
        "outside_set": (12, lambda: (chance.choice(OUTSIDERS), entity(), *place(), value())),
        "outside_remove": (4, lambda: (chance.choice(OUTSIDERS), entity(), *place())),
        "outside_mark": (1, lambda: (chance.choice(OUTSIDERS), entity(), chance.choice([True, None]))),
        "reload": (1, lambda: (chance.choice(OUTSIDERS),)),
        "forge": (1, lambda: (chance.choice(OUTSIDERS), entity(), chance.randrange(50))),
    }
    if prose:
        typing = (lambda: chance.randrange(12), lambda: chance.choice((0, 0, 0, 1, 2, 9)), lambda: chance.choice(PROSE))
        moves = {name: moves[name] for name in PROSE_MOVES} | {
            "edit_text": (24, lambda: (chance.choice(REPLICAS), entity(), *(draw() for draw in typing))),
            "outside_type": (36, lambda: (chance.choice(OUTSIDERS), entity(), *(draw() for draw in typing))),
        }
        texts = edges = True
    left_out = {*(() if texts else ("write_text", "outside_type")), *(() if edges else RELATING)}
    names = [name for name in moves if name not in left_out]
    weights = [moves[name][0] for name in names]
    for step in range(steps):
        (name,) = chance.choices(names, weights)
        arguments = moves[name][1]()
        if trace is not None:
            trace.append(f"world.{name}({', '.join(map(repr, arguments))})")
        getattr(world, name)(*arguments)
        if step % 5 == 0:
            world.check(chance.choice(REPLICAS))
        if step % 10 == 0:
            world.check_groups()
    for replica in REPLICAS:
        world.check(replica)
        world.check_replay(replica)
        if prose:
            texts_check(world.replicas[replica])
    world.check_settled()
    world.check_converged(shuffle=bool(seed % 2))
    for replica in REPLICAS:
        world.check_replay(replica)
    return world
