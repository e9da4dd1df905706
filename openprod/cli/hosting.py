"""Hosting from the terminal: how other devices reach this one, the link for one of them, the node that goes on."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import click
from anyio import to_thread

from openprod import running
from openprod.cli.calls import Node, Refused
from openprod.cli.options import plural
from openprod.cli.output import note, print_json, printable, say

PEER_PORT = 8041
"""Of a hub: others remember where it is."""
_WAIT_S = 20
Work = Callable[[Node], Awaitable[None]]


def reached(*, page: bool = True) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Options of how other devices reach this one; ``page``: and of the node that is started if none runs."""
    options = [
        click.option("--listen", default="0.0.0.0", show_default=True, help="Where to listen for other devices."),
        click.option("--peer-port", type=click.IntRange(0, 65535), help="For other devices; 0 picks a free one."),
        click.option(
            "--address", "addresses", multiple=True, metavar="HOST:PORT", help="Where others call this device."
        ),
    ]
    if page:
        options.append(
            click.option("--port", type=click.IntRange(0, 65535), default=8040, show_default=True, help="Of the page.")
        )

    def add(command: Callable[..., None]) -> Callable[..., None]:
        for option in options:
            command = option(command)
        return command

    return add


def tell_link(found: dict[str, Any], *, as_json: bool = False, asks: bool = False, here: bool = False) -> None:
    """What hosting answered: a link and a code for one device more. ``asks``: about whoever brings the link; ``here``:
    at this terminal.
    """
    if as_json:
        print_json(found)
    elif not found["link"]:
        note("Members can join. A link for somebody new comes from an owner's device.")
    else:
        say(found["link"])
        note("The link lets one device in: openprod join LINK NEW-FOLDER")
        if sys.stderr.isatty():
            from openprod.cli.codes import note_qr  # heavy: only who hosts at a terminal needs it

            note_qr(found["link"])
        if found["code"]:
            words = found["code"].replace("-", " ")
            note(f'So does, for a minute, saying “{words}”: openprod join "{words}" NEW-FOLDER')
        if asks:
            where = "here" if here else "by openprod peers and openprod approve"
            note(f"You are asked who comes: {where}, or in the page.")
        elif found["code"]:
            note("Who says the words is asked about: openprod peers, openprod approve.")
    sys.stdout.flush()


async def welcome(node: Node, found: Any) -> None:
    """Say at this terminal what happens, and ask about newcomers, for as long as the node runs."""
    while True:
        before = found["events"]
        found = await node.get("session", after=found["revision"], wait=_WAIT_S)
        for event in found["events"]:
            if event not in before:
                note(event["sentence"])
        for one in found["newcomers"]:
            await _ask(node, f"{newcomer(one)} wants to join.", one["device"])
        for plan in found["plans"]:
            if plan["newcomer"]:
                brings = f", and brings {plural(plan['bundles'], 'bundle')}" if plan["bundles"] else ""
                sentence = f"{device_of(plan)} came with your link, to be {plan['newcomer']}{brings}."
                await _ask(node, sentence, plan["id"])


async def _ask(node: Node, sentence: str, plan: str) -> None:
    question = f"{printable(sentence)} Let it in?"
    yes = await to_thread.run_sync(partial(click.confirm, question, err=True), abandon_on_cancel=True)
    with suppress(Refused):  # it has given up meanwhile, or would bring something else now
        await node.post("session", "approve" if yes else "decline", body={"plan": plan})


def device_of(plan: dict[str, Any]) -> str:
    """Whose it is, what it is called, and what can't be made up."""
    named = f"{plan['device_name']}, " if plan.get("device_name") else ""
    return f"{plan['name']} ({named}device {plan['device'][:8]})"


def newcomer(one: dict[str, Any]) -> str:
    return f"{one['name']} ({one['device_name']})"


def with_node(folder: Path, port: int, begin: Work) -> None:
    """``begin`` with the node that serves the workspace; else with one that is started here and goes on after it."""

    async def run() -> None:
        async with running.served(folder) as http:
            if http is not None:
                await begin(Node(http))
                return
        await _serve(folder, begin, port=port)

    running.run(run)


def serve_hub(folder: Path, *, host: str, port: int, body: dict[str, Any]) -> None:
    """Serve a workspace as a hub until interrupted, with its gathering open from the start. ``body``: how it is hosted.

    Raises Refused when members can't be listened for, and what serving raises.
    """

    async def begin(node: Node) -> None:
        tell_link(await node.post("session", "host", body=body))

    running.run(partial(_serve, folder, begin, host=host, port=port, hub=True))


async def _serve(folder: Path, begin: Work, **how: Any) -> None:
    """Until interrupted; ``begin`` once requests are answered."""
    from openprod import node as serving  # heavy: a command on a running node needs none of it

    ready = anyio.Event()

    def announce(url: str) -> None:
        say(f"listening on {url}")
        sys.stdout.flush()
        ready.set()

    async def serve() -> None:
        await serving.serve(
            folder, announce=announce, tell=note, open_browser=lambda address: note(f"The page: {address}"), **how
        )
        tasks.cancel_scope.cancel()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve)
        await ready.wait()
        async with serving.connect(folder) as http:
            await begin(Node(http))
