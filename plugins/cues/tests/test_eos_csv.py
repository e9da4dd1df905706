"""Cue lists as an Eos console exports them."""

from pathlib import Path

import pytest

from openprod.plugin_api import InvalidFile, Snapshot, Source
from openprod.plugin_api.testing import applied
from plugins.cues.jobs.eos_csv import plan

DATA = Path(__file__).parent / "data" / "reference-eos.csv"
NOTHING = Snapshot("workspace")


def reference() -> Source:
    return Source(DATA.read_bytes(), DATA.name)


def cues(snapshot: Snapshot, facet: str = "cues.cue") -> dict[str, dict[str, object]]:
    return {str(fields["number"]): dict(fields) for fields in snapshot.entities(facet).values()}


def test_the_reference_export_gives_its_cues_and_its_part() -> None:
    proposal = plan(reference(), NOTHING)
    after = applied(NOTHING, proposal.operations)
    assert cues(after) == {
        "1": {"list": "1", "number": "1", "label": "Blackout", "up": 1, "scene": "Prolog"},
        "2": {"list": "1", "number": "2", "label": "Auftritt", "up": 1, "follow": 3},
        "3": {"list": "1", "number": "3", "label": "Auto-Follow-Ziel", "up": 1},
        "4": {"list": "1", "number": "4", "label": "Nächster manueller Cue", "up": 1, "scene": "Szene 1"},
    }
    assert cues(after, "cues.part") == {"4": {"list": "1", "number": "4", "part": "1", "label": "Part 1", "up": 1}}
    (edge,) = after.edges("cues.part_of").values()
    assert after.entities("cues.cue")[edge.target]["number"] == "4"


def test_columns_that_are_not_kept_are_said_with_their_rows() -> None:
    skipped = {item.where: item.why for item in plan(reference(), NOTHING).skipped}
    assert set(skipped) == {"column TARGET_DCID", "column DURATION"}
    assert "row 3: DCID-1" in skipped["column TARGET_DCID"]


def test_the_mapping_names_only_columns_that_filled_something() -> None:
    mapping = plan(reference(), NOTHING).mapping
    assert mapping["TIME_DATA"] == "up"
    assert mapping["SCENE_TEXT"] == "scene"
    assert "DOWN_TIME" not in mapping


def test_importing_twice_proposes_nothing() -> None:
    after = applied(NOTHING, plan(reference(), NOTHING).operations)
    again = plan(reference(), after)
    assert again.changes_nothing
    assert again.counts == {"rows": 5, "created": 0, "changed": 0, "unchanged": 5, "skipped": 2}


def test_two_laptops_apart_make_the_same_entities() -> None:
    assert plan(reference(), NOTHING) == plan(Source(DATA.read_bytes(), "other name.csv"), Snapshot("workspace"))
    other = plan(reference(), Snapshot("another workspace"))
    assert other.operations != plan(reference(), NOTHING).operations


def test_a_changed_row_proposes_only_the_changed_field() -> None:
    after = applied(NOTHING, plan(reference(), NOTHING).operations)
    changed = Source(DATA.read_bytes().replace(b"Auftritt,1,", b"Auftritt,2.5,"), DATA.name)
    (operation,) = plan(changed, after).operations
    assert (operation.field, operation.value) == ("up", 2.5)  # type: ignore[union-attr]


HEADER = "TARGET_TYPE,TARGET_TYPE_AS_TEXT,TARGET_LIST_NUMBER,TARGET_ID,PART_NUMBER,LABEL,FOLLOW,UP_DELAY"


def export(*rows: str, header: str = HEADER) -> Source:
    return Source("\r\n".join(["START_TARGETS", header, *rows, "END_TARGETS"]).encode(), "export.csv")


def test_lists_hangs_events_and_broken_rows() -> None:
    proposal = plan(
        export(
            "15,Cue_List,,2,,Spots,,",
            "1,Cue,2,10.5,,Chase,H4.5,slow",
            "1,Cue,2,11,,Odd,Z9,",
            "1,Cue,2,,,No number,,",
            "1,Cue,2,10.5,,Again,,",
            "28,Event,1,3,,House lights,,",
        ),
        NOTHING,
    )
    after = applied(NOTHING, proposal.operations)
    assert cues(after)["10.5"] == {"list": "2", "number": "10.5", "label": "Chase", "hang": 4.5}
    assert list(after.entities("cues.list").values()) == [{"name": "2", "label": "Spots"}]
    said = {item.where: item.why for item in proposal.skipped}
    assert said["row 4, column UP_DELAY"] == "“slow” isn't a time in seconds."
    assert "Z9" in said["row 5, column FOLLOW"]
    assert said["row 6"] == "“” isn't a cue number."
    assert said["row 7"] == "2 10.5 is already on row 4; the first is taken."
    assert said["row 8"] == "Event 3 House lights is neither a cue nor a cue list."


def test_a_part_may_come_before_its_cue_or_without_one() -> None:
    early = applied(NOTHING, plan(export("1,Cue,1,4,1,P,,", "1,Cue,1,4,,Whole,,"), NOTHING).operations)
    assert [fields["label"] for fields in early.entities("cues.cue").values()] == ["Whole"]
    lone = applied(NOTHING, plan(export("1,Cue,1,4,1,P,,"), NOTHING).operations)
    assert list(lone.entities("cues.cue").values()) == [{"list": "1", "number": "4"}]
    assert len(lone.edges("cues.part_of")) == 1
    assert plan(export("1,Cue,1,4,1,P,,"), lone).changes_nothing


PARTS = "TARGET_TYPE,TARGET_LIST_NUMBER,TARGET_ID,PART_NUMBER,LABEL,TIME_DATA,DOWN_TIME,BLOCK,ASSERT,FOLLOW,LINK"


def test_parts_bring_their_own_times_blocks_and_asserts_and_the_rest_stays_with_the_cue() -> None:
    proposal = plan(
        export(
            "1,1,42,,Storm,5,,B,,H2,50", "1,1,42,1,Cyc,5,7,,A,,", "1,1,42,2,Specials,3,,B,,F1,",
            "1,1,42.5,,After,1,,,,,", "1,1,42.10,,Later,1,,,,,", header=PARTS,
        ),
        NOTHING,
    )  # fmt: skip
    after = applied(NOTHING, proposal.operations)
    assert cues(after)["42"] == {
        "list": "1", "number": "42", "label": "Storm", "up": 5, "block": "B", "hang": 2, "link": "50",
    }  # fmt: skip
    assert set(cues(after)) == {"42", "42.5", "42.10"}
    assert sorted(map(dict, after.entities("cues.part").values()), key=lambda part: part["part"]) == [
        {"list": "1", "number": "42", "part": "1", "label": "Cyc", "up": 5, "down": 7, "assert": "A"},
        {"list": "1", "number": "42", "part": "2", "label": "Specials", "up": 3, "block": "B"},
    ]
    targets = {after.entities("cues.cue")[edge.target]["number"] for edge in after.edges("cues.part_of").values()}
    assert targets == {"42"}
    assert {item.where for item in proposal.skipped} == {"row 5, column FOLLOW"}


def test_other_sections_are_said() -> None:
    text = export("1,Cue,1,1,,A,,").text + "\r\nSTART_LEVELS\r\nCHANNEL,LEVEL\r\n1,50\r\n2,60\r\nEND_LEVELS\r\n"
    skipped = {item.where: item.why for item in plan(Source(text.encode(), "x.csv"), NOTHING).skipped}
    assert skipped["section LEVELS"] == "2 rows, no part of a cue sheet."


@pytest.mark.parametrize("data", [b"", b"Cue,Label\r\n1,x\r\n", b"START_TARGETS\r\nEND_TARGETS\r\n"])
def test_another_file_is_refused_with_advice(data: bytes) -> None:
    with pytest.raises(InvalidFile) as refused:
        plan(Source(data, "other.csv"), NOTHING)
    assert "Export" in refused.value.hint


def test_missing_columns_are_named() -> None:
    with pytest.raises(InvalidFile, match="no column TARGET_ID"):
        plan(export("1", header="TARGET_TYPE,LABEL"), NOTHING)
