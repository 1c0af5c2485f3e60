"""The OpenAPI document of every public address below `/api`, and where it is read.

Bodies and answers are described by pydantic from the types that the code itself uses. A new address gets an `Operation`
beside its route, and a place in `operations` here; its example's answer is made by `python -m tests.api.examples`.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from pydantic import TypeAdapter
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from blametrail.api import openapi_alerts, openapi_posts, v1
from blametrail.api.operations import Door, Operation, Parameter
from blametrail.api.v1_shapes import Refusal
from blametrail.settings import settings

EXAMPLES = Path(__file__).with_name("openapi_examples.json")
_COMPONENT = "#/components/schemas/{model}"
_JSON = "application/json"

operations: tuple[Operation, ...] = (
    *(reading.operation for reading in v1.readings),
    *openapi_posts.operations,
    *openapi_alerts.operations,
)
"""Every public address. Those of a new module stand in it as `operations`, and here behind the others."""

DOORS: Mapping[Door, Mapping[str, Any]] = {
    "api token": {"type": "http", "scheme": "bearer", "description": "An API token, `bt_…`; admins make one in the settings."},
    "deploy token": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Deploy-Token",
        "description": "The deploy token of a service.",
    },
    "alert token": {"type": "apiKey", "in": "header", "name": "X-Alert-Token", "description": "The token of an alert source."},
    "github signature": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Hub-Signature-256",
        "description": "`sha256=` and the HMAC-SHA256 of the body in hex, made with the webhook's secret.",
    },
    "gitlab signature": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Gitlab-Token",
        "description": "The webhook's secret; or, better, the three `webhook-…` headers of Standard Webhooks made with it.",
    },
}
_HEADERS: Mapping[Door, tuple[str, ...]] = {
    "open": (),
    "api token": ("Authorization: Bearer $BLAMETRAIL_API_TOKEN",),
    "deploy token": ("X-Deploy-Token: $BLAMETRAIL_DEPLOY_TOKEN",),
    "alert token": ("X-Alert-Token: $BLAMETRAIL_ALERT_TOKEN",),
    "github signature": (
        'X-Hub-Signature-256: sha256=$(printf %s "$body" | openssl dgst -sha256 -hmac "$BLAMETRAIL_WEBHOOK_SECRET" -r | cut -c -64)',
    ),
    "gitlab signature": ("X-Gitlab-Token: $BLAMETRAIL_WEBHOOK_SECRET",),
}
_REFUSALS = {
    400: "What was sent does not fit; each wrong field is named, and nothing was stored.",
    401: "The token or the signature is missing or wrong.",
    404: "There is no such thing in this organization.",
    413: "The body is too large or compressed; it was not read.",
    429: "Too many requests; `Retry-After` says in how many seconds to try again.",
    503: "We cannot serve now, or the question takes too long; try again after `Retry-After` seconds, or ask a narrower one.",
}
_ANSWERS = {200: "Done.", 202: "Kept, though it could not be read; its sender's log shows it."}


async def get_document(_request: Request) -> Response:
    """`GET /api/openapi.json`."""
    return Response(_text(settings().base_url), media_type=_JSON)


@cache
def document(base_url: str) -> dict[str, Any]:
    """The document of a server at this address."""
    schemas, components = _described()
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method] = _operation(operation, schemas, base_url)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "BlameTrail",
            "version": version("blametrail"),
            "summary": "Which change broke it?",
            "description": "Times are ISO 8601 and name their zone. What is not known is null. Names of fields stay; new ones may come.",
        },
        "servers": [{"url": base_url}],
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": {_name(door): dict(told) for door, told in DOORS.items()}},
    }


@cache
def _text(base_url: str) -> str:
    return json.dumps(document(base_url), ensure_ascii=False, separators=(",", ":"))


def _described() -> tuple[dict[tuple[str, str], Any], dict[str, Any]]:
    """What every operation answers and takes, by its id, and the types that these are made of."""
    given: list[tuple[str, Any, TypeAdapter[Any]]] = [("refusal", "serialization", TypeAdapter(Refusal))]
    given += [(one.id, "serialization", TypeAdapter(one.answer)) for one in operations]
    given += [
        (one.id, "validation", TypeAdapter(one.body.model)) for one in operations if one.body and _is_type(one.body.model)
    ]
    schemas, shared = TypeAdapter.json_schemas(given, ref_template=_COMPONENT)
    told = {(id_, str(mode)): schema for (id_, mode), schema in schemas.items()}
    told |= {(one.id, "validation"): one.body.model for one in operations if one.body and not _is_type(one.body.model)}
    return told, shared.get("$defs", {})


def _is_type(model: Any) -> bool:
    return not isinstance(model, Mapping)


def _operation(one: Operation, schemas: Mapping[tuple[str, str], Any], base_url: str) -> dict[str, Any]:
    answer = {"schema": schemas[one.id, "serialization"], "example": _examples().get(one.id)}
    refusal = {"schema": schemas["refusal", "serialization"]}
    told: dict[str, Any] = {
        "operationId": one.id,
        "summary": one.summary,
        "description": one.description,
        "security": [{_name(one.door): []}] if one.door != "open" else [],
        "parameters": [_parameter(parameter, one.example) for parameter in one.parameters],
        "responses": {
            **{str(status): _response(_ANSWERS[status], answer) for status in one.answers},
            **{str(status): _response(_REFUSALS[status], refusal, status) for status in one.refusals},
        },
        "x-codeSamples": [{"lang": "Shell", "source": curl(one, base_url)}],
    }
    if one.body:
        content = {"schema": schemas[one.id, "validation"], "example": json.loads(one.body.example)}
        told["requestBody"] = {
            "required": True,
            "description": f"At most {one.body.largest:,} bytes.",
            "content": {one.body.type: content},
        }
    return told


def _parameter(one: Parameter, example: Mapping[str, str]) -> dict[str, Any]:
    told: dict[str, Any] = {"name": one.name, "in": one.place, "description": one.about, "required": one.is_required}
    told["schema"] = dict(one.schema)
    if one.name in example:
        value = example[one.name]
        told["example"] = int(value) if one.schema.get("type") == "integer" else value
    return told


def _response(about: str, content: Mapping[str, Any], status: int = 200) -> dict[str, Any]:
    headers: dict[str, Any] = {"X-Request-Id": {"schema": {"type": "string"}}}
    if status in {429, 503}:
        headers["Retry-After"] = {"schema": {"type": "integer"}}
    return {"description": about, "headers": headers, "content": {_JSON: dict(content)}}


def curl(one: Operation, base_url: str) -> str:
    """The example as a line, or two, for a shell."""
    path, query = one.path, {}
    for parameter in one.parameters:
        value = one.example.get(parameter.name)
        if parameter.place == "path":
            path = path.replace(f"{{{parameter.name}}}", value or "")
        elif parameter.place == "query" and value is not None:
            query[parameter.name] = value
    address = f"{base_url}{path}" + (f"?{urlencode(query, safe=':*/')}" if query else "")
    asked = " \\\n  ".join(["curl -fsS", *(f"-H {header}" for header in _headers(one)), *_sent(one), shlex.quote(address)])
    return f"body={shlex.quote(one.body.example)}\n{asked}" if one.body else asked


def _headers(one: Operation) -> Iterator[str]:
    for header in _HEADERS[one.door]:
        yield f'"{header}"'
    for parameter in one.parameters:
        if parameter.place == "header" and parameter.name in one.example:
            yield shlex.quote(f"{parameter.name}: {one.example[parameter.name]}")
    if one.body:
        yield shlex.quote(f"Content-Type: {one.body.type}")


def _sent(one: Operation) -> list[str]:
    return ['--data-binary "$body"'] if one.body else []


@cache
def _examples() -> dict[str, Any]:
    """What the server answers to each example, by the operation's id."""
    examples: dict[str, Any] = json.loads(EXAMPLES.read_text()) if EXAMPLES.exists() else {}
    return examples


def _name(door: Door) -> str:
    return door.title().replace(" ", "")


routes = [Route("/api/openapi.json", get_document, methods=["GET"])]
