"""Importing into a workspace that agreed to an older version of a plugin than the one installed."""

from openprod.core.operations import (
    AddEdge,
    AttachFacet,
    CreateEntity,
    EditText,
    RemoveEdge,
    SetEdgeProperty,
    SetField,
)
from openprod.core.proposals import Proposal, Skipped
from openprod.core.schema import Edge, Facet, Field, Schema
from openprod.plugin_host.fitting import fit, known

ADOPTED = Schema(
    plugin="things",
    version="1.0",
    facets={"thing": Facet(fields={"name": Field(), "text": Field(type="text")})},
    edges={"near": Edge(properties={"far": Field()})},
)
KEPT = (
    CreateEntity(entity="a", facets={"things.thing": {"name": "A"}}),
    AttachFacet(entity="b", facet="things.thing", fields={"name": "B"}),
    SetField(entity="a", facet="things.thing", field="name", value="C"),
    EditText(entity="a", facet="things.thing", field="text", index=0, insert="x"),
    AddEdge(edge="things.near", source="a", target="b", properties={"far": "1"}),
    SetEdgeProperty(edge="things.near", id="e", property="far", value="2"),
    RemoveEdge(edge="things.near", id="e"),
)


def test_what_was_agreed_to_is_the_same_proposal() -> None:
    proposal = Proposal(operations=KEPT, skipped=(Skipped("row 1", "x"),))
    assert fit(proposal, ADOPTED, "1.1") is proposal


def test_what_is_newer_is_left_out_and_said_with_what_would_hang_on_it() -> None:
    newer = (
        CreateEntity(entity="c", facets={"things.thing": {"name": "C", "size": 3}, "things.box": {"x": 1}}),
        CreateEntity(entity="d", facets={"things.box": {"x": 1}}),
        AttachFacet(entity="b", facet="things.box", fields={"x": 1}),
        SetField(entity="a", facet="things.thing", field="size", value=4),
        SetField(entity="a", facet="things.box", field="x", value=4),
        EditText(entity="a", facet="things.thing", field="story", index=0, insert="x"),
        AddEdge(edge="things.near", source="a", target="d"),
        AddEdge(edge="things.near", source="a", target="c", properties={"far": "1", "wide": "2"}),
        AddEdge(edge="things.inside", source="a", target="b"),
        SetEdgeProperty(edge="things.near", id="e", property="wide", value="2"),
        SetEdgeProperty(edge="things.inside", id="e", property="wide", value="2"),
    )
    fitted = fit(Proposal(operations=(*KEPT, *newer)), ADOPTED, "1.1")
    assert fitted.operations == (
        *KEPT,
        CreateEntity(entity="c", facets={"things.thing": {"name": "C"}}),
        AddEdge(edge="things.near", source="a", target="c", properties={"far": "1"}),
    )
    (line,) = fitted.skipped
    assert line.why == (
        "The production agreed to things 1.0, which doesn't know it, or no such value: things.box (4), "
        "things.inside (2), things.near/wide (2), things.thing/size (2), things.thing/story (1). "
        "Adopt things 1.1, then import again."
    )


def test_names_that_were_agreed_to() -> None:
    assert known(("things.thing", "things.box"), ADOPTED.facets) == ("things.thing",)


def test_a_value_that_the_agreed_schema_would_refuse_is_left_out_and_said() -> None:
    adopted = Schema(
        plugin="things",
        version="1.0",
        facets={"thing": Facet(fields={"state": Field(type="choice", choices=("new",))})},
        edges={"near": Edge(properties={"far": Field(type="integer")})},
    )
    fitted = fit(
        Proposal(
            operations=(
                CreateEntity(entity="a", facets={"things.thing": {"state": "new"}}),
                CreateEntity(entity="b", facets={"things.thing": {"state": "lost"}}),
                SetField(entity="a", facet="things.thing", field="state", value="lost"),
                AddEdge(edge="things.near", source="a", target="b", properties={"far": 1.5}),
            )
        ),
        adopted,
        "1.1",
    )
    assert fitted.operations == (
        CreateEntity(entity="a", facets={"things.thing": {"state": "new"}}),
        CreateEntity(entity="b", facets={"things.thing": {}}),
        AddEdge(edge="things.near", source="a", target="b", properties={}),
    )
    assert "no such value: things.near/far (1), things.thing/state (2)" in fitted.skipped[0].why


def test_what_an_older_importer_calls_otherwise_is_taken_under_its_present_name() -> None:
    adopted = Schema(
        plugin="things",
        version="1.10",
        facets={"thing": Facet(fields={"title": Field(was=("name",)), "size": Field(type="integer")})},
    )
    fitted = fit(
        Proposal(
            operations=(
                CreateEntity(entity="a", facets={"things.thing": {"name": "A"}}),
                SetField(entity="b", facet="things.thing", field="name", value="B"),
                SetField(entity="b", facet="things.thing", field="weight", value="1"),
            )
        ),
        adopted,
        "1.9",
    )
    assert fitted.operations == (
        CreateEntity(entity="a", facets={"things.thing": {"title": "A"}}),
        SetField(entity="b", facet="things.thing", field="title", value="B"),
    )
    assert fitted.skipped[0].why.endswith("things.thing/weight (1). Install things 1.10 here, then import again.")
