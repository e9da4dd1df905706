"""What pages and commands are shown of a gathering."""

from __future__ import annotations

from typing import Any

from openprod.engine.commit import Committer
from openprod.engine.workspace import Workspace
from openprod.sync.election import Role
from openprod.sync.hosting import Hosting
from openprod.sync.plans import Coming


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
            "here": not one.away, "connected": one.device in peer.joined,
        }
        for one in election.roster
    ]  # fmt: skip
    found["copy"] = hosting.copying.status
    mine = hosting.tips.get(workspace.replica)
    if mine is not None:
        on_leader, devices = peer.spread(mine.log, mine.seq)
        found["mine"] = {"bundles": mine.seq, "on_leader": on_leader, "devices": devices}
    return found


async def edits(workspace: Workspace, hosting: Hosting | None, limit: int) -> list[dict[str, Any]]:
    """The latest bundles, newest first."""

    def rows(committer: Committer) -> list[tuple[str, str, int, str]]:
        found = committer.storage.bundles(newest_first=True, limit=limit)
        return [(row.id, row.log, row.seq, row.name) for row in found]

    listed = await workspace.on_thread(rows)
    peer = hosting.peer if hosting is not None and hosting.peer.gathering else None
    found = []
    for id, log, seq, name in listed:
        on_leader, devices = peer.spread(log, seq) if peer is not None else (False, 0)
        found.append({"bundle": id, "author": name, "here": True, "on_leader": on_leader, "devices": devices})
    return found


def plan(coming: Coming) -> dict[str, Any]:
    return {
        "id": coming.id.hex(), "device": coming.device, "name": coming.name, "bundles": coming.bundles,
        "bytes": coming.size, "sends": coming.sends, "sends_bytes": coming.sends_size,
        "conflicts": coming.conflicts, "at_least": coming.at_least,
        "authors": [{"name": one.name, "device": one.device, "bundles": one.bundles} for one in coming.authors],
    }  # fmt: skip
