"""The JSON form of crdt_schema/vectors/decode.jsonl, from our decoder's tuples."""

from __future__ import annotations

import base64
import math
from typing import Any

from openprod.yjs.decoder import UNDEFINED, Update

CONTENTS = ("GC", "Deleted", "JSON", "Binary", "String", "Embed", "Format", "Type", "Any", "Doc", "Skip")


def described(update: Update, *, tags: bool = True) -> dict[str, Any]:
    """``tags``: with the tag names of XML elements, which ``decode.jsonl`` leaves out."""
    return {
        "structs": [_struct(struct, tags) for struct in update.structs],
        "deletes": sorted(list(deleted) for deleted in update.deletes),
    }


def comparable(value: Any) -> Any:
    """Numbers as JavaScript compares them: 1 and 1.0 are one value."""
    if isinstance(value, dict):
        return {key: comparable(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [comparable(inner) for inner in value]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    return value


def _struct(struct: Any, tags: bool) -> dict[str, Any]:
    client, clock, length, ref, origin, right, parent, key, content = struct
    common: dict[str, Any] = {"id": [client, clock], "len": length}
    if ref in (0, 10):
        return {**common, "struct": CONTENTS[ref]}
    item = {
        **common,
        "struct": "Item",
        "origin": origin and list(origin),
        "right_origin": right and list(right),
        "parent": {"root": parent} if isinstance(parent, str) else parent and list(parent),
        "key": key,
        "content": CONTENTS[ref],
    }
    if ref == 4:
        return {**item, "text": content}
    if ref == 7:
        return {**item, "type": content[0], **({"tag": content[1]} if tags else {})}
    if ref == 1:
        return item
    values = content if ref in (2, 6, 8) else content[:1] if ref == 9 else [content]
    return {**item, "values": [_value(value) for value in values]}


def _value(value: Any) -> Any:
    if value is UNDEFINED:
        return {"$": "undefined"}
    if isinstance(value, bytes):
        return {"$": "binary", "v": base64.b64encode(value).decode()}
    if isinstance(value, list):
        return [_value(inner) for inner in value]
    if isinstance(value, dict):
        return {key: _value(inner) for key, inner in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return {"$": "number", "v": "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"}
    if isinstance(value, float) and value == 0 and math.copysign(1, value) < 0:
        return {"$": "number", "v": "-0"}
    return value


def without_bigints(value: Any) -> Any:
    """Of what JavaScript says: a bigint as the integer that we read it as."""
    if isinstance(value, list):
        return [without_bigints(inner) for inner in value]
    if isinstance(value, dict):
        if value.get("$") == "bigint":
            return int(value["v"])
        return {key: without_bigints(inner) for key, inner in value.items()}
    return value
