"""The schedule with no other plugin present: from calendars and sheets into a workspace, and out again as calendars."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import icalendar
import pytest

from openprod.core.concepts import ConceptField
from openprod.core.operations import AddEdge, AssertSame, BindFacet, CreateEntity, DefineConcept, SetField
from openprod.engine import maintenance
from openprod.engine.workspace import Workspace
from openprod.plugin_api import Answer
from openprod.plugin_host.exporting import export_snapshot, run_export
from openprod.plugin_host.importing import plan_import
from openprod.plugin_host.registry import Registry, shipped_folder
from openprod.plugin_host.snapshots import take_snapshot

NOW = "2026-11-22T18:30:00Z"
PEOPLE = b"Name,Department,Email\nJane Doe,Cast,jane@example.com\nSam Poe,LX,\nKim Lee,LX,\n"
WEEK = b"""Date,Start,End,What,Where,Called,Query
2026-11-24,12:00,12:45,Fight call,Studio 1,Jane Doe,
2026-11-25,10:00,13:00,Focus,Stage,,schedule.attendee where department = LX
"""


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENPROD_HOME", str(tmp_path / "home"))


class Schedule:
    """An open workspace that has adopted the schedule alone."""

    def __init__(self, workspace: Workspace, registry: Registry) -> None:
        self.workspace, self.registry = workspace, registry

    async def take(self, importer: str, data: bytes, name: str = "file") -> dict[str, int]:
        manifest, found = self.registry.importer(importer)
        snapshot = await take_snapshot(self.workspace, manifest.facets, manifest.edges)
        proposal = plan_import(manifest, found, data, snapshot, file_name=name)
        if proposal.operations:
            await self.workspace.commit(proposal.operations, intent="import")
        return dict(proposal.counts)

    async def calendars(self) -> dict[str, dict[str, Any]]:
        """{file: {title: event}}"""
        manifest, exporter = self.registry.exporter("schedule.ical")
        snapshot = await export_snapshot(self.workspace, manifest, exporter)
        files = run_export(manifest, exporter, snapshot, {"zone": "Europe/London"}, now=NOW)
        again = await export_snapshot(self.workspace, manifest, exporter)
        assert run_export(manifest, exporter, again, {"zone": "Europe/London"}, now="2031-01-01T00:00:00Z") == files
        read: dict[str, dict[str, Any]] = {}
        for name, data in files.items():
            calendar = icalendar.Calendar.from_ical(data)
            read[name] = {str(event["SUMMARY"]): event for event in calendar.walk("VEVENT")}
        return read

    async def sequences(self) -> dict[str, int]:
        everything = (await self.calendars())["schedule.ics"]
        return {title: int(event["SEQUENCE"]) for title, event in everything.items()}

    async def ids(self, facet: str, field: str) -> dict[str, str]:
        return {str(fields[field]): entity for entity, fields in (await self.workspace.rows(facet)).items()}

    async def set(self, entity: str, field: str, value: Any) -> None:
        await self.workspace.commit([SetField(entity=entity, facet="schedule.event", field=field, value=value)])


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    shutil.copytree(shipped_folder() / "schedule", tmp_path / "alone" / "schedule")
    registry = Registry.load(shipped=tmp_path / "alone")
    assert registry.problems == ()
    assert list(registry.plugins) == ["schedule"]
    return registry


@asynccontextmanager
async def opened(folder: Path, registry: Registry) -> AsyncIterator[Schedule]:
    if not folder.exists():
        await Workspace.create(folder, name="Hamlet", schemas=[registry.schema("schedule")])
    async with Workspace.open(folder) as workspace:
        yield Schedule(workspace, registry)


def check(folder: Path, registry: Registry, steps: Callable[[Schedule], Awaitable[None]]) -> None:
    async def work() -> None:
        async with opened(folder, registry) as schedule:
            await steps(schedule)

    asyncio.run(work())


def test_people_and_a_week_become_calendars_for_each_of_them(tmp_path: Path, registry: Registry) -> None:
    async def steps(schedule: Schedule) -> None:
        assert (await schedule.take("schedule.people", PEOPLE))["created"] == 3
        assert (await schedule.take("schedule.csv", WEEK))["created"] == 4
        assert (await schedule.take("schedule.csv", WEEK))["created"] == 0
        assert await schedule.workspace.conflicts() == []
        event = (await schedule.ids("schedule.event", "title"))["Fight call"]
        assert "Fight call Tue 24 Nov 12:00" in (await schedule.workspace.entity(event))["title"]
        calendars = await schedule.calendars()
        assert {name: sorted(events) for name, events in calendars.items()} == {
            "schedule.ics": ["Fight call", "Focus"],
            "people/Jane Doe.ics": ["Fight call"],
            "people/Sam Poe.ics": ["Focus"],
            "people/Kim Lee.ics": ["Focus"],
            "departments/Cast.ics": ["Fight call"],
            "departments/LX.ics": ["Focus"],
        }
        # Asked again whenever somebody wants to know: nobody is stored as coming.
        assert len((await schedule.workspace.entity(event))["edges"]) == 2
        kim = (await schedule.ids("schedule.attendee", "displayName"))["Kim Lee"]
        await schedule.workspace.commit(
            [SetField(entity=kim, facet="schedule.attendee", field="department", value="SND")]
        )
        assert "departments/SND.ics" in await schedule.calendars()
        assert (await schedule.calendars())["people/Kim Lee.ics"] == {}

    check(tmp_path / "ham", registry, steps)


def test_the_revision_goes_up_with_each_real_change_and_never_otherwise(tmp_path: Path, registry: Registry) -> None:
    async def steps(schedule: Schedule) -> None:
        await schedule.take("schedule.people", PEOPLE)
        await schedule.take("schedule.csv", WEEK)
        events, rooms = await schedule.ids("schedule.event", "title"), await schedule.ids("schedule.room", "name")
        fight, focus = events["Fight call"], events["Focus"]
        assert await schedule.sequences() == {"Fight call": 0, "Focus": 0}
        before = (await schedule.calendars())["schedule.ics"]
        await schedule.set(fight, "start", "12:15")
        assert await schedule.sequences() == {"Fight call": 1, "Focus": 0}
        await schedule.set(fight, "start", "12:15")
        await schedule.set(fight, "attendees_query", "schedule.attendee")
        assert await schedule.sequences() == {"Fight call": 1, "Focus": 0}
        # The first details and another room are changes, though nothing stood there before.
        await schedule.set(focus, "details", "Bring gel")
        await schedule.workspace.commit(
            [AddEdge(edge="schedule.in_room", source=focus, target=rooms["Studio 1"], id="")]
        )
        assert await schedule.sequences() == {"Fight call": 1, "Focus": 2}
        await schedule.workspace.undo()
        assert (await schedule.sequences())["Focus"] == 3
        await schedule.set(fight, "status", "cancelled")
        after = (await schedule.calendars())["schedule.ics"]
        assert after["Fight call"]["STATUS"] == "CANCELLED"
        assert after["Fight call"]["UID"] == before["Fight call"]["UID"]
        assert after["Fight call"]["DTSTAMP"].dt >= before["Fight call"]["DTSTAMP"].dt

    check(tmp_path / "ham", registry, steps)


def test_two_laptops_that_changed_it_apart_publish_a_higher_one_together(tmp_path: Path, registry: Registry) -> None:
    async def steps() -> None:
        async with opened(tmp_path / "ham", registry) as schedule:
            await schedule.take("schedule.csv", WEEK)
            fight = (await schedule.ids("schedule.event", "title"))["Fight call"]
            await schedule.workspace.backup(tmp_path / "copy")
        maintenance.restore(tmp_path / "copy", tmp_path / "other")
        async with (
            opened(tmp_path / "ham", registry) as one,
            opened(tmp_path / "other", registry) as other,
        ):
            await one.set(fight, "start", "12:30")
            await other.set(fight, "start", "12:45")
            assert [await one.sequences(), await other.sequences()] == [{"Fight call": 1, "Focus": 0}] * 2
            await one.workspace.pack(tmp_path / "one.pack")
            await other.workspace.pack(tmp_path / "other.pack")
            await one.workspace.merge(tmp_path / "other.pack")
            await other.workspace.merge(tmp_path / "one.pack")
            assert await one.sequences() == {"Fight call": 2, "Focus": 0}
            assert await one.calendars() == await other.calendars()

    asyncio.run(steps())


def test_a_query_about_a_concept_or_somebody_elses_entities_means_the_attendees_bound_to_them(
    tmp_path: Path, registry: Registry
) -> None:
    async def steps(schedule: Schedule) -> None:
        await schedule.take("schedule.people", PEOPLE)
        await schedule.take("schedule.csv", b"Date,What,Query\n2026-11-24,Talk,Person where name = 'Jane Doe'\n")
        jane = (await schedule.ids("schedule.attendee", "displayName"))["Jane Doe"]
        await schedule.workspace.commit(
            [DefineConcept(concept="Person", label="Person", fields={"name": ConceptField(label="Name")})]
        )
        await schedule.workspace.commit(
            [BindFacet(facet="schedule.attendee", concept="Person", fields={"name": "displayName"})]
        )
        await schedule.workspace.commit([AssertSame(concept="Person", entities=(jane,))])
        assert sorted((await schedule.calendars())["people/Jane Doe.ics"]) == ["Talk"]

    check(tmp_path / "ham", registry, steps)


def test_queries_that_cannot_be_asked_stop_nothing(tmp_path: Path, registry: Registry) -> None:
    async def steps(schedule: Schedule) -> None:
        texts = [
            "schedule.attendee",
            "schedule.nobody",
            "where",
            "schedule.attendee group by department select count()",
        ]
        await schedule.take("schedule.people", PEOPLE)
        await schedule.workspace.commit(
            [
                CreateEntity(
                    entity=f"event_{index}", facets={"schedule.event": {"title": "x", "attendees_query": text}}
                )
                for index, text in enumerate(texts)
            ]
        )
        manifest, exporter = registry.exporter("schedule.ical")
        answers = (await export_snapshot(schedule.workspace, manifest, exporter)).answers
        assert len(answers["schedule.attendee"].entities) == 3
        for text in texts[1:]:
            assert answers[text].entities == ()
            assert answers[text] != Answer()

    check(tmp_path / "ham", registry, steps)
