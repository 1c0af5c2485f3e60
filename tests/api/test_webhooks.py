"""Webhooks at the door: signed ones are taken whatever they say, all others are refused."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlmodel import select

from blametrail.catalog.services import ServiceDraft, create
from blametrail.changes.tables import WatchedRepository, WebhookDelivery, WebhookSecret
from blametrail.changes.watch import follow_links
from blametrail.codehosts.tables import PullRequest
from blametrail.kit.db import ScopedSession
from tests.cast import Cast, cast, opened
from tests.changes import payloads
from tests.changes.payloads import signed_for_github, signed_for_gitlab
from tests.enriching import KEYS
from tests.running import Server, running


@dataclass
class Door:
    """A server whose organizations have secrets: Acme links acme/shop and a GitLab project, Elsewhere links acme/shop too."""

    server: Server
    cast: Cast
    secrets: dict[str, str]

    def post(self, body: bytes, headers: dict[str, str], kind: str = "github") -> httpx.Response:
        return httpx.post(f"{self.server.url}/api/{kind}/webhook", content=body, headers=headers, timeout=30)

    def github(self, body: bytes, *, event: str = "pull_request", delivery: str = "", who: str = "alice") -> httpx.Response:
        return self.post(body, signed_for_github(self.secrets[who], body, delivery or uuid4().hex, event))

    def rows(self, table: Any, organization_id: str = "") -> list[Any]:
        wanted = UUID(organization_id or self.cast.organization_id)
        with opened(self.server) as db:
            return db.read_now(wanted, lambda s: list(s.exec(select(table))))

    def numbers(self, organization_id: str = "") -> set[int]:
        return {row.number for row in self.rows(PullRequest, organization_id)}

    def delivery(self, name: str) -> Any:
        (row,) = [row for row in self.rows(WebhookDelivery) if row.delivery_id == name]
        return row


def make_secret(server: Server, cookie: str, kind: str = "github") -> str:
    headers = {"Origin": server.url, "Cookie": cookie}
    answer = httpx.post(f"{server.url}/form/webhook-secret", json={"kind": kind}, headers=headers)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["secret"])


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with running(tmp_path_factory.mktemp("door") / "data") as server:
        server.found()
        c = cast(server)
        with opened(server) as db:
            for organization_id, paths in (
                (c.organization_id, "https://github.com/acme/Shop\nhttps://gitlab.com/acme/payments/api"),
                (c.other_organization_id, "acme/shop"),
            ):
                db.write_now(UUID(organization_id), link, paths)
        secrets = {
            "alice": make_secret(server, c.cookies["alice"]),
            "charlie": make_secret(server, c.cookies["charlie"]),
            "gitlab": make_secret(server, c.cookies["alice"], "gitlab"),
        }
        yield Door(server, c, secrets)


def link(session: ScopedSession, lines: str) -> None:
    """A service with these repositories, watched already."""
    create(session, KEYS, ServiceDraft.checked(name="linked", environment="production", type="web", repositories=lines), "test")
    follow_links(session)


def test_it_stores_a_merge(door: Door) -> None:
    answer = door.github(payloads.github_pull_request(101), delivery="merge-101")
    assert (answer.status_code, answer.json()["status"]) == (200, "stored")
    (row,) = [row for row in door.rows(PullRequest) if row.number == 101]
    assert (row.repository, row.title, row.author, row.state) == ("acme/Shop", "Ask for more at once", "ada", "merged")
    assert door.delivery("merge-101").repository == "github.com/acme/shop"
    (watched,) = [row for row in door.rows(WatchedRepository) if row.path == "acme/Shop"]
    assert watched.webhook_at
    assert next(row for row in door.rows(WebhookSecret) if row.kind == "github").used_at


def test_it_gives_it_to_nobody_but_whose_secret_signed(door: Door) -> None:
    door.github(payloads.github_pull_request(102))
    door.github(payloads.github_pull_request(103), who="charlie")
    assert 102 in door.numbers() and 103 not in door.numbers()
    assert 103 in door.numbers(door.cast.other_organization_id) and 102 not in door.numbers(door.cast.other_organization_id)


def test_it_takes_gitlab_in_both_forms(door: Door) -> None:
    secret = door.secrets["gitlab"]
    body = payloads.gitlab_merge_request(201)
    assert door.post(body, signed_for_gitlab(secret, body, "gl-201"), "gitlab").json() == {"status": "stored"}
    body = payloads.gitlab_merge_request(202)
    headers = {"X-Gitlab-Token": secret, "X-Gitlab-Event": "Merge Request Hook", "Idempotency-Key": "gl-202"}
    assert door.post(body, headers, "gitlab").json() == {"status": "stored"}
    assert {201, 202} <= door.numbers()
    assert door.post(body, headers, "gitlab").json() == {"status": "duplicate"}


def test_it_does_nothing_twice(door: Door) -> None:
    body = payloads.github_pull_request(104)
    assert door.github(body, delivery="twice").json()["status"] == "stored"
    again = door.github(payloads.github_pull_request(104, title="Another"), delivery="twice")
    assert (again.status_code, again.json()["status"]) == (200, "duplicate")
    assert [row.title for row in door.rows(PullRequest) if row.number == 104] == ["Ask for more at once"]
    assert len([row for row in door.rows(WebhookDelivery) if row.delivery_id == "twice"]) == 1


def test_it_does_nothing_twice_at_the_same_moment(door: Door) -> None:
    body = payloads.github_pull_request(105)
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: door.github(body, delivery="at-once"), range(24)))
    assert {answer.status_code for answer in answers} == {200}
    assert sorted(answer.json()["status"] for answer in answers).count("stored") == 1
    assert len([row for row in door.rows(PullRequest) if row.number == 105]) == 1


def test_it_answers_well_what_needs_nothing_done(door: Door) -> None:
    for event, body, outcome in (
        ("ping", payloads.github_ping(), "noted"),
        ("issues", b"{}", "noted"),
        ("pull_request", payloads.github_pull_request(106, state="open", merged_at=None), "noted"),
        ("push", payloads.github_push(), "poll"),
    ):
        answer = door.github(body, event=event)
        assert (answer.status_code, answer.json()["status"]) == (200, outcome), event
    assert 106 not in door.numbers()


def test_it_notes_repositories_that_nobody_links(door: Door) -> None:
    body = payloads.github_pull_request(107).replace(b"acme/shop", b"acme/unknown")
    assert door.github(body, delivery="unlinked").json()["status"] == "noted"
    assert door.delivery("unlinked").reason == "No service links this repository." and 107 not in door.numbers()


def test_it_keeps_what_it_cannot_read(door: Door) -> None:
    body = b'{"token": "ghp_canaryCanaryCanaryCanary0009", "pull_request": 5'
    answer = door.github(body, delivery="odd")
    assert (answer.status_code, answer.json()["status"]) == (202, "unreadable")
    row = door.delivery("odd")
    assert row.reason == "The body is not JSON." and "pull_request" in row.body and "canary" not in row.body
    assert door.github(b"\0" + body, delivery="nul").status_code == 202
    assert door.github(payloads.github_pull_request(108), delivery="odd").json()["status"] == "stored", (
        "it is sent again, mended"
    )
    assert door.delivery("odd").body == ""


@pytest.mark.parametrize(
    "change",
    [
        lambda h: h.pop("X-Hub-Signature-256"),
        lambda h: h.update({"X-Hub-Signature-256": ""}),
        lambda h: h.update({"X-Hub-Signature-256": h["X-Hub-Signature-256"][7:]}),
        lambda h: h.update({"X-Hub-Signature-256": h["X-Hub-Signature-256"][:-1] + "g"}),
        lambda h: h.update({"X-Hub-Signature-256": "sha1=" + "0" * 40}),
        lambda h: h.update({"X-Hub-Signature-256": "sha256=" + "é" * 64}),
        lambda h: h.update({"X-Hub-Signature-256": h["X-Hub-Signature-256"].upper()}),
    ],
)
def test_it_refuses_what_is_not_signed(door: Door, change: Any) -> None:
    body = payloads.github_pull_request(109)
    headers: dict[Any, Any] = dict(signed_for_github(door.secrets["alice"], body, uuid4().hex))
    change(headers)
    sent = {name: value.encode() for name, value in headers.items()}
    answer = httpx.post(f"{door.server.url}/api/github/webhook", content=body, headers=sent)
    assert answer.status_code == 401 and answer.json()["error"]["code"] == "not_signed_in"
    assert 109 not in door.numbers()


def test_it_refuses_other_bytes_and_secrets_of_other_kinds(door: Door) -> None:
    body = payloads.github_pull_request(110)
    headers = signed_for_github(door.secrets["alice"], body)
    assert door.post(body + b" ", headers).status_code == 401
    assert door.post(body, headers, "gitlab").status_code == 401
    assert door.post(body, signed_for_github(door.secrets["gitlab"], body)).status_code == 401
    assert door.post(body, {"X-Gitlab-Token": door.secrets["gitlab"]}).status_code == 401


def test_it_refuses_before_it_reads(door: Door) -> None:
    head = b"POST /api/github/webhook HTTP/1.1\r\nHost: x\r\nX-Hub-Signature-256: x\r\nContent-Length: 26000000\r\n\r\n{"
    with socket.create_connection(("127.0.0.1", door.server.port), timeout=5) as connection:
        connection.sendall(head)
        assert b" 413 " in connection.recv(100)
    packed = signed_for_github(door.secrets["alice"], b"{}") | {"Content-Encoding": "gzip"}
    assert door.post(b"{}", packed).status_code == 413


def test_it_keeps_that_there_was_something_larger_than_it_reads(door: Door) -> None:
    body = b'{"filler": "' + b"x" * 6_000_000 + b'"}'
    assert door.github(body, delivery="large").status_code == 202
    row = door.delivery("large")
    assert "more than 5,000,000" in row.reason and row.body == ""


def test_it_takes_the_old_secret_until_it_is_dropped(door: Door) -> None:
    c = door.cast
    new = make_secret(door.server, c.cookies["charlie"])
    old = door.secrets["charlie"]
    for secret in (old, new):
        body = payloads.github_pull_request(111)
        assert door.post(body, signed_for_github(secret, body, uuid4().hex)).status_code == 200
    headers = {"Origin": door.server.url, "Cookie": c.cookies["charlie"]}
    third = httpx.post(f"{door.server.url}/form/webhook-secret", json={"kind": "github"}, headers=headers)
    assert third.status_code == 409 and "Drop the old one" in third.text
    with opened(door.server) as db:
        db.write_now(UUID(c.other_organization_id), drop_oldest)
    assert door.post(body, signed_for_github(old, body, uuid4().hex)).status_code == 401
    assert door.post(body, signed_for_github(new, body, uuid4().hex)).status_code == 200
    door.secrets["charlie"] = new


def drop_oldest(session: ScopedSession) -> None:
    rows = session.exec(select(WebhookSecret).order_by(WebhookSecret.created_at)).all()  # type: ignore[arg-type]
    session.delete(rows[0])


def test_it_keeps_no_secret_in_the_open(door: Door) -> None:
    rows = repr([*door.rows(WebhookSecret), *door.rows(WebhookDelivery)])
    log = door.server.log.read_text()
    for secret in door.secrets.values():
        assert secret not in rows and secret not in log


def test_it_listens_no_more_to_whoever_guesses(tmp_path: Any) -> None:
    with running(tmp_path / "data", BLAMETRAIL_TRUSTED_PROXY_HOPS="1") as server:
        server.found()
        secret = make_secret(server, cast(server).cookies["alice"])
        body = payloads.github_ping()

        def post(address: str, headers: dict[str, str]) -> int:
            return httpx.post(
                f"{server.url}/api/github/webhook", content=body, headers=headers | {"X-Forwarded-For": address}
            ).status_code

        wrong = signed_for_github("guess", body, event="ping")
        assert [post("203.0.113.9", wrong) for _ in range(40)].count(401) == 30
        assert post("203.0.113.9", signed_for_github(secret, body, "x", "ping")) == 429
        assert post("203.0.113.10", signed_for_github(secret, body, "x", "ping")) == 200


def test_it_is_not_in_the_way_of_small_bodies_while_large_ones_are_held(door: Door) -> None:
    """Nobody has signed a body while it is read: only few large ones are held at a time."""

    def hold(stack: ExitStack) -> None:
        held = stack.enter_context(socket.create_connection(("127.0.0.1", door.server.port)))
        head = b"POST /api/github/webhook HTTP/1.1\r\nHost: x\r\nX-Hub-Signature-256: x\r\nContent-Length: 20000000\r\n\r\n{"
        held.sendall(head)

    with ExitStack() as stack:
        for _ in range(4):
            hold(stack)
        time.sleep(0.3)
        assert door.github(payloads.github_ping(), event="ping").status_code == 200
        large = b'{"filler": "' + b"x" * 2_000_000 + b'"}'
        refused = door.github(large, event="ping", delivery="no-room")
        assert refused.status_code == 503 and refused.headers["retry-after"]
