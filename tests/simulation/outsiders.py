"""Programs of other people: real Yjs documents that know nothing of us, and speak as y-websocket does."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from typing import Any

from pycrdt import Doc, Map, TransactionEvent

from openprod.core.bundles import Actor
from openprod.yjs.decoder import decode_state_vector, decode_update

DOCUMENTS = ("core", "cues")


class Outsider:
    """One program with one document per name. ``keeps``: it doesn't collect garbage.

    ``knew`` is called with (document, client, clock, state vector before) for every item that it makes.
    """

    def __init__(
        self, name: str, *, keeps: bool, chance: random.Random, knew: Callable[[str, int, int, dict[int, int]], None]
    ) -> None:
        self.name = name
        self.actor = Actor(f"user_{name}", name.title(), "outside", "program")
        self.keeps = keeps
        self.chance = chance
        self._knew = knew
        self.documents: dict[str, Doc[Any]] = {}
        for document in DOCUMENTS:
            self._make(document)
        self.away()

    def _make(self, document: str, state: bytes | None = None) -> None:
        # Small ids collide with nothing and make ties of every kind; wide ones are what yjs 14 makes.
        client = self.chance.getrandbits(self.chance.choice([16, 32, 53]))
        doc: Doc[Any] = Doc(client_id=client, skip_gc=self.keeps)
        if state is not None:
            doc.apply_update(state)
        self.documents[document] = doc

    def reload(self) -> None:
        """The page is opened again, from its own copy: a new client id, and nothing in flight."""
        for document, doc in list(self.documents.items()):
            self._make(document, bytes(doc.get_update()))
        self.away()

    # -- the wire ------------------------------------------------------------------------------------------

    def away(self) -> None:
        self.peer: str | None = None
        self.outbox: deque[tuple[str, bytes, bool, bytes]] = deque()
        self.inbox: deque[tuple[str, bytes]] = deque()
        self.asked: dict[str, bytes] = {}
        self.joined: set[str] = set()
        self.session = object()

    def dial(self, peer: str, vectors: dict[str, bytes]) -> None:
        """Connected; the other side's SyncStep1 of each document is on its way."""
        self.away()
        self.peer = peer
        self.asked = dict(vectors)

    def answer(self, document: str) -> None:
        """SyncStep2, as it stands when the question is read: live edits may have been sent before it."""
        vector = self.asked.pop(document)
        doc = self.documents[document]
        self.outbox.append((document, bytes(doc.get_update(vector)), False, bytes(doc.get_state())))

    def read(self) -> None:
        document, update = self.inbox.popleft()
        self.documents[document].apply_update(update)

    # -- editing -------------------------------------------------------------------------------------------

    def map(self, document: str, root: str) -> Map[Any]:
        return self.documents[document].get(root, type=Map)

    def edit(self, document: str, change: Callable[[Doc[Any]], None]) -> bytes:
        """One transaction; sent at once when connected. Returns its update, b"" when it changed nothing."""
        doc = self.documents[document]
        before = decode_state_vector(bytes(doc.get_state()))
        updates: list[bytes] = []

        def keep(event: TransactionEvent) -> None:
            updates.append(bytes(event.update))

        subscription = doc.observe(keep)
        try:
            with doc.transaction():
                change(doc)
        finally:
            doc.unobserve(subscription)
        update = updates[0] if updates else b""
        if update:
            decoded = decode_update(update)
            for client, clock, length in decoded.sections:
                for at in range(clock, clock + length):
                    self._knew(document, client, at, {**before, client: at})
            if self.peer is not None:
                self.outbox.append((document, update, True, b""))
        return update

    def set(self, document: str, root: str, key: str, value: Any) -> bytes:
        def change(doc: Doc[Any]) -> None:
            doc.get(root, type=Map)[key] = value

        return self.edit(document, change)

    def remove(self, document: str, root: str, key: str) -> bytes:
        if key not in self.map(document, root):
            return b""

        def change(doc: Doc[Any]) -> None:
            del doc.get(root, type=Map)[key]

        return self.edit(document, change)
