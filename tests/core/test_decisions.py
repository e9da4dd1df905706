"""Decision records as anybody may write them, and what of them counts."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openprod.core import resolutions
from openprod.core.resolutions import Resolution

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(json_values)
def test_anything_may_stand_in_a_record(value: Any) -> None:
    found = resolutions.parse(json.dumps(value, ensure_ascii=False))
    assert found is None or isinstance(found, Resolution)


@given(st.text())
def test_any_text_may_stand_for_a_record(text: str) -> None:
    found = resolutions.parse(text)
    assert found is None or isinstance(found, Resolution)


def test_unknown_fields_of_newer_programs_are_passed_over() -> None:
    found = resolutions.parse('{"conflict": "c_1", "heads": ["1:2"], "mood": "good"}')
    assert found is not None
    assert (found.conflict, found.heads, found.wrote, found.withdraws) == ("c_1", ("1:2",), (), False)


@pytest.mark.parametrize(
    "body",
    [None, "", "null", "[]", "7", '"x"', '{"heads": "1:2"}', '{"heads": [1]}', '{"register": ["a"]}', '{"by": "Sam"}',
     '{"conflict": null}', "{", "\ud800", "[" * 5_000, '{"value": ' + "[" * 5_000],
)  # fmt: skip
def test_what_means_nothing(body: str | None) -> None:
    assert resolutions.parse(body) is None


def test_records_come_back_as_they_were_written() -> None:
    record = Resolution(
        conflict="c_1", register_=("cues.cue", "cue_1/start"), heads=("1:2", "3:4:cleared"), wrote=("5:6",),
        chosen="1:2", value={"a": [1, None]}, supersedes="r_0",
    )  # fmt: skip
    assert resolutions.parse(json.dumps(resolutions.to_record(record))) == record
    assert resolutions.to_record(record)["register"] == ("cues.cue", "cue_1/start")


@pytest.mark.parametrize(
    ("text", "id"),
    [("1:2", (1, 2)), ("9007199254740991:0", (2**53 - 1, 0)), ("1:2:cleared", (1, 2, 1)), ("1", None), ("1:2:3", None),
     ("a:1", None), (":", None), ("", None), ("1:2:cleared:x", None)],
)  # fmt: skip
def test_versions_within_a_document(text: str, id: Any) -> None:
    assert resolutions.parse_local(text) == id
    if id is not None:
        assert resolutions.local_text(id) == text


def test_nobody_passes_anothers_value_off_as_a_decision() -> None:
    honest = Resolution(heads=("1:0", "2:0"), wrote=("7:3",))
    (join,) = resolutions.joins([("r", 7, honest)])
    assert (join.heads, join.wrote, join.withdrawn) == (frozenset({(1, 0), (2, 0)}), (7, 3), False)
    assert resolutions.joins([("r", 8, honest)]) == []
    assert resolutions.joins([("r", 7, Resolution(heads=("1:0",), wrote=("7:3:cleared", "x")))]) == []


def test_what_stands() -> None:
    decision = ("r_1", 7, Resolution(heads=("1:0",), wrote=("7:3",)))
    acceptance = ("r_2", 7, Resolution(heads=("1:0", "2:0")))
    back = ("r_3", 9, Resolution(supersedes="r_1"))
    assert resolutions.standing([decision])
    assert not resolutions.standing([decision, back])
    assert not resolutions.standing([back])
    assert resolutions.standing([decision, back, acceptance])
    assert resolutions.accepted([decision, acceptance]) == [frozenset({"1:0", "2:0"})]
    assert resolutions.accepted([acceptance, ("r_4", 1, Resolution(supersedes="r_2"))]) == []
    # A revision supersedes, and takes nothing back.
    assert resolutions.standing([("r_5", 7, Resolution(heads=("7:3",), wrote=("7:4",), supersedes="r_1")), decision])
