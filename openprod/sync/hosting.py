"""A ``Peer`` at work: its connections, its clock, and the replica's answers to what it asks.

Everything of ``Peer`` runs on the event loop; the replica is asked on the workspace's thread. What one connection asks
is answered in the order in which it asked: a ``Fetch`` that was answered before a commit is handed on before the news
of that commit, because the thread answers in order and nothing here waits in between. Who is up to date gets what is
new without asking the thread.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections import deque
from collections.abc import Sequence
from functools import partial
from typing import Final, Protocol

import anyio
import msgspec

from openprod.core.bundles import SignedBundle
from openprod.engine.commit import Committer
from openprod.engine.events import Committed
from openprod.engine.workspace import Workspace
from openprod.errors import OpenprodError, StorageError, Unreachable, Untrusted
from openprod.sync import replica
from openprod.sync.admission import Admission, is_for_later
from openprod.sync.blob_exchange import BlobExchange, named_in
from openprod.sync.catchup import Intake, Survey, must_leave, survey
from openprod.sync.checking import Checking
from openprod.sync.copying import Copying
from openprod.sync.latest import Latest
from openprod.sync.messages import Have, Tip
from openprod.sync.outputs import Ask, Compare, Fetch, Heard, Now, Proven, RecordsCame, TakeIn
from openprod.sync.pairing import Invitation
from openprod.sync.peer import Connect, Disconnect, Do, Effect, Notice, Peer, PeerConfig, Transmit
from openprod.sync.plans import Coming, Offer
from openprod.sync.transport import Channel, Closed

TICK_S: Final = 1.0
FLUSH_S: Final = 5.0
WAITING_BYTES_MAX: Final = 32 * 1024 * 1024
_log = logging.getLogger(__name__)
_BOOT: Final[int | None] = getattr(time, "CLOCK_BOOTTIME", None)


def now() -> Now:
    """``mono`` counts the time that the machine slept, where the system can tell."""
    mono = time.clock_gettime_ns(_BOOT) if _BOOT is not None else time.monotonic_ns()
    return Now(mono // 1_000_000, time.time_ns() // 1_000_000)


class Connection:
    """``wanted``: a person has just asked for it; ``yes``: and approved of what comes. ``expected``: whom we called.

    ``paired``: the other proved the secret of a link; ``invitation``: that one, until a person here has said yes to who
    it is; ``let_in``: that has been said.
    """

    def __init__(self, number: int, channel: Channel, workspace: str) -> None:
        self.number, self.channel = number, channel
        self.intake = Intake(workspace)
        self.device = self.name = self.device_name = self.expected = ""
        self.secret = self.key = b""
        self.invitation: Invitation | None = None
        self.let_in = False
        self.caller = self.wanted = self.yes = self.paired = self.joined = False
        self.heads: list[bytes] | None = None
        self.asked: asyncio.Queue[tuple[Do, asyncio.Future[bool] | None]] = asyncio.Queue()
        self._frames: deque[bytes] = deque()
        self._size = 0
        self._more = asyncio.Event()
        self._ending = asyncio.Event()
        self._flushed = asyncio.Event()
        self.over = asyncio.Event()

    @property
    def who(self) -> str:
        """A person and a device, both as they call themselves, with what can't be made up."""
        named = f"{self.device_name}, " if self.device_name else ""
        return f"{self.name} ({named}device {self.device[:8]})"

    def put(self, frame: bytes) -> None:
        self._frames.append(frame)
        self._size += len(frame)
        self._more.set()
        if self._size > WAITING_BYTES_MAX:
            self.end()

    def end(self) -> None:
        """Once what was put has gone out, or it takes too long."""
        self._ending.set()
        self._more.set()

    async def send_all(self) -> None:
        try:
            while True:
                while self._frames:
                    frame = self._frames.popleft()
                    self._size -= len(frame)
                    await self.channel.send(frame)
                if self._ending.is_set():
                    break
                self._more.clear()
                await self._more.wait()
        except Closed:
            pass
        self._flushed.set()

    async def close_at_end(self) -> None:
        await self._ending.wait()
        with anyio.move_on_after(FLUSH_S):
            await self._flushed.wait()
        await self.channel.close()


class Host(Protocol):
    """What the peer's surroundings decide. All are called on the event loop and don't wait."""

    async def proven(self, connection: Connection, proven: Proven) -> str:
        """ "" or why the connection is to end."""

    def ask(self, connection: Connection, coming: Coming) -> None: ...
    def heard(self, connection: Connection, message: msgspec.Struct) -> None: ...
    def noticed(self, notice: Notice) -> None: ...
    def ended(self, connection: Connection, code: str, sentence: str, *, theirs: bool) -> None:
        """``theirs``: as the other side said."""

    def said(self, sentence: str) -> None: ...
    def connect(self, device: str) -> None: ...
    def calling(self) -> set[str]:
        """Devices that are being called."""

    def moved(self) -> None:
        """Something in what is shown may be another."""

    def ticked(self) -> None: ...


class Hosting:
    def __init__(
        self, workspace: Workspace, config: PeerConfig, admission: Admission, host: Host,
        acknowledged: dict[str, dict[str, int]] | None = None,
    ) -> None:  # fmt: skip
        self.workspace, self.peer, self.admission, self._host = workspace, Peer(config, acknowledged), admission, host
        self.connections: dict[int, Connection] = {}
        self.tips: dict[str, Tip] = {}
        self._latest = Latest()
        self._numbers = itertools.count(1)
        self._open: set[Connection] = set()
        self.checking = Checking(workspace.id)
        self._grown = asyncio.Event()
        # The production first, then what belongs to it: both at once take longer than one after the other.
        named = named_in(workspace.folder)
        self._blobs = BlobExchange(
            workspace.blobs, workspace.folder / "run", self.say, lambda: self.copying.comes, named
        )
        self.copying = Copying(workspace, self, lambda: now().mono, key=config.key, sign=config.sign)
        self._announcing = self._telling = False
        self._unstored = ""
        self._records: list[bytes] = []

    async def run(self) -> None:
        """Until cancelled."""
        unsubscribe = self.workspace.feed.subscribe(self._committed)
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._tell_commits)
                tasks.start_soon(self.copying.run)
                tasks.start_soon(self._blobs.run)
                tasks.start_soon(self.checking.run)
                await self._blobs.look()
                while True:
                    await anyio.sleep(TICK_S)
                    self.do(self.peer.tick(now(), self._host.calling()))
                    self._host.ticked()
                    await self.copying.tick()
                    if self.peer.joined:
                        await self._blobs.look((self.held, tuple(self._records)))
        finally:
            unsubscribe()

    # -- this node's own commits ---------------------------------------------------------------------------

    def _committed(self, event: Committed) -> None:
        if not self._announcing:
            self._grown.set()

    async def _tell_commits(self) -> None:
        self.tips, self._records, news = await self.workspace.on_thread(partial(_news, after=0))
        self._latest.add(news)
        while True:
            await self._grown.wait()
            self._grown.clear()
            self._telling = True
            tips, heads, news = await self.workspace.on_thread(partial(_news, after=self._latest.end))
            self._latest.add(news)
            if heads != self._records:
                self._records = heads
                await self._spread_records()
            grown = {name: tip for name, tip in tips.items() if self.tips.get(name) != tip}
            self.tips.update(grown)
            self.do(self.peer.committed(grown, now()))
            self._telling = False
            self._host.moved()

    @property
    def has_told_all(self) -> bool:
        """Whether the others have stored all that is here."""
        return not (self._telling or self._grown.is_set()) and self.peer.has_told_all

    async def _spread_records(self) -> None:
        """Before the bundles that name them. Who was removed is let go once it has been told."""
        await self.admission.learn()
        for connection in list(self.connections.values()):
            if connection.heads is not None:
                await self._send_records(connection)
            if connection.device in self.admission.removed and connection.invitation is None:
                why_not = "This device was removed from the production."
                self.do(self.peer.refused(connection.number, "not_admitted", why_not, now()))

    async def welcome(self, connection: Connection) -> None:
        """A person has said yes to a newcomer: it gets the records before it gets anything else."""
        connection.invitation, connection.let_in = None, True
        if connection.heads is not None:
            await self._send_records(connection)

    async def _send_records(self, connection: Connection) -> None:
        """Those that the other side lacks, as far as is known. They hold names: only who is let in gets any."""
        if connection.invitation is not None:
            return
        known = connection.heads or []
        heads = await self.workspace.member_heads()
        records = await self.workspace.member_records(known)
        connection.heads = heads
        if records:
            self.do(self.peer.send_records(connection.number, records, now()))

    # -- connections ---------------------------------------------------------------------------------------

    async def serve(
        self, channel: Channel, *, caller: bool, secret: bytes = b"", expected: str = "", wanted: bool = False,
        yes: bool = False,
    ) -> None:  # fmt: skip
        """One connection, to its end."""
        number = next(self._numbers)
        connection = self.connections[number] = Connection(number, channel, self.workspace.id)
        connection.caller, connection.secret, connection.expected = caller, secret, expected
        connection.wanted, connection.yes = wanted, yes
        self._open.add(connection)
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(connection.send_all)
                tasks.start_soon(connection.close_at_end)
                tasks.start_soon(self._answer_all, connection)
                self.do(
                    self.peer.opened(
                        number, now(), caller=caller, certificate=channel.certificate, expected=expected, secret=secret
                    )
                )
                try:
                    while True:
                        frame = await channel.receive()
                        self.do(self.peer.received(number, frame, now()))
                        self._host.moved()  # also when nothing is to be done: an acknowledgement, say
                        if not connection.joined:
                            # The other may have joined, and send content, while this side is still comparing.
                            await connection.asked.join()
                except Closed as error:
                    self._gone(connection, str(error))
                    # What came before the end counts: last edits, or the record that ends a membership.
                    with anyio.move_on_after(FLUSH_S):
                        await connection.asked.join()
                    tasks.cancel_scope.cancel()
        finally:
            self._gone(connection)
            with anyio.CancelScope(shield=True):
                await channel.close()
            self._open.discard(connection)
            connection.over.set()

    def _gone(self, connection: Connection, why: str = "") -> None:
        if self.connections.pop(connection.number, None) is not None:
            self._let_go_of(connection)
            self.do(self.peer.closed(connection.number, now(), why))
            self._host.ended(
                connection, "malformed" if why else "closed", why or "The connection was lost.", theirs=False
            )

    def _let_go_of(self, connection: Connection) -> None:
        self.copying.gone(connection.number)
        self._blobs.gone(connection.number)
        self._blobs.go_on()

    async def let_go(self) -> None:
        """End every connection, once what was put has gone out."""
        for connection in list(self._open):
            connection.end()
        for connection in list(self._open):
            await connection.over.wait()

    def do(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Transmit):
                if (connection := self.connections.get(effect.connection)) is not None:
                    connection.put(effect.frame)
            elif isinstance(effect, Disconnect):
                if (connection := self.connections.pop(effect.connection, None)) is not None:
                    connection.end()
                    self._let_go_of(connection)
                    if effect.code == "not_admitted":
                        connection.device = effect.device  # it has proved that
                    self._host.ended(connection, effect.code, effect.sentence, theirs=effect.theirs)
            elif isinstance(effect, Connect):
                self._host.connect(effect.device)
            elif isinstance(effect, Notice):
                if (connection := self.connections.get(effect.connection)) is not None:
                    connection.joined = True
                    self._blobs.joined(connection.number)
                self._host.noticed(effect)
            elif (connection := self.connections.get(effect.connection)) is not None:
                ahead = self.checking.begin(effect.output.bundles) if isinstance(effect.output, TakeIn) else None
                connection.asked.put_nowait((effect, ahead))
        if effects:
            self._host.moved()

    def say(self, message: msgspec.Struct, connection: int | None) -> None:
        self.do(self.peer.say(message, now(), connection=connection))

    # -- what a whole copy needs ---------------------------------------------------------------------------

    @property
    def held(self) -> int:
        return sum(tip.seq for tip in self.tips.values())

    def admitted(self, key: bytes) -> bool:
        return not self.admission.why_not(key, False, lambda device: device in self.peer.joined)

    def refuse(self, number: int, fault: OpenprodError) -> None:
        connection = self.connections.get(number)
        if connection is not None:
            _log.warning("%s sent what isn't to be trusted: %s", connection.device, fault.sentence)
            self._host.said(f"{connection.name} sent what can't be trusted, and was let go: {fault.sentence}")
        self.do(self.peer.refused(number, "untrusted", fault.sentence, now()))

    async def take(
        self, number: int, bundles: Sequence[SignedBundle], intake: Intake, ahead: asyncio.Future[bool] | None
    ) -> OpenprodError | None:
        connection = self.connections.get(number)
        if connection is None:
            return Unreachable("The connection was lost.")
        with anyio.CancelScope(shield=True):
            fault = await self._take_in(connection, bundles, intake, ahead)
        return fault

    def moved(self) -> None:
        self._host.moved()

    def copied(self) -> None:
        self._blobs.go_on()

    # -- what the peer asks --------------------------------------------------------------------------------

    async def _answer_all(self, connection: Connection) -> None:
        while True:
            asked, ahead = await connection.asked.get()
            try:
                await self._answer(connection, asked, ahead)
            except OpenprodError as error:
                code = error.code.lower() if error.code.replace("_", "").isalpha() else "error"
                self.do(self.peer.refused(connection.number, code, error.sentence, now()))
            finally:
                connection.asked.task_done()

    async def _answer(self, connection: Connection, asked: Do, ahead: asyncio.Future[bool] | None) -> None:
        output, number = asked.output, connection.number
        if isinstance(output, Proven):
            connection.device, connection.name, connection.paired = output.device, output.name, output.paired
            connection.key, connection.device_name = output.key, output.device_name
            why_not = await self._host.proven(connection, output)
            if why_not:
                self.do(self.peer.refused(number, "not_admitted", why_not, now()))
                return
            device = self.workspace.identity.device
            (tips, heads), written_ms = await self.workspace.on_thread(
                lambda committer: (_tips_and_heads(committer), replica.written_ms(committer, but=device))
            )
            self.peer.clocks.written(written_ms)
            self.do(self.peer.held(number, tips, heads, now(), approved=connection.yes))
        elif isinstance(output, Compare):
            await self._compare(connection, output)
        elif isinstance(output, Fetch):
            known, cursor, size = output
            supply = self._latest.after(known, cursor, size)
            if supply is None:
                supply = await self.workspace.on_thread(
                    lambda committer: replica.outgoing(committer, known, cursor=cursor, size=size)
                )
            self.do(self.peer.supplied(number, *supply, now()))
        elif isinstance(output, TakeIn):
            # What was committed must be told to pages and others, also when this connection ends meanwhile.
            with anyio.CancelScope(shield=True):
                await self._take_in(connection, output.bundles, connection.intake, ahead)
        elif isinstance(output, Ask):
            self._host.ask(connection, output.coming)
        elif isinstance(output, RecordsCame):
            trusted = connection.caller and connection.paired
            await self.admission.take(output.records, trusted=trusted)
        elif isinstance(output, Heard) and isinstance(output.message, Have):
            connection.heads = output.message.membership
            await self._send_records(connection)
        elif isinstance(output, Heard):
            if not await self.copying.heard(number, connection.device, output.message):
                await self._blobs.heard(number, output.message)
            self._host.heard(connection, output.message)

    async def _compare(self, connection: Connection, output: Compare) -> None:
        def look(committer: Committer) -> tuple[Survey, Offer | None, bool]:
            found = survey(replica.Held(committer), output.tips, output.points)
            leaves = must_leave(committer.log, found)
            if leaves:
                committer.leave_log()
            offered = None
            if output.offer:
                offered = replica.offer(committer, found.known, found.after, compared=bool(output.tips))
            return found, offered, leaves

        found, offered, left = await self.workspace.on_thread(look)
        if offered is not None and connection.invitation is not None:
            offered = offered._replace(authors=[])  # how much would come, but nobody's name
        self.do(self.peer.compared(connection.number, found, offered, now()))
        if left:
            await self._left_log(connection)

    async def _take_in(
        self, connection: Connection, bundles: Sequence[SignedBundle], intake: Intake,
        ahead: asyncio.Future[bool] | None,
    ) -> OpenprodError | None:  # fmt: skip
        """What was wrong, if anything; that has been told."""
        number, size = connection.number, sum(len(one.body) for one in bundles)
        checked = ahead is not None and await ahead
        try:
            taken = await self.workspace.on_thread(
                lambda committer: replica.take_in(committer, intake, bundles, self._latest.end, checked=checked)
            )
        except Untrusted as error:
            self.refuse(number, error)
            return error
        except StorageError as error:
            self._cannot_store(error)
            self.do(self.peer.took(number, {}, {}, size, now()))
            return error
        self._latest.add(taken.news)
        self._announce(taken.events)
        for fork in taken.forks:
            self._host.said(f"The log {fork.log} has two histories: a copy of that device went on. Both are kept.")
        later = isinstance(taken.fault, StorageError) or is_for_later(taken.fault)
        if taken.fault is not None and not later:
            self.do(self.peer.refused(number, "untrusted", taken.fault.sentence, now()))
            self._grown.set()  # what came in before the fault
        elif taken.fault is not None:
            if isinstance(taken.fault, StorageError):
                self._cannot_store(taken.fault)
            self.do(self.peer.took(number, {}, {}, size, now()))
        else:
            self._unstored = ""
            self.tips.update(taken.tips)
            self.do(self.peer.took(number, taken.tips, taken.known, size, now()))
        if taken.left_log:
            await self._left_log(connection)
        return taken.fault

    def _cannot_store(self, error: StorageError) -> None:
        """Said once, until something can be."""
        if error.sentence != self._unstored:
            self._unstored = error.sentence
            self._host.said(f"What came can't be stored, and comes again: {error.sentence}")

    def _announce(self, events: Sequence[Committed]) -> None:
        self._announcing = True
        try:
            self.workspace.announce(events)
        finally:
            self._announcing = False

    async def _left_log(self, connection: Connection) -> None:
        await self.workspace.relearn()
        self._host.said(f"{connection.name}: {self.workspace.notice}")


def _tips_and_heads(committer: Committer) -> tuple[dict[str, Tip], list[bytes]]:
    """What the replica holds, and its membership's heads."""
    return replica.Held(committer).tips(), list(committer.members.heads)


def _news(committer: Committer, after: int) -> tuple[dict[str, Tip], list[bytes], replica.News]:
    return *_tips_and_heads(committer), replica.news(committer, after)
