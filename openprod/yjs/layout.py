"""The document layout as the engine uses it: the contract of ``crdt_schema`` and what values look like in it."""

from __future__ import annotations

import base64
from typing import Any, NamedTuple

from crdt_schema.layout import (
    ADOPTION_ROOT,
    BINDING_ROOT,
    CONCEPT_ENTITY_ROOT,
    CONCEPT_ROOT,
    CORE,
    ENTITY_ROOT,
    FROM_FIELD,
    REDIRECT_FIELD,
    RESOLUTION_ROOT,
    RULE_ROOT,
    TO_FIELD,
    belongs,
    edge_root,
    field_key,
    is_id,
    is_name,
    is_plugin,
    marker_key,
    membership_key,
    pair_edge_id,
    parse_key,
    parse_root,
    text_root,
)
from openprod.core import values

__all__ = [
    "ADOPTION_ROOT",
    "BINDING_ROOT",
    "CONCEPT_ENTITY_ROOT",
    "CONCEPT_ROOT",
    "CORE",
    "ENTITY_ROOT",
    "FROM_FIELD",
    "REDIRECT_FIELD",
    "RESOLUTION_ROOT",
    "RULE_ROOT",
    "TO_FIELD",
    "Place",
    "belongs",
    "edge_root",
    "field_key",
    "is_id",
    "is_name",
    "is_plugin",
    "marker_key",
    "membership_key",
    "pair_edge_id",
    "parse_key",
    "parse_root",
    "place",
    "text_root",
    "value_text",
]

OUTSIDE_VALUE_KEY = "$yjs"
"""A Yjs value that JSON can't carry is shown as an object with this one key."""


class Place(NamedTuple):
    """Which entity and field a register belongs to; both "" where the layout gives the key no meaning there.

    A marker has field "".
    """

    entity: str
    field: str


def place(document: str, root: str, key: str) -> Place:
    if not belongs(root, document):
        return Place("", "")
    parsed = parse_key(root, key)
    if parsed.kind == "unknown":
        return Place("", "")
    return Place(parsed.entity, parsed.field or "")


def value_text(value: Any) -> str:
    """Canonical JSON of a decoded Yjs value; what JSON can't carry becomes an object that says so."""
    if isinstance(value, str) and value.isascii() and value.isprintable() and '"' not in value and "\\" not in value:
        return f'"{value}"'
    return values.canonical(_plain(value))


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):
            return {OUTSIDE_VALUE_KEY: repr(value)}
        return value
    if isinstance(value, (bytes, bytearray)):
        return {OUTSIDE_VALUE_KEY: "binary", "base64": base64.b64encode(value).decode()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return None  # undefined
