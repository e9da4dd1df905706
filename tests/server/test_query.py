"""Queries over HTTP: their rights, their explanation, and those that are watched."""

from __future__ import annotations

import anyio
import pytest

from openprod.core.queries import parse
from tests.server.serving import TIMEOUT_S, Served, refused
from tests.server.test_events import events

pytestmark = pytest.mark.anyio


async def test_a_name_nobody_knows_is_pointed_at(served: Served) -> None:
    said = refused(await served["viewer"].post("/query", json={"text": "cues.cue where lst = LX"}), 400, "INPUT")
    assert said["details"]["column"] == 16
    assert "Did you mean list?" in said["hint"]


async def test_a_token_of_one_document_learns_nothing_of_others(served: Served) -> None:
    token = (await served["owner"].post("/tokens", json={"document": "cues", "role": "viewer"})).json()["token"]
    headers = {"authorization": f"Bearer {token}"}
    answers = []
    for text in (
        "rooms.room", "nothing.atall", "Person", "cues.cue where has -> rooms.room", "cues.cue -> x.y -> nothing.at",
        "cues.cue where has -> cues.follows -> rooms.room",
    ):  # fmt: skip
        answer = await served["viewer"].post("/query", json={"text": text}, headers=headers)
        answers.append((answer.status_code, answer.json()["error"]["sentence"]))
    assert len(set(answers)) == 1
    assert answers[0][0] == 403
    assert (await served["viewer"].post("/query", json={"facet": "cues.cue"}, headers=headers)).status_code == 200


async def test_how_it_is_answered_can_be_seen(served: Served) -> None:
    asked = {"text": "cues.cue where list = LX and number = 42", "explain": True}
    explained = (await served["viewer"].post("/query", json=asked)).json()["explain"]
    assert explained["sql"].startswith("WITH page")
    assert any(step.endswith("USING PRIMARY KEY (root=? AND field=?)") for step in explained["steps"])
    assert "register_gone" in explained["indexes"]
    assert '"LX"' in explained["parameters"].values()


async def test_a_watched_query_is_told_when_its_answer_changes_and_only_then(served: Served) -> None:
    """INV-QUERY-3."""
    await served.cue()
    asked = {"text": "cues.cue where list = LX select start"}

    async def set_field(entity: str, field: str, value: str) -> None:
        operation = {"op": "set_field", "entity": entity, "facet": "cues.cue", "field": field, "value": value}
        assert (await served["editor"].post("/bundles", json={"operations": [operation]})).status_code == 200

    with anyio.fail_after(TIMEOUT_S):
        async with served["viewer"].stream("POST", "/query/live", json=asked) as response:
            told = events(response)
            kind, first = await anext(told)
            assert kind == "answer"
            assert [row[0] for row in first["rows"]] == ["cue_42"]
            await set_field("cue_42", "label", "not asked for")
            await served.cue("cue_7", list="SND")
            await set_field("cue_42", "start", "11:11")
            # The next thing that is told is what changed the answer: the others told nothing.
            assert (await anext(told))[1]["rows"] == [["cue_42", "11:11"]]
            await set_field("cue_42", "list", "SND")
            assert (await anext(told))[1]["rows"] == []


async def test_a_watched_query_is_asked_again_only_when_it_is_concerned(served: Served) -> None:
    await served.cue()
    watch = served.workspace.watch(parse("cues.cue where list = LX select start"))
    try:
        assert await watch.news() is not None
        other = {"op": "create_entity", "entity": "other", "facets": {"rooms.room": {}}}
        assert (await served["owner"].post("/bundles", json={"operations": [other]})).status_code == 200
        assert await watch.news() is None
        assert watch.asked == 1
        operation = {"op": "set_field", "entity": "cue_42", "facet": "cues.cue", "field": "start", "value": "12:00"}
        await served["editor"].post("/bundles", json={"operations": [operation]})
        assert await watch.news() is not None
        assert await watch.news() is None
        assert watch.asked == 2
    finally:
        watch.close()


async def test_a_query_that_cant_be_asked_begins_no_stream(served: Served) -> None:
    refused(await served["viewer"].post("/query/live", json={"text": "cues.nothing"}), 400, "INPUT")


async def test_watched_queries_end_with_their_token(served: Served) -> None:
    with anyio.fail_after(TIMEOUT_S):
        async with served["viewer"].stream("POST", "/query/live", json={"facet": "cues.cue"}) as response:
            told = events(response)
            await anext(told)
            await served["owner"].delete(f"/tokens/{served.tokens['viewer']['id']}")
            assert [event async for event in told] == []
