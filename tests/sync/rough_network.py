"""Laptops on a bridge that fails, for as long as one likes: real processes, in network namespaces.

``python -m tests.sync.rough_network SEED [STEPS]``. Every few steps everything works again and everybody says yes; then
all have to be together within ``SETTLE_S``, with the same state, the same conflicts, and every edit that was
acknowledged. Prints what it does; ends with status 1 if anything was wrong. Not part of the suite: it takes minutes.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

from tests.sync.laptops import SHOW, Gathered, Refused
from tests.sync.namespaces import Bridge, bridged, inside, ip

PEOPLE = ("alex", "blake", "casey", "drew")
SETTLE_S = 120
ASK_AGAIN_S = 8


class Rough(Gathered):
    """A laptop on the bridge. ``stopped``: it sleeps, as with its lid closed."""

    def __init__(self, folder: Path, person: str, place: str) -> None:
        super().__init__(folder, person, place)
        self._inside = inside(place)
        self.stopped = False
        self.asked_at = 0.0

    @property
    def is_awake(self) -> bool:
        return self.process is not None and not self.stopped

    def _http(self, method: str, path: str, **what: Any) -> httpx.Response:
        return self._inside.submit(super()._http, method, path, **what).result()

    def begins(self, *arguments: str) -> None:
        self.process = self.laptop.start(*arguments, "--port", "0")
        self._printed("listening on")

    def serves(self) -> None:
        self.begins("serve", SHOW, "--no-browser")

    def sleeps(self) -> None:
        if self.is_awake and self.process is not None:
            self.process.send_signal(signal.SIGSTOP)
            self.stopped = True

    def wakes(self) -> None:
        if self.stopped and self.process is not None:
            self.process.send_signal(signal.SIGCONT)
        self.stopped = False

    def dies(self) -> None:
        if self.process is not None:
            self.wakes()
            self.kill()

    def close(self) -> None:
        self.dies()
        self._inside.shutdown()


class Walk:
    def __init__(self, seed: int, folder: Path, bridge: Bridge) -> None:
        self.chance = random.Random(seed)
        self.bridge = bridge
        self.began = time.monotonic()
        self.laptops = [Rough(folder, who, at) for who, at in zip(PEOPLE, bridge.machines, strict=False)]
        self.acknowledged: set[str] = set()
        self.blocked: list[tuple[str, str]] = []
        self.faults: list[str] = []
        self.count, self.number = 0, 50
        self.numbers = {one.laptop.place: number for number, one in enumerate(self.laptops, 1)}

    def say(self, *words: object) -> None:
        print(f"{time.monotonic() - self.began:7.1f}", *words, flush=True)

    def fault(self, *words: object) -> None:
        self.faults.append(" ".join(map(str, words)))
        self.say("FAULT", *words)

    def start(self) -> None:
        first, *others = self.laptops
        first.laptop.done("new", SHOW, "--name", "A Show", "--plugin", "cues")
        first.begins("host", SHOW, "--trust-link")
        first.create("cue_0", "everybody's")
        for one in others:
            link = str(first.call("POST", "/session/host", {"role": "editor", "trust_link": True})["link"])
            one.begins("join", link, SHOW, "--yes")
            one._printed("Joined")
        self.settle()

    # -- what happens --------------------------------------------------------------------------------------

    def step(self) -> None:
        one = self.chance.choice(self.laptops)
        moves: list[tuple[float, Callable[[Rough], object]]] = [
            (10, self.edit), (2, self.cut), (3, lambda _one: self.heal()), (2.5, self.block), (1, self.flap),
            (2, self.renumber), (1.5, Rough.dies), (1.5, Rough.sleeps), (2, Rough.wakes), (3, self.start_again),
            (2.5, self.storm), (1, self.leave), (0.5, self.end), (3, self.join), (3, self.answer),
            (4, lambda _one: time.sleep(self.chance.choice([0.5, 2, 5, 12, 20]))),
        ]  # fmt: skip
        ((_weight, move),) = self.chance.choices(moves, [weight for weight, _move in moves])
        self.say("--", getattr(move, "__name__", ""), one.laptop.person)
        try:
            move(one)
        except (Refused, httpx.HTTPError) as error:
            self.say("   refused:", error)
        for it in self.laptops:
            if it.process is not None and it.process.poll() is not None:
                self.fault("a node ended by itself:", it.laptop.person, it.process.communicate()[1])
                it.process = None

    def edit(self, one: Rough) -> None:
        if not one.is_awake:
            return
        self.count += 1
        if self.count % 3 == 0:
            one.set("cue_0", random.Random(self.count).choice(["label", "comment"]), f"{one.laptop.person}{self.count}")
        elif self.count % 10 == 1:
            self.acknowledged.add(f"cue_{one.store(os.urandom(70_000)).removeprefix('blob:')[:8]}")
        else:
            entity = f"cue_{one.laptop.person}{self.count}"
            one.create(entity, one.laptop.person)
            self.acknowledged.add(entity)

    def storm(self, one: Rough) -> None:
        """Everybody edits at once, and something happens to one of them."""
        until = time.monotonic() + 3

        def edits(it: Rough) -> None:
            with suppress(Refused, httpx.HTTPError, AssertionError):  # its node may be killed meanwhile
                while time.monotonic() < until:
                    self.edit(it)

        threads = [threading.Thread(target=edits, args=(it,)) for it in self.laptops if it.is_awake]
        for thread in threads:
            thread.start()
        time.sleep(self.chance.random() * 2)
        self.chance.choice([Rough.dies, self.cut, self.leave])(one)
        for thread in threads:
            thread.join()

    def cut(self, one: Rough) -> None:
        for it in {one, *(it for it in self.laptops if self.chance.random() < 0.3)}:
            self.bridge.pull(it.laptop.place)

    def heal(self) -> None:
        self.bridge.plug(*(one.laptop.place for one in self.laptops))
        for place, address in self.blocked:
            ip("-n", place, "route", "del", "blackhole", address)
        self.blocked.clear()

    def block(self, one: Rough) -> None:
        """These two don't reach each other; both reach the others."""
        other = self.chance.choice([it for it in self.laptops if it is not one])
        found = one.laptop.place, f"10.77.0.{self.numbers[other.laptop.place]}/32"
        if found not in self.blocked:
            ip("-n", found[0], "route", "add", "blackhole", found[1])
            self.blocked.append(found)

    def flap(self, one: Rough) -> None:
        for _ in range(3):
            self.bridge.pull(one.laptop.place)
            time.sleep(self.chance.random() * 3)
            self.bridge.plug(one.laptop.place)
            time.sleep(self.chance.random() * 3)

    def renumber(self, one: Rough) -> None:
        self.heal()  # what is blocked is so by address
        self.number += 1
        self.numbers[one.laptop.place] = self.number
        self.bridge.renumber(one.laptop.place, self.number)

    def start_again(self, one: Rough) -> None:
        if one.process is None:
            one.serves()

    def leave(self, one: Rough) -> None:
        if one.is_awake:
            one.call("POST", "/session/leave")

    def end(self, one: Rough) -> None:
        if one.is_awake:
            one.call("POST", "/session/end")

    def join(self, one: Rough) -> None:
        if one.is_awake:
            one.call("POST", "/session/join", {"yes": self.chance.random() < 0.5})

    def answer(self, one: Rough) -> None:
        if one.is_awake:
            for plan in one.session()["plans"]:
                word = "approve" if self.chance.random() < 0.6 else "decline"
                one.call("POST", f"/session/{word}", {"plan": plan["id"]})

    # -- what must hold ------------------------------------------------------------------------------------

    def settle(self) -> bool:
        """INV-PEER-1 INV-PEER-2 INV-PEER-5 INV-PEER-6"""
        self.heal()
        for one in self.laptops:
            one.wakes()
            self.start_again(one)
            one.asked_at = 0.0
        began = time.monotonic()
        while not self._are_together(states := [one.session() for one in self.laptops]):
            if time.monotonic() - began > SETTLE_S:
                self.fault("not together:", *states)
                return False
            if not any(one["in_session"] or one["joining"] in ("calling", "deciding") for one in states):
                self.laptops[0].call("POST", "/session/host", {"role": "editor"})
            for one, state in zip(self.laptops, states, strict=True):
                with suppress(Refused):
                    self._agree(one, state)
            time.sleep(0.3)
        self.say("== together in", round(time.monotonic() - began, 1))
        first = self.laptops[0]
        lost = [one for one in sorted(self.acknowledged) if first._http("GET", f"/entities/{one}").status_code != 200]
        if lost:
            self.fault("INV-PEER-2: lost", *lost)
        if len({tuple(one.conflicts()) for one in self.laptops}) > 1:
            self.fault("INV-PEER-6: other conflicts")
        return True

    def _agree(self, one: Rough, state: dict[str, Any]) -> None:
        for plan in state["plans"]:
            one.call("POST", "/session/approve", {"plan": plan["id"]})
        waits = state["joining"] in ("calling", "deciding") and not state["in_session"]
        if not waits and (state["leads"] or not state["in_session"]) and time.monotonic() - one.asked_at > ASK_AGAIN_S:
            one.asked_at = time.monotonic()
            one.call("POST", "/session/join", {"yes": True})

    def _are_together(self, states: list[dict[str, Any]]) -> bool:
        names = {one.laptop.person for one in self.laptops}
        return (
            all({it["name"] for it in one["members"] if it["here"]} == names and not one["plans"] for one in states)
            and len({one["leader"] for one in states} - {""}) == 1
            and len({one.hash() for one in self.laptops}) == 1
        )


def main(seed: int, steps: int) -> int:
    with tempfile.TemporaryDirectory() as folder, bridged(len(PEOPLE)) as bridge:
        walk = Walk(seed, Path(folder), bridge)
        try:
            walk.start()
            for number in range(1, steps + 1):
                walk.step()
                if number % 15 == 0 and not walk.settle():
                    break
            walk.settle()
        finally:
            for one in walk.laptops:
                one.close()
    print(f"seed {seed}, {steps} steps: {len(walk.faults)} faults", *walk.faults, sep="\n")
    return 1 if walk.faults else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 60))
