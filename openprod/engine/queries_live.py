"""A query that is watched: asked again when a commit had to do with it, told when its answer is another one."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from openprod.core.queries.ast import Query
from openprod.engine.events import Committed, Feed
from openprod.engine.queries import Prepared
from openprod.engine.queries_answer import Queries, fingerprint


class Watch:
    """Hears of commits from its making on, until it is closed. ``asked``: how often the query was asked."""

    def __init__(self, queries: Queries, feed: Feed, query: Query, *, allowed: Collection[str] | None = None) -> None:
        self._queries = queries
        self._query = query
        self._allowed = allowed
        self._entities: set[str] = set()
        self._documents: set[str] = set()
        self._conflicts = False
        self._print = b""
        self._prepared: Prepared | None = None
        self.asked = 0
        self.close = feed.subscribe(self._heard)

    def _heard(self, event: Committed) -> None:
        self._entities.update(event.entities)
        self._documents.update(document for document, _update in event.updates)
        self._conflicts = self._conflicts or bool(event.conflicts)

    async def news(self) -> dict[str, Any] | None:
        """The answer, the first time and whenever it is another one; None when nothing has changed.

        Raises what asking raises, such as InputError when a name isn't known any more.
        """
        if self._prepared is not None and not await self._concerned(self._prepared):
            return None
        self._forget()
        self._prepared = await self._queries.prepared(self._query, allowed=self._allowed)
        answer = await self._queries.answer(self._prepared, self._query.as_of)
        self.asked += 1
        known, self._print = self._print, fingerprint(answer)
        return None if known == self._print else answer

    def _forget(self) -> None:
        self._entities, self._documents, self._conflicts = set(), set(), False

    async def _concerned(self, prepared: Prepared) -> bool:
        """Whether what was heard since may change the answer."""
        entities, documents, conflicts = self._entities, self._documents, self._conflicts
        self._forget()
        if prepared.conflicts and conflicts:
            return True
        # Commits don't say whose text they changed.
        texts = {facet for facet, _field in prepared.texts} | {facet for _at, facet, _field in prepared.shown_texts}
        if any(facet.partition(".")[0] in documents for facet in texts):
            return True
        return bool(entities) and await self._queries.touches(prepared, entities)
