"""Everything that can be declared wrong: refused with a sentence, a hint, the file and the line."""

from __future__ import annotations

from pathlib import Path

import pytest

from openprod.errors import InvalidManifest
from openprod.plugin_host.install import install
from openprod.plugin_host.lint import lint
from openprod.plugin_host.manifest import is_version_of, read_manifest
from openprod.plugin_host.registry import Registry
from tests.plugin_host.folders import PLUGIN, SCHEMA, MakePlugin

MIGRATION = '\n[[migration]]\nfrom = "1.0"\nto = "1.2"\nentry = "jobs/sheet.py:plan"\n'
VIEW = '\n[[derived]]\nid = "all"\nlabel = "All"\nquery = "things.thing"\nentry = "jobs/sheet.py:plan"\n'


def facet(fields: str, *, head: str = "") -> str:
    """One facet; its first line of fields is line 4."""
    return f"[facet.thing]\n{head or 'label = ' + chr(34) + 'Thing' + chr(34)}\n[facet.thing.field]\n{fields}\n"


def edge(text: str) -> str:
    """An edge whose first line is line 4."""
    return f'[facet.thing]\nlabel = "Thing"\n[edge.on]\n{text}\n'


SCHEMAS = {
    # unknown keys
    "unknown table": ('[facets.thing]\nlabel = "Thing"\n', 1, "“facets” means nothing"),
    "unknown key of a facet": (facet("", head='name = "Thing"'), 2, "“name” means nothing"),
    "unknown key of a field": (facet('a = { kind = "string" }'), 4, "“kind” means nothing"),
    "unknown key of an edge": (edge('too = "*"'), 4, "“too” means nothing"),
    "unknown key of a property": (edge('[edge.on.property]\na = { concept = "A.b" }'), 5, "“concept” means nothing"),
    "a worked-out key": (facet('a = { also = ["integer"] }'), 4, "“also” means nothing"),
    # wrong types
    "facet isn't a table": ("facet = 3\n", 1, "“facet” isn't a table"),
    "facet is a list": ("[[facet]]\n", 1, "“facet” isn't a table"),
    "one facet isn't a table": ("[facet]\nthing = 3\n", 2, "“thing” isn't a table"),
    "fields aren't a table": ('[facet.thing]\nfield = ["a"]\n', 2, "“field” isn't a table"),
    "label isn't text": (facet("", head="label = 3"), 2, "“label” isn't text"),
    "title isn't text": (facet("", head="title = ['a']"), 2, "“title” isn't text"),
    "type isn't text": (facet("a = { type = 3 }"), 4, "“3” isn't a type"),
    "type is a list": (facet("a = { type = ['string'] }"), 4, "isn't a type"),
    "required isn't a flag": (facet('a = { required = "yes" }'), 4, "neither true nor false"),
    "private isn't a flag": (facet("a = { private = 1 }"), 4, "neither true nor false"),
    "choices aren't a list": (facet('a = { type = "choice", choices = "b" }'), 4, "isn't a list of texts"),
    "choices aren't texts": (facet('a = { type = "choice", choices = [1] }'), 4, "isn't a list of texts"),
    "was isn't a list": (facet('a = { was = "b" }'), 4, "isn't a list of texts"),
    "unit isn't text": (facet("a = { type = 'number', unit = 3 }"), 4, "“unit” isn't text"),
    "unique isn't a list": (facet("a = {}", head='unique = "a"'), 2, "isn't a list"),
    "unique of one depth": (facet("a = {}", head='unique = ["a"]'), 2, "isn't a list of fields"),
    "unique is empty within": (facet("a = {}", head="unique = [[]]"), 2, "isn't a list of fields"),
    "from isn't text": (edge("from = 3"), 4, "“from” isn't text"),
    "cardinality isn't known": (edge('cardinality = "two"'), 4, "“two”"),
    "cardinality isn't text": (edge("cardinality = 1"), 4, "“1”"),
    "unique_pair isn't a flag": (edge('unique_pair = "yes"'), 4, "neither true nor false"),
    # names
    "facet with a hyphen": ("[facet.two-words]\n", 1, "“two-words”"),
    "facet in capitals": ("[facet.Thing]\n", 1, "“Thing”"),
    "facet in quotes": ('[facet."a b"]\n', 1, "“a b”"),
    "facet with a digit first": ("[facet.2nd]\n", 1, "“2nd”"),
    "edge with a slash": ('[edge."a/b"]\n', 1, "“a/b”"),
    "empty name": ('[facet.""]\n', 1, "“”"),
    "too long a name": (f"[facet.{'a' * 64}]\n", 1, "can't be the name"),
    "field with a hyphen": (facet("two-words = {}"), 4, "“two-words”"),
    "field with a dot": (facet('"a.b" = {}'), 4, "“a.b”"),
    "field in another alphabet": (facet('"größe" = {}'), 4, "“größe”"),
    "reserved field": (facet("entity = {}"), 4, "“entity” can't be the name of a field"),
    "reserved property": (edge("[edge.on.property]\nfrom = {}"), 5, "“from” can't be the name of a property"),
    "reserved property to": (edge("[edge.on.property]\nto = {}"), 5, "“to” can't be the name of a property"),
    # declared twice
    "facet twice": ("[facet.thing]\n[facet.thing]\n", 2, "isn't valid TOML"),
    "edge twice": (edge("[edge.on]"), 4, "isn't valid TOML"),
    "field twice": (facet("a = {}\na = {}"), 5, "isn't valid TOML"),
    "field twice in two forms": (facet("a = {}\n[facet.thing.field.a]"), 5, "isn't valid TOML"),
    # titles
    "title over nothing": (facet("a = {}", head='title = "{b}"'), 2, "“b” that it doesn't have"),
    "title over a text": (facet('a = { type = "text" }', head='title = "{a}"'), 2, "several people write"),
    "title over what is private": (facet("a = { private = true }", head='title = "{a}"'), 2, "is private"),
    "title with a lone brace": (facet("a = {}", head='title = "{a} {"'), 2, "brace that stands alone"),
    "title in double braces": (facet("a = {}", head='title = "{{a}}"'), 2, "brace"),
    "title with an empty place": (facet("a = {}", head='title = "{}"'), 2, "“” that it doesn't have"),
    # unique
    "unique over nothing": (facet("a = {}", head='unique = [["a", "b"]]'), 2, "“b” that it doesn't have"),
    "unique over a text": (facet('a = { type = "text" }', head='unique = [["a"]]'), 2, "several people write"),
    "unique over rich text": (facet('a = { type = "richtext" }', head='unique = [["a"]]'), 2, "several people write"),
    "unique says a field twice": (facet("a = {}", head='unique = [["a", "a"]]'), 2, "the same twice"),
    "unique says a set twice": (facet("a = {}\nb = {}", head='unique = [["a", "b"], ["b", "a"]]'), 2, "same twice"),
    # fields
    "unknown type": (facet('a = { type = "int" }'), 4, "“int” isn't a type"),
    "choice without choices": (facet('a = { type = "choice" }'), 4, "choice without choices"),
    "choices without choice": (facet('a = { choices = ["b"] }'), 4, "isn't a choice"),
    "no choices": (facet('a = { type = "choice", choices = [] }'), 4, "choice without choices"),
    "empty choice": (facet('a = { type = "choice", choices = ["b", " "] }'), 4, "empty choice"),
    "choice twice": (facet('a = { type = "choice", choices = ["b", "b"] }'), 4, "there twice"),
    "unit of a text": (facet('a = { unit = "cm" }'), 4, "is no number"),
    # renames
    "was a field that is there": (facet('a = { was = ["b"] }\nb = {}'), 4, "“b”, which is a field of thing itself"),
    "was itself": (facet('a = { was = ["a"] }'), 4, "which is a field of thing itself"),
    "two were the same": (facet('a = { was = ["c"] }\nb = { was = ["c"] }'), 5, "as a does"),
    "was the same twice": (facet('a = { was = ["c", "c"] }'), 4, "twice"),
    "was no name": (facet('a = { was = ["C-1"] }'), 4, "can't have been the name"),
    "a text that was": (facet('a = { type = "text", was = ["b"] }'), 4, "can't be renamed"),
    "a property that was": (edge('[edge.on.property]\na = { was = ["b"] }'), 5, "can't be renamed"),
    # concepts
    "concept without a field": (facet('a = { concept = "Person" }'), 4, "“Person” isn't a field of a concept"),
    "concept without capital": (facet('a = { concept = "person.name" }'), 4, "“person.name”"),
    "concept too deep": (facet('a = { concept = "Person.name.first" }'), 4, "“Person.name.first”"),
    "concept isn't text": (facet("a = { concept = true }"), 4, "“concept” isn't text"),
    "concept of a text": (facet('a = { type = "text", concept = "Person.name" }'), 4, "no single value"),
    "two fields, one suggestion": (facet('a = { concept = "P.n" }\nb = { concept = "P.n" }'), 5, "both suggest P.n"),
    "two concepts, one facet": (facet('a = { concept = "P.n" }\nb = { concept = "Q.n" }'), 5, "a suggests P.n"),
    # edges
    "from nowhere": (edge('from = "thin"'), 4, "“thin”, which isn't a facet here"),
    "to nowhere": (edge('to = "thin"'), 4, "“thin”, which isn't a facet here"),
    "to nowhere of its own": (edge('to = "things.thin"'), 4, "“things.thin”"),
    "to no name": (edge('to = "a.b.c"'), 4, "“a.b.c”"),
    "one end, and unique": (edge('unique_pair = true\ncardinality = "one"'), 4, "has one end anyway"),
    "a text on an edge": (edge('[edge.on.property]\na = { type = "text" }'), 5, "can't be a text"),
    "to nothing at all": (edge('to = ""'), 4, "“”, which isn't a facet here"),
    "to several": (edge('to = ["thing"]'), 4, "“to” isn't text"),
    # in a circle
    "was each other": (facet('a = { was = ["b"] }\nb = { was = ["a"] }'), 4, "“b”, which is a field of thing itself"),
    "was in a ring": (facet('a = { was = ["b"] }\nb = { was = ["c"] }\nc = { was = ["a"] }'), 4, "“b”, which is"),
    # what nobody can read
    "a label in two lines": (facet("", head='label = "a\\nb"'), 2, "a line end or a character that can't be seen"),
    "a label that turns round": (facet("", head='label = "\u202ecba"'), 2, "can't be seen"),
    "a label that commands": (facet("", head='label = "\\u001b[31m"'), 2, "can't be seen"),
    "a unit in two lines": (facet('a = { type = "number", unit = "c\\nm" }'), 4, "“unit” holds a line end"),
    "a choice in two lines": (facet('a = { type = "choice", choices = ["b\\nc"] }'), 4, "A choice of a holds"),
    "choices that look alike": (facet('a = { type = "choice", choices = ["é", "e\u0301"] }'), 4, "there twice"),
    "a name of look-alikes": ('[facet."сue"]\n', 1, "“сue” can't be the name"),
    "a name with nothing in it": ('[facet."th\u200bing"]\n', 1, "can't be the name of a facet"),
    "a label that is a book": (facet("", head=f'label = "{"x" * 401}"'), 2, "longer than 400 characters"),
    "a title that is a book": (facet("a = {}", head=f'title = "{"{a}" * 200}"'), 2, "longer than 400 characters"),
    "more choices than anybody reads": (
        facet('a = { type = "choice", choices = [' + ", ".join(f'"{n}"' for n in range(1001)) + "] }"), 4, "than 1,000",
    ),
    "an index of a text": (facet('a = { type = "text", indexed = true }'), 4, "which has no index"),
    "indexed isn't a flag": (facet('a = { indexed = "yes" }'), 4, "neither true nor false"),
    "a table for a type": (facet("a = { type = { of = 3 } }"), 4, "isn't a type"),
    "a date for a label": (facet("", head="label = 2026-01-01"), 2, "“label” isn't text"),
    # files
    "a number without end": (facet(f"a = {{ required = {'9' * 5000} }}"), None, "thousands of digits"),
    "a key without end": (".".join(["a"] * 20_000) + " = 1\n", None, "nested too deeply"),
    "a table without end": (f"[{'.'.join(['a'] * 20_000)}]\n", None, "nested too deeply"),
    "inline tables without end": ("a = " + "{a = " * 3000 + "1" + "}" * 3000, None, "nested too deeply"),
    "nested too deeply": ("a = " + "[" * 5000, None, "nested too deeply"),
    "too large": ("# " + "x" * 2_000_000, None, "larger than 1 MiB"),
    "a schema too large": (
        facet("\n".join(f'a{n} = {{ description = "{"x" * 1000}" }}' for n in range(300))), 1, "larger than 256 KiB",
    ),
    "too many facets": ("\n".join(f"[facet.a{n}]" for n in range(501)), 1, "more than 500 facets"),
    "too many edges": ("\n".join(f"[edge.a{n}]" for n in range(501)), 1, "more than 500 edges"),
    "too many fields in all": (
        "\n".join(f"[edge.a{n}.property]\n" + "\n".join(f"b{m} = 1" for m in range(50)) for n in range(101)),
        1,
        "more than 5,000 fields and properties",
    ),
    "too many fields": (facet("\n".join(f"a{n} = {{}}" for n in range(501))), 1, "more than 500 fields"),
}  # fmt: skip

PLUGINS = {
    "unknown key": (PLUGIN.replace("label =", "title ="), 3, "“title” means nothing"),
    "name missing": (PLUGIN.replace('name = "things"\n', ""), 1, "“name” is missing"),
    "name empty": (PLUGIN.replace('"things"', '""'), 1, "“name” is missing"),
    "name with a hyphen": (PLUGIN.replace('"things"', '"my-things"'), 1, "“my-things”"),
    **{
        f"reserved name {name}": (PLUGIN.replace('"things"', f'"{name}"'), 1, f"“{name}”")
        for name in ("core", "edge", "text", "rich", "openprod", "plugin")
    },
    "a path for a name": (PLUGIN.replace('"things"', '"../things"'), 1, "“../things”"),
    "name isn't text": (PLUGIN.replace('"things"', "3"), 1, "“name” isn't text"),
    "version missing": (PLUGIN.replace('version = "1.2.0"\n', ""), 1, "“version” is missing"),
    "version isn't one": (PLUGIN.replace('"1.2.0"', '"v1"'), 2, "“v1” isn't a version"),
    "four numbers": (PLUGIN.replace('"1.2.0"', '"1.2.3.4"'), 2, "“1.2.3.4” isn't a version"),
    "label isn't text": (PLUGIN.replace('"Things"', "true"), 3, "“label” isn't text"),
    "importers aren't a list": (PLUGIN.replace("[[importer]]", "[importer]"), 5, "list of tables"),
    "importer without id": (PLUGIN.replace('id = "csv"\n', ""), 5, "“id” is missing"),
    "importer without entry": (PLUGIN.replace('entry = "jobs/sheet.py:plan"\n', ""), 5, "“entry” is missing"),
    "entry without function": (PLUGIN.replace(":plan", ""), 9, "names no function"),
    "entry outside": (PLUGIN.replace("jobs/sheet.py", "../../etc/passwd.py"), 9, "names no function"),
    "entry from the root": (PLUGIN.replace("jobs/sheet.py", "/etc/x.py"), 9, "names no function"),
    "importer twice": (PLUGIN + PLUGIN[PLUGIN.index("\n[[") :], 12, "“csv”"),
    "migration without from": (PLUGIN + MIGRATION.replace('from = "1.0"\n', ""), 11, "“from” is missing"),
    "migration from nothing known": (PLUGIN + MIGRATION.replace('"1.0"', '"one"'), 12, "“one” isn't a version"),
    "migration backwards": (PLUGIN + MIGRATION.replace('"1.0"', '"1.3"'), 11, "goes nowhere"),
    "migration to where it is": (PLUGIN + MIGRATION.replace('"1.0"', '"1.2"'), 11, "goes nowhere"),
    "migration beyond this version": (PLUGIN + MIGRATION.replace('"1.2"', '"2"'), 13, "later than this version"),
    "migration twice": (PLUGIN + MIGRATION + MIGRATION, 16, "two migrations"),
    "migration without code": (PLUGIN + MIGRATION.replace("sheet.py", "none.py"), 14, "names no function"),
    "migration with more": (PLUGIN + MIGRATION + "when = 3\n", 15, "“when” means nothing"),
    "a version of other digits": (PLUGIN.replace('"1.2.0"', '"١.٢"'), 2, "isn't a version"),
    "a version without end": (PLUGIN.replace('"1.2.0"', f'"{"9" * 300}"'), 2, "isn't a version"),
    "a migration from no version": (PLUGIN + MIGRATION.replace('"1.0"', f'"{"9" * 300}"'), 12, "isn't a version"),
    "a name in wide letters": (PLUGIN.replace('"things"', '"ｔhings"'), 1, "can't be a plugin's name"),
    "a label in two lines": (PLUGIN.replace('"Things"', '"Thi\\nngs"'), 3, "“label” holds a line end"),
    "a view of nothing": (PLUGIN + VIEW.replace("things.thing", "things.nothing"), 14, "doesn't declare"),
    "a view along nothing": (
        PLUGIN + VIEW.replace('thing"', 'thing -> things.on"'),
        14,
        "things.on, which this plugin",
    ),
    "a view with nothing": (
        PLUGIN + VIEW.replace('thing"', 'thing where has -> things.placed_in -> things.no"'),
        14,
        "things.no, which",
    ),
    "a view by nothing": (PLUGIN + VIEW.replace('thing"', 'thing where size = 3"'), 14, "no field “size”"),
    "a view that isn't asked": (PLUGIN + VIEW.replace('thing"', 'thing wher"'), 14, "can't be read"),
    "capabilities that nobody grants": (PLUGIN + '\n[network]\nhosts = ["*"]\n', 11, "“network” means nothing"),
    "not TOML": (PLUGIN.replace('"things"', "things"), 1, "isn't valid TOML"),
}


def _is_refused(folder: Path, file: str, line: int | None, words: str, tmp_path: Path) -> None:
    """By whoever looks: the reader, the linter, an installation, and a look at what is there."""
    with pytest.raises(InvalidManifest) as refused:
        read_manifest(folder)
    records = refused.value.details.get("problems") or [{"sentence": refused.value.sentence, **refused.value.details}]
    found = next((one for one in records if words in one["sentence"]), None)
    assert found is not None, refused.value.sentence
    assert refused.value.hint
    if line is not None:
        assert found["sentence"].startswith(f"{folder.name}/{file}, line {line}: ")
        assert (found["file"], found["line"]) == (f"{folder.name}/{file}", line)
    report = lint(folder)
    assert [one.sentence for one in report.problems if words in one.sentence]
    assert all(one.hint for one in report.problems)
    home = tmp_path / "home"
    with pytest.raises(InvalidManifest):
        install(folder, home)
    assert [path for path in home.iterdir() if path.name != ".lock"] == []
    with pytest.raises(InvalidManifest):
        Registry.load(folder.parent, shipped=tmp_path / "none").schema(folder.name)


@pytest.mark.parametrize(("schema", "line", "words"), SCHEMAS.values(), ids=SCHEMAS.keys())
def test_a_wrong_schema(make_plugin: MakePlugin, tmp_path: Path, schema: str, line: int | None, words: str) -> None:
    _is_refused(make_plugin(schema=schema), "schema.toml", line, words, tmp_path)


@pytest.mark.parametrize(("plugin", "line", "words"), PLUGINS.values(), ids=PLUGINS.keys())
def test_a_wrong_manifest(make_plugin: MakePlugin, tmp_path: Path, plugin: str, line: int, words: str) -> None:
    _is_refused(make_plugin(plugin=plugin), "plugin.toml", line, words, tmp_path)


def test_a_migration_of_nothing(make_plugin: MakePlugin, tmp_path: Path) -> None:
    folder = make_plugin(plugin=PLUGIN + MIGRATION, schema=None)
    _is_refused(folder, "plugin.toml", 11, "no schema.toml", tmp_path)


def test_everything_wrong_is_said_at_once(make_plugin: MakePlugin) -> None:
    schema = SCHEMA.replace('"decimal"', '"decimals"').replace('"integer"', '"int"').replace("{number}", "{name}")
    report = lint(make_plugin(plugin=PLUGIN.replace('"1.2.0"', '"new"'), schema=schema))
    assert [(one.details["file"], one.details["line"]) for one in report.problems] == [
        ("things/plugin.toml", 2), ("things/schema.toml", 8), ("things/schema.toml", 3), ("things/schema.toml", 21),
    ]  # fmt: skip


def test_what_is_right_is_taken(make_plugin: MakePlugin) -> None:
    schema = (
        facet(
            'a = { type = "number", unit = "cm", was = ["b", "c"], concept = "Size.width" }\n'
            'startTime = { type = "time", concept = "Size.at" }\n'
            'state = { type = "choice", choices = ["on", "off"] }',
            head='title = "{a} at {startTime}"\nunique = [["a", "state"], ["a"]]',
        )
        + '[edge.on]\nfrom = "thing"\nto = "rooms.room"\n[edge.beside]\nfrom = "things.thing"\nunique_pair = true\n'
    )
    manifest = read_manifest(make_plugin(plugin=PLUGIN + MIGRATION, schema=schema))
    assert manifest.schema is not None
    fields = manifest.schema.facets["thing"].fields
    assert (fields["a"].was, fields["a"].concept) == (("b", "c"), "Size.width")
    assert fields["a"].also == ()
    assert manifest.migration("1.0.7") is manifest.migrations[0]
    assert manifest.migration("1.1") is None


@pytest.mark.parametrize(
    ("version", "general", "is_"),
    [("1", "1", True), ("1.2.3", "1", True), ("1.2.3", "1.2", True), ("10", "1", False), ("1.20", "1.2", False),
     ("1-beta", "1", True), ("2", "1", False), ("1", "1.0", False)],
)  # fmt: skip
def test_what_a_short_version_stands_for(version: str, general: str, is_: bool) -> None:
    assert is_version_of(version, general) is is_


def test_the_exact_migration_goes_first(make_plugin: MakePlugin) -> None:
    text = PLUGIN + MIGRATION.replace("1.0", "1") + MIGRATION
    with pytest.raises(InvalidManifest, match="goes nowhere"):
        read_manifest(make_plugin("reversed", plugin=text.replace('to = "1.2"', 'to = "1"')))
    manifest = read_manifest(make_plugin(plugin=text.replace("1.2.0", "1.2.5")))
    found = manifest.migration("1.0.3")
    assert found is not None
    assert found.before == "1.0"
