"""What a plugin declares of its data: facets, fields, edges. Plain data that travels in the workspace.

The registered form (``Schema.to_record``) is JSON and is stored under the plugin's key in ``core.adoption``, so that
every replica judges values and names things by the same schema, installed or not.
"""

from __future__ import annotations

from typing import Any

import msgspec

FIELD_TYPES = (
    "string", "integer", "decimal", "number", "boolean", "date", "time", "datetime", "duration", "choice",
    "color", "reference", "list", "blob", "text", "richtext",
)  # fmt: skip


TEXT_TYPES = frozenset({"text", "richtext"})
"""Merged letter by letter and kept outside the facet's own registers."""


class Field(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One field. ``unit`` is for people (durations are seconds). ``choices`` only with type ``choice``.

    ``was``: earlier keys, the latest first; values found there are this field's.
    ``private``: left out of whatever is exported to be shared. ``indexed``: found by its value at once, which costs
    every change of it a little.
    ``concept``: ``Person.name``, a suggestion what it might be bound to; nothing follows from it.
    ``also``: narrower types that it once had and whose values it keeps: worked out from earlier adoptions.
    """

    type: str = "string"
    label: str = ""
    unit: str = ""
    required: bool = False
    choices: tuple[str, ...] = ()
    was: tuple[str, ...] = ()
    description: str = ""
    private: bool = False
    indexed: bool = False
    concept: str = ""
    also: tuple[str, ...] = ()


class Facet(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """``title`` is a template over fields, ``unique`` sets of fields that no two live entities should share.

    ``order`` lists the fields as columns: documents keep no order of keys.
    """

    label: str = ""
    title: str = ""
    unique: tuple[tuple[str, ...], ...] = ()
    order: tuple[str, ...] = ()
    fields: dict[str, Field] = {}

    def columns(self) -> list[str]:
        """The fields as people read them from left to right: ``order`` first, then the rest by name."""
        return [*(name for name in self.order if name in self.fields), *sorted(set(self.fields) - set(self.order))]

    def former(self) -> dict[str, tuple[str, ...]]:
        """{field: what it was called before, the latest first}, of those that were."""
        return {name: field.was for name, field in self.fields.items() if field.was}


class Edge(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """``source``/``target`` are facet names or ``*``; ``cardinality`` is ``one`` or ``many``."""

    label: str = ""
    source: str = "*"
    target: str = "*"
    cardinality: str = "many"
    unique_pair: bool = False
    properties: dict[str, Field] = {}


class Schema(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One plugin's schema. Keys of ``facets`` and ``edges`` are short names, without the plugin."""

    plugin: str
    version: str = "0"
    label: str = ""
    facets: dict[str, Facet] = {}
    edges: dict[str, Edge] = {}

    def to_record(self) -> dict[str, Any]:
        record = msgspec.to_builtins(self)
        assert isinstance(record, dict)
        return record

    @staticmethod
    def from_record(record: Any) -> Schema:
        """Raises msgspec.ValidationError when ``record`` isn't a schema."""
        return msgspec.convert(record, Schema)
