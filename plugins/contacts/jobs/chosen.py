"""Whom an export is about, and what it may say of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from openprod.plugin_api import InputError, Snapshot

from .people import PRIVATE
from .who import PERSON, folded


def chosen(snapshot: Snapshot, options: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """{entity: fields} by name, without what is private unless ``private`` is ``yes``.

    Raises InputError for a department that nobody is in.
    """
    people = snapshot.entities(PERSON)
    department = options.get("department", "")
    private = options.get("private") == "yes"
    kept = {
        entity: {field: value for field, value in people[entity].items() if private or field not in PRIVATE}
        for entity in sorted(people, key=lambda id: (folded(people[id].get("name")), id))
        if not department or folded(people[entity].get("department")) == folded(department)
    }
    if department and not kept:
        known = sorted({own_text(fields, "department") for fields in people.values()} - {""})
        raise InputError(
            f"Nobody is in the department “{department[:80]}”.", hint=f"There are: {', '.join(known) or 'none'}."
        )
    return kept


def own_text(fields: Mapping[str, Any], field: str) -> str:
    """The field's text, "" for anything else that an outside program may have put there."""
    value = fields.get(field)
    return value.strip() if isinstance(value, str) else ""


def texts(fields: Mapping[str, Any], field: str) -> list[str]:
    value = fields.get(field)
    return [item.strip() for item in value if isinstance(item, str) and item.strip()] if isinstance(value, list) else []
