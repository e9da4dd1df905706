"""Two PeerSessions in one hand: frames go from one to the other; a test may look at them, alter or withhold them."""

from __future__ import annotations

import hashlib
from typing import Any

from nacl.signing import SigningKey

from openprod.core.bundles import Actor, Bundle, SignedBundle, read, sign, signer
from openprod.core.ids import device_id
from openprod.sync import messages as m
from openprod.sync.catchup import Survey
from openprod.sync.messages import CODEC
from openprod.sync.outputs import Ask, Closed, Compare, Config, Fetch, Joined, Now, Output, Proven, Send, TakeIn
from openprod.sync.plans import Offer
from openprod.sync.replica import Outgoing
from openprod.sync.session import PeerSession

WALL = 1_780_000_000_000
NOTHING = Survey({}, {}, {}, frozenset())


class Side:
    """One end, and a host that holds ``bundles`` and answers everything at once, but for people."""

    def __init__(
        self, name: str, *, caller: bool, wall: int = WALL, workspace: str = "ws_test", **config: Any
    ) -> None:  # fmt: skip
        self.key = SigningKey(name.encode().ljust(32, b"."))
        self.public = bytes(self.key.verify_key)
        self.device = device_id(self.public)
        self.wall = wall
        self.workspace = workspace
        self.heads: list[bytes] = []
        self.mono = 1000
        self.outputs: list[Output] = []
        self.out: list[bytes] = []
        self.bundles: list[Outgoing] = []
        self.taken: list[SignedBundle] = []
        self.yes = True
        self.session = PeerSession(
            Config(
                caller=caller, workspace=workspace, key=self.public, sign=lambda part: self.key.sign(part).signature,
                **{"nonce": name.encode().ljust(32, b"n"), "admit": lambda _key, _paired: "", "name": name, **config},
            ),
            self.now,
        )  # fmt: skip

    @property
    def now(self) -> Now:
        return Now(self.mono, self.wall + self.mono)

    def writes(self, count: int, size: int = 10) -> None:
        for _ in range(count):
            seq = len(self.bundles) + 1
            previous = self.bundles[-1].hash if self.bundles else b""
            log = f"{self.device}-00000000"
            bundle = Bundle(
                1, self.workspace, log, seq, previous, {}, "019e6f6f0400-0000-00000000", self.public,
                Actor("user", "User", "laptop"), "edit", "x" * size, "", [], [], self.heads,
            )  # fmt: skip
            signed, digest = sign(bundle, signer(self.key))
            self.bundles.append(Outgoing(seq, log, log, seq, digest, signed))

    def tips(self) -> dict[str, m.Tip]:
        return {one.branch: m.Tip(one.log, one.seq, one.hash) for one in self.bundles[-1:]}

    def do(self, outputs: list[Output]) -> None:
        session = self.session
        for output in outputs:
            self.outputs.append(output)
            if isinstance(output, Send):
                self.out.append(output.frame)
            elif isinstance(output, Proven):
                self.do(session.have(self.tips()))
            elif isinstance(output, Compare):
                log = f"{self.device}-00000000"
                known = {log: 0, **{tip.log: tip.seq for tip in output.tips}}
                after = {log: known.get(log, 0)} if known.get(log, 0) < len(self.bundles) else {}
                count = len(self.bundles) - known.get(log, 0)
                offer = Offer(count, 0, [], []) if output.offer else None
                self.do(session.surveyed(Survey(after, known, {}, frozenset()), offer, self.now))
            elif isinstance(output, Ask) and self.yes:
                self.do(session.approve(output.coming.id))
            elif isinstance(output, Fetch):
                known = output.known
                left = [b for b in self.bundles if b.number > output.cursor and b.seq > known.get(b.branch, 0)]
                items = left[: max(1, output.size // (len(left[0].signed.body) + 128))] if left else []
                cursor = items[-1].number if items else output.cursor
                self.do(session.supply(items, cursor, len(items) == len(left), 1, self.now))
            elif isinstance(output, TakeIn):
                self.taken += output.bundles
                self.took(output.bundles)

    def took(self, bundles: list[SignedBundle]) -> None:
        last = bundles[-1]
        bundle = read(last.body)
        tip = m.Tip(bundle.log, bundle.seq, hashlib.sha256(last.body).digest())
        self.do(self.session.took({bundle.log: tip}, {bundle.log: bundle.seq}, sum(len(one.body) for one in bundles)))

    def gets(self, frame: bytes) -> None:
        self.do(self.session.receive(frame, self.now))

    def says(self, message: Any) -> bytes:
        return CODEC.encode(message)

    @property
    def closed(self) -> str:
        return next((one.code for one in self.outputs if isinstance(one, Closed)), "")

    @property
    def joined(self) -> bool:
        return any(isinstance(one, Joined) for one in self.outputs)


class Conversation:
    def __init__(self, **config: Any) -> None:
        self.a = Side("alex", caller=True, **config)
        self.b = Side("blake", caller=False, **config)
        self.seen: list[tuple[str, Any]] = []

    def start(self) -> None:
        self.a.do(self.a.session.start(self.a.now))
        self.b.do(self.b.session.start(self.b.now))

    def run(self) -> Conversation:
        """Until nobody has anything more to say."""
        while self.a.out or self.b.out:
            for one, other, name in ((self.a, self.b, "alex"), (self.b, self.a, "blake")):
                while one.out:
                    frame = one.out.pop(0)
                    self.seen.append((name, CODEC.decode(frame)))
                    other.gets(frame)
        return self

    def tick(self, ms: int = 1000) -> None:
        for side in (self.a, self.b):
            side.mono += ms
            side.do(side.session.tick(side.now))
        self.run()

    def kinds(self, name: str) -> list[str]:
        return [type(message).__name__ for who, message in self.seen if who == name]
