"""`openprod host`, `join`, `leave`, `end`, `peers`, `approve`, `decline`: several devices with one production."""

from __future__ import annotations

import re
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import click
from anyio import to_thread

from openprod import running
from openprod.cli.calls import Node, Refused, call
from openprod.cli.hosting import device_of, newcomer, reached, tell_link, welcome, with_node
from openprod.cli.options import folder_argument, json_option, plural
from openprod.cli.output import note, print_json, print_table, progress, say
from openprod.cli.times import moment
from openprod.errors import Busy, InputError, NotFound, Stale, Unreachable

_WAIT_S = 20
_EVENTS_SHOWN = 12
_AGAIN = "Does the other device still host? Whoever is there sees what came of it. Then join again."


@click.command()
@folder_argument
@click.option("--role", type=click.Choice(["viewer", "editor", "owner"]), default="editor", show_default=True)
@click.option("--trust-link", is_flag=True, help="Let whoever brings the link in, without asking who it is.")
@reached()
@json_option
def host(
    folder: Path,
    role: str,
    trust_link: bool,
    listen: str,
    peer_port: int | None,
    addresses: tuple[str, ...],
    port: int,
    as_json: bool,
) -> None:
    """Let other devices join, and print a link for one of them.

    Whoever comes with it is shown and asked about: here, in the page, or by `openprod peers` and `openprod approve`.
    In the node that serves the workspace, or in one that is started here and runs until interrupted. Called again, it
    prints a link for one device more.
    """
    body = {
        "role": role, "trust_link": trust_link, "listen": listen, "port": peer_port, "addresses": list(addresses),
    }  # fmt: skip

    async def begin(node: Node) -> None:
        found = await node.post("session", "host", body=body)
        here = sys.stdin.isatty() and not as_json and not served
        tell_link(found, as_json=as_json, asks=not trust_link, here=here)
        if here:
            with suppress(Busy):  # the node has been stopped
                await welcome(node, found)

    served = running.run(partial(running.is_served, folder))
    with_node(folder, port, begin)


@click.command()
@click.argument("words", metavar="[LINK|CODE|ADDRESS] DIR", nargs=-1, required=True)
@click.option("--at", default="", metavar="HOST:PORT", help="With a code: where the other device is.")
@click.option("--yes", is_flag=True, help="Approve of what would come and go, without being asked.")
@reached()
def join(
    words: tuple[str, ...],
    at: str,
    yes: bool,
    listen: str,
    peer_port: int | None,
    addresses: tuple[str, ...],
    port: int,
) -> None:
    """Join by a link or a spoken code: into a new folder, or with this device's copy. Without one: those from before.

    Who is a member may also give the address (HOST:PORT) of another.

    In a gathering it calls those who aren't in it: after a broken network or a declined plan, or if they host, too.

    Shows who is there and what would come and go, and asks. The node that serves the workspace joins, or one that is
    started here and runs until interrupted.
    """
    if len(words) not in (1, 2, 4):
        raise click.UsageError("Give a link, an address or the three words of a code, and a folder.")
    link, folder = " ".join(words[:-1]), Path(words[-1])
    if link:
        # heavy: only who joins somebody in particular needs them
        from openprod.engine.copying import empty_copy
        from openprod.storage.sqlite.connection import DATABASE
        from openprod.sync.known import parse
        from openprod.sync.pairing import parse_link

        is_new = not (folder / DATABASE).is_file()
        if parse(link) is not None:
            if is_new:
                raise InputError(
                    "By an address, only who has a copy already can join.", hint="Ask there for a link or a code."
                )
        elif "://" not in link:
            from openprod.cli.codes import link_by_code  # heavy: only who joins by code needs it

            link = link_by_code(link, at, yes=yes)
        if is_new:
            empty_copy(folder, parse_link(link).workspace)
    body = {"link": link, "yes": yes, "listen": listen, "port": peer_port, "addresses": list(addresses)}

    async def begin(node: Node) -> None:
        found = await node.post("session", "join", body=body)
        if found["in_session"]:
            note("This device is in a gathering. Those from before who aren't in it are called: openprod peers.")
            return
        name, device = found["me"]["name"], found["me"]["device"][:8]
        note(f"You come as {name}, device {device}. Both sides are asked.")
        while not found["in_session"]:
            if found["joining"] in ("failed", ""):
                raise Unreachable(f"Nothing was joined. {found['problem']}".strip(), hint=_AGAIN)
            if found["plans"] and not yes:
                plan = found["plans"][0]
                if await to_thread.run_sync(_confirmed, plan, abandon_on_cancel=True):
                    await _approve(node, plan["id"])
                else:
                    await node.post("session", "decline", body={"plan": plan["id"]})
                    raise InputError("Nothing was joined, and nothing has moved.", hint="Join again when you want to.")
            found = await node.get("session", after=found["revision"], wait=_WAIT_S)
        say(f"Joined: {', '.join(one['name'] for one in found['members'] if not one['me'])}")
        sys.stdout.flush()
        with suppress(Busy):  # the node has been stopped
            await _show_copy(node, found, patience_s=0 if served else _WAIT_S)

    served = running.run(partial(running.is_served, folder))
    with_node(folder, port, begin)


async def _approve(node: Node, plan: str) -> None:
    """While a person thought, it may have become another one: that is shown and asked about then."""
    try:
        await node.post("session", "approve", body={"plan": plan})
    except Refused as error:
        if error.code not in (Stale.code, NotFound.code):
            raise


@click.command()
@folder_argument
@json_option
def leave(folder: Path, as_json: bool) -> None:
    """Leave the others. Everybody keeps what they have."""
    _print(call(folder, lambda node: node.post("session", "leave")), as_json)


@click.command()
@folder_argument
@json_option
def end(folder: Path, as_json: bool) -> None:
    """Close the gathering for everybody. Everybody keeps what they have."""
    _print(call(folder, lambda node: node.post("session", "end")), as_json)


@click.command()
@folder_argument
@json_option
def peers(folder: Path, as_json: bool) -> None:
    """Show who is here, who leads, what waits for a word, how far your latest edit has come, and what happened."""
    found = call(folder, lambda node: node.get("session"))
    _print(found, as_json)
    if not as_json:
        for event in found["events"][-_EVENTS_SHOWN:]:
            note(f"{moment(event['at'])}  {event['sentence']}")


@click.command()
@folder_argument
@click.argument("plan", required=False)
@json_option
def approve(folder: Path, plan: str | None, as_json: bool) -> None:
    """Say yes to what `openprod peers` shows as waiting. It happens once the other side says yes too."""
    _print(call(folder, lambda node: _answer(node, "approve", plan)), as_json)


@click.command()
@folder_argument
@click.argument("plan", required=False)
@json_option
def decline(folder: Path, plan: str | None, as_json: bool) -> None:
    """Say no to what `openprod peers` shows as waiting: nothing moves."""
    _print(call(folder, lambda node: _answer(node, "decline", plan)), as_json)


async def _answer(node: Node, what: str, plan: str | None) -> Any:
    if plan is None:
        session = await node.get("session")
        waiting = [one["device"] for one in session["hosts"] + session["newcomers"]]
        waiting += [one["id"] for one in session["plans"]]
        if len(waiting) > 1:
            raise InputError("More than one plan waits.", hint="Name one: `openprod peers` shows them.")
        if not waiting:
            raise NotFound("No plan waits for a word.", hint="`openprod peers` shows what waits.")
        plan = waiting[0]
    elif not re.fullmatch("[0-9a-f]{16}|[0-9a-f]{64}", plan):
        raise InputError(f"“{plan[:80]}” is nothing that waits.", hint="`openprod peers` shows what does, and its id.")
    return await node.post("session", what, body={"plan": plan})


async def _show_copy(node: Node, found: dict[str, Any], *, patience_s: float) -> None:
    """A bar while a whole copy comes, and one while it is taken in; also of one that begins within ``patience_s``."""
    deadline = anyio.current_time() + patience_s
    while found["copy"] or anyio.current_time() < deadline:
        if found["copy"]:
            came = found["copy"]["came"] >= found["copy"]["bytes"]
            label, done, total = ("Checking", "taken", "bundles") if came else ("Fetching", "came", "bytes")
            with progress(label) as report:
                while found["copy"] and found["copy"][done] < found["copy"][total]:
                    report(found["copy"][done], found["copy"][total])
                    found = await node.get("session", after=found["revision"], wait=_WAIT_S)
        found = await node.get("session", after=found["revision"], wait=_WAIT_S)


def _confirmed(plan: dict[str, Any]) -> bool:
    note(_sentence(plan))
    return click.confirm("Join?", err=True)


def _sentence(plan: dict[str, Any]) -> str:
    by = ", ".join(f"{one['bundles']} by {one['name']}" for one in plan["authors"])
    least = "at least " if plan["at_least"] else ""
    came = f"came with a link, to be {plan['newcomer']}" if plan["newcomer"] else "is there"
    return (
        f"{device_of(plan)} {came}. "
        f"Coming: {plural(plan['bundles'], 'bundle')}{f' ({by})' if by else ''}, {plan['bytes']} bytes. "
        f"Going: {plural(plan['sends'], 'bundle')}. {least}{plural(plan['conflicts'], 'conflict')} to come."
    )


def _print(found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    if not found["in_session"]:
        note("This device is in no gathering.")
    else:
        rows = [
            [one["name"] + (" (hub)" if one["hub"] else ""), one["device"], one["leads"], one["here"], one["me"]]
            for one in found["members"]
        ]
        print_table(["name", "device", "leads", "here", "this device"], rows)
        mine = found["mine"]
        if mine["bundles"]:
            leader = "on the leader" if mine["on_leader"] else "not yet on the leader"
            note(f"Your latest edit: here, {leader}, on {plural(mine['devices'], 'other device')}.")
    if found["alone"]:
        note(f"On no other device yet: {plural(found['alone'], 'edit')} of yours.")
    if found["clock"]["sentence"]:
        note(found["clock"]["sentence"])
    for one in found["hosts"]:
        say(f"waits: {one['device']}  “{one['title']}”, hosted by {newcomer(one)}. Is that the one?")
    for one in found["newcomers"]:
        say(f"waits: {one['device']}  {newcomer(one)} knows the code and wants to join.")
    for plan in found["plans"]:
        say(f"waits: {plan['id']}  {_sentence(plan)}")
