"""Members and held bundles over HTTP. That each answer fits the OpenAPI document is checked by ``serving``."""

from __future__ import annotations

from pathlib import Path

import pytest

from openprod.core.operations import SetField
from openprod.engine.workspace import Workspace
from tests.engine.laptops import identity
from tests.server.serving import Served, refused

pytestmark = pytest.mark.anyio


async def test_members_come_and_go_and_what_is_held_is_let_in(served: Served, tmp_path: Path) -> None:
    """INV-MEMBER-3"""
    await served.cue()
    assert not (await served["viewer"].get("/members")).json()["founded"]
    refused(await served["editor"].post("/invite", json={}), 403, "DENIED")
    invited = (await served["owner"].post("/invite", json={"role": "editor", "grants": {"rooms": "viewer"}})).json()
    assert invited["workspace"] == served.workspace.id
    refused(await served["owner"].post("/invite", json={"role": "king"}), 400, "INPUT")
    who = identity("robin")
    key = bytes(who.key.verify_key)
    await served.workspace.admit(key, user=who.user, name=who.name, device_name=who.device_name)
    await served.workspace.backup(tmp_path / "robin")
    found = (await served["owner"].post(f"/members/{who.device}", json={"grants": {"rooms": "viewer"}})).json()
    assert {one["name"]: one["grants"] for one in found["members"]} == {"Olga": {}, "Robin": {"rooms": "viewer"}}
    assert (await served["owner"].delete(f"/members/{who.device[:10]}")).json() == {"removed": who.device}
    refused(await served["owner"].delete(f"/members/{who.device}"), 404, "NOT_FOUND")
    async with Workspace.open(tmp_path / "robin", identity_=who) as robin:
        await robin.commit([SetField(entity="cue_42", facet="cues.cue", field="start", value="11:00")])
        await robin.pack(tmp_path / "robin.pack")
    plan = (await served["owner"].post("/merge/plan", json={"path": str(tmp_path / "robin.pack")})).json()
    assert (plan["bundles"], plan["held"]) == (1, 1)
    await served["owner"].post("/merge", json={"path": str(tmp_path / "robin.pack")})
    (held,) = (await served["editor"].get("/held")).json()["held"]
    assert (held["author"], held["documents"], held["signed_by"]) == ("Robin", ["cues"], who.device)
    assert held["operations"][0]["value"] == "11:00"
    refused(await served["viewer"].get("/held"), 403, "DENIED")
    refused(await served["editor"].post("/held", json={}), 403, "DENIED")
    entity = (await served["viewer"].get("/entities/cue_42")).json()
    assert entity["facets"]["cues.cue"]["start"] == "10:00"
    answer = (await served["owner"].post("/held", json={"bundles": [held["bundle"]]})).json()
    assert answer == {"accepted": 1, "held": 0}
    entity = (await served["viewer"].get("/entities/cue_42")).json()
    assert entity["facets"]["cues.cue"]["start"] == "11:00"
    refused(await served["owner"].post("/held", json={"bundles": [held["bundle"]]}), 409, "STALE")
