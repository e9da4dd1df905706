"""Reading concepts and identities: definitions, what is bound to what, previews of merges and assertions, proposals.

Nothing here writes. Proposals follow from rules that people set (``core.rule``) and are computed when asked for.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from openprod.engine import merging, projection
from openprod.engine.lower import Lowering
from openprod.errors import NotFound
from openprod.yjs import layout

if TYPE_CHECKING:
    from openprod.engine.commit import Committer
    from openprod.engine.views import Views


class Identities:
    def __init__(self, committer: Committer, views: Views) -> None:
        self._committer = committer
        self._storage = committer.storage
        self._bonds = committer.detector.bonds
        self._views = views
        self._thing = views.describer.thing

    def concepts(self) -> list[dict[str, Any]]:
        """Definitions with their bindings, by name."""
        return [
            {
                "concept": concept.name, "label": concept.label,
                "fields": {
                    name: {"type": concept.fields[name].type, "label": concept.fields[name].label}
                    for name in concept.columns()
                },
                "bindings": [
                    {"facet": binding.facet, "fields": binding.fields}
                    for _facet, binding in sorted(self._bonds.bindings.items())
                    if binding.concept == concept.name
                ],
                "concept_entities": sum(1 for name in self._bonds.concept_entities.values() if name == concept.name),
            }
            for _name, concept in sorted(self._bonds.concepts.items())
        ]  # fmt: skip

    def concept_entities(self, concept: str) -> list[dict[str, Any]]:
        """Raises NotFound."""
        if concept not in self._bonds.concepts:
            known = ", ".join(sorted(self._bonds.concepts)) or "none yet"
            raise NotFound(f"There is no concept “{concept[:80]}”.", hint=f"Concepts: {known}.")
        return [self.concept_entity(id) for id, name in sorted(self._bonds.concept_entities.items()) if name == concept]

    def concept_entity(self, id: str) -> dict[str, Any]:
        """``{id, concept, title, values, bound: [{facet, entity, title, fields}], conflicts}``. Raises NotFound."""
        name = self._bonds.concept_entities.get(id)
        if name is None:
            raise NotFound(f"There is no concept entity {id[:80]}.", hint="`openprod concept show` lists them.")
        bound = []
        for facet, entity in self._bonds.members(id):
            mapping = self._bonds.bindings[facet].fields
            shown = {own: self._shown(facet, entity, field) for own, field in sorted(mapping.items())}
            bound.append({"facet": facet, "entity": entity, "title": self._thing(entity, facet=facet), "values": shown})
        return {
            "id": id, "concept": name, "title": self._thing(id), "values": self._views.describer.canonical(id),
            "bound": bound,
            "conflicts": [row.id for row in self._storage.conflicts_of(id) if row.status == "open"],
        }  # fmt: skip

    def _shown(self, facet: str, entity: str, field: str) -> Any:
        entry = self._committer.detector.shown_entry(facet.partition(".")[0], facet, entity, field)
        return None if entry is None or entry.value is None else json.loads(entry.value)

    def _is_asked(self, facet: str, entity: str, field: str, *, joining: bool = False) -> bool:
        """Whether people are asked about a field already. ``joining``: it leaves the others that it is one with."""
        detector, index = self._committer.detector, self._committer.index
        for place in self._bonds.named(facet.partition(".")[0], facet, entity, field):
            entry = index.find(*place)
            if entry is not None and joining and detector.is_disputed(entry):
                return True
            if not joining and projection.is_asked(detector, index, self._storage, place):
                return True
        return False

    def shared_private(self) -> dict[str, dict[str, set[str]]]:
        """{facet: {entity: its fields that show one value with a field that another facet's schema calls private}}."""
        found: dict[str, dict[str, set[str]]] = {}
        bindings, is_private = self._bonds.bindings, self._committer.schemas.is_private
        concerned = {
            one.concept for one in bindings.values() if any(is_private(one.facet, f) for f in one.fields.values())
        }
        for owner, concept in self._bonds.concept_entities.items():
            if concept not in concerned:
                continue
            fields = [
                (*member, *one) for member in self._bonds.members(owner) for one in bindings[member[0]].fields.items()
            ]
            private = {own for facet, _id, own, field in fields if is_private(facet, field)}
            for facet, id, own, field in fields:
                if own in private:
                    found.setdefault(facet, {}).setdefault(id, set()).add(field)
        return found

    def identity(self, entity: str) -> dict[str, Any]:
        """What an entity stands for and what stands for it."""
        return {
            "merged": [{"id": id, "title": self._thing(id)} for id in self._bonds.absorbed(entity)],
            "belongs_to": [
                {"facet": facet, "concept_entity": owner, "title": self._thing(owner)}
                for facet, owner in self._bonds.memberships(entity)
            ],
        }  # fmt: skip

    def preview_merge(self, survivor: str, absorbed: str) -> dict[str, Any]:
        """What a merge will do: which fields agree, are filled in, or disagree, and which edges will count for the
        survivor. Raises InvalidOperation or NotFound.
        """
        it = Lowering(self._committer)
        survivor, absorbed = merging.check(self._committer, it, survivor, absorbed)
        fields, attached, texts = [], [], []
        for facet in merging.facets_of(self._committer, it, absorbed):
            if not it.has_facet(survivor, facet):
                attached.append(facet)
            for field in merging.fields_of(self._committer, facet, survivor, absorbed):
                here, there = self._shown(facet, survivor, field), self._shown(facet, absorbed, field)
                left = merging.leaves(self._committer, facet, survivor, absorbed)
                asked = self._is_asked(facet, survivor, field) or self._is_asked(facet, absorbed, field, joining=left)
                state = "differs" if asked or (None not in (here, there) and here != there) else "fills"
                fields.append(
                    {
                        "facet": facet, "field": field, "label": self._committer.schemas.label(facet, field),
                        "survivor": here, "absorbed": there,
                        "state": "same" if here == there and not asked else state,
                    }
                )  # fmt: skip
            texts += self._texts(facet, survivor, absorbed)
        return {
            "survivor": {"id": survivor, "title": self._thing(survivor)},
            "absorbed": {"id": absorbed, "title": self._thing(absorbed)},
            "fields": fields, "attaches": attached, "texts": texts, "edges": self._views.edges(absorbed),
        }  # fmt: skip

    def preview_same(self, concept: str, entities: list[str]) -> list[dict[str, Any]]:
        """What an assertion will do to each field: ``{field, state, values: [{facet, entity, title, value}]}``; state
        ``same``, ``fills`` (some have none yet) or ``differs``, which will be a conflict, or is one. Raises NotFound.
        """
        known = self._bonds.concepts.get(concept)
        if known is None:
            raise NotFound(
                f"There is no concept “{concept[:80]}”.",
                hint=f"Concepts: {', '.join(sorted(self._bonds.concepts)) or 'none yet'}.",
            )
        it = Lowering(self._committer)
        members = {member for entity in entities for member in self._bonds.members(entity)}
        ids = [self._bonds.survivor(entity) for entity in dict.fromkeys(entities)]
        bindings = [binding for _facet, binding in sorted(self._bonds.bindings.items()) if binding.concept == concept]
        members |= {(binding.facet, id) for binding in bindings for id in ids if it.has_facet(id, binding.facet)}
        for facet, id in list(members):
            owner = self._bonds.concept_entity(facet, id)
            members.update(self._bonds.members(owner) if owner is not None else ())
        members = {member for member in members if not self._committer.detector.is_gone(*member)}
        found = []
        for field in known.columns():
            said = [
                {
                    "facet": facet,
                    "entity": id,
                    "title": self._thing(id, facet=facet),
                    "value": self._shown(facet, id, own),
                }
                for facet, id in sorted(members)
                if (own := self._bonds.bindings[facet].fields.get(field)) is not None
            ]
            values = {json.dumps(one["value"], sort_keys=True) for one in said}
            state = "same" if len(values) < 2 else "differs" if len(values - {"null"}) > 1 else "fills"
            if any(
                self._is_asked(facet, id, own)
                for facet, id in members
                if (own := self._bonds.bindings[facet].fields.get(field)) is not None
            ):
                state = "differs"
            found.append({"field": field, "state": state, "values": said})
        return found

    def proposals(self) -> list[dict[str, Any]]:
        """Entities that may be one thing, by the rules that people set: ``{kind: merge | assert, about, by, values,
        entities: [{id, title}]}``. Texts count as equal whatever their case and spaces. Nothing is written.
        """
        found: list[dict[str, Any]] = []
        for row in self._storage.registers_of_root(layout.RULE_ROOT):
            rule = json.loads(row.value) if row.value is not None and row.document == layout.CORE else None
            for fields in rule if isinstance(rule, list) else ():
                if isinstance(fields, list) and fields and all(isinstance(field, str) for field in fields):
                    found += self._proposed(row.entity, fields)
        return found

    def _proposed(self, about: str, fields: list[str]) -> list[dict[str, Any]]:
        groups: dict[tuple[str, ...], set[str]] = {}
        sources = [(about, {field: field for field in fields})]
        if about in self._bonds.concepts:
            bindings = sorted(self._bonds.bindings.items())
            sources = [(facet, binding.fields) for facet, binding in bindings if binding.concept == about]
        for facet, mapping in sources:
            if self._committer.schemas.facet(facet) is None or not all(field in mapping for field in fields):
                continue
            for id, values in self._views.rows_of(facet):
                key = tuple(_plain(values.get(mapping[field])) for field in fields)
                if all(key):
                    groups.setdefault(key, set()).add(self._one(facet, id, about))
        return [
            {
                "kind": "assert" if about in self._bonds.concepts else "merge", "about": about, "by": fields,
                "values": list(key), "entities": [{"id": id, "title": self._thing(id)} for id in sorted(ids)],
            }
            for key, ids in sorted(groups.items())
            if len(ids) > 1
        ]  # fmt: skip

    def _one(self, facet: str, id: str, about: str) -> str:
        """What stands for an entity: two that are one already are no proposal."""
        owner = self._bonds.concept_entity(facet, id) if about in self._bonds.concepts else None
        return owner or self._bonds.survivor(id)

    def _texts(self, facet: str, survivor: str, absorbed: str) -> list[dict[str, Any]]:
        declared = self._committer.schemas.facet(facet)
        live = self._committer.document(facet.partition(".")[0])
        found = []
        for name, field in declared.fields.items() if declared is not None else ():
            if field.type == "text":
                here, there = (live.text(layout.text_root(facet, id, name)) for id in (survivor, absorbed))
                if there and there != here:
                    state = "stays" if here else "fills"  # a text that both have stays with each of them
                    found.append({"facet": facet, "field": name, "survivor": here, "absorbed": there, "state": state})
        return found


def _plain(value: Any) -> str:
    return "" if value is None else " ".join(str(value).casefold().split())
