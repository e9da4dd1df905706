"""What is told after a commit: the updates to hand on, and which conflicts each bundle has a hand in."""

from __future__ import annotations

import json
from collections.abc import Iterable

import msgspec

from openprod.core.bundles import Actor
from openprod.core.ids import parse_version
from openprod.engine.drafts import Draft, Run
from openprod.engine.events import Committed
from openprod.storage.ports import Storage


def raised(storage: Storage, changed: Iterable[str], drafts: list[Draft]) -> dict[int, list[str]]:
    """{bundle: the open conflicts that it has a hand in}."""
    found: dict[int, list[str]] = {draft.number: [] for draft in drafts}
    for id in sorted(changed):
        row = storage.conflict(id)
        if row is None or row.status != "open":
            continue
        if len(drafts) == 1:
            found[drafts[0].number].append(id)
            continue
        hands = set()
        if row.kind == "text-overlap":
            by = {bundle for bundles in json.loads(row.subject)["by"].values() for bundle in bundles}
            hands = {draft.number for draft in drafts if draft.id in by}
        for head in json.loads(row.heads) if row.kind != "text-overlap" else ():
            document, key = parse_version(head)
            version = storage.version(document, key[0], key[1])
            hands.add(version.version.bundle if version else 0)
        for number in hands & found.keys():
            found[number].append(id)
    return found


def events(
    storage: Storage, device: str, runs: list[Run], drafts: list[Draft],
    changed: tuple[str, ...], entities: tuple[str, ...],
) -> list[Committed]:  # fmt: skip
    events: list[Committed] = []
    for run in runs:
        draft = run.draft
        if draft is None:
            row = storage.bundle_numbered(run.number)
            assert row is not None
            actor = Actor(row.user, row.name, row.device, row.via)
            events.append(
                Committed(
                    bundle=row.id, actor=actor, origin=None, intent=row.intent, updates=run.updates,
                    conflicts=(), entities=(),
                )
            )  # fmt: skip
        else:
            events.append(
                Committed(
                    bundle=draft.id, actor=draft.actor, origin=None if run.echo else draft.origin,
                    intent=draft.intent, updates=run.updates, conflicts=(), entities=(),
                )
            )  # fmt: skip
    if not events and not drafts:
        actor = Actor("", "", device)
        events.append(
            Committed(
                bundle="", actor=actor, origin=None, intent="members", updates=[], conflicts=(), entities=()
            )
        )  # fmt: skip
    elif not events:
        draft = drafts[0]
        events.append(
            Committed(
                bundle=draft.id, actor=draft.actor, origin=draft.origin, intent=draft.intent, updates=[],
                conflicts=(), entities=(),
            )
        )  # fmt: skip
    # What changed belongs to the group: it is said once, when all of it can be read.
    events[-1] = msgspec.structs.replace(events[-1], conflicts=changed, entities=entities)
    return events
