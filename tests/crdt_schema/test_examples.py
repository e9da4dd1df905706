"""The programs of README.md, run as an outsider would, with the libraries they name."""

from __future__ import annotations

import asyncio
import importlib.util
import re
import sys
from pathlib import Path

import pytest

import crdt_schema

HERE = Path(crdt_schema.__file__).parent
EXAMPLES = HERE / "examples"
NODE_MODULES = HERE.parent / "tests" / "interop" / "node_modules"

_spec = importlib.util.spec_from_file_location("crdt_schema_test_node", Path(__file__).with_name("node.py"))
assert _spec is not None
assert _spec.loader is not None
node = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(node)

BEFORE = {"cue_a": {"list": "LX", "number": "1", "label": "House to half"}, "cue_b": {"list": "SND", "number": "2"}}

SAVE_ONE = """
import * as Y from 'yjs'
import { SavingProvider } from './saved.mjs'
const [url, workspace, token] = process.argv.slice(2)
const doc = new Y.Doc()
const provider = new SavingProvider(`${url}/yjs/${workspace}`, 'cues', doc, token)
doc.getMap('cues.cue').set('cue_a/scene', '1.5')
await provider.saved()
doc.getMap('cues.cue').set('cue_a/page', '7')
doc.getMap('cues.cue').set('cue_a/page', '8')
await provider.saved()
console.log(provider.ws.sent, provider.ws.durable)
process.exit(0) // at once: what isn't saved now never will be
"""


def with_modules(folder: Path) -> Path:
    """``folder`` with the examples in it and Node's packages beside them, as after ``npm install`` there."""
    (folder / "node_modules").symlink_to(NODE_MODULES, target_is_directory=True)
    for example in EXAMPLES.glob("*.mjs"):
        (folder / example.name).write_text(example.read_text(encoding="utf-8"), encoding="utf-8")
    return folder


async def run(*command: str, status: int = 0) -> str:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == status, output.decode()
    return output.decode()


def fill(served: node.Node) -> None:
    with served.doc.transaction():
        for entity, fields in BEFORE.items():
            served.cues[entity] = True
            for field, value in fields.items():
                served.cues[f"{entity}/{field}"] = value
        served.cues["cue_gone"] = None
        served.cues["cue_gone/label"] = None


async def edit(*command: str) -> None:
    async with node.running() as served:
        fill(served)
        output = await run(*command, served.url, "w_1", "secret", "42.5")
        assert [line.split()[0] for line in output.splitlines()] == ["cue_a", "cue_b"]
        assert "LX 1 House to half" in output
        await served.wait_for_leave()
        after = served.plain()
        assert served.paths == ["/yjs/w_1/cues"]
    assert after.pop("cue_a")["label"].startswith("Changed from ")
    assert after.pop("cue_b") == BEFORE["cue_b"]
    (added,) = after.values()
    assert (added["list"], added["number"], added["label"][:11]) == ("LX", "42.5", "Added from ")


def test_the_python_program_lists_changes_and_adds() -> None:
    asyncio.run(edit(sys.executable, str(EXAMPLES / "edit_cues.py")))


@pytest.mark.interop
def test_the_javascript_program_lists_changes_and_adds(tmp_path: Path) -> None:
    asyncio.run(edit("node", str(with_modules(tmp_path) / "edit_cues.mjs")))


@pytest.mark.interop
def test_the_javascript_program_ends_when_it_is_refused(tmp_path: Path) -> None:
    async def scene() -> None:
        async with node.running() as served:
            program = str(with_modules(tmp_path) / "edit_cues.mjs")
            assert "unknown token" in await run("node", program, served.url, "-", "wrong", status=1)

    asyncio.run(scene())


@pytest.mark.interop
def test_saved_waits_for_exactly_what_was_sent(tmp_path: Path) -> None:
    async def scene() -> None:
        async with node.running() as served:
            fill(served)
            program = with_modules(tmp_path) / "save_one.mjs"
            program.write_text(SAVE_ONE, encoding="utf-8")
            assert await run("node", str(program), served.url, "-", "secret") == "3 3\n"
            assert served.plain()["cue_a"] == {**BEFORE["cue_a"], "scene": "1.5", "page": "8"}

    asyncio.run(scene())


@pytest.mark.parametrize("name", ["edit_cues.mjs", "edit_cues.py", "saved.mjs"])
def test_readme_shows_the_program_as_it_is(name: str) -> None:
    blocks = re.findall(r"^```\w+\n(.*?)^```$", (HERE / "README.md").read_text(encoding="utf-8"), re.M | re.S)
    assert (EXAMPLES / name).read_text(encoding="utf-8") in blocks
