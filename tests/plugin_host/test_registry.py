"""Which plugins there are."""

import pytest

from openprod.errors import InvalidManifest, NotFound
from openprod.plugin_host.registry import Registry, shipped_folder
from tests.plugin_host.folders import PLUGIN, MakePlugin


def test_the_shipped_plugins_are_whole() -> None:
    registry = Registry.load()
    assert registry.problems == ()
    assert {"cues", "script", "hamlet", "schedule"} <= registry.plugins.keys()
    assert shipped_folder().name == "plugins"


def test_a_users_plugin_is_found_beside_the_shipped_ones(make_plugin: MakePlugin) -> None:
    registry = Registry.load(make_plugin().parent)
    assert registry.plugin("things").version == "1.2.0"
    assert registry.schema("things").plugin == "things"
    importers = [importer.name for importer in registry.importers("a.csv")]
    assert {"cues.eos-csv", "cues.csv", "things.csv"} <= set(importers)
    assert importers[-1] == "things.csv"


def test_a_users_copy_goes_before_the_shipped_one(make_plugin: MakePlugin) -> None:
    folder = make_plugin("mine", plugin=PLUGIN.replace('"things"', '"cues"'))
    assert Registry.load(folder.parent).plugin("cues").folder == folder


def test_a_folder_that_cannot_be_used_is_a_problem_for_nobody_else(make_plugin: MakePlugin) -> None:
    folder = make_plugin(plugin="name =")
    registry = Registry.load(folder.parent)
    assert "cues" in registry.plugins
    assert [problem.details["line"] for problem in registry.problems] == [1]
    with pytest.raises(InvalidManifest) as refused:
        registry.plugin("things")
    assert "things/plugin.toml, line 1" in refused.value.sentence
    with pytest.raises(NotFound) as missing:
        registry.plugin("thing")
    assert "things/plugin.toml, line 1" in missing.value.hint


@pytest.mark.parametrize("name", ["", "cues", "cues.", "cues.xlsx", "nothing.csv", "cues.csv.more"])
def test_an_unknown_importer_lists_the_known_ones(name: str) -> None:
    with pytest.raises(NotFound) as missing:
        Registry.load().importer(name)
    assert "cues.eos-csv" in missing.value.hint


def test_a_plugin_without_data_cannot_be_adopted() -> None:
    with pytest.raises(NotFound, match="declares no data"):
        Registry.load().schema("hamlet")
