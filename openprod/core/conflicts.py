"""Conflicts as people and programs meet them: candidates, decisions, and the sentence that says what happened."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from openprod.core import evolution
from openprod.core.schema import Schema

KINDS: Final = ("field", "edit-delete", "duplicate", "cardinality", "semantic", "schema", "invalid", "text-overlap")
STATUSES: Final = ("open", "resolved", "overtaken")
DIFFERENCES_SHOWN_MAX: Final = 5


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """One of the values that disagree. ``at`` is ISO 8601 UTC; ``known`` False when no program kept the value.

    ``title``: how people call the entity that the value names.
    """

    version: str
    value: Any
    author: str
    user: str
    device: str
    at: str
    bundle: str
    unaware_of: tuple[str, ...]
    known: bool = True
    field: str = ""
    title: str = ""


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    by: str
    user: str
    device: str
    at: str
    chosen: str | None
    value: Any
    supersedes: str | None
    heads: tuple[str, ...]
    withdrawn: bool = False
    bundle: str = ""
    title: str = ""


class Conflict(msgspec.Struct, frozen=True, kw_only=True):
    """Shape of INTERFACES.md, ``Conflict``."""

    id: str
    kind: str
    status: str
    reopened: bool
    heads: tuple[str, ...]
    entity: str
    facet: str
    field: str
    title: str
    label: str
    sentence: str
    base: dict[str, Any] | None
    shown: str | None
    candidates: tuple[Candidate, ...]
    resolution: Decision | None
    resolutions: tuple[Decision, ...]

    def to_json(self) -> dict[str, Any]:
        result = msgspec.to_builtins(self)
        assert isinstance(result, dict)
        return result


def say(value: Any, *, known: bool = True) -> str:
    """A value in a sentence."""
    if not known:
        return "a value that was not kept"
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        text = value if len(value) <= 80 else value[:77] + "…"
        return f"“{text}”" if " " in text or not text else text
    if isinstance(value, (int, float)):
        return str(value)
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= 80 else text[:77] + "…"


def _set(candidate: Candidate) -> str:
    if candidate.value is None and candidate.known:
        return f"{candidate.author} cleared it"
    return f"{candidate.author} set {_named(candidate)}"


def _named(said: Candidate | Decision) -> str:
    return said.title or say(said.value, known=not isinstance(said, Candidate) or said.known)


def _decided(decided: Decision) -> str:
    return "to leave it empty" if decided.value is None else _named(decided)


def field_sentence(
    thing: str, label: str, candidates: tuple[Candidate, ...], *, decided: Decision | None, status: str
) -> str:
    """One sentence of domain words: which thing, which field, who set what, that they didn't know."""
    what = f"{thing} {label}".strip()
    said = ", ".join(_set(candidate) for candidate in candidates)
    if status == "open":
        people = {candidate.user for candidate in candidates}
        unseen = "without seeing each other" if len(people) > 1 else "in two places without seeing the other value"
        earlier = ""
        if decided is not None:
            earlier = f" It had been decided: {_named(decided)} ({decided.by})."
        return f"{what}: {said} {unseen}.{earlier} Choose a value."
    if status == "resolved" and decided is not None:
        return f"{what}: decided {_decided(decided)} ({decided.by})."
    return f"{what}: {said}; settled when its author typed again."


def schema_sentence(what: str, candidates: tuple[Candidate, ...], *, decided: Decision | None, status: str) -> str:
    """About definitions, which are whole records: people hear their versions."""
    if status == "resolved" and decided is not None:
        return f"{what}: decided for {_definition(decided.value)} ({decided.by})."
    said = ", ".join(
        f"{candidate.author} dropped it"
        if candidate.value is None and candidate.known
        else f"{candidate.author} adopted {_definition(candidate.value)}"
        for candidate in candidates
    )
    otherwise = _apart(candidates)
    return f"{what}: {said} without seeing each other.{otherwise} Choose which one holds; the data of both are kept."


def _apart(candidates: tuple[Candidate, ...]) -> str:
    """What two schemas have otherwise, which their versions don't tell: both may be called 2."""
    try:
        first, second = (Schema.from_record(candidate.value) for candidate in candidates)
    except (ValueError, msgspec.ValidationError):
        return ""
    found = [change.sentence for change in evolution.changes(first, second)]
    more = f" And {len(found) - DIFFERENCES_SHOWN_MAX} more." if len(found) > DIFFERENCES_SHOWN_MAX else ""
    said = " ".join(found[:DIFFERENCES_SHOWN_MAX]) + more
    return f" From the first to the second: {said}" if said else ""


def _definition(value: Any) -> str:
    if value is None:
        return "none"
    version = value.get("version") if isinstance(value, dict) else None
    if isinstance(version, str):
        return f"version {version}"
    fields = value.get("fields") if isinstance(value, dict) else None
    if isinstance(fields, dict) and fields and all(isinstance(name, str) for name in fields):
        said = ", ".join(sorted(fields)[:8])
        return f"a definition with {said}" + (" and more" if len(fields) > 8 else "")
    return "another definition"


def bond_sentence(
    thing: str, label: str, candidates: tuple[tuple[Candidate, str], ...], *, decided: Decision | None, status: str
) -> str:
    """``candidates``: each with where its author set it, as people call that."""
    what = f"{thing} {label}".strip()
    said = ", ".join(f"{_set(candidate)} on {where}" if where else _set(candidate) for candidate, where in candidates)
    if status == "open":
        earlier = f" It had been decided: {say(decided.value)} ({decided.by})." if decided is not None else ""
        if len({candidate.user for candidate, _where in candidates}) > 1:
            return f"{what}: {said} without seeing each other.{earlier} Choose a value."
        if len(candidates) == 1:
            return f"{what}: {said}, on what had been merged into it apart from that.{earlier} Choose a value."
        return f"{what}: {said}, and these are one thing.{earlier} Choose a value."
    if status == "resolved" and decided is not None:
        return f"{what}: decided {_decided(decided)} ({decided.by})."
    return f"{what}: {said}; settled when its author typed again."


def edit_delete_sentence(
    thing: str, deleted_by: str, edits: tuple[tuple[str, Candidate], ...],
    typed: tuple[tuple[str, Candidate], ...] = (), kept_by: str = "somebody", *,
    decided: Decision | None, status: str,
) -> str:  # fmt: skip
    """``edits``, ``typed``: (field label, candidate); ``kept_by``: who marked it as there, where there are none."""
    if status == "resolved" and decided is not None:
        return f"{thing}: decided to {'restore it' if decided.value is True else 'leave it deleted'} ({decided.by})."
    parts = [f"{edit.author} set {label} to {say(edit.value, known=edit.known)}" for label, edit in edits]
    said = ", ".join(dict.fromkeys([*parts, *(f"{edit.author} typed in {label}" for label, edit in typed)]))
    return (
        f"{thing} was deleted by {deleted_by} while {said or f'{kept_by} kept it'} without seeing each other. "
        "Restore it or leave it deleted."
    )


def edge_end_sentence(
    thing: str, label: str, target: str, ended_by: str, edits: tuple[tuple[str, Candidate], ...], *,
    decided: Decision | None, status: str,
) -> str:  # fmt: skip
    """A relation that one ended while another changed it. ``edits``: (property's label, "" for the target; by whom)."""
    what = " ".join(part for part in (thing, label, target) if part)
    if status == "resolved" and decided is not None:
        return f"{what}: decided to {'keep it' if decided.value is True else 'leave it ended'} ({decided.by})."
    said = ", ".join(
        f"{edit.author} set {property} to {_named(edit)}" if property else f"{edit.author} set it to {_named(edit)}"
        for property, edit in edits
    )
    return (
        f"{what} was ended by {ended_by} while {said or 'somebody drew it again'} without seeing each other. "
        "Restore it or leave it ended."
    )


def siblings_sentence(
    thing: str, label: str, candidates: tuple[Candidate, ...], *, decided: Decision | None, status: str
) -> str:
    """Several relations where there is place for one."""
    if status == "resolved" and decided is not None:
        return f"{thing} {label}: decided {_decided(decided)} ({decided.by})."
    said = ", ".join(_set(candidate) for candidate in candidates)
    return f"{thing} {label}: {said}, and there is place for one only. Choose one."


def duplicate_sentence(things: tuple[str, ...], what: str, *, decided: Decision | None, status: str) -> str:
    if status == "resolved" and decided is not None:
        return f"{len(things)} entries share {what}: decided to keep them all ({decided.by})."
    return f"{len(things)} entries share {what}: {', '.join(things)}. Renumber one, or keep them all."


def invalid_sentence(thing: str, label: str, candidate: Candidate, why: str, *, decided: Decision | None) -> str:
    if decided is not None:
        return f"{thing} {label}: {_named(candidate)} was accepted as it is ({decided.by})."
    return f"{thing} {label}: {candidate.author} set {_named(candidate)}, which {why}. Correct it or accept it."


def merged_text_sentence(
    thing: str, label: str, was: str, authors: tuple[str, ...], content: str, *, decided: Decision | None
) -> str:
    """``was``: how people call what was merged into ``thing``; ``content``: of its text."""
    if decided is not None:
        return f"{thing} {label}: what was typed on {was} was read and accepted ({decided.by})."
    return (
        f"{thing} {label}: {' and '.join(authors)} typed on {was} without knowing that it was merged into this one. "
        f"There it says {say(content)}; copy over what should stay, then accept."
    )


def overlap_sentence(thing: str, label: str, authors: tuple[str, ...], *, decided: Decision | None) -> str:
    if decided is not None:
        return f"{thing} {label}: the merged text was read and accepted ({decided.by})."
    return (
        f"{thing} {label}: {' and '.join(authors)} changed the same paragraph without seeing each other. "
        "Both changes are in the text; read it once."
    )
