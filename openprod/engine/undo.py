"""Undo and redo, per user and bundle: new bundles that write earlier values back. History is never rewritten.

Only what still stands is taken back; a field that somebody changed since is left as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from openprod.core import resolutions
from openprod.engine import inverse, inverse_text
from openprod.engine.lower import Lowering
from openprod.engine.resolve import Deciding
from openprod.errors import InvalidOperation, NotFound, Stale
from openprod.storage.ports import BundleRow
from openprod.yjs import layout
from openprod.yjs.documents import Write

if TYPE_CHECKING:
    from openprod.engine.commit import Committer

_REACH = 1_000
Records: TypeAlias = "dict[tuple[str, str], tuple[int, resolutions.Resolution]]"
"""Decisions by document and id, each with the number of its bundle."""


def last_undoable(committer: Committer, user: str) -> tuple[BundleRow, str]:
    """What to take back for the user's latest bundle that isn't undone, and that bundle's id. Raises NotFound."""
    latest: dict[str, BundleRow] = {}
    for row in committer.storage.bundles_by_user(user, limit=_REACH):
        if row.number in committer.members.held:
            continue
        if row.intent in ("undo", "redo"):
            latest.setdefault(row.undoes, row)
            continue
        word = latest.get(row.id)
        if row.intent not in ("adopt", "restored") and (word is None or word.intent == "redo"):
            return word or row, row.id
    raise NotFound("There is nothing to undo.", hint="Only your own changes can be undone.")


def standing(committer: Committer, user: str, bundle: BundleRow) -> BundleRow:
    """What to take back for ``bundle``: itself, or the redo that brought it back."""
    for row in committer.storage.bundles_by_user(user, limit=_REACH):
        if row.undoes == bundle.id:
            return row if row.intent == "redo" else bundle
    return bundle


def last_redoable(committer: Committer, user: str) -> BundleRow:
    """The user's latest undo that nothing of theirs came after, but redos. Raises NotFound."""
    redone: set[str] = set()
    for row in committer.storage.bundles_by_user(user, limit=_REACH):
        if row.intent == "redo":
            redone.add(row.undoes)
        elif row.intent == "undo":
            if row.undoes in redone:
                redone.discard(row.undoes)
                continue
            return row
        else:
            break
    raise NotFound("There is nothing to redo.", hint="Redo takes back your latest undo.")


def plan(committer: Committer, bundle: BundleRow, deciding: Deciding) -> dict[str, list[Write]]:
    """Raises Stale when nothing of the bundle stands, InvalidOperation for one that wrote nothing to take back.

    Undoing a decision takes it back; undoing that (a redo) decides the same again. What somebody else wrote too, apart
    from it, stays: that is theirs as well.
    """
    found = inverse.of_bundle(committer, bundle)
    splices = inverse_text.of_bundle(committer, bundle)
    records = {
        (row.document, row.id): (row.bundle, record)
        for row in committer.storage.all_resolutions()
        if (record := resolutions.parse(row.body)) is not None
    }
    decisions = [one for one in found.decisions if one in records]
    since = {(row.document, row.root, row.key) for row in found.since}
    passed = _passed(records, decisions, since, bundle)
    decided_since = {
        (document, *record.register_)
        for document, id in passed
        if (record := records[document, id][1]).register_ is not None
    }
    decided = {(document, *where) for document, id in decisions if (where := records[document, id][1].register_)}
    own = {one[:3] for one in found.values} - decided
    shared = {one for one in since | own if inverse.is_shared(committer, one, bundle)}
    values = [one for one in found.values if one[:3] not in decided_since | shared]
    decisions = [one for one in decisions if one not in passed]
    if not values and not decisions and not splices:
        if shared and since <= shared and not passed:
            raise Stale(
                "Somebody made the same change apart from this one, and theirs stands.",
                hint="Nothing was undone. Delete or change what is to go.",
            )
        if since or passed:
            raise Stale("Everything in that change has been changed again since.", hint="Nothing was undone.")
        raise InvalidOperation("That change holds nothing that can be undone here.", hint="Nothing was undone.")
    lowering = Lowering(committer)
    repeated: set[tuple[str, str, str]] = set()
    for document, id in decisions:
        record = records[document, id][1]
        deciding.conflict = record.conflict
        if not record.withdraws:
            deciding.withdraw(document, id, register=record.register_)
            continue
        _number, earlier = records.get((document, record.supersedes or ""), (0, None))
        if earlier is None:
            continue
        if earlier.register_ is None or not earlier.wrote:
            deciding.accept(document, earlier.heads, where=earlier.register_, value=earlier.value)
            continue
        register = committer.storage.register_at(document, *earlier.register_)
        if register is not None:
            deciding.repeat(register, earlier, id)
            repeated.add((document, *earlier.register_))
    unsaid = inverse.unsaid(committer, bundle, values)
    for document, root, key, value in _as_shown(committer, values):
        if (document, root, key) not in repeated | unsaid:
            lowering.write(document, root, key, value)
    plan = deciding.plan()
    # The decisions' own writes come first: their records name them by their place in the transaction.
    for document, writes in lowering.plan().items():
        plan.setdefault(document, []).extend(writes)
    for document, splice in splices:
        plan.setdefault(document, []).append(splice)
    return plan


def _passed(
    records: Records, decisions: list[tuple[str, str]], since: set[tuple[str, str, str]], bundle: BundleRow
) -> set[tuple[str, str]]:
    """Those of a bundle's decisions that somebody has gone on from: taken back, decided anew, or edited over."""
    withdrawn = {
        (document, record.supersedes) for (document, _id), (_in, record) in records.items() if record.withdraws
    }
    later = {
        record.conflict
        for one, (number, record) in records.items()
        if number > bundle.number and record.conflict and not record.withdraws and one not in withdrawn
    }
    return {
        (document, id)
        for document, id in decisions
        for record in (records[document, id][1],)
        if (record.register_ is not None and (document, *record.register_) in since)
        or (not record.withdraws and (document, id) in withdrawn)
        or record.conflict in later
    }


def _as_shown(committer: Committer, values: list[tuple[str, str, str, Any]]) -> list[tuple[str, str, str, Any]]:
    """All keys of one field go back to what it showed, under whichever of them that was."""
    shown: dict[tuple[str, str, str, str], tuple[int, Any]] = {}
    for document, root, key, value in values:
        place = layout.place(document, root, key)
        keys = committer.schemas.keys_of(root, place.field)
        rank, field = keys.index(place.field), (document, root, place.entity, keys[0])
        if value is not None and len(keys) > 1 and rank < shown.get(field, (len(keys), None))[0]:
            shown[field] = rank, value
    return [
        (document, root, key, shown.get((document, root, place.entity, now), (0, value))[1])
        for document, root, key, value in values
        for place in (layout.place(document, root, key),)
        for now in (committer.schemas.keys_of(root, place.field)[0],)
    ]
