"""Puts rows of any sheet into the workspace's cues: finds the cue that a row means, or names a new one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from openprod.plugin_api import Changes, CreateEntity, Operation, Proposal, SetField, Skipped, Snapshot, entity_id

from .cells import department

CUE, PART, LIST, PART_OF = "cues.cue", "cues.part", "cues.list", "cues.part_of"
_KEYS = {CUE: ("list", "number"), PART: ("list", "number", "part"), LIST: ("name",)}
_KINDS = {CUE: "cue", PART: "part", LIST: "list"}


class CueWriter:
    """Collects rows. The same cue imported apart, from whatever file, gets the same id."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._workspace = snapshot.workspace
        self._snapshot = snapshot
        self._changes = Changes(snapshot)
        self._known = {facet: _by_key(snapshot, facet, keys) for facet, keys in _KEYS.items()}
        self._rows: dict[tuple[str, ...], str] = {}
        self._lists: list[Operation] = []
        self._parts: list[tuple[str, str, str, str]] = []
        self.skipped: list[Skipped] = []

    def cue(self, where: str, fields: Mapping[str, Any]) -> str | None:
        """Take the row as a cue. None, and a line in ``skipped``, when it can't be."""
        return self._put(CUE, where, fields)

    def part(self, where: str, fields: Mapping[str, Any]) -> str | None:
        """Take the row as a part of the cue with the same list and number, making that cue if there is none."""
        part = self._put(PART, where, fields)
        if part is not None:
            # Its cue may stand further down: made at the end, when no row has brought it.
            self._parts.append((part, where, str(fields["list"]), str(fields["number"])))
        return part

    def cue_list(self, where: str, fields: Mapping[str, Any]) -> str | None:
        return self._put(LIST, where, fields)

    def lists(self) -> None:
        """A list of its own for each department whose cues came, when its name tells whose it is."""
        for name in sorted({key[1] for key in self._rows if key[0] in (CUE, PART)}):
            whose, known = department(name), self._known[LIST].get((name,), [])
            if whose is None or len(known) > 1 or self._row_of(LIST, (name,)) is not None:
                continue
            if not known:
                entity = self._derived(LIST, (name,))
                if self._snapshot.survivor(entity) not in self._snapshot.entities(LIST):
                    fields = {"name": name, "department": whose}
                    self._lists.append(CreateEntity(entity=entity, facets={LIST: fields}))
            elif not self._snapshot.entities(LIST)[known[0]].get("department"):
                self._lists.append(SetField(entity=known[0], facet=LIST, field="department", value=whose))

    def skip(self, where: str, why: str) -> None:
        self.skipped.append(Skipped(where, why))

    def proposal(self, *, rows: int, summary: tuple[str, ...], mapping: dict[str, str]) -> Proposal:
        self._link_parts()
        counts = {"rows": rows, **self._changes.counts, "skipped": len(self.skipped)}
        outcome = f"{counts['created']} new, {counts['changed']} changed, {counts['unchanged']} as they are."
        if new := sum(1 for one in self._lists if isinstance(one, CreateEntity)):
            outcome += " 1 new cue list." if new == 1 else f" {new} new cue lists."
        return Proposal(
            operations=(*self._lists, *self._changes.operations),
            summary=(*summary, outcome),
            skipped=tuple(self.skipped),
            mapping=mapping,
            counts=counts,
        )

    def _link_parts(self) -> None:
        for part, where, cue_list, number in self._parts:
            key = (cue_list, number)
            cue = self._find(CUE, key)
            if cue is None:
                made = self._row_of(CUE, key) is not None
                cue = self._derived(CUE, key) if made else self.cue(where, {"list": cue_list, "number": number})
            if cue is not None:
                self._changes.link(PART_OF, part, cue)

    def _put(self, facet: str, where: str, fields: Mapping[str, Any]) -> str | None:
        key = tuple(str(fields[name]) for name in _KEYS[facet])
        name = " ".join(key)
        earlier = self._row_of(facet, key)
        if earlier is not None:
            self.skip(where, f"{name} is already on {earlier}; the first is taken.")
            return None
        entity = self._find(facet, key)
        if entity is None and len(self._known[facet].get(key, ())) > 1:
            self.skip(where, f"There are several {name} here already; settle that duplicate first.")
            return None
        if entity is None:
            # An import renumbers nothing: the file may have a row for the new number as well.
            entity = self._derived(facet, key)
            if (present := self._snapshot.entities(facet).get(self._snapshot.survivor(entity))) is not None:
                now = " ".join(str(present.get(field, "")) for field in _KEYS[facet])
                self.skip(
                    where, f"What was imported as {name} is called {now} here now; rename it back, or make {name}."
                )
                return None
        self._rows[facet, *key] = where
        self._changes.put(entity, facet, fields)
        return entity

    def _find(self, facet: str, key: tuple[str, ...]) -> str | None:
        """The one entity that the key means: the imported one if it is among several."""
        found = self._known[facet].get(key, [])
        derived = self._derived(facet, key)
        if derived in found:
            return derived
        return found[0] if len(found) == 1 else None

    def _row_of(self, facet: str, key: tuple[str, ...]) -> str | None:
        return self._rows.get((facet, *key))

    def _derived(self, facet: str, key: tuple[str, ...]) -> str:
        return entity_id(_KINDS[facet], self._workspace, facet, "/".join(key))


def _by_key(snapshot: Snapshot, facet: str, keys: tuple[str, ...]) -> dict[tuple[str, ...], list[str]]:
    known: dict[tuple[str, ...], list[str]] = {}
    for entity, fields in sorted(snapshot.entities(facet).items()):
        known.setdefault(tuple(str(fields.get(key, "")) for key in keys), []).append(entity)
    return known
