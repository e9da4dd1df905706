"""Two entities that turn out to be one: merged, edited, split again, on one laptop and on two."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from openprod.core.operations import (
    AddEdge,
    AssertSame,
    AttachFacet,
    BindFacet,
    CreateEntity,
    DeleteEntity,
    MergeEntities,
    RestoreEntity,
    SetField,
    SplitEntity,
)
from openprod.core.queries import parse
from openprod.core.schema import Facet, Field, Schema
from openprod.engine.workspace import Workspace
from openprod.errors import InvalidOperation, NotFound
from tests.engine.laptops import Program, carry, identity, laptop
from tests.engine.test_concepts import CONTACTS, PERSON, SCHEDULE, attendee, contact

pytestmark = pytest.mark.anyio

CREW = Schema(plugin="crew", facets={"member": Facet(label="Member", title="{role}", fields={"role": Field()})})
MERGE = MergeEntities(survivor="jane", absorbed="jd")


async def janes(ws: Workspace) -> None:
    await ws.commit(
        [
            contact("jane", name="Jane Doe", email="jane@example.org"),
            contact("jd", name="J. Doe", phone="0123", notes="allergic to haze"),
            CreateEntity(entity="rehearsal", facets={"schedule.event": {"title": "Rehearsal"}}),
            attendee("at", displayName="x"),
        ]
    )
    await ws.commit(
        [
            CreateEntity(entity="fight", facets={"schedule.event": {"title": "Fight"}}),
            AddEdge(edge="crew.on", source="jd", target="rehearsal", id="edge_1"),
        ]
    )


def crew() -> Schema:
    from openprod.core.schema import Edge

    return Schema(plugin="crew", facets=CREW.facets, edges={"on": Edge(label="on")})


async def person(ws: Workspace, id: str) -> dict[str, Any]:
    found = await ws.entity(id)
    return {key: value for key, value in found["facets"]["contacts.person"].items() if value not in (None, "")}


def _said(entity: dict[str, Any]) -> dict[str, Any]:
    return {
        f"{facet}/{field}": value
        for facet, fields in entity["facets"].items()
        for field, value in fields.items()
        if value not in (None, "")
    }


async def test_a_merge_is_previewed_applied_and_split_again(tmp_path: Path) -> None:
    async with laptop(tmp_path / "a", "sam", CONTACTS, SCHEDULE, crew()) as ws:
        await janes(ws)
        before = [await ws.entity(id) for id in ("jane", "jd")]
        hash_ = await ws.state_hash()
        plan = await ws.preview_merge("jane", "jd")
        assert await ws.state_hash() == hash_
        assert [(one["field"], one["state"]) for one in plan["fields"]] == [
            ("email", "fills"), ("name", "differs"), ("phone", "fills"),
        ]  # fmt: skip
        assert [(one["field"], one["state"]) for one in plan["texts"]] == [("notes", "fills")]
        assert [(one["edge"], one["from"], one["to"]) for one in plan["edges"]] == [("crew.on", "jd", "rehearsal")]

        await ws.commit(
            [MergeEntities(survivor="jane", absorbed="jd", values={"contacts.person": {"name": "Jane Doe"}})]
        )
        assert await ws.conflicts() == []
        merged = {
            "name": "Jane Doe", "email": "jane@example.org", "phone": "0123", "notes": "allergic to haze",
        }  # fmt: skip
        assert await person(ws, "jane") == await person(ws, "jd") == merged
        assert (await ws.entity("jd"))["id"] == "jane"
        assert [one["id"] for one in (await ws.entity("jane"))["merged"]] == ["jd"]
        assert [(one["from"], one["to"]) for one in (await ws.entity("jane"))["edges"]] == [("jane", "rehearsal")]
        assert [(one["from"], one["to"]) for one in (await ws.entity("rehearsal"))["edges"]] == [("jane", "rehearsal")]
        for asked in ("entity = jd", "entity = jane", "entity in (jd, nobody)"):
            found = await ws.query(parse(f"contacts.person where {asked}"))
            assert [row[0] for row in found["rows"]] == ["jane"]
        assert (await ws.query(parse("contacts.person where entity != jd")))["rows"] == []
        # What is said of the one that was absorbed is said of the survivor.
        await ws.commit([SetField(entity="jd", facet="contacts.person", field="phone", value="0456")])
        assert (await person(ws, "jane"))["phone"] == "0456"

        await ws.commit([SplitEntity(entity="jd")])
        now = [await ws.entity(id) for id in ("jane", "jd")]
        assert _said(now[1]) == _said(before[1])
        assert [one["from"] for one in now[1]["edges"]] == ["jd"]
        assert _said(now[0]) == {
            **_said(before[0]),
            "contacts.person/phone": "0456",
        }  # what was set since the merge stays with the survivor
        assert await ws.conflicts() == []


async def test_what_nobody_chose_stays_a_conflict(tmp_path: Path) -> None:
    async with laptop(tmp_path / "a", "sam", CONTACTS, SCHEDULE, crew()) as ws:
        await janes(ws)
        await ws.commit([MERGE])
        (conflict,) = await ws.conflicts()
        assert (conflict.kind, conflict.entity, conflict.field) == ("semantic", "jane", "name")
        assert {one.value for one in conflict.candidates} == {"Jane Doe", "J. Doe"}
        await ws.resolve(conflict.id, value="Jane")
        assert (await person(ws, "jane"))["name"] == "Jane"
        await ws.commit([SplitEntity(entity="jd")])
        assert ((await person(ws, "jane"))["name"], (await person(ws, "jd"))["name"]) == ("Jane", "J. Doe")
        assert await ws.conflicts() == []


async def test_a_late_edit_to_the_absorbed_one_is_a_conflict_of_the_survivor(tmp_path: Path) -> None:
    async with laptop(tmp_path / "a", "sam", CONTACTS, SCHEDULE, crew()) as ws:
        await janes(ws)
        away = Program("lee", 8, document="contacts")
        await away.sync(ws)
        late = away.keys({"jd/name": "Janet"}, root="contacts.person")
        await ws.commit(
            [MergeEntities(survivor="jane", absorbed="jd", values={"contacts.person": {"name": "Jane Doe"}})]
        )
        await away.send(ws, late)
        (conflict,) = await ws.conflicts()
        assert (conflict.entity, {one.value for one in conflict.candidates}) == ("jane", {"Jane Doe", "Janet"})


async def test_opposite_directions_converge(tmp_path: Path) -> None:
    async with laptop(tmp_path / "a", "sam", CONTACTS, SCHEDULE, crew()) as ws:
        await janes(ws)
        await ws.backup(tmp_path / "copy")
        async with Workspace.open(tmp_path / "copy", identity_=identity("kim")) as other:
            await ws.commit([MERGE])
            await other.commit([MergeEntities(survivor="jd", absorbed="jane")])
            await carry(ws, other, tmp_path)
            await carry(other, ws, tmp_path)
            assert await ws.state_hash() == await other.state_hash()
            for one in (ws, other):
                assert [(await one.entity(id))["id"] for id in ("jane", "jd")] == ["jane", "jane"]
                (conflict,) = await one.conflicts()
                assert (conflict.entity, conflict.field) == ("jane", "name")


async def test_chains_and_circles(tmp_path: Path) -> None:
    async with laptop(tmp_path / "a", "sam", CONTACTS, SCHEDULE, crew()) as ws:
        await janes(ws)
        await ws.commit([contact("third", name="Jane Doe")])
        await ws.commit([MERGE])
        with pytest.raises(InvalidOperation, match="one already"):
            await ws.commit([MergeEntities(survivor="jd", absorbed="jane")])
        with pytest.raises(InvalidOperation, match="already"):
            await ws.commit([MergeEntities(survivor="third", absorbed="jd")])
        await ws.commit([MergeEntities(survivor="third", absorbed="jane")])
        assert (await ws.entity("jd"))["id"] == "third"
        await ws.commit([SplitEntity(entity="jane")])
        assert (await ws.entity("jd"))["id"] == "jane"
        with pytest.raises(NotFound):
            await ws.commit([SplitEntity(entity="jane")])
        await ws.commit([DeleteEntity(entity="third")])
        with pytest.raises(NotFound):
            await ws.commit([MergeEntities(survivor="third", absorbed="jane")])


async def test_undo_takes_a_merge_back(tmp_path: Path) -> None:
    async with laptop(tmp_path / "a", "sam", CONTACTS, SCHEDULE, crew()) as ws:
        await janes(ws)
        before = [await ws.entity(id) for id in ("jane", "jd")]
        await ws.commit([MERGE])
        await ws.undo()
        after = [await ws.entity(id) for id in ("jane", "jd")]
        assert list(map(_said, after)) == list(map(_said, before))
        assert await ws.conflicts() == []


async def test_a_merged_thing_keeps_its_concept_entity(tmp_path: Path) -> None:
    async with laptop(tmp_path / "a", "sam", CONTACTS, SCHEDULE, crew()) as ws:
        await janes(ws)
        await ws.commit([PERSON])
        await ws.commit(
            [
                BindFacet(facet="contacts.person", concept="Person", fields={"name": "name"}),
                BindFacet(facet="schedule.attendee", concept="Person", fields={"name": "displayName"}),
            ]
        )
        await ws.commit([SetField(entity="at", facet="schedule.attendee", field="displayName", value="J. Doe")])
        await ws.commit([AssertSame(concept="Person", entities=("jd", "at"))])
        values = {"contacts.person": {"name": "Jane Doe"}}
        await ws.commit([MergeEntities(survivor="jane", absorbed="jd", values=values)])
        assert await ws.conflicts() == []
        (one,) = await ws.concept_entities("Person")
        assert {member["entity"] for member in one["bound"]} == {"jane", "jd", "at"}
        assert (await ws.entity("at"))["facets"]["schedule.attendee"]["displayName"] == "Jane Doe"
        await ws.commit([SetField(entity="jane", facet="contacts.person", field="name", value="Janet")])
        assert (await ws.entity("at"))["facets"]["schedule.attendee"]["displayName"] == "Janet"


async def test_what_is_said_apart_of_a_merged_thing_is_asked_about_where_the_other_says_nothing(tmp_path: Path) -> None:
    """INV-BOND-2: nobody looks at the fields of what was merged, so a value that stands only there is a conflict."""
    async with laptop(tmp_path / "a", "sam", CONTACTS, SCHEDULE, crew()) as ws:
        await ws.commit([contact("jane", name="Jane"), contact("jd", name="Jane")])
        await ws.backup(tmp_path / "copy")
        async with Workspace.open(tmp_path / "copy", identity_=identity("kim")) as other:
            await ws.commit([MERGE])
            await other.commit([SetField(entity="jd", facet="contacts.person", field="phone", value="0123")])
            await other.commit([AttachFacet(entity="jd", facet="schedule.attendee", fields={"displayName": "Jay"})])
            await carry(other, ws, tmp_path)
            await carry(ws, other, tmp_path)
            assert await ws.state_hash() == await other.state_hash()
        phone, name = sorted(await ws.conflicts(), key=lambda one: one.facet)
        assert "set 0123, on what had been merged into it apart" in phone.sentence
        assert [(one.entity, one.kind, one.field) for one in (phone, name)] == [
            ("jane", "semantic", "phone"), ("jane", "semantic", "displayName"),
        ]  # fmt: skip
        for one, value in ((phone, "0123"), (name, "Jay")):
            assert [side.value for side in one.candidates] == [value]
            await ws.resolve(one.id, choose=one.candidates[0].version)
        assert await ws.conflicts() == []
        shown = (await ws.entity("jane"))["facets"]
        assert (shown["contacts.person"]["phone"], shown["schedule.attendee"]["displayName"]) == ("0123", "Jay")
        await ws.commit([DeleteEntity(entity="jane")])
        assert await ws.conflicts() == []


async def test_taking_a_merge_back_leaves_no_word_that_nobody_said(tmp_path: Path) -> None:
    """Two laptops' statements left the thing itself without a value; that the merge filled it in is no word."""
    for back in ("undo", "split"):
        async with laptop(tmp_path / back, "sam", CONTACTS, SCHEDULE, crew()) as ws:
            await ws.commit([contact("jane"), contact("jd")])
            await ws.commit([PERSON])
            await ws.commit(
                [
                    BindFacet(facet="contacts.person", concept="Person", fields={"name": "name"}),
                    BindFacet(facet="schedule.attendee", concept="Person", fields={"name": "displayName"}),
                ]
            )
            await ws.backup(tmp_path / f"{back}-copy")
            async with Workspace.open(tmp_path / f"{back}-copy", identity_=identity("kim")) as other:
                await ws.commit([AssertSame(concept="Person", entities=("jane",))])
                await other.commit([SetField(entity="jane", facet="contacts.person", field="name", value="Jay")])
                await carry(other, ws, tmp_path)
            await ws.commit([MERGE])
            await (ws.undo() if back == "undo" else ws.commit([SplitEntity(entity="jd")]))
            assert await ws.conflicts() == []
            assert [_said(await ws.entity(id)) for id in ("jane", "jd")] == [{"contacts.person/name": "Jay"}, {}]


async def test_a_merge_says_nothing_of_what_the_absorbed_leaves(tmp_path: Path) -> None:
    """The two belong to two things: the absorbed goes over, and the rest of its own keep what they have."""
    async with laptop(tmp_path / "a", "sam", CONTACTS, SCHEDULE, crew()) as ws:
        await ws.commit([contact("jane", name="Jane"), contact("jd"), attendee("at")])
        await ws.commit([PERSON])
        await ws.commit(
            [
                BindFacet(facet="contacts.person", concept="Person", fields={"name": "name"}),
                BindFacet(facet="schedule.attendee", concept="Person", fields={"name": "displayName"}),
            ]
        )
        await ws.commit([AssertSame(concept="Person", entities=("jane",))])
        await ws.commit([AssertSame(concept="Person", entities=("jd", "at"))])
        await ws.commit([MERGE])
        assert _said(await ws.entity("at")) == {}
        assert await ws.conflicts() == []


async def test_what_people_are_asked_stays_asked_when_more_is_said_to_be_the_same(tmp_path: Path) -> None:
    """INV-BOND-2: one cleared it, another set it; no assertion or merge may settle that unasked."""
    for how in ("assert", "merge"):
        async with laptop(tmp_path / how, "sam", CONTACTS, SCHEDULE, crew()) as ws:
            await ws.commit([contact("jane", name="Jane"), contact("jd", name="Jane"), contact("third")])
            await ws.commit([PERSON])
            await ws.commit([BindFacet(facet="contacts.person", concept="Person", fields={"name": "name"})])
            await ws.backup(tmp_path / f"{how}-copy")
            async with Workspace.open(tmp_path / f"{how}-copy", identity_=identity("kim")) as other:
                await ws.commit([MERGE])
                await ws.commit([SetField(entity="jane", facet="contacts.person", field="name", value=None)])
                await other.commit([SetField(entity="jd", facet="contacts.person", field="name", value="Jay")])
                await carry(other, ws, tmp_path)
            (conflict,) = await ws.conflicts()
            assert {one.value for one in conflict.candidates} == {None, "Jay"}
            if how == "assert":
                (told,) = [one for one in await ws.preview_same("Person", ["jane", "third"]) if one["field"] == "name"]
                await ws.commit([AssertSame(concept="Person", entities=("jane", "third"))])
            else:
                (told,) = (await ws.preview_merge("jane", "third"))["fields"]
                await ws.commit([MergeEntities(survivor="jane", absorbed="third")])
            (still,) = await ws.conflicts()
            assert {one.value for one in still.candidates} == {None, "Jay"}
            assert told["state"] == "differs"


async def test_what_was_merged_is_shown_as_of_any_time_as_queries_show_it(tmp_path: Path) -> None:
    async with laptop(tmp_path / "a", "sam", CONTACTS, SCHEDULE, crew()) as ws:
        await janes(ws)
        await ws.commit([contact("bob", name="Bob"), AddEdge(edge="crew.on", source="bob", target="jd", id="edge_2")])
        apart = (await ws.log(limit=-1))[-1]["bundle"]
        merged = (await ws.commit([MERGE])).bundle
        assert merged is not None
        then = await ws.entity("jd")
        await ws.commit([SetField(entity="jane", facet="contacts.person", field="phone", value="9")])
        await ws.commit([SplitEntity(entity="jd")])
        found = await ws.entity("jd", as_of=merged)
        assert found == await ws.entity("jane", as_of=merged)
        assert {key: found[key] for key in ("id", "title", "facets", "edges")} == {
            key: then[key] for key in ("id", "title", "facets", "edges")
        }
        assert [edge["title"] for edge in (await ws.entity("bob", as_of=merged))["edges"]] == ["Contact Jane Doe"]
        assert found["facets"]["contacts.person"]["notes"] == "allergic to haze"
        assert (await ws.entity("jd", as_of=apart))["id"] == "jd"
        assert [edge["id"] for edge in (await ws.entity("jd", as_of=apart))["edges"]] == ["edge_1", "edge_2"]


async def test_what_was_merged_into_something_deleted_is_nobody_s_duplicate(tmp_path: Path) -> None:
    """The inbox and ``where conflicted`` name the same, also when the survivor goes and comes back, and rebuilt."""
    declared = Facet(label="Contact", title="{name}", unique=(("email",),), fields={"name": Field(), "email": Field()})
    async with laptop(tmp_path / "a", "sam", Schema(plugin="contacts", facets={"person": declared})) as ws:
        await ws.commit([contact("jane", name="Jane"), contact("jd", name="Jane", email="j@example.org")])
        await ws.commit([MERGE])
        await ws.commit([contact("kim", name="Kim", email="j@example.org")])

        async def listed() -> tuple[list[str], list[str]]:
            inbox = [row.kind for row in await ws.conflicts()]
            return inbox, [row[0] for row in (await ws.query(parse("contacts.person where conflicted")))["rows"]]

        assert await listed() == (["duplicate"], ["jane", "kim"])
        await ws.commit([DeleteEntity(entity="jane")])
        assert await listed() == ([], [])
        await ws.commit([RestoreEntity(entity="jane")])
        assert await listed() == (["duplicate"], ["jane", "kim"])
        await ws.commit([DeleteEntity(entity="jane")])
        hash_ = await ws.state_hash()
        assert await ws.rebuild() == hash_
        assert await listed() == ([], [])


@pytest.mark.parametrize("theirs", ["", "plays the ghost"])
async def test_what_is_typed_on_what_is_merged_meanwhile_is_asked_about(tmp_path: Path, theirs: str) -> None:
    """INV-LOSS-2"""
    (tmp_path / "stick").mkdir()
    notes = {"facet": "contacts.person", "field": "notes"}
    async with laptop(tmp_path / "a", "sam", CONTACTS, SCHEDULE, crew()) as sam:
        await janes(sam)
        if theirs:
            await sam.commit([SetField(entity="jane", value=theirs, **notes)])
        await sam.backup(tmp_path / "b")
        async with Workspace.open(tmp_path / "b", identity_=identity("alex")) as alex:
            await sam.commit([MERGE])
            await alex.commit([SetField(entity="jd", value="allergic to haze and fog", **notes)])
            await carry(alex, sam, tmp_path / "stick")
            await carry(sam, alex, tmp_path / "stick")
            [asked] = [one for one in await sam.conflicts("open") if one.kind == "text-overlap"]
            assert asked.entity == "jane"
            assert asked.sentence == (
                "Contact Jane Doe notes: Alex typed on Contact J. Doe without knowing that it was merged into this "
                "one. There it says “allergic to haze and fog”; copy over what should stay, then accept."
            )
            assert asked in await alex.conflicts("open")
            await sam.resolve(asked.id, choose=asked.heads[0])
            settled = await sam.conflict(asked.id)
            assert settled.status == "resolved"
            assert "was read and accepted (Sam)" in settled.sentence
            await alex.commit([SetField(entity="jane", value="allergic to fog", **notes)])
            await carry(sam, alex, tmp_path / "stick")
            await carry(alex, sam, tmp_path / "stick")
            assert (await alex.conflict(asked.id)).status == "resolved"
            assert await sam.state_hash() == await alex.state_hash() == await sam.rebuild()
            assert (await sam.conflict(asked.id)).status == "resolved"
            await sam.commit([SplitEntity(entity="jd")])
            assert (await person(sam, "jd"))["notes"] == "allergic to haze and fog"
            assert "text-overlap" not in [one.kind for one in await sam.conflicts()]
