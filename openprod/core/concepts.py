"""Concepts: a meaning that several plugins share without knowing each other. Plain data that travels in the workspace.

A **concept** (``Person`` with name, email, phone) is defined by a person. A **binding** says which fields of a facet
mean which fields of a concept; it fuses nothing. A **concept entity** is one real thing: made when somebody asserts
that entities are the same, it owns the canonical values; bound fields show them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from openprod.core.schema import FIELD_TYPES
from openprod.errors import InvalidOperation

_NAME: Final = re.compile(r"[A-Z][A-Za-z0-9]{0,62}")
_FIELD: Final = re.compile(r"[a-z][A-Za-z0-9_]{0,62}")
FIELDS_MAX: Final = 200
_UNBINDABLE: Final = ("text", "richtext")
"""Collaborative texts have no single value that could be the same in two places."""


class ConceptField(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    type: str = "string"
    label: str = ""


class Concept(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """``fields``: {field: ConceptField}; ``order``: the fields as people read them, as documents keep no order of keys.

    Its name is its key: two people who define one name apart disagree openly.
    """

    name: str
    label: str = ""
    order: tuple[str, ...] = ()
    fields: dict[str, ConceptField] = {}

    def columns(self) -> list[str]:
        """The fields from left to right: ``order`` first, then the rest by name."""
        return [*(name for name in self.order if name in self.fields), *sorted(set(self.fields) - set(self.order))]

    def to_record(self) -> dict[str, Any]:
        record = msgspec.to_builtins(self)
        assert isinstance(record, dict)
        return record

    @staticmethod
    def from_record(record: Any) -> Concept | None:
        """None for what isn't one: anybody may write anything under ``core.concept``."""
        try:
            return msgspec.convert(record, Concept)
        except msgspec.ValidationError:
            return None


class Binding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """``facet`` is ``plugin.facet``; ``fields``: {field of the concept: field of the facet}."""

    facet: str
    concept: str
    fields: dict[str, str] = {}

    def to_record(self) -> dict[str, Any]:
        record = msgspec.to_builtins(self)
        assert isinstance(record, dict)
        return record

    @staticmethod
    def from_record(record: Any) -> Binding | None:
        try:
            found = msgspec.convert(record, Binding)
        except msgspec.ValidationError:
            return None
        # One field can't carry two meanings: what it would carry is the first by name.
        fields: dict[str, str] = {}
        for own, theirs in sorted(found.fields.items()):
            if theirs not in fields.values():
                fields[own] = theirs
        return msgspec.structs.replace(found, fields=fields)

    def concept_field(self, field: str) -> str | None:
        """The concept's field that a field of the facet means."""
        return next((own for own, theirs in self.fields.items() if theirs == field), None)


def check_concept(concept: Concept) -> None:
    """Raises InvalidOperation, saying what to write instead."""
    if not _NAME.fullmatch(concept.name):
        raise InvalidOperation(
            f"“{concept.name[:80]}” can't be the name of a concept.",
            hint="A capital letter, then letters and digits: Person, CueList.",
        )
    if not concept.fields or len(concept.fields) > FIELDS_MAX:
        raise InvalidOperation(f"A concept has 1 to {FIELDS_MAX} fields.", hint="Such as: Person name email phone")
    for name, field in concept.fields.items():
        if not _FIELD.fullmatch(name):
            raise InvalidOperation(
                f"“{name[:80]}” can't be a field of {concept.name}.", hint="A small letter, then letters, digits and _."
            )
        if field.type not in FIELD_TYPES or field.type in _UNBINDABLE:
            known = ", ".join(sorted(set(FIELD_TYPES) - set(_UNBINDABLE)))
            raise InvalidOperation(
                f"{concept.name}.{name} can't be of type “{field.type[:40]}”.", hint=f"One of {known}."
            )


def check_binding(binding: Binding, concept: Concept, types: Mapping[str, str]) -> None:
    """``types``: {field of the facet: its type}. Raises InvalidOperation."""
    if not binding.fields:
        raise InvalidOperation("A binding names at least one pair of fields.", hint="Such as: name=displayName")
    for own, theirs in binding.fields.items():
        if own not in concept.fields:
            raise InvalidOperation(
                f"{concept.name} has no field “{own[:80]}”.", hint=f"Its fields: {', '.join(sorted(concept.fields))}."
            )
        if theirs not in types:
            raise InvalidOperation(
                f"{binding.facet} has no field “{theirs[:80]}”.", hint=f"Its fields: {', '.join(sorted(types))}."
            )
        if types[theirs] in _UNBINDABLE:
            raise InvalidOperation(
                f"{binding.facet}/{theirs} is a text that several people write at once: it has no one value to share.",
                hint="Bind a field of another type.",
            )
    if len(set(binding.fields.values())) < len(binding.fields):
        raise InvalidOperation(
            "One field of a facet can't mean two fields of a concept.", hint="Name each field of the facet once."
        )
