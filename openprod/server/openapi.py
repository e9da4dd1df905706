"""The OpenAPI 3.1 document, made from the table of calls and the types it names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import msgspec
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

import openprod
from openprod.core.conflicts import Conflict
from openprod.core.operations import Operation
from openprod.engine.events import Receipt
from openprod.server.calls import Call, Shape
from openprod.server.payloads import COMPONENT, ErrorAnswer, Health

_REF = "#/components/schemas/{}"


def openapi(calls: Iterable[Call], *, base: str) -> dict[str, Any]:
    """The document of ``calls``, whose paths are below ``base``."""
    calls = tuple(calls)
    paths: dict[str, dict[str, Any]] = {}
    for call in calls:
        paths.setdefault(base + call.path, {})[call.method.lower()] = _operation(call)
    paths[f"{base}/healthz"] = {
        "get": {
            "operationId": "healthz",
            "summary": "200 when ready",
            "security": [],
            "responses": {"200": _json("Ready", Health)},
        }
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Openprod",
            "version": openprod.__version__,
            "description": "A node that serves one workspace. Errors: {error: {code, sentence, hint, details}}; "
            "`code` is stable, `sentence` and `hint` are for people.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": _schemas(calls),
        },
    }


def _operation(call: Call) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": _operation_id(call),
        "summary": call.does,
        "description": f"For a token of role {call.role} or above."
        + (" A token of one document may make it for that document." if call.scoped else "")
        + (" With `Accept: application/x-ndjson`, progress line by line." if call.progress else ""),
        "parameters": [*_path_parameters(call), *_query_parameters(call)],
        "responses": {"200": _answer(call), "default": _json("What is wrong", ErrorAnswer)},
    }
    content: dict[str, Any] = {}
    if call.body is not None:
        content["application/json"] = {"schema": _ref(call.body)}
    if call.takes_file:
        content["application/octet-stream"] = {}
    if content:
        described["requestBody"] = {"content": content}
    return described


def _operation_id(call: Call) -> str:
    """Such as ``postConflictsConflictResolutions``."""
    words: list[str] = re.findall(r"[A-Za-z]+", call.path)
    return call.method.lower() + "".join(word.capitalize() for word in words)


def _path_parameters(call: Call) -> list[dict[str, Any]]:
    names = re.findall(r"\{(\w+)\}", call.path)
    return [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]


def _query_parameters(call: Call) -> list[dict[str, Any]]:
    if call.query is None:
        return []
    schema = call.query.model_json_schema()
    found = []
    for name, field in schema["properties"].items():
        parameter = {"name": name, "in": "query", "required": name in schema.get("required", ()), "schema": field}
        if "description" in field:
            parameter["description"] = field.pop("description")
        found.append(parameter)
    return found


def _answer(call: Call) -> dict[str, Any]:
    content: dict[str, Any] = {}
    if call.gives is not None:
        content["application/json"] = {"schema": _ref(call.gives)}
    if call.gives_file:
        content[call.gives_file] = {}
    if call.progress:
        content["application/x-ndjson"] = {}
    return {"description": "Done", "content": content}


def _json(description: str, shape: Shape) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": _ref(shape)}}}


def _ref(shape: Shape) -> dict[str, str]:
    return {"$ref": _REF.format(shape.__name__)}


def _schemas(calls: tuple[Call, ...]) -> dict[str, Any]:
    shapes = {shape for call in calls for shape in (call.body, call.gives) if shape is not None}
    models = [shape for shape in (*shapes, ErrorAnswer, Health) if issubclass(shape, BaseModel)]
    models.sort(key=lambda model: model.__name__)
    _, made = models_json_schema([(model, "validation") for model in models], ref_template=_REF.format("{model}"))
    # The engine's own records: one definition, there.
    (union, _conflict, _receipt), records = msgspec.json.schema_components(
        (Operation, Conflict, Receipt), ref_template=_REF.format("{name}")
    )
    schemas = {**made["$defs"], **records, "Operation": union}
    return {name: _with_references(schemas[name]) for name in sorted(schemas)}


def _with_references(schema: Any) -> Any:
    if isinstance(schema, dict):
        if COMPONENT in schema:
            return {"$ref": _REF.format(schema[COMPONENT])}
        return {key: _with_references(value) for key, value in schema.items()}
    if isinstance(schema, (list, tuple)):  # defaults of the engine's records are tuples
        return [_with_references(item) for item in schema]
    return schema
