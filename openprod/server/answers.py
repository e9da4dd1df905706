"""JSON answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.responses import Response

NEVER_KEPT = {"cache-control": "no-store", "x-content-type-options": "nosniff"}


def encode(value: Any) -> bytes:
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        # Half a character (a lone surrogate) that an outside program stored: only escaped JSON can carry it.
        return json.dumps(msgspec.to_builtins(value)).encode()


def answer(value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(
        encode(value), status_code=status, media_type="application/json", headers={**NEVER_KEPT, **(headers or {})}
    )
