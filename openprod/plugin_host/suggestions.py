"""What plugins suggest to be bound to concepts: offered to people, never applied."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from openprod.core.schema import Schema


def suggestions(schemas: Mapping[str, Schema]) -> dict[str, Any]:
    """``{"concepts": [{name, fields: {field: {type, label}}}], "bindings": [{facet, label, concept, fields}]}``.

    ``fields`` of a binding: {field of the concept: field of the facet}. A concept is suggested with the fields that any
    plugin names, as the first of them (by facet) has it.
    """
    concepts: dict[str, dict[str, dict[str, str]]] = {}
    bindings: list[dict[str, Any]] = []
    for plugin in sorted(schemas):
        for short, facet in sorted(schemas[plugin].facets.items()):
            found: dict[str, str] = {}
            for name in facet.columns():
                field = facet.fields[name]
                concept, _, key = field.concept.partition(".")
                if not key:
                    continue
                found.setdefault(key, name)
                concepts.setdefault(concept, {}).setdefault(key, {"type": field.type, "label": field.label or key})
            if found:
                # Which concept: the manifest's reader sees to it that a facet suggests one. A schema that came with
                # the workspace may be anybody's.
                names = [facet.fields[name].concept.partition(".")[0] for name in found.values()]
                own = {key: name for (key, name), one in zip(found.items(), names, strict=True) if one == names[0]}
                bindings.append(
                    {"facet": f"{plugin}.{short}", "label": facet.label, "concept": names[0], "fields": own}
                )
    return {
        "concepts": [{"name": name, "fields": fields} for name, fields in sorted(concepts.items())],
        "bindings": bindings,
    }
