"""Running importers: proposals, and errors that never show a traceback."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openprod.core.operations import CreateEntity
from openprod.core.proposals import Proposal
from openprod.errors import InputError, InvalidFile, InvalidManifest, LimitExceeded
from openprod.plugin_api import Snapshot
from openprod.plugin_api.testing import applied
from openprod.plugin_host import importing
from openprod.plugin_host.importing import plan_import
from openprod.plugin_host.manifest import read_manifest
from openprod.plugin_host.registry import Registry
from tests.plugin_host.folders import JOB, MakePlugin

NOTHING = Snapshot("workspace")
REGISTRY = Registry.load()


def run(make_plugin: MakePlugin, job: str = JOB, data: bytes = b"1,A\n2,B\n") -> Proposal:
    manifest = read_manifest(make_plugin(job=job))
    return plan_import(manifest, manifest.importers[0], data, NOTHING, file_name="x.csv")


def test_an_importer_proposes(make_plugin: MakePlugin) -> None:
    proposal = run(make_plugin)
    assert proposal.counts == {"created": 2, "changed": 0, "unchanged": 0}
    assert proposal.operations[0] == CreateEntity(
        entity="thing_1", facets={"things.thing": {"number": "1", "list": "A"}}
    )


def proposing(operation: str) -> str:
    return f"    return Proposal(operations=({operation},))"


FAULTS = {
    "raises": "    raise KeyError('x')",
    "ends the program": "    raise SystemExit(3)",
    "interrupts the program": "    raise KeyboardInterrupt",
    "no operations": "    return Proposal(operations=5)",
    "counts that are no JSON": "    return Proposal(counts={'a': object()})",
    "a line that is no text": "    return Proposal(summary=(1,))",
    "a note that is none": "    return Proposal(skipped=('row 1',))",
    "returns nothing": "    return None",
    "endless recursion": "    return plan(source, snapshot)",
    "deletes": proposing('DeleteEntity(entity="e")'),
    "another plugin's edge": proposing('AddEdge(edge="a.b", source="c", target="d")'),
    "another plugin's facet": proposing('SetField(entity="e", facet="a.b", field="c", value=1)'),
    "a field not declared": proposing('SetField(entity="e", facet="things.thing", field="c", value=1)'),
    "a value that doesn't fit": proposing('SetField(entity="e", facet="things.thing", field="number", value="ten")'),
    "a number as a text": proposing('CreateEntity(entity="e", facets={"things.thing": {"notes": 1}})'),
    "a property that isn't declared": proposing(
        'AddEdge(edge="things.placed_in", source="a", target="b", properties={"c": 1})'
    ),
    "a property that doesn't fit": proposing(
        'SetEdgeProperty(edge="things.placed_in", id="a", property="order", value="x")'
    ),
    "no JSON": proposing('SetField(entity="e", facet="things.thing", field="number", value={1})'),
}


@pytest.mark.parametrize("body", FAULTS.values(), ids=FAULTS.keys())
def test_an_importer_that_misbehaves_is_a_plain_error(make_plugin: MakePlugin, body: str) -> None:
    job = f"from openprod.plugin_api import *\n\n\ndef plan(source, snapshot):\n{body}\n"
    with pytest.raises(InvalidFile) as refused:
        run(make_plugin, job)
    assert "things 1.2.0" in refused.value.hint
    assert "Traceback" not in refused.value.sentence + refused.value.hint


def test_a_value_that_does_not_fit_is_named_before_anything_is_applied(make_plugin: MakePlugin) -> None:
    job = JOB.replace('{"number": row.cell(0)', '{"number": "about ten"')
    with pytest.raises(InvalidFile) as refused:
        run(make_plugin, job)
    assert "its value “about ten” for things.thing/number isn't a decimal number" in refused.value.sentence


def test_the_hint_says_where_the_importer_stopped(make_plugin: MakePlugin) -> None:
    with pytest.raises(InvalidFile) as refused:
        run(make_plugin, "def plan(source, snapshot):\n    return 1 / 0\n")
    assert "ZeroDivisionError: division by zero; jobs/sheet.py, line 2" in refused.value.hint


def test_an_importers_own_refusal_passes_through(make_plugin: MakePlugin) -> None:
    job = (
        "from openprod.plugin_api import InvalidFile\n\n\n"
        "def plan(source, snapshot):\n    raise InvalidFile('No.', hint='Yes.')\n"
    )
    with pytest.raises(InvalidFile, match=r"^No\.$"):
        run(make_plugin, job)


@pytest.mark.parametrize(
    "job", ["import nothing_of_that_name\n", "import sys\nsys.exit(3)\n", "def plan(:\n", "other = 1\n"]
)
def test_code_that_does_not_load_is_the_plugins_fault(make_plugin: MakePlugin, job: str) -> None:
    with pytest.raises(InvalidManifest, match="things"):
        run(make_plugin, job)


def test_a_huge_file_is_refused_before_it_is_read(make_plugin: MakePlugin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "FILE_BYTES_MAX", 4)
    with pytest.raises(LimitExceeded):
        run(make_plugin)


_LINES = st.lists(
    st.text(st.sampled_from('Q,LX ;\t"/0.5:F#é“\r\n'), max_size=20)
    | st.sampled_from(
        [
            "Q,Label,Up",
            "LX,Sound,Page",
            "START_TARGETS",
            "END_TARGETS",
            "TARGET_TYPE,TARGET_ID",
            "1,2",
            "# ACT I",
            "ANNA",
        ]
    )
)


@pytest.mark.parametrize("name", ["cues.csv", "cues.eos-csv", "script.fountain"])
@given(data=st.binary(max_size=200) | _LINES.map(lambda lines: "\n".join(lines).encode()))
def test_any_bytes_give_a_proposal_or_a_refusal_and_a_second_time_nothing(name: str, data: bytes) -> None:
    manifest, importer = REGISTRY.importer(name)
    try:
        proposal = plan_import(manifest, importer, data, NOTHING, file_name="x")
    except InputError as error:
        refused = error.sentence
    else:
        refused = ""
    assert "importer stopped" not in refused
    if refused:
        return
    after = applied(NOTHING, proposal.operations)
    assert plan_import(manifest, importer, data, after, file_name="x").changes_nothing
