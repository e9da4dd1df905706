"""What pages and commands are shown of a gathering."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from openprod.core.clock import moment
from openprod.engine.commit import Committer
from openprod.engine.workspace import Workspace
from openprod.storage.ports import BundleRow
from openprod.sync import catchup
from openprod.sync.clocks import FINE
from openprod.sync.election import Role
from openprod.sync.hosting import Hosting
from openprod.sync.plans import Coming
from openprod.sync.replica import PAGE, Held


def gathering(workspace: Workspace, hosting: Hosting | None) -> dict[str, Any]:
    """Who is here, who leads, how far this device's latest bundle has come."""
    me = workspace.identity
    found: dict[str, Any] = {
        "in_session": False, "gathering": "", "me": {"device": me.device, "name": me.name}, "leader": "",
        "leads": False, "term": 0, "members": [], "mine": {"bundles": 0, "on_leader": False, "devices": 0},
        "copy": None,
    }  # fmt: skip
    if hosting is None or not hosting.peer.gathering:
        return found
    peer, election = hosting.peer, hosting.peer.election
    leader = "" if election.role is Role.LOST else election.leader
    found |= {
        "in_session": True, "gathering": peer.gathering, "leader": leader, "leads": peer.leads, "term": election.term,
    }  # fmt: skip
    found["members"] = [
        {
            "device": one.device, "name": one.name, "me": one.device == me.device, "leads": one.device == leader,
            "here": not one.away, "connected": one.device in peer.joined, "hub": one.hub,
            "role": hosting.admission.roles.get(one.device, ""),
        }
        for one in election.roster
    ]  # fmt: skip
    found["copy"] = hosting.copying.status
    mine = hosting.tips.get(workspace.replica)
    if mine is not None:
        on_leader, devices = peer.spread(mine.log, mine.seq)
        found["mine"] = {"bundles": mine.seq, "on_leader": on_leader, "devices": devices}
    return found


def clock(hosting: Hosting | None) -> dict[str, Any]:
    """How far this device's clock is off the gathering's time; to whole seconds, so that it tells little news."""
    report = hosting.peer.clocks.report if hosting is not None else FINE
    offset_ms = report.offset_ms // 1000 * 1000 if report.sentence else 0
    return {"verdict": report.verdict.value, "offset_ms": offset_ms, "sentence": report.sentence}


class Spread(NamedTuple):
    """``stored``: {device: {log: how far it holds it}}, as far as is known; ``own``: this device's id."""

    stored: Mapping[str, Mapping[str, int]]
    own: str

    def alone(self, committer: Committer) -> dict[str, tuple[int, int]]:
        """{branch: (seq, base)} of this device's logs: what comes after that seq is on no other device."""
        found = {}
        for branch in Held(committer).branches():
            if branch.log.startswith(f"{self.own}-"):
                elsewhere = max((logs.get(branch.log, 0) for logs in self.stored.values()), default=0)
                if branch.seq > max(branch.base, elsewhere):
                    found[branch.name] = max(branch.base, elsewhere), branch.base
        return found

    def count(self, committer: Committer) -> int:
        held = Held(committer)
        return sum(held.branch(name).seq - seq for name, (seq, _base) in self.alone(committer).items())


async def alone(workspace: Workspace, spread: Spread) -> int:
    """How many of this device's own bundles are on no other, as far as is known."""
    return await workspace.on_thread(spread.count)


async def edits(
    workspace: Workspace, hosting: Hosting | None, spread: Spread, *, limit: int, only_alone: bool
) -> dict[str, Any]:
    """The latest bundles, newest first: all, or those that are on this device only."""

    def rows(committer: Committer) -> tuple[list[BundleRow], int]:
        count = spread.count(committer)
        if not only_alone:
            return committer.storage.bundles(newest_first=True, limit=limit), count
        after = spread.alone(committer)
        found: list[BundleRow] = []
        before: int | None = None
        while len(found) < min(count, limit):
            page = committer.storage.bundles(newest_first=True, limit=PAGE, before=before)
            if not page:
                break
            before = page[-1].number
            found += [row for row in page if row.log in after and row.seq + after[row.log][1] > after[row.log][0]]
        return found[:limit], count

    listed, count = await workspace.on_thread(rows)
    peer = hosting.peer if hosting is not None and hosting.peer.gathering else None
    found = []
    for row in listed:
        on_leader = peer is not None and peer.spread(row.log, row.seq)[0]
        found.append(
            {
                "bundle": row.id, "author": row.name, "at": moment(row.hlc), "message": row.message,
                "intent": row.intent, "here": True, "on_leader": on_leader,
                "devices": catchup.spread(row.log, row.seq, spread.stored),
            }
        )  # fmt: skip
    return {"alone": count, "edits": found}


def plan(coming: Coming, newcomer: str = "", device_name: str = "") -> dict[str, Any]:
    """``newcomer``: the role that it would have, which nobody here has said yes to yet. ``device_name``: "" from an
    older program.
    """
    return {
        "id": coming.id.hex(), "device": coming.device, "name": coming.name, "device_name": device_name,
        "bundles": coming.bundles,
        "bytes": coming.size, "sends": coming.sends, "sends_bytes": coming.sends_size,
        "conflicts": coming.conflicts, "at_least": coming.at_least, "newcomer": newcomer,
        "authors": [{"name": one.name, "device": one.device, "bundles": one.bundles} for one in coming.authors],
    }  # fmt: skip
