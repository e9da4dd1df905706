"""Laptops on a network that fails: simulated time, one seed. The nodes are real: ``openprod.sync`` on real committers.

The world keeps its own books: who was cut off from whom, which person said yes to what, and what went over which
connection, so that it can tell what must not have happened.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from typing import Any

from openprod.core.ids import device_id
from openprod.core.operations import CreateEntity, DeleteEntity, RestoreEntity, SetField
from openprod.engine.events import Receipt
from openprod.errors import DiskFull, InvalidOperation, NotFound, Stale, StorageError, Untrusted
from openprod.storage.memory import MemoryStorage
from openprod.sync import messages as m
from openprod.sync import replica as sync_replica
from openprod.sync.catchup import Intake, must_leave, survey
from openprod.sync.election import Role
from openprod.sync.latest import Latest
from openprod.sync.messages import CODEC
from openprod.sync.outputs import Ask, Compare, Fetch, Now, Proven, TakeIn
from openprod.sync.peer import Connect, Disconnect, Do, Effect, Notice, Peer, PeerConfig, Transmit
from tests.engine.replica import CUES, WORKSPACE, Replica, Time, device_key

START_MS = 1_780_000_000_000
NAMES = ("alex", "blake", "casey", "drew")
HUB = "hub"
ENTITIES = ("cue_1", "cue_2", "cue_3")
CONTENT = (m.Ops, m.Live, m.Piece)
APART_MS = 12_000
CALL_MS = 8_000


class Node:
    """One laptop: a replica, a peer, a person. Or the hub: nobody sits at it, and it keeps the gathering open."""

    def __init__(self, world: PeersWorld, name: str) -> None:
        self.world, self.name = world, name
        self.hub = name == HUB
        self.kept: tuple[str, int, str, int] = world.chance.randbytes(16).hex() if self.hub else "", 0, "", 0
        self.key = device_key(name)
        self.device = device_id(bytes(self.key.verify_key))
        self.time = Time(START_MS)
        self.replica = Replica(name, time=self.time, chance=world.chance)
        self.up = True
        self.asleep_until = 0
        self.skew_ms = 0
        self.acknowledged: set[str] = set()
        self.backup: tuple[MemoryStorage, set[str]] | None = None
        self.forks: list[str] = []
        self.start()

    def start(self) -> None:
        self.peer = Peer(
            PeerConfig(
                workspace=WORKSPACE, key=bytes(self.key.verify_key), sign=lambda part: self.key.sign(part).signature,
                nonce=lambda: self.world.chance.randbytes(32), admit=lambda _key, _paired: "", name=self.name,
                hub=self.hub,
            )
        )  # fmt: skip
        self.intakes: dict[int, Intake] = {}
        self.latest = Latest()
        self.cooling: dict[str, int] = {}
        self.calling: dict[str, int] = {}
        self.joining = False

    def keep(self) -> None:
        """What a hub does of itself: note where it is, and be there again after it was started again, or all ended."""
        peer, now = self.peer, self.now
        if not peer.gathering:
            gathering, term, leader, at = self.kept
            history = [m.Stretch(term, leader, max(0, now.wall - at))] if leader else []
            self.world.do(self, peer.keep(gathering, history, now))
        elif history := peer.election.course.history(now.mono):
            self.kept = peer.gathering, history[0].term, history[0].leader, now.wall - history[0].age_ms
        else:
            self.kept = peer.gathering, 0, "", 0

    @property
    def now(self) -> Now:
        self.time.ms = max(self.time.ms, START_MS + self.world.now + self.skew_ms)
        return Now(self.world.now + 1000, START_MS + self.world.now + self.skew_ms)

    @property
    def awake(self) -> bool:
        return self.up and self.world.now >= self.asleep_until

    @property
    def storage(self) -> MemoryStorage:
        assert isinstance(self.replica.storage, MemoryStorage)
        return self.replica.storage

    def bundles(self) -> dict[str, tuple[str, int]]:
        return {row.id: (row.log, row.seq) for row in self.storage.bundles()}


class Wire:
    """One connection. ``approved``: who said yes over it; ``resumed``: whose node went on without asking."""

    def __init__(self, number: int, caller: str, called: str) -> None:
        self.number, self.ends = number, (caller, called)
        self.approved: set[str] = set()
        self.resumed: set[str] = set()
        self.open = {caller, called}
        self.last = {caller: 0, called: 0}

    def other(self, name: str) -> str:
        return self.ends[1] if name == self.ends[0] else self.ends[0]


class PeersWorld:
    def __init__(
        self, seed: int, names: tuple[str, ...] = NAMES[:3], *, behind: bool = False, trace: list[str] | None = None
    ) -> None:
        """``behind``: no laptop can be called, as behind a router; the hub can."""
        self.chance = random.Random(seed)
        self.trace = trace
        self.behind = behind
        self.now = 0
        self.loss = self.twice = self.reorder = 0.0
        self.delay_ms = 20
        self.yes = 1.0
        self._queue: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0
        self.wires: dict[int, Wire] = {}
        self.group: dict[str, int] = dict.fromkeys(names, 0)
        self.cut_at: int | None = None
        self.ended_at = -APART_MS
        self.half: dict[str, int] = dict.fromkeys(names, 0)
        self.halves = 0
        self.apart: set[frozenset[int]] = set()
        self.raw_restores: set[str] = set()
        self.asked = self.resumes = self.merges = 0
        self.nodes = {name: Node(self, name) for name in names}
        self.by_device = {node.device: node for node in self.nodes.values()}
        first, *others = self.nodes.values()
        first.acknowledged.add(first.replica.adopt(CUES).bundle)
        self.edit(first.name, CreateEntity(entity="cue_1", facets={"cues.cue": {"list": "LX", "number": "1"}}))
        self.do(first, first.peer.host(self.chance.randbytes(16).hex(), first.now))
        for index, node in enumerate(self.nodes.values()):
            self.at(100 * index, lambda node=node: self._tick(node))
        for node in others:
            node.joining = not node.hub
            if node.hub:
                node.keep()
        self.run(6_000)

    # -- time ----------------------------------------------------------------------------------------------

    def at(self, delay: int, action: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._queue, (self.now + delay, self._count, action))

    def run(self, ms: int) -> None:
        end = self.now + ms
        while self._queue and self._queue[0][0] <= end:
            self.now, _count, action = heapq.heappop(self._queue)
            action()
        self.now = end

    def say(self, *words: object) -> None:
        if self.trace is not None:
            self.trace.append(f"{self.now / 1000:8.3f} " + " ".join(map(str, words)))

    def _tick(self, node: Node) -> None:
        self.at(1_000, lambda: self._tick(node))
        if not node.awake:
            return
        self.do(node, node.peer.tick(node.now, {one for one, until in node.calling.items() if until > self.now}))
        node.joining = node.joining and not node.peer.gathering
        if node.hub:
            node.keep()
        self._discover(node)

    def _discover(self, node: Node) -> None:
        """What mDNS does: leaders find other leaders, and who wants to join who leads. Both know the hub."""
        peer = node.peer
        if not (peer.leads or (node.joining and not peer.gathering)):
            return
        for other in self.nodes.values():
            if other is node or not self.reaches(node.name, other.name) or not (other.peer.leads or other.hub):
                continue
            if other.device not in peer.joined and self.now >= node.cooling.get(other.name, 0):
                node.cooling[other.name] = self.now + 3_000
                self.do(node, peer.want(other.device))

    # -- the network ---------------------------------------------------------------------------------------

    def reaches(self, name: str, other: str) -> bool:
        return self.group[name] == self.group[other] and self.nodes[name].awake and self.nodes[other].awake

    def _dial(self, node: Node, device: str) -> None:
        other = self.by_device[device]
        if node.calling.get(device, 0) > self.now:
            return
        node.calling[device] = self.now + CALL_MS

        def connect() -> None:
            if not self.reaches(node.name, other.name) or (self.behind and not other.hub):
                return  # nobody says so: the call takes its time
            node.calling.pop(device, None)
            wire = Wire(len(self.wires) + 1, node.name, other.name)
            self.wires[wire.number] = wire
            for end, caller in ((other, False), (node, True)):
                end.intakes[wire.number] = Intake(WORKSPACE)
                expected = device if caller else ""
                self.do(end, end.peer.opened(wire.number, end.now, caller=caller, expected=expected))

        self.at(self.chance.randint(1, self.delay_ms), connect)

    def _transmit(self, node: Node, number: int, frame: bytes) -> None:
        wire = self.wires[number]
        if node.name not in wire.open:
            return
        message = CODEC.decode(frame)
        if isinstance(message, CONTENT):
            self._check_content(wire, node.name)
        copies = 1 - (self.chance.random() < self.loss) + (self.chance.random() < self.twice)
        for _ in range(copies):
            delay = self.chance.randint(1, self.delay_ms)
            arrives = self.now + delay
            if self.chance.random() >= self.reorder:
                arrives = max(arrives, wire.last[node.name])
                wire.last[node.name] = arrives
            self.at(arrives - self.now, lambda: self._arrive(wire, node.name, frame))

    def _arrive(self, wire: Wire, sender: str, frame: bytes) -> None:
        name = wire.other(sender)
        node = self.nodes[name]
        if name in wire.open and self.group[name] == self.group[sender] and node.awake:
            self.do(node, node.peer.received(wire.number, frame, node.now))

    def _hang_up(self, wire: Wire, name: str) -> None:
        """The end at ``name`` is gone; the other side hears of it if the network lets it."""
        if name not in wire.open:
            return
        wire.open.discard(name)
        self.nodes[name].intakes.pop(wire.number, None)
        other = wire.other(name)

        def tell() -> None:
            if other in wire.open and self.group[name] == self.group[other] and self.nodes[other].awake:
                wire.open.discard(other)
                node = self.nodes[other]
                node.intakes.pop(wire.number, None)
                self.do(node, node.peer.closed(wire.number, node.now))

        self.at(max(wire.last[name] - self.now, 0) + 1, tell)

    # -- what a node's host does ---------------------------------------------------------------------------

    def do(self, node: Node, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Transmit):
                self._transmit(node, effect.connection, effect.frame)
            elif isinstance(effect, Disconnect):
                self.say(node.name, "ends", effect.connection, effect.code)
                if effect.code == "declined":
                    other = self.wires[effect.connection].other(node.name)
                    node.cooling[other] = self.now + 15_000
                self._hang_up(self.wires[effect.connection], node.name)
            elif isinstance(effect, Connect):
                self._dial(node, effect.device)
            elif isinstance(effect, Notice):
                self._notice(node, effect)
            else:
                self._serve(node, effect)

    def _notice(self, node: Node, notice: Notice) -> None:
        self.say(node.name, notice.what, self.by_device[notice.device].name if notice.device else "",
                 node.peer.election.role.value, node.peer.election.term)  # fmt: skip
        if notice.what in ("joined", "resumed"):
            other = self.by_device[notice.device].name
            wire = self.wires[notice.connection]
            if notice.what == "resumed":
                self.resumes += 1
                wire.resumed.add(node.name)
                assert frozenset((self.half[node.name], self.half[other])) not in self.apart, (
                    "INV-PEER-4: halves that were apart went on without asking", node.name, other,
                )  # fmt: skip
            else:
                self._together(node.name, other)

    def _together(self, name: str, other: str) -> None:
        """People brought two halves together."""
        self.merges += 1
        kept, gone = self.half[name], self.half[other]
        if kept == gone:
            return
        for half in set(self.half.values()):
            if not {frozenset((kept, half)), frozenset((gone, half))} <= self.apart:
                self.apart.discard(frozenset((kept, half)))
        self.half = {one: kept if half == gone else half for one, half in self.half.items()}

    def _serve(self, node: Node, do: Do) -> None:
        number, output, peer, committer = do.connection, do.output, node.peer, node.replica.committer
        if isinstance(output, Proven):
            tips = sync_replica.Held(committer).tips()
            self.do(node, peer.held(number, tips, [], node.now, approved=node.joining or node.hub))
            if node.joining or node.hub:
                self.wires[number].approved.add(node.name)
        elif isinstance(output, Compare):
            found = survey(sync_replica.Held(committer), output.tips, output.points)
            if must_leave(committer.log, found):
                try:
                    committer.leave_log()
                except StorageError as error:
                    self.do(node, peer.refused(number, "storage", error.sentence, node.now))
                    return
                self.say(node.name, "leaves its log")
            offered = sync_replica.offer(committer, found.known, found.after) if output.offer else None
            self.do(node, peer.compared(number, found, offered, node.now))
        elif isinstance(output, Fetch):
            supply = node.latest.after(*output)
            if supply is None:
                supply = sync_replica.outgoing(committer, output.known, cursor=output.cursor, size=output.size)
            self.do(node, peer.supplied(number, *supply, node.now))
        elif isinstance(output, TakeIn):
            self._take_in(node, number, output)
        elif isinstance(output, Ask):
            self._ask(node, number, output)

    def _take_in(self, node: Node, number: int, output: TakeIn) -> None:
        size = sum(len(one.body) for one in output.bundles)
        intake = node.intakes.get(number)
        if intake is None:
            return
        try:
            taken = sync_replica.take_in(node.replica.committer, intake, output.bundles, node.latest.end)
        except Untrusted as error:
            self.do(node, node.peer.refused(number, "untrusted", error.sentence, node.now))
            raise AssertionError(("an honest peer was refused", error.sentence)) from error
        except StorageError:
            self.do(node, node.peer.took(number, {}, {}, size, node.now))
            return
        node.latest.add(taken.news)
        assert taken.fault is None or isinstance(taken.fault, StorageError), taken.fault
        for fork in taken.forks:
            assert fork.log in self.raw_restores, "INV-PEER-3: a log forked that nobody had restored"
            node.forks.append(fork.log)
        if taken.fault is not None:
            self.do(node, node.peer.took(number, {}, {}, size, node.now))
            return
        self.do(node, node.peer.took(number, taken.tips, taken.known, size, node.now))

    def _ask(self, node: Node, number: int, ask: Ask) -> None:
        self.asked += 1
        yes = self.chance.random() < self.yes

        def answer() -> None:
            if node.name not in self.wires[number].open:
                return
            if not node.awake:
                self.at(1_000, answer)
            elif yes:
                self.wires[number].approved.add(node.name)
                self.do(node, node.peer.approve(number, ask.coming.id, node.now))
            else:
                self.do(node, node.peer.decline(number, node.now))

        self.at(self.chance.randint(50, 2_000), answer)

    def _check_content(self, wire: Wire, sender: str) -> None:
        """INV-PEER-4: content goes out only where both people said yes, or both nodes are in the same stretch."""
        assert set(wire.ends) == wire.approved or sender in wire.resumed, ("INV-PEER-4", wire.ends, wire.approved)

    # -- what people do ------------------------------------------------------------------------------------

    def edit(self, name: str, *operations: Any) -> bool:
        return self._act(name, lambda replica: replica.commit(*operations))

    def set_field(self, name: str, entity: str, field: str, value: Any) -> bool:
        return self.edit(name, SetField(entity=entity, facet="cues.cue", field=field, value=value))

    def create(self, name: str, entity: str) -> bool:
        return self.edit(name, CreateEntity(entity=entity, facets={"cues.cue": {"list": "LX"}}))

    def delete(self, name: str, entity: str) -> bool:
        return self.edit(name, DeleteEntity(entity=entity))

    def restore_entity(self, name: str, entity: str) -> bool:
        return self.edit(name, RestoreEntity(entity=entity))

    def undo(self, name: str) -> bool:
        return self._act(name, lambda replica: replica.undo())

    def _act(self, name: str, action: Callable[[Replica], Receipt]) -> bool:
        node = self.nodes[name]
        if not node.awake or node.hub:
            return False
        _ = node.now
        try:
            receipt = action(node.replica)
        except (InvalidOperation, NotFound, Stale, StorageError):
            return False
        if not receipt.bundle:
            return False
        node.acknowledged.add(receipt.bundle)
        tips = sync_replica.Held(node.replica.committer).tips()
        log = node.replica.committer.log
        node.latest.add(sync_replica.news(node.replica.committer, node.latest.end))
        self.do(node, node.peer.committed({log: tips[log]}, node.now))
        return True

    def leave(self, name: str) -> None:
        node = self.nodes[name]
        if node.awake and node.peer.gathering and not node.hub:
            self.do(node, node.peer.leave(node.now))
            self.say(name, "leaves")

    def end(self, name: str) -> None:
        """Only who leads can."""
        node = self.nodes[name]
        if node.awake and node.peer.leads:
            self.do(node, node.peer.end(node.now))
            self.ended_at = self.now
            self.say(name, "ends it for all")

    def join(self, name: str) -> None:
        self.nodes[name].joining = not self.nodes[name].peer.gathering and not self.nodes[name].hub

    def persons_say(self, yes: float) -> None:
        self.yes = yes

    # -- trouble -------------------------------------------------------------------------------------------

    def noise(self, loss: float, twice: float, reorder: float, delay_ms: int) -> None:
        self.loss, self.twice, self.reorder, self.delay_ms = loss, twice, reorder, delay_ms

    def cut(self, groups: dict[str, int]) -> None:
        self.heal()
        self.group.update(groups)
        self.cut_at = self.now
        self.say("cut", groups)

    def heal(self) -> None:
        if self.cut_at is not None and self.now - self.cut_at > APART_MS:
            self._split({name: self._side(node) for name, node in self.nodes.items()})
        self.cut_at = None
        self.group = dict.fromkeys(self.group, 0)
        self.say("heal", self.half, [sorted(pair) for pair in self.apart])

    def _split(self, sides: dict[str, int | None]) -> None:
        """Each half that the cut made is told apart from now on; who went on with nobody stays what it was."""
        made: dict[tuple[int, int], int] = {}
        for name, side in sides.items():
            if side is not None:
                place = self.half[name], side
                if place not in made:
                    self.halves += 1
                    made[place] = self.halves
        for (old, side), new in made.items():
            for half in set(self.half.values()):
                if frozenset((old, half)) in self.apart:
                    self.apart.add(frozenset((new, half)))
            for (of, other_side), other in made.items():
                if new != other and (side != other_side or frozenset((old, of)) in self.apart):
                    self.apart.add(frozenset((new, other)))
        self.half = {name: made.get((half, sides[name] or 0), half) if sides[name] is not None else half
                     for name, half in self.half.items()}  # fmt: skip

    def _side(self, node: Node) -> int | None:
        """The half that a node went on with: one that leads, and whom it follows, are on its side of the cut. Who slept
        while the cut began or lasted, or has lost its leader, may go on with whom it finds.
        """
        election = node.peer.election
        leader = self.by_device.get(election.leader)
        if leader is None or election.role is Role.LOST or self._slept(node) or self._slept(leader):
            return None
        on = leader.peer.leads and self.group[leader.name] == self.group[node.name]
        return self.group[node.name] if on else None

    def _slept(self, node: Node) -> bool:
        return node.asleep_until > (self.cut_at or 0)

    def crash(self, name: str) -> None:
        node = self.nodes[name]
        before = node.replica.hash()
        self._down(node)
        node.replica.restart()
        assert node.replica.hash() == before, "INV-RESTART-1"

    def _down(self, node: Node) -> None:
        for wire in self.wires.values():
            self._hang_up(wire, node.name)
        if not node.hub:  # that one goes on where it was
            self.halves += 1
            self.half[node.name] = self.halves
        node.start()
        node.joining = not node.hub
        self.say(node.name, "is down")

    def sleep(self, name: str, ms: int) -> None:
        self.nodes[name].asleep_until = self.now + ms
        self.say(name, "sleeps", ms)

    def disk_fails(self, name: str, after: int, times: int) -> None:
        self.nodes[name].storage.fail_next(DiskFull("No room."), after=after, times=times)

    def jump(self, name: str, seconds: int) -> None:
        self.nodes[name].skew_ms += seconds * 1000

    def take_backup(self, name: str) -> None:
        node = self.nodes[name]
        node.backup = node.storage.clone(), set(node.acknowledged)

    def restore_backup(self, name: str, *, knows: bool) -> None:
        """``knows``: as the program restores; else the folder was copied behind its back, and goes on as it was."""
        node = self.nodes[name]
        if node.backup is None:
            return
        copy, acknowledged = node.backup
        storage = copy.clone()
        if knows:
            with storage.transaction():
                storage.set_meta("log", "")
        else:
            self.raw_restores.add(storage.meta("log") or "")
        self._down(node)
        node.acknowledged = set(acknowledged)
        node.replica = Replica(name, storage=storage, time=node.time, chance=self.chance)

    # -- what must hold ------------------------------------------------------------------------------------

    def check(self) -> None:
        """INV-PEER-2, INV-PEER-3, INV-HUB-1"""
        assert HUB not in self.leaders(), "INV-HUB-1: a hub leads"
        chains: dict[tuple[str, int], bytes] = {}
        for node in self.nodes.values():
            held = node.bundles()
            assert node.acknowledged <= set(held), "INV-PEER-2: an acknowledged bundle is gone"
            for row in node.storage.bundles():
                log = row.log.partition("+")[0]
                if log not in self.raw_restores:
                    assert chains.setdefault((log, row.seq), row.hash) == row.hash, "INV-PEER-3: a log isn't a prefix"
                    assert row.log == log, "INV-PEER-3: a branch of a log that nobody restored"

    def settle(self, ms: int = 90_000) -> None:
        """Everything works again, and everybody says yes."""
        self.noise(0, 0, 0, 20)
        self.heal()
        self.yes = 1.0
        for node in self.nodes.values():
            node.asleep_until = min(node.asleep_until, self.now)
            node.skew_ms = 0
            node.storage.fail_next(DiskFull("No room."), times=0)
            node.cooling.clear()
        on_its_way = self.now - self.ended_at < APART_MS
        self._all_come(ms)
        if on_its_way:  # who heard only then that it was ended comes again
            self._all_come(ms)

    def _all_come(self, ms: int) -> None:
        if not any(node.peer.gathering for node in self.nodes.values()):
            node = next(iter(self.nodes.values()))
            self.do(node, node.peer.host(self.chance.randbytes(16).hex(), node.now))
        for node in self.nodes.values():
            node.joining = not node.peer.gathering and not node.hub
        self.run(ms)

    def leaders(self) -> list[str]:
        return [node.name for node in self.nodes.values() if node.peer.leads]

    def check_settled(self) -> None:
        self.check()
        leaders = self.leaders()
        views = {node.name: (node.peer.election.term, node.peer.election.leader) for node in self.nodes.values()}
        assert len(leaders) == 1, ("INV-PEER-5: not one leader", leaders, views)
        assert len(set(views.values())) == 1, ("INV-PEER-5: not one view", views)
        first, *others = self.nodes.values()
        everything = set().union(*(node.bundles() for node in self.nodes.values()))
        for node in self.nodes.values():
            missing = everything - set(node.bundles())
            assert not missing, ("INV-PEER-1: not everything came", node.name, len(missing), len(everything))
        for node in others:
            if self.raw_restores:
                assert node.replica.registers() == first.replica.registers(), "INV-PEER-1: forks, and another content"
                continue
            assert node.replica.hash() == first.replica.hash(), ("INV-PEER-1", first.name, node.name)
            assert self.conflicts(node) == self.conflicts(first), ("INV-PEER-6", first.name, node.name)

    @staticmethod
    def conflicts(node: Node) -> list[Any]:
        return sorted((row.id, row.kind, row.status, row.heads) for row in node.replica.conflicts())
