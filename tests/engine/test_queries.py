"""Queries on real workspaces: what concepts and merges mean for them, and how things stood."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from openprod.core.concepts import ConceptField
from openprod.core.operations import (
    AddEdge,
    AssertSame,
    AttachFacet,
    BindFacet,
    CreateEntity,
    DefineConcept,
    DeleteEntity,
    DetachFacet,
    EditText,
    MergeEntities,
    SetField,
    SplitEntity,
)
from openprod.core.queries import parse
from openprod.core.schema import Edge, Facet, Field, Schema
from openprod.engine import queries_limits
from openprod.engine.queries import KnownNames, Preparing
from openprod.engine.schemas import Schemas
from openprod.engine.workspace import Workspace
from openprod.errors import Denied, InputError

pytestmark = pytest.mark.anyio

LISTED = Schema(
    plugin="listed",
    facets={"card": Facet(title="{name}", fields={"name": Field(), "mail": Field(), "notes": Field(type="text")})},
)
PLANNED = Schema(
    plugin="planned",
    facets={
        "guest": Facet(title="{shown}", fields={"shown": Field(), "seat": Field(type="integer")}),
        "day": Facet(fields={"on": Field(type="date"), "host": Field(type="reference")}),
    },
    edges={
        "comes": Edge(
            source="guest", target="day", properties={"late": Field(type="boolean"), "with": Field(type="reference")}
        )
    },
)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Workspace]:
    monkeypatch.setenv("OPENPROD_HOME", str(tmp_path / "home"))
    await Workspace.create(tmp_path / "w", name="Show", schemas=[LISTED, PLANNED])
    async with Workspace.open(tmp_path / "w") as opened:
        await opened.commit(
            [
                CreateEntity(entity="c1", facets={"listed.card": {"name": "Alex", "mail": "a@x"}}),
                CreateEntity(entity="c2", facets={"listed.card": {"name": "Jo"}}),
                CreateEntity(entity="g1", facets={"planned.guest": {"shown": "Alex B.", "seat": 7}}),
                CreateEntity(entity="g2", facets={"planned.guest": {"shown": "Sam", "seat": 12}}),
                CreateEntity(entity="d1", facets={"planned.day": {"on": "2026-11-20"}}),
                CreateEntity(entity="d2", facets={"planned.day": {"on": "2026-11-21"}}),
                AddEdge(edge="planned.comes", id="x1", source="g1", target="d1", properties={"late": True}),
                AddEdge(edge="planned.comes", id="x2", source="g2", target="d2"),
            ]
        )
        await opened.commit(
            [
                DefineConcept(concept="Person", fields={"name": ConceptField(), "mail": ConceptField()}),
                BindFacet(facet="listed.card", concept="Person", fields={"name": "name", "mail": "mail"}),
                BindFacet(facet="planned.guest", concept="Person", fields={"name": "shown"}),
            ]
        )
        yield opened


async def rows(workspace: Workspace, text: str, **options: Any) -> list[list[Any]]:
    found: list[list[Any]] = (await workspace.query(parse(text), **options))["rows"]
    return found


async def test_a_person_in_two_places_is_listed_once(workspace: Workspace) -> None:
    before = await rows(workspace, "Person sort name select name, mail")
    assert [row[1:] for row in before] == [["Alex", "a@x"], ["Alex B.", None], ["Jo", None], ["Sam", None]]
    await workspace.commit([AssertSame(concept="Person", entities=["c1", "g1"])])
    after = await rows(workspace, "Person sort name select name, mail")
    assert len(after) == 3
    person = next(row[0] for row in after if str(row[1]).startswith("Alex"))
    assert person not in ("c1", "g1")
    # Names that differ are a conflict of the person, and of what is bound to it.
    assert [row[0] for row in await rows(workspace, "Person where conflicted (name)")] == [person]
    assert [row[0] for row in await rows(workspace, "listed.card where conflicted (name)")] == ["c1"]
    assert await rows(workspace, "listed.card where conflicted (mail)") == []


async def test_what_a_person_comes_to_follows_every_part_of_them(workspace: Workspace) -> None:
    await workspace.commit([AssertSame(concept="Person", entities=["c1", "g1"])])
    asked = "Person where mail = a@x -> planned.comes where late = true -> planned.day select on"
    assert await rows(workspace, asked) == [["d1", "2026-11-20"]]
    back = await rows(workspace, "planned.day where entity = d1 <- planned.comes <- Person select mail")
    assert [row[1] for row in back] == ["a@x"]
    with_edge = await rows(workspace, "Person where has -> planned.comes sort name select name")
    assert len(with_edge) == 2


async def test_what_was_merged_shows_as_the_other_until_it_is_split(workspace: Workspace) -> None:
    merged = await workspace.commit([MergeEntities(survivor="g1", absorbed="g2")])
    assert [row[0] for row in await rows(workspace, "planned.guest")] == ["g1"]
    days = await rows(workspace, "planned.guest where entity = g1 -> planned.comes -> planned.day")
    assert [row[0] for row in days] == ["d1", "d2"]
    await workspace.commit([SplitEntity(entity="g2")])
    assert [row[0] for row in await rows(workspace, "planned.guest")] == ["g1", "g2"]
    assert [row[0] for row in await rows(workspace, f"planned.guest as of {merged.bundle}")] == ["g1"]
    then = await rows(workspace, f"planned.guest -> planned.comes -> planned.day as of {merged.bundle}")
    assert [row[0] for row in then] == ["d1", "d2"]


async def test_what_was_merged_keeps_no_facet_that_was_taken_off(workspace: Workspace) -> None:
    await workspace.commit([AttachFacet(entity="c1", facet="planned.guest", fields={"shown": "Alex C."})])
    values = {"listed.card": {"name": "Alex"}}
    await workspace.commit([MergeEntities(survivor="c1", absorbed="c2", values=values)])
    await workspace.commit([DetachFacet(entity="c1", facet="listed.card")])
    assert await rows(workspace, "listed.card") == []
    assert ["c1", "Alex C.", None] in await rows(workspace, "Person select name, mail")
    assert list((await workspace.entity("c1"))["facets"]) == ["planned.guest"]
    await workspace.undo()
    assert await rows(workspace, "listed.card select name, mail") == [["c1", "Alex", "a@x"]]


async def test_a_text_is_read_as_of_before_the_merge_as_of_its_own_entity(workspace: Workspace) -> None:
    first = await workspace.commit([EditText(entity="c2", facet="listed.card", field="notes", index=0, insert="haze")])
    merged = await workspace.commit([MergeEntities(survivor="c1", absorbed="c2")])
    for moment, found in ((first, [["c1", ""], ["c2", "haze"]]), (merged, [["c1", "haze"]])):
        assert await rows(workspace, f"listed.card select notes as of {moment.bundle}") == found
        filled = await rows(workspace, f"listed.card where not notes is null select notes as of {moment.bundle}")
        assert filled == found[-1:]


async def test_a_reference_to_what_was_merged_is_one_to_the_other(workspace: Workspace) -> None:
    """Asked for by either id, until it is split; and as of then."""
    await workspace.commit(
        [
            SetField(entity="d1", facet="planned.day", field="host", value="g1"),
            SetField(entity="d2", facet="planned.day", field="host", value="g2"),
            CreateEntity(entity="g3", facets={"planned.guest": {"shown": "Kim"}}),
            AddEdge(edge="planned.comes", id="e3", source="g3", target="d2", properties={"with": "g2"}),
        ]
    )
    edge = "planned.day where has <- planned.comes where (with = g1)"
    other = "planned.day where host != g1"
    watch = workspace.watch(parse("planned.day where host = g1"))
    answer = await watch.news()
    assert answer is not None
    assert [row[0] for row in answer["rows"]] == ["d1"]
    merged = await workspace.commit([MergeEntities(survivor="g1", absorbed="g2")])
    for asked in ("host = g1", "host = g2", "host in (g2, nobody)", "not host != g1"):
        assert [row[0] for row in await rows(workspace, f"planned.day where {asked}")] == ["d1", "d2"], asked
    assert "d2" not in [row[0] for row in await rows(workspace, other)]
    assert [row[0] for row in await rows(workspace, edge)] == ["d2"]
    answer = await watch.news()
    assert answer is not None
    assert [row[0] for row in answer["rows"]] == ["d1", "d2"]
    await workspace.commit([SplitEntity(entity="g2")])
    assert [row[0] for row in await rows(workspace, "planned.day where host = g1")] == ["d1"]
    assert "d2" in [row[0] for row in await rows(workspace, other)]
    assert await rows(workspace, edge) == []
    answer = await watch.news()
    assert answer is not None
    assert [row[0] for row in answer["rows"]] == ["d1"]
    watch.close()
    then = await rows(workspace, f"planned.day where host = g2 as of {merged.bundle}")
    assert [row[0] for row in then] == ["d1", "d2"]


async def test_the_past_holds_values_texts_and_who_was_the_same(workspace: Workspace) -> None:
    first = await workspace.commit([EditText(entity="c1", facet="listed.card", field="notes", index=0, insert="old")])
    await workspace.commit([AssertSame(concept="Person", entities=["c1", "g1"])])
    await workspace.commit(
        [
            SetField(entity="c2", facet="listed.card", field="name", value="Joan"),
            EditText(entity="c1", facet="listed.card", field="notes", index=0, insert="very "),
            DeleteEntity(entity="g2"),
            CreateEntity(entity="c3", facets={"listed.card": {"name": "New"}}),
        ]
    )
    now = await rows(workspace, "listed.card where entity != c1 select name, notes sort name")
    assert now == [["c2", "Joan", ""], ["c3", "New", ""]]
    then = f"as of {first.bundle}"
    assert len(await rows(workspace, f"Person {then}")) == 4
    assert await rows(workspace, f"listed.card where name = Jo select name {then}") == [["c2", "Jo"]]
    assert await rows(workspace, f"planned.guest where seat > 9 select seat {then}") == [["g2", 12]]
    for asked, found in (("select notes", "old"), ("where matching old select notes", "old")):
        assert ["c1", found] in await rows(workspace, f"listed.card {asked} {then}")
    assert await rows(workspace, "listed.card where matching “VERY old” select notes") == [["c1", "very old"]]
    assert await rows(workspace, f"listed.card where matching very {then}") == []
    assert (await workspace.query(parse("Person as of now")))["as_of"].endswith("Z")
    assert await rows(workspace, "listed.card as of 2001-01-01") == []
    with pytest.raises(InputError, match="can't be asked"):
        await rows(workspace, f"listed.card where conflicted {then}")


async def test_the_past_of_every_bundle_is_what_was_answered_then(workspace: Workspace) -> None:
    asked = ("listed.card sort name", "Person sort name", "planned.guest -> planned.comes -> planned.day")
    known = []
    for operation in (
        SetField(entity="c2", facet="listed.card", field="name", value="Joan"),
        AssertSame(concept="Person", entities=["c2", "g2"]),
        MergeEntities(survivor="c1", absorbed="c2"),
        DeleteEntity(entity="d1"),
        CreateEntity(entity="c4", facets={"listed.card": {"name": "Z"}}),
    ):
        receipt = await workspace.commit([operation])
        known.append((receipt.bundle, [await rows(workspace, text) for text in asked]))
    for bundle, answers in known:
        assert [await rows(workspace, f"{text} as of {bundle}") for text in asked] == answers


async def test_names_of_other_documents_are_refused_whether_they_are_there_or_not(workspace: Workspace) -> None:
    said = set()
    for text in ("planned.guest", "planned.nothing", "Person", "Nobody", "listed.card where has -> planned.comes"):
        with pytest.raises(Denied) as refused:
            await rows(workspace, text, allowed=["listed"])
        said.add(refused.value.sentence)
    assert len(said) == 1
    assert len(await rows(workspace, "listed.card", allowed=["listed"])) == 2


@pytest.mark.parametrize(
    ("text", "column", "hint"),
    [
        ("listed.crad", 1, "listed.card"), ("person", 1, "Person"), ("listed.card where nmae = x", 19, "name"),
        ("planned.guest -> planned.come", 18, "planned.comes"),
        ("planned.guest -> planned.day", 18, "plugin.edge"), ("listed.card select x", 20, "Its fields"),
        ("planned.guest -> planned.comes where lat = 1", 38, "late"),
        ("listed.card select name, count()", 20, "group by"),
        ("listed.card select count() sort name", 33, "made of"),
        ("listed.card where has -> planned.comes where (matching x)", 26, "where property"),
    ],
)  # fmt: skip
async def test_errors_point_at_names(workspace: Workspace, text: str, column: int, hint: str) -> None:
    with pytest.raises(InputError) as refused:
        await rows(workspace, text)
    assert refused.value.details["column"] == column
    assert hint in refused.value.hint


async def test_what_was_dropped_is_said_to_be(workspace: Workspace) -> None:
    """INV-DROP-1: its names are known, and how to see it again."""
    await workspace.drop("planned")
    for text in ("planned.guest", "listed.card -> planned.comes -> listed.card"):
        with pytest.raises(InputError, match="dropped") as refused:
            await rows(workspace, text)
        assert "adopt" in refused.value.hint


async def test_a_query_asked_again_means_what_its_names_mean_now(workspace: Workspace) -> None:
    """What was made of a query is kept, until a definition, a binding or a schema is another one."""
    text = "Person where name = Sam"
    assert await rows(workspace, text) == await rows(workspace, text) == [["g2", "Sam", None]]
    await workspace.commit([BindFacet(facet="planned.guest", concept="Person", fields={"mail": "shown"})])
    assert await rows(workspace, text) == []
    await workspace.commit([BindFacet(facet="planned.guest", concept="Person", fields={"name": "shown"})])
    assert await rows(workspace, text) == [["g2", "Sam", None]]
    assert [row[0] for row in await rows(workspace, "planned.guest sort seat")] == ["g1", "g2"]
    await workspace.drop("planned")
    with pytest.raises(InputError, match="dropped"):
        await rows(workspace, "planned.guest sort seat")


def test_what_was_made_of_a_query_is_kept_for_those_who_may_see_it() -> None:
    preparing, names = Preparing(), KnownNames(Schemas({"listed": LISTED, "planned": PLANNED}))
    text = "planned.guest sort seat"
    kept = preparing(parse(text), names)
    assert preparing(parse(text), names) is kept
    assert preparing(parse(text), KnownNames(Schemas({"listed": LISTED, "planned": PLANNED}))) is kept
    with pytest.raises(Denied):
        preparing(parse(text), names, allowed=["listed"])
    with pytest.raises(InputError):
        preparing(parse(text), KnownNames(Schemas({"listed": LISTED})))
    assert preparing(parse(text), names) is not kept
    many = [preparing(parse(f"planned.guest limit {number + 1}"), names) for number in range(300)]
    assert preparing(parse("planned.guest limit 300"), names) is many[-1]
    assert preparing(parse("planned.guest limit 1"), names) is not many[0], "there is a bound"


async def test_what_asks_too_much_is_told_so(workspace: Workspace) -> None:
    """Not that the file can't be used: SQLite has limits of its own."""
    many = {"$or": [{"name": str(number)} for number in range(3000)]}
    for where, about in (
        (many, "conditions"), ({"$not": many}, "conditions"), ({"name": {"in": list(range(10_000))}}, "values"),
        ({"$matching": "x" * 60_000}, "look for"), ({"$matching": " ".join(map(str, range(300)))}, "look for"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=about) as refused:
            await workspace.query({"facet": "listed.card", "where": where})
        assert "At most" in refused.value.hint or "at most" in refused.value.hint
    most = {"$or": many["$or"][: queries_limits.CONDITIONS_MAX - 1]}
    assert (await workspace.query({"facet": "listed.card", "where": most}))["rows"] == []
    words = " ".join(map(str, range(queries_limits.WORDS_MAX)))
    for source in ({"facet": "listed.card"}, {"concept": "Person"}):
        assert (await workspace.query({**source, "where": {"$matching": words}}))["rows"] == []
