"""Exporters: what they are given, what they may hand over, and what never leaves."""

from __future__ import annotations

import asyncio
import io
import random
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycrdt import Doc, Map

from openprod.core.bundles import Actor
from openprod.core.concepts import ConceptField
from openprod.core.operations import (
    AddEdge,
    AssertSame,
    BindFacet,
    CreateEntity,
    DefineConcept,
    EditText,
    MergeEntities,
    SplitEntity,
)
from openprod.core.proposals import Proposal
from openprod.engine.workspace import Workspace
from openprod.errors import InputError, InvalidManifest, LimitExceeded, NotFound
from openprod.plugin_api import EdgeView, Snapshot
from openprod.plugin_api.exports import FILES_MAX, check_files, safe_name
from openprod.plugin_api.testing import exported
from openprod.plugin_host.export_files import write_files
from openprod.plugin_host.exporting import export_snapshot, run_export, zipped
from openprod.plugin_host.importing import plan_import
from openprod.plugin_host.manifest import read_manifest
from openprod.plugin_host.registry import Registry, shipped_folder
from openprod.plugin_host.snapshots import take_snapshot
from tests.plugin_host.folders import PLUGIN, SCHEMA, MakePlugin
from tests.seeds import fresh

NOW = "2026-11-22T18:30:00Z"
EXPORTER = """
[[exporter]]
id = "list"
label = "List"
file = "things.txt"
entry = "jobs/out.py:export"
"""
JOB = """\
from openprod.plugin_api import Files, Snapshot


def export(snapshot: Snapshot, options: dict[str, str]) -> Files:
    lines = [f"{snapshot.title(id)} {sorted(fields.items())}" for id, fields in sorted(
        snapshot.entities("things.thing").items())]
    for view in snapshot.edges("things.placed_in").values():
        lines.append(f"{view.source} in {snapshot.title(view.target)} {view.properties}")
    return {"things.txt": repr((lines, sorted(options.items()))).encode()}
"""
EMPTY = Snapshot("workspace", {"things.thing": {}}, {"things.placed_in": {}})


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENPROD_HOME", str(tmp_path / "home"))


@pytest.fixture
def make_exporter(make_plugin: MakePlugin) -> Callable[..., Path]:
    def make(job: str = JOB, extra: str = "", schema: str = SCHEMA) -> Path:
        return make_plugin(plugin=PLUGIN + EXPORTER + extra, schema=schema, files={"jobs/out.py": job})

    return make


def run(folder: Path, snapshot: Snapshot = EMPTY, options: dict[str, str] | None = None, **about: Any) -> Any:
    manifest = read_manifest(folder)
    return run_export(manifest, manifest.exporters[0], snapshot, options or {}, now=NOW, **about)


def test_a_manifest_declares_exporters(make_exporter: Callable[..., Path]) -> None:
    manifest = read_manifest(make_exporter(extra='needs_now = true\noptions = { order = "number or name" }\n'))
    (exporter,) = manifest.exporters
    assert (exporter.name, exporter.label, exporter.file) == ("things.list", "List", "things.txt")
    assert exporter.needs_now
    assert exporter.options == (("order", "number or name"),)


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        (EXPORTER.replace('"list"', '"A list"'), "“A list”"),
        (EXPORTER.replace("out.py", "nowhere.py"), "nowhere.py"),
        (EXPORTER.replace("things.txt", "../things.txt"), "“../things.txt”"),
        (EXPORTER.replace('file = "things.txt"\n', ""), "“file” is missing"),
        (EXPORTER + "need_now = true\n", "“need_now”"),
        (EXPORTER + 'options = ["order"]\n', "options"),
        (EXPORTER + 'options = { private = "yes" }\n', "“private”"),
        (EXPORTER + EXPORTER, "“list”"),
    ],
)
def test_a_bad_exporter_names_file_line_and_remedy(make_plugin: MakePlugin, wrong: str, word: str) -> None:
    with pytest.raises(InvalidManifest) as refused:
        read_manifest(make_plugin(plugin=PLUGIN + wrong, files={"jobs/out.py": JOB}))
    assert word in refused.value.sentence
    assert "line" in refused.value.sentence
    assert refused.value.hint


def test_a_title_of_a_private_field_is_refused(make_plugin: MakePlugin) -> None:
    schema = SCHEMA.replace('number = { type = "decimal"', 'number = { private = true, type = "decimal"')
    with pytest.raises(InvalidManifest, match="private"):
        read_manifest(make_plugin(schema=schema))


def test_now_and_private_are_the_hosts_to_say(make_exporter: Callable[..., Path]) -> None:
    plain = make_exporter()
    assert run(plain)["things.txt"] == b"([], [])"
    assert run(plain, private=True)["things.txt"] == b"([], [('private', 'yes')])"
    assert run(plain, options={"any": "thing"})["things.txt"] == b"([], [('any', 'thing')])"
    for name in ("now", "private"):
        with pytest.raises(InputError, match=f"“{name}”"):
            run(plain, options={name: "yes"})
    with pytest.raises(LimitExceeded):
        run(plain, options={"any": "x" * 1001})


def test_the_time_and_declared_options(make_exporter: Callable[..., Path]) -> None:
    folder = make_exporter(extra='needs_now = true\noptions = { order = "number or name" }\n')
    assert (
        run(folder, options={"order": "name"})["things.txt"] == f"([], [('now', '{NOW}'), ('order', 'name')])".encode()
    )
    with pytest.raises(InputError, match="“ordr”") as refused:
        run(folder, options={"ordr": "name"})
    assert "order (number or name)" in refused.value.hint


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ("return 1 / 0", "division by zero; jobs/out.py, line 5"),
        ("return None", "something other than files"),
        ('return {"a.txt": "text"}', "something other than files"),
        ('return {"../a.txt": b""}', "../a.txt"),
        ('return {"/etc/a": b""}', "/etc/a"),
        ("return {}", "nothing to export"),
    ],
)
def test_an_exporter_that_fails_is_a_sentence(make_exporter: Callable[..., Path], body: str, word: str) -> None:
    job = f"from openprod.plugin_api import Snapshot\n\n\ndef export(snapshot, options):\n    {body}\n"
    with pytest.raises(InputError) as refused:
        run(make_exporter(job))
    assert word in refused.value.sentence
    assert "Traceback" not in refused.value.sentence
    assert refused.value.hint


@pytest.mark.parametrize(
    "name",
    ["", "/a", "a/", "a//b", "..", "a/../b", ".", "./a", ".hidden", "a\\b", "C:a", "a\0", "a\n", "con", "COM1.txt",
     "a.", "a ", " a", "x" * 121, "/".join("abcdefghi"), "\ud800"],
)  # fmt: skip
def test_names_that_lead_elsewhere_or_nowhere_are_refused(name: str) -> None:
    with pytest.raises(InputError):
        check_files({name: b""})


def test_names_that_are_alike_are_refused() -> None:
    for one, other in (("a.txt", "A.TXT"), ("é", "e\u0301"), ("a", "a/b"), ("A/b", "a/c")):
        with pytest.raises(InputError, match="alike"):
            check_files({one: b"", other: b""})
    assert check_files({"a/b": b"", "a/c": b"", "d": b""})
    with pytest.raises(LimitExceeded):
        check_files({f"{n}": b"" for n in range(FILES_MAX + 1)})


@settings(max_examples=300, deadline=None, print_blob=True)
@given(st.text())
def test_any_text_makes_a_name_that_may_be_used(text: str) -> None:
    assert check_files({f"{safe_name(text)}.ics": b""})
    assert check_files({safe_name(text): b""})


def test_safe_names_stay_readable() -> None:
    assert [safe_name(text) for text in ("LX / Zoë", "Stage management", "...", "NUL", "")] == [
        "LX - Zoë", "Stage management", "untitled", "NUL_", "untitled",
    ]  # fmt: skip


def test_an_exporter_that_gives_other_files_each_time_fails_its_own_test() -> None:
    def export(snapshot: Snapshot, _options: Any) -> dict[str, bytes]:
        return {"a": repr(list(snapshot.entities("things.thing"))).encode()}

    two = Snapshot("workspace", {"things.thing": {"a": {}, "b": {}}})
    with pytest.raises(AssertionError):
        exported(export, two)
    assert exported(export, EMPTY)


def test_one_file_goes_where_it_is_told(tmp_path: Path) -> None:
    place = tmp_path / "out" / "a.txt"
    assert write_files({"x.txt": b"one"}, place) == [place]
    with pytest.raises(InputError, match="is there already") as refused:
        write_files({"x.txt": b"two"}, place)
    assert "--force" in refused.value.hint
    assert place.read_bytes() == b"one"
    write_files({"x.txt": b"two"}, place, force=True, mode=0o600)
    assert place.read_bytes() == b"two"
    assert place.stat().st_mode & 0o777 == 0o600
    assert write_files({"x.txt": b"three"}, place.parent) == [place.parent / "x.txt"]
    assert sorted(file.name for file in place.parent.iterdir()) == ["a.txt", "x.txt"]


def test_several_go_into_a_folder_or_not_at_all(tmp_path: Path) -> None:
    files = {"b.txt": b"b", "in/a.txt": b"a"}
    folder = tmp_path / "feeds"
    assert write_files(files, folder) == [folder / "b.txt", folder / "in" / "a.txt"]
    (folder / "b.txt").unlink()
    with pytest.raises(InputError, match="is there already"):
        write_files(files, folder)
    assert not (folder / "b.txt").exists()
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InputError, match="is a file"):
        write_files(files, tmp_path / "file")
    with pytest.raises(InputError, match="is a folder"):
        write_files({"in": b""}, folder, force=True)


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "feeds").mkdir()
    (tmp_path / "feeds" / "in").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="leads out"):
        write_files({"in/a.txt": b"a", "b.txt": b"b"}, tmp_path / "feeds", force=True)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_zip_is_the_same_for_the_same_files() -> None:
    files = {"b/ä.txt": b"1", "a.txt": b"2"}
    data = zipped(files)
    assert data == zipped(dict(reversed(files.items())))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == files


PRIVATE_SCHEMA = (
    SCHEMA.replace('wait = { type = "duration" }', 'wait = { type = "duration", private = true }')
    .replace('type = "text"', 'type = "text"\nprivate = true')
    .replace('order = { type = "integer" }', 'order = { type = "integer" }\nwhy = { private = true }')
    + """
[facet.place]
title = "{name}"
[facet.place.field]
name = { type = "string" }
"""
)


def test_exporters_get_their_own_data_and_titles_without_what_is_private(
    make_exporter: Callable[..., Path], tmp_path: Path
) -> None:
    """INV-PRIVATE-1: by the host, whatever the exporter would like to have."""
    manifest = read_manifest(make_exporter(schema=PRIVATE_SCHEMA))
    assert manifest.schema is not None
    schema = manifest.schema

    async def check() -> None:
        await Workspace.create(tmp_path / "w", name="W", schemas=[schema])
        async with Workspace.open(tmp_path / "w") as workspace:
            await workspace.commit(
                [
                    CreateEntity(entity="t1", facets={"things.thing": {"list": "A", "number": "7", "wait": 777}}),
                    CreateEntity(entity="p1", facets={"things.place": {"name": "Studio"}}),
                    AddEdge(edge="things.placed_in", source="t1", target="p1", properties={"order": 1, "why": "hush"}),
                ]
            )
            await workspace.commit([EditText(entity="t1", facet="things.thing", field="notes", index=0, insert="psst")])
            shared = await export_snapshot(workspace, manifest)
            thing = shared.entities("things.thing")["t1"]
            assert {name for name, value in thing.items() if value is not None} == {"list", "number"}
            assert not {"wait", "notes"} & thing.keys()
            assert list(shared.edges("things.placed_in").values()) == [EdgeView("t1", "p1", {"order": 1})]
            assert dict(shared.titles) == {"t1": "A 7", "p1": "Studio"}
            text = run_export(manifest, manifest.exporters[0], shared, {}, now=NOW)["things.txt"].decode()
            assert "t1 in Studio {'order': 1}" in text
            whole = await export_snapshot(workspace, manifest, private=True)
            assert whole.entities("things.thing")["t1"]["wait"] == 777
            assert whole.entities("things.thing")["t1"]["notes"] == "psst"
            assert next(iter(whole.edges("things.placed_in").values())).properties["why"] == "hush"

    asyncio.run(check())


def test_what_is_bound_to_another_plugins_private_field_is_private(
    make_exporter: Callable[..., Path], make_plugin: MakePlugin, tmp_path: Path
) -> None:
    """INV-PRIVATE-1: a value doesn't leave by another field that shows it, nor in a title."""
    manifest = read_manifest(make_exporter())
    other = SCHEMA.replace("list = { type", "list = { private = true, type").replace("{list} ", "")
    hushed = read_manifest(make_plugin("hushed", plugin=PLUGIN.replace('"things"', '"hushed"'), schema=other))
    schemas = [one for one in (manifest.schema, hushed.schema) if one is not None]

    async def check() -> None:
        await Workspace.create(tmp_path / "w", name="W", schemas=schemas)
        async with Workspace.open(tmp_path / "w") as workspace:
            await workspace.commit(
                [
                    CreateEntity(entity="a", facets={"things.thing": {"number": "1"}}),
                    CreateEntity(entity="b", facets={"things.thing": {"list": "open", "number": "2"}}),
                    CreateEntity(entity="h", facets={"hushed.thing": {"list": "hush"}}),
                    DefineConcept(concept="Thing", fields={"called": ConceptField(), "no": ConceptField()}),
                    BindFacet(facet="things.thing", concept="Thing", fields={"called": "list", "no": "number"}),
                    BindFacet(facet="hushed.thing", concept="Thing", fields={"called": "list"}),
                    AssertSame(concept="Thing", entities=("a", "h")),
                    AssertSame(concept="Thing", entities=("b",)),
                ]
            )
            assert (await workspace.rows("things.thing"))["a"]["list"] == "hush"
            shared = await export_snapshot(workspace, manifest)
            things = shared.entities("things.thing")
            assert "list" not in things["a"]
            assert things["b"]["list"] == "open"
            assert "hush" not in shared.title("a")
            whole = await export_snapshot(workspace, manifest, private=True)
            assert whole.entities("things.thing")["a"]["list"] == "hush"

    asyncio.run(check())


def test_contacts_alone_are_installed_adopted_imported_and_exported(tmp_path: Path) -> None:
    """INV-PRIVATE-1, INV-IMPORT-1: no other plugin is on this device."""
    shutil.copytree(shipped_folder() / "contacts", tmp_path / "plugins" / "contacts")
    registry = Registry.load(shipped=tmp_path / "plugins")
    assert list(registry.plugins) == ["contacts"]
    assert not registry.problems
    data = tmp_path / "plugins" / "contacts" / "tests" / "data"
    files = [("contacts.vcard", name) for name in ("phone-3.0.vcf", "address-book-4.0.vcf", "old-phone-2.1.vcf")]
    files.append(("contacts.sheet", "contact-sheet.csv"))

    async def take(workspace: Workspace, name: str, content: bytes) -> bool:
        manifest, importer = registry.importer(name)
        snapshot = await export_snapshot(workspace, manifest, private=True)
        proposal = plan_import(manifest, importer, content, snapshot, file_name="a file")
        if proposal.operations:
            await workspace.commit(proposal.operations, intent="import")
        return not proposal.changes_nothing

    async def give(workspace: Workspace, name: str, **about: bool) -> bytes:
        manifest, exporter = registry.exporter(name)
        snapshot = await export_snapshot(workspace, manifest, **about)
        (content,) = run_export(manifest, exporter, snapshot, {}, now=NOW, **about).values()
        return content

    async def check() -> None:
        for folder in ("one", "two"):
            await Workspace.create(tmp_path / folder, name="W", schemas=[registry.schema("contacts")])
        async with Workspace.open(tmp_path / "one") as one, Workspace.open(tmp_path / "two") as two:
            for name, file in files:
                assert await take(one, name, (data / file).read_bytes())
                assert not await take(one, name, (data / file).read_bytes())
            assert len(await one.rows("contacts.person")) == 10
            assert await one.conflicts() == []
            person = next(iter(await one.rows("contacts.person")))
            await one.commit(
                [EditText(entity=person, facet="contacts.person", field="notes", index=0, insert="psst-notes")]
            )
            for name in ("contacts.vcard", "contacts.sheet"):
                shared, whole = await give(one, name), await give(one, name, private=True)
                for secret in ("07700 900999", "EpiPen", "Mulberry", "900201", "vegan", "Pieter", "1991", "psst"):
                    assert secret.encode() not in shared
                assert b"EpiPen" in whole
                assert b"psst" not in whole
            with_all = await give(one, "contacts.vcard", private=True)
            assert await take(two, "contacts.vcard", with_all)
            assert await give(two, "contacts.vcard", private=True) == with_all

    asyncio.run(check())


def test_two_who_were_merged_are_one_to_importers_and_exporters(tmp_path: Path) -> None:
    """INV-IMPORT-1: the file that made both changes nothing, and splitting isn't undone by it."""
    registry = Registry.load()
    manifest, importer = registry.importer("contacts.vcard")
    cards = (
        b"BEGIN:VCARD\nUID:u1\nFN:Ana Lee\nTEL:07700 900001\nEMAIL:ana@post.example\nEND:VCARD\n"
        b"BEGIN:VCARD\nUID:u2\nFN:Ana L.\nTEL:07700 900002\nEND:VCARD\n"
        b"BEGIN:VCARD\nVERSION:4.0\nKIND:group\nUID:g\nFN:Band\nMEMBER:u1\nMEMBER:u2\nEND:VCARD\n"
    )

    async def check() -> None:
        await Workspace.create(tmp_path / "w", name="W", schemas=[registry.schema("contacts")])
        async with Workspace.open(tmp_path / "w") as workspace:

            async def plan() -> Proposal:
                snapshot = await take_snapshot(workspace, manifest.facets, manifest.edges)
                return plan_import(manifest, importer, cards, snapshot, file_name="a.vcf")

            async def card_count() -> tuple[int, int]:
                snapshot = await export_snapshot(workspace, manifest)
                (exporter,) = (one for one in manifest.exporters if one.id == "vcard")
                text = run_export(manifest, exporter, snapshot, {}, now=NOW)["contacts.vcf"]
                return text.count(b"BEGIN:VCARD"), text.count(b"\nMEMBER:")

            await workspace.commit((await plan()).operations)
            assert await card_count() == (3, 2)
            ids = {fields["name"]: id for id, fields in (await workspace.rows("contacts.person")).items()}
            chosen = {"name": "Ana Lee", "phone": "07700 900001", "uid": "u1"}
            merge = MergeEntities(survivor=ids["Ana Lee"], absorbed=ids["Ana L."], values={"contacts.person": chosen})
            await workspace.commit([merge])
            again = await plan()
            assert again.changes_nothing
            assert any("already on card 1" in one.why for one in again.skipped)
            assert await card_count() == (2, 1)
            await workspace.commit([SplitEntity(entity=ids["Ana L."])])
            assert (await plan()).changes_nothing
            assert await card_count() == (3, 2)

    asyncio.run(check())


def test_no_private_value_leaves_whatever_it_is(tmp_path: Path) -> None:
    """INV-PRIVATE-1: also values that outside programs write against the schema, and the same as a list or a record."""
    seed = fresh("exporting.private")
    print(f"seed {seed}")
    rng = random.Random(seed)
    registry = Registry.load()
    schema = registry.schema("contacts")
    fields = schema.facets["person"].fields

    def value(mark: str) -> Any:
        return rng.choice([mark, f"=+{mark}\n{mark}", [mark, 1], {"a": {mark: mark}}, f"{mark} (work)", [[mark]]])

    async def check() -> None:
        await Workspace.create(tmp_path / "w", name="W", schemas=[schema])
        async with Workspace.open(tmp_path / "w") as workspace:
            outside: Doc[Any] = Doc(client_id=7)
            written = outside.get("contacts.person", type=Map)
            with outside.transaction():
                for number in range(40):
                    written[f"person_{number}"] = True
                    for name, field in fields.items():
                        if field.type != "text" and rng.random() < 0.8:
                            mark = f"{'hidden' if field.private else 'shown'}{number}{name}"
                            written[f"person_{number}/{name}"] = value(mark)
            await workspace.ingest("contacts", outside.get_update(), actor=Actor("u", "Outside", "dev"))
            assert len(await workspace.rows("contacts.person")) == 40
            seen = b""
            for name in ("contacts.vcard", "contacts.sheet"):
                manifest, exporter = registry.exporter(name)
                snapshot = await export_snapshot(workspace, manifest)
                (shared,) = run_export(manifest, exporter, snapshot, {}, now=NOW).values()
                unfolded = shared.replace(b"\r\n ", b"")
                assert b"shown" in unfolded
                assert b"hidden" not in unfolded
                whole = await export_snapshot(workspace, manifest, private=True)
                (private,) = run_export(manifest, exporter, whole, {}, now=NOW, private=True).values()
                seen += private.replace(b"\r\n ", b"")
            assert b"hidden" in seen

    asyncio.run(check())


def test_what_isnt_there_is_said(tmp_path: Path) -> None:
    registry = Registry.load()
    with pytest.raises(NotFound, match="no exporter") as refused:
        registry.exporter("contacts.pdf")
    assert "contacts.vcard" in refused.value.hint

    async def check() -> None:
        await Workspace.create(tmp_path / "w", name="W", schemas=[])
        async with Workspace.open(tmp_path / "w") as workspace:
            with pytest.raises(InputError, match="hasn't adopted"):
                await export_snapshot(workspace, registry.plugin("contacts"))

    asyncio.run(check())
