"""From one version of a schema to the next."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from openprod.core import validity
from openprod.core.evolution import WIDER, changes, continues, former_types, needs_migration, version_key
from openprod.core.schema import FIELD_TYPES, Edge, Facet, Field, Schema

EXAMPLES: dict[str, list[Any]] = {
    "string": ["", "LX", "two words"],
    "integer": [0, -3, 42],
    "decimal": ["42.10", "-1"],
    "number": [0.5, 3, -2],
    "boolean": [True, False],
    "date": ["2026-11-22"],
    "time": ["19:30", "25:10"],
    "datetime": ["2026-11-22T19:30"],
    "duration": [0, 2.5],
    "choice": ["a", "b"],
    "color": ["#ffcc00"],
    "reference": ["thing_1"],
    "list": [["a", 1]],
    "blob": ["blob:" + "0" * 64],
    "text": [],
    "richtext": [],
}
OLD = Schema(
    plugin="things",
    version="1",
    facets={
        "thing": Facet(
            label="Thing",
            fields={
                "name": Field(),
                "size": Field(type="integer"),
                "state": Field(type="choice", choices=("new", "old")),
                "wait": Field(type="duration", unit="s"),
                "second": Field(was=("zweite",)),
                "notes": Field(type="text"),
            },
        ),
        "box": Facet(label="Box", fields={"name": Field()}),
    },
    edges={
        "in": Edge(
            label="in",
            source="thing",
            target="box",
            cardinality="one",
            properties={"order": Field(type="integer")},
        ),
        "near": Edge(label="near", unique_pair=True),
        "on": Edge(label="on"),
    },
)


def turned(**fields: Field | None) -> Schema:
    """The schema with fields of its thing replaced, added or (None) removed."""
    thing = OLD.facets["thing"]
    wanted = {name: field for name, field in {**thing.fields, **fields}.items() if field is not None}
    facets = {**OLD.facets, "thing": msgspec.structs.replace(thing, fields=wanted)}
    return msgspec.structs.replace(OLD, version="2", facets=facets)


def edged(name: str, **given: Any) -> Schema:
    return msgspec.structs.replace(OLD, edges={**OLD.edges, name: msgspec.structs.replace(OLD.edges[name], **given)})


FREE = {
    "nothing": OLD,
    "label": turned(name=Field(label="Name")),
    "required": turned(name=Field(required=True)),
    "new field": turned(colour=Field(type="color")),
    "new choice": turned(state=Field(type="choice", choices=("new", "old", "gone"))),
    "choices in another order": turned(state=Field(type="choice", choices=("old", "new"))),
    "wider": turned(size=Field(type="number")),
    "wider still": turned(size=Field(type="string")),
    "choice to any text": turned(state=Field()),
    "renamed": turned(name=None, title=Field(was=("name",))),
    "renamed and wider": turned(size=None, length=Field(type="number", was=("size",))),
    "renamed again": turned(second=None, other=Field(was=("second", "zweite"))),
    "unit where there was none": turned(size=Field(type="integer", unit="cm")),
    "unique": msgspec.structs.replace(
        OLD, facets={**OLD.facets, "box": Facet(unique=(("name",),), fields={"name": Field()})}
    ),
    "new facet": msgspec.structs.replace(OLD, facets={**OLD.facets, "shelf": Facet()}),
    "new edge": msgspec.structs.replace(OLD, edges={**OLD.edges, "under": Edge()}),
    "edge to anything": edged("in", target="*"),
    "edge more than once": edged("in", cardinality="many"),
    "pair more than once": edged("near", unique_pair=False),
    "new property": edged("on", properties={"order": Field()}),
}
BARRED = {
    "field gone": (turned(name=None), "the field “name” is gone"),
    "facet gone": (msgspec.structs.replace(OLD, facets={"thing": OLD.facets["thing"]}), "“Box” is gone"),
    "edge gone": (msgspec.structs.replace(OLD, edges={"in": OLD.edges["in"], "on": Edge()}), "“near” is gone"),
    "narrower": (turned(name=Field(type="integer")), "not every value that it had fits"),
    "renamed and narrower": (turned(name=None, title=Field(type="integer", was=("name",))), "“title” was string"),
    "another merge policy": (turned(name=Field(type="text")), "merged otherwise"),
    "text to rich text": (turned(notes=Field(type="richtext")), "merged otherwise"),
    "choice gone": (turned(state=Field(type="choice", choices=("new",))), "can't be “old”"),
    "renamed, choice gone": (
        turned(state=None, status=Field(type="choice", choices=("old",), was=("state",))),
        "can't be “new”",
    ),
    "unit": (turned(wait=Field(type="duration", unit="min")), "was in s and is in min"),
    "earlier key forgotten": (turned(second=Field()), "“zweite”"),
    "earlier key forgotten while renaming": (turned(second=None, other=Field(was=("second",))), "“zweite”"),
    "edge narrower": (edged("on", source="thing"), "goes from thing"),
    "edge elsewhere": (edged("in", target="thing"), "went to box"),
    "edge only once": (edged("on", cardinality="one"), "more than once"),
    "pair only once": (edged("on", unique_pair=True), "more than once"),
    "property gone": (edged("in", properties={}), "the property “order” is gone"),
    "property narrower": (edged("in", properties={"order": Field(type="boolean")}), "“order” was integer"),
}


@pytest.mark.parametrize("new", FREE.values(), ids=FREE.keys())
def test_free(new: Schema) -> None:
    assert [change for change in changes(OLD, new) if not change.free] == []


@pytest.mark.parametrize(("new", "words"), BARRED.values(), ids=BARRED.keys())
def test_needs_a_migration(new: Schema, words: str) -> None:
    found = changes(OLD, new)
    assert needs_migration(found)
    [barred] = [change for change in found if not change.free]
    assert words in barred.sentence
    assert barred.sentence.endswith(".")


def test_what_is_free_one_way_is_said() -> None:
    assert changes(OLD, OLD) == ()
    [change] = changes(OLD, turned(colour=Field(type="color")))
    assert (change.where, change.free) == ("facet.thing.field.colour", True)


@pytest.mark.parametrize("narrow", FIELD_TYPES)
def test_widening_keeps_every_value(narrow: str) -> None:
    """INV-EVOLVE-1"""
    assert narrow == "text" or narrow == "richtext" or EXAMPLES[narrow], "no example to judge by"
    for wide in FIELD_TYPES:
        before, after = (
            Schema(plugin="p", facets={"f": Facet(fields={"a": Field(type=narrow, choices=("a", "b"))})}),
            (Field(type=wide, choices=("a", "b"))),
        )
        kept = msgspec.structs.replace(after, also=former_types([before], "f", "a", after))
        faults = [value for value in EXAMPLES[narrow] if validity.fault(kept, value)]
        if wide in WIDER.get(narrow, ()):
            assert faults == []
            assert kept.also == (narrow,)
        else:
            assert kept.also == ()


def test_a_widened_field_takes_no_more_than_it_had() -> None:
    wide = Field(type="string", also=("integer",))
    assert validity.fault(wide, 3) == ""
    assert validity.fault(wide, "three") == ""
    assert validity.fault(wide, 3.5) == "isn't text"
    assert validity.fault(Field(type="string"), 3) == "isn't text"


def test_former_types_follow_renames() -> None:
    earlier = [
        Schema(plugin="p", facets={"f": Facet(fields={"a": Field(type="integer")})}),
        Schema(plugin="p", facets={"f": Facet(fields={"b": Field(type="number", was=("a",))})}),
    ]
    assert former_types(earlier, "f", "c", Field(type="string", was=("b", "a"))) == ("integer", "number")
    assert former_types(earlier, "g", "c", Field(type="string", was=("b", "a"))) == ()


def test_what_goes_on_with_a_field() -> None:
    facet = Facet(fields={"b": Field(was=("a",)), "c": Field()})
    assert [continues(facet, name) for name in ("a", "b", "c", "d")] == ["b", "b", "c", None]


@pytest.mark.parametrize(
    ("earlier", "later"),
    [("1", "2"), ("1.9", "1.10"), ("1.0.0-beta", "1.0.0"), ("1.0", "1.0.1"), ("0.9.9", "1"), ("1.2-rc.1", "1.2")],
)
def test_versions_in_order(earlier: str, later: str) -> None:
    assert version_key(earlier) < version_key(later)
    assert not version_key(later) < version_key(earlier)


@pytest.mark.parametrize(("one", "other"), [("1", "1.0.0"), ("1.2", "1.2.0"), ("1.0+a", "1.0+b")])
def test_versions_that_are_the_same(one: str, other: str) -> None:
    assert version_key(one) == version_key(other)
