"""What people decide about edges: where one leads, whether one that ended comes back, which of several holds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from openprod.core import ids, resolutions
from openprod.core.versions import NULL
from openprod.engine import edges
from openprod.engine.lower import Lowering
from openprod.errors import InvalidOperation
from openprod.storage.ports import ConflictRow, RegisterRow
from openprod.yjs import layout
from openprod.yjs.documents import SetKey

if TYPE_CHECKING:
    from openprod.engine.commit import Committer
    from openprod.engine.resolve import Deciding


def check(committer: Committer, register: RegisterRow, value: Any) -> None:
    """Raises InvalidOperation or NotFound where a person's own value doesn't fit a register of an edge."""
    root = layout.parse_root(register.root)
    declared = committer.schemas.edge(root.name) if root.kind == "edge" else None
    if declared is None or value is None:
        return
    if register.field not in edges.ENDS:
        edges.check_property(root.name, declared, register.field, value)
        return
    if not isinstance(value, str):
        raise InvalidOperation(
            "Name the entity that it should lead to, by its id, or null for none.", hint="Queries list ids."
        )
    Lowering(committer).edges.check_end(root.name, register.field, value)


def complete(committer: Committer, register: RegisterRow, value: Any, deciding: Deciding) -> None:
    """Deciding that an edge leads nowhere ends it."""
    if value is not None or layout.parse_root(register.root).kind != "edge" or register.field not in edges.ENDS:
        return
    lowering = Lowering(committer)
    lowering.edges.end(register.document, register.root, register.entity)
    for (document, root, key), written in lowering.values().items():
        if key != register.key:
            deciding.write(document, SetKey(root, key, written))


def plan(committer: Committer, row: ConflictRow, choose: str | None, value: Any, deciding: Deciding) -> None:
    """The writes of a decision about whole edges. Raises InvalidOperation or NotFound."""
    if choose is not None and choose not in json.loads(row.heads):
        raise InvalidOperation("That isn't one of the sides of this conflict.", hint="Choose one of its heads.")
    if row.kind == "cardinality":
        _keep_one(committer, row, choose, value, deciding)
    else:
        _edit_delete(committer, row, choose, value, deciding)


def _heads(committer: Committer, register: RegisterRow) -> list[str]:
    return [resolutions.local_text(head.id) for head in committer.detector.history(register).state.heads]


def _edit_delete(committer: Committer, row: ConflictRow, choose: str | None, value: Any, deciding: Deciding) -> None:
    """Restore (choose an edit, or value true) or leave ended (choose the end, or value false)."""
    subject = json.loads(row.subject)
    (edge,) = subject["edges"]
    registers = edges.rows(committer.storage, row.document, subject["root"], edge)
    marker = registers[""]
    if choose is not None:
        restore = choose not in committer.detector.endings(marker)
    elif isinstance(value, bool):
        restore = value
    else:
        raise InvalidOperation("Say true to restore it, or false to leave it ended.", hint="Nothing was decided.")
    before: dict[tuple[str, str, str], Any] = {}
    if restore:
        lowering = Lowering(committer)
        lowering.reattach_edge(marker)
        before = lowering.values()
    for register in registers.values():
        heads = _heads(committer, register)
        states = committer.detector.history(register).state.heads
        kept = [head for head in states if head.value not in (None, NULL)]
        where = (register.document, register.root, register.key)
        if not restore:
            if any(head.value != NULL for head in states):
                deciding.join(register, heads, None, None)
            continue
        own = [head for head in kept if ids.version_text(register.document, head.id) == choose]
        if register.field and kept:
            if len({head.value for head in kept}) > 1 and not own:
                continue  # several edits apart: a conflict of its own, once it is back
            decided = (own or kept)[0]
            deciding.join(register, heads, resolutions.local_text(decided.id), json.loads(decided.value or NULL))
        elif where in before:
            deciding.join(register, heads, None, before[where])
    deciding.accept(row.document, [head.partition(":")[2] for head in json.loads(row.heads)], value=restore)


def _keep_one(committer: Committer, row: ConflictRow, choose: str | None, value: Any, deciding: Deciding) -> None:
    """Keep the edge whose target is chosen, or lead one to the entity given, and end the others."""
    subject = json.loads(row.subject)
    root, document = subject["root"], row.document
    found = {edge: edges.rows(committer.storage, document, root, edge) for edge in subject["edges"]}
    targets = {edge: registers[layout.TO_FIELD] for edge, registers in found.items()}
    if choose is not None:
        kept = next(edge for edge, to in targets.items() if ids.version_text(document, (to.client, to.clock)) == choose)
        value = json.loads(targets[kept].value or NULL)
    else:
        if not isinstance(value, str):
            raise InvalidOperation("Name the entity that it should lead to, by its id.", hint="Queries list ids.")
        check(committer, next(iter(targets.values())), value)
        leading = [edge for edge, to in targets.items() if json.loads(to.value or NULL) == value]
        kept = subject["source"] if subject["source"] in targets else sorted(targets)[0]
        kept = leading[0] if leading else kept
        if not leading:
            deciding.join(targets[kept], _heads(committer, targets[kept]), None, value)
    for edge, registers in found.items():
        if edge == kept:
            continue
        if "" not in registers:
            deciding.write(document, SetKey(root, layout.marker_key(edge), None))
        for register in registers.values():
            if any(head.value != NULL for head in committer.detector.history(register).state.heads):
                deciding.join(register, _heads(committer, register), None, None)
    # Under the register of the edge that there should be: from it, any replica knows what was decided about.
    where = (root, layout.field_key(subject["source"], layout.TO_FIELD))
    deciding.accept(document, [head.partition(":")[2] for head in json.loads(row.heads)], where=where, value=value)
