"""Fields that refer to entities, asked for by id: whoever was merged into another is meant with it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from openprod.core.queries.ast import Compare, In, Wanted
from openprod.core.queries.plan import All, Any, ConceptSource, EdgeStep, No, Path, Plan, Source, Test


def meaning_all(plan: Plan, references: frozenset[tuple[str, str]], redirects: Mapping[str, str]) -> Plan:
    """The plan with each id that a reference is compared with widened to all that stand for the same.

    ``references``: (facet, concept or edges' root, field). ``redirects``: {entity: survivor}, as they stood then.
    """
    if not references or not redirects:
        return plan
    return _Widening(references, redirects).plan(plan)


class _Widening:
    def __init__(self, references: frozenset[tuple[str, str]], redirects: Mapping[str, str]) -> None:
        self._references = references
        self._redirects = redirects
        self._absorbed: dict[str, list[str]] = {}
        for id, survivor in sorted(redirects.items()):
            self._absorbed.setdefault(survivor, []).append(id)

    def plan(self, plan: Plan) -> Plan:
        return dataclasses.replace(
            plan, where=self._where(_name(plan.source), plan.where), steps=tuple(map(self._step, plan.steps))
        )

    def _step(self, step: EdgeStep) -> EdgeStep:
        where = self._where(_name(step.source), step.where) if step.source is not None else None
        return dataclasses.replace(step, where=where, edge_where=self._where(step.root, step.edge_where))

    def _where(self, of: str, test: Test | None) -> Test | None:
        return None if test is None else self._test(of, test)

    def _test(self, of: str, test: Test) -> Test:
        match test:
            case All(parts):
                return All(tuple(self._test(of, part) for part in parts))
            case Any(parts):
                return Any(tuple(self._test(of, part) for part in parts))
            case No(part):
                return No(self._test(of, part))
            case Path(steps):
                return Path(tuple(map(self._step, steps)))
            case Compare(field, operator, value) if (of, field) in self._references and operator in ("=", "!="):
                ids = self._all(value)
                if len(ids) == 1:
                    return test
                return In(field, ids) if operator == "=" else No(In(field, ids))
            case In(field, wanted) if (of, field) in self._references:
                return In(field, tuple(dict.fromkeys(id for one in wanted for id in self._all(one))))
            case _:
                return test

    def _all(self, wanted: Wanted) -> tuple[Wanted, ...]:
        if not isinstance(wanted, str):
            return (wanted,)
        survivor = self._redirects.get(wanted, wanted)
        return (wanted, *(one for one in (survivor, *self._absorbed.get(survivor, ())) if one != wanted))


def _name(source: Source) -> str:
    return source.concept if isinstance(source, ConceptSource) else source.root
