"""The sample production, from its folder to what a workspace would hold."""

import pytest

from openprod.errors import InvalidManifest, NotFound
from openprod.plugin_api import EdgeView, Snapshot
from openprod.plugin_api.testing import applied
from openprod.plugin_host.registry import Registry
from openprod.plugin_host.sample import LinkStep, Sample, load_sample
from tests.plugin_host.folders import PLUGIN, MakePlugin


def made(sample: Sample, before: Snapshot) -> Snapshot:
    for step in sample.steps:
        before = applied(before, step.plan(before).operations)
    return before


def test_hamlet_becomes_a_production() -> None:
    sample = load_sample("hamlet")
    assert sample.name == "Hamlet"
    assert [schema.plugin for schema in sample.schemas] == ["script", "cues"]
    after = made(sample, Snapshot("workspace"))
    cues = after.entities("cues.cue")
    assert len(after.entities("script.scene")) == 20
    assert len(after.entities("script.role")) == 35
    assert len(cues) == 223 + 4
    assert len(after.entities("cues.part")) == 1
    (lx42,) = (fields for fields in cues.values() if (fields["list"], fields["number"]) == ("LX", "42"))
    assert lx42["start"] == "10:15"


def test_every_cue_of_the_sheet_is_placed_in_its_scene() -> None:
    after = made(load_sample("hamlet"), Snapshot("workspace"))
    placed = after.edges("cues.called_in")
    assert len(placed) == 223
    for edge in placed.values():
        scene = after.entities("script.scene")[edge.target]
        assert after.entities("cues.cue")[edge.source]["scene"] == scene["code"]


def test_making_it_again_proposes_nothing() -> None:
    """INV-IMPORT-1."""
    sample = load_sample("hamlet")
    after = made(sample, Snapshot("workspace"))
    assert all(step.plan(after).changes_nothing for step in sample.steps)


def test_steps_say_what_they_need_to_see() -> None:
    first, *_, last = load_sample("hamlet").steps
    assert set(first.facets) == {"script.scene", "script.role"}
    assert set(last.facets) == {"cues.cue", "script.scene"}
    assert last.edges == ("cues.called_in",)


def test_a_link_is_drawn_only_where_exactly_one_matches() -> None:
    step = LinkStep("Place", "a.in", "a.thing", "b.room", (("room", "code"),))
    things = {"t1": {"room": "1"}, "t2": {"room": "2"}, "t3": {"room": "3"}, "t4": {}, "t5": {"room": "1"}}
    rooms = {"r1": {"code": "1"}, "r2a": {"code": "2"}, "r2b": {"code": "2"}, "r0": {}}
    before = Snapshot("w", {"a.thing": things, "b.room": rooms}, {"a.in": {"t5": EdgeView("t5", "r2a")}})
    assert [(edge.source, edge.target) for edge in step.plan(before).operations] == [("t1", "r1")]  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["cues", "nothing"])
def test_what_brings_no_sample_says_so(name: str) -> None:
    with pytest.raises(NotFound):
        load_sample(name)


def test_a_sample_that_asks_for_what_is_not_there_says_so(make_plugin: MakePlugin) -> None:
    folder = make_plugin(plugin=PLUGIN + '[sample]\nname = "S"\nadopt = ["costumes"]\n')
    with pytest.raises(InvalidManifest, match="There is no plugin “costumes”"):
        load_sample("things", Registry.load(folder.parent))
