"""What plugins may import: decoding, tables, differences, ids."""

import pytest

from openprod.core.operations import AddEdge, CreateEntity, SetEdgeProperty, SetField
from openprod.errors import InvalidFile, LimitExceeded
from openprod.plugin_api import Changes, EdgeView, Snapshot, Source, entity_id, table

UMLAUTS = "Kürzere Pause – “später”, 5° kälter"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252", "mac_roman"])
def test_text_is_read_in_the_encoding_it_was_saved_in(encoding: str) -> None:
    source = Source(UMLAUTS.encode(encoding), "x.csv")
    assert source.text.removeprefix("\ufeff") == UMLAUTS
    assert source.encoding == encoding


@pytest.mark.parametrize("data", [b"PK\x03\x04...", b"\xd0\xcf\x11\xe0...", b"%PDF-1.7", b"a\0b"])
def test_what_is_not_text_is_refused_with_advice(data: bytes) -> None:
    with pytest.raises(InvalidFile) as refused:
        _ = Source(data, "plot.xlsx").text
    assert "“plot.xlsx”" in refused.value.sentence
    assert "CSV" in refused.value.hint or "Import" in refused.value.hint


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_delimiters_and_line_ends_are_found(delimiter: str, line_end: str) -> None:
    rows = [["Q", "Label", "Note"], ["1", "a, b; c", 'say "x"'], ["", "", ""], ["42.10", "two\nlines", ""]]
    text = line_end.join(
        delimiter.join('"' + cell.replace('"', '""') + '"' if cell else "" for cell in row) for row in rows
    )
    found = table.read_table(text)
    assert [list(row.cells) for row in found.rows] == rows
    assert [row.number for row in found.rows] == [1, 2, 3, 4]
    assert found.delimiter == delimiter
    assert found.rows[2].empty
    assert found.rows[3].cell(7) == ""


@pytest.mark.parametrize(
    ("text", "line"),
    [('Q,Label\n1,"open\n2,x\n3,y\n', 2), ('Q,Label\n1,a\n2,"open', 3), ('Q,Label\n1,"a\nb"\n2,"', 4)],
)
def test_a_quotation_mark_that_is_never_closed_swallows_no_rows(text: str, line: int) -> None:
    with pytest.raises(InvalidFile, match=f"near line {line} "):
        table.read_table(text)


@pytest.mark.parametrize("label", ['"two\nlines"', '5" lens', '"said ""go"""', '"a"b', '""'])
def test_other_quotation_marks_are_taken_as_spreadsheets_write_them(label: str) -> None:
    for end in ("", "\n", "\r\n", "\r"):
        assert len(table.read_table(f"Q,Label\n1,{label}{end}").rows) == 2


def test_a_spreadsheets_own_word_on_the_delimiter_counts() -> None:
    found = table.read_table("sep=|\na|b,c,d,e\n")
    assert found.rows[1].cells == ("a", "b,c,d,e")


def test_too_many_rows_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "ROWS_MAX", 3)
    with pytest.raises(LimitExceeded):
        table.read_table("a,b\n" * 4)


def test_ids_are_the_same_everywhere_and_apart_for_each_key() -> None:
    assert entity_id("cue", "w", "cues.cue", "LX/42") == entity_id("cue", "w", "cues.cue", "LX/42")
    keys = [("w", "s", "1"), ("w2", "s", "1"), ("w", "s2", "1"), ("w", "s", "2"), ("w", "s1", ""), ("ws", "", "1")]
    ids = {entity_id("cue", *parts) for parts in keys}
    assert len(ids) == 6
    assert all(len(found) == len("cue_") + 26 for found in ids)


def test_only_what_differs_becomes_an_operation() -> None:
    before = Snapshot("w", {"a.thing": {"t1": {"size": 3, "name": "x", "old": None}}})
    changes = Changes(before)
    assert changes.put("t1", "a.thing", {"size": 3.0, "name": "y", "old": None, "new": "z"}) == "changed"
    assert changes.put("t1", "a.thing", {"size": 3, "name": None}) == "unchanged"
    assert changes.put("t2", "a.thing", {"size": 1, "name": None}) == "created"
    assert changes.operations == (
        SetField(entity="t1", facet="a.thing", field="name", value="y"),
        SetField(entity="t1", facet="a.thing", field="new", value="z"),
        CreateEntity(entity="t2", facets={"a.thing": {"size": 1}}),
    )
    assert changes.counts == {"created": 1, "changed": 1, "unchanged": 1}


def test_edges_are_drawn_once_and_their_properties_compared() -> None:
    changes = Changes(Snapshot("w", {}, {"a.in": {"e1": EdgeView("t1", "r1", {"order": 1})}}))
    changes.link("a.in", "t1", "r1", {"order": 1})
    changes.link("a.in", "t1", "r1", {"order": 2})
    changes.link("a.in", "t2", "r1")
    changes.link("a.in", "t2", "r1")
    assert changes.operations == (
        SetEdgeProperty(edge="a.in", id="e1", property="order", value=2),
        AddEdge(edge="a.in", id=entity_id("edge", "w", "a.in", "t2/r1"), source="t2", target="r1"),
    )
