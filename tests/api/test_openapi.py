"""The OpenAPI document and its page: they tell all there is, and every example is answered as they say."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html import unescape
from typing import Any

import httpx
import pytest
from openapi_core import Config, OpenAPI
from openapi_core.testing import MockRequest, MockResponse
from openapi_spec_validator import validate
from starlette.routing import Route

from blametrail.api import openapi
from blametrail.api.app import api
from blametrail.kit.cloud_events import STRUCTURED
from tests.api import examples
from tests.api.examples import SHOWN_AS, Stage, samples
from tests.running import ROOT

NOT_TOLD = {"/api/openapi.json", "/api/docs", "/api/{rest:path}"}
EXAMPLES = samples()


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with examples.stage(tmp_path_factory.mktemp("openapi") / "data") as ready:
        yield ready


@pytest.fixture(scope="module")
def told(stage: Stage) -> Any:
    """The document as the server gives it."""
    return json.loads(httpx.get(f"{stage.server.url}/api/openapi.json").text.replace(stage.server.url, SHOWN_AS))


@pytest.fixture(scope="module")
def described(told: Any) -> OpenAPI:
    return OpenAPI.from_dict(told, config=Config(extra_media_type_deserializers={STRUCTURED: json.loads}))


def operations(document: Any) -> Iterator[tuple[str, str, Any]]:
    for path, methods in document["paths"].items():
        yield from ((path, method, one) for method, one in methods.items())


def test_it_is_an_openapi_document(told: Any) -> None:
    validate(told)
    assert told == openapi.document(SHOWN_AS)


def test_it_tells_every_public_route() -> None:
    """A route that fails here needs an Operation, and a place in `openapi.operations`."""
    routes = {
        (route.path, method.lower())
        for route in api.routes
        if isinstance(route, Route) and route.path.startswith("/api/") and route.path not in NOT_TOLD
        for method in (route.methods or set()) - {"HEAD"}
    }
    assert {(path, method) for path, method, _ in operations(openapi.document(SHOWN_AS))} == routes


def test_it_has_an_example_with_an_answer_for_each() -> None:
    for path, method, one in operations(openapi.document(SHOWN_AS)):
        assert one["responses"]["200"]["content"]["application/json"]["example"], (method, path)
        for parameter in one["parameters"]:
            assert not parameter["required"] or "example" in parameter, (path, parameter["name"])


@pytest.mark.parametrize("operation_id", EXAMPLES)
def test_it_is_answered_as_its_example_says(stage: Stage, told: Any, operation_id: str) -> None:
    one = next(one for _, _, one in operations(told) if one["operationId"] == operation_id)
    shown = one["responses"]["200"]["content"]["application/json"]["example"]
    assert stage.ask(operation_id, EXAMPLES[operation_id]) == shown


@pytest.mark.parametrize("operation_id", EXAMPLES)
def test_its_examples_are_as_it_describes(told: Any, described: OpenAPI, operation_id: str) -> None:
    path, method, one = next(found for found in operations(told) if found[2]["operationId"] == operation_id)
    given = {
        place: {p["name"]: str(p["example"]) for p in one["parameters"] if p["in"] == place and "example" in p}
        for place in ("path", "query", "header")
    }
    kind, body = next(
        ((kind, told["example"]) for kind, told in one.get("requestBody", {}).get("content", {}).items()), ("", None)
    )
    shown = {"Authorization": "Bearer bt_x"} | {
        s["name"]: "x" for s in told["components"]["securitySchemes"].values() if "name" in s
    }
    request = MockRequest(
        SHOWN_AS,
        method,
        path.format(**given["path"]),
        args=given["query"],
        headers=given["header"] | shown,
        data=json.dumps(body).encode() if body else None,
        content_type=kind or "application/json",
    )
    described.validate_request(request)
    answer = one["responses"]["200"]["content"]["application/json"]["example"]
    described.validate_response(request, MockResponse(json.dumps(answer).encode()))
    assert set(answer) <= set(resolved(told, one["responses"]["200"])["properties"]), (
        "the answer has fields that nobody told of"
    )


def resolved(document: Any, response: Any) -> Any:
    name = response["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    return document["components"]["schemas"][name]


def test_it_describes_what_is_refused(stage: Stage, described: OpenAPI) -> None:
    headers = {"Authorization": f"Bearer {stage.secrets['BLAMETRAIL_API_TOKEN']}"}
    none = "00000000-0000-0000-0000-000000000000"
    for path, sent, status in (
        ("/api/v1/deploys?limit=0", headers, 400),
        ("/api/v1/deploys", {}, 401),
        (f"/api/v1/incidents/{none}", headers, 404),
    ):
        answer = httpx.get(stage.server.url + path, headers=sent)
        assert answer.status_code == status and answer.json()["request_id"]
        request = MockRequest(SHOWN_AS, "get", path.partition("?")[0], headers=headers)
        described.validate_response(request, MockResponse(answer.content, status, headers=dict(answer.headers)))


def test_its_page_shows_every_example(stage: Stage) -> None:
    answer = httpx.get(f"{stage.server.url}/api/docs")
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/html")
    page = unescape(re.sub(r"</?code>|<wbr>", "", answer.text)).replace(stage.server.url, SHOWN_AS)
    for path, method, one in operations(openapi.document(SHOWN_AS)):
        assert f"{method.upper()}</span> {path}" in page
        assert one["x-codeSamples"][0]["source"] in page
        content = one["responses"]["200"]["content"]["application/json"]["example"]
        assert json.dumps(content, ensure_ascii=False, indent=2) in page
        assert all(parameter["name"] in page for parameter in one["parameters"])


def test_its_page_runs_nothing_and_asks_nobody(stage: Stage) -> None:
    answer = httpx.get(f"{stage.server.url}/api/docs")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'") and "unsafe" not in policy and "script-src" not in policy
    assert "<script" not in answer.text and " style=" not in answer.text and " onclick" not in answer.text
    assert set(re.findall(r'<(?:link|img)[^>]* (?:href|src)="([^"]+)"', answer.text)) == {"/favicon.svg", "/blametrail.css"}
    links = re.findall(r'href="#([^"]+)"', answer.text)
    assert links and set(links) <= set(re.findall(r'id="([^"]+)"', answer.text))


def test_its_page_is_as_dark_as_the_others() -> None:
    common = (ROOT / "assets" / "blametrail.css").read_text()
    dark = re.search(r":root\.dark \{(.*?)\n\}", common, re.DOTALL)
    assert dark and dark[1] in (ROOT / "blametrail/api/docs.css").read_text()


def test_its_page_tells_what_this_server_is_called(stage: Stage) -> None:
    document = httpx.get(f"{stage.server.url}/api/openapi.json").json()
    assert document["servers"] == [{"url": stage.server.url}]
    assert SHOWN_AS not in {
        source.partition("/api/")[0] for source in (one["x-codeSamples"][0]["source"] for *_, one in operations(document))
    }
