"""What a program that lost the answer may send again, as the guide says."""

from __future__ import annotations

from typing import Any

import pytest

from tests.server.serving import Served, refused

pytestmark = pytest.mark.anyio


async def test_nothing_is_made_or_undone_twice(served: Served) -> None:
    editor = served["editor"]
    await served.cue()
    await served.cue("cue_43", number="43")
    made = {"op": "create_entity", "entity": "cue_44", "facets": {"cues.cue": {"list": "LX", "number": "44"}}}
    edge = {"op": "add_edge", "edge": "cues.follows", "id": "e1", "source": "cue_42", "target": "cue_43"}
    value = {"op": "set_field", "entity": "cue_42", "facet": "cues.cue", "field": "start", "value": "10:45"}

    async def send(operation: dict[str, Any]) -> Any:
        return await editor.post("/bundles", json={"operations": [operation]})

    assert (await send(made)).json()["bundle"]
    refused(await send(made), 400, "INVALID_OPERATION")
    assert (await send(edge)).json()["bundle"]
    assert not (await send(edge)).json()["bundle"]
    bundle = (await send(value)).json()["bundle"]
    assert bundle
    assert not (await send(value)).json()["bundle"]
    assert (await editor.post("/undo", json={"bundle": bundle})).status_code == 200
    refused(await editor.post("/undo", json={"bundle": bundle}), 409, "STALE")
