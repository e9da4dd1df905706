"""How an entity is named for people: a template over its fields, such as ``"{list} {number}"``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from openprod.core import values as values_

_PLACE = re.compile(r"\{([^{}]*)\}")


def title(template: str, values: Mapping[str, Any], *, entity: str = "") -> str:
    """``template`` with each ``{field}`` replaced by the field's value.

    A missing field gives nothing, runs of white space become one space. When nothing is left, the entity's id.
    """
    text = _PLACE.sub(lambda match: plain(values.get(match.group(1).strip())), template)
    return " ".join(text.split()) or entity


def fields_of(template: str) -> tuple[str, ...]:
    """The fields a template names, in order of appearance."""
    return tuple(match.group(1).strip() for match in _PLACE.finditer(template))


def plain(value: Any) -> str:
    """A value as people write it: ``3``, ``10:30``, ``yes``, ``LX, SND``."""
    value = values_.normal(value)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return ", ".join(plain(item) for item in value)
    if isinstance(value, dict):
        return ", ".join(f"{key}: {plain(item)}" for key, item in value.items())
    return str(value)
