"""The contract of `POST /api/ingest/deploy`, row by row, over HTTP."""

from __future__ import annotations

import json
import os
import random
import socket
import sqlite3
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.client import HTTPResponse
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from blametrail.deploys.delivery_log import DeliveryView, list_deliveries
from blametrail.deploys.tables import Deploy, DeployCommit
from blametrail.kit.db import EVERY_ORGANIZATION, Database, select
from blametrail.settings import Settings
from tests.running import PASSWORD, Server, running

PATH = "/api/ingest/deploy"
LARGEST = 102_400
DEFAULT_LIMITS = {"BLAMETRAIL_INGEST_RATE_LIMIT": "", "BLAMETRAIL_TEST_RATE_LIMIT": ""}
OPTIONAL_TEXTS = (
    "commit_message",
    "branch",
    "deployed_by",
    "environment",
    "version",
    "description",
    "url",
    "previous_commit_sha",
)
UNBOUNDED_TEXTS = ("commit_message", "branch", "deployed_by", "version", "description")


@dataclass
class Service:
    id: UUID
    token: str
    environment: str = "production"


class Desk:
    """Alice at a running server: makes services, posts to them, and looks into the database."""

    def __init__(self, server: Server, owner: httpx.Client) -> None:
        self.server, self._owner = server, owner
        self.http = httpx.Client(base_url=server.url, timeout=30)
        url = Settings(data_dir=server.data_dir, database_url=server.settings.get("BLAMETRAIL_DATABASE_URL", "")).sqlalchemy_url
        self._db = Database(url)

    def close(self) -> None:
        self._db.close()
        self.http.close()
        self._owner.close()

    def service(self, environment: str = "production") -> Service:
        made = self.server.form(
            self._owner, "service", name=f"Ingest {uuid4().hex[:8]}", environment=environment, type="web"
        ).json()
        return Service(UUID(made["secret_of"]), made["secret"], environment)

    def rotate(self, service: Service) -> str:
        """The new token; the service's own stays the old one."""
        told = self.server.form(self._owner, "rotate", service_id=str(service.id))
        new: str = told.json()["secret"]
        return new

    def post(
        self,
        token: str | None,
        body: Any = None,
        *,
        key: str | None = None,
        route: str = "",
        headers: Mapping[str, str] | None = None,
        path: str = PATH,
    ) -> httpx.Response:
        """Post bytes as they are, anything else as JSON."""
        content = body if isinstance(body, bytes) else json.dumps({"commit_sha": "abc1234"} if body is None else body).encode()
        sent = {"Content-Type": "application/json"} | ({} if token is None else {"X-Deploy-Token": token})
        sent |= {} if key is None else {"X-Idempotency-Key": key}
        return self.http.post(path + route, content=content, headers=sent | dict(headers or {}))

    def deploys(self, service: Service) -> list[Deploy]:
        chosen = select(Deploy).where(Deploy.service_id == service.id)
        return list(self._db.read_now(EVERY_ORGANIZATION, lambda s: s.exec(chosen).all()))

    def commits(self, deploy: Deploy) -> list[DeployCommit]:
        chosen = select(DeployCommit).where(DeployCommit.deploy_id == deploy.id).order_by("position")
        return list(self._db.read_now(EVERY_ORGANIZATION, lambda s: s.exec(chosen).all()))

    def log(self, service: Service, at_least: int = 0) -> list[DeliveryView]:
        """The delivery log; what is refused unread is written a moment after the answer."""
        until = time.monotonic() + 10
        while True:
            entries = list(self._db.read_now(EVERY_ORGANIZATION, list_deliveries, service.id).deliveries)
            if len(entries) >= at_least or time.monotonic() > until:
                return entries
            time.sleep(0.02)


@pytest.fixture(scope="module")
def desk(server: Server) -> Iterator[Desk]:
    with closing(Desk(server, server.sign_in())) as desk:
        yield desk


@pytest.fixture
def shop(desk: Desk) -> Service:
    return desk.service()


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A server with the limits that are the default."""
    with running(tmp_path_factory.mktemp("limited") / "data", **DEFAULT_LIMITS) as server:
        owner = httpx.Client()
        founded = server.form(owner, "setup", organization="Acme", name="Alice", email="alice@example.com", password=PASSWORD)
        assert founded.status_code == 200
        with closing(Desk(server, owner)) as desk:
            yield desk


@pytest.fixture(scope="module")
def behind_proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that trusts one proxy in front of it."""
    with running(tmp_path_factory.mktemp("proxied") / "data", BLAMETRAIL_TRUSTED_PROXY_HOPS="1", **DEFAULT_LIMITS) as server:
        yield server


def accepted(response: httpx.Response) -> UUID:
    """The id of an accepted deploy."""
    assert response.status_code == 200, response.text
    assert response.headers["X-Request-Id"]
    assert set(response.json()) == {"status", "deploy_id"}
    assert response.json()["status"] == "accepted"
    return UUID(response.json()["deploy_id"])


def refused(response: httpx.Response, status: int) -> set[str]:
    """Check the one shape of errors; answers the fields that are named."""
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == "application/json"
    body = response.json()
    assert set(body) == {"error", "request_id"}
    assert body["request_id"] == response.headers["X-Request-Id"] != ""
    assert set(body["error"]) == {"code", "message"} | ({"fields"} if status == 400 else set())
    assert body["error"]["code"]
    assert body["error"]["message"]
    waits = response.headers.get("Retry-After")
    assert waits is None if status not in {429, 503} else waits and waits.isdigit() and int(waits) >= 1
    fields = body["error"].get("fields", [])
    assert all(set(one) == {"field", "message"} and one["message"] for one in fields)
    assert bool(fields) == (status == 400)
    return {one["field"] for one in fields}


def send_raw(server: Server, *lines: str, body: bytes = b"", seconds: float = 5, source: str = "127.0.0.1") -> httpx.Response:
    """Send exactly these header lines and bytes, keep the connection open, and read the answer."""
    with socket.create_connection(("127.0.0.1", server.port), seconds, (source, 0)) as connection:
        head = "\r\n".join([f"POST {PATH} HTTP/1.1", "Host: blametrail", "Content-Type: application/json", *lines, "", ""])
        connection.sendall(head.encode("latin-1") + body)
        answer = HTTPResponse(connection, method="POST")
        answer.begin()
        return httpx.Response(answer.status, headers=answer.getheaders(), content=answer.read())


# Fields


def test_it_keeps_every_field_as_sent(desk: Desk, shop: Service) -> None:
    commits = [
        {"sha": "abc1234", "message": "Fix it", "author": "Ann", "timestamp": "2026-01-31T14:00:00Z"},
        {"sha": "def5678", "message": "Break it", "author": "Bob", "timestamp": "2026-01-31T13:00:00+01:00"},
    ]
    body = {
        "commit_sha": "abc1234",
        "commit_message": "Fix it",
        "branch": "main",
        "deployed_by": "ann",
        "environment": "staging",
        "version": "v1.4.0",
        "description": "Friday",
        "url": "https://ci.example.com/1",
        "commits": commits,
        "deployed_at": "2026-01-31T15:02:00.25+01:00",
        "previous_commit_sha": "0000000",
    }
    before = datetime.now(UTC)
    made = accepted(desk.post(shop.token, body))
    (row,) = desk.deploys(shop)
    assert row.id == made
    for name in ("commit_sha", *OPTIONAL_TEXTS[:-1]):
        assert getattr(row, name) == body[name]
    assert row.stated_previous_sha == "0000000"
    assert row.deployed_at == datetime(2026, 1, 31, 14, 2, 0, 250_000, UTC)
    assert before <= row.received_at <= datetime.now(UTC)
    kept = [(c.sha, c.message, c.author, c.authored_at) for c in desk.commits(row)]
    assert kept == [
        ("abc1234", "Fix it", "Ann", datetime(2026, 1, 31, 14, tzinfo=UTC)),
        ("def5678", "Break it", "Bob", datetime(2026, 1, 31, 12, tzinfo=UTC)),
    ]


def test_it_keeps_a_long_commit_message_intact(desk: Desk, shop: Service) -> None:
    message = ("\"Quoted\" 'twice' `$(thrice)` \\n\r\n\ttabs\n\n💥👩‍👩‍👧 <b>é</b>\u2028" * 400)[:20_000] + "\n"
    accepted(desk.post(shop.token, {"commit_sha": "abc1234", "commit_message": message}))
    assert [row.commit_message for row in desk.deploys(shop)] == [message]


@pytest.mark.parametrize("name", [*OPTIONAL_TEXTS, "commits", "deployed_at"])
def test_it_takes_null_as_missing(desk: Desk, shop: Service, name: str) -> None:
    accepted(desk.post(shop.token, {"commit_sha": "abc1234", name: None}))
    accepted(desk.post(shop.token, {"commit_sha": "abc1234"}))
    with_null, without = ({**row.model_dump(include={*OPTIONAL_TEXTS[:-1], "commit_count"})} for row in desk.deploys(shop))
    assert with_null == without


def test_it_takes_null_in_commits(desk: Desk, shop: Service) -> None:
    commit = {"sha": "abc1234", "message": None, "author": None, "timestamp": None}
    accepted(desk.post(shop.token, {"commit_sha": "abc1234", "commits": [commit]}))


def test_it_ignores_unknown_fields(desk: Desk, shop: Service) -> None:
    body = {
        "commit_sha": "abc1234",
        "id": "x",
        "service_id": 7,
        "": [],
        "commits": [{"sha": "abc1234", "files": {"a": [None]}}],
    }
    made = accepted(desk.post(shop.token, body))
    assert [(row.id, row.service_id) for row in desk.deploys(shop)] == [(made, shop.id)]


@pytest.mark.parametrize("value", [7, 1.5, True, [], ["a"], {}, {"a": "b"}])
@pytest.mark.parametrize("name", ["commit_sha", *OPTIONAL_TEXTS])
def test_it_refuses_what_is_no_text(desk: Desk, shop: Service, name: str, value: Any) -> None:
    assert refused(desk.post(shop.token, {"commit_sha": "abc1234", name: value}), 400) == {name}
    assert desk.deploys(shop) == []


@pytest.mark.parametrize("body", [{}, {"commit_sha": None}, {"commit_sha": ""}, {"commit_sha": "a" * 256}, {"branch": "main"}])
def test_it_refuses_a_body_without_a_commit(desk: Desk, shop: Service, body: dict[str, Any]) -> None:
    assert refused(desk.post(shop.token, body), 400) == {"commit_sha"}
    assert desk.deploys(shop) == []


@pytest.mark.parametrize("sha", ["a", "a" * 255, "💥" * 255])
def test_it_takes_commits_of_1_to_255_characters(desk: Desk, shop: Service, sha: str) -> None:
    accepted(desk.post(shop.token, {"commit_sha": sha}))
    assert [row.commit_sha for row in desk.deploys(shop)] == [sha]


def test_it_takes_addresses_of_up_to_2048_characters(desk: Desk, shop: Service) -> None:
    url = "https://example.com/".ljust(2_048, "x")
    accepted(desk.post(shop.token, {"commit_sha": "abc1234", "url": url}))
    assert refused(desk.post(shop.token, {"commit_sha": "abc1234", "url": url + "x"}), 400) == {"url"}
    assert [row.url for row in desk.deploys(shop)] == [url]


@pytest.mark.parametrize("name", UNBOUNDED_TEXTS)
def test_it_takes_texts_of_any_length(desk: Desk, shop: Service, name: str) -> None:
    text = random.Random(name).randbytes(20_000).hex()
    accepted(desk.post(shop.token, {"commit_sha": "abc1234", name: text}))
    assert [getattr(row, name) for row in desk.deploys(shop)] == [text]


def test_it_takes_a_long_environment_or_says_why_not(desk: Desk, shop: Service) -> None:
    text = random.Random("environment").randbytes(20_000).hex()
    response = desk.post(shop.token, {"commit_sha": "abc1234", "environment": text})
    if response.status_code == 200:
        assert [row.environment for row in desk.deploys(shop)] == [text]
    else:
        assert refused(response, 400) == {"environment"}
        assert desk.deploys(shop) == []


def test_it_takes_100_commits_and_no_more(desk: Desk, shop: Service) -> None:
    commits = [{"sha": f"{n:07}"} for n in range(101)]
    accepted(desk.post(shop.token, {"commit_sha": "0000000", "commits": commits[:100]}))
    assert refused(desk.post(shop.token, {"commit_sha": "0000000", "commits": commits}), 400) == {"commits"}
    (row,) = desk.deploys(shop)
    assert [c.sha for c in desk.commits(row)] == [c["sha"] for c in commits[:100]]


@pytest.mark.parametrize(
    ("commits", "fields"),
    [
        ("abc", {"commits"}),
        ({"sha": "abc"}, {"commits"}),
        (7, {"commits"}),
        ([{"sha": "a"}, {"sha": "a"}, {"sha": "a"}, {"message": "m"}], {"commits.3.sha"}),
        ([{"sha": None}], {"commits.0.sha"}),
        ([{"sha": ""}], {"commits.0.sha"}),
        ([{"sha": 7}], {"commits.0.sha"}),
        ([{"sha": "a", "message": 7}], {"commits.0.message"}),
        ([{"sha": "a", "author": ["Ann"]}], {"commits.0.author"}),
        ([{"sha": "a", "timestamp": 1_769_868_000}], {"commits.0.timestamp"}),
        ([{"sha": "a", "timestamp": "yesterday"}], {"commits.0.timestamp"}),
        ([{"sha": "a"}, None, "abc"], {"commits.1", "commits.2"}),
        ([{"author": 7, "timestamp": "?"}], {"commits.0.sha", "commits.0.author", "commits.0.timestamp"}),
    ],
)
def test_it_names_what_is_wrong_with_commits(desk: Desk, shop: Service, commits: Any, fields: set[str]) -> None:
    assert refused(desk.post(shop.token, {"commit_sha": "abc1234", "commits": commits}), 400) == fields
    assert desk.deploys(shop) == []


@pytest.mark.parametrize(
    ("timestamp", "moment"),
    [
        ("2026-01-31T14:02:00Z", datetime(2026, 1, 31, 14, 2, tzinfo=UTC)),
        ("2026-01-31T14:02:00-05:30", datetime(2026, 1, 31, 19, 32, tzinfo=UTC)),
        ("2026-01-31T14:02:00", datetime(2026, 1, 31, 14, 2, tzinfo=UTC)),
        ("2026-01-31", datetime(2026, 1, 31, tzinfo=UTC)),
    ],
)
def test_it_takes_the_time_of_a_commit_with_or_without_zone(
    desk: Desk, shop: Service, timestamp: str, moment: datetime
) -> None:
    accepted(desk.post(shop.token, {"commit_sha": "abc1234", "commits": [{"sha": "abc1234", "timestamp": timestamp}]}))
    (row,) = desk.deploys(shop)
    assert [c.authored_at for c in desk.commits(row)] == [moment]


@pytest.mark.parametrize(
    ("sent", "moment"),
    [
        ("2026-01-31T14:02:00Z", datetime(2026, 1, 31, 14, 2, tzinfo=UTC)),
        ("2026-01-31T14:02:00.123456+02:00", datetime(2026, 1, 31, 12, 2, 0, 123456, UTC)),
        ("20260131T140200+0000", datetime(2026, 1, 31, 14, 2, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
        ("9999-12-31T23:59:59Z", datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_it_takes_the_time_of_a_deploy_with_its_zone(desk: Desk, shop: Service, sent: str, moment: datetime) -> None:
    accepted(desk.post(shop.token, {"commit_sha": "abc1234", "deployed_at": sent}))
    assert [row.deployed_at for row in desk.deploys(shop)] == [moment]


@pytest.mark.parametrize(
    "sent",
    [
        "2026-01-31T14:02:00",
        "2026-01-31",
        "",
        "now",
        "\ud800",
        "2026-13-31T14:02:00Z",
        "0001-01-01T00:00:00+14:00",
        1_769_868_000,
        True,
        [],
    ],
)
def test_it_refuses_a_time_of_deploy_without_zone(desk: Desk, shop: Service, sent: Any) -> None:
    assert refused(desk.post(shop.token, {"commit_sha": "abc1234", "deployed_at": sent}), 400) == {"deployed_at"}


def test_it_takes_the_time_of_receipt_when_none_is_sent(desk: Desk, shop: Service) -> None:
    accepted(desk.post(shop.token))
    (row,) = desk.deploys(shop)
    assert row.deployed_at == row.received_at
    assert abs(datetime.now(UTC) - row.received_at) < timedelta(minutes=1)


@pytest.mark.parametrize("sent", [{}, {"environment": None}, {"environment": ""}, {"environment": "  "}])
def test_it_takes_the_environment_of_the_service_when_none_is_sent(desk: Desk, sent: dict[str, Any]) -> None:
    staging = desk.service("staging")
    accepted(desk.post(staging.token, {"commit_sha": "abc1234", **sent}))
    assert [row.environment for row in desk.deploys(staging)] == ["staging"]


def test_it_names_every_wrong_field_at_once(desk: Desk, shop: Service) -> None:
    body = {"commit_sha": 7, "branch": [], "url": "x" * 2_049, "commits": [{}], "deployed_at": "today"}
    assert refused(desk.post(shop.token, body), 400) == {"commit_sha", "branch", "url", "commits.0.sha", "deployed_at"}


# Content


@pytest.mark.parametrize(
    "kind",
    [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/jsonp",
        "text/json",
        "multipart/form-data; boundary=x",
    ],
)
def test_it_refuses_another_content_type(desk: Desk, shop: Service, kind: str) -> None:
    assert refused(desk.post(shop.token, headers={"Content-Type": kind}), 400) == {"Content-Type"}
    assert desk.deploys(shop) == []


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "Application/JSON"])
def test_it_takes_json_however_it_is_announced(desk: Desk, shop: Service, kind: str) -> None:
    accepted(desk.post(shop.token, headers={"Content-Type": kind}))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"null",
        b"7",
        b"[]",
        b'"abc1234"',
        b"{",
        b"{'commit_sha': 'abc1234'}",
        b'{"commit_sha": "abc1234",}',
        b'{"commit_sha": "abc1234"} {}',
        b'\xef\xbb\xbf{"commit_sha": "abc1234"}',
        '{"commit_sha": "abc1234"}'.encode("utf-16"),
        b'{"commit_sha": "abc\xff1234"}',
        b'{"commit_sha": "abc\xc0\x80"}',
        b'{"commit_sha": "abc\xed\xa0\x80"}',
        b'{"commit_sha": "abc\x001234"}',
        b'{"commit_sha": "abc1234", "build": NaN}',
        b'{"commit_sha": "abc1234", "build": -Infinity}',
        b"[" * 50_000,
        b"[" * 50_000 + b"]" * 50_000,
        b'{"commit_sha": "abc1234", "build": ' + b"[" * 50_000 + b"]" * 50_000 + b"}",
        b'{"a":' * 15_000,
    ],
    ids=lambda body: repr(body[:30]),
)
def test_it_refuses_what_is_no_json_object(desk: Desk, shop: Service, body: bytes) -> None:
    assert refused(desk.post(shop.token, body, key="run-1"), 400) == {"body"}
    assert desk.deploys(shop) == []
    accepted(desk.post(shop.token, key="run-1"))


@pytest.mark.parametrize("text", ["\ud800", "a\udfffb", "\0", "a\0b"])
@pytest.mark.parametrize("name", ["commit_sha", *OPTIONAL_TEXTS])
def test_it_refuses_text_that_cannot_be_kept(desk: Desk, shop: Service, name: str, text: str) -> None:
    assert refused(desk.post(shop.token, {"commit_sha": "abc1234", name: text}), 400) == {name}
    commits = [{"sha": "a", "author": text}]
    assert refused(desk.post(shop.token, {"commit_sha": "abc1234", "commits": commits}), 400) == {"commits.0.author"}


@pytest.mark.parametrize(
    "body",
    [
        b'{"commit_sha": "abc1234", "build": ' + b"7" * 5_000 + b"}",
        b'{"commit_sha": "abc1234", "build": [1e999, 0.1, -0, 1E-400]}',
        b'{"commit_sha": "abc1234", "\\ud800": "\\u0000\\udfff"}',
        b'{"commit_sha": "first", "commit_sha": "abc1234"}',
        b'\r\n\t {"commit_sha": "\\u0061bc1234"} ',
    ],
    ids=lambda body: repr(body[:30]),
)
def test_it_takes_odd_json_that_is_valid(desk: Desk, shop: Service, body: bytes) -> None:
    accepted(desk.post(shop.token, body))
    assert [row.commit_sha for row in desk.deploys(shop)] == ["abc1234"]


def test_it_refuses_a_huge_number_for_a_text(desk: Desk, shop: Service) -> None:
    assert refused(desk.post(shop.token, b'{"commit_sha": ' + b"7" * 5_000 + b"}"), 400) == {"commit_sha"}


# Keys


def test_it_answers_the_first_deploy_to_a_repeated_key(desk: Desk, shop: Service) -> None:
    first = accepted(desk.post(shop.token, {"commit_sha": "first"}, key="run-1"))
    for body in ({"commit_sha": "first"}, {"commit_sha": "other", "environment": "staging"}):
        again = desk.post(shop.token, body, key="run-1")
        assert again.status_code == 200
        assert again.json() == {"status": "duplicate", "deploy_id": str(first)}
    assert [row.commit_sha for row in desk.deploys(shop)] == ["first"]


def test_it_does_not_burn_a_key_by_a_refusal(desk: Desk, shop: Service) -> None:
    for body in ({}, b"{", {"commit_sha": "abc1234", "url": 7}):
        assert refused(desk.post(shop.token, body, key="run-1"), 400)
    assert desk.post(shop.token, key="run-1", route="/test").status_code == 200
    accepted(desk.post(shop.token, key="run-1"))


def test_it_makes_another_deploy_for_the_same_key_of_another_service(desk: Desk, shop: Service) -> None:
    other = desk.service()
    assert accepted(desk.post(shop.token, key="run-1")) != accepted(desk.post(other.token, key="run-1"))


def test_it_makes_another_deploy_for_the_same_key_after_a_rotation(desk: Desk, shop: Service) -> None:
    first = accepted(desk.post(shop.token, key="run-1"))
    assert accepted(desk.post(desk.rotate(shop), key="run-1")) != first


def test_it_makes_a_deploy_of_each_post_without_a_key(desk: Desk, shop: Service) -> None:
    assert accepted(desk.post(shop.token)) != accepted(desk.post(shop.token)) != accepted(desk.post(shop.token, key=""))


@pytest.mark.parametrize("route", ["", "/test"])
def test_it_takes_keys_of_up_to_255_characters(desk: Desk, shop: Service, route: str) -> None:
    assert desk.post(shop.token, key="k" * 255, route=route).status_code == 200
    assert refused(desk.post(shop.token, key="k" * 256, route=route), 400) == {"X-Idempotency-Key"}


# Tokens


@pytest.mark.parametrize("token", [None, "", "dpl_unknown", "x" * 5_000])
@pytest.mark.parametrize("route", ["", "/test"])
def test_it_refuses_an_unknown_token(desk: Desk, token: str | None, route: str) -> None:
    refused(desk.post(token, route=route), 401)


def test_it_refuses_a_token_of_odd_bytes(desk: Desk) -> None:
    refused(send_raw(desk.server, "X-Deploy-Token: \xff\xfe", "Content-Length: 2", body=b"{}"), 401)


def test_it_refuses_a_rotated_token_at_once(desk: Desk, shop: Service) -> None:
    new = desk.rotate(shop)
    refused(desk.post(shop.token), 401)
    assert desk.deploys(shop) == []
    accepted(desk.post(new))


# Size


def test_it_takes_a_body_of_exactly_the_largest_size(desk: Desk, shop: Service) -> None:
    body = b'{"commit_sha": "abc1234", "commit_message": "%s"}'
    body %= b"x" * (LARGEST - len(body) + 2)
    assert len(body) == LARGEST
    accepted(desk.post(shop.token, body))
    refused(desk.post(shop.token, body + b" "), 413)


@pytest.mark.parametrize("length", [LARGEST + 1, 10**9, 10**30])
def test_it_refuses_a_declared_length_before_reading_and_before_the_token(desk: Desk, length: int) -> None:
    answer = send_raw(desk.server, f"Content-Length: {length}", body=b"{")
    # Numbers that no machine counts to are refused by the HTTP parser, in its own words.
    assert answer.status_code == 400 if length > 2**64 else refused(answer, 413) == set()


def test_it_refuses_chunks_beyond_the_limit_before_their_end_and_before_the_token(desk: Desk) -> None:
    chunks = [b"8000\r\n" + b" " * 0x8000 + b"\r\n"] * 3 + [b"2000\r\n" + b" " * 0x1001]
    refused(send_raw(desk.server, "Transfer-Encoding: chunked", body=b"".join(chunks)), 413)


def test_it_takes_chunks_within_the_limit(desk: Desk, shop: Service) -> None:
    sent = desk.http.post(
        PATH,
        content=iter([b'{"commit_sha"', b': "abc1234"}']),
        headers={"Content-Type": "application/json", "X-Deploy-Token": shop.token},
    )
    assert "content-length" not in sent.request.headers
    accepted(sent)


def test_it_reads_no_more_than_the_declared_length(desk: Desk, shop: Service) -> None:
    body = b'{"commit_sha": "abc1234"}'
    lines = (f"X-Deploy-Token: {shop.token}", f"Content-Length: {len(body)}")
    accepted(send_raw(desk.server, *lines, body=body + b" " * 200_000))
    cut = (f"X-Deploy-Token: {shop.token}", f"Content-Length: {len(body) - 1}")
    assert refused(send_raw(desk.server, *cut, body=body), 400) == {"body"}


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate, gzip", "x-unknown"])
def test_it_refuses_compressed_bodies_before_reading_and_before_the_token(desk: Desk, coding: str) -> None:
    refused(send_raw(desk.server, f"Content-Encoding: {coding}", "Content-Length: 50", body=b"\x1f\x8b"), 413)


def test_it_takes_a_body_that_says_it_is_not_compressed(desk: Desk, shop: Service) -> None:
    accepted(desk.post(shop.token, headers={"Content-Encoding": "identity"}))


def test_it_logs_a_body_that_is_cut_off(desk: Desk, shop: Service) -> None:
    head = f"POST {PATH} HTTP/1.1\r\nHost: blametrail\r\nX-Deploy-Token: {shop.token}\r\nContent-Length: 50\r\n\r\n"
    with socket.create_connection(("127.0.0.1", desk.server.port), source_address=("127.0.0.10", 0)) as connection:
        connection.sendall(head.encode() + b'{"commit_sha": "abc')
    (entry,) = desk.log(shop, 1)
    assert (entry.status, entry.deploy_id) == (400, "")
    assert "cut off" in entry.reason
    assert desk.deploys(shop) == []


@pytest.mark.slow
def test_it_answers_503_to_a_body_that_does_not_arrive(desk: Desk, shop: Service) -> None:
    head = f"POST {PATH} HTTP/1.1\r\nHost: blametrail\r\nX-Deploy-Token: {shop.token}\r\nContent-Length: 50\r\n\r\n"
    with socket.create_connection(("127.0.0.1", desk.server.port), source_address=("127.0.0.11", 0), timeout=20) as connection:
        connection.sendall(head.encode() + b'{"commit_sha": "abc')
        answer = connection.recv(4096).decode()
    assert answer.startswith("HTTP/1.1 503 ") and "within 10 seconds" in answer and "too_slow" in answer
    (entry,) = desk.log(shop, 1)
    assert (entry.status, entry.deploy_id) == (503, "")


# Rate


@pytest.mark.parametrize(("route", "allowed", "source"), [("", 60, "127.0.0.2"), ("/test", 10, "127.0.0.3")])
def test_it_refuses_one_request_too_many_in_a_minute(limited: Desk, route: str, allowed: int, source: str) -> None:
    service = limited.service()
    with _from(limited.server, source) as client:
        headers = {"X-Deploy-Token": service.token}
        statuses = [client.post(PATH + route, json={"commit_sha": "a"}, headers=headers).status_code for _ in range(allowed)]
        assert statuses == [200] * allowed
        over = client.post(PATH + route, json={"commit_sha": "a"}, headers=headers)
        refused(over, 429)
        assert int(over.headers["Retry-After"]) <= 60
    assert len(limited.deploys(service)) == (0 if route else allowed)
    entries = limited.log(service)
    until = time.monotonic() + 10
    while entries[0].status != 429 and time.monotonic() < until:
        entries = limited.log(service)
    assert (entries[0].status, entries[0].body, entries[0].address) == (429, "", source)
    assert "per minute" in entries[0].reason


def test_it_counts_before_it_looks_at_the_token_and_after_the_size(limited: Desk) -> None:
    with _from(limited.server, "127.0.0.4") as client:
        for _ in range(60):
            refused(client.post(PATH, json={}), 401)
        refused(client.post(PATH, json={}), 429)
        refused(client.post(PATH, content=b"x" * (LARGEST + 1)), 413)
        assert client.post(f"{PATH}/test", json={}).status_code == 401


def test_it_believes_no_forwarded_address_without_a_proxy(limited: Desk) -> None:
    with _from(limited.server, "127.0.0.5") as client:
        for number in range(10):
            refused(client.post(f"{PATH}/test", json={}, headers={"X-Forwarded-For": f"10.0.0.{number}"}), 401)
        refused(client.post(f"{PATH}/test", json={}, headers={"X-Forwarded-For": "10.0.0.99"}), 429)
    with _from(limited.server, "127.0.0.6") as client:
        refused(client.post(f"{PATH}/test", json={}, headers={"X-Forwarded-For": "127.0.0.5"}), 401)


@pytest.mark.parametrize(
    ("number", "chain"),
    [
        (1, ["{address}"]),
        (2, ["{forged}, {address}"]),
        (3, ["{forged}, {forged}, 127.0.0.1,{address}"]),
        (4, ["{forged}", "{address}"]),
        (5, [", ,{forged},,{address}"]),
    ],
)
def test_it_believes_the_address_that_its_proxy_wrote(behind_proxy: Server, number: int, chain: list[str]) -> None:
    def post(address: str, attempt: int) -> httpx.Response:
        lines = [line.format(address=address, forged=f"6.6.{number}.{attempt}") for line in chain]
        headers = [("Content-Type", "application/json"), *(("X-Forwarded-For", line) for line in lines)]
        return client.post(f"{PATH}/test", content=b"{}", headers=headers)

    with httpx.Client(base_url=behind_proxy.url, timeout=30) as client:
        for attempt in range(10):
            refused(post(f"10.0.{number}.1", attempt), 401)
        refused(post(f"10.0.{number}.1", 99), 429)
        refused(post(f"10.0.{number}.2", 99), 401)


def test_it_takes_the_socket_when_the_proxy_wrote_nothing(behind_proxy: Server) -> None:
    with _from(behind_proxy, "127.0.0.7") as one, _from(behind_proxy, "127.0.0.8") as other:
        for _ in range(10):
            refused(one.post(f"{PATH}/test", json={}), 401)
        refused(one.post(f"{PATH}/test", json={}), 429)
        refused(other.post(f"{PATH}/test", json={}), 401)


# Order, routes, storage, log


@pytest.mark.parametrize("body", [b"{", b"", b"[]", b"\xff"])
def test_it_looks_at_the_token_before_the_content(desk: Desk, body: bytes) -> None:
    refused(desk.post("dpl_unknown", body, key="k" * 300, headers={"Content-Type": "text/plain"}), 401)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_it_takes_posts_only(desk: Desk, method: str) -> None:
    answer = desk.http.request(method, PATH)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
    assert answer.json()["request_id"] == answer.headers["X-Request-Id"]


def test_it_checks_a_test_post_and_stores_nothing(desk: Desk) -> None:
    staging = desk.service("staging")
    answer = desk.post(staging.token, route="/test")
    assert answer.status_code == 200
    assert answer.headers["X-Request-Id"]
    assert set(answer.json()) == {"status", "service", "environment"}
    assert (answer.json()["status"], answer.json()["environment"]) == ("ok", "staging")
    assert answer.json()["service"].startswith("Ingest ")
    named = desk.post(staging.token, {"commit_sha": "abc1234", "environment": "canary"}, route="/test")
    assert named.json()["environment"] == "canary"
    assert refused(desk.post(staging.token, {"commit_sha": 7}, route="/test"), 400) == {"commit_sha"}
    assert desk.deploys(staging) == []
    assert [(entry.route, entry.status) for entry in desk.log(staging)] == [("test", 400), ("test", 200), ("test", 200)]


@pytest.mark.slow
def test_it_says_when_it_cannot_store(desk: Desk, shop: Service) -> None:
    with _unavailable_database(desk.server):
        began = time.monotonic()
        with ThreadPoolExecutor(8) as threads:
            for answer in threads.map(lambda _: desk.post(shop.token, key="run-1"), range(8)):
                refused(answer, 503)
        assert time.monotonic() - began < 14, "each waited for the others"
    assert desk.deploys(shop) == []
    accepted(desk.post(shop.token, key="run-1"))
    assert len(desk.deploys(shop)) == 1


def test_it_logs_what_came_of_each_post(desk: Desk, shop: Service) -> None:
    answers = [
        desk.post(shop.token, key="run-1"),
        desk.post(shop.token, key="run-1"),
        desk.post(shop.token, route="/test"),
        desk.post(shop.token, {"commit_sha": "abc1234", "commits": [{"sha": 7}]}),
        desk.post(shop.token, b"{"),
        desk.post(shop.token, key="k" * 256),
        desk.post(shop.token, headers={"Content-Type": "text/plain"}),
    ]
    desk.rotate(shop)
    answers.append(desk.post(shop.token))
    entries = desk.log(shop)[::-1]
    assert [(e.status, e.request_id) for e in entries] == [(a.status_code, a.headers["X-Request-Id"]) for a in answers]
    assert [e.route for e in entries] == ["deploy", "deploy", "test", *["deploy"] * 5]
    told = [
        "accepted",
        "duplicate",
        "nothing stored",
        "commits.0.sha",
        "body is not",
        "X-Idempotency-Key",
        "Content-Type",
        "rotated",
    ]
    for entry, words in zip(entries, told, strict=True):
        assert words in entry.reason
    assert [e.deploy_id for e in entries] == [answers[0].json()["deploy_id"]] * 2 + [""] * 6
    assert entries[4].body == "{"
    assert {e.address for e in entries} == {"127.0.0.1"}


def test_it_logs_an_oversized_post(desk: Desk, shop: Service) -> None:
    lines = (f"X-Deploy-Token: {shop.token}", f"Content-Length: {LARGEST + 1}")
    refused(send_raw(desk.server, *lines, source="127.0.0.9"), 413)
    (entry,) = desk.log(shop, 1)
    assert (entry.status, entry.body, entry.address) == (413, "", "127.0.0.9")
    assert "102,400" in entry.reason


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("set the token ghp_" + "a1B2" * 9, "a1B2"),
        ("dpl_" + "c3D4" * 10 + " is ours", "c3D4"),
        ("DATABASE_URL=postgres://shop:hunter2@db/shop", "hunter2"),
        ("password=hunter2", "hunter2"),
        ('{"password": "hunter2"}', "hunter2"),
        ("Authorization: Bearer hunter2", "hunter2"),
        ("-----BEGIN PRIVATE KEY-----\n" + "hunter2\n" * 2_000 + "-----END PRIVATE KEY-----", "hunter2"),
    ],
    ids=lambda text: text[:20],
)
def test_it_masks_secrets_in_the_log_only(desk: Desk, shop: Service, text: str, secret: str) -> None:
    accepted(desk.post(shop.token, {"commit_sha": "abc1234", "commit_message": text}))
    refused(desk.post(shop.token, {"commit_message": text}), 400)
    assert [row.commit_message for row in desk.deploys(shop)] == [text]
    for entry in desk.log(shop):
        assert "commit_message" in entry.body
        assert secret not in entry.body
        assert secret not in entry.reason


@pytest.mark.parametrize("text", ["x" * 5_000, "💥" * 5_000, "\x7f" * 50_000, "password=" + "x" * 50_000])
def test_it_logs_the_start_of_a_long_body_and_says_so(desk: Desk, shop: Service, text: str) -> None:
    body = json.dumps({"commit_sha": "abc1234", "commit_message": text}, ensure_ascii=False).encode()
    accepted(desk.post(shop.token, body))
    (entry,) = desk.log(shop)
    assert entry.body.startswith('{"commit_sha": "abc1234"')
    assert entry.body.endswith(f"({len(body)} bytes in all)")
    assert len(entry.body) < 4_100


def test_it_logs_bytes_that_are_no_text(desk: Desk, shop: Service) -> None:
    refused(desk.post(shop.token, b"\x00\xff{"), 400)
    assert [entry.body for entry in desk.log(shop)] == ["␀\ufffd{"]


@contextmanager
def _from(server: Server, address: str) -> Iterator[httpx.Client]:
    """A client with an address of its own; all of 127.0.0.0/8 is this machine."""
    with httpx.Client(base_url=server.url, timeout=30, transport=httpx.HTTPTransport(local_address=address)) as client:
        yield client


@contextmanager
def _unavailable_database(server: Server) -> Iterator[None]:
    """SQLite locked by somebody else; PostgreSQL without connections."""
    url = server.settings.get("BLAMETRAIL_DATABASE_URL")
    if url is None:
        with closing(sqlite3.connect(server.data_dir / "blametrail.db", isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            yield
            other.execute("ROLLBACK")
        return
    import psycopg

    name = url.rpartition("/")[2]
    with psycopg.connect(f"{os.environ['TEST_POSTGRES_URL']}/postgres", autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        try:
            admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
            yield
        finally:
            admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
