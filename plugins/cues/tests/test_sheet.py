"""Ordinary cue sheets, tidy and otherwise."""

from pathlib import Path

import pytest

from openprod.plugin_api import InvalidFile, SetField, Snapshot, Source
from openprod.plugin_api.testing import applied
from plugins.cues.jobs.sheet import plan

DATA = Path(__file__).parent / "data"
NOTHING = Snapshot("workspace")

MESSY = """\
Riverside Players – “Née”;;;;;;
LX plot, rev C;;;;;;
;;;;;;
Q;Pg;Line / Visual;;Description;Time (s);Gel
1;1;Preset;x;House café;5;L201
2;;“Où est-elle?”;;Warm;3/5;
;;;;;;
042.10;2A;Vis;;Bump;0;
House out;;;;;;
3;3;exit;;Fade;soon;
"""


def cues(snapshot: Snapshot) -> dict[tuple[str, str], dict[str, object]]:
    return {(str(f["list"]), str(f["number"])): dict(f) for f in snapshot.entities("cues.cue").values()}


def read(text: str | bytes, name: str = "sheet.csv", before: Snapshot = NOTHING) -> tuple[Snapshot, dict[str, str]]:
    source = Source(text.encode() if isinstance(text, str) else text, name)
    proposal = plan(source, before)
    return applied(before, proposal.operations), {item.where: item.why for item in proposal.skipped}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252", "mac_roman"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_a_messy_sheet_reads_the_same_however_it_was_saved(encoding: str, line_end: str) -> None:
    after, said = read(MESSY.replace("\n", line_end).encode(encoding))
    assert cues(after) == {
        ("LX", "1"): {"list": "LX", "number": "1", "page": "1", "line": "Preset", "label": "House café", "up": 5},
        ("LX", "2"): {"list": "LX", "number": "2", "line": "“Où est-elle?”", "label": "Warm", "up": 3, "down": 5},
        ("LX", "042.10"): {"list": "LX", "number": "042.10", "page": "2A", "line": "Vis", "label": "Bump", "up": 0},
        ("LX", "3"): {"list": "LX", "number": "3", "page": "3", "line": "exit", "label": "Fade"},
    }
    assert said == {
        "row 1": "Stands above the header: “Riverside Players – “Née””.",
        "row 2": "Stands above the header: “LX plot, rev C”.",
        "column D": "It has no header (row 5: x).",
        "column Gel": "This header isn't known here; filled in 1 row.",
        "empty rows": "1 row below the header.",
        "row 9": "“House out” isn't a cue number.",
        "row 10, column Time (s)": "“soon” isn't a time such as 3, 2.5 or 1:30.",
    }


def test_one_moment_a_row_gives_cues_of_every_department() -> None:
    path = DATA / "janslow_sample_cues.csv"
    proposal = plan(Source(path.read_bytes(), path.name), NOTHING)
    found = cues(applied(NOTHING, proposal.operations))
    assert set(found) == {
        ("QLab", "1"), ("QLab", "6"), ("QLab", "7"), ("QLab", "3"), ("LX", "1"), ("LX", "2"), ("LX3", "1"),
        ("LX4", "2"), ("SND", "2"), ("SND", "3"), ("VID", "1"), ("VID", "2"),
    }  # fmt: skip
    assert found["SND", "3"]["delay"] == 8
    assert found["LX4", "2"]["delay"] == 1.2
    assert found["QLab", "7"] == {"list": "QLab", "number": "7", "page": "1", "comment": "Empty"}
    assert proposal.mapping["Sound"] == "cues of SND"
    assert proposal.skipped == ()


def test_a_wide_cell_that_makes_no_sense_is_said() -> None:
    after, said = read("Page,LX,Sound\n1,4/x9,go\n2,,\n3,5,\n")
    assert set(cues(after)) == {("LX", "4"), ("LX", "5")}
    assert said["row 2, column LX"] == "“x9” of “4/x9” is neither a delay (d8) nor a list (L3)."
    assert said["row 2, column Sound"] == "“go” isn't a cue number."
    assert said["row 3"] == "No cue number in any column: “2”."


def test_importing_twice_proposes_nothing_and_a_change_proposes_the_field() -> None:
    after, _ = read(MESSY)
    assert plan(Source(MESSY.encode(), "renamed.csv"), after).changes_nothing
    (operation,) = plan(Source(MESSY.replace("Bump", "Snap").encode(), "sheet.csv"), after).operations
    assert (operation.field, operation.value) == ("label", "Snap")  # type: ignore[union-attr]


def test_an_empty_cell_clears_nothing() -> None:
    after, _ = read(MESSY)
    assert plan(Source(MESSY.replace("House café", "").encode(), "sheet.csv"), after).changes_nothing


def test_a_cue_made_by_hand_is_found_by_list_and_number() -> None:
    before = Snapshot("workspace", {"cues.cue": {"cue_by_hand": {"list": "LX", "number": "42", "label": "Old"}}})
    after, said = read("Q,Label,List\n42,New,LX\n", before=before)
    assert dict(after.entities("cues.cue")) == {"cue_by_hand": {"list": "LX", "number": "42", "label": "New"}}
    assert said == {}


def test_a_duplicate_is_left_to_people() -> None:
    twins = {name: {"list": "LX", "number": "42"} for name in ("cue_a", "cue_b")}
    after, said = read("Q,Label,List\n42,New,LX\n", before=Snapshot("workspace", {"cues.cue": twins}))
    assert dict(after.entities("cues.cue")) == twins
    assert "settle that duplicate first" in said["row 2"]


def test_lists_come_from_a_column_a_prefix_or_the_name() -> None:
    assert set(cues(read("Q,Label\nLX 1,a\nSQ2,b\n3,c\n", "hamlet video.csv")[0])) == {
        ("LX", "1"), ("SND", "2"), ("VID", "3"),
    }  # fmt: skip
    assert set(cues(read("Dept,Cue #,Label\nLighting,1,a\nAutomation,2,b\nWigs,3,c\n")[0])) == {
        ("LX", "1"), ("AUTO", "2"), ("Wigs", "3"),
    }  # fmt: skip
    assert set(cues(read("Q,Label\n1,a\n", "hamlet.csv")[0])) == {("Q", "1")}


def test_choices_times_of_day_and_colours_are_checked() -> None:
    after, said = read(
        "List,Q,Start,Status,Place,Highlight,Follow\n"
        "LX,1,7:30 pm,SET,Vis,#FFcc00,F3\n"
        "LX,2,later,finished,somewhere,red,yes\n"
    )
    assert cues(after)["LX", "1"] == {
        "list": "LX", "number": "1", "start": "19:30", "status": "set", "place": "visual", "colour": "#ffcc00",
        "follow": 3,
    }  # fmt: skip
    assert cues(after)["LX", "2"] == {"list": "LX", "number": "2"}
    assert len([where for where in said if where.startswith("row 3, column")]) == 5


def test_parts_are_parts_of_their_cue() -> None:
    after, said = read("List,Q,Part,Label,Up,Page\nLX,5,,Whole,3,12\nLX,5,1,Cyc,9,12\n")
    assert set(cues(after)) == {("LX", "5")}
    assert [dict(part) for part in after.entities("cues.part").values()] == [
        {"list": "LX", "number": "5", "part": "1", "label": "Cyc", "up": 9}
    ]
    assert said == {"row 3, column Page": "Belongs to the whole cue, not to a part."}


def test_parts_may_stand_in_the_number_and_in_words() -> None:
    after, said = read(
        "List,Q,Part,Label\nLX,5,,Whole\nLX,5 P2,,Cyc\nLX,5,Part 10,Sky\nLX,5,a,Odd\nLX,6 part 1,2,Two\n"
    )
    assert set(cues(after)) == {("LX", "5")}
    parts = {part["part"]: part["label"] for part in after.entities("cues.part").values()}
    assert parts == {"2": "Cyc", "10": "Sky"}
    assert said == {
        "row 5, column Part": "“a” isn't the number of a part.",
        "row 6, column Part": "“2” isn't the number of a part.",
    }
    wide, _said = read('Page,LX,Sound\n1,"7, 7 P2/d3",1\n')
    assert set(cues(wide)) == {("LX", "7"), ("SND", "1")}
    assert [dict(part) for part in wide.entities("cues.part").values()] == [
        {"list": "LX", "number": "7", "part": "2", "delay": 3}
    ]


def test_follows_and_hangs_are_told_apart_by_their_letter() -> None:
    after, _said = read("List,Q,Follow,Link\nLX,1,F3,\nLX,2,H4.5,\nLX,3,2,9\n")
    found = cues(after)
    assert [(found["LX", q].get("follow"), found["LX", q].get("hang")) for q in "123"] == [
        (3, None),
        (None, 4.5),
        (2, None),
    ]
    assert found["LX", "3"]["link"] == "9"


def test_each_department_gets_a_list_of_its_own_once() -> None:
    text = "Dept,Cue #,Label\nLighting,1,a\nSound,1,b\nWigs,1,c\n"
    after, _said = read(text)
    assert list(after.entities("cues.list").values()) == [
        {"name": "LX", "department": "Lighting"}, {"name": "SND", "department": "Sound"},
    ]  # fmt: skip
    assert plan(Source(text.encode(), "sheet.csv"), after).changes_nothing
    bare = Snapshot("workspace", {"cues.list": {"mine": {"name": "LX", "label": "Main"}}})
    filled, _said = read("Q,Label\nLX 2,x\n", before=bare)
    assert dict(filled.entities("cues.list")) == {"mine": {"name": "LX", "label": "Main", "department": "Lighting"}}
    # What a person wrote into it stays.
    named = Snapshot("workspace", {"cues.list": {"mine": {"name": "LX", "department": "Electrics"}}})
    again, _said = read("Q,Label\nLX 2,x\n", before=named)
    assert dict(again.entities("cues.list")) == {"mine": {"name": "LX", "department": "Electrics"}}


@pytest.mark.parametrize(
    "data", [b"", b"nothing here", b"CH,INPUT,SUB-BOX\n1,KICK,2\n", b"PK\x03\x04rest", b"\x00\x01\x02", b'a,"b\nc']
)
def test_what_is_no_cue_sheet_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidFile) as refused:
        plan(Source(data, "x.csv"), NOTHING)
    assert refused.value.hint


@pytest.mark.parametrize("number", ["2", "3"])
def test_a_cue_that_got_another_number_here_keeps_it(number: str) -> None:
    """INV-IMPORT-1: the file may have a row for both numbers."""
    one = applied(NOTHING, plan(Source(b"List,Cue,Label\nLX,1,Dawn\n", "one.csv"), NOTHING).operations)
    (cue,) = one.entities("cues.cue")
    here = applied(one, [SetField(entity=cue, facet="cues.cue", field="number", value=number)])
    both = Source(b"List,Cue,Label\nLX,1,Dawn\nLX,2,Noon\n", "both.csv")
    proposal = plan(both, here)
    after = applied(here, proposal.operations)
    assert after.entities("cues.cue")[cue]["number"] == number
    assert {fields["number"] for fields in after.entities("cues.cue").values()} == {"2", number}
    assert f"is called LX {number} here now" in proposal.skipped[0].why
    assert plan(both, after).changes_nothing


def test_points_written_as_commas_and_the_header_of_each_page() -> None:
    text = "Q;Label;Up\n2,5;Dawn;0,5\nQ;Label;Up\n10,25;Dusk;3\n"
    proposal = plan(Source(text.encode(), "LX.csv"), NOTHING)
    cues = applied(NOTHING, proposal.operations).entities("cues.cue").values()
    assert [(one["number"], one["up"]) for one in cues] == [("2.5", 0.5), ("10.25", 3)]
    assert [(one.where, one.why) for one in proposal.skipped] == [("row 3", "The header once more.")]
