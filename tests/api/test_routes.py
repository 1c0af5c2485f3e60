"""Every route outside the ingest API: listed, authorized, in the API's shape, with its headers."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from starlette.routing import Route

from blametrail.api import v1
from blametrail.api.app import api
from blametrail.incidents.alerts.shapes import SourceKind
from tests.cast import Cast, cast
from tests.running import Server, running

# What each form does when somebody without the right sends it: (who, fields) → status. A new route needs a line.
FORMS: dict[str, tuple[str, dict[str, str], int]] = {
    "/form/setup": ("nobody", {"organization": "x", "email": "x@example.com", "password": "long enough words"}, 409),
    "/form/login": ("nobody", {"email": "alice@example.com", "password": "wrong words"}, 401),
    "/form/logout": ("nobody", {}, 200),
    "/form/invitation": ("nobody", {"token": "inv_wrong"}, 404),
    "/form/join": ("nobody", {"token": "inv_wrong", "password": "long enough words"}, 404),
    "/form/password": ("nobody", {"current_password": "x", "new_password": "y"}, 401),
    "/form/service": ("bob", {"name": "x", "environment": "production", "type": "web"}, 403),
    "/form/rotate": ("bob", {}, 403),
    "/form/connection": ("bob", {"kind": "github", "level": "read", "credential": "token", "secret": "x"}, 403),
    "/form/connection-secret": ("bob", {"secret": "x"}, 403),
    "/form/github-app": ("bob", {"host_url": "", "level": "read"}, 403),
    "/form/alert-source": ("bob", {"name": "x", "kind": "generic"}, 403),
    "/form/alert-token": ("bob", {"source_id": "x"}, 403),
    "/form/alert-secret": ("bob", {"source_id": "x", "secret": "x"}, 403),
    "/form/webhook-secret": ("bob", {"kind": "github"}, 403),
    "/form/monitor": ("bob", {"name": "x"}, 403),
    "/form/maintenance": ("bob", {"minutes": "10"}, 403),
    "/form/api-token": ("bob", {"name": "x"}, 403),
    "/form/invite": ("vera", {"email": "x@example.com", "role": "viewer"}, 403),
}
READ = {reading.operation.path for reading in v1.readings}
NO_ID = "00000000-0000-0000-0000-000000000000"
LED = {f"/form/github-app/{path}" for path in ("leave", "made", "installed")}
SIGNED = {"/api/github/webhook", "/api/gitlab/webhook", *(f"/api/alerts/{kind}" for kind in SourceKind)}
TOLD = {"/api/openapi.json", "/api/docs"}
OPEN = {
    "/livez",
    "/readyz",
    "/api/ingest/deploy",
    "/api/ingest/deploy/test",
    "/api/ingest/change",
    "/api/ingest/cdevents",
    "/api/{rest:path}",
    "/form/{rest:path}",
}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Cast]]:
    with running(tmp_path_factory.mktemp("routes") / "data") as server:
        server.found()
        yield server, cast(server)


def test_it_has_a_case_for_every_route() -> None:
    assert {route.path for route in api.routes if isinstance(route, Route)} == set(FORMS) | READ | LED | SIGNED | TOLD | OPEN


@pytest.mark.parametrize("path", sorted(FORMS))
def test_it_refuses_who_may_not(stage: tuple[Server, Cast], path: str) -> None:
    server, c = stage
    who, fields, status = FORMS[path]
    headers = {"Origin": server.url, "Cookie": c.cookies[who]}
    answer = httpx.post(
        server.url + path, json=fields | ({"service_id": c.service_id} if path == "/form/rotate" else {}), headers=headers
    )
    assert answer.status_code == status, answer.text
    assert answer.headers["x-request-id"] and answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", sorted(READ))
def test_it_reads_nothing_without_an_api_token(stage: tuple[Server, Cast], path: str) -> None:
    server, c = stage
    headers = {"Cookie": c.cookies["alice"], "X-Deploy-Token": c.token}
    ids = {"deploy_id": c.deploy_id, "service_id": c.service_id, "change_id": c.change_id, "incident_id": NO_ID}
    answer = httpx.get(server.url + path.format(**ids), headers=headers)
    assert answer.status_code == 401 and answer.json()["error"]["code"] == "not_signed_in"


@pytest.mark.parametrize("path", sorted(LED))
def test_it_leads_nobody_to_github_who_may_not(stage: tuple[Server, Cast], path: str) -> None:
    server, c = stage
    for who, status in {"nobody": 401, "vera": 403, "bob": 403}.items():
        answer = httpx.get(f"{server.url}{path}?state=x.y&code=1", headers={"Cookie": c.cookies[who]})
        assert answer.status_code == status and "default-src 'none'" in answer.headers["content-security-policy"]


def test_it_rotates_no_token_of_another_organization(stage: tuple[Server, Cast]) -> None:
    server, c = stage
    headers = {"Origin": server.url, "Cookie": c.cookies["charlie"]}
    answer = httpx.post(f"{server.url}/form/rotate", json={"service_id": c.service_id}, headers=headers)
    assert answer.status_code == 404
    assert server.post(c.token).status_code == 200


@pytest.mark.parametrize("path", sorted(FORMS))
def test_it_survives_any_form(stage: tuple[Server, Cast], path: str) -> None:
    server, c = stage
    headers = {"Origin": server.url, "Cookie": c.cookies["alice"], "Content-Type": "application/json"}
    if path in {"/form/logout"}:
        headers["Cookie"] = ""
    for body in (b"", b"[]", b"null", b"{", b'{"email": 1, "token": [], "service_id": {}}', b"\xff\xfe", b"[" * 50_000):
        answer = httpx.post(server.url + path, content=body, headers=headers)
        assert answer.status_code in {200, 400, 401, 404, 409}, (path, body[:20], answer.text)


def test_it_answers_unknown_addresses_in_its_own_shape(stage: tuple[Server, Cast]) -> None:
    server, _ = stage
    for path in ("/api/nothing", "/form/nothing"):
        answer = httpx.get(server.url + path)
        assert answer.status_code == 404 and answer.json()["error"]["code"] == "not_found"
    assert httpx.get(f"{server.url}/no/such/page").status_code == 404


def test_it_says_whether_it_lives_and_is_ready(stage: tuple[Server, Cast]) -> None:
    server, _ = stage
    assert httpx.get(f"{server.url}/livez").json() == {"status": "ok"}
    assert httpx.get(f"{server.url}/readyz").json() == {"status": "ok", "database": "ok"}


def test_it_sends_a_strict_policy_with_every_page(stage: tuple[Server, Cast]) -> None:
    server, _ = stage
    for path in ("/", "/login/", "/deploys/", "/no/such/page", "/services/x"):
        answer = httpx.get(server.url + path, follow_redirects=True)
        policy = answer.headers["content-security-policy"]
        scripts = next(part for part in policy.split("; ") if part.startswith("script-src"))
        assert "'unsafe" not in scripts and "*" not in policy and "frame-ancestors 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_it_lets_no_other_site_read(stage: tuple[Server, Cast]) -> None:
    server, _ = stage
    answer = httpx.get(f"{server.url}/livez", headers={"Origin": "https://evil.example"})
    assert answer.headers.get("access-control-allow-origin") not in {"*", "https://evil.example"}


def test_it_caches_compiled_files_for_long(stage: tuple[Server, Cast]) -> None:
    server, _ = stage
    page = httpx.get(f"{server.url}/login/").text
    asset = page.partition('href="/assets/')[2].partition('"')[0]
    assert "immutable" in httpx.get(f"{server.url}/assets/{asset}").headers["cache-control"]
