"""What the linter says of code and of what is missing; it never runs anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from openprod.plugin_host.lint import lint
from openprod.plugin_host.registry import shipped_folder
from tests.plugin_host.folders import JOB, PLUGIN, MakePlugin

CODE = {
    "not Python": ("def plan(:\n    pass\n", "things/jobs/sheet.py, line 1: this isn't Python"),
    "null bytes": ("x = 1\0\n", "this isn't Python"),
    "the engine": (
        "import openprod.engine.workspace\n" + JOB,
        "line 1: plugins can't rely on openprod.engine.w",
    ),
    "the engine from the top": ("from openprod import engine\n" + JOB, "can't rely on openprod.engine"),
    "the whole program": ("import openprod\n" + JOB, "can't rely on openprod."),
    "another plugin": ("from plugins.cues.jobs import cells\n" + JOB, "belongs to another plugin"),
    "beyond its folder": (JOB.replace("from .keys", "from ...keys"), "leaves the plugin's folder"),
    "within a function": (JOB + "\n\ndef late():\n    import openprod.cli\n", "can't rely on openprod.cli"),
    "no such function": (
        JOB.replace("def plan", "def plane"),
        "line 9: jobs/sheet.py has no function",
    ),
}


@pytest.mark.parametrize(("job", "words"), CODE.values(), ids=CODE.keys())
def test_code_that_cannot_be_used(make_plugin: MakePlugin, job: str, words: str) -> None:
    report = lint(make_plugin(job=job))
    assert [one.sentence for one in report.problems if words in one.sentence], [one.sentence for one in report.problems]
    assert all(one.hint and one.details["line"] for one in report.problems)


def test_nothing_is_run(make_plugin: MakePlugin, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    report = lint(make_plugin(job=f"open({str(ran)!r}, 'w').close()\n" + JOB))
    assert report.problems == []
    assert not ran.exists()


def test_advice_is_no_refusal(make_plugin: MakePlugin) -> None:
    report = lint(make_plugin(job="import numpy\nimport time\n" + JOB, schema="[facet.thing]\n"))
    assert report.problems == []
    said = "\n".join(report.advice)
    for words in ("no README.md", "no tests", "no description", "no title", "tells two of them apart", "numpy", "time"):
        assert words in said


def test_tests_may_use_what_they_like(make_plugin: MakePlugin) -> None:
    folder = make_plugin(plugin=PLUGIN.replace('label = "Things"', 'label = "Things"\ndescription = "Things."'))
    (folder / "tests").mkdir()
    (folder / "tests" / "test_sheet.py").write_text("import hypothesis\nimport openprod.engine\n")
    (folder / "README.md").write_text("Things")
    report = lint(folder)
    assert (report.problems, report.advice) == ([], [])


def test_a_view_s_function_is_there(make_plugin: MakePlugin) -> None:
    view = '\n[[derived]]\nid = "all"\nquery = "things.thing"\nentry = "jobs/sheet.py:compute"\n'
    (problem,) = lint(make_plugin(plugin=PLUGIN + view)).problems
    assert "has no function “compute”" in problem.sentence
    assert problem.details["line"] == 14


def test_what_a_view_s_query_names_is_declared_however_deep_it_stands(make_plugin: MakePlugin) -> None:
    query = "things.thing where has -> things.near where (has <- things.far) -> things.thing"
    view = f'\n[[derived]]\nid = "all"\nquery = "{query}"\nentry = "jobs/sheet.py:plan"\n'
    schema = '[facet.thing]\nlabel = "Thing"\n[edge.near]\nfrom = "thing"\nto = "thing"\n'
    (problem,) = lint(make_plugin(plugin=PLUGIN + view, schema=schema)).problems
    assert "names things.far, which this plugin doesn't declare" in problem.sentence
    assert problem.details["line"] == 13


@pytest.mark.parametrize("name", ["cues", "script", "hamlet", "contacts", "schedule"])
def test_the_shipped_ones_can_be_installed(name: str) -> None:
    assert lint(shipped_folder() / name).problems == []
