"""Recording what people decided: the plans that join a conflict's heads.

A decision is made against the heads that were looked at; against others it is refused with the present ones.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from openprod.core import ids, resolutions, validity, values
from openprod.core.bundles import Actor
from openprod.core.clock import time_text
from openprod.core.resolutions import Author, Resolution
from openprod.core.versions import NULL, Version
from openprod.engine import edge_decisions, edge_words, projection, semantic
from openprod.engine.bonds import Bond
from openprod.engine.lower import Lowering
from openprod.engine.trees import History
from openprod.errors import InvalidOperation, NotFound, Stale
from openprod.storage.ports import ConflictRow, RegisterRow
from openprod.yjs import layout
from openprod.yjs.documents import SetKey, Write

if TYPE_CHECKING:
    from openprod.engine.commit import Committer

UNSET: Final = object()
_UNDECIDED: Final = "Nothing was decided. Look at the conflict again."


class Deciding:
    """Collects the writes and the records of one decision."""

    def __init__(self, committer: Committer, actor: Actor, *, now_ms: int, new_id: str) -> None:
        self._committer = committer
        self._by = Author(user=actor.user, name=actor.name)
        self._at = time_text(now_ms)
        self._id = new_id
        self.conflict = ""
        self._writes: dict[str, list[Write]] = {}
        self._clocks: dict[str, int] = {}
        self._records = 0

    def plan(self) -> dict[str, list[Write]]:
        return self._writes

    def write(self, document: str, write: SetKey) -> str:
        """Add a write; returns the version that it will be, within its document."""
        live = self._committer.document(document)
        clock = self._clocks.setdefault(document, live.gate.state.get(live.client_id, 0))
        self._clocks[document] = clock + 1
        self._writes.setdefault(document, []).append(write)
        return f"{live.client_id}:{clock}"

    def _record(self, document: str, **fields: Any) -> None:
        key = self._id if not self._records else f"{self._id}.{self._records}"
        self._records += 1
        record = Resolution(conflict=self.conflict, by=self._by, at=self._at, **fields)
        self.write(document, SetKey(layout.RESOLUTION_ROOT, key, resolutions.to_record(record)))

    def join(self, register: RegisterRow, heads: Sequence[str], chosen: str | None, value: Any) -> None:
        """Set a register and say which heads that joins."""
        wrote = self.write(register.document, SetKey(register.root, register.key, value))
        self._record(
            register.document, register_=(register.root, register.key), heads=tuple(heads), wrote=(wrote,),
            chosen=chosen, value=value, supersedes=self.latest(register),
        )  # fmt: skip

    def accept(
        self, document: str, heads: Sequence[str], *, where: tuple[str, str] | None = None, value: Any = None
    ) -> None:
        """Take heads as they stand. ``where``: (root, key) of the register that this is about, if it is about one."""
        self._record(document, register_=where, heads=tuple(heads), chosen=None, value=value)

    def repeat(self, register: RegisterRow, record: Resolution, decision: str) -> None:
        """Decide the same again, knowing what stands now."""
        heads = [resolutions.local_text(head.id) for head in self._committer.detector.history(register).state.heads]
        wrote = self.write(register.document, SetKey(register.root, register.key, record.value))
        self._record(
            register.document, register_=(register.root, register.key), heads=tuple(heads), wrote=(wrote,),
            chosen=record.chosen, value=record.value, supersedes=decision,
        )  # fmt: skip

    def withdraw(self, document: str, decision: str, *, register: tuple[str, str] | None) -> None:
        self._record(document, register_=register, supersedes=decision)

    def latest(self, register: RegisterRow) -> str | None:
        rows = self._committer.storage.resolutions_at(register.document, register.root, register.key)
        return rows[-1][0].id if rows else None


def plan(
    committer: Committer, id: str, *, choose: str | None, value: Any, heads: Sequence[str] | None, deciding: Deciding,
) -> dict[str, list[Write]]:  # fmt: skip
    """The writes of a decision. Raises NotFound, Stale (with the present heads) or InvalidOperation."""
    row = committer.storage.conflict(id)
    if row is None:
        raise NotFound(f"There is no conflict {id}.", hint="`openprod conflicts` lists them.")
    deciding.conflict = id
    present = json.loads(row.heads)
    if heads is not None and sorted(heads) != sorted(present):
        raise Stale(
            "The conflict has changed since you looked at it.",
            hint="Look at it again; nothing was recorded.",
            details={"conflict": id, "heads": present},
        )
    if (choose is None) == (value is UNSET):
        raise InvalidOperation(
            "Choose one of the values, or give a value of your own.", hint="One of the two, not both."
        )
    if edge_words.is_about_edges(row):
        edge_decisions.plan(committer, row, choose, value, deciding)
        return deciding.plan()
    match row.kind:
        case "semantic":
            _bond(committer, row, choose, value, deciding)
        case "field" | "invalid" | "schema" | "cardinality":
            _register(committer, row, choose, value, deciding)
        case "edit-delete":
            _edit_delete(committer, row, choose, value, deciding)
        case "duplicate":
            _duplicate(committer, row, choose, value, deciding)
        case "text-overlap":
            deciding.accept(row.document, [head.partition(":")[2] for head in present])
        case _:
            raise InvalidOperation(f"This program can't resolve a conflict of kind {row.kind} yet.", hint="Update it.")
    return deciding.plan()


def _register(committer: Committer, row: ConflictRow, choose: str | None, value: Any, deciding: Deciding) -> None:
    assert row.register is not None
    register = committer.storage.register(row.register)
    assert register is not None
    history = committer.detector.history(register)
    # All present heads, also those that agree with another one: the decision is made knowing them.
    joined = [resolutions.local_text(head.id) for head in history.state.heads]
    chosen: str | None = None
    if choose is not None:
        document, key = ids.parse_version(choose)
        version = history.tree.versions.get(key) if document == row.document else None
        if version is None:
            raise InvalidOperation("That value isn't one of this field's.", hint="Choose one of the candidates.")
        value = _kept(version.value)
        chosen = resolutions.local_text(key)
        if row.kind == "invalid":
            deciding.accept(
                row.document, joined, where=(register.root, register.key), value=value
            )  # several may say the same
            return
        _writable(value)
    else:
        value = values.check(value, where=f"{row.facet}/{row.field}")
        edge_decisions.check(committer, register, value)
        declared = committer.schemas.field(row.facet, row.field) if row.facet else None
        if declared is None and value is not None and committer.schemas.gone(register.root, row.field) is not None:
            raise InvalidOperation(
                f"There is no “{row.field}” any more: nobody would see the value.",
                hint="Set it where it belongs now, then accept this one or clear it.",
            )
        wrong = validity.fault(declared, value) if declared else ""
        if wrong:
            raise InvalidOperation(f"The value for {row.facet}/{row.field} {wrong}.", hint=_UNDECIDED)
    deciding.join(register, joined, chosen, value)
    edge_decisions.complete(committer, register, value, deciding)


def _kept(value: str | None) -> Any:
    if value is None:
        raise InvalidOperation("That value was not kept by the program that sent it.", hint="Give the value itself.")
    return json.loads(value)


def _writable(value: Any) -> Any:
    """The value, as a decision writes it. Raises InvalidOperation for what only a Yjs program can write."""
    if isinstance(value, dict) and layout.OUTSIDE_VALUE_KEY in value:
        raise InvalidOperation(
            "Only the program that made that value can write it: choosing it would replace what is in it.",
            hint="Give a value in its place, or set it again in that program.",
        )
    return value


def _bond(committer: Committer, row: ConflictRow, choose: str | None, value: Any, deciding: Deciding) -> None:
    """Every register of the bond says the same from then on."""
    detector = committer.detector
    state = detector.bond_state(Bond(*json.loads(row.subject)["bond"]))
    if choose is not None:
        document, key = ids.parse_version(choose)
        values_there = [
            history.tree.versions[key].value
            for entry, history in state.registers
            if entry.document == document and key in history.tree.versions
        ]
        if not values_there:
            raise InvalidOperation("That value isn't one of this field's.", hint="Choose one of the candidates.")
        value = _writable(_kept(values_there[0]))
    else:
        value = values.check(value, where=row.field)
    histories = {(entry.document, entry.root, entry.key): history for entry, history in state.registers}
    for place in detector.bonds.places(state.bond):
        document, root, key_text = place
        named = layout.place(*place)
        declared = committer.schemas.field(root, named.field)
        wrong = validity.fault(declared, value) if declared is not None and choose is None else ""
        if wrong:
            raise InvalidOperation(f"The value for {root}/{named.field} {wrong}.", hint=_UNDECIDED)
        history = histories.get(place)
        register = committer.storage.register_at(*place) or RegisterRow(
            0, document, root, key_text, named.entity, named.field, -1, -1, False, None
        )  # fmt: skip
        heads = [resolutions.local_text(head.id) for head in history.state.heads] if history is not None else []
        chosen = semantic.chosen_in(history, choose, document) if history is not None and choose is not None else None
        deciding.join(register, heads, chosen, value)


def _edit_delete(committer: Committer, row: ConflictRow, choose: str | None, value: Any, deciding: Deciding) -> None:
    """Restore (choose an edit, or value true) or leave deleted (choose the deletion, or value false)."""
    rows = committer.storage.registers_of_entity(row.entity)
    if choose is not None:
        deletions = {
            text
            for gone in rows
            if not gone.field and gone.value in (None, "null")
            for text in committer.detector.endings(gone)
        }
        restore = choose not in deletions
        if choose not in json.loads(row.heads):
            raise InvalidOperation("That isn't one of the sides of this conflict.", hint="Choose one of its heads.")
    elif isinstance(value, bool):
        restore = value
    else:
        raise InvalidOperation("Say true to restore it, or false to leave it deleted.", hint=_UNDECIDED)
    before: dict[tuple[str, str, str], Any] = {}
    if restore:
        lowering = Lowering(committer)
        if committer.detector.is_deleted(row.entity) or not row.facet:
            lowering.restore(row.entity)
        else:
            lowering.reattach(row.entity, row.facet)
        for facet in _edited(committer, rows, json.loads(row.heads)):
            # Who deleted it may have told of each document by itself.
            if lowering.read(facet.partition(".")[0], facet, layout.marker_key(row.entity)) is None:
                lowering.reattach(row.entity, facet)
        before = lowering.values()
    for register in rows:
        if layout.parse_root(register.root).kind not in ("facet", "entity"):
            continue
        history = committer.detector.history(register)
        heads = [resolutions.local_text(head.id) for head in history.state.heads]
        kept = [head for head in history.state.heads if head.value not in (None, NULL)] or _put_aside(history, row.id)
        key_ = (register.document, register.root, register.key)
        if restore:
            if register.field and kept:
                own = [head for head in kept if ids.version_text(register.document, head.id) == choose]
                decided = (own or kept)[0]
                if len({head.value for head in kept}) > 1 and not own:
                    continue  # several edits apart: a field conflict of its own, once it is back
                assert decided.value is not None
                deciding.join(register, heads, resolutions.local_text(decided.id), json.loads(decided.value))
            elif key_ in before:
                deciding.join(register, heads, None, before[key_])
        elif any(head.value != NULL for head in history.state.heads):  # also a value that wasn't kept
            deciding.join(register, heads, None, None)
    for (document, root, key), before_ in before.items():
        if layout.parse_root(root).kind == "edge":
            deciding.write(document, SetKey(root, key, before_))  # what ended with it is back with it
    deciding.accept(layout.CORE, [head.partition(":")[2] for head in json.loads(row.heads)], value=restore)


def _put_aside(history: History, conflict: str) -> list[Version]:
    """The values that an earlier decision of this conflict left deleted, where nothing has come after it."""
    heads = {resolutions.local_text(head.id) for head in history.state.heads}
    joined = [
        history.tree.versions.get(id)
        for _row, _bundle, record in history.decisions
        if record.conflict == conflict and heads & set(record.wrote)
        for id in map(resolutions.parse_local, record.heads)
        if id is not None
    ]
    return [version for version in joined if version is not None and version.value not in (None, NULL)]


def _edited(committer: Committer, rows: Sequence[RegisterRow], heads: Sequence[str]) -> list[str]:
    """The facets whose fields somebody edited while they were taken away."""
    found = set()
    for register in rows:
        if register.field and layout.parse_root(register.root).kind == "facet":
            state = committer.detector.history(register).state
            if any(ids.version_text(register.document, head.id) in heads for head in state.heads):
                marker = committer.index.find(register.document, register.root, layout.marker_key(register.entity))
                if marker is not None and marker.value in (None, NULL):
                    found.add(register.root)
    return sorted(found)


def _duplicate(committer: Committer, row: ConflictRow, choose: str | None, value: Any, deciding: Deciding) -> None:
    """Keep them all (choose any), or renumber: value {entity: {field: value}}."""
    if choose is not None:
        if choose not in json.loads(row.heads):
            raise InvalidOperation("That isn't one of the entries of this conflict.", hint=_UNDECIDED)
        deciding.accept(row.document, [head.partition(":")[2] for head in json.loads(row.heads)], value=choose)
        return
    entities = json.loads(row.subject)["entities"]
    if not isinstance(value, dict) or not value or not all(entity in entities for entity in value):
        raise InvalidOperation(
            "Say which entry gets which values: {entity: {field: value}}.",
            hint=f"The entries are {', '.join(entities)}.",
        )
    for entity, fields in value.items():
        if not isinstance(fields, dict):
            raise InvalidOperation("Say which entry gets which values: {entity: {field: value}}.", hint=_UNDECIDED)
        for field, new in fields.items():
            declared = committer.schemas.field(row.facet, field)
            if declared is None:
                raise InvalidOperation(f"{row.facet} has no field “{field}”.", hint=_UNDECIDED)
            new = values.check(new, where=f"{row.facet}/{field}")
            wrong = validity.fault(declared, new)
            if wrong:
                raise InvalidOperation(f"The value for {row.facet}/{field} {wrong}.", hint=_UNDECIDED)
            place = (row.document, row.facet, layout.field_key(entity, field))
            places = projection.along(committer.detector, committer.storage, place)
            registers = [found for at in places if (found := committer.storage.register_at(*at)) is not None]
            if not registers:
                raise InvalidOperation(f"{entity} has no {field} yet.", hint=_UNDECIDED)
            for register in registers:
                heads = [resolutions.local_text(head.id) for head in committer.detector.history(register).state.heads]
                deciding.join(register, heads, None, new)


def plan_reopen(committer: Committer, id: str, deciding: Deciding) -> dict[str, list[Write]]:
    """Take the standing decisions of a conflict back. Raises NotFound or InvalidOperation."""
    row = committer.storage.conflict(id)
    if row is None:
        raise NotFound(f"There is no conflict {id}.", hint="`openprod conflicts --status all` lists them.")
    deciding.conflict = id
    records = committer.storage.resolutions_of(id)
    parsed = [(entry, record) for entry, _bundle in records if (record := resolutions.parse(entry.body)) is not None]
    withdrawn = {record.supersedes for _entry, record in parsed if record.withdraws}
    standing = [(entry, record) for entry, record in parsed if not record.withdraws and entry.id not in withdrawn]
    if row.status != "resolved" or not standing:
        raise InvalidOperation("This conflict isn't resolved.", hint="Only a decision can be taken back.")
    for entry, record in standing:
        deciding.withdraw(entry.document, entry.id, register=record.register_)
    return deciding.plan()
