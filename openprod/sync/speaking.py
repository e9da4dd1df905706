"""Spoken codes over a connection (``transport.PAIRING``): what ``openprod.sync.spoken`` asks for is done here.

The host calls ``answer`` for each such connection that comes in; the joining side ``ask`` on one that it opened.
``confirm`` shows a person the names and returns whether that's the one; it is cancelled when the other side gives up.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

import anyio

from openprod.core.ids import RandomBytes
from openprod.errors import Denied, Unreachable
from openprod.sync import outputs
from openprod.sync.spoken import EXCHANGE_S, MACHINE_S, Codes, Confirm, Hosting, Joining, Me, Output, Paired
from openprod.sync.transport import Channel, Closed

Confirmed = Callable[[Confirm], Awaitable[bool]]


class _Side(Protocol):
    over: bool

    def received(self, frame: bytes) -> list[Output]: ...
    def agree(self) -> list[Output]: ...
    def decline(self) -> list[Output]: ...


async def answer(
    channel: Channel, codes: Codes, me: Me, *, workspace: str, title: str, confirm: Confirmed,
    paired: Callable[[Paired], None],
) -> Paired:  # fmt: skip
    """``paired`` is called before the other side is told, so that its key is known when it comes back.

    Raises Denied with the reason, Unreachable when the other side went away or nobody answered in time.
    """
    side = Hosting(codes, me, certificate=channel.certificate, workspace=workspace, title=title)
    return await _talk(channel, side, [], confirm, paired)


async def ask(channel: Channel, code: str, me: Me, *, confirm: Confirmed, random_bytes: RandomBytes) -> Paired:
    """Raises as ``answer``; InputError for what can't be a code."""
    side = Joining(code, me, certificate=channel.certificate, random_bytes=random_bytes)
    return await _talk(channel, side, side.start(), confirm, lambda _paired: None)


async def _talk(
    channel: Channel, side: _Side, first: list[Output], confirm: Confirmed, paired: Callable[[Paired], None]
) -> Paired:
    try:
        with anyio.fail_after(EXCHANGE_S):
            return await _exchange(channel, side, first, confirm, paired)
    except TimeoutError:
        with anyio.move_on_after(1):
            await _send(channel, side.decline())
        raise Unreachable("Nobody answered in time.", hint="Ask for another code.") from None
    except Closed:
        raise Unreachable("The other device went away before it was done.", hint="Ask for another code.") from None
    finally:
        with anyio.CancelScope(shield=True):
            await channel.close()


async def _exchange(
    channel: Channel, side: _Side, todo: list[Output], confirm: Confirmed, paired: Callable[[Paired], None]
) -> Paired:
    found: Paired | None = None
    seen = False
    while True:
        asked: Confirm | None = None
        for output in todo:
            if isinstance(output, outputs.Send):
                await channel.send(output.frame)
            elif isinstance(output, Confirm):
                asked, seen = output, True
            elif isinstance(output, Paired):
                found = output
                paired(output)
            else:
                raise Denied(output.sentence, hint="Ask for another code, or for a link.")
        if found is not None and side.over:
            return found
        if asked is not None:
            todo = await _asked(channel, side, asked, confirm)
        else:
            # Programs answer at once; only people may take their time.
            with anyio.fail_after(EXCHANGE_S if seen else MACHINE_S):
                todo = side.received(await channel.receive())


async def _asked(channel: Channel, side: _Side, asked: Confirm, confirm: Confirmed) -> list[Output]:
    """What follows from a person's answer, or from what the other side says meanwhile."""
    todo: list[list[Output]] = []
    gone = False

    async with anyio.create_task_group() as tasks:

        async def listen() -> None:
            nonlocal gone
            try:
                todo.append(side.received(await channel.receive()))
            except Closed:
                gone = True
            tasks.cancel_scope.cancel()

        tasks.start_soon(listen)
        answered = await confirm(asked)
        todo.append(side.agree() if answered else side.decline())
        tasks.cancel_scope.cancel()
    if gone:
        raise Closed
    return todo[0]


async def _send(channel: Channel, todo: list[Output]) -> None:
    try:
        for output in todo:
            if isinstance(output, outputs.Send):
                await channel.send(output.frame)
    except Closed:
        pass
