"""A plugin's whole life from the command line, on real workspaces, with and without a node running."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from openprod.cli.main import INTERRUPTED
from tests.cli.program import SECONDS_MAX, Laptop

LIST = "No.,Title,Owner,State\n1,Mirror,Kim,open\n2,Lantern,,done\n"
PLAN = '''"""Owners are lists now."""

from openprod.plugin_api import Proposal, SetField, Snapshot

FACET = "props.item"


def plan(snapshot: Snapshot) -> Proposal:
    owned = {entity: fields["owner"] for entity, fields in snapshot.entities(FACET).items() if fields.get("owner")}
    operations = [SetField(entity=id, facet=FACET, field="owners", value=[owned[id]]) for id in sorted(owned)]
    return Proposal(operations=tuple(operations), summary=("Each owner is the first of several.",))
'''


@pytest.fixture
def author(tmp_path: Path) -> Laptop:
    """Somebody with a new plugin, props, and a workspace without it."""
    folder = tmp_path / "author"
    folder.mkdir()
    author = Laptop(folder, "Alex")
    author.done("plugin", "new", "props")
    author.done("new", "show.openprod", "--name", "A Show", "--plugin", "cues")
    (folder / "list.csv").write_text(LIST)
    return author


def change(author: Laptop, **files: dict[str, str]) -> None:
    """Replace texts in the plugin's files."""
    for name, replaced in files.items():
        path = author.folder / "props" / name.replace("_toml", ".toml")
        text = path.read_text()
        for old, new in replaced.items():
            assert old in text
            text = text.replace(old, new)
        path.write_text(text)


def rows(laptop: Laptop, fields: str) -> list[list[object]]:
    return laptop.run("query", "show.openprod", "props.item sort number", "--json").json["rows"]  # type: ignore[no-any-return]


def adopted(laptop: Laptop, name: str = "props") -> dict[str, object]:
    found = laptop.run("plugin", "list", "show.openprod", "--json").json
    [one] = [one for one in found["installed"] if one["name"] == name]
    return dict(one)


def test_written_installed_adopted_used_dropped_and_removed(author: Laptop) -> None:
    assert "can be installed" in author.done("plugin", "lint", "props")
    assert author.run("plugin", "adopt", "show.openprod", "props").status == 1
    assert author.done("plugin", "install", "props") == "props 1.0.0 is installed.\n"
    assert adopted(author)["adopted"] is False
    here = author.run("plugin", "list", "--json").json["installed"]
    assert {one["name"]: one["own"] for one in here}.items() >= {"props": True, "cues": False}.items()
    assert "props.csv" in author.done("plugin", "list")
    author.done("plugin", "adopt", "show.openprod", "props")
    author.done("import", "show.openprod", "props.csv", "list.csv", "--apply")
    assert [row[1:3] for row in rows(author, "number, title")] == [["1", "Mirror"], ["2", "Lantern"]]
    suggested = author.run("plugin", "suggestions", "show.openprod", "--json").json
    mine = [one for one in suggested["bindings"] if one["facet"] == "props.item"]
    assert mine == [{"facet": "props.item", "label": "Item", "concept": "Person", "fields": {"name": "owner"}}]
    assert {"name": {"type": "string", "label": "Owner"}}.items() <= next(
        one["fields"] for one in suggested["concepts"] if one["name"] == "Person"
    ).items()
    assert "props.item" in author.done("plugin", "suggestions", "show.openprod")
    before = author.run("query", "show.openprod", "props.item", "--json").json["rows"]
    author.done("plugin", "drop", "show.openprod", "props")
    assert author.run("query", "show.openprod", "props.item").status == 1
    assert "dropped" in author.done("plugin", "list", "show.openprod")
    author.done("plugin", "adopt", "show.openprod", "props")
    assert author.run("query", "show.openprod", "props.item", "--json").json["rows"] == before
    assert "is removed" in author.done("plugin", "uninstall", "props")
    # What the workspace holds needs no plugin on the device.
    assert author.run("query", "show.openprod", "props.item", "--json").json["rows"] == before
    assert "not on this device" in author.done("plugin", "list", "show.openprod")


@pytest.mark.parametrize("served", [False, True], ids=["closed", "served"])
def test_a_migration_is_shown_first_and_undone_as_one(author: Laptop, served: bool) -> None:
    author.done("plugin", "install", "props")
    author.done("plugin", "adopt", "show.openprod", "props")
    author.done("import", "show.openprod", "props.csv", "list.csv", "--apply")
    change(
        author,
        plugin_toml={"1.0.0": "2.0.0"},
        schema_toml={
            'owner  = { type = "string", label = "Owner", concept = "Person.name" }': 'owners = { type = "list" }'
        },
    )
    author.done("plugin", "install", "props")
    refused = author.run("plugin", "adopt", "show.openprod", "props")
    assert refused.status == 1
    assert "error[INPUT]: “props” 2.0.0 can't take the place of 1.0.0 without a migration" in refused.err
    assert "the field “owner” is gone" in refused.err
    assert "hint: " in refused.err
    assert adopted(author)["update"] == "refused"
    (author.folder / "props" / "jobs" / "two.py").write_text(PLAN)
    change(
        author,
        plugin_toml={"[[importer]]": '[[migration]]\nfrom = "1"\nto = "2"\nentry = "jobs/two.py:plan"\n\n[[importer]]'},
    )
    author.done("plugin", "install", "props")

    def check() -> None:
        assert adopted(author)["update"] == "migration"
        hash_ = author.done("hash", "show.openprod")
        shown = author.run("plugin", "adopt", "show.openprod", "props")
        assert shown.status == 0
        assert "Each owner is the first of several." in shown.out
        assert "Kim" in shown.out
        assert "--apply" in shown.err
        assert author.done("hash", "show.openprod") == hash_
        preview = author.run("plugin", "adopt", "show.openprod", "props", "--json").json
        assert (preview["applied"], preview["migration"]["hidden"]) == (False, {"props.item/owner": 1})
        [field] = preview["migration"]["fields"]
        assert (field["title"], field["field"], field["before"], field["after"]) == (
            "1 Mirror",
            "owners",
            None,
            ["Kim"],
        )
        assert "props 2.0.0 is adopted." in author.done("plugin", "adopt", "show.openprod", "props", "--apply")
        assert adopted(author)["adopted_version"] == "2.0.0"
        assert "adopted already" in author.done("plugin", "adopt", "show.openprod", "props")
        author.done("undo", "show.openprod")
        assert adopted(author)["adopted_version"] == "1.0.0"
        found = author.run("query", "show.openprod", "props.item sort number", "--json").json
        assert found["rows"][0][found["columns"].index("owner")] == "Kim"

    if served:
        with author.serving("show.openprod"):
            check()
    else:
        check()


def test_a_plugin_that_cannot_be_used_says_where(author: Laptop) -> None:
    change(author, schema_toml={'type = "text"': 'type = "prose"', "{number}": "{nummer}"})
    for command in (("plugin", "lint", "props"), ("plugin", "install", "props")):
        ended = author.run(*command)
        assert ended.status == 1
        assert "props/schema.toml, line 13: “prose” isn't a type of field." in ended.out + ended.err
    found = author.run("plugin", "lint", "props", "--json")
    assert found.status == 1
    assert '"line": 5' in found.out
    assert author.run("plugin", "install", "nothing").status == 1
    assert author.run("plugin", "uninstall", "props").status == 1
    assert author.run("plugin", "new", "props").status == 1
    assert author.run("plugin", "new", "core").status == 1
    assert author.run("plugin", "drop", "show.openprod", "props").status == 1


def test_a_plugin_that_never_ends_keeps_nothing_from_ending(author: Laptop) -> None:
    begun = author.folder / "begun"
    os.mkfifo(begun)
    loop = f'    open("{begun}", "w").close()\n    while True:\n        pass\n    rows = [row for'
    change(author, **{"jobs/sheet.py": {"    rows = [row for": loop}})
    author.done("plugin", "install", "props")
    author.done("plugin", "adopt", "show.openprod", "props")

    def interrupted() -> int:
        command = author.start("import", "show.openprod", "props.csv", "list.csv")
        begun.read_bytes()  # it is given only when the plugin has begun
        command.send_signal(signal.SIGINT)
        command.communicate(timeout=SECONDS_MAX)
        return command.wait()

    assert interrupted() == INTERRUPTED
    with author.serving("show.openprod") as node:
        assert interrupted() == INTERRUPTED
        author.done("hash", "show.openprod")
        node.process.send_signal(signal.SIGTERM)
        node.process.communicate(timeout=SECONDS_MAX)
        assert node.process.wait() == 0


def test_a_workspace_is_made_with_plugins_of_one_s_own(author: Laptop) -> None:
    author.done("plugin", "install", "props")
    author.done("new", "other.openprod", "--name", "Other", "--plugin", "props", "--plugin", "cues")
    found = author.run("plugin", "list", "other.openprod", "--json").json
    assert found["adopted"] == ["cues", "props"]


def test_a_laptop_without_the_plugin_keeps_and_passes_on_what_it_does_not_have(author: Laptop, tmp_path: Path) -> None:
    """INV-UNKNOWN-1: the schema travels, the code doesn't."""
    (tmp_path / "kim").mkdir()
    kim = Laptop(tmp_path / "kim", "Kim")
    author.done("backup", "show.openprod", tmp_path / "stick")
    kim.done("restore", tmp_path / "stick", "show.openprod")
    author.done("plugin", "install", "props")
    author.done("plugin", "adopt", "show.openprod", "props")
    author.done("import", "show.openprod", "props.csv", "list.csv", "--apply")
    author.done("pack", "show.openprod", "-o", tmp_path / "a.pack")
    kim.done("merge", "show.openprod", tmp_path / "a.pack", "--apply")
    assert author.done("hash", "show.openprod") == kim.done("hash", "show.openprod")
    assert [row[1:3] for row in rows(kim, "number, title")] == [["1", "Mirror"], ["2", "Lantern"]]
    entity = str(rows(kim, "")[0][0])
    kim.edit(
        "show.openprod",
        {"op": "set_field", "entity": entity, "facet": "props.item", "field": "title", "value": "Glass"},
    )
    kim.done("pack", "show.openprod", "-o", tmp_path / "b.pack")
    author.done("merge", "show.openprod", tmp_path / "b.pack", "--apply")
    assert author.done("hash", "show.openprod") == kim.done("hash", "show.openprod")
    assert rows(author, "")[0][2] == "Glass"
