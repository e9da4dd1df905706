"""Holds an importer's proposal to the schema that the workspace agreed to, which may be another than the one installed.

What that schema doesn't know is left out and said, instead of the whole import being refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import msgspec

from openprod.core import validity
from openprod.core.evolution import continues, version_key
from openprod.core.operations import AddEdge, AttachFacet, CreateEntity, EditText, Operation, SetEdgeProperty, SetField
from openprod.core.proposals import Proposal, Skipped
from openprod.core.schema import Field, Schema


def known(names: tuple[str, ...], declared: Mapping[str, Any]) -> tuple[str, ...]:
    """Those of ``plugin.name`` that the adopted schema declares."""
    return tuple(name for name in names if name.partition(".")[2] in declared)


def fit(proposal: Proposal, adopted: Schema, installed_version: str) -> Proposal:
    """The proposal as ``adopted`` calls it, without what that doesn't know: a line in ``skipped`` names this."""
    fitting = _Fitting(adopted)
    operations = tuple(kept for one in proposal.operations if (kept := fitting.operation(one)) is not None)
    if operations == proposal.operations:
        return proposal
    fitted = msgspec.structs.replace(proposal, operations=operations)
    if not fitting.left_out:
        return fitted
    names = ", ".join(f"{name} ({count})" for name, count in sorted(fitting.left_out.items()))
    if version_key(installed_version) < version_key(adopted.version):
        then = f"Install {adopted.plugin} {adopted.version} here"
    else:
        then = f"Adopt {adopted.plugin} {installed_version}"
    why = (
        f"The production agreed to {adopted.plugin} {adopted.version}, which doesn't know it, or no such value: "
        f"{names}. {then}, then import again."
    )
    return msgspec.structs.replace(fitted, skipped=(*proposal.skipped, Skipped("otherwise than what was adopted", why)))


class _Fitting:
    def __init__(self, adopted: Schema) -> None:
        self._schema = adopted
        self._gone: set[str] = set()
        self.left_out: Counter[str] = Counter()

    def operation(self, one: Operation) -> Operation | None:
        if isinstance(one, CreateEntity):
            facets = {facet: self._fields(facet, fields) for facet, fields in one.facets.items() if self._facet(facet)}
            if one.facets and not facets:
                self._gone.add(one.entity)
                return None
            return msgspec.structs.replace(one, facets=facets)
        if isinstance(one, AttachFacet):
            kept = self._facet(one.facet)
            return msgspec.structs.replace(one, fields=self._fields(one.facet, one.fields)) if kept else None
        if isinstance(one, SetField | EditText):
            written = self._fields(one.facet, {one.field: _new(one)}) if self._facet(one.facet) else {}
            return next((msgspec.structs.replace(one, field=field) for field in written), None)
        if isinstance(one, AddEdge):
            if not self._edge(one.edge) or {one.source, one.target} & self._gone:
                return None
            return msgspec.structs.replace(one, properties=self._properties(one.edge, one.properties))
        if isinstance(one, SetEdgeProperty):
            return one if self._edge(one.edge) and self._properties(one.edge, {one.property: one.value}) else None
        return one

    def _facet(self, facet: str) -> bool:
        return self._said(facet, facet.partition(".")[2] in self._schema.facets)

    def _edge(self, edge: str) -> bool:
        return self._said(edge, edge.partition(".")[2] in self._schema.edges)

    def _fields(self, facet: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Under the names that the schema has for them by now."""
        declared = self._schema.facets[facet.partition(".")[2]]
        named = {continues(declared, name) or name: value for name, value in fields.items()}
        return self._known(facet, declared.fields, named)

    def _properties(self, edge: str, properties: Mapping[str, Any]) -> dict[str, Any]:
        return self._known(edge, self._schema.edges[edge.partition(".")[2]].properties, properties)

    def _known(self, where: str, declared: Mapping[str, Field], written: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: value
            for name, value in written.items()
            if self._said(f"{where}/{name}", name in declared and not validity.fault(declared[name], value))
        }

    def _said(self, name: str, is_known: bool) -> bool:
        if not is_known:
            self.left_out[name] += 1
        return is_known


def _new(one: SetField | EditText) -> Any:
    return one.value if isinstance(one, SetField) else one.insert
