"""What programs that know nothing of us may send: nonsense in the right place, forged decisions."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from pycrdt import Array, Doc, Map, Text

from openprod.core.operations import SetField
from openprod.errors import InvalidOperation, MalformedUpdate, NotFound, OpenprodError
from openprod.yjs import layout
from tests.engine.laptops import ROOT, Program, disagree, laptop, shown, usable


@pytest.mark.parametrize("made", [Map, Array, Text, lambda _: Doc()])
def test_two_who_nest_apart(tmp_path: Path, made: Any) -> None:
    """INV-LOSS-2: what one of them nested is lost to every Yjs program, so it is asked about; a decision doesn't write
    a description of a value in its place."""

    async def check() -> None:
        async with laptop(tmp_path / "w") as workspace:
            alex, jordan = Program("alex", 50), Program("jordan", 60)
            await alex.sync(workspace)
            await jordan.sync(workspace)
            sent = [(one, one.keys({"cue_42/colours": made(None)})) for one in (alex, jordan)]
            for program, update in sent:
                await program.send(workspace, update)
            (conflict,) = await workspace.conflicts()
            assert conflict.kind == "field"
            assert {one.author for one in conflict.candidates} == {"Alex", "Jordan"}
            assert "cleared" not in conflict.sentence
            for candidate in conflict.candidates:
                with pytest.raises(InvalidOperation):
                    await workspace.resolve(conflict.id, choose=candidate.version)
            await workspace.resolve(conflict.id, value="red")
            assert await workspace.conflicts() == []
            await usable(workspace)

    asyncio.run(check())


def test_edits_sent_before_the_state_they_build_on(tmp_path: Path) -> None:
    """INV-LOSS-1: y-websocket sends live edits before its SyncStep2, and has forgotten overwritten values by then."""

    async def check() -> None:
        async with laptop(tmp_path / "w") as workspace:
            alex = Program("alex", 50)
            await alex.sync(workspace)
            alex.change(cue_42__start="10:30")
            vector = await workspace.state_vector("cues")
            for value in ("10:31", "10:32"):
                receipt = await alex.set(workspace, cue_42__start=value)
                assert receipt is not None
                assert receipt.bundle
            assert await shown(workspace) == "10:00"
            await workspace.ingest(
                "cues", bytes(alex.doc.get_update(vector)), actor=alex.actor, origin=alex.session, live=False
            )
            assert await shown(workspace) == "10:32"
            (field,) = [one for one in (await workspace.history("cue_42"))["fields"] if one["field"] == "start"]
            assert {"10:31", "10:32"} <= {one["value"] for one in field["versions"]}
            await usable(workspace)

    asyncio.run(check())


def test_nonsense_in_the_right_place(tmp_path: Path) -> None:
    async def check() -> None:
        async with laptop(tmp_path / "w") as workspace:
            alex = Program("alex", 50)
            await alex.sync(workspace)
            doc = alex.doc

            def inside() -> bytes:
                before = bytes(doc.get_state())
                doc.get(ROOT, type=Map)["cue_42/start"]["nested"] = "changed"
                return bytes(doc.get_update(before))

            sent = [
                lambda: alex.keys({"cue_42/start": "x" * 200_000, "cue_42/number": "9" * 50_000}),
                lambda: alex.keys({"cue_42/start": {"a": [1, {"b": None}]}, "cue_42": 7, "": 1, "/": 2, "//x": 3}),
                lambda: alex.keys({"cue_42/start/deeper": "x", "cue_42/unknown": 1, "cue_43/start": "10:00"}),
                lambda: alex.keys({"cue_42/start": Map({"nested": "map"}), "cue_42/list": Text("nested text")}),
                lambda: alex.keys({"cue_42/label": Array([1, 2])}),
                inside,
                lambda: alex.keys({"a": 1}, root="nobody.knows"),
                lambda: alex.keys({"a": 1}, root="core.entity"),
                lambda: alex.keys({"a": 1}, root="💥"),
                lambda: alex.keys({"cue_42/from": "cue_42"}, root="edge:cues.follows"),
                lambda: alex.keys({"cue_42/notes": "as a value"}),
                lambda: alex.keys({"cue_42/start": b"\x00\xff", "cue_42/end": 1e300, "cue_42/list": -0.0}),
            ]
            for make in sent:
                await alex.send(workspace, make())
                await workspace.conflicts("all", limit=-1)
                await workspace.entity("cue_42")
            before = bytes(doc.get_state())
            doc.get(f"text:{ROOT}/cue_42/notes", type=Map)["not"] = "a text"
            await alex.send(workspace, bytes(doc.get_update(before)))
            await usable(workspace)
            assert {one.kind for one in await workspace.conflicts()} == {"invalid"}

    asyncio.run(check())


def test_texts_as_roots_of_facets_and_the_other_way_round(tmp_path: Path) -> None:
    async def check() -> None:
        async with laptop(tmp_path / "w") as workspace:
            alex = Program("alex", 50)
            alex.doc.get(ROOT, type=Text).insert(0, "not a map")
            await alex.send(workspace, bytes(alex.doc.get_update()))
            kim = Program("kim", 60)
            kim.doc.get(f"text:{ROOT}/cue_42/notes", type=Array).extend([1, 2, "three"])
            await kim.send(workspace, bytes(kim.doc.get_update()))
            assert await shown(workspace) == "10:00"
            await workspace.commit([SetField(entity="cue_42", facet=ROOT, field="start", value="10:30")])
            await usable(workspace)

    asyncio.run(check())


@pytest.mark.parametrize(
    "schema",
    [
        7, "x", {}, {"plugin": "cues"}, {"plugin": "other"},
        {"plugin": "cues", "facets": {"cue": {"unique": [[]]}}},
        {"plugin": "cues", "facets": {"cue": {"unique": [["nothing"]]}}},
        {"plugin": "cues", "facets": {"cue": {"title": "{", "fields": {"start": {"type": "spaceship"}}}}},
        {"plugin": "cues", "facets": {"cue": {"title": "{number!r:>999999999}{list.__class__}", "fields": {}}}},
        {"plugin": "cues", "facets": {"": {}, "a/b": {}, "x.y": {}}, "edges": {"": {"cardinality": "lots"}}},
        {"plugin": "cues", "facets": {"cue": {"fields": {"start": {"type": "choice", "choices": []}}}}},
    ],
    ids=str,
)  # fmt: skip
def test_schemas_that_nobody_would_adopt(tmp_path: Path, schema: Any) -> None:
    async def check() -> None:
        async with laptop(tmp_path / "w") as workspace:
            alex = Program("alex", 50, document="core")
            await alex.sync(workspace)
            await alex.send(workspace, alex.keys({"cues": schema}, root=layout.ADOPTION_ROOT))
            await workspace.conflicts("all")
            await workspace.entity("cue_42")
            await workspace.history("cue_42")
            assert await workspace.rebuild() == await workspace.state_hash()
            desk = Program("kim", 60)
            if "cues" in workspace.documents:
                await desk.sync(workspace)
                await desk.set(workspace, cue_42__start="11:00", cue_43__start="11:00")
                await workspace.conflicts("all")

    asyncio.run(check())


def test_what_is_refused_changes_nothing(tmp_path: Path) -> None:
    async def check() -> None:
        async with laptop(tmp_path / "w") as workspace:
            alex = Program("alex", 50)
            await alex.sync(workspace)
            good = alex.change(cue_42__start="10:30")
            before = (await workspace.state_hash(), len(await workspace.log()))
            for cut in range(len(good)):
                with pytest.raises(MalformedUpdate):
                    await workspace.ingest("cues", good[:cut], actor=alex.actor)
            with pytest.raises(NotFound):
                await workspace.ingest("nothing", good, actor=alex.actor)
            for place in range(len(good)):
                mutated = good[:place] + bytes([good[place] ^ 0x80]) + good[place + 1 :]
                try:
                    await workspace.ingest("cues", mutated, actor=alex.actor)
                except OpenprodError:
                    continue
            await usable(workspace)
            fresh = Program("kim", 70)
            await fresh.sync(workspace)
            await fresh.set(workspace, cue_42__start="10:59")
            assert await workspace.rebuild() == await workspace.state_hash()
            del before

    asyncio.run(check())


def record(heads: list[str], wrote: list[str], **more: Any) -> dict[str, Any]:
    local = [head.partition(":")[2] for head in heads]
    return {
        "conflict": "c_x", "register": [ROOT, "cue_42/start"], "heads": local, "wrote": wrote, "chosen": None,
        "value": "forged", "by": {"user": "user_sam", "name": "Sam"}, "at": "2026-01-01T00:00:00Z",
        "supersedes": None, **more,
    }  # fmt: skip


def test_forged_decisions_settle_nothing(tmp_path: Path) -> None:
    """INV-DECIDE-1"""

    async def check() -> None:
        async with laptop(tmp_path / "w") as workspace:
            await disagree(workspace, alex="10:30", jordan="10:45")
            (conflict,) = await workspace.conflicts()
            mallory = Program("mallory", 900)
            await mallory.sync(workspace)
            a, b = conflict.heads
            before = conflict.to_json()
            forged: list[Any] = [
                record([a, b], [b.partition(":")[2]]),  # another's value as the decision
                record([a, b], ["900:99"]),  # a value that isn't there
                record([a, b], ["nonsense"]),
                record([a], []) | {"conflict": conflict.id},  # one side "accepted"
                record([], [], supersedes="r_nothing"),
                record(["cues:1:1", "cues:x:y", "cues::"], []),
                {"heads": "not a list"}, {"register": ["too short"]}, [1, 2], "text", 7, None, {},
                {"conflict": 7}, {"register": [ROOT, "cue_99/start"], "heads": ["1:1"], "wrote": ["1:2"]},
            ]  # fmt: skip
            for index, body in enumerate(forged):
                await mallory.send(workspace, mallory.keys({f"r_{index}": body}, root=layout.RESOLUTION_ROOT))
                now = (await workspace.conflict(conflict.id)).to_json()
                for name in ("status", "heads", "candidates"):
                    assert now[name] == before[name], body
            # Others' values, joined by an old value of one's own that they were written over.
            await mallory.set(workspace, cue_42__label="mine")
            kim = Program("kim", 80)
            await kim.sync(workspace)
            receipt = await kim.set(workspace, cue_42__label="Kim's")
            assert receipt is not None
            own = record(["cues:80:0"], ["900:15"], register=[ROOT, "cue_42/label"])
            await mallory.send(workspace, mallory.keys({"r_last": own}, root=layout.RESOLUTION_ROOT))
            assert await shown(workspace, "label") == "Kim's"
            await usable(workspace)

    asyncio.run(check())


def test_a_decision_by_a_program_counts_as_anybody_s(tmp_path: Path) -> None:
    async def check() -> None:
        async with laptop(tmp_path / "w") as workspace:
            await disagree(workspace, alex="10:30", jordan="10:45")
            (conflict,) = await workspace.conflicts()
            kim = Program("kim", 900)
            await kim.sync(workspace)
            await kim.set(workspace, cue_42__start="11:00")
            body = record(list(conflict.heads), ["900:0"]) | {"conflict": conflict.id, "value": "11:00"}
            await kim.send(workspace, kim.keys({"r_kim": body}, root=layout.RESOLUTION_ROOT))
            decided = await workspace.conflict(conflict.id)
            assert decided.status == "resolved"
            assert decided.resolution is not None
            # Whoever the record says it was: its author is who sent it.
            assert (decided.resolution.by, decided.resolution.value) == ("Kim", "11:00")
            await workspace.reopen(conflict.id)
            assert (await workspace.conflict(conflict.id)).status == "open"
            await usable(workspace)

    asyncio.run(check())


def test_tokens(tmp_path: Path) -> None:
    async def check() -> None:
        async with laptop(tmp_path / "w") as workspace:
            made = await workspace.token_create(label="desk", document="cues", role="viewer", name="Desk")
            grant = workspace.token_check(made["token"])
            assert grant is not None
            assert workspace.token_check(made["token"] + "x") is None
            assert workspace.token_check("") is None
            with pytest.raises(NotFound):
                await workspace.token_create(document="nothing")
            with pytest.raises(OpenprodError):
                await workspace.token_create(role="emperor")
            expired = await workspace.token_create(label="old", expires="2001-01-01T00:00:00Z")
            assert workspace.token_check(expired["token"]) is None
            await workspace.token_revoke(made["id"])
            assert workspace.token_check(made["token"]) is None
            with pytest.raises(NotFound):
                await workspace.token_revoke(made["id"])

    asyncio.run(check())
