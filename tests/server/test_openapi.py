"""The description of the calls: complete, valid, and the guide agrees with it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from jsonschema import Draft202012Validator

from openprod.core.operations import Operation
from openprod.server.app import BASE, described
from openprod.server.routes import CALLS
from tests.server.serving import Served

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "http-api.md"


def walk(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for one in value.values():
            yield from walk(one)
    elif isinstance(value, list):
        for one in value:
            yield from walk(one)


@pytest.mark.anyio
async def test_served_without_a_token(steady: Served) -> None:
    answer = await steady["nobody"].get("/openapi.json")
    assert answer.json() == described()
    assert answer.json()["openapi"].startswith("3.1.")


def test_every_call_is_described_once() -> None:
    paths = described()["paths"]
    operations = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    assert operations == {(call.method, BASE + call.path) for call in CALLS} | {("GET", f"{BASE}/healthz")}
    assert len(operations) == len(CALLS) + 1
    ids = [operation["operationId"] for methods in paths.values() for operation in methods.values()]
    assert len(ids) == len(set(ids))


def test_parts_of_addresses_are_declared() -> None:
    for path, methods in described()["paths"].items():
        for operation in methods.values():
            declared = {one["name"] for one in operation.get("parameters", ()) if one["in"] == "path"}
            assert declared == set(re.findall(r"\{(\w+)\}", path))


def test_schemas_are_valid_and_references_lead_somewhere() -> None:
    document = described()
    schemas = document["components"]["schemas"]
    for schema in schemas.values():
        Draft202012Validator.check_schema(schema)
    references = {one["$ref"] for one in walk(document) if isinstance(one.get("$ref"), str)}
    assert {reference.rpartition("/")[2] for reference in references} <= set(schemas)
    assert not [one for one in walk(document) if "x-component" in one]


def test_operations_are_the_engine_s() -> None:
    union = described()["components"]["schemas"]["Operation"]
    assert set(union["discriminator"]["mapping"]) == {struct.__struct_config__.tag for struct in get_args(Operation)}


def test_the_guide_names_every_call_with_its_role() -> None:
    found = re.findall(r"^\| `(GET|POST|PUT|DELETE) (/\S*)` \| (viewer|editor|owner)", GUIDE.read_text(), re.MULTILINE)
    assert found == [(call.method, call.path, call.role) for call in CALLS]
