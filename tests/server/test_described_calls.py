"""Every call with requests made up from its own description, right ones and wrong ones: no answer is a surprise."""

from __future__ import annotations

import json
import random
from typing import Any, Final
from urllib.parse import quote

import pytest

from openprod.server.app import BASE, described
from tests.seeds import fresh
from tests.server.serving import Served

pytestmark = pytest.mark.anyio

ROUNDS: Final = 6
ENDLESS: Final = ("/events", "/query/live", "/session")
"""Streams, and a call that waits: they have tests of their own."""
OUTWARDS: Final = ("/session/host", "/session/join", "/session/nearby", "/backup", "/have", "/pack")
"""What opens sockets for other devices or writes files where it is told to."""
TEXTS: Final = ("", "cue_42", "cues.cue", "cues", "list", "LX", "…", "\0", "a/b", "x" * 300, "10:45", "core", " ")
ODD: Final[tuple[Any, ...]] = (
    None,
    True,
    -1,
    0,
    2**53,
    2**70,
    1.5,
    1e300,
    "",
    "\0",
    [],
    {},
    [[]],
    {"": None},
    "\u2028",
)


class Maker:
    """Values that fit a schema, and now and then one that doesn't."""

    def __init__(self, chance: random.Random, document: dict[str, Any], wrong: float) -> None:
        self.chance, self.schemas, self.wrong = chance, document["components"]["schemas"], wrong

    def value(self, schema: dict[str, Any], depth: int = 0) -> Any:
        chance = self.chance
        if chance.random() < self.wrong:
            return chance.choice(ODD)
        if "$ref" in schema:
            return self.value(self.schemas[schema["$ref"].rpartition("/")[2]], depth + 1)
        for kind in ("anyOf", "oneOf", "allOf"):
            if kind in schema:
                return self.value(chance.choice(schema[kind]), depth + 1)
        if "const" in schema or "enum" in schema:
            return chance.choice(schema.get("enum") or [schema["const"]])
        kind = schema.get("type", "")
        if isinstance(kind, list):
            kind = chance.choice(kind)
        match kind:
            case "object":
                return self._object(schema, depth)
            case "array":
                some = 0 if depth > 6 else chance.randrange(3)
                some = max(some, schema.get("minItems", 0))
                return [self.value(schema.get("items") or {}, depth + 1) for _ in range(some)]
            case "integer" | "number":
                return chance.choice((0, 1, 2, 1000, 10**6, schema.get("minimum", 0), schema.get("maximum", 7)))
            case "boolean":
                return chance.random() < 0.5
            case "null":
                return None
            case "string":
                return chance.choice(TEXTS)
        return chance.choice(ODD + TEXTS)

    def _object(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        made = {}
        for name, one in schema.get("properties", {}).items():
            if name in schema.get("required", ()) or self.chance.random() < 0.4:
                made[name] = self.value(one, depth + 1)
        more = schema.get("additionalProperties")
        if isinstance(more, dict) and depth < 7:
            for _ in range(self.chance.randrange(3)):
                made[self.chance.choice(TEXTS)] = self.value(more, depth + 1)
        if self.chance.random() < self.wrong:
            made["more"] = 1
        return made


async def test_no_answer_is_a_surprise(served: Served) -> None:
    seed = fresh("server.described_calls")
    print(f"seed {seed}")
    chance = random.Random(seed)
    await served.cue()
    await served.disagree()
    document = described()
    for _ in range(ROUNDS):
        for path, methods in document["paths"].items():
            short = path.removeprefix(BASE)
            if short in ENDLESS or short in OUTWARDS:
                continue
            for method, operation in methods.items():
                await _ask(served, Maker(chance, document, chance.choice((0, 0.1))), short, method, operation)


async def _ask(served: Served, make: Maker, path: str, method: str, operation: dict[str, Any]) -> None:
    query = {}
    for one in operation.get("parameters", ()):
        if one["in"] == "path":
            path = path.replace(f"{{{one['name']}}}", quote(str(make.value(one["schema"])), safe="") or "x")
        elif make.chance.random() < 0.5:
            query[one["name"]] = str(make.value(one["schema"]))
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    sent = make.value(body["schema"]) if body else None
    role = make.chance.choice(("owner", "owner", "editor", "viewer", "scoped", "nobody"))
    content = json.dumps(sent).encode() if body else None
    headers = {"content-type": "application/json"} if body else {}
    # The clients of ``served`` hold each answer against the description.
    answer = await served[role].request(method, path, params=query, content=content, headers=headers)
    assert answer.status_code < 500, (role, method, path, query, sent, answer.text)
    if answer.status_code != 200:
        error = answer.json()["error"]
        assert error["code"], (role, method, path)
        assert error["sentence"], (role, method, path)
