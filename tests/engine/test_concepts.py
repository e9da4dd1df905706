"""Concepts, bindings, concept entities: one thing in several plugins, and what people say of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from openprod.core.concepts import ConceptField
from openprod.core.operations import (
    AssertSame,
    BindFacet,
    CreateEntity,
    DefineConcept,
    DeleteEntity,
    RestoreEntity,
    SetConceptField,
    SetField,
    Unbind,
    UnbindFacet,
)
from openprod.core.schema import Edge, Facet, Field, Schema
from openprod.engine.workspace import Workspace
from openprod.errors import InvalidOperation, NotFound
from tests.engine.laptops import Program, carry, identity, laptop

CONTACTS = Schema(
    plugin="contacts",
    facets={
        "person": Facet(
            label="Contact", title="{name}",
            fields={"name": Field(label="name"), "email": Field(), "phone": Field(), "notes": Field(type="text")},
        )
    },
)  # fmt: skip
SCHEDULE = Schema(
    plugin="schedule",
    facets={
        "attendee": Facet(label="Attendee", title="{displayName}", fields={"displayName": Field(), "email": Field()}),
        "event": Facet(label="Event", title="{title}", fields={"title": Field()}),
    },
    edges={"attends": Edge(source="attendee", target="event", unique_pair=True)},
)
PERSON = DefineConcept(
    concept="Person", fields={"name": ConceptField(label="name"), "email": ConceptField(), "phone": ConceptField()}
)
BIND = (
    BindFacet(facet="contacts.person", concept="Person", fields={"name": "name", "email": "email", "phone": "phone"}),
    BindFacet(facet="schedule.attendee", concept="Person", fields={"name": "displayName", "email": "email"}),
)
SAME = AssertSame(concept="Person", entities=("john", "js"))

pytestmark = pytest.mark.anyio


def contact(id: str, **fields: Any) -> CreateEntity:
    return CreateEntity(entity=id, facets={"contacts.person": fields})


def attendee(id: str, **fields: Any) -> CreateEntity:
    return CreateEntity(entity=id, facets={"schedule.attendee": fields})


async def people(ws: Workspace, contact_name: str = "John Smith", attendee_name: str = "J. Smith") -> None:
    await ws.commit([PERSON])
    await ws.commit(BIND)
    await ws.commit([contact("john", name=contact_name, phone="0123"), attendee("js", displayName=attendee_name)])


async def names(ws: Workspace) -> tuple[Any, Any]:
    john, js = await ws.entity("john"), await ws.entity("js")
    return john["facets"]["contacts.person"]["name"], js["facets"]["schedule.attendee"]["displayName"]


async def owner(ws: Workspace) -> dict[str, Any]:
    (one,) = await ws.concept_entities("Person")
    return one


async def test_binding_fuses_nothing(tmp_path: Path) -> None:
    async with laptop(tmp_path / "a", "sam", CONTACTS, SCHEDULE) as ws:
        await people(ws)
        assert await ws.concept_entities("Person") == []
        assert await names(ws) == ("John Smith", "J. Smith")
        await ws.commit([SetField(entity="john", facet="contacts.person", field="name", value="John")])
        assert await names(ws) == ("John", "J. Smith")
        assert await ws.conflicts() == []


async def test_scenario_b(tmp_path: Path) -> None:
    """A user asserts that two entities are the same person; their names differ; the choice shows in both."""
    async with laptop(tmp_path / "a", "sam", CONTACTS, SCHEDULE) as ws:
        await people(ws)
        receipt = await ws.commit([SAME])
        (conflict,) = await ws.conflicts()
        assert receipt.conflicts == [conflict.id]
        assert (conflict.kind, conflict.status, conflict.field) == ("semantic", "open", "name")
        assert {one.value for one in conflict.candidates} == {"John Smith", "J. Smith"}
        assert conflict.sentence == (
            "Person John Smith name: Sam set “John Smith” on Contact, Sam set “J. Smith” on Attendee, "
            "and these are one thing. Choose a value."
        )
        assert await names(ws) == ("John Smith", "J. Smith")  # until the choice each shows its own
        assert (await owner(ws))["values"]["name"] == "John Smith"  # and the concept entity a fixed one of them
        wanted = next(one.version for one in conflict.candidates if one.value == "John Smith")
        await ws.resolve(conflict.id, choose=wanted, heads=conflict.heads)
        assert await names(ws) == ("John Smith", "John Smith")
        decided = await ws.conflict(conflict.id)
        assert (decided.status, decided.resolution.value) == ("resolved", "John Smith")  # type: ignore[union-attr]
        # It can be decided otherwise, among the same.
        assert {one.value for one in decided.candidates} == {"John Smith", "J. Smith"}
        await ws.resolve(conflict.id, choose=next(one.version for one in decided.candidates if one.value == "J. Smith"))
        assert await names(ws) == ("J. Smith", "J. Smith")
        # Editing either field edits the concept entity, and with it the other.
        await ws.commit([SetField(entity="js", facet="schedule.attendee", field="displayName", value="Jack Smith")])
        assert await names(ws) == ("Jack Smith", "Jack Smith")
        assert (await owner(ws))["values"]["name"] == "Jack Smith"
        await ws.commit([SetConceptField(entity=(await owner(ws))["id"], field="name", value="Jon")])
        assert await names(ws) == ("Jon", "Jon")
        assert await ws.conflicts() == []


async def test_what_agrees_or_is_missing_is_filled_in(tmp_path: Path) -> None:
    async with laptop(tmp_path / "a", "sam", CONTACTS, SCHEDULE) as ws:
        await people(ws, "Jo", "Jo")
        await ws.commit([SetField(entity="john", facet="contacts.person", field="email", value="jo@example.org")])
        await ws.commit([SAME])
        assert await ws.conflicts() == []
        one = await owner(ws)
        assert one["values"] == {"email": "jo@example.org", "name": "Jo", "phone": "0123"}
        assert (await ws.entity("js"))["facets"]["schedule.attendee"]["email"] == "jo@example.org"
        assert one["title"] == "Person Jo"


async def test_two_laptops_apart_make_one_conflict(tmp_path: Path) -> None:
    async with laptop(tmp_path / "a", "sam", CONTACTS, SCHEDULE) as ws:
        await people(ws, "Jo", "Jo")
        await ws.commit([SAME])
        await ws.backup(tmp_path / "copy")
        async with Workspace.open(tmp_path / "copy", identity_=identity("kim")) as other:
            await ws.commit([SetField(entity="john", facet="contacts.person", field="name", value="Joan")])
            await other.commit([SetField(entity="js", facet="schedule.attendee", field="displayName", value="Joe")])
            await carry(ws, other, tmp_path)
            await carry(other, ws, tmp_path)
            assert await ws.state_hash() == await other.state_hash()
            (conflict,) = await ws.conflicts()
            assert (conflict.kind, {one.value for one in conflict.candidates}) == ("semantic", {"Joan", "Joe"})
            assert [one.id for one in await other.conflicts()] == [conflict.id]
            await other.resolve(conflict.id, value="Joanna")
            await carry(other, ws, tmp_path)
            assert await names(ws) == ("Joanna", "Joanna")
            assert await ws.conflicts() == []
            assert await ws.state_hash() == await other.state_hash()


async def test_an_outside_program_sees_and_writes_projected_values(tmp_path: Path) -> None:
    async with laptop(tmp_path / "a", "sam", CONTACTS, SCHEDULE) as ws:
        await people(ws, "Jo", "Jo")
        await ws.commit([SAME])
        away = Program("kim", 9, document="schedule")
        near = Program("lee", 8, document="contacts")
        await away.sync(ws)
        await near.sync(ws)
        heard: list[Any] = []
        ws.feed.subscribe(heard.append)
        update = near.keys({"john/name": "Joan"}, root="contacts.person")
        receipt = await near.send(ws, update)
        assert receipt is not None
        assert await names(ws) == ("Joan", "Joan")
        assert (await owner(ws))["values"]["name"] == "Joan"
        history = await ws.history("js")
        assert history["fields"][-1]["versions"][-1]["author"] == "Lee"
        assert {one.bundle for one in heard} == {receipt.bundle}  # one bundle, all of it
        # What it wrote while away, over what it had seen, against what was written since: a conflict, nothing lost.
        await away.send(ws, away.keys({"js/displayName": "Joey"}, root="schedule.attendee"))
        (conflict,) = await ws.conflicts()
        assert {one.value for one in conflict.candidates} == {"Joan", "Joey"}
        assert conflict.kind == "semantic"


async def test_an_outside_program_s_write_still_counts_where_there_once_was_a_conflict(tmp_path: Path) -> None:
    """INV-BOND-1: after the decision the registers keep two leaves for ever; what is written over what they show is
    carried on all the same."""
    async with laptop(tmp_path / "a", "sam", CONTACTS, SCHEDULE) as ws:
        await people(ws, "Jo", "Jo")
        await ws.commit([SAME])
        away = Program("kim", 9, document="schedule")
        await away.sync(ws)
        await ws.commit([SetField(entity="john", facet="contacts.person", field="name", value="Joan")])
        await away.send(ws, away.keys({"js/displayName": "Joey"}, root="schedule.attendee"))
        (conflict,) = await ws.conflicts()
        await ws.resolve(conflict.id, value="Joanna")
        places = [("contacts", "contacts.person", "john/name"), ("schedule", "schedule.attendee", "js/displayName")]
        for number, (document, root, key) in enumerate(places * 2):
            program = Program("lee", 20 + number, document=document)
            await program.sync(ws)
            await program.send(ws, program.keys({key: f"Jean {number}"}, root=root))
            assert await names(ws) == (f"Jean {number}", f"Jean {number}")
            assert (await owner(ws))["values"]["name"] == f"Jean {number}"
            assert await ws.conflicts() == []
        # What was written over something else is a conflict, as ever.
        await away.send(ws, away.keys({"js/displayName": "Joe"}, root="schedule.attendee"))
        assert {one.value for one in (await ws.conflicts())[0].candidates} == {"Jean 3", "Joe"}
        before = await ws.state_hash()
        await ws.rebuild()
        assert await ws.state_hash() == before


async def test_removing_a_key_counts_as_clearing(tmp_path: Path) -> None:
    async with laptop(tmp_path / "a", "sam", CONTACTS, SCHEDULE) as ws:
        await people(ws, "Jo", "Jo")
        await ws.commit([SAME])
        program = Program("lee", 8, document="contacts")
        await program.sync(ws)
        await program.send(ws, program.keys({}, root="contacts.person", remove=("john/name",)))
        assert await names(ws) == (None, None)
        assert await ws.conflicts() == []


async def test_unbinding_keeps_each_last_value(tmp_path: Path) -> None:
    async with laptop(tmp_path / "a", "sam", CONTACTS, SCHEDULE) as ws:
        await people(ws, "Jo", "Jo")
        await ws.commit([SAME])
        await ws.commit([SetField(entity="john", facet="contacts.person", field="name", value="Joan")])
        await ws.commit([Unbind(entity="js")])
        assert await names(ws) == ("Joan", "Joan")
        await ws.commit([SetField(entity="js", facet="schedule.attendee", field="displayName", value="Joey")])
        assert await names(ws) == ("Joan", "Joey")
        assert await ws.conflicts() == []
        assert len((await owner(ws))["bound"]) == 1  # one alone is something that has a concept entity, too
        await ws.commit([UnbindFacet(facet="contacts.person")])
        assert await ws.concept_entities("Person") == []
        assert await names(ws) == ("Joan", "Joey")


async def test_what_only_the_thing_itself_says_is_called_so(tmp_path: Path) -> None:
    """No sentence names a root of the documents."""
    async with laptop(tmp_path / "a", "sam", CONTACTS, SCHEDULE) as ws:
        await people(ws, attendee_name="John Smith")
        await ws.commit([SAME])
        attendees = BindFacet(facet="schedule.attendee", concept="Person", fields={"name": "displayName"})
        await ws.commit([BindFacet(facet="schedule.attendee", concept="Person", fields={"email": "email"})])
        await ws.commit([SetField(entity="js", facet="schedule.attendee", field="displayName", value="J. Smith")])
        await ws.commit([attendees])
        await ws.commit([UnbindFacet(facet="contacts.person")])
        (conflict,) = await ws.conflicts()
        assert "set “John Smith” on the thing itself, " in conflict.sentence
        assert "core." not in conflict.sentence


async def test_every_step_can_be_undone(tmp_path: Path) -> None:
    async with laptop(tmp_path / "a", "sam", CONTACTS, SCHEDULE) as ws:
        await people(ws, "Jo", "Jo")
        await ws.commit([SAME])
        await ws.commit([SetField(entity="john", facet="contacts.person", field="name", value="Joan")])
        await ws.undo()
        assert await names(ws) == ("Jo", "Jo")
        await ws.undo()
        assert await ws.concept_entities("Person") == []
        assert (await ws.entity("js"))["facets"]["schedule.attendee"].get("email") is None
        await ws.redo()
        assert len(await ws.concept_entities("Person")) == 1
        assert [one["intent"] for one in await ws.log(limit=20)][-3:] == ["undo", "undo", "redo"]


async def test_a_deleted_member_neither_clears_nor_holds_the_others(tmp_path: Path) -> None:
    async with laptop(tmp_path / "a", "sam", CONTACTS, SCHEDULE) as ws:
        await people(ws, "Jo", "Jo")
        await ws.commit([SAME])
        await ws.commit([DeleteEntity(entity="js")])
        assert await ws.conflicts() == []
        assert (await owner(ws))["values"]["name"] == "Jo"
        await ws.commit([RestoreEntity(entity="js")])
        assert await names(ws) == ("Jo", "Jo")
        assert await ws.conflicts() == []


async def test_one_thing_bound_twice_by_two_laptops(tmp_path: Path) -> None:
    """Each asserts something else of the same attendee: a conflict in which people see what it is about."""
    async with laptop(tmp_path / "a", "sam", CONTACTS, SCHEDULE) as ws:
        await people(ws, "Jo", "Jo")
        await ws.commit([contact("ann", name="Jo")])
        await ws.backup(tmp_path / "copy")
        async with Workspace.open(tmp_path / "copy", identity_=identity("kim")) as other:
            await ws.commit([SAME])
            await other.commit([AssertSame(concept="Person", entities=("ann", "js"))])
            await carry(ws, other, tmp_path)
            await carry(other, ws, tmp_path)
            assert await ws.state_hash() == await other.state_hash()
            (conflict,) = await ws.conflicts(kind="cardinality")
            assert re.fullmatch(
                r"Attendee Jo \(Attendee\) belongs to: \w{3} set Person Jo \(\w{4}\), \w{3} set Person Jo \(\w{4}\) "
                r"without seeing each other\. Choose a value\.",
                conflict.sentence,
            )
            # Set in the same millisecond, either may stand first.
            assert {one.author for one in conflict.candidates} == {"Sam", "Kim"}
            await ws.resolve(conflict.id, choose=conflict.candidates[0].version)
            assert await ws.conflicts() == []


async def test_the_same_assertion_on_two_laptops_is_one(tmp_path: Path) -> None:
    async with laptop(tmp_path / "a", "sam", CONTACTS, SCHEDULE) as ws:
        await people(ws, "Jo", "Jo")
        await ws.backup(tmp_path / "copy")
        async with Workspace.open(tmp_path / "copy", identity_=identity("kim")) as other:
            await ws.commit([SAME])
            await other.commit([AssertSame(concept="Person", entities=("js", "john"))])
            await carry(ws, other, tmp_path)
            await carry(other, ws, tmp_path)
            assert await ws.conflicts() == []
            assert len(await ws.concept_entities("Person")) == 1
            assert await ws.state_hash() == await other.state_hash()


async def test_definitions_made_apart_disagree_openly(tmp_path: Path) -> None:
    async with laptop(tmp_path / "a", "sam", CONTACTS, SCHEDULE) as ws:
        await ws.backup(tmp_path / "copy")
        async with Workspace.open(tmp_path / "copy", identity_=identity("kim")) as other:
            await ws.commit([PERSON])
            await other.commit([DefineConcept(concept="Person", fields={"title": ConceptField()})])
            await carry(other, ws, tmp_path)
            (conflict,) = await ws.conflicts()
            assert conflict.kind == "schema"


async def test_concept_entities_can_be_said_to_be_one(tmp_path: Path) -> None:
    async with laptop(tmp_path / "a", "sam", CONTACTS, SCHEDULE) as ws:
        await people(ws, "Jo", "Jo")
        await ws.commit([contact("ann", name="Jo")])
        await ws.commit([AssertSame(concept="Person", entities=("john",))])
        await ws.commit([AssertSame(concept="Person", entities=("ann", "js"))])
        owners = [one["id"] for one in await ws.concept_entities("Person")]
        (name, *_rest) = [one for one in await ws.preview_same("Person", owners) if one["field"] == "name"]
        assert (name["state"], len(name["values"])) == ("same", 3)
        await ws.commit([AssertSame(concept="Person", entities=tuple(owners))])
        (one,) = await ws.concept_entities("Person")
        assert [member["entity"] for member in one["bound"]] == ["ann", "john", "js"]


async def test_what_is_refused(tmp_path: Path) -> None:
    async with laptop(tmp_path / "a", "sam", CONTACTS, SCHEDULE) as ws:
        with pytest.raises(NotFound, match="no concept"):
            await ws.commit([BIND[0]])
        with pytest.raises(InvalidOperation, match="can't be the name"):
            await ws.commit([DefineConcept(concept="person", fields={"name": ConceptField()})])
        await people(ws)
        with pytest.raises(InvalidOperation, match="has no field"):
            await ws.commit([BindFacet(facet="contacts.person", concept="Person", fields={"name": "nickname"})])
        with pytest.raises(InvalidOperation, match="several people write"):
            await ws.commit([BindFacet(facet="contacts.person", concept="Person", fields={"name": "notes"})])
        with pytest.raises(NotFound, match="no entity"):
            await ws.commit([AssertSame(concept="Person", entities=("john", "nobody"))])
        await ws.commit([CreateEntity(entity="e", facets={"schedule.event": {"title": "x"}})])
        with pytest.raises(InvalidOperation, match="bound to Person"):
            await ws.commit([AssertSame(concept="Person", entities=("john", "e"))])
        assert await ws.concept_entities("Person") == []


async def test_a_restart_and_a_rebuild_know_the_same(tmp_path: Path) -> None:
    async with laptop(tmp_path / "a", "sam", CONTACTS, SCHEDULE) as ws:
        await people(ws)
        await ws.commit([SAME])
        before = await ws.state_hash(), await owner(ws), await ws.conflicts()
        await ws.rebuild()
        assert (await ws.state_hash(), await owner(ws), await ws.conflicts()) == before
    async with Workspace.open(tmp_path / "a") as ws:
        assert (await ws.state_hash(), await owner(ws), await ws.conflicts()) == before
