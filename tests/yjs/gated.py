"""A document behind its gate, as a node runs it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from pycrdt import Doc, Text, XmlFragment, merge_updates

from openprod.core.ranges import IdSet
from openprod.yjs.decoder import decode_state_vector, decode_update
from openprod.yjs.gate import Gate, Release


class Gated:
    def __init__(self) -> None:
        self.gate = Gate()
        self.doc: Doc[Any] = Doc(skip_gc=True)
        self.tags: list[object] = []
        self.joined = 0

    def feed(self, update: bytes, tag: object = None) -> list[Release]:
        releases = self.gate.admit(update, decode_update(update), tag)
        for release in releases:
            self.tags += [item.tag for item in release.items]
            if release.refused or release.redundant:
                continue
            self.joined += len(release.items) > 1
            updates = [item.update for item in release.items]
            self.doc.apply_update(updates[0] if len(updates) == 1 else merge_updates(*updates))
        return releases

    def feed_all(self, updates: Iterable[bytes]) -> Gated:
        for number, update in enumerate(updates):
            self.feed(update, number)
        return self

    def contents(self) -> tuple[dict[int, int], IdSet, str, list[str]]:
        """State vector, everything deleted, the text of root ``t``, the XML of root ``x``

        in pieces, as yrs gives the attributes of an element in no fixed order.
        """
        vector = self.doc.get_state()
        deleted = IdSet(decode_update(self.doc.get_update(vector)).deletes)
        text, xml = self.doc.get("t", type=Text), self.doc.get("x", type=XmlFragment)
        return decode_state_vector(vector), deleted, str(text), sorted(re.split(r"[ >]", str(xml)))
