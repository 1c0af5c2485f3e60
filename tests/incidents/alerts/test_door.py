"""Alerts at the door: what a token or a signature vouches for is taken whatever it says, all else is refused."""

from __future__ import annotations

import base64
import itertools
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlmodel import select

from blametrail.incidents.alerts.shapes import SourceKind
from blametrail.incidents.alerts.snippets import snippets
from blametrail.incidents.alerts.tables import AlertDelivery, AlertSource, SnsCertificate
from blametrail.incidents.tables import Incident
from blametrail.kit.db import EVERY_ORGANIZATION, ScopedSession
from tests.cast import Cast, cast, opened
from tests.incidents.alerts import payloads
from tests.incidents.alerts.payloads import hmac_of
from tests.incidents.alerts.test_sources import VALUES
from tests.running import Server, running

SECRET = "vendor-secret-canary-0123456789"
SIGNING = ("sentry", "pagerduty", "grafana")


@dataclass
class Door:
    """A server where Acme has a source of each kind; Elsewhere has one of Sentry."""

    server: Server
    cast: Cast
    tokens: dict[str, str] = field(default_factory=dict)
    client: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=30))
    senders: Iterator[int] = field(default_factory=itertools.count)

    def make(self, kind: str, name: str, who: str = "alice", **fields: str) -> str:
        headers = {"Origin": self.server.url, "Cookie": self.cast.cookies[who]}
        answer = httpx.post(
            f"{self.server.url}/form/alert-source", json={"kind": kind, "name": name, **fields}, headers=headers
        )
        assert answer.status_code == 200, answer.text
        return str(answer.json()["secret"])

    def post(self, kind: str, payload: Any, headers: dict[str, Any] | None = None) -> httpx.Response:
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        apart = {"X-Forwarded-For": f"2001:db8:0:{next(self.senders):x}::1"}  # each from an address of its own
        return self.client.post(f"{self.server.url}/api/alerts/{kind}", content=body, headers=apart | (headers or {}))

    def with_token(self, kind: str, payload: Any) -> httpx.Response:
        return self.post(kind, payload, {"X-Alert-Token": self.tokens[kind]})

    def rows(self, table: Any, organization_id: str = "") -> list[Any]:
        wanted = UUID(organization_id or self.cast.organization_id)
        with opened(self.server) as db:
            return db.read_now(wanted, lambda s: list(s.exec(select(table))))


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with running(tmp_path_factory.mktemp("alerts") / "data", BLAMETRAIL_TRUSTED_PROXY_HOPS="1") as server:
        server.found()
        server.service("shop")
        made = Door(server, cast(server))
        for kind in SourceKind:
            secret = SECRET if kind in SIGNING else payloads.TOPIC if kind == "cloudwatch" else ""
            made.tokens[kind] = made.make(kind, f"our {kind}", secret=secret)
        yield made


def signed(kind: str, body: bytes, secret: str = SECRET) -> dict[str, str]:
    if kind == "sentry":
        return {"Sentry-Hook-Signature": hmac_of(secret, body), "Sentry-Hook-Resource": "event_alert"}
    if kind == "pagerduty":
        return {"X-PagerDuty-Signature": f"v1={'0' * 64}, v1={hmac_of(secret, body)}"}
    at = str(int(time.time()))
    return {"X-Grafana-Alerting-Signature": hmac_of(secret, f"{at}:".encode() + body), "X-Grafana-Alerting-Timestamp": at}


@pytest.mark.parametrize("kind", list(SourceKind))
def test_it_takes_each_kind_with_its_token(door: Door, kind: str) -> None:
    for payload in payloads.ALL[kind]:
        answer = door.with_token(kind, payload)
        assert answer.status_code == 200, answer.text
        assert answer.json()["status"] in {"opened", "absorbed", "unmapped", "resolved", "noted"} and answer.json()["reason"]
        assert answer.headers["x-request-id"]


@pytest.mark.parametrize("kind", SIGNING)
def test_it_takes_what_the_vendor_signs(door: Door, kind: str) -> None:
    body = json.dumps(payloads.ALL[kind][0]).encode()
    answer = door.post(kind, body, signed(kind, body))
    assert answer.status_code == 200, answer.text


def test_it_takes_what_grafana_signs_without_a_time(door: Door) -> None:
    body = json.dumps(payloads.grafana()).encode()
    assert door.post("grafana", body, {"X-Grafana-Alerting-Signature": hmac_of(SECRET, body)}).status_code == 200


def wrong_ones(door: Door, kind: str, body: bytes) -> list[dict[str, Any]]:
    """Headers that must not count for a body."""
    right: dict[str, Any] = signed(kind, body)
    name = next(iter(right))
    wrong: list[dict[str, Any]] = [
        {},
        signed(kind, body + b" "),
        signed(kind, body, "another secret"),
        right | {name: ""},
        right | {name: hmac_of("", body)},
        right | {name: b"\xff" * 64},
        {"X-Alert-Token": "alt_" + "x" * 43},
        {"X-Alert-Token": door.tokens["generic"]},
        {"X-Alert-Token": door.cast.token},
        right | {"X-Alert-Token": "alt_wrong"},
        {"Authorization": "Basic !"},
        {"Authorization": "Bearer"},
    ]
    if kind == "grafana":
        old = str(int(time.time()) - 900)
        was_right = hmac_of(SECRET, f"{old}:".encode() + body)
        wrong += [
            {"X-Grafana-Alerting-Signature": was_right, "X-Grafana-Alerting-Timestamp": old},
            {"X-Grafana-Alerting-Signature": right[name], "X-Grafana-Alerting-Timestamp": "x"},
            {"X-Grafana-Alerting-Signature": right[name]},
        ]
    return wrong


@pytest.mark.parametrize("kind", SIGNING)
def test_it_refuses_wrong_and_missing_signatures(door: Door, kind: str) -> None:
    body = json.dumps(payloads.ALL[kind][0]).encode()
    before = len(door.rows(AlertDelivery))
    for headers in wrong_ones(door, kind, body):
        answer = door.post(kind, body, headers)
        assert answer.status_code == 401 and answer.json()["error"]["code"] == "not_signed_in", headers
    assert len(door.rows(AlertDelivery)) == before


def test_it_refuses_signatures_while_no_secret_can_be_opened(door: Door) -> None:
    body = json.dumps(payloads.sentry_event()).encode()

    def spoil(session: ScopedSession, envelope: str) -> str:
        row = session.exec(select(AlertSource).where(AlertSource.kind == "sentry")).one()
        was, row.secret_sealed = row.secret_sealed, envelope
        session.add(row)
        return was

    with opened(door.server) as db:
        was = db.write_now(UUID(door.cast.organization_id), spoil, "v1.00000000.AAAA")
        assert door.post("sentry", body, signed("sentry", body)).status_code == 401
        db.write_now(UUID(door.cast.organization_id), spoil, "")
        assert door.post("sentry", body, signed("sentry", body, "")).status_code == 401
        db.write_now(UUID(door.cast.organization_id), spoil, was)
    assert door.post("sentry", body, signed("sentry", body)).status_code == 200


def test_it_takes_a_token_as_bearer_and_as_password(door: Door) -> None:
    token = door.tokens["cloudwatch"]
    basic = base64.b64encode(f"alerts:{token}".encode()).decode()
    for value in (f"Bearer {token}", f"bearer {token}", f"Basic {basic}"):
        assert door.post("cloudwatch", payloads.alarm("OK"), {"Authorization": value}).status_code == 200
    refused = door.post("cloudwatch", payloads.alarm("OK"))
    assert refused.status_code == 401 and refused.headers["www-authenticate"].startswith("Basic")


def test_it_takes_what_sns_signs_once_its_certificate_is_here(door: Door) -> None:
    body = payloads.sns_message()
    asked = door.post("cloudwatch", body)
    assert asked.status_code == 503 and int(asked.headers["retry-after"]) > 0
    with opened(door.server) as db:
        known = SnsCertificate(url=payloads.CERTIFICATE_URL, pem=payloads.certificate())
        db.write_now(EVERY_ORGANIZATION, lambda s: s.add(known))
    for version in ("1", "2"):
        answer = door.post("cloudwatch", payloads.sns_message(version=version))
        assert answer.status_code == 200, answer.text
    elsewhere = "https://evil.example/SimpleNotificationService-0.pem"
    changes: tuple[dict[str, Any], ...] = ({"TopicArn": payloads.TOPIC + "x"}, {"SigningCertURL": elsewhere})
    for changed in changes:
        assert door.post("cloudwatch", payloads.sns_message(**changed)).status_code == 401
    assert door.post("cloudwatch", json.dumps({**json.loads(body), "Message": "{}"}).encode()).status_code == 401


def test_it_keeps_the_organizations_apart(door: Door) -> None:
    body = json.dumps(payloads.generic(fingerprint="of elsewhere", title="of elsewhere", service="shop")).encode()
    token = door.make("generic", "theirs", who="charlie")
    answer = door.post("generic", body, {"X-Alert-Token": token})
    assert answer.json()["status"] == "unmapped"  # shop is a service of Acme
    assert "of elsewhere" not in repr([row.payload for row in door.rows(AlertDelivery)])
    assert len(door.rows(AlertDelivery, door.cast.other_organization_id)) == 1
    assert not door.rows(Incident, door.cast.other_organization_id)


@settings(max_examples=60, deadline=None)
@given(kind=st.sampled_from(list(SourceKind)), body=st.binary(max_size=200) | VALUES.map(lambda v: json.dumps(v).encode()))
def test_it_answers_any_message_with_a_token_well_and_keeps_it(door: Door, kind: str, body: bytes) -> None:
    answer = door.with_token(kind, body)
    assert (answer.status_code == 202) == (answer.json()["status"] == "unreadable") and answer.status_code in {200, 202}
    (kept,) = [row for row in door.rows(AlertDelivery) if str(row.id) == answer.json()["delivery_id"]]
    assert kept.reason and kept.result == answer.json()["status"]


@settings(max_examples=40, deadline=None)
@given(kind=st.sampled_from(SIGNING), value=VALUES, data=st.data())
def test_it_answers_any_signed_message_well(door: Door, kind: str, value: Any, data: st.DataObject) -> None:
    payload = json.loads(json.dumps(data.draw(st.sampled_from(payloads.ALL[kind]))))
    inside = data.draw(st.sampled_from([payload, *(part for part in payload.values() if isinstance(part, dict) and part)]))
    inside[data.draw(st.sampled_from(sorted(inside)))] = value
    body = json.dumps(payload).encode()
    answer = door.post(kind, body, signed(kind, body))
    assert answer.status_code in {200, 202} and answer.json()["reason"]


def test_it_refuses_what_is_too_large_unread(door: Door) -> None:
    answer = door.with_token("generic", b"x" * 1_000_001)
    assert answer.status_code == 413 and answer.json()["error"]["code"] == "too_large"
    assert door.with_token("generic", payloads.generic(description="x" * 900_000)).status_code == 200


def test_it_listens_no_more_to_whoever_guesses(door: Door) -> None:
    here = {"X-Forwarded-For": "192.0.2.77"}
    statuses = [door.post("generic", b"{}", here | {"X-Alert-Token": f"alt_{n}"}).status_code for n in range(32)]
    assert statuses == [401] * 30 + [429] * 2
    limited = door.post("generic", payloads.generic(), here | {"X-Alert-Token": door.tokens["generic"]})
    assert limited.status_code == 429 and int(limited.headers["retry-after"]) > 0
    assert door.with_token("generic", payloads.generic()).status_code == 200


def test_it_limits_how_often_an_address_sends(tmp_path_factory: pytest.TempPathFactory) -> None:
    with running(tmp_path_factory.mktemp("limit") / "data", BLAMETRAIL_ALERT_RATE_LIMIT="5/hour") as server:
        server.found()
        made = Door(server, cast(server))
        token = made.make("generic", "limited")
        statuses = [made.post("generic", payloads.generic(), {"X-Alert-Token": token}).status_code for _ in range(7)]
    assert statuses == [200] * 5 + [429] * 2


def test_it_shows_an_address_that_works_for_every_vendor(door: Door) -> None:
    shown = snippets(door.server.url)
    assert {one.kind for one in shown} == set(SourceKind)
    for one in shown:
        assert f"/api/alerts/{one.kind}" in one.text and "$URL" not in one.text and "$HOST" not in one.text
        assert httpx.get(f"{door.server.url}/api/alerts/{one.kind}").status_code == 405
    curl = next(one.text for one in shown if one.kind == "generic")
    body = json.loads(curl[curl.index("-d '") + 4 : curl.rindex("'")])
    assert door.with_token("generic", body).json()["status"] in {"unmapped", "opened"}
