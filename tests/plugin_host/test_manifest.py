"""Plugin folders: what they declare, and errors that point at the line."""

from pathlib import Path

import pytest

from openprod.core.schema import Edge, Field
from openprod.errors import InvalidManifest
from openprod.plugin_host.manifest import read_manifest
from tests.plugin_host.folders import PLUGIN, SCHEMA, MakePlugin


def test_a_folder_gives_its_schema_and_importers(make_plugin: MakePlugin) -> None:
    manifest = read_manifest(make_plugin())
    assert (manifest.name, manifest.version, manifest.label) == ("things", "1.2.0", "Things")
    assert manifest.facets == ("things.thing",)
    assert manifest.edges == ("things.placed_in",)
    (importer,) = manifest.importers
    assert importer.name == "things.csv"
    assert importer.suits("Plot REV C.CSV")
    assert not importer.suits("plot.xlsx")
    schema = manifest.schema
    assert schema is not None
    thing = schema.facets["thing"]
    assert thing.title == "{list} {number}"
    assert thing.unique == (("list", "number"),)
    assert thing.fields == {
        "list": Field(type="string", label="list", required=True),
        "number": Field(type="decimal", label="No."),
        "state": Field(type="choice", label="state", choices=("new", "old")),
        "wait": Field(type="duration", label="wait", unit="s"),
        "notes": Field(type="text", label="notes"),
    }
    assert schema.edges["placed_in"] == Edge(
        label="placed in",
        source="thing",
        target="*",
        cardinality="one",
        properties={"order": Field(type="integer", label="order")},
    )


def test_the_schema_survives_its_registered_form(make_plugin: MakePlugin) -> None:
    schema = read_manifest(make_plugin()).schema
    assert schema is not None
    assert type(schema).from_record(schema.to_record()) == schema


def test_a_plugin_without_a_schema_declares_no_data(make_plugin: MakePlugin) -> None:
    manifest = read_manifest(make_plugin(schema=None))
    assert manifest.schema is None
    assert manifest.facets == ()


BAD_SCHEMAS = {
    "title names a field": (SCHEMA.replace("{list} {number}", "{list} {name}"), 3, "“name”"),
    "unique names a field": (SCHEMA.replace('[["list", "number"]]', '[["list", "name"]]'), 4, "“name”"),
    "unique over a text": (SCHEMA.replace('[["list", "number"]]', '[["notes"]]'), 4, "“notes”"),
    "unique isn't lists": (SCHEMA.replace('[["list", "number"]]', '["list"]'), 4, "list of fields"),
    "type": (SCHEMA.replace('"decimal"', '"decimals"'), 8, "“decimals”"),
    "type in a table": (SCHEMA.replace('type = "text"', 'type = "prose"'), 13, "“prose”"),
    "field name": (SCHEMA.replace("wait =", "Wait-time ="), 10, "“Wait-time”"),
    "facet name": (
        SCHEMA.replace("[facet.thing]", "[facet.Thing]").replace("[facet.thing.", "[facet.Thing."),
        1,
        "“Thing”",
    ),
    "choice without choices": (SCHEMA.replace(', choices = ["new", "old"]', ""), 9, "without choices"),
    "choices without choice": (SCHEMA.replace('type = "choice"', 'type = "string"'), 9, "isn't a choice"),
    "unknown key": (SCHEMA.replace("required = true", "require = true"), 7, "“require”"),
    "edge end": (SCHEMA.replace('from = "thing"', 'from = "thin"'), 16, "“thin”"),
    "cardinality": (SCHEMA.replace('"one"', '"1"'), 18, "“1”"),
    "property type": (SCHEMA.replace('"integer"', '"int"'), 21, "“int”"),
    "not a table": (SCHEMA.replace('wait = { type = "duration" }', 'wait = "duration"'), 10, "“wait”"),
    "not TOML": (SCHEMA.replace('"decimal", label', '"decimal" label'), 8, "isn't valid TOML"),
    "never closed": (SCHEMA + '[facet.other]\nlabel = """\n', 24, "isn't valid TOML"),
}


@pytest.mark.parametrize(("schema", "line", "word"), BAD_SCHEMAS.values(), ids=BAD_SCHEMAS.keys())
def test_a_bad_schema_names_file_line_and_remedy(make_plugin: MakePlugin, schema: str, line: int, word: str) -> None:
    with pytest.raises(InvalidManifest) as refused:
        read_manifest(make_plugin(schema=schema))
    assert refused.value.sentence.startswith(f"things/schema.toml, line {line}:")
    assert word in refused.value.sentence
    assert refused.value.hint
    assert (refused.value.details["file"], refused.value.details["line"]) == ("things/schema.toml", line)


BAD_PLUGINS = {
    "no name": (PLUGIN.replace('name = "things"\n', ""), 1, "“name” is missing"),
    "reserved name": (PLUGIN.replace('"things"', '"core"'), 1, "“core”"),
    "version": (PLUGIN.replace('"1.2.0"', '"latest"'), 2, "“latest”"),
    "version isn't text": (PLUGIN.replace('"1.2.0"', "1.2"), 2, "isn't text"),
    "unknown key": (PLUGIN.replace("files =", "patterns ="), 8, "“patterns”"),
    "missing file": (PLUGIN.replace("jobs/sheet.py", "jobs/sheets.py"), 9, "names no function"),
    "outside the folder": (PLUGIN.replace("jobs/sheet.py", "../sheet.py"), 9, "names no function"),
    "no patterns": (PLUGIN.replace('["*.csv"]', "[]"), 8, "which files"),
    "importer id": (PLUGIN.replace('id = "csv"', 'id = "a.b"'), 6, "“a.b”"),
    "id twice": (PLUGIN + PLUGIN[PLUGIN.index("\n[[") :], 12, "“csv”"),
    "not a list": (PLUGIN.replace("[[importer]]", "[importer]"), 5, "isn't a list of tables"),
    "sample file": (
        PLUGIN + '[sample]\nname = "S"\nadopt = ["things"]\n[[sample.step]]\nmessage = "m"\nimport = "things.csv"\n'
        'file = "none.csv"\n', 16, "“none.csv”",
    ),
    "sample without plugins": (PLUGIN + '[sample]\nname = "S"\n', 10, "which plugins"),
    "sample edge": (
        PLUGIN + '[sample]\nname = "S"\nadopt = ["things"]\n[[sample.step]]\nmessage = "m"\nedge = "a.b"\n'
        'from = "a.c"\nto = "b.c"\n', 13, "which fields match",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("plugin", "line", "word"), BAD_PLUGINS.values(), ids=BAD_PLUGINS.keys())
def test_a_bad_manifest_names_file_line_and_remedy(make_plugin: MakePlugin, plugin: str, line: int, word: str) -> None:
    with pytest.raises(InvalidManifest) as refused:
        read_manifest(make_plugin(plugin=plugin))
    assert refused.value.sentence.startswith(f"things/plugin.toml, line {line}:")
    assert word in refused.value.sentence
    assert refused.value.hint


def test_a_folder_without_a_manifest_says_so(tmp_path: Path) -> None:
    with pytest.raises(InvalidManifest, match=r"plugin\.toml is missing"):
        read_manifest(tmp_path)


def test_text_in_another_encoding_is_refused(make_plugin: MakePlugin) -> None:
    folder = make_plugin()
    (folder / "schema.toml").write_bytes(b'[facet.thing]\nlabel = "caf\xe9"\n')
    with pytest.raises(InvalidManifest, match="isn't UTF-8"):
        read_manifest(folder)
