"""Migrations: a pure function of a plugin, shown field by field before it is applied."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from openprod.core.operations import CreateEntity, SetField
from openprod.engine.workspace import Workspace
from openprod.errors import InvalidManifest
from openprod.plugin_api import EdgeView, Snapshot
from openprod.plugin_host.manifest import Manifest, read_manifest
from openprod.plugin_host.migrating import plan_migration
from tests.plugin_host.folders import PLUGIN, SCHEMA, MakePlugin

TWO = PLUGIN.replace("1.2.0", "2.0.0") + '\n[[migration]]\nfrom = "1"\nto = "2"\nentry = "jobs/two.py:plan"\n'
SCHEMA_TWO = SCHEMA.replace('wait = { type = "duration" }', 'pause = { type = "integer", label = "Pause" }').replace(
    'number = { type = "decimal", label = "No." }', 'number = { type = "integer", label = "No." }'
)
JOB = """\
from openprod.plugin_api import Proposal, SetField, Snapshot


def plan(snapshot: Snapshot) -> Proposal:
    operations = []
    for entity, fields in sorted(snapshot.entities("things.thing").items()):
        if fields.get("wait") is not None:
            operations.append(
                SetField(entity=entity, facet="things.thing", field="pause", value=round(fields["wait"] * 1000))
            )
        if (fields.get("number") or "").isdigit():
            operations.append(
                SetField(entity=entity, facet="things.thing", field="number", value=int(fields["number"]))
            )
    return Proposal(operations=tuple(operations), summary=("Waits are pauses in milliseconds now.",))
"""


def plugin(make_plugin: MakePlugin, job: str = JOB, name: str = "two") -> Manifest:
    return read_manifest(make_plugin(name, plugin=TWO, schema=SCHEMA_TWO, files={"jobs/two.py": job}))


def one(make_plugin: MakePlugin) -> Manifest:
    return read_manifest(make_plugin("one"))


ROWS: dict[str, dict[str, Any]] = {
    "thing_1": {"list": "A", "number": "1", "wait": 2.5, "notes": "Careful"},
    "thing_2": {"list": "A", "number": "1.5", "wait": None, "notes": ""},
    "thing_3": {"list": "B", "number": None, "state": "new"},
}


def snapshot(rows: dict[str, dict[str, Any]] = ROWS) -> Snapshot:
    return Snapshot("ws", {"things.thing": rows}, {"things.placed_in": {"edge_1": EdgeView("thing_1", "thing_2")}})


def test_a_preview_says_field_by_field_what_becomes_of_the_data(make_plugin: MakePlugin) -> None:
    manifest, old = plugin(make_plugin), one(make_plugin).schema
    migration = manifest.migration("1.2.0")
    assert migration is not None
    assert old is not None
    proposal, preview = plan_migration(manifest, migration, old, snapshot())
    assert len(proposal.operations) == 2
    assert (preview.plugin, preview.before, preview.after) == ("things", "1.2.0", "2.0.0")
    assert [(one.title, one.label, one.before, one.after) for one in preview.fields] == [
        ("A 1", "Pause", None, 2500),
        ("A 1", "No.", "1", 1),
    ]
    assert [(one.entity, one.field, one.value, one.why) for one in preview.misfits] == [
        ("thing_2", "number", "1.5", "isn't a whole number")
    ]
    assert preview.hidden == {"things.thing/wait": 1}
    assert preview.counts == {"operations": 2, "fields": 2, "misfits": 1}
    assert preview.summary == ("Waits are pauses in milliseconds now.",)
    assert {change.where for change in preview.changes if not change.free} == {
        "facet.thing.field.number", "facet.thing.field.wait",
    }  # fmt: skip


def test_the_same_snapshot_gives_the_same_preview(make_plugin: MakePlugin) -> None:
    manifest, old = plugin(make_plugin), one(make_plugin).schema
    assert old is not None
    migration = manifest.migrations[0]
    turned = snapshot(dict(reversed(ROWS.items())))
    assert (
        plan_migration(manifest, migration, old, snapshot())[0] == plan_migration(manifest, migration, old, turned)[0]
    )


WRONG = {
    "stops": ("def plan(snapshot):\n    return 1 / 0\n", "it stopped (ZeroDivisionError"),
    "nothing": ("def plan(snapshot):\n    return None\n", "returned no proposal"),
    "old field": (
        JOB.replace('field="pause"', 'field="wait"'),
        "wait, which version 2.0.0 doesn't declare",
    ),
    "not its own": (JOB.replace('facet="things.thing", field="pause"', 'facet="rooms.room", field="pause"'), "its own"),
    "does not fit": (JOB.replace("round(fields", "str(fields").replace("* 1000)", ")"), "isn't a whole number"),
    "deletes": (
        "from openprod.plugin_api import DeleteEntity, Proposal\n\n\n"
        'def plan(snapshot):\n    return Proposal(operations=(DeleteEntity(entity="thing_1"),))\n',
        "may not propose DeleteEntity",
    ),
    "edge": (
        "from openprod.plugin_api import AddEdge, Proposal\n\n\n"
        'def plan(snapshot):\n    return Proposal(operations=(AddEdge(edge="a.b", source="x", target="y"),))\n',
        "a.b, which isn't its own",
    ),
    "does not load": ("import nothing_of_that_name\n", "doesn't load"),
    "no function": ("plan = 3\n", "doesn't have"),
}


@pytest.mark.parametrize(("job", "words"), WRONG.values(), ids=WRONG.keys())
def test_a_migration_that_cannot_be_used(make_plugin: MakePlugin, job: str, words: str) -> None:
    manifest, old = plugin(make_plugin, job), one(make_plugin).schema
    assert old is not None
    with pytest.raises(InvalidManifest) as refused:
        plan_migration(manifest, manifest.migrations[0], old, snapshot())
    assert words in refused.value.sentence
    assert refused.value.hint


def test_a_preview_is_what_then_happens(
    make_plugin: MakePlugin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """INV-MIGRATE-1: in a real workspace, and undone as one."""
    monkeypatch.setenv("OPENPROD_HOME", str(tmp_path / "home"))
    manifest, old = plugin(make_plugin), one(make_plugin).schema
    assert old is not None
    assert manifest.schema is not None
    new = manifest.schema

    async def check() -> None:
        await Workspace.create(tmp_path / "w", name="Show", schemas=[old])
        async with Workspace.open(tmp_path / "w") as workspace:
            for entity, fields in ROWS.items():
                kept = {name: value for name, value in fields.items() if value}
                await workspace.commit([CreateEntity(entity=entity, facets={"things.thing": kept})])
            before = await workspace.rows("things.thing")
            taken = Snapshot(workspace.id, {"things.thing": before})
            proposal, preview = plan_migration(manifest, manifest.migrations[0], old, taken)
            receipt = await workspace.migrate(new, proposal.operations, version=old.version)
            after = await workspace.rows("things.thing")
            changed = {
                (entity, field): value
                for entity, fields in after.items()
                for field, value in fields.items()
                if value != before[entity].get(field)
            }
            assert changed == {(one.entity, one.field): one.after for one in preview.fields}
            flagged = await workspace.conflicts()
            assert [(one.kind, one.entity, one.field) for one in flagged] == [
                ("invalid", one.entity, one.field) for one in preview.misfits
            ]
            assert receipt.bundle == (await workspace.log())[-1]["bundle"]
            with pytest.raises(Exception, match="no field “wait”"):
                await workspace.commit([SetField(entity="thing_1", facet="things.thing", field="wait", value=1)])
            await workspace.undo()
            assert await workspace.rows("things.thing") == before
            assert await workspace.conflicts() == []
            assert workspace.schemas["things"].version == "1.2.0"

    asyncio.run(check())
