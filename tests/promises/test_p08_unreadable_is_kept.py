"""A signed webhook is answered well whatever it says, and kept with the reason when it cannot be read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import select

from blametrail.changes.tables import WebhookDelivery
from tests.cast import cast, opened
from tests.changes import payloads
from tests.changes.payloads import signed_for_github, signed_for_gitlab
from tests.running import Server, running

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


class Door:
    def __init__(self, server: Server, organization_id: str, secrets: dict[str, str]) -> None:
        self.server, self.organization_id, self.secrets = server, organization_id, secrets
        self.client = httpx.Client(timeout=30)

    def send(self, kind: str, body: bytes, event: str = "pull_request") -> tuple[int, str, str]:
        """The status of the answer, what it says, and the reason that is kept with the webhook."""
        name, secret = uuid4().hex, self.secrets[kind]
        headers = signed_for_github(secret, body, name, event) if kind == "github" else signed_for_gitlab(secret, body, name)
        answer = self.client.post(f"{self.server.url}/api/{kind}/webhook", content=body, headers=headers)
        with opened(self.server) as db:
            wanted = select(WebhookDelivery).where(WebhookDelivery.delivery_id == name)
            rows = db.read_now(UUID(self.organization_id), lambda s: list(s.exec(wanted)))
        assert len(rows) == 1, (answer.status_code, body[:200])
        return answer.status_code, answer.json()["status"], rows[0].reason


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with running(tmp_path_factory.mktemp("p08") / "data") as server:
        server.found()
        acme = cast(server)
        headers = {"Origin": server.url, "Cookie": acme.cookies["alice"]}
        links = "acme/shop\nhttps://gitlab.com/acme/payments/api"
        fields = {"name": "shop", "environment": "production", "type": "web", "repositories": links}
        assert httpx.post(f"{server.url}/form/service", json=fields, headers=headers).status_code == 200
        secrets = {
            kind: httpx.post(f"{server.url}/form/webhook-secret", json={"kind": kind}, headers=headers).json()["secret"]
            for kind in ("github", "gitlab")
        }
        yield Door(server, acme.organization_id, secrets)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=VALUES, data=st.data())
def test_it_answers_any_payload_well(door: Door, value: Any, data: st.DataObject) -> None:
    for kind, make in (("github", payloads.github_pull_request), ("gitlab", payloads.gitlab_merge_request)):
        given: Any = json.loads(make())
        inside = data.draw(st.sampled_from([given, *(part for part in given.values() if isinstance(part, dict) and part)]))
        inside[data.draw(st.sampled_from(sorted(inside)))] = value
        status, outcome, reason = door.send(kind, json.dumps(given).encode())
        assert (status == 202) == (outcome == "unreadable") and status in {200, 202}
        assert reason


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=300), event=st.sampled_from(["pull_request", "push", "ping", "x" * 500, ""]))
def test_it_answers_any_bytes_well(door: Door, body: bytes, event: str) -> None:
    status, _, _ = door.send("github", body, event)
    assert status in {200, 202}


@pytest.mark.parametrize("body", [b"", b"\xff\xfe\x00", b"[" * 200_000, b'{"a": "\\ud800"}', b"payload=%00", b"1" * 5_000])
def test_it_keeps_what_no_parser_likes(door: Door, body: bytes) -> None:
    status, outcome, reason = door.send("github", body)
    assert (status, outcome) == (202, "unreadable") and reason


def test_it_keeps_what_breaks_us(door: Door) -> None:
    """A number that the database has no room for is a fault of ours, and not the sender's."""
    for number in (2**31, 2**63, -1, 10**400):
        status, outcome, _ = door.send("github", payloads.github_pull_request(number))
        assert (status, outcome) == (202, "unreadable")
    body = payloads.gitlab_merge_request(updated_at="9999-12-31 23:59:59 UTC", created_at="0001-01-01 00:00:00 UTC")
    assert door.send("gitlab", body)[0] in {200, 202}
