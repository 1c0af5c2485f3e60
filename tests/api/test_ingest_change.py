"""The contract of `POST /api/ingest/change`, row by row, over HTTP."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import pytest

from blametrail.changes.events.find import EventFilters, EventView, find_events
from blametrail.kit.db import EVERY_ORGANIZATION
from tests.api.test_ingest import DEFAULT_LIMITS, LARGEST, Desk, Service, _from, _unavailable_database, refused
from tests.running import PASSWORD, Server, running

PATH = "/api/ingest/change"
LEAST = {"kind": "config", "title": "Raise the pool size"}


class ChangeDesk(Desk):
    """Alice, posting change events."""

    def change(self, token: str | None, body: Any = None, **more: Any) -> httpx.Response:
        """Post to the route of changes."""
        return self.post(token, LEAST if body is None else body, path=PATH, **more)

    def events(self, service: Service) -> list[EventView]:
        """Change events of a service, newest first."""
        asked = EventFilters(services=(service.id,))
        found = self._db.read_now(EVERY_ORGANIZATION, find_events, asked).events
        return [event for event in found if not event.is_of_all_services]

    def anywhere(self) -> list[EventView]:
        return list(self._db.read_now(EVERY_ORGANIZATION, find_events, EventFilters()).events)

    def name(self, service: Service) -> str:
        from blametrail.catalog.services import names

        return self._db.read_now(EVERY_ORGANIZATION, names)[service.id]


@pytest.fixture(scope="module")
def desk(server: Server) -> Iterator[ChangeDesk]:
    with closing(ChangeDesk(server, server.sign_in())) as desk:
        yield desk


@pytest.fixture
def shop(desk: ChangeDesk) -> Service:
    return desk.service()


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChangeDesk]:
    """A server with the limits that are the default."""
    with running(tmp_path_factory.mktemp("limited") / "data", **DEFAULT_LIMITS) as server:
        owner = httpx.Client()
        founded = server.form(owner, "setup", organization="Acme", name="Alice", email="alice@example.com", password=PASSWORD)
        assert founded.status_code == 200
        with closing(ChangeDesk(server, owner)) as desk:
            yield desk


def accepted(response: httpx.Response) -> UUID:
    """The id of an accepted change event."""
    assert response.status_code == 200, response.text
    assert response.headers["X-Request-Id"]
    assert set(response.json()) == {"status", "change_event_id"} and response.json()["status"] == "accepted"
    return UUID(response.json()["change_event_id"])


def test_it_keeps_every_field_as_sent(desk: ChangeDesk, shop: Service) -> None:
    other = desk.service("staging")
    names = sorted([desk.name(shop), desk.name(other)])
    body = {
        "kind": "feature_flag",
        "title": "  New checkout for 10 % ",
        "description": "All of Europe.\n\n<b>Careful</b> 💥",
        "started_at": "2026-01-31T15:02:00.25+01:00",
        "ended_at": "2026-01-31T16:00:00Z",
        "services": [names[0].upper(), names[1], names[0]],
        "environments": ["production", "canary", "production"],
        "who": "ann",
        "url": "https://flags.example.com/7",
        "labels": {"flag": "new-checkout", "share": "10"},
        "reverts": "flag change 6",
        "unknown": [{}],
    }
    made = accepted(desk.change(shop.token, body))
    (event,) = desk.events(shop)
    assert event.id == str(made) and event == desk.events(other)[0]
    assert (event.kind, event.title, event.description) == ("feature_flag", "New checkout for 10 %", body["description"])
    assert event.started_at == datetime(2026, 1, 31, 14, 2, 0, 250_000, UTC)
    assert event.ended_at == datetime(2026, 1, 31, 16, tzinfo=UTC)
    assert [name for _, name in event.services] == sorted(names, key=str.lower)
    assert event.environments == ("canary", "production")
    assert (event.who, event.url, event.reverts, event.reverts_href) == ("ann", body["url"], "flag change 6", "")
    assert event.labels == (("flag", "new-checkout"), ("share", "10"))


def test_it_takes_the_tokens_own_service_and_its_environment_where_none_is_named(desk: ChangeDesk) -> None:
    staging = desk.service("staging")
    before = datetime.now(UTC)
    accepted(desk.change(staging.token))
    (event,) = desk.events(staging)
    assert [id_ for id_, _ in event.services] == [str(staging.id)] and event.environments == ("staging",)
    assert before <= event.started_at <= datetime.now(UTC) and event.ended_at is None
    assert event.source == desk.name(staging)


def test_it_takes_the_environments_of_the_services_that_are_named(desk: ChangeDesk, shop: Service) -> None:
    staging = desk.service("staging")
    accepted(desk.change(shop.token, LEAST | {"services": [desk.name(staging)]}))
    assert desk.events(shop) == [] and desk.events(staging)[0].environments == ("staging",)


def test_it_is_of_all_services_when_the_list_is_empty(desk: ChangeDesk, shop: Service) -> None:
    made = accepted(desk.change(shop.token, LEAST | {"services": [], "environments": []}))
    event = next(event for event in desk.anywhere() if event.id == str(made))
    assert event.is_of_all_services and event.services == () and event.environments == ()


def test_it_ends_what_began_unsaid_when_it_ended(desk: ChangeDesk, shop: Service) -> None:
    accepted(desk.change(shop.token, LEAST | {"ended_at": "2026-01-31T16:00:00Z"}))
    assert desk.events(shop)[0].started_at == datetime(2026, 1, 31, 16, tzinfo=UTC)


def test_it_leads_to_what_an_event_reverts(desk: ChangeDesk, shop: Service) -> None:
    deploy = desk.post(shop.token).json()["deploy_id"]
    accepted(desk.change(shop.token, LEAST | {"reverts": deploy}))
    assert desk.events(shop)[0].reverts_href == f"/deploys/{deploy}"
    first = accepted(desk.change(shop.token))
    accepted(desk.change(shop.token, LEAST | {"reverts": str(first).upper()}))
    assert desk.events(shop)[0].reverts_href == f"/changes/events?event={first}"


@pytest.mark.parametrize("kind", ["feature_flag", "config", "infrastructure", "database", "other"])
def test_it_takes_each_kind(desk: ChangeDesk, shop: Service, kind: str) -> None:
    accepted(desk.change(shop.token, LEAST | {"kind": kind}))
    assert [event.kind for event in desk.events(shop)] == [kind]


OPTIONAL = ("description", "started_at", "ended_at", "services", "environments", "who", "url", "labels", "reverts")


@pytest.mark.parametrize("name", OPTIONAL)
def test_it_takes_null_as_missing(desk: ChangeDesk, shop: Service, name: str) -> None:
    accepted(desk.change(shop.token, LEAST | {name: None}))
    assert len(desk.events(shop)) == 1


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"kind", "title"}),
        ({"kind": "flag", "title": "x"}, {"kind"}),
        ({"kind": ["config"], "title": "x"}, {"kind"}),
        ({"kind": None, "title": None}, {"kind", "title"}),
        (LEAST | {"title": " "}, {"title"}),
        (LEAST | {"title": "x" * 301}, {"title"}),
        (LEAST | {"title": 7, "description": [], "who": {}, "url": 1, "reverts": True}, {"title", "description", "who", "url", "reverts"}),
        (LEAST | {"who": "x" * 301, "reverts": "x" * 301, "url": "x" * 2_049}, {"who", "reverts", "url"}),
        (LEAST | {"started_at": "yesterday", "ended_at": "2026-01-31T14:02:00"}, {"started_at", "ended_at"}),
        (LEAST | {"started_at": "2026-01-31T14:02:00Z", "ended_at": "2026-01-31T14:01:59Z"}, {"ended_at"}),
        (LEAST | {"services": "shop"}, {"services"}),
        (LEAST | {"services": ["", 7, None]}, {"services.0", "services.1", "services.2"}),
        (LEAST | {"services": ["x"] * 101}, {"services"}),
        (LEAST | {"services": ["no such service"]}, {"services.0"}),
        (LEAST | {"environments": {"production": True}}, {"environments"}),
        (LEAST | {"environments": ["production", "x" * 101]}, {"environments.1"}),
        (LEAST | {"environments": ["x"] * 21}, {"environments"}),
        (LEAST | {"labels": []}, {"labels"}),
        (LEAST | {"labels": {"a": 7, "b": "x" * 1_001}}, {"labels.a", "labels.b"}),
        (LEAST | {"labels": {str(n): "" for n in range(51)}}, {"labels"}),
        (LEAST | {"title": "a\0b", "labels": {"a": "\ud800"}, "environments": ["\0"]}, {"title", "labels.a", "environments.0"}),
    ],
)  # fmt: skip
def test_it_names_what_is_wrong_and_stores_nothing(desk: ChangeDesk, shop: Service, body: Any, fields: set[str]) -> None:
    assert refused(desk.change(shop.token, body, key="run-1"), 400) == fields
    assert desk.events(shop) == []
    accepted(desk.change(shop.token, key="run-1"))


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{", b"\xff", b'{"kind": "config", "title": NaN}', b"[" * 50_000])
def test_it_refuses_what_is_no_json_object(desk: ChangeDesk, shop: Service, body: bytes) -> None:
    assert refused(desk.change(shop.token, body), 400) == {"body"}


@pytest.mark.parametrize("kind", ["", "text/plain", "application/cloudevents+json", "application/x-www-form-urlencoded"])
def test_it_refuses_another_content_type(desk: ChangeDesk, shop: Service, kind: str) -> None:
    assert refused(desk.change(shop.token, headers={"Content-Type": kind}), 400) == {"Content-Type"}
    assert desk.events(shop) == []


def test_it_answers_the_first_event_to_a_repeated_key(desk: ChangeDesk, shop: Service) -> None:
    first = accepted(desk.change(shop.token, key="run-1"))
    again = desk.change(shop.token, LEAST | {"title": "Other"}, key="run-1")
    assert again.status_code == 200 and again.json() == {"status": "duplicate", "change_event_id": str(first)}
    assert [event.title for event in desk.events(shop)] == [LEAST["title"]]
    assert refused(desk.change(shop.token, key="k" * 256), 400) == {"X-Idempotency-Key"}


def test_it_makes_one_event_of_copies_that_come_together(desk: ChangeDesk, shop: Service) -> None:
    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(lambda _: desk.change(shop.token, key="run-1"), range(50)))
    assert {answer.status_code for answer in answers} == {200}
    assert sorted(answer.json()["status"] for answer in answers) == ["accepted", *["duplicate"] * 49]
    assert len({answer.json()["change_event_id"] for answer in answers}) == len(desk.events(shop)) == 1


def test_it_keeps_the_keys_of_deploys_and_of_other_services_apart(desk: ChangeDesk, shop: Service) -> None:
    assert desk.post(shop.token, key="run-1").json()["status"] == "accepted"
    first = accepted(desk.change(shop.token, key="run-1"))
    assert accepted(desk.change(desk.service().token, key="run-1")) != first
    assert accepted(desk.change(shop.token)) != accepted(desk.change(shop.token))


@pytest.mark.parametrize("token", [None, "", "dpl_unknown", "x" * 5_000])
def test_it_refuses_an_unknown_token_before_the_content(desk: ChangeDesk, token: str | None) -> None:
    for body in (LEAST, b"{"):
        refused(desk.change(token, body, key="k" * 300, headers={"Content-Type": "text/plain"}), 401)


def test_it_refuses_a_rotated_token_at_once(desk: ChangeDesk, shop: Service) -> None:
    new = desk.rotate(shop)
    refused(desk.change(shop.token), 401)
    assert desk.events(shop) == []
    accepted(desk.change(new))


def test_it_refuses_bodies_beyond_the_limit_and_compressed_ones_before_the_token(desk: ChangeDesk) -> None:
    refused(desk.change(None, b"x" * (LARGEST + 1)), 413)
    refused(desk.change(None, b"\x1f\x8b", headers={"Content-Encoding": "gzip"}), 413)


def test_it_refuses_one_request_too_many_in_a_minute(limited: ChangeDesk) -> None:
    service = limited.service()
    with _from(limited.server, "127.0.0.20") as client:
        headers = {"X-Deploy-Token": service.token}
        statuses = [client.post(PATH, json=LEAST, headers=headers).status_code for _ in range(60)]
        assert statuses == [200] * 60
        over = client.post(PATH, json=LEAST, headers=headers)
        refused(over, 429)
        assert 1 <= int(over.headers["Retry-After"]) <= 60
        assert client.post("/api/ingest/deploy", json={"commit_sha": "a"}, headers=headers).status_code == 200
        refused(client.post(PATH, content=b"x" * (LARGEST + 1)), 413)
    until = time.monotonic() + 10
    while limited.log(service)[0].status != 413 and time.monotonic() < until:
        time.sleep(0.02)
    assert [(e.route, e.status) for e in limited.log(service) if e.status == 429] == [("change", 429)]


@pytest.mark.slow
def test_it_says_when_it_cannot_store(desk: ChangeDesk, shop: Service) -> None:
    with _unavailable_database(desk.server):
        refused(desk.change(shop.token, key="run-1"), 503)
    assert desk.events(shop) == []
    accepted(desk.change(shop.token, key="run-1"))


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_it_takes_posts_only(desk: ChangeDesk, method: str) -> None:
    answer = desk.http.request(method, PATH)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")


def test_it_logs_what_came_of_each_post(desk: ChangeDesk, shop: Service) -> None:
    answers = [
        desk.change(shop.token, key="run-1"),
        desk.change(shop.token, key="run-1"),
        desk.change(shop.token, {"kind": "config", "title": "password=hunter2", "who": 7}),
        desk.change(shop.token, LEAST | {"services": ["nobody"]}),
    ]
    entries = desk.log(shop)[::-1]
    assert [(e.status, e.request_id) for e in entries] == [(a.status_code, a.headers["X-Request-Id"]) for a in answers]
    assert {e.route for e in entries} == {"change"}
    for entry, words in zip(entries, ("accepted", "duplicate", "who", "services.0"), strict=True):
        assert words in entry.reason
    assert all("hunter2" not in e.body and not e.deploy_id for e in entries)
