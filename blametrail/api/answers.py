"""The one shape of every answer and error of the API."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from blametrail.kit.errors import BlameTrailError, Invalid, TooMany, Unavailable

log = structlog.get_logger(__name__)
RETRY_WHEN_UNAVAILABLE = 5


def request_id(request: Request) -> str:
    """The id under which a request is logged and its answer can be quoted."""
    known: str = request.scope.setdefault("blametrail.request_id", uuid4().hex)
    return known


def answer(request: Request, body: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer with its request id."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    extra = {"X-Request-Id": request_id(request), "Cache-Control": "no-store", **(headers or {})}
    return Response(text, status, extra, "application/json")


def refusal(request: Request, error: BlameTrailError, status: int | None = None) -> Response:
    """An error as every client of the API knows it."""
    body: dict[str, Any] = {"code": error.code, "message": error.message}
    headers = {}
    if isinstance(error, Invalid):
        body["fields"] = [{"field": field, "message": why} for field, why in error.fields.items()]
    if isinstance(error, TooMany):
        headers["Retry-After"] = str(error.retry_after)
    if (status or error.status) == Unavailable.status:
        headers["Retry-After"] = str(RETRY_WHEN_UNAVAILABLE)
    return answer(request, {"error": body, "request_id": request_id(request)}, status or error.status, headers)


async def on_known_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, BlameTrailError)
    return refusal(request, error)


async def on_http_error(request: Request, error: Exception) -> Response:
    """What the router refuses: wrong method, unknown address below /api."""
    assert isinstance(error, HTTPException)
    known = {404: "not_found", 405: "method_not_allowed"}
    body = {"code": known.get(error.status_code, "refused"), "message": f"{error.detail}."}
    return answer(request, {"error": body, "request_id": request_id(request)}, error.status_code, error.headers)


async def on_unknown_error(request: Request, error: Exception) -> Response:
    """A fault of ours: its details go to the log under the id, never to the sender."""
    log.error("request failed", request_id=request_id(request), path=request.url.path, exc_info=error)
    message = "Something went wrong on the server; nothing was stored. Quote the request id to whoever runs it."
    return answer(request, {"error": {"code": "internal", "message": message}, "request_id": request_id(request)}, 500)
