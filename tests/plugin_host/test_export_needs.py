"""What an exporter may declare that it needs."""

import pytest

from openprod.errors import InvalidManifest
from openprod.plugin_host.manifest import read_manifest
from tests.plugin_host.folders import JOB, PLUGIN, MakePlugin

EXPORTER = """
[[exporter]]
id = "list"
label = "List"
file = "things.txt"
entry = "jobs/out.py:export"
needs_revisions = true
"""


def test_fields_that_hold_queries_are_of_the_plugin(make_plugin: MakePlugin) -> None:
    folder = make_plugin(plugin=f'{PLUGIN}{EXPORTER}queries = ["thing.list"]\n', files={"jobs/out.py": JOB})
    (exporter,) = read_manifest(folder).exporters
    assert exporter.queries == (("thing", "list"),)
    assert exporter.needs_revisions


@pytest.mark.parametrize("name", ["thing", "thing.", "thing.nothing", "box.list", "thing.wait", "thing.notes", ""])
def test_other_fields_are_refused_at_their_line(make_plugin: MakePlugin, name: str) -> None:
    folder = make_plugin("other", plugin=f'{PLUGIN}{EXPORTER}queries = ["{name}"]\n', files={"jobs/out.py": JOB})
    with pytest.raises(InvalidManifest, match="can hold a query") as refused:
        read_manifest(folder)
    assert "line 1" in str(refused.value.sentence)
    assert "thing.who" in refused.value.hint
