"""Does a viewer's state hold something that we don't? Then it is told that it was refused."""

from __future__ import annotations

from pycrdt import get_state

from openprod.errors import MalformedUpdate
from openprod.gateway.protocol import read_state_vector


def holds_news(update: bytes, state_vector: bytes) -> bool:
    """True when ``update`` has inserts beyond ``state_vector``. Deletions alone don't count: a state always carries
    old ones. Raises MalformedUpdate."""
    try:
        theirs = read_state_vector(get_state(update))
    except ValueError:
        raise MalformedUpdate("The message holds no Yjs update.") from None
    ours = read_state_vector(state_vector)
    return any(clock > ours.get(client, 0) for client, clock in theirs.items())
