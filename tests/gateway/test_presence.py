"""Whose presence is whose."""

from __future__ import annotations

import json

import pytest

from openprod.errors import MalformedUpdate
from openprod.gateway import protocol
from openprod.gateway.limits import Limits
from openprod.gateway.presence import Participant, Presence
from openprod.gateway.protocol import AwarenessEntry

LIMITS = Limits()
STATE = b'{"user":{"name":"A"}}'


def relayed(presence: Presence, client: int) -> tuple[int, dict[str, object] | None]:
    ((_, clock, state),) = protocol.read_awareness(presence.encode([client]), LIMITS)
    return clock, None if state is None else json.loads(state)


def test_the_account_is_written_by_the_node() -> None:
    """INV-AUTHOR-1."""
    presence = Presence(LIMITS)
    alex = Participant("alex", "Alex")
    forged = b'{"user":{"name":"Boss"},"account":{"user":"boss","name":"Boss"}}'
    assert presence.update(alex, [AwarenessEntry(1, 1, forged)]) == [1]
    assert relayed(presence, 1)[1] == {"user": {"name": "Boss"}, "account": {"user": "alex", "name": "Alex"}}
    presence.update(alex, [AwarenessEntry(1, 2, b'{"user":{"color":"red"}}')])
    assert relayed(presence, 1)[1]["user"] == {"color": "red", "name": "Alex"}  # type: ignore[index]


def test_nobody_moves_or_removes_another() -> None:
    presence = Presence(LIMITS)
    alex, jordan = Participant("alex", "Alex"), Participant("jordan", "Jordan")
    presence.update(alex, [AwarenessEntry(1, 1, STATE)])
    assert presence.update(jordan, [AwarenessEntry(1, 9, b'{"x":1}'), AwarenessEntry(1, 10, None)]) == []
    assert presence.update(jordan, [AwarenessEntry(2, 0, STATE)]) == [2]
    assert presence.leave(jordan) == [2]
    assert presence.clients == [1]


def test_an_echo_of_one_who_left_raises_no_ghost() -> None:
    presence = Presence(LIMITS)
    first, second = Participant("alex", "Alex"), Participant("alex", "Alex")
    presence.update(first, [AwarenessEntry(1, 5, STATE)])
    presence.update(second, [AwarenessEntry(2, 0, STATE)])
    echo = protocol.read_awareness(presence.encode([1]), LIMITS)
    assert presence.leave(first) == [1]
    assert presence.update(second, echo) == []
    assert presence.clients == [2]


def test_one_who_returns_with_the_clock_it_left_with_is_seen() -> None:
    presence = Presence(LIMITS)
    before = Participant("alex", "Alex")
    presence.update(before, [AwarenessEntry(1, 5, STATE)])
    presence.leave(before)
    left_at, state = relayed(presence, 1)
    assert state is None
    after = Participant("alex", "Alex")
    assert presence.update(after, [AwarenessEntry(1, 5, STATE)]) == [1]
    assert relayed(presence, 1)[0] > left_at


def test_a_new_socket_takes_over_before_the_old_one_is_noticed_gone() -> None:
    presence = Presence(LIMITS)
    old, new, other = Participant("alex", "Alex"), Participant("alex", "Alex"), Participant("jordan", "Jordan")
    presence.update(old, [AwarenessEntry(1, 5, STATE)])
    assert presence.update(other, [AwarenessEntry(1, 6, STATE)]) == []
    assert presence.update(new, [AwarenessEntry(1, 5, STATE)]) == [1]
    assert presence.leave(old) == []
    assert presence.clients == [1]


def test_one_may_hide_and_show_itself_again() -> None:
    presence = Presence(LIMITS)
    alex = Participant("alex", "Alex")
    clocks = []
    for clock, state in enumerate([STATE, None, STATE, None, None, STATE]):
        presence.update(alex, [AwarenessEntry(1, clock, state)])
        clocks.append(relayed(presence, 1)[0])
    assert clocks == sorted(clocks)
    assert presence.clients == [1]
    assert presence.update(alex, [AwarenessEntry(1, 6, None), AwarenessEntry(1, 6, None)])


def test_a_broken_state_changes_nothing() -> None:
    presence = Presence(LIMITS)
    alex = Participant("alex", "Alex")
    with pytest.raises(MalformedUpdate):
        presence.update(alex, [AwarenessEntry(1, 1, STATE), AwarenessEntry(2, 1, b"{")])
    assert presence.clients == []


def test_a_connection_brings_in_only_so_many() -> None:
    presence = Presence(Limits(awareness_clients_per_connection_max=3))
    alex = Participant("alex", "Alex")
    for client in range(10):
        presence.update(alex, [AwarenessEntry(client, 1, STATE)])
    assert presence.clients == [0, 1, 2]
