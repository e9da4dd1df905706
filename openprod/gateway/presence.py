"""Who is here: awareness of one document, bound to the connections it came through. Pure.

- A connection changes only the awareness clients that it brought in. Yjs programs echo everybody's presence back;
  such echoes, and attempts to move or remove others, change nothing.
- Every relayed state carries ``account: {user, name}``, written here from the connection's token: that is who it
  really is. ``user`` (name, colour) stays what the program chose to show, and gets the account's name if it has none.
- Clocks are restamped so that a program that reconnects with the clock it left with is seen again at once: its
  peers heard a removal with that clock, and would otherwise ignore it until its next renewal.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

import msgspec

from openprod.gateway import protocol
from openprod.gateway.limits import Limits
from openprod.gateway.protocol import AwarenessEntry

_DEPARTED_MAX = 4096


@dataclass(slots=True, eq=False)
class Participant:
    """One connection in one document. ``clocks``: last clock heard for each awareness client that it brought in."""

    user: str
    name: str
    clocks: dict[int, int] = field(default_factory=dict)


@dataclass(slots=True)
class _Present:
    owner: Participant
    clock: int
    state: bytes


@dataclass(slots=True)
class _Departed:
    user: str
    clock: int


class Presence:
    """``update`` and ``leave`` return the awareness clients whose relayed state changed."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._present: dict[int, _Present] = {}
        # Kept so that a late echo doesn't raise a ghost, and so that clocks never run backwards.
        self._departed: OrderedDict[int, _Departed] = OrderedDict()

    @property
    def clients(self) -> list[int]:
        return list(self._present)

    def update(self, participant: Participant, entries: list[AwarenessEntry]) -> list[int]:
        """Raises MalformedUpdate when a state that would be relayed isn't a JSON object; then nothing changed."""
        accepted = [entry for entry in entries if self._may_change(participant, entry)]
        states = [None if entry.state is None else self._stamped(participant, entry.state) for entry in accepted]
        for entry, state in zip(accepted, states, strict=True):
            self._put(participant, entry, state)
        return [entry.client for entry in accepted]

    def leave(self, participant: Participant) -> list[int]:
        gone = [client for client in participant.clocks if self._owner(client) is participant]
        for client in gone:
            self._remove(client)
        participant.clocks.clear()
        return gone

    def encode(self, clients: list[int] | set[int]) -> bytes:
        """An awareness update with what is relayed of ``clients``: state, or null for those who left."""
        entries = []
        for client in clients:
            if present := self._present.get(client):
                entries.append(AwarenessEntry(client, present.clock, present.state))
            elif departed := self._departed.get(client):
                entries.append(AwarenessEntry(client, departed.clock, None))
        return protocol.awareness_update(entries)

    def _owner(self, client: int) -> Participant | None:
        present = self._present.get(client)
        return present.owner if present else None

    def _may_change(self, participant: Participant, entry: AwarenessEntry) -> bool:
        client, clock, state = entry
        owner = self._owner(client)
        if owner is participant:
            return clock > participant.clocks[client] or (clock == participant.clocks[client] and state is None)
        if state is None:
            return False
        if owner is None and client in participant.clocks:
            return clock > participant.clocks[client]
        if len(participant.clocks) >= self._limits.awareness_clients_per_connection_max:
            return False
        if owner is not None:
            # The same person's new socket, before the old one was noticed gone.
            return owner.user == participant.user and self._is_return(participant, clock, self._present[client].clock)
        if departed := self._departed.get(client):
            return departed.user == participant.user and self._is_return(participant, clock, departed.clock)
        return len(self._present) < self._limits.awareness_states_max

    @staticmethod
    def _is_return(participant: Participant, clock: int, relayed: int) -> bool:
        """A program's own client comes first on its socket; an echo of another comes later, and never newer."""
        return not participant.clocks or clock > relayed

    def _put(self, participant: Participant, entry: AwarenessEntry, state: bytes | None) -> None:
        client, clock, _ = entry
        if state is None:
            self._remove(client)
            # The client stays this connection's own: it may show itself again with a newer clock.
            participant.clocks[client] = clock
            return
        relayed = clock
        if present := self._present.get(client):
            if present.owner is not participant:
                present.owner.clocks.pop(client, None)
            relayed = max(clock, present.clock + 1)
        elif departed := self._departed.pop(client, None):
            relayed = max(clock, departed.clock + 1)
        participant.clocks[client] = clock
        self._present[client] = _Present(participant, relayed, state)

    def _remove(self, client: int) -> None:
        present = self._present.pop(client, None)
        if present is None:
            return
        self._departed[client] = _Departed(present.owner.user, present.clock + 1)
        if len(self._departed) > _DEPARTED_MAX:
            self._departed.popitem(last=False)

    def _stamped(self, participant: Participant, raw: bytes) -> bytes:
        state = protocol.read_json_object(raw)
        user = state.get("user")
        if not isinstance(user, dict):
            state["user"] = {"name": participant.name}
        elif not user.get("name"):
            user["name"] = participant.name
        state["account"] = {"user": participant.user, "name": participant.name}
        return msgspec.json.encode(state)
