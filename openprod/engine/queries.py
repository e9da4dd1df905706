"""From the names in a query to what storage is asked: facets, concepts, edges and fields looked up, rights checked."""

from __future__ import annotations

import difflib
from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from openprod.core.concepts import Binding, Concept, ConceptField
from openprod.core.queries.ast import (
    ENTITY,
    And,
    Compare,
    Condition,
    Conflicted,
    Has,
    Hop,
    In,
    Matching,
    Measure,
    Name,
    Not,
    Or,
    Query,
)
from openprod.core.queries.plan import (
    All,
    Any,
    ConceptSource,
    EdgeStep,
    FacetSource,
    No,
    Order,
    Path,
    Plan,
    Source,
    Test,
)
from openprod.core.schema import Edge, Facet, Field
from openprod.engine import queries_limits
from openprod.engine.schemas import Schemas
from openprod.errors import Denied, InputError
from openprod.yjs import layout

_KEPT_MAX: Final = 256

CORE_ROOTS = (layout.ENTITY_ROOT, layout.CONCEPT_ENTITY_ROOT, layout.BINDING_ROOT)


class Names(Protocol):
    """What the names in a query may mean."""

    def facets(self) -> Mapping[str, Facet]: ...
    def edges(self) -> Mapping[str, Edge]: ...
    def concepts(self) -> Mapping[str, Concept]: ...
    def bindings(self) -> Collection[Binding]: ...
    def is_sought(self, root: str, field: str) -> bool: ...
    def is_dropped(self, plugin: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class KnownNames:
    schemas: Schemas
    known_concepts: Mapping[str, Concept] = field(default_factory=dict)
    known_bindings: Collection[Binding] = ()

    def facets(self) -> Mapping[str, Facet]:
        return {f"{p}.{f}": facet for p, schema in self.schemas.items() for f, facet in schema.facets.items()}

    def edges(self) -> Mapping[str, Edge]:
        return {f"{p}.{e}": edge for p, schema in self.schemas.items() for e, edge in schema.edges.items()}

    def concepts(self) -> Mapping[str, Concept]:
        return self.known_concepts

    def bindings(self) -> Collection[Binding]:
        return self.known_bindings

    def is_sought(self, root: str, field: str) -> bool:
        return self.schemas.is_sought(root, field)

    def is_dropped(self, plugin: str) -> bool:
        return plugin in self.schemas.dropped


@dataclass(frozen=True, slots=True)
class Prepared:
    """``columns`` as they are called. ``texts``: (facet, field) of collaborative texts that conditions ask about.

    ``references``: (facet, concept or edges' root, field) of those that hold ids and that conditions ask about.
    ``roots``: what it depends on, and ``conflicts``: whether on conflicts too.
    """

    plan: Plan
    columns: tuple[str, ...]
    texts: frozenset[tuple[str, str]]
    roots: frozenset[str]
    conflicts: bool
    references: frozenset[tuple[str, str]] = frozenset()

    @property
    def documents(self) -> frozenset[str]:
        return frozenset(layout.parse_root(root).plugin for root in self.roots)

    @property
    def shown_texts(self) -> list[tuple[int, str, str]]:
        """(column, facet, field) of the texts that are shown."""
        source = self.plan.last
        if isinstance(source, ConceptSource) or self.plan.measures:
            return []
        return [(at, source.root, name) for at, name in enumerate(self.plan.columns, 1) if name in source.texts]


def prepare(query: Query, names: Names, *, allowed: Collection[str] | None = None) -> Prepared:
    """``allowed``: the documents that may be seen, None for all.

    Raises InputError (with the column, where there is one) for names that nobody knows and for what asks too much,
    Denied for names that belong to other documents, whether they are there or not.
    """
    queries_limits.check(query)
    return _Resolver(names, allowed).query(query)


class Preparing:
    """``prepare``, with what it gave kept: the same query is asked again and again, by pages and those who watch.

    What was kept is let go as soon as names mean anything else.
    """

    def __init__(self) -> None:
        self._names: Names | None = None
        self._kept: OrderedDict[tuple[Query, frozenset[str] | None], Prepared] = OrderedDict()

    def __call__(self, query: Query, names: Names, *, allowed: Collection[str] | None = None) -> Prepared:
        """As ``prepare``."""
        if self._names is not names and self._names != names:
            self._kept.clear()
        self._names = names
        of = query, None if allowed is None else frozenset(allowed)
        prepared = self._kept.pop(of, None)
        self._kept[of] = prepared = prepare(query, names, allowed=allowed) if prepared is None else prepared
        if len(self._kept) > _KEPT_MAX:
            self._kept.popitem(last=False)
        return prepared


class _Resolver:
    def __init__(self, names: Names, allowed: Collection[str] | None) -> None:
        self._names = names
        self._allowed = allowed
        self._texts: set[tuple[str, str]] = set()
        self._roots: set[str] = set(CORE_ROOTS)
        self._conflicts = False
        self._references: set[tuple[str, str]] = set()

    def query(self, query: Query) -> Prepared:
        source = self._source(query.source)
        where = self._where(source, query.where)
        steps = []
        last, last_name = source, query.source
        for hop in query.along:
            step = self._step(hop, last_name, needed=True)
            assert step.source is not None
            steps.append(step)
            last, last_name = step.source, self._target(hop, self._edge(hop.edge)) or hop.edge
        for name in (*query.fields, *query.group):
            self._field(last, name, last_name)
        measures, fields = query.measures, query.fields
        for measure in measures:
            if measure.field is not None:
                self._asked(last, measure.field, last_name)
        for name in query.group:
            self._asked(last, name, last_name)
        if query.group or measures:
            measures = measures or (Measure("count"),)
            outside = next((name for name in fields if name not in query.group), None)
            if outside is not None:
                raise _wrong(
                    f"“{outside}” isn't the same for all that is counted together.", outside,
                    f"Add it: group by {', '.join([*query.group, outside])}; or show count(), min({outside}) or "
                    f"max({outside}).",
                )  # fmt: skip
        plan = Plan(
            source=source, where=where, steps=tuple(steps), measures=measures,
            columns=() if measures else self._columns(last, fields), group=tuple(map(str, query.group)),
            sort=tuple(self._sort(query, measures, last, last_name)), limit=query.limit, offset=query.offset,
        )  # fmt: skip
        columns = (*plan.group, *map(str, measures)) if measures else (ENTITY, *plan.columns)
        return Prepared(
            plan, columns, frozenset(self._texts), frozenset(self._roots), self._conflicts, frozenset(self._references)
        )

    @staticmethod
    def _columns(source: Source, fields: Iterable[Name]) -> tuple[str, ...]:
        chosen = tuple(str(name) for name in fields if name != ENTITY)
        return chosen if tuple(fields) else source.fields

    def _sort(self, query: Query, measures: tuple[Measure, ...], source: Source, name: str) -> Iterable[Order]:
        for sort in query.sort:
            if isinstance(sort.by, Measure):
                if sort.by not in measures:
                    raise InputError(f"“{sort.by}” is sorted by and not shown.", hint=f"Add it: select {sort.by}.")
            elif measures:
                if sort.by not in query.group:
                    raise _wrong(f"Groups can't be sorted by “{sort.by}”.", sort.by, "Sort by what they are made of.")
            else:
                self._asked(source, sort.by, name)
            yield sort.by, sort.descending, sort.nulls_first

    # -- names ---------------------------------------------------------------------------------------------

    def _permit(self, name: Name) -> None:
        document = name.partition(".")[0] if "." in name else ""
        if self._allowed is not None and document not in self._allowed:
            documents = ", ".join(f"“{one}”" for one in sorted(self._allowed))
            raise Denied(
                f"This access opens only the document {documents}.",
                hint="Ask whoever runs the production for a token without that limit.",
                details={"column": name.at} if name.at else {},
            )

    def _source(self, name: Name) -> Source:
        self._permit(name)
        if "." not in name:
            return self._concept(name)
        facets = self._names.facets()
        facet = facets.get(name)
        if facet is None:
            self._refuse_dropped(name)
            known = [*facets, *self._names.concepts()] if self._allowed is None else self._visible(facets)
            raise _unknown(f"No adopted plugin has the facet “{name[:80]}”.", name, known, "Known facets")
        self._roots.add(str(name))
        binding = next((one for one in self._names.bindings() if one.facet == name), None)
        columns = tuple(facet.columns())
        return FacetSource(
            str(name), columns,
            frozenset(one for one in columns if facet.fields[one].type == "text"),
            frozenset(one for one in columns if self._names.is_sought(name, one)),
            dict(binding.fields) if binding else {},
            facet.former(),
        )  # fmt: skip

    def _concept(self, name: Name) -> ConceptSource:
        concepts = self._names.concepts()
        concept = concepts.get(name)
        if concept is None:
            known = [*concepts, *self._names.facets()]
            raise _unknown(
                f"There is no concept “{name[:80]}”; a facet is named with its plugin, as plugin.facet.", name, known,
                "Known",
            )  # fmt: skip
        facets = self._names.facets()
        bindings = {
            one.facet: {own: theirs for own, theirs in one.fields.items() if own in concept.fields}
            for one in sorted(self._names.bindings(), key=lambda one: one.facet)
            if one.concept == name and one.facet in facets
        }
        self._roots.update(bindings)
        former = {facet: facets[facet].former() for facet in bindings}
        return ConceptSource(str(name), tuple(concept.columns()), bindings, former)

    def _refuse_dropped(self, name: Name) -> None:
        plugin = name.partition(".")[0]
        if self._names.is_dropped(plugin):
            raise _wrong(
                f"“{plugin}” was dropped here: its data are kept, and hidden.", name,
                f"`openprod plugin adopt DIR {plugin}` shows them again.",
            )  # fmt: skip

    def _visible(self, names: Iterable[str]) -> list[str]:
        return [name for name in names if self._allowed is None or name.partition(".")[0] in self._allowed]

    def _edge(self, name: Name) -> Edge:
        self._permit(name)
        edges = self._names.edges()
        edge = edges.get(name)
        if edge is None:
            self._refuse_dropped(name)
            if name in self._names.facets():
                raise _wrong(
                    f"“{name}” is a facet; what stands after the first arrow is the edge.", name,
                    f"Such as -> plugin.edge -> {name}",
                )  # fmt: skip
            raise _unknown(f"No adopted plugin has the edge “{name[:80]}”.", name, self._visible(edges), "Known edges")
        return edge

    def _target(self, hop: Hop, edge: Edge) -> Name | None:
        """Where a hop leads; None when neither it nor the schema says so."""
        if hop.target is not None:
            return hop.target
        end = edge.target if hop.outward else edge.source
        if end == "*":
            return None
        return Name(end if "." in end else f"{hop.edge.partition('.')[0]}.{end}", hop.edge.at)

    @staticmethod
    def _field(source: Source, name: Name, of: str) -> None:
        if name != ENTITY and name not in source.fields:
            raise _unknown(f"{of} has no field “{name[:80]}”.", name, source.fields, "Its fields")

    def _asked(self, source: Source, name: Name, of: str) -> None:
        """A field that a condition or an order asks about."""
        self._field(source, name, of)
        if isinstance(source, FacetSource) and name in source.texts:
            self._texts.add((source.root, str(name)))

    def _note_reference(self, of: str, name: Name, fields: Mapping[str, Field | ConceptField]) -> None:
        if name in fields and fields[name].type == "reference":
            self._references.add((of, str(name)))

    # -- conditions ----------------------------------------------------------------------------------------

    def _where(self, source: Source, condition: Condition | None) -> Test | None:
        return None if condition is None else self._test(source, condition)

    def _test(self, source: Source, condition: Condition) -> Test:
        of = source.root if isinstance(source, FacetSource) else source.concept
        if isinstance(condition, And):
            return All(tuple(self._test(source, part) for part in condition.parts))
        if isinstance(condition, Or):
            return Any(tuple(self._test(source, part) for part in condition.parts))
        if isinstance(condition, Not):
            return No(self._test(source, condition.part))
        if isinstance(condition, (Compare, In)):
            self._asked(source, condition.field, of)
            declared = self._names.facets()[of] if isinstance(source, FacetSource) else self._names.concepts()[of]
            self._note_reference(of, condition.field, declared.fields)
            return condition
        if isinstance(condition, Conflicted):
            self._conflicts = True
            for name in condition.fields:
                self._field(source, name, of)
            return condition
        if isinstance(condition, Matching):
            if isinstance(source, FacetSource):
                self._texts.update((source.root, name) for name in source.texts)
            return condition
        assert isinstance(condition, Has)
        return self._path(condition, of)

    def _path(self, has: Has, of: str) -> Path:
        steps: list[EdgeStep] = []
        for at, hop in enumerate(has.hops, 1):
            step = self._step(hop, of, needed=at < len(has.hops))
            steps.append(step)
        return Path(tuple(steps))

    def _step(self, hop: Hop, of: str, *, needed: bool) -> EdgeStep:
        """``needed``: it must be known where it leads."""
        edge = self._edge(hop.edge)
        target = self._target(hop, edge) if needed else hop.target
        if target is None and (needed or hop.where is not None):
            arrow = "->" if hop.outward else "<-"
            raise _wrong(
                f"{hop.edge} may lead to anything from {of}: say to what.", hop.edge,
                f"Such as {arrow} {hop.edge} {arrow} plugin.facet",
            )  # fmt: skip
        root = layout.edge_root(hop.edge)
        self._roots.add(root)
        source = None if target is None else self._source(target)
        return EdgeStep(
            root, hop.outward, source, None if source is None else self._where(source, hop.where),
            None if hop.edge_where is None else self._edge_test(hop.edge, edge, hop.edge_where),
        )  # fmt: skip

    def _edge_test(self, name: Name, edge: Edge, condition: Condition) -> Test:
        if isinstance(condition, And):
            return All(tuple(self._edge_test(name, edge, part) for part in condition.parts))
        if isinstance(condition, Or):
            return Any(tuple(self._edge_test(name, edge, part) for part in condition.parts))
        if isinstance(condition, Not):
            return No(self._edge_test(name, edge, condition.part))
        if isinstance(condition, (Compare, In)):
            if condition.field not in edge.properties:
                raise _unknown(
                    f"{name} has no property “{condition.field[:80]}”.", condition.field, edge.properties,
                    "Its properties",
                )  # fmt: skip
            self._note_reference(layout.edge_root(name), condition.field, edge.properties)
            return condition
        raise _wrong(f"Of {name} itself only its properties can be asked.", name, "Such as: where property = value.")


def _unknown(sentence: str, name: Name, known: Iterable[str], called: str) -> InputError:
    known = list(known)
    close = difflib.get_close_matches(name, known, 1, 0.6)
    if not close:
        folded = {one.casefold(): one for one in known}
        close = [folded[found] for found in difflib.get_close_matches(name.casefold(), folded, 1, 0.6)]
    listed = ", ".join(known[:40]) or "none"
    return _wrong(sentence, name, f"Did you mean {close[0]}?" if close else f"{called}: {listed}.")


def _wrong(sentence: str, name: Name, hint: str) -> InputError:
    at = name.at
    return InputError(sentence, hint=f"At column {at}. {hint}" if at else hint, details={"column": at} if at else {})
