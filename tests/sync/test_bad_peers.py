"""Peers that mean harm, against a real node over real TLS (INV-BOUND-1): each is let go with a reason that its people
can read, and nobody else notices. What a peer may do within one connection is tested without sockets in test_session.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from openprod.core.bundles import read, sign, signer
from openprod.core.operations import SetField
from openprod.engine.copying import empty_copy
from openprod.engine.workspace import Workspace
from openprod.sync import certificates, flow, pairing, peer, session
from openprod.sync import messages as m
from openprod.sync.outputs import Heard
from openprod.sync.peer import CONNECTIONS_MAX
from openprod.sync.service import PeerService
from openprod.sync.transport import Channel, Closed, WebSocketTransport
from openprod.sync.wire import FRAME_BYTES_MAX
from tests.engine.laptops import cue, identity, laptop
from tests.sync.conversation import Side
from tests.sync.desks import verify_ahead
from tests.sync.test_wire import OF_2

SECONDS_MAX = 60


class Peers:
    """Alex hosts, Blake has joined: both as the program does it."""

    def __init__(self, folder: Path, alex: PeerService, blake: PeerService) -> None:
        self.alex, self.blake = alex, blake
        self.network = WebSocketTransport(certificates.load(folder / "mallory"))
        self.open: list[Channel] = []
        self._count = 0

    async def link(self) -> pairing.Link:
        return pairing.parse_link((await self.alex.host(trust_link=True))["link"])

    async def call(self) -> Channel:
        """To Alex, over TLS."""
        link = await self.link()
        place, port = link.addresses[0].rsplit(":", 1)
        self.open.append(await self.network.call(place, int(port), link.certificate))
        return self.open[-1]

    async def nobody_else_notices(self) -> None:
        """What either edits still comes to the other."""
        for one, other in ((self.alex, self.blake), (self.blake, self.alex)):
            self._count += 1
            made = await one.workspace.commit([cue(f"cue_a{self._count}", number=str(self._count))])
            await until(other, partial(has, other, made.bundle), "an edit to come")

    async def says(self, sentence: str, who: PeerService | None = None) -> None:
        one = who or self.alex

        async def told() -> bool:
            return any(sentence in event["sentence"] for event in one.status()["events"])

        await until(one, told, sentence)


async def has(one: PeerService, bundle: str) -> bool:
    return bundle in {row["bundle"] for row in await one.workspace.log(newest_first=True, limit=1000)}


async def until(one: PeerService, holds: Callable[[], Awaitable[bool]], what: str) -> None:
    for _ in range(20 * SECONDS_MAX):
        revision = one.status()["revision"]
        if await holds():
            return
        await one.changed(revision, 0.05)
    raise AssertionError(f"waited in vain for {what}: {one.status()}")


class Mallory:
    """A member with another program: it comes in properly, and then does what it likes."""

    def __init__(self, channel: Channel, link: pairing.Link, name: str = "mallory", **config: Any) -> None:
        self.channel = channel
        self.sent: list[bytes] = []
        self.side = Side(
            name, caller=True, workspace=link.workspace, certificate=channel.certificate,
            **{"secret": link.key, "expected": link.device, **config},
        )  # fmt: skip

    async def begins(self) -> None:
        self.side.do(self.side.session.start(self.side.now))
        await self.flush()

    async def flush(self) -> None:
        while self.side.out:
            self.sent.append(self.side.out[0])
            await self.channel.send(self.side.out.pop(0))

    async def hears(self, until: Callable[[], object]) -> None:
        while not until():
            self.side.gets(await self.channel.receive())
            for one in self.side.outputs:
                if isinstance(one, Heard) and isinstance(one.message, m.Have):
                    self.side.heads = one.message.membership
            await self.flush()

    async def comes_in(self) -> None:
        await self.begins()
        await self.hears(lambda: self.side.joined or self.side.closed)
        assert self.side.joined, self.side.closed

    async def sends(self, *messages: Any) -> None:
        for one in messages:
            await self.channel.send(self.side.says(one))

    async def is_let_go(self) -> None:
        with suppress(Closed):
            while True:
                self.side.gets(await self.channel.receive())

    def signed(self, seq: int) -> m.Signed:
        one = self.side.bundles[seq - 1].signed
        return m.Signed(one.body, one.signature)


@asynccontextmanager
async def together(folder: Path) -> AsyncIterator[Peers]:
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as tasks:
        one = await stack.enter_async_context(laptop(folder / "alex"))
        empty_copy(folder / "blake", one.id)
        other = await stack.enter_async_context(Workspace.open(folder / "blake", identity_=identity("blake")))
        services = [PeerService(space, home=folder / f"home{at}") for at, space in enumerate((one, other))]
        running = [tasks.create_task(service.run()) for service in services]
        await asyncio.sleep(0)  # until they run
        alex, blake = services
        link = (await alex.host(trust_link=True, listen="127.0.0.1", port=0))["link"]
        await blake.join(link, yes=True, listen="127.0.0.1", port=0)

        async def joined() -> bool:
            return len(blake.status()["members"]) == 2 and len(await other.log()) == len(await one.log())

        await until(blake, joined, "blake to join")
        made = Peers(folder, alex, blake)
        try:
            yield made
        finally:
            await asyncio.gather(*(one.close() for one in made.open))
            for task in running:
                task.cancel()


def play(folder: Path, scene: Callable[[Peers], Awaitable[None]]) -> None:
    async def run() -> None:
        async with asyncio.timeout(2 * SECONDS_MAX), together(folder) as peers:
            await scene(peers)
            await peers.nobody_else_notices()

    asyncio.run(run())


async def member(peers: Peers, **config: Any) -> Mallory:
    made = Mallory(await peers.call(), await peers.link(), **config)
    await made.comes_in()
    return made


# -- who isn't let in --------------------------------------------------------------------------------------


def test_a_stranger_without_a_link(tmp_path: Path) -> None:
    async def scene(peers: Peers) -> None:
        stranger = Mallory(await peers.call(), await peers.link(), secret=b"")
        await stranger.begins()
        await stranger.hears(lambda: stranger.side.closed)
        assert stranger.side.closed == "not_admitted"
        await peers.says(f"{stranger.side.device[:8]} was let go: This device isn't known here. Ask for a link.")
        assert len(peers.alex.status()["members"]) == 2

    play(tmp_path, scene)


def test_a_stranger_whom_a_member_lists(tmp_path: Path) -> None:
    """Who is here is what members say; who is a member only owners say."""

    async def scene(peers: Peers) -> None:
        device = Side("friend", caller=True).device
        one = await member(peers)
        await one.sends(m.Roster(0, [m.RosterEntry(device, "friend")]))

        async def listed() -> bool:
            return any(row["device"] == device for row in peers.alex.status()["members"])

        await until(peers.alex, listed, "the friend to be listed")
        friend = Mallory(await peers.call(), await peers.link(), "friend", secret=b"")
        assert friend.side.device == device
        await friend.begins()
        await friend.hears(lambda: friend.side.closed or any(isinstance(one, Heard) for one in friend.side.outputs))
        assert friend.side.closed == "not_admitted"

    play(tmp_path, scene)


def test_a_key_that_signs_for_another(tmp_path: Path) -> None:
    async def scene(peers: Peers) -> None:
        other = Mallory(await peers.call(), await peers.link())
        other.side.session.config = msgspec.structs.replace(other.side.session.config, sign=lambda _part: bytes(64))
        await other.begins()
        await other.hears(lambda: other.side.closed)
        assert other.side.closed == "unproven"
        await peers.says("A device at 127.0.0.1 was let go: The other device didn't prove who it is.")

    play(tmp_path, scene)


def test_a_greeting_that_was_recorded(tmp_path: Path) -> None:
    async def scene(peers: Peers) -> None:
        honest = await member(peers)
        again = await peers.call()
        with suppress(Closed):
            for frame in honest.sent:
                await again.send(frame)
            while True:
                await again.receive()
        await peers.says("A device at 127.0.0.1 was let go: The other device didn't prove who it is.")

    play(tmp_path, scene)


def test_a_program_of_another_age(tmp_path: Path) -> None:
    async def scene(peers: Peers) -> None:
        newest = Mallory(await peers.call(), await peers.link(), versions=(3,))
        await newest.begins()
        await newest.hears(lambda: newest.side.closed)
        assert newest.side.closed == "versions"
        await peers.says("The two programs are too far apart in age: update the older one.")
        newer = await member(peers, versions=(2, 3), codec=OF_2)
        assert newer.side.session.version == 2
        newer.side.writes(1)
        await newer.sends(m.Ops([newer.signed(1)]))
        await until(peers.blake, lambda: has(peers.blake, bundle(newer, 1)), "what the newer one wrote")

    play(tmp_path, scene)


def test_strangers_who_say_nothing_keep_nobody_out(tmp_path: Path) -> None:
    async def scene(peers: Peers) -> None:
        for _ in range(CONNECTIONS_MAX + 2):
            await peers.call()
        await member(peers)
        await peers.says("A device at 127.0.0.1 was let go: Too many devices are connected.")

    play(tmp_path, scene)


# -- what a member sends -----------------------------------------------------------------------------------


def bundle(one: Mallory, seq: int) -> str:
    return one.side.bundles[seq - 1].hash.hex()[:32]


def forged(one: Mallory) -> m.Ops:
    return m.Ops([m.Signed(one.signed(1).body, bytes(64))])


def of_another_log(one: Mallory) -> m.Ops:
    other = Side("somebody", caller=True, workspace=one.side.workspace)
    other.writes(1)
    body = other.bundles[0].signed.body.replace(other.public, one.side.public)
    return m.Ops([m.Signed(body, one.side.key.sign(body).signature)])


def of_a_strange_name(one: Mallory) -> m.Ops:
    """A log that whoever kept it could tell nobody of: every greeting of theirs would be refused as garbage."""
    first = read(one.side.bundles[0].signed.body)
    signed, _hash = sign(msgspec.structs.replace(first, log=f"{one.side.device}-zz"), signer(one.side.key))
    return m.Ops([m.Signed(signed.body, signed.signature)])


def of_another_production(one: Mallory) -> m.Ops:
    other = Side("mallory", caller=True, workspace="ws_other")
    other.writes(1)
    return m.Ops([m.Signed(other.bundles[0].signed.body, other.bundles[0].signed.signature)])


def chained_wrong(one: Mallory) -> m.Ops:
    one.side.bundles = one.side.bundles[:1] * 2
    one.side.writes(1)  # the third, which follows the first
    return m.Ops([one.signed(1), one.signed(3)])


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (forged, "A bundle's signature doesn't hold: it was altered on the way."),
        (of_another_log, "A bundle names a device whose key it doesn't carry."),
        (of_a_strange_name, "A bundle's log has a name that no log has."),
        (of_another_production, "This comes from another production."),
        (chained_wrong, "A bundle's number doesn't follow that of the one before it."),
    ],
)
@pytest.mark.parametrize("ahead", [False, True])
def test_bundles_that_are_none(
    tmp_path: Path, make: Callable[[Mallory], m.Ops], why: str, ahead: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = verify_ahead(monkeypatch) if ahead else None

    async def scene(peers: Peers) -> None:
        before = await peers.alex.workspace.state_hash()
        mallory = await member(peers)
        mallory.side.writes(1)
        await mallory.sends(make(mallory))
        await mallory.is_let_go()
        assert mallory.side.closed == "untrusted"
        await peers.says(f"mallory sent what can't be trusted, and was let go: {why}")
        assert await peers.alex.workspace.state_hash() == before
        assert said is None or (False in said) == (make is not chained_wrong)

    play(tmp_path, scene)


def test_bundles_out_of_order_and_again_and_again_are_taken_once(tmp_path: Path) -> None:
    async def scene(peers: Peers) -> None:
        mallory = await member(peers)
        mallory.side.writes(5)
        for seq in (4, 2, 5, 3, 4, 1, 1, 5, 3):
            await mallory.sends(m.Ops([mallory.signed(seq)] * 20))
        await until(peers.blake, lambda: has(peers.blake, bundle(mallory, 5)), "the last of them")
        rows = [row for row in await peers.alex.workspace.log() if row["log"].startswith(mallory.side.device)]
        assert [row["seq"] for row in rows] == [1, 2, 3, 4, 5]
        assert not mallory.side.closed

    play(tmp_path, scene)


def test_more_logs_than_a_frame_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever makes thousands of them keeps nobody from anybody: everybody tells of all."""
    monkeypatch.setattr(m, "TIPS_MAX", 20)  # of as many as make no difference here

    async def scene(peers: Peers) -> None:
        mallory = await member(peers)
        mallory.side.writes(1)
        first = read(mallory.side.bundles[0].signed.body)
        made = [
            sign(msgspec.structs.replace(first, log=f"{mallory.side.device}-{at:08x}"), signer(mallory.side.key))
            for at in range(1, 101)
        ]
        await mallory.sends(m.Ops([m.Signed(one.body, one.signature) for one, _hash in made]))
        await until(peers.blake, lambda: has(peers.blake, made[-1][1].hex()[:32]), "the last of them")
        await peers.blake.leave()
        await peers.alex.workspace.commit([cue("cue_later", number="1")])
        await peers.blake.join((await peers.alex.host(trust_link=True))["link"], yes=True, listen="127.0.0.1", port=0)

    play(tmp_path, scene)


def test_a_message_that_is_too_large(tmp_path: Path) -> None:
    async def scene(peers: Peers) -> None:
        mallory = await member(peers)
        with suppress(Closed):
            await mallory.channel.send(bytes(FRAME_BYTES_MAX + 1))
        await mallory.is_let_go()
        await peers.says("mallory is gone: A message is larger than any this program sends.")

    play(tmp_path, scene)


def test_garbage(tmp_path: Path) -> None:
    async def scene(peers: Peers) -> None:
        mallory = await member(peers)
        await mallory.channel.send(b"\xff\x00")
        await mallory.is_let_go()
        assert mallory.side.closed == "malformed"
        await peers.says("mallory is gone: A message")

    play(tmp_path, scene)


def test_a_flood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "FRAMES_MAX", 300)  # as fast as no network here is

    async def scene(peers: Peers) -> None:
        mallory = await member(peers)
        with suppress(Closed):
            while True:
                await mallory.sends(m.Heartbeat(1, "", False, 1))
                await asyncio.sleep(0)  # all of this is one process
        await peers.says("mallory is gone: Too many messages came at once.")

    play(tmp_path, scene)


def test_one_that_never_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow, "STALL_MS", 4_000)

    async def scene(peers: Peers) -> None:
        mallory = await member(peers)
        made = [
            await peers.alex.workspace.commit(
                [SetField(entity="cue_42", facet="cues.cue", field="label", value=f"{number:02}" * 15_000)]
            )
            for number in range(100)
        ]
        await until(peers.blake, lambda: has(peers.blake, made[-1].bundle), "the last of them")
        assert peers.alex._hosting is not None
        waiting = [one._size for one in peers.alex._hosting.connections.values()]
        assert max(waiting) < 2 * flow.WINDOW_BYTES
        while peers.alex.status()["events"][-1]["sentence"] != "mallory is gone: The other device takes nothing in.":
            with suppress(Closed):
                await mallory.sends(m.Heartbeat(1, "", False, 1))
            await peers.alex.changed(peers.alex.status()["revision"], 0.2)

    play(tmp_path, scene)


def test_files_that_nobody_names(tmp_path: Path) -> None:
    """Who may only look could fill everybody's disk with them: they aren't asked for, until a value names one."""

    async def scene(peers: Peers) -> None:
        mallory = await member(peers)
        named, other = hashlib.sha256(b"named").digest(), bytes(32)
        await mallory.sends(m.BlobsHeld([other, named]))
        await peers.alex.workspace.commit([cue("cue_file", label=f"blob:{named.hex()}")])

        def asked() -> list[bytes]:
            heard = [one.message for one in mallory.side.outputs if isinstance(one, Heard)]
            return [one.hash for one in heard if isinstance(one, m.ChunkWanted)]

        beating = asyncio.create_task(_beats(mallory))
        await mallory.hears(asked)
        beating.cancel()
        assert set(asked()) == {named}

    play(tmp_path, scene)


async def _beats(one: Mallory) -> None:
    while True:
        await one.sends(m.Heartbeat(1, "", False, 1))
        await asyncio.sleep(1)


# -- what a member says that it has ------------------------------------------------------------------------


def test_lies_about_the_logs_of_others(tmp_path: Path) -> None:
    """Tips that nobody has, other hashes, fewer than it said before. Nobody waits for what doesn't come."""

    async def scene(peers: Peers) -> None:
        logs = [service.workspace.replica for service in (peers.alex, peers.blake)]
        mallory = Mallory(await peers.call(), await peers.link())
        places = ("0123456789abcdef-01234567", 999), (logs[1], 1), (logs[1], 999)
        false = [m.Tip(log, seq, b"x" * 32) for log, seq in places]
        mallory.side.tips = lambda: {str(at): tip for at, tip in enumerate(false)}  # type: ignore[method-assign]
        await mallory.comes_in()
        await peers.nobody_else_notices()
        for tips, whole in ((false, False), ([], True), ([m.Tip(logs[0], 1, b"z" * 32)], True)):
            await mallory.sends(m.Ack(tips, whole=whole), m.Forked(logs[0], [m.Point(1, b"z" * 32)]))
        await peers.nobody_else_notices()
        assert [service.workspace.replica for service in (peers.alex, peers.blake)] == logs

    play(tmp_path, scene)


def test_one_that_says_to_hold_no_end_of_logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What anybody says is kept in bounds: of its own holdings, and of others' as a leader tells it."""
    monkeypatch.setattr(flow, "HELD_TIPS_MAX", 500)
    monkeypatch.setattr(peer, "HELD_TIPS_MAX", 500)

    async def scene(peers: Peers) -> None:
        mallory = await member(peers)
        names = iter(f"{at:08x}" for at in range(10**6))
        with suppress(Closed):
            for whole in (True, True, True, False, False, False):
                tips = [m.Tip(f"{mallory.side.device}-{next(names)}", 1, bytes(32)) for _ in range(300)]
                stored = [m.Stored(f"{next(names):0>16}", f"{'0' * 16}-{next(names)}", 1) for _ in range(200)]
                await mallory.sends(m.Ack(tips, whole), m.Heartbeat(1, "", False, 1, stored))
        await mallory.is_let_go()
        assert mallory.side.closed == "flood"
        assert peers.alex._hosting is not None
        kept = peers.alex._hosting.peer._acknowledged
        assert max(len(logs) for logs in kept.values()) <= 500
        assert kept.keys() <= {mallory.side.device, peers.blake.workspace.identity.device}

    play(tmp_path, scene)


def test_one_that_says_to_hold_more_of_this_devices_log(tmp_path: Path) -> None:
    """It costs a log: from here on another is written, and it can be read who said so."""

    async def scene(peers: Peers) -> None:
        log = peers.alex.workspace.replica
        mallory = Mallory(await peers.call(), await peers.link())
        mallory.side.tips = lambda: {"": m.Tip(log, 999, hashlib.sha256().digest())}  # type: ignore[method-assign]
        await mallory.comes_in()
        await peers.says("mallory: Another device holds what this one had written and doesn't hold")
        assert peers.alex.workspace.replica != log

    play(tmp_path, scene)
