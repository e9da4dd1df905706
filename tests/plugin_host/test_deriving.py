"""Derived views: read from the manifest, computed from a query's rows, checked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from openprod.core.operations import CreateEntity, SetField
from openprod.core.schema import Schema
from openprod.engine.workspace import Workspace
from openprod.errors import InvalidManifest
from openprod.plugin_host.registry import Registry
from openprod.server.app import build_app
from openprod.server.auth import Access
from tests.plugin_host.folders import PLUGIN, MakePlugin

pytestmark = pytest.mark.anyio

VIEW = """
[[derived]]
id = "waits"
label = "How long to wait"
query = "things.thing where state = new select list, wait"
entry = "views/waits.py:compute"
"""

DERIVED = "from openprod.plugin_api import Derived\n"
THINGS = [("A", 2, "new"), ("A", 3, "new"), ("B", None, "new"), ("B", 9, "old")]

CODE = """\
from openprod.plugin_api import Derived, Found


def compute(found: Found) -> Derived:
    waits: dict[str, float] = {}
    for row in found.records():
        waits[row["list"]] = waits.get(row["list"], 0) + (row["wait"] or 0)
    return Derived(("list", "wait"), tuple(sorted(waits.items())))
"""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def folder(make_plugin: MakePlugin, *, view: str = VIEW, code: str = CODE) -> Path:
    made = make_plugin(plugin=PLUGIN + view)
    (made / "views").mkdir()
    (made / "views" / "waits.py").write_text(code)
    return made


async def shown(made: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    monkeypatch.setenv("OPENPROD_HOME", str(place / "home"))
    registry = Registry.load(shipped=made.parent)
    await Workspace.create(place / "w", name="Show", schemas=[registry.schema("things")])
    async with Workspace.open(place / "w") as workspace:
        await workspace.commit(
            [
                CreateEntity(entity=f"t{number}", facets={"things.thing": {"list": name, "wait": wait, "state": state}})
                for number, (name, wait, state) in enumerate(THINGS)
            ]
        )  # fmt: skip
        app = build_app(workspace, access=Access(workspace, "secret"), plugins=lambda: registry)
        transport, headers = httpx.ASGITransport(app), {"authorization": "Bearer secret"}
        async with httpx.AsyncClient(
            transport=transport, base_url="http://127.0.0.1/api/v1", headers=headers
        ) as client:
            client.workspace = workspace  # type: ignore[attr-defined]
            yield client


async def test_a_view_is_computed_anew_each_time(
    make_plugin: MakePlugin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async for client in shown(folder(make_plugin), tmp_path, monkeypatch):
        first = (await client.get("/derived/things.waits")).json()
        assert first == {
            "label": "How long to wait",
            "columns": ["list", "wait"],
            "rows": [["A", 5], ["B", 0]],
            "as_of": None,
        }
        workspace: Workspace = client.workspace  # type: ignore[attr-defined]
        before = (await workspace.log(newest_first=True))[0]["bundle"]
        await workspace.commit([SetField(entity="t2", facet="things.thing", field="wait", value=4)])
        assert (await client.get("/derived/things.waits")).json()["rows"] == [["A", 5], ["B", 4]]
        then = (await client.get("/derived/things.waits", params={"as_of": before})).json()
        assert (then["rows"], then["as_of"]) == ([["A", 5], ["B", 0]], before)
        assert len(await workspace.log()) == 3  # looking writes nothing
        assert (await client.get("/derived/things.nothing")).status_code == 404


async def test_a_view_of_another_version_than_the_adopted_one_says_so(
    make_plugin: MakePlugin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async for client in shown(folder(make_plugin), tmp_path, monkeypatch):
        workspace: Workspace = client.workspace  # type: ignore[attr-defined]
        newer = workspace.schemas["things"].to_record()
        newer["version"] = "2.0.0"
        newer["facets"]["thing"]["fields"]["waits"] = {
            **newer["facets"]["thing"]["fields"].pop("wait"),
            "was": ["wait"],
        }
        await workspace.adopt([Schema.from_record(newer)])
        error = (await client.get("/derived/things.waits")).json()["error"]
        assert "things 1.2.0's, and the production agreed to 2.0.0" in error["sentence"]
        assert "install 2.0.0 here" in error["hint"]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("def compute(found): return 1 / 0", "ZeroDivisionError"),
        ("def compute(found): return [1]", "it gave no table"),
        ("def compute(found): found.rows[0][0] = 1", "TypeError"),
        (
            "from openprod.plugin_api import Derived\ndef compute(found): return Derived(('a',), ((1, 2),))",
            "as long as",
        ),
        (DERIVED + "def compute(found): return Derived(('a',), ((object(),),))", "JSON"),
        (
            DERIVED + "kept = []\ndef compute(found):\n    kept.append(1)\n    return Derived(('a',), ((len(kept),),))",
            "something else each time",
        ),
    ],
)
async def test_a_view_that_fails_says_so(
    code: str, said: str, make_plugin: MakePlugin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async for client in shown(folder(make_plugin, code=code), tmp_path, monkeypatch):
        answer = await client.get("/derived/things.waits")
        assert answer.status_code == 400
        assert said in answer.json()["error"]["sentence"]


@pytest.mark.parametrize(
    ("view", "said"),
    [
        (VIEW.replace("waits.py", "other.py"), "other.py"),
        (VIEW.replace("where state", "hwere state"), "isn't understood here"),
        (VIEW + VIEW, "can't be a derived view's id"),
        (VIEW.replace("label", "lable"), "lable"),
    ],
)
def test_what_is_declared_wrong_is_refused(view: str, said: str, make_plugin: MakePlugin) -> None:
    made = folder(make_plugin, view=view)
    problems = Registry.load(shipped=made.parent).problems
    assert len(problems) == 1
    assert isinstance(problems[0], InvalidManifest)
    assert said in problems[0].sentence
