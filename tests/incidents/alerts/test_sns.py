"""Amazon SNS: signatures by its certificate, which comes from its genuine hosts only, as do confirmations."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from sqlmodel import select

from blametrail.incidents.alerts import sns
from blametrail.incidents.alerts.connect import get_source
from blametrail.incidents.alerts.sns import CONFIRM_SUBSCRIPTION, FETCH_CERTIFICATE, Envelope
from blametrail.incidents.alerts.tables import AlertSource, SnsCertificate
from blametrail.incidents.alerts.take import Result
from blametrail.kit.db import EVERY_ORGANIZATION, ScopedSession
from blametrail.kit.job_tables import JobRow
from blametrail.kit.jobs import GiveUp, Job
from blametrail.kit.vault import place_of, seal
from blametrail.settings import settings
from tests.enriching import KEYS
from tests.incidents.alerts.conftest import Inbox
from tests.incidents.alerts.payloads import CERTIFICATE_URL, TOPIC, certificate, sns_message
from tests.kit.test_http import Heard, always, serving

LOOPBACK = re.compile(r"http://127\.0\.0\.1:\d+/")


def envelope(body: bytes) -> Envelope:
    read = sns.read_envelope(body)
    assert read is not None
    return read


@pytest.mark.parametrize("kind", ["Notification", "SubscriptionConfirmation", "UnsubscribeConfirmation"])
@pytest.mark.parametrize("version", ["1", "2"])
def test_it_takes_what_the_certificate_signs(kind: str, version: str) -> None:
    subject: dict[str, Any] = {"Subject": "x"} if kind == "Notification" else {}
    assert sns.is_signed(envelope(sns_message(kind, version=version)), certificate())
    assert sns.is_signed(envelope(sns_message(kind, version=version, **subject)), certificate())


def test_it_refuses_what_was_changed_or_signed_by_another() -> None:
    other = rsa.generate_private_key(65537, 2048)
    assert not sns.is_signed(envelope(sns_message(signs=other)), certificate())
    assert not sns.is_signed(envelope(sns_message()), certificate(is_old=True))
    assert not sns.is_signed(envelope(sns_message()), "no certificate")
    message = json.loads(sns_message())
    for name, value in (
        ("Message", "{}"),
        ("TopicArn", "arn:aws:sns:eu-west-1:1:other"),
        ("Timestamp", ""),
        ("Subject", "new"),
    ):
        assert not sns.is_signed(envelope(json.dumps({**message, name: value}).encode()), certificate())


@pytest.mark.parametrize(
    "change", [{"SignatureVersion": "3"}, {"Signature": "!"}, {"Signature": None}, {"TopicArn": 1}, {"Type": []}, {"SigningCertURL": None}]
)  # fmt: skip
def test_it_knows_no_envelope_in_another_form(change: dict[str, Any]) -> None:
    assert sns.read_envelope(json.dumps({**json.loads(sns_message()), **change}).encode()) is None
    assert sns.read_envelope(b"[") is None and sns.read_envelope(b"[]") is None


@pytest.mark.parametrize(
    "url",
    [
        "http://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0a.pem",
        "https://sns.eu-west-1.amazonaws.com.evil.example/SimpleNotificationService-0a.pem",
        "https://evil.example/sns.eu-west-1.amazonaws.com/SimpleNotificationService-0a.pem",
        "https://sns.eu-west-1.amazonaws.com@evil.example/SimpleNotificationService-0a.pem",
        "https://sns.eu-west-1.amazonaws.com:8443/SimpleNotificationService-0a.pem",
        "https://s3.eu-west-1.amazonaws.com/SimpleNotificationService-0a.pem",
        "https://sns.evil.eu-west-1.amazonaws.com/SimpleNotificationService-0a.pem",
        "https://sns.eu-west-1.amazonaws.com/bucket/SimpleNotificationService-0a.pem",
        "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0a.pem?x",
        "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0a.pem\n",
        "https://sns.eu-west-1.amazonaws.com/?Action=Publish",
    ],
)
def test_it_fetches_certificates_from_genuine_addresses_only(url: str) -> None:
    assert not sns.is_genuine_certificate(url)


def test_it_knows_the_hosts_of_every_kind_of_region() -> None:
    for host in (
        "sns.us-east-1.amazonaws.com",
        "sns.ap-southeast-2.amazonaws.com",
        "sns.us-gov-west-1.amazonaws.com",
        "sns.cn-north-1.amazonaws.com.cn",
    ):
        assert sns.is_genuine_certificate(f"https://{host}/SimpleNotificationService-0123456789abcdef.pem")
    assert sns.is_genuine_certificate(CERTIFICATE_URL)


@pytest.fixture
def inside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLAMETRAIL_ALLOWED_PRIVATE_HOSTS", "127.0.0.1")
    settings.cache_clear()


def job(inbox: Inbox, kind: str, **payload: str) -> Job:
    return Job(uuid4(), inbox.owner.organization_id, kind, "", payload, 0, uuid4())


async def test_it_keeps_a_certificate_once_it_is_fetched(inbox: Inbox, inside: None) -> None:
    source = inbox.source("cloudwatch", secret=TOPIC)
    async with serving(always(200, certificate().encode())) as site:
        url = site.url("/SimpleNotificationService-0badc0de.pem")
        read = envelope(sns_message(SigningCertURL=url))
        seen = await inbox.db.read(EVERY_ORGANIZATION, sns.look_up, KEYS, read)
        assert seen is not None and seen.source_id == source and seen.pem is None
        await sns.fetch_certificate(inbox.db, job(inbox, FETCH_CERTIFICATE, url=url), LOOPBACK)
        await sns.fetch_certificate(inbox.db, job(inbox, FETCH_CERTIFICATE, url=url), LOOPBACK)
        seen = await inbox.db.read(EVERY_ORGANIZATION, sns.look_up, KEYS, read)
        assert seen is not None and seen.pem is not None and sns.is_signed(read, seen.pem)
        await sns.fetch_certificate(inbox.db, job(inbox, FETCH_CERTIFICATE, url=url))  # by the genuine hosts: not called
        assert len(site.heard) == 2


async def test_it_keeps_nothing_that_is_no_certificate(inbox: Inbox, inside: None) -> None:
    for answer in (always(404), always(200, b"hello"), always(302, b"", Location="http://127.0.0.1:1/")):
        async with serving(answer) as site:
            await sns.fetch_certificate(
                inbox.db, job(inbox, FETCH_CERTIFICATE, url=site.url("/SimpleNotificationService-0a.pem")), LOOPBACK
            )
            assert len(site.heard) == 1
    async with serving(always(503)) as site:
        with pytest.raises(RuntimeError):
            await sns.fetch_certificate(
                inbox.db, job(inbox, FETCH_CERTIFICATE, url=site.url("/SimpleNotificationService-0a.pem")), LOOPBACK
            )
    assert not inbox.db.read_now(EVERY_ORGANIZATION, lambda s: s.exec(select(SnsCertificate)).all())


async def test_it_finds_no_source_for_a_topic_that_none_expects(inbox: Inbox) -> None:
    inbox.source("cloudwatch", secret=TOPIC + "-of-others")
    assert await inbox.db.read(EVERY_ORGANIZATION, sns.look_up, KEYS, envelope(sns_message())) is None


def test_it_plans_to_confirm_a_subscription_at_a_genuine_address_only(inbox: Inbox) -> None:
    source = inbox.source("cloudwatch")
    for url in ("https://evil.example/?Action=ConfirmSubscription", "http://sns.eu-west-1.amazonaws.com/?x", 7):
        message = {**json.loads(sns_message("SubscriptionConfirmation")), "SubscribeURL": url}
        received = inbox.send(source, message, "cloudwatch")
        assert received.result == Result.NOTED and "not confirmed" in received.reason
    assert CONFIRM_SUBSCRIPTION not in {row.kind for row in inbox.rows(JobRow)}
    assert "being confirmed" in inbox.send(source, sns_message("SubscriptionConfirmation"), "cloudwatch").reason
    assert CONFIRM_SUBSCRIPTION in {row.kind for row in inbox.rows(JobRow)}
    assert all("t0ken" not in row.payload for row in inbox.rows(JobRow))
    assert inbox.send(source, sns_message("UnsubscribeConfirmation"), "cloudwatch").result == Result.NOTED


async def test_it_confirms_a_subscription_once(inbox: Inbox, inside: None) -> None:
    async with confirming(inbox) as (planned, heard):
        await sns.confirm_subscription(inbox.db, KEYS, planned)  # by the genuine hosts: not called
        assert not heard
        await sns.confirm_subscription(inbox.db, KEYS, planned, LOOPBACK)
        await sns.confirm_subscription(inbox.db, KEYS, planned, LOOPBACK)
    assert [one.target for one in heard] == ["/?Action=ConfirmSubscription"]
    assert inbox.rows(AlertSource)[0].confirm_sealed == ""


async def test_it_gives_up_where_amazon_refuses(inbox: Inbox, inside: None) -> None:
    async with confirming(inbox, 403) as (planned, _):
        with pytest.raises(GiveUp):
            await sns.confirm_subscription(inbox.db, KEYS, planned, LOOPBACK)
    async with confirming(inbox, 302) as (planned, heard):
        with pytest.raises(GiveUp):
            await sns.confirm_subscription(inbox.db, KEYS, planned, LOOPBACK)
        assert len(heard) == 1  # it did not follow


@asynccontextmanager
async def confirming(inbox: Inbox, status: int = 200) -> AsyncIterator[tuple[Job, list[Heard]]]:
    """A source that waits for its confirmation at a stand-in for Amazon."""
    source = inbox.source("cloudwatch")
    async with serving(always(status, b"", Location="http://127.0.0.1:1/")) as site:

        def plan(session: ScopedSession) -> None:
            row = get_source(session, source)
            row.confirm_sealed = seal(KEYS, place_of(row, "confirm_sealed"), site.url("/?Action=ConfirmSubscription"))
            session.add(row)

        inbox.db.write_now(inbox.owner.organization_id, plan)
        yield job(inbox, CONFIRM_SUBSCRIPTION, source_id=str(source)), site.heard
