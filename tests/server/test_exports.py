"""Exports over HTTP: what there is, a file, a zip, files on the owner's device."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from tests.server.serving import Served, refused

pytestmark = pytest.mark.anyio

PLUGIN = """\
name = "slips"
version = "1.0.0"
[[exporter]]
id = "all"
label = "Slips"
file = "slips.txt"
entry = "out.py:export"
needs_now = true
"""
SCHEMA = """\
[facet.slip]
title = "{name}"
[facet.slip.field]
name = { type = "string" }
secret = { type = "string", private = true }
"""
JOB = """\
from openprod.plugin_api import Files, Snapshot


def export(snapshot: Snapshot, options: dict[str, str]) -> Files:
    assert options["now"].endswith("Z")
    return {
        f"{fields['name']}.txt": f"{fields['name']} {fields.get('secret')}".encode()
        for fields in snapshot.entities("slips.slip").values()
    }
"""


@pytest.fixture
async def slips(served: Served, tmp_path: Path) -> Served:
    """A node on whose device a plugin is installed that gives a file for each of its entities."""
    folder = tmp_path / "home" / "plugins" / "slips"
    folder.mkdir(parents=True)
    for name, text in (("plugin.toml", PLUGIN), ("schema.toml", SCHEMA), ("out.py", JOB)):
        (folder / name).write_text(text, encoding="utf-8")
    assert (await served["owner"].post("/plugins/slips/adopt", json={})).status_code == 200
    return served


async def slip(served: Served, name: str) -> None:
    operation = {
        "op": "create_entity",
        "entity": f"slip_{name}",
        "facets": {"slips.slip": {"name": name, "secret": "s"}},
    }
    answer = await served["editor"].post("/bundles", json={"operations": [operation]})
    assert answer.status_code == 200, answer.text


async def test_what_can_be_exported(slips: Served) -> None:
    found = {one["name"]: one for one in (await slips["viewer"].get("/exports")).json()["exports"]}
    assert found["slips.all"] == {
        "name": "slips.all", "label": "Slips", "file": "slips.txt", "options": {}, "adopted": True,
    }  # fmt: skip
    assert not found["contacts.vcard"]["adopted"]
    assert "version" in found["contacts.vcard"]["options"]


async def test_one_file_several_and_none(slips: Served) -> None:
    """INV-PRIVATE-1"""
    refused(await slips["viewer"].post("/exports/slips.all", json={}), 400, "INPUT")
    await slip(slips, "Zoë")
    answer = await slips["viewer"].post("/exports/slips.all", json={})
    assert answer.content == "Zoë None".encode()
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''Zo%C3%AB.txt"
    assert answer.headers["cache-control"] == "no-store"
    await slip(slips, "Ana")
    answer = await slips["viewer"].post("/exports/slips.all", json={})
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["content-disposition"].endswith("''slips.zip")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == {
            "Ana.txt": b"Ana None", "Zoë.txt": "Zoë None".encode(),
        }  # fmt: skip


async def test_private_fields_take_an_editor(slips: Served) -> None:
    await slip(slips, "Ana")
    refused(await slips["viewer"].post("/exports/slips.all", json={"private": True}), 403, "DENIED")
    assert (await slips["editor"].post("/exports/slips.all", json={"private": True})).content == b"Ana s"


async def test_onto_the_owners_disk(slips: Served, tmp_path: Path) -> None:
    await slip(slips, "Ana")
    place = tmp_path / "out.txt"
    refused(await slips["editor"].post("/exports/slips.all", json={"path": str(place)}), 403, "DENIED")
    answer = await slips["owner"].post("/exports/slips.all", json={"path": str(place)})
    assert answer.json() == {"files": [str(place)], "private": False}
    assert place.read_bytes() == b"Ana None"
    refused(await slips["owner"].post("/exports/slips.all", json={"path": str(place)}), 400, "INPUT")
    again = {"path": str(place), "force": True, "private": True}
    assert (await slips["owner"].post("/exports/slips.all", json=again)).json()["private"]
    assert place.read_bytes() == b"Ana s"


async def test_what_cant_be_exported(slips: Served) -> None:
    refused(await slips["viewer"].post("/exports/slips.nothing", json={}), 404, "NOT_FOUND")
    error = refused(await slips["viewer"].post("/exports/contacts.vcard", json={}), 400, "INPUT")
    assert "hasn't adopted" in error["sentence"]
    error = refused(
        await slips["viewer"].post("/exports/contacts.vcard", json={"options": {"vesion": "3.0"}}), 400, "INPUT"
    )
    assert "version" in error["hint"]
    refused(await slips["viewer"].post("/exports/slips.all", json={"options": {"now": "x"}}), 400, "INPUT")
    refused(await slips["scoped"].post("/exports/slips.all", json={}), 403, "DENIED")
    refused(await slips["nobody"].post("/exports/slips.all", json={}), 401, "UNAUTHENTICATED")
