"""Errors → answers: ``{"error": {"code", "sentence", "hint", "details"}}`` with the error's status. No traceback ever
leaves; what nobody expected is logged under an id, and the answer names the id."""

from __future__ import annotations

import logging
import secrets
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from openprod.errors import OpenprodError
from openprod.server.answers import answer

_log = logging.getLogger("openprod.server")

_PLAIN: dict[int, tuple[str, str, str]] = {
    404: ("NOT_FOUND", "There is nothing at this address.", "The calls are listed at /api/v1/openapi.json."),
    405: ("METHOD_NOT_ALLOWED", "This address doesn't take that method.", "See /api/v1/openapi.json."),
    413: ("LIMIT_EXCEEDED", "The request is larger than this node takes.", ""),
}


def record(error: OpenprodError) -> dict[str, Any]:
    return {"code": error.code, "sentence": error.sentence, "hint": error.hint, "details": error.details}


def record_of(error: Exception) -> dict[str, Any]:
    """The record of any error. One that nobody expected is logged, and only its id is told."""
    if isinstance(error, OpenprodError):
        return record(error)
    name = f"e_{secrets.token_hex(4)}"
    _log.error("Unexpected error %s", name, exc_info=error)
    return {
        "code": "INTERNAL",
        "sentence": "Something went wrong in this node. What was confirmed before is kept.",
        "hint": f"Try again. If it happens again, report it with the lines about {name} in the node's log.",
        "details": {"id": name},
    }


def refuse(error: Exception, **beside: Any) -> Response:
    """The answer to a request that failed. ``beside``: what else the body holds."""
    status = error.status if isinstance(error, OpenprodError) else 500
    headers = {"www-authenticate": "Bearer"} if status == 401 else {}
    return answer({"error": record_of(error), **beside}, status=status, headers=headers)


async def refuse_http(request: Request, error: Exception) -> Response:
    """For what the router refuses: unknown address, wrong method."""
    assert isinstance(error, HTTPException)
    code, sentence, hint = _PLAIN.get(error.status_code, ("REFUSED", "The request can't be answered.", ""))
    body = {"error": {"code": code, "sentence": sentence, "hint": hint, "details": {}}}
    return answer(body, status=error.status_code, headers=dict(error.headers or {}))
