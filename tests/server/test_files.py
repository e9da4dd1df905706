"""Files that come and go: stored files, packs, imports, backups."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from anyio import from_thread
from anyio.lowlevel import current_token

from openprod.core.operations import DeleteEntity, SetField
from openprod.engine import identity
from openprod.engine.workspace import Workspace
from openprod.plugin_host.registry import Registry
from tests.server.serving import Served, refused

pytestmark = pytest.mark.anyio
SHEET = b"List,Q,Label\nLX,101,Dawn\nLX,102,Dusk\n"
CSV = {"content-type": "text/csv"}


def left_over(served: Served) -> list[str]:
    return [path.name for path in (served.workspace.folder / "run").iterdir() if path.name.startswith("upload")]


async def test_a_stored_file_and_a_part_of_it(served: Served) -> None:
    data = bytes(range(256)) * 1000
    name = hashlib.sha256(data).hexdigest()
    for _ in range(2):
        put = (await served["editor"].put(f"/blobs/{name}", content=data)).json()
        assert put == {"blob": f"blob:{name}", "hash": name, "bytes": len(data)}
    whole = await served["viewer"].get(f"/blobs/{name}")
    assert whole.content == data
    assert whole.headers["content-disposition"] == "attachment"
    assert "sandbox" in whole.headers["content-security-policy"]
    part = await served["viewer"].get(f"/blobs/{name}", headers={"range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, data[10:20])
    beyond = await served["viewer"].get(f"/blobs/{name}", headers={"range": f"bytes={len(data)}-"})
    assert beyond.status_code == 416
    assert left_over(served) == []


async def test_a_file_that_is_not_what_its_name_says(served: Served) -> None:
    name = hashlib.sha256(b"one").hexdigest()
    refused(await served["editor"].put(f"/blobs/{name}", content=b"other"), 400, "INPUT")
    refused(await served["editor"].put(f"/blobs/{name}", content=b""), 400, "INPUT")
    refused(await served["viewer"].get(f"/blobs/{name}"), 404, "NOT_FOUND")
    refused(await served["viewer"].get("/blobs/odd"), 400, "INPUT")
    assert left_over(served) == []


async def second_laptop(served: Served, folder: Path) -> Path:
    """A copy of the workspace on which Jordan changes cue 42; the pack of it."""
    copy, pack = folder / "second.openprod", folder / "jordan.pack"
    assert (await served["owner"].post("/backup", json={"path": str(copy)})).json()["file"] == str(copy)
    who = identity.load(folder / "second-home", name="Jordan", device_name="second laptop")
    async with Workspace.open(copy, identity_=who) as workspace:
        await workspace.commit([SetField(entity="cue_42", facet="cues.cue", field="start", value="11:00")])
        await workspace.pack(pack)
    return pack


@pytest.mark.parametrize("way", ["upload", "path"])
async def test_a_pack_is_looked_at_then_merged(served: Served, tmp_path: Path, way: str) -> None:
    await served.cue()
    pack = await second_laptop(served, tmp_path)
    here = {"op": "set_field", "entity": "cue_42", "facet": "cues.cue", "field": "start", "value": "10:30"}
    await served["editor"].post("/bundles", json={"operations": [here]})
    sent: dict[str, Any] = {"json": {"path": str(pack)}}
    if way == "upload":
        sent = {"content": pack.read_bytes(), "headers": {"content-type": "application/octet-stream"}}
    before = await served.workspace.state_hash()
    plan = (await served["owner"].post("/merge/plan", **sent)).json()
    assert plan["authors"] == [{"author": "Jordan", "bundles": 1}]
    assert "11:00" in plan["conflicts"][0]["sentence"]
    assert await served.workspace.state_hash() == before
    assert (await served["owner"].post("/merge", **sent)).json() == {"bundles": 1, "open_conflicts": 1}
    assert (await served["owner"].post("/merge", **sent)).json() == {"bundles": 0, "open_conflicts": 1}
    assert left_over(served) == []


async def test_merging_says_how_far_it_is(served: Served, tmp_path: Path) -> None:
    await served.cue()
    pack = await second_laptop(served, tmp_path)
    answer = await served["owner"].post("/merge", json={"path": str(pack)}, headers={"accept": "application/x-ndjson"})
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert lines[-1] == {"result": {"bundles": 1, "open_conflicts": 0}}
    assert lines[:-1] == [{"progress": {"done": 1, "total": 1}}]


async def shipped_cues(served: Served) -> None:
    """The plugin as it is shipped, in place of the smaller one that these tests begin with."""
    await served.workspace.migrate(Registry.load().schema("cues"), [], version="0")


async def test_long_work_ends_with_what_it_gives_without_progress(served: Served, tmp_path: Path) -> None:
    await served.cue()
    pack = await second_laptop(served, tmp_path)
    await shipped_cues(served)
    lines = {"accept": "application/x-ndjson"}
    for address, sent in (
        ("/merge/plan", {"json": {"path": str(pack)}}),
        ("/imports/cues.csv?file_name=a.csv", {"content": SHEET}),
        ("/imports/cues.csv?file_name=a.csv&apply=true", {"content": SHEET}),
        ("/imports/cues.csv?file_name=a.csv&apply=true", {"content": SHEET}),
    ):
        headers = CSV if "imports" in address else {}
        plain = served["owner"].post(address, **sent, headers=headers) if "apply" not in address else None
        answer = await served["owner"].post(address, **sent, headers={**headers, **lines})
        assert answer.headers["content-type"].startswith("application/x-ndjson")
        *progress, last = [json.loads(line) for line in answer.text.splitlines()]
        assert all(one["progress"]["done"] <= one["progress"]["total"] for one in progress)
        if plain is not None:
            assert last == {"result": (await plain).json()}
        else:
            assert last["result"]["applied"]
    await served["owner"].post("/backup", json={"path": str(tmp_path / "copy")}, headers=lines)
    assert (tmp_path / "copy" / "workspace.db").is_file()


async def test_files_that_are_no_packs(served: Served, tmp_path: Path) -> None:
    await served.cue()
    pack = (await second_laptop(served, tmp_path)).read_bytes()
    for address in ("/merge", "/merge/plan"):
        for data in (b"nonsense", pack[:-10], pack + b"x", b"OPENPROD-PACK-1\n"):
            answer = await served["owner"].post(address, content=data, headers={"content-type": "x/y"})
            refused(answer, 400, "INVALID_FILE")
        broken = bytearray(pack)
        broken[-20] ^= 1
        answer = await served["owner"].post(address, content=bytes(broken), headers={"content-type": "x/y"})
        assert answer.json()["error"]["code"] in ("UNTRUSTED", "INVALID_FILE")
        refused(await served["owner"].post(address, json={"path": str(tmp_path / "nothing")}), 503, "STORAGE")
        refused(await served["owner"].post(address, json={}), 400, "INPUT")
    answer = await served["owner"].post(
        "/merge", json={"path": str(tmp_path / "nothing")}, headers={"accept": "application/x-ndjson"}
    )
    assert json.loads(answer.text.splitlines()[-1])["error"]["code"] == "STORAGE"
    assert left_over(served) == []


async def test_packing_what_another_lacks(served: Served, tmp_path: Path) -> None:
    await served.cue()
    have = (await served["viewer"].get("/have")).json()
    change = {"op": "set_field", "entity": "cue_42", "facet": "cues.cue", "field": "start", "value": "11:00"}
    await served["editor"].post("/bundles", json={"operations": [change]})
    everything = await served["editor"].post("/pack")
    assert everything.content.startswith(b"OPENPROD-PACK-1\n")
    rest = await served["editor"].post("/pack", json={"have": have})
    assert len(rest.content) < len(everything.content)
    file = tmp_path / "rest.pack"
    answer = await served["owner"].post("/pack", json={"have": have, "path": str(file)})
    assert answer.json() == {"file": str(file), "bundles": 1}
    assert file.read_bytes() == rest.content
    assert (await served["owner"].post("/have", json={"path": str(tmp_path / "have")})).status_code == 200
    assert json.loads((tmp_path / "have").read_bytes())["workspace"] == served.workspace.id
    refused(await served["editor"].post("/pack", json={"have": {"odd": 1}}), 400, "INVALID_FILE")
    refused(await served["editor"].post("/pack", json={"have": {**have, "workspace": "ws_x"}}), 400, "UNTRUSTED")


async def test_an_import_is_shown_then_applied_and_twice_is_once(served: Served) -> None:
    await shipped_cues(served)
    before = await served.workspace.state_hash()
    shown = (await served["editor"].post("/imports/cues.csv?file_name=a.csv", content=SHEET, headers=CSV)).json()
    assert (shown["applied"], shown["receipt"]) == (False, None)
    assert shown["proposal"]["counts"]["created"] == 2
    assert await served.workspace.state_hash() == before
    apply = "/imports/cues.csv?file_name=a.csv&apply=true"
    done = (await served["editor"].post(apply, content=SHEET, headers=CSV)).json()
    last = (await served["viewer"].get("/log?newest_first=true&limit=1")).json()["bundles"][0]
    assert (last["bundle"], last["intent"], last["author"]) == (done["receipt"]["bundle"], "import", "Edith")
    assert "a.csv" in last["message"]
    after = await served.workspace.state_hash()
    again = (await served["editor"].post(apply, content=SHEET, headers=CSV)).json()
    assert (again["proposal"]["operations"], again["receipt"]["bundle"]) == ([], "")
    assert await served.workspace.state_hash() == after


async def test_an_import_does_not_overwrite_what_it_has_not_seen(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody's edit that lands while the file is being planned is planned with, not written over."""
    from openprod.server.routes import imports

    await shipped_cues(served)
    apply = "/imports/cues.csv?file_name=a.csv&apply=true"
    done = (await served["editor"].post(apply, content=SHEET, headers=CSV)).json()
    cue = next(one["entity"] for one in done["proposal"]["operations"] if "cues.cue" in one.get("facets", {}))
    edits = 0
    real, token = imports.plan_import, current_token()

    def plan_slowly(*args: Any, **named: Any) -> Any:
        nonlocal edits
        proposal = real(*args, **named)
        if edits == 0:
            edits += 1
            edit = SetField(entity=cue, facet="cues.cue", field="label", value="Meanwhile")
            from_thread.run(served.workspace.commit, [edit], token=token)
        return proposal

    monkeypatch.setattr(imports, "plan_import", plan_slowly)
    changed = SHEET.replace(b"Dawn", b"Sunrise")
    second = (await served["editor"].post(apply, content=changed, headers=CSV)).json()
    assert second["receipt"]["bundle"]
    history = (await served["viewer"].get(f"/history/{cue}")).json()
    [label] = [field for field in history["fields"] if field["field"] == "label"]
    values = [version["value"] for version in label["versions"]]
    assert values == ["Dawn", "Meanwhile", "Sunrise"]
    assert edits == 1


async def test_an_import_does_what_was_looked_at_or_nothing(served: Served) -> None:
    await shipped_cues(served)
    place = "/imports/cues.csv?file_name=a.csv"
    shown = (await served["editor"].post(place, content=SHEET, headers=CSV)).json()["proposal"]
    apply = f"{place}&apply=true&looked_at="
    done = (await served["editor"].post(apply + shown["digest"], content=SHEET, headers=CSV)).json()
    assert done["receipt"]["bundle"]
    assert done["proposal"] == shown
    cue = next(one["entity"] for one in shown["operations"] if "cues.cue" in one.get("facets", {}))
    changed = SHEET.replace(b"Dawn", b"Sunrise")
    looked = (await served["editor"].post(place, content=changed, headers=CSV)).json()["proposal"]["digest"]
    await served.workspace.commit([SetField(entity=cue, facet="cues.cue", field="label", value="Meanwhile")])
    before = await served.workspace.state_hash()
    refused(await served["editor"].post(apply + looked, content=changed, headers=CSV), 409, "STALE")
    assert await served.workspace.state_hash() == before
    again = (await served["editor"].post(place, content=changed, headers=CSV)).json()["proposal"]
    assert [one["before"] for one in again["changes"]] == ["Meanwhile"]
    done = (await served["editor"].post(apply + again["digest"], content=changed, headers=CSV)).json()
    assert done["receipt"]["bundle"]


async def test_an_import_shows_what_stands_there_now(served: Served) -> None:
    """Old beside new, of what is there already; what is new has no old value."""
    await shipped_cues(served)
    place = "/imports/cues.csv?file_name=a.csv"
    done = (await served["editor"].post(f"{place}&apply=true", content=SHEET, headers=CSV)).json()
    assert (done["proposal"]["changes"], done["proposal"]["changes_count"]) == ([], 0)
    changed = SHEET.replace(b"Dawn", b"Sunrise") + b"LX,103,Night\n"
    shown = (await served["editor"].post(place, content=changed, headers=CSV)).json()["proposal"]
    (change,) = shown["changes"]
    assert shown["changes_count"] == 1
    assert (change["title"], change["facet"], change["field"]) == ("LX 101", "cues.cue", "label")
    assert (change["before"], change["after"]) == ("Dawn", "Sunrise")


async def test_an_import_shows_what_it_would_move(served: Served) -> None:
    """Where there may be but one, a new one takes the place of what stands there: that is told as well."""
    manifest, _ = Registry.load().importer("schedule.csv")
    assert manifest.schema is not None
    await served.workspace.adopt([manifest.schema])
    place = "/imports/schedule.csv?file_name=a.csv"
    sheet = b"Date,Time,What,Where\n2026-05-01,10:00,Tech,Stage\n2026-05-01,14:00,Run,Stage\n"
    done = (await served["editor"].post(f"{place}&apply=true", content=sheet, headers=CSV)).json()
    assert done["proposal"]["changes"] == []
    changed = sheet.replace(b"Tech,Stage", b"Tech,Studio")
    (change,) = (await served["editor"].post(place, content=changed, headers=CSV)).json()["proposal"]["changes"]
    assert (change["facet"], change["label"]) == ("schedule.in_room", "in")
    assert (change["title"], change["before"], change["after"]) == ("Tech Fri 1 May 10:00", "Stage", "Studio")
    called = b"Date,Time,What,Who\n2026-05-01,10:00,Tech,Ana\n"
    people = "/imports/schedule.people?file_name=a.csv&apply=true"
    await served["editor"].post(people, content=b"Name,Role\nAna,Dancer\n", headers=CSV)
    (change,) = (await served["editor"].post(place, content=called, headers=CSV)).json()["proposal"]["changes"]
    assert (change["title"], change["label"]) == ("Ana", "attends")
    assert (change["before"], change["after"]) == (None, "Tech Fri 1 May 10:00")


async def test_an_import_names_what_was_deleted_and_would_be_back(served: Served) -> None:
    await shipped_cues(served)
    place = "/imports/cues.csv?file_name=a.csv"
    done = (await served["editor"].post(f"{place}&apply=true", content=SHEET, headers=CSV)).json()
    assert not [line for line in done["proposal"]["summary"] if "Deleted" in line]
    cue = next(one["entity"] for one in done["proposal"]["operations"] if "cues.cue" in one.get("facets", {}))
    await served.workspace.commit([DeleteEntity(entity=cue)])
    shown = (await served["editor"].post(place, content=SHEET, headers=CSV)).json()["proposal"]
    assert "Deleted here, and made again by this: LX 101." in shown["summary"]


async def test_imports_that_cannot_be(served: Served, tmp_path: Path) -> None:
    await shipped_cues(served)
    refused(await served["editor"].post("/imports/cues.csv", content=b"", headers=CSV), 400, "INPUT")
    refused(await served["editor"].post("/imports/cues.csv", content=b"PK\x03\x04x", headers=CSV), 400, "INVALID_FILE")
    refused(await served["editor"].post("/imports/script.fountain", content=b"x", headers=CSV), 400, "INPUT")
    refused(await served["owner"].post(f"/imports/cues.csv?path={tmp_path}/no.csv"), 503, "STORAGE")
    file = tmp_path / "sheet.csv"
    file.write_bytes(SHEET)
    by_path = (await served["owner"].post(f"/imports/cues.csv?path={file}")).json()
    assert by_path["proposal"]["counts"]["created"] == 2


async def test_a_backup_is_a_workspace(served: Served, tmp_path: Path) -> None:
    await served.cue()
    target = tmp_path / "copy"
    assert (await served["owner"].post("/backup", json={"path": str(target)})).json()["bytes"] > 0
    refused(await served["owner"].post("/backup", json={"path": str(target)}), 400, "INPUT")
    who = identity.load(tmp_path / "home", name="Olga", device_name="laptop")
    async with Workspace.open(target, identity_=who) as copy:
        assert await copy.state_hash() == await served.workspace.state_hash()
