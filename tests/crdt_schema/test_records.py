"""The record models, the files generated from them, and their agreement with the engine's own schema records."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError

import crdt_schema
from crdt_schema import generate, records
from crdt_schema.records import PUBLISHED, Adoption, FieldType, Resolution
from openprod.core import conflicts, resolutions
from openprod.core.schema import FIELD_TYPES, Edge, Facet, Field, Schema

HERE = Path(crdt_schema.__file__).parent
PERSON = {"user": "u1", "name": "Alex"}
RESOLUTION: dict[str, Any] = {
    "conflict": "c_7inveoow3v2kcnwnsda5cwpget",
    "register": ["cues.cue", "cue_1/start"],
    "heads": ["101:0", "202:7", "202:6:cleared"],
    "wrote": ["303:2"],
    "chosen": "101:0",
    "value": "10:30",
    "by": PERSON,
    "at": "2026-01-31T19:30:00+01:00",
    "supersedes": None,
}
DECISION: dict[str, Any] = {
    "id": "r1",
    "by": "Alex",
    "user": "u1",
    "device": "0123456789abcdef",
    "at": "2026-01-31T19:30:00Z",
    "chosen": None,
    "value": 1,
    "supersedes": None,
    "heads": ["cues:101:0", "cues:202:7"],
    "withdrawn": False,
    "bundle": "b3",
}
CANDIDATE: dict[str, Any] = {
    "version": "cues:101:0",
    "value": "10:30",
    "author": "Alex",
    "user": "u1",
    "device": "0123456789abcdef",
    "at": "2026-01-31T18:00:00Z",
    "bundle": "b1",
    "unaware_of": ["cues:202:7"],
    "known": True,
    "field": "",
}
CONFLICT: dict[str, Any] = {
    "id": "c_7inveoow3v2kcnwnsda5cwpget",
    "kind": "field",
    "status": "open",
    "reopened": False,
    "heads": ["cues:101:0", "cues:202:7"],
    "entity": "cue_1",
    "facet": "cues.cue",
    "field": "start",
    "title": "Cue LX 42",
    "label": "start time",
    "sentence": "Cue LX 42 start time: Alex set 10:30, Jordan set 10:45 without seeing each other.",
    "base": {"version": "cues:1:0", "value": None},
    "shown": "cues:202:7",
    "candidates": [CANDIDATE, {**CANDIDATE, "version": "cues:202:7"}],
    "resolution": None,
    "resolutions": [DECISION],
}
_SCHEMA = Schema(
    plugin="cues",
    version="1",
    label="Cues",
    facets={
        "cue": Facet(
            title="{list} {number}",
            unique=(("list", "number"),),
            fields={
                "number": Field(type="decimal", label="Q", required=True),
                "kind": Field(type="choice", choices=("light", "sound"), was=("type",)),
            },
        )
    },
    edges={"called_in": Edge(source="cue", cardinality="one", properties={"offset": Field(type="duration")})},
)
ADOPTION = json.loads(json.dumps(_SCHEMA.to_record()))
GOOD: list[tuple[str, Any]] = [
    ("Marker", True),
    ("Marker", None),
    ("Resolution", RESOLUTION),
    ("Resolution", {**RESOLUTION, "chosen": None, "value": {"free": ["form"]}, "from_the_future": 1}),
    ("Adoption", ADOPTION),
    ("Adoption", {"plugin": "cues"}),
    ("Conflict", CONFLICT),
]
BAD: list[tuple[str, Any]] = [
    ("Marker", False),
    ("Marker", "true"),
    ("Resolution", {**RESOLUTION, "heads": ["cues:101:0"]}),
    ("Resolution", {**RESOLUTION, "wrote": ["01:2"]}),
    ("Resolution", {**RESOLUTION, "register": ["cues.cue"]}),
    ("Resolution", {name: value for name, value in RESOLUTION.items() if name != "by"}),
    ("Adoption", {}),
    ("Adoption", {"plugin": "core"}),
    ("Adoption", {"plugin": "cues", "facets": {"cue": {"fields": {"start": {"type": "instant"}}}}}),
    ("Conflict", {**CONFLICT, "heads": ["101:0"]}),
    ("Conflict", {**CONFLICT, "kind": "quarrel"}),
]


def test_the_generated_files_are_up_to_date() -> None:
    committed = {
        path.relative_to(HERE).as_posix(): path.read_text(encoding="utf-8")
        for folder in ("json", "typescript")
        for path in (HERE / folder).iterdir()
    }
    assert committed == generate.files(), "run: python -m crdt_schema.generate"


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_schema_is_json_schema_2020_12(name: str) -> None:
    Draft202012Validator.check_schema(generate.json_schema(name))


@pytest.mark.parametrize(("name", "value"), GOOD)
def test_model_and_json_schema_accept(name: str, value: Any) -> None:
    PUBLISHED[name].validate_python(value)
    Draft202012Validator(generate.json_schema(name)).validate(value)


@pytest.mark.parametrize(("name", "value"), BAD)
def test_model_and_json_schema_refuse(name: str, value: Any) -> None:
    with pytest.raises(ValidationError):
        PUBLISHED[name].validate_python(value)
    assert not Draft202012Validator(generate.json_schema(name)).is_valid(value)


def test_a_time_without_an_offset_is_refused() -> None:
    with pytest.raises(ValidationError):
        Resolution.model_validate({**RESOLUTION, "at": "2026-01-31T19:30:00"})


def test_a_resolution_is_written_as_it_was_read() -> None:
    assert Resolution.model_validate(RESOLUTION).model_dump(mode="json") == RESOLUTION


def test_an_adoption_reads_as_the_engine_reads_it() -> None:
    whole = Adoption.model_validate(ADOPTION).model_dump(mode="json")
    assert Schema.from_record(whole) == _SCHEMA


@pytest.mark.parametrize("name", ["Conflict", "Candidate", "Decision"])
def test_a_conflict_has_the_fields_that_the_engine_gives_it(name: str) -> None:
    ours, engine_s = getattr(records, name), getattr(conflicts, name)
    assert list(ours.model_fields) == list(engine_s.__struct_fields__)


def test_a_resolution_is_read_by_the_engine() -> None:
    read = resolutions.parse(json.dumps(RESOLUTION))
    assert read is not None
    assert json.loads(json.dumps(resolutions.to_record(read))) == RESOLUTION


def test_field_types_are_the_engine_s() -> None:
    assert get_args(FieldType) == FIELD_TYPES


def test_no_schema_shape_is_unknown_to_the_type_generator() -> None:
    with pytest.raises(ValueError, match="no TypeScript type"):
        generate.typescript({"Odd": {"oneOf": []}})
