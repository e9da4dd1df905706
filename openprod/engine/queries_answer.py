"""Queries answered: beside the writer, on threads of their own; only texts that several people write come from it."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import anyio.to_thread
import msgspec

from openprod.core.clock import time_text
from openprod.core.concepts import Binding, Concept
from openprod.core.queries import moments
from openprod.core.queries.ast import Query
from openprod.core.queries.plan import Texts
from openprod.engine.commit import Committer
from openprod.engine.queries import KnownNames, Names, Prepared, Preparing
from openprod.engine.queries_past import past
from openprod.engine.queries_references import meaning_all
from openprod.engine.schemas import Schemas
from openprod.engine.views import Views
from openprod.engine.worker import Worker
from openprod.errors import InputError
from openprod.storage.sqlite.queries import SqliteAnswers
from openprod.yjs import layout

T = TypeVar("T")

_TEXTS_AT_ONCE = 500
"""So many texts are read before the writer goes on."""


@dataclass(frozen=True, slots=True)
class Moment:
    """``said`` is how an answer calls it: a bundle as it was asked for, else the instant."""

    hlc: str
    said: str


class Queries:
    """Of one workspace. ``schemas`` gives the adopted ones as they are known now."""

    def __init__(self, path: str, worker: Worker, schemas: Callable[[], Schemas]) -> None:
        self._answers = SqliteAnswers(path)
        self._worker = worker
        self._schemas = schemas
        self._prepare = Preparing()

    def close(self) -> None:
        self._answers.close()

    async def run(
        self, query: Query, *, allowed: Collection[str] | None = None, explain: bool = False
    ) -> dict[str, Any]:
        """{columns, rows, as_of}; with ``explain`` also {explain: {sql, parameters, steps, indexes}}.

        ``allowed``: the documents that may be seen, None for all. Raises InputError, Denied, NotFound (no such
        bundle), LimitExceeded.
        """
        return await self.answer(await self.prepared(query, allowed=allowed), query.as_of, explain=explain)

    async def answer(self, prepared: Prepared, as_of: str | None, *, explain: bool = False) -> dict[str, Any]:
        """As ``run``, of a query whose names have been looked up."""
        moment = await self.moment(as_of)
        if moment is not None and prepared.conflicts:
            raise InputError(
                "Which conflicts were open at another time can't be asked.", hint="Leave “as of” or “conflicted” out."
            )
        rows, explained = await self._rows(prepared, moment, explain=explain)
        answer = {
            "columns": list(prepared.columns), "rows": rows, "as_of": None if moment is None else moment.said,
        }  # fmt: skip
        return {**answer, "explain": explained} if explain else answer

    async def prepared(self, query: Query, *, allowed: Collection[str] | None = None) -> Prepared:
        """What storage is asked. Raises InputError or Denied."""
        return self._prepare(query, await self.names(), allowed=allowed)

    async def names(self) -> Names:
        """What names mean now."""
        return await _aside(self._names)

    def _names(self) -> Names:
        concepts = {
            name: concept
            for name, text in self._answers.records(layout.CONCEPT_ROOT).items()
            if (concept := Concept.from_record(json.loads(text))) is not None and concept.name == name
        }
        bindings = [
            binding
            for name, text in sorted(self._answers.records(layout.BINDING_ROOT).items())
            if (binding := Binding.from_record(json.loads(text))) is not None and binding.facet == name
        ]
        schemas = self._schemas()
        return KnownNames(schemas, concepts, [schemas.present(binding) for binding in bindings])

    async def moment(self, as_of: str | None) -> Moment | None:
        """The time that ``as_of`` says, as this device's clock and calendar have it. Raises InputError or NotFound."""
        if as_of is None:
            return None
        if moments.is_bundle(as_of):
            row = await self._worker.call(lambda committer: Views(committer).find_bundle(as_of))
            return Moment(row.hlc, as_of)
        ms = moments.instant(as_of, datetime.now(), datetime.astimezone)
        return Moment(f"{ms:012x}-ffff-ffffffff", time_text(ms))

    async def touches(self, prepared: Prepared, entities: Iterable[str]) -> bool:
        """Whether one of the entities has to do with what the query asks about."""
        roots = prepared.roots - {layout.ENTITY_ROOT} | {layout.CONCEPT_ROOT, layout.ADOPTION_ROOT}
        return await _aside(self._answers.touches, frozenset(entities), roots)

    # -- answering -----------------------------------------------------------------------------------------

    async def _rows(
        self, prepared: Prepared, moment: Moment | None, *, explain: bool
    ) -> tuple[list[list[Any]], dict[str, Any]]:
        texts: dict[tuple[str, str], Mapping[str, str]] = {}
        merged: dict[str, str] = {}
        if prepared.texts or prepared.shown_texts:
            merged = await _aside(self._merged, moment)
        for facet, field in sorted(prepared.texts):
            written = await _aside(self._answers.with_text, facet, field)
            entities = sorted({*written, *(merged[id] for id in written if id in merged)})
            texts[facet, field] = await self._texts(facet, field, entities, moment, merged)

        def answer() -> tuple[list[list[Any]], dict[str, Any]]:
            with self._answers.held():
                then = None if moment is None else past(self._answers, prepared.roots, moment.hlc)
                plan = prepared.plan
                if prepared.references:
                    plan = meaning_all(plan, prepared.references, then.redirects if then else self._redirects())
                rows = self._answers.answer(plan, past=then, texts=_filled(texts))
                explained = self._answers.explain(plan, past=then)._asdict() if explain else {}
            return [row[1:] for row in rows] if prepared.plan.measures else rows, explained

        rows, explained = await _aside(answer)
        for column, facet, field in prepared.shown_texts:
            contents = await self._texts(facet, field, [row[0] for row in rows], moment, merged)
            for row in rows:
                row[column] = contents.get(row[0], "")
        return rows, explained

    def _redirects(self) -> dict[str, str]:
        return self._answers.storage.redirects()

    def _merged(self, moment: Moment | None) -> dict[str, str]:
        """{entity: survivor}, as they stood then."""
        with self._answers.held():
            if moment is None:
                return self._redirects()
            return dict(past(self._answers, frozenset(), moment.hlc).redirects)

    async def _texts(
        self, facet: str, field: str, entities: list[str], moment: Moment | None, merged: Mapping[str, str]
    ) -> dict[str, str]:
        """{entity: content}; of an entity that has none, what of those merged into it has one."""
        name = facet.partition(".")[0]
        found: dict[str, str] = {}
        absorbed: dict[str, list[str]] = {}
        for id, survivor in sorted(merged.items()):
            absorbed.setdefault(survivor, []).append(id)

        def read(committer: Committer, part: list[str]) -> None:
            document = committer.document(name) if moment is None else committer.past(name, moment.hlc)
            for entity in part:
                ids = (entity, *absorbed.get(entity, ()))
                contents = (document.text(layout.text_root(facet, id, field)) for id in ids)
                found[entity] = next(filter(None, contents), "")

        size = _TEXTS_AT_ONCE if moment is None else len(entities) or 1
        for start in range(0, len(entities), size):
            part = entities[start : start + size]
            await self._worker.call(lambda committer, part=part: read(committer, part))  # type: ignore[misc]
        return found


def _filled(texts: Mapping[tuple[str, str], Mapping[str, str]]) -> Texts:
    """An empty text is as good as none."""
    return {place: {entity: text for entity, text in found.items() if text} for place, found in texts.items()}


async def _aside(function: Callable[..., T], *arguments: Any) -> T:
    return await anyio.to_thread.run_sync(lambda: function(*arguments))


def fingerprint(answer: Mapping[str, Any]) -> bytes:
    """Equal for equal answers."""
    return msgspec.json.encode((answer["columns"], answer["rows"]))
