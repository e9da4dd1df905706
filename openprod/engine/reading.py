"""What a workspace answers: the reading half of the facade. Every call waits for its turn on the workspace's thread."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeVar

from openprod.core.conflicts import KINDS, STATUSES, Conflict
from openprod.core.queries import Query, from_data
from openprod.engine import revisions
from openprod.engine.bulk import Drawn, drawn
from openprod.engine.commit import Committer
from openprod.engine.events import Feed
from openprod.engine.queries_answer import Queries
from openprod.engine.queries_live import Watch
from openprod.engine.views import Views
from openprod.engine.worker import Worker
from openprod.errors import InputError, NotFound
from openprod.plugin_api.snapshot import Written
from openprod.storage.ports import ConflictRow

T = TypeVar("T")


class Reading:
    feed: Feed
    queries: Queries
    _worker: Worker

    async def _read(self, function: Callable[[Views, Committer], T]) -> T:
        return await self._worker.call(lambda committer: function(Views(committer), committer))

    async def entity(self, id: str, *, as_of: str | None = None) -> dict[str, Any]:
        return await self._read(lambda views, _committer: views.entity(id, as_of=as_of))

    async def concepts(self) -> list[dict[str, Any]]:
        return await self._read(lambda views, _committer: views.identities.concepts())

    async def concept_entities(self, concept: str) -> list[dict[str, Any]]:
        """Raises NotFound."""
        return await self._read(lambda views, _committer: views.identities.concept_entities(concept))

    async def shared_private(self) -> dict[str, dict[str, set[str]]]:
        """{facet: {entity: its fields that are bound together with a private one}}, for exporters."""
        return await self._read(lambda views, _committer: views.identities.shared_private())

    async def preview_same(self, concept: str, entities: Sequence[str]) -> list[dict[str, Any]]:
        """What ``AssertSame`` will do, field by field. Raises NotFound."""
        return await self._read(lambda views, _committer: views.identities.preview_same(concept, list(entities)))

    async def proposals(self) -> list[dict[str, Any]]:
        """Entities that may be one thing, by the rules that people set."""
        return await self._read(lambda views, _committer: views.identities.proposals())

    async def preview_merge(self, survivor: str, absorbed: str) -> dict[str, Any]:
        """What ``MergeEntities`` will do. Raises InvalidOperation or NotFound."""
        return await self._read(lambda views, _committer: views.identities.preview_merge(survivor, absorbed))

    async def query(
        self, query: Query | dict[str, Any], *, allowed: Collection[str] | None = None, explain: bool = False
    ) -> dict[str, Any]:
        """{columns, rows, as_of} of a query or its data form; ``allowed``: the documents that may be seen, if not all.

        Raises InputError, Denied, NotFound (no such bundle), LimitExceeded. With ``explain``: how it is answered, too.
        """
        asked = query if isinstance(query, Query) else from_data(query)
        return await self.queries.run(asked, allowed=allowed, explain=explain)

    def watch(self, query: Query, *, allowed: Collection[str] | None = None) -> Watch:
        """A query that is asked again when something it has to do with changes; ``close`` it in the end."""
        return Watch(self.queries, self.feed, query, allowed=allowed)

    async def rows(self, facet: str) -> dict[str, dict[str, Any]]:
        """{entity: {field: value}} of a facet, for importers."""
        return await self._read(lambda views, _committer: dict(views.rows_of(facet)))

    async def drawn(self, edges: Sequence[str], entities: Collection[str]) -> Drawn:
        """The standing edges of these names from and to these entities, and what was merged into them."""
        return await self._read(
            lambda _views, committer: drawn(committer.storage, committer.detector.bonds, edges, entities)
        )

    async def facets(self, ids: Sequence[str]) -> dict[str, dict[str, dict[str, Any]]]:
        """{id: its facets with their fields}, without those that aren't there."""
        return await self._read(lambda views, _committer: views.facets(ids))

    async def revisions(self, facets: Sequence[str], edges: Sequence[str]) -> dict[str, dict[str, dict[str, Written]]]:
        """{facet or edge: {entity or edge id: {field: who wrote it another value}}}, for exporters."""
        return await self._read(lambda _views, committer: revisions.written(committer.storage, facets, edges))

    async def log(
        self, *, after: str | None = None, limit: int = 100, newest_first: bool = False
    ) -> list[dict[str, Any]]:
        return await self._read(
            lambda views, _committer: views.log(after=after, limit=limit, newest_first=newest_first)
        )

    async def history(self, entity: str) -> dict[str, Any]:
        return await self._read(lambda views, _committer: views.history(entity))

    async def state_hash(self) -> str:
        return await self._read(lambda views, _committer: views.state_hash())

    async def state_vector(self, document: str) -> bytes:
        return await self._worker.call(lambda committer: committer.known_document(document).state_vector())

    async def state_as_update(self, document: str, state_vector: bytes = b"\0") -> bytes:
        return await self._worker.call(
            lambda committer: committer.known_document(document).state_as_update(state_vector)
        )

    async def conflicts(
        self, status: str = "open", *, kind: str | None = None, entity: str | None = None, after: str | None = None,
        limit: int = 100,
    ) -> list[Conflict]:  # fmt: skip
        """By id. Raises InputError for an unknown status or kind."""
        if status not in (*STATUSES, "all"):
            raise InputError(f"There is no status “{status}”.", hint=f"Statuses: {', '.join(STATUSES)}, all.")
        if kind and kind not in KINDS:
            raise InputError(f"There is no kind “{kind}”.", hint=f"Kinds: {', '.join(KINDS)}.")

        def read(views: Views, committer: Committer) -> list[Conflict]:
            found: list[ConflictRow] = []
            last, more = after or "", True
            while more and (limit < 0 or len(found) < limit):
                rows = committer.storage.conflicts(
                    status=status, kind=kind or "", entity=entity or "", after=last, limit=limit
                )
                found += [row for row in rows if not committer.schemas.is_hidden(row.facet, row.document)]
                more, last = limit > 0 and len(rows) == limit, rows[-1].id if rows else ""
            return [views.describer.describe(row) for row in (found if limit < 0 else found[:limit])]

        return await self._read(read)

    async def conflict(self, id: str) -> Conflict:
        """Raises NotFound."""

        def read(views: Views, committer: Committer) -> Conflict:
            row = committer.storage.conflict(id)
            if row is None:
                raise NotFound(f"There is no conflict {id[:80]}.", hint="`openprod conflicts` lists them.")
            return views.describer.describe(row)

        return await self._read(read)
