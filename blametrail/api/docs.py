"""The page `/api/docs`: the OpenAPI document for people, without a script."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from functools import cache
from html import escape
from pathlib import Path
from re import sub
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from blametrail.api import openapi
from blametrail.settings import settings

STYLE = Path(__file__).with_name("docs.css").read_text()
_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
POLICY = (
    f"default-src 'none'; style-src 'self' 'sha256-{_HASH}'; img-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)

Json = Mapping[str, Any]


async def get_page(_request: Request) -> Response:
    """`GET /api/docs`."""
    return HTMLResponse(page(settings().base_url), headers={"Content-Security-Policy": POLICY})


@cache
def page(base_url: str) -> str:
    """The page of a server at this address."""
    document = openapi.document(base_url)
    told = [(path, method, one) for path, methods in document["paths"].items() for method, one in methods.items()]
    contents = "".join(f'<li><a href="#{one["operationId"]}">{_address(method, path)}</a></li>' for path, method, one in told)
    sections = "".join(_section(document, path, method, one) for path, method, one in told)
    shapes = "".join(_shape(name, shape) for name, shape in document["components"]["schemas"].items())
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>The API · BlameTrail</title><link rel="icon" href="/favicon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/blametrail.css"><style>{STYLE}</style></head>
<body><a class="skip-link" href="#addresses">Skip to the addresses</a>
<header class="top"><a class="brand" href="/">BlameTrail</a></header>
<main class="api"><h1>The API</h1>
<p class="lede">{_words(document["info"]["description"])} For programs, the same is <a href="/api/openapi.json">an OpenAPI document</a>.</p>
<p>To try an address, paste its line into a shell after <code>export BLAMETRAIL_API_TOKEN=bt_…</code>; admins make a token
under <a href="/settings/api-tokens">Settings, API tokens</a>.</p>
<nav aria-label="Addresses"><ul id="addresses">{contents}</ul></nav>
{sections}
<section><h2 id="errors">Errors</h2><p>Every error has the shape <a href="#shape-Refusal">Refusal</a>. Its <code>code</code> stays the
same; its <code>message</code> is for people.</p></section>
<section><h2 id="shapes">Shapes</h2>{shapes}</section>
</main></body></html>"""


def _section(document: Json, path: str, method: str, one: Json) -> str:
    rows = "".join(_parameter(parameter) for parameter in one["parameters"])
    (sample,) = one["x-codeSamples"]
    return f"""<section class="operation" id="{one["operationId"]}"><h2>{_address(method, path)}</h2>
<p class="strong">{_words(one["summary"])}</p>{_paragraphs(one["description"])}
<p class="muted">{_door(document, one)}</p>
{f'<table class="parameters"><thead><tr><th>Parameter</th><th>Is</th></tr></thead><tbody>{rows}</tbody></table>' if rows else ""}
{_body(one)}
<h3>Try it</h3><pre class="sample" tabindex="0" aria-label="Try it">{escape(sample["source"])}</pre>
{"".join(_answer(status, response) for status, response in one["responses"].items())}</section>"""


def _address(method: str, path: str) -> str:
    return f'<span class="method {method}">{method.upper()}</span> <code>{_breakable(path)}</code>'


def _breakable(path: str) -> str:
    """On a narrow page, a long address goes on below its slashes."""
    return escape(path).replace("/", "/<wbr>")


def _door(document: Json, one: Json) -> str:
    names = [name for asked in one["security"] for name in asked]
    schemes = document["components"]["securitySchemes"]
    words = [_words(schemes[name]["description"]) for name in names]
    headers = [schemes[name].get("name", "Authorization") for name in names]
    shown = "".join(f" In <code>{escape(header)}</code>: {word}" for header, word in zip(headers, words, strict=True))
    return f"Needs to be shown:{shown}" if names else "Open to everybody."


def _parameter(one: Json) -> str:
    where = "" if one["in"] == "query" else f", in the {one['in']}"
    needed = " Required." if one["required"] else ""
    return (
        f"<tr><th scope='row'><code>{escape(one['name'])}</code></th>"
        f"<td>{_words(one['description'])}{needed} <span class='muted'>{escape(_type(one['schema']) + where)}</span></td></tr>"
    )


def _type(schema: Json) -> str:
    """A type in a few words."""
    if "enum" in schema:
        return "one of " + ", ".join(map(str, schema["enum"]))
    if "anyOf" in schema:
        return " or ".join(_type(option) for option in schema["anyOf"])
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if schema.get("type") == "array":
        return f"list of {_type(schema['items'])}"
    words = {"date-time": "time", "uuid": "id"}.get(schema.get("format", ""), schema.get("type", "anything"))
    bounds = f" from {schema['minimum']} to {schema['maximum']}" if {"minimum", "maximum"} <= set(schema) else ""
    default = f", {schema['default']} unless given" if schema.get("default") else ""
    return f"{words}{bounds}{default}"


def _body(one: Json) -> str:
    if "requestBody" not in one:
        return ""
    (content,) = one["requestBody"]["content"].values()
    return f"<h3>Body</h3><p>{_words(one['requestBody']['description'])} {_linked(content['schema'])}</p>{_json(content['example'], 'Body')}"


def _answer(status: str, response: Json) -> str:
    content = response["content"]["application/json"]
    if content.get("example") is None:
        return f'<p class="answer"><span class="status bad">{status}</span> {_words(response["description"])}</p>'
    shown = f'<p class="answer"><span class="status good">{status}</span> {_words(response["description"])} {_linked(content["schema"])}</p>'
    return shown + (_json(content["example"], f"Answer {status}") if status == "200" else "")


def _linked(schema: Json) -> str:
    name = _type(schema)
    return f'<a href="#shape-{name}">{name}</a>' if "$ref" in schema else _words(schema.get("description", ""))


def _json(value: object, label: str) -> str:
    text = json.dumps(value, ensure_ascii=False, indent=2)
    return f'<pre class="sample" tabindex="0" aria-label="{label}">{escape(text)}</pre>'


def _shape(name: str, shape: Json) -> str:
    rows = "".join(_field(field, told) for field, told in shape.get("properties", {}).items())
    return f"""<details class="shape" id="shape-{name}" open><summary><code>{name}</code> {_words(shape.get("description", ""))}</summary>
<table class="parameters"><tbody>{rows}</tbody></table></details>"""


def _field(name: str, told: Json) -> str:
    types = " or ".join(_references(told))
    return f"<tr><th scope='row'><code>{escape(name)}</code></th><td>{_words(told.get('description', ''))} <span class='muted'>{types}</span></td></tr>"


def _references(told: Json) -> Iterator[str]:
    """The types of a field, each linked to its shape where it has one."""
    for option in told.get("anyOf", [told]):
        inner = option.get("items", option)
        before = "list of " if "items" in option else ""
        yield before + (
            _linked(inner) if "$ref" in inner else escape(_type({**inner, "enum": told["enum"]} if "enum" in told else inner))
        )


def _paragraphs(text: str) -> str:
    return "".join(f"<p>{_words(paragraph)}</p>" for paragraph in text.split("\n\n") if paragraph)


def _words(text: str) -> str:
    """Text with what stands in backticks as code."""
    return sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


routes = [Route("/api/docs", get_page, methods=["GET"])]
