"""Every call, as a program uses it. That each answer fits the OpenAPI document is checked by ``serving``."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from pycrdt import Doc, Map

from openprod.core.bundles import Actor
from openprod.running import NO_CERTIFICATES
from openprod.server.answers import answer
from tests.server.serving import Served, refused

pytestmark = pytest.mark.anyio


async def test_ready_without_a_token(steady: Served) -> None:
    assert (await steady["nobody"].get("/healthz")).json()["status"] == "ready"
    async with httpx.AsyncClient(trust_env=False, verify=NO_CERTIFICATES) as client:
        assert (await client.get(steady.url + "/healthz")).status_code == 200


async def test_workspace(steady: Served) -> None:
    found = (await steady["owner"].get("/workspace")).json()
    assert found["id"] == steady.workspace.id
    assert found["name"] == "Tests"
    assert found["documents"] == ["core", "cues", "rooms"]
    assert found["replica"] == steady.workspace.replica
    assert found["plugins"]["cues"] == steady.workspace.schemas["cues"].to_record()
    assert found["you"] == {"user": steady.workspace.actor.user, "name": "Olga", "role": "owner", "document": None}


async def test_commit_read_query(served: Served) -> None:
    answer = await served["editor"].post(
        "/bundles",
        json={
            "operations": [
                {"op": "create_entity", "entity": "cue_1", "facets": {"cues.cue": {"list": "LX", "number": "1"}}},
                {"op": "create_entity", "entity": "cue_2", "facets": {"cues.cue": {"list": "LX", "number": "2"}}},
                {"op": "add_edge", "edge": "cues.follows", "source": "cue_2", "target": "cue_1", "id": "f1"},
            ],
            "message": "two cues",
        },
    )
    receipt = answer.json()
    assert len(receipt["bundle"]) == 32
    assert receipt["conflicts"] == []
    entity = (await served["viewer"].get("/entities/cue_2")).json()
    assert entity["facets"]["cues.cue"]["number"] == "2"
    assert entity["title"] == "Cue LX 2"
    follows = {"id": "f1", "edge": "cues.follows", "label": "follows", "from": "cue_2", "to": "cue_1", "properties": {}}
    assert entity["edges"] == [{**follows, "direction": "out", "title": "Cue LX 1"}]
    back = (await served["viewer"].get("/entities/cue_1")).json()
    assert back["edges"] == [{**follows, "direction": "in", "title": "Cue LX 2"}]
    query = {"facet": "cues.cue", "where": {"list": "LX"}, "sort": ["-number"], "fields": ["number"], "limit": 1}
    found = (await served["viewer"].post("/query", json=query)).json()
    assert found == {"columns": ["entity", "number"], "rows": [["cue_2", "2"]], "as_of": None}
    said = await served["viewer"].post("/query", json={"text": "cues.cue limit 1"})
    assert len(said.json()["rows"]) == 1
    wrong = await served["viewer"].post("/query", json={"text": "cues.cue whre list = LX"})
    assert wrong.status_code == 400


async def test_committing_nothing_new_makes_no_bundle(served: Served) -> None:
    await served.cue()
    same = {"op": "set_field", "entity": "cue_42", "facet": "cues.cue", "field": "start", "value": "10:00"}
    assert (await served["editor"].post("/bundles", json={"operations": [same]})).json()["bundle"] == ""


async def test_as_of_a_bundle(served: Served) -> None:
    await served.cue()
    first = (await served["viewer"].get("/log", params={"newest_first": "true"})).json()["bundles"][0]["bundle"]
    later = {"op": "set_field", "entity": "cue_42", "facet": "cues.cue", "field": "start", "value": "11:00"}
    await served["editor"].post("/bundles", json={"operations": [later]})
    then = (await served["viewer"].get("/entities/cue_42", params={"as_of": first})).json()
    now = (await served["viewer"].get("/entities/cue_42")).json()
    assert [one["facets"]["cues.cue"]["start"] for one in (then, now)] == ["10:00", "11:00"]


async def test_author_of_record_is_the_token_s(served: Served) -> None:
    await served.cue()
    last = (await served["viewer"].get("/log", params={"newest_first": "true", "limit": 1})).json()["bundles"][0]
    assert (last["author"], last["via"], last["intent"]) == ("Edith", "editor", "edit")


async def test_conflict_resolved_revised_and_reopened(served: Served) -> None:
    await served.cue()
    conflict = await served.disagree()
    assert "Alex set 10:30, Jordan set 10:45 without seeing each other" in conflict["sentence"]
    address = f"/conflicts/{conflict['id']}"
    assert (await served["viewer"].get(address)).json() == conflict
    chosen = conflict["candidates"][0]["version"]
    answer = await served["editor"].post(
        f"{address}/resolutions", json={"choose": chosen, "heads": conflict["heads"], "message": "as rehearsed"}
    )
    assert answer.json()["conflict"]["status"] == "resolved"
    assert answer.json()["conflict"]["resolution"]["chosen"] == chosen
    assert (await served["viewer"].get("/conflicts")).json()["conflicts"] == []
    revised = (await served["editor"].post(f"{address}/resolutions", json={"value": "11:15"})).json()["conflict"]
    assert revised["resolution"]["value"] == "11:15"
    reopened = (await served["editor"].post(f"{address}/reopen", json={"message": "no"})).json()["conflict"]
    assert reopened["status"] == "open"


async def test_where_others_stand_in_its_place_a_decision_taken_back_is_no_failure(served: Served) -> None:
    await served.cue()
    copy: Doc[Any] = Doc(client_id=1000)
    copy.apply_update(await served.workspace.state_as_update("cues"))
    before = copy.get_state()
    copy.get("cues.cue", type=Map)["cue_42/start"] = "10:30"
    await served["editor"].post("/bundles", json={"operations": [{"op": "delete_entity", "entity": "cue_42"}]})
    await served.workspace.ingest("cues", copy.get_update(before), actor=Actor("u", "Alex", "dev"))
    (conflict,) = (await served["viewer"].get("/conflicts")).json()["conflicts"]
    address = f"/conflicts/{conflict['id']}"
    restored = await served["editor"].post(f"{address}/resolutions", json={"value": True})
    assert restored.json()["conflict"]["status"] == "resolved"
    again = await served["editor"].post(f"{address}/reopen", json={})
    assert (again.status_code, again.json()["conflict"]) == (200, None)
    (left,) = (await served["viewer"].get("/conflicts")).json()["conflicts"]
    assert (left["kind"], left["field"], again.json()["conflicts"]) == ("field", "start", [left["id"]])


async def test_a_decision_may_be_null(served: Served) -> None:
    await served.cue()
    conflict = await served.disagree()
    await served["editor"].post(f"/conflicts/{conflict['id']}/resolutions", json={"value": None})
    assert (await served["viewer"].get("/entities/cue_42")).json()["facets"]["cues.cue"]["start"] is None


async def test_resolving_what_one_has_not_seen_is_refused_with_the_present_conflict(served: Served) -> None:
    await served.cue()
    conflict = await served.disagree()
    stale = {"choose": conflict["heads"][0], "heads": conflict["heads"][:1]}
    answer = await served["editor"].post(f"/conflicts/{conflict['id']}/resolutions", json=stale)
    refused(answer, 409, "STALE")
    assert answer.json()["conflict"] == conflict


@pytest.mark.parametrize("body", [{}, {"choose": "x", "value": 1}, {"choose": None}, {"heads": []}])
async def test_a_resolution_is_one_thing(steady: Served, body: dict[str, Any]) -> None:
    refused(await steady["editor"].post("/conflicts/c_x/resolutions", json=body), 400, "INPUT")


async def test_conflicts_by_page_and_by_what(served: Served) -> None:
    for number in range(3):
        await served.cue(f"cue_{number}", number=str(number))
        await served.disagree(f"cue_{number}")
    seen: list[str] = []
    after = ""
    while True:
        query = {"status": "open", "kind": "", "entity": "", "after": after, "limit": "2"}
        page = (await served["viewer"].get("/conflicts", params=query)).json()
        seen += [conflict["id"] for conflict in page["conflicts"]]
        if page["next"] is None:
            break
        after = page["next"]
    assert len(seen) == len(set(seen)) == 3
    assert seen == sorted(seen)
    some = (await served["viewer"].get("/conflicts", params={"entity": "cue_1", "kind": "field"})).json()
    assert [conflict["entity"] for conflict in some["conflicts"]] == ["cue_1"]


async def test_log_by_page(served: Served) -> None:
    for number in range(3):
        await served.cue(f"cue_{number}", number=str(number))
    everything = (await served["viewer"].get("/log")).json()["bundles"]
    assert [bundle["intent"] for bundle in everything] == ["adopt", "edit", "edit", "edit"]
    first = (await served["viewer"].get("/log", params={"limit": 3})).json()
    rest = (await served["viewer"].get("/log", params={"after": first["next"]})).json()
    assert first["bundles"] + rest["bundles"] == everything
    assert rest["next"] is None


async def test_history(served: Served) -> None:
    await served.cue()
    await served.disagree()
    history = (await served["viewer"].get("/history/cue_42")).json()
    [start] = [one for one in history["fields"] if one["field"] == "start"]
    assert {version["value"] for version in start["versions"]} == {"10:00", "10:30", "10:45"}
    assert {version["author"] for version in start["versions"]} == {"Edith", "Alex", "Jordan"}
    assert len(history["conflicts"]) == 1


async def test_undo_and_redo_are_one_s_own(served: Served) -> None:
    await served.cue()
    change = {"op": "set_field", "entity": "cue_42", "facet": "cues.cue", "field": "start", "value": "11:00"}
    bundle = (await served["editor"].post("/bundles", json={"operations": [change]})).json()["bundle"]

    async def start() -> Any:
        return (await served["viewer"].get("/entities/cue_42")).json()["facets"]["cues.cue"]["start"]

    assert (await served["editor"].post("/undo")).json()["bundle"]
    assert await start() == "10:00"
    redone = (await served["editor"].post("/redo")).json()["bundle"]
    assert await start() == "11:00"
    # What was redone stands again, by either name.
    assert (await served["owner"].post("/undo", json={"bundle": bundle})).json()["bundle"]
    assert await start() == "10:00"
    refused(await served["owner"].post("/undo", json={"bundle": redone}), 409, "STALE")


async def test_state_hash_follows_the_state(served: Served) -> None:
    before = (await served["viewer"].get("/state-hash")).json()["state_hash"]
    assert before == await served.workspace.state_hash()
    await served.cue()
    assert (await served["viewer"].get("/state-hash")).json()["state_hash"] != before


async def test_plugins(served: Served) -> None:
    found = (await served["viewer"].get("/plugins")).json()
    installed = {plugin["name"]: plugin for plugin in found["installed"]}
    assert installed["cues"]["adopted"]
    assert "cues.csv" in [importer["name"] for importer in installed["cues"]["importers"]]
    assert found["adopted"] == ["cues", "rooms"]
    assert (await served["owner"].post("/plugins/script/adopt")).json()["bundle"]
    assert "script" in (await served["viewer"].get("/workspace")).json()["documents"]
    refused(await served["owner"].post("/plugins/nothing/adopt"), 404, "NOT_FOUND")


async def test_doctor_and_rebuild(served: Served) -> None:
    await served.cue()
    before = (await served["viewer"].get("/state-hash")).json()
    assert (await served["owner"].post("/doctor")).json()["healthy"] is True
    assert (await served["owner"].post("/rebuild")).json() == before


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/entities/nothing", None, 404, "NOT_FOUND"),
        ("GET", "/history/nothing", None, 404, "NOT_FOUND"),
        ("GET", "/conflicts/c_nothing", None, 404, "NOT_FOUND"),
        ("POST", "/conflicts/c_nothing/resolutions", {"value": 1}, 404, "NOT_FOUND"),
        ("POST", "/conflicts/c_nothing/reopen", {}, 404, "NOT_FOUND"),
        ("GET", "/conflicts?status=odd", None, 400, "INPUT"),
        ("GET", "/conflicts?limit=0", None, 400, "INPUT"),
        ("GET", "/conflicts?limit=many", None, 400, "INPUT"),
        ("GET", "/conflicts?kind=odd", None, 400, "INPUT"),
        ("GET", "/log?after=zzzz", None, 404, "NOT_FOUND"),
        ("GET", "/log?unknown=1", None, 400, "INPUT"),
        ("POST", "/query", {"facet": "cues.nothing"}, 400, "INPUT"),
        ("POST", "/query", {"facet": "cues.cue", "where": {"nothing": 1}}, 400, "INPUT"),
        ("POST", "/query", {"facet": "cues.cue", "as_of": "ffffffff"}, 404, "NOT_FOUND"),
        ("POST", "/undo", {"bundle": "ffffffff"}, 404, "NOT_FOUND"),
        ("POST", "/redo", {}, 404, "NOT_FOUND"),
        ("DELETE", "/tokens/t_nothing", None, 404, "NOT_FOUND"),
        ("POST", "/tokens", {"document": "nothing"}, 404, "NOT_FOUND"),
        ("POST", "/tokens", {"expires": "soon"}, 400, "INPUT"),
        ("POST", "/tokens", {"role": "king"}, 400, "INPUT"),
        ("POST", "/imports/nothing.csv", None, 404, "NOT_FOUND"),
        ("GET", "/nothing", None, 404, "NOT_FOUND"),
        ("DELETE", "/workspace", None, 405, "METHOD_NOT_ALLOWED"),
    ],
)
async def test_what_cannot_be_answered(
    steady: Served, method: str, path: str, body: Any, status: int, code: str
) -> None:
    refused(await steady["owner"].request(method, path, json=body), status, code)


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "nothing"},
        {"op": "set_field", "entity": "cue_42"},
        {"op": "set_field", "entity": "cue_42", "facet": "cues.cue", "field": "start", "value": 1, "more": 1},
        {"op": "set_field", "entity": "cue_42", "facet": "nothing.cue", "field": "start", "value": 1},
        {"op": "set_field", "entity": 42, "facet": "cues.cue", "field": "start", "value": 1},
        {"op": "create_entity", "entity": "a/b", "facets": {}},
        {"op": "set_field", "entity": "cue_42", "facet": "cues.cue", "field": "start", "value": 2**60},
    ],
)
async def test_operations_that_make_no_sense(steady: Served, operation: dict[str, Any]) -> None:
    before = await steady.workspace.state_hash()
    good = {"op": "set_field", "entity": "cue_42", "facet": "cues.cue", "field": "start", "value": "12:00"}
    answer = await steady["editor"].post("/bundles", json={"operations": [good, operation]})
    refused(answer, 400, "INVALID_OPERATION")
    assert await steady.workspace.state_hash() == before


def test_a_value_that_outside_programs_stored_is_answered() -> None:
    """Half a character can't be JSON in UTF-8, but escaped it can."""
    assert answer({"value": "half \ud83d"}).body == b'{"value": "half \\ud83d"}'
