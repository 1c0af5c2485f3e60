"""What is not signed is never taken: over raw bytes, with both secrets, within five minutes; without a secret nothing is."""

from __future__ import annotations

import time
from pathlib import Path

import httpx
import pytest
from sqlmodel import select

from blametrail.changes.signatures import is_signed_by_github, is_signed_by_gitlab
from blametrail.changes.tables import WebhookDelivery, WebhookSecret
from blametrail.kit.db import EVERY_ORGANIZATION, ScopedSession
from tests.cast import cast, opened
from tests.changes import payloads
from tests.changes.payloads import signed_for_github, signed_for_gitlab
from tests.running import Server, running

# Published by GitHub in its documentation of webhooks, and by the Standard Webhooks specification.
GITHUB_SECRET, GITHUB_BODY = "It's a Secret to Everybody", b"Hello, World!"
GITHUB_SIGNATURE = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
STANDARD_SECRET, STANDARD_BODY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b'{"test": 2432232314}'
STANDARD_ID, STANDARD_TIME = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330
STANDARD_SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_it_agrees_with_github() -> None:
    headers = {"x-hub-signature-256": GITHUB_SIGNATURE}
    assert is_signed_by_github(GITHUB_SECRET, headers, GITHUB_BODY)
    assert not is_signed_by_github(GITHUB_SECRET, headers, GITHUB_BODY + b"\n")
    assert not is_signed_by_github(GITHUB_SECRET + " ", headers, GITHUB_BODY)
    assert not is_signed_by_github(GITHUB_SECRET, {}, GITHUB_BODY)


def test_it_agrees_with_standard_webhooks() -> None:
    """Their vector is of a day long ago, so that it shows how to sign, and how old a signature may not be."""
    headers = signed_for_gitlab(STANDARD_SECRET, STANDARD_BODY, STANDARD_ID, STANDARD_TIME)
    assert headers["webhook-signature"] == STANDARD_SIGNATURE
    assert not is_signed_by_gitlab(STANDARD_SECRET, headers, STANDARD_BODY)


@pytest.mark.parametrize(("apart", "is_signed"), [(0, True), (-280, True), (280, True), (-310, False), (310, False)])
def test_it_takes_signatures_of_five_minutes(apart: int, is_signed: bool) -> None:
    headers = signed_for_gitlab(STANDARD_SECRET, STANDARD_BODY, at=time.time() + apart)
    assert is_signed_by_gitlab(STANDARD_SECRET, headers, STANDARD_BODY) is is_signed
    assert not is_signed_by_gitlab(STANDARD_SECRET, headers, STANDARD_BODY + b" ")


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
@pytest.mark.parametrize("value", ["", "x", "v1", "v1,", "v1,é", "v0,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", "1e999"])
def test_it_takes_no_broken_signature(name: str, value: str) -> None:
    headers = signed_for_gitlab(STANDARD_SECRET, STANDARD_BODY) | {name: value}
    assert not is_signed_by_gitlab(STANDARD_SECRET, headers, STANDARD_BODY)
    assert not is_signed_by_gitlab(STANDARD_SECRET, headers, b"\xff")


def test_it_takes_no_token_beside_a_wrong_signature() -> None:
    headers = signed_for_gitlab(STANDARD_SECRET, STANDARD_BODY, at=1) | {"x-gitlab-token": STANDARD_SECRET}
    assert not is_signed_by_gitlab(STANDARD_SECRET, headers, STANDARD_BODY)
    assert is_signed_by_gitlab(STANDARD_SECRET, {"x-gitlab-token": STANDARD_SECRET}, STANDARD_BODY)
    assert not is_signed_by_gitlab(STANDARD_SECRET, {"x-gitlab-token": STANDARD_SECRET[:-1]}, STANDARD_BODY)


def test_it_takes_nothing_without_a_secret_or_with_one_that_does_not_open(tmp_path: Path) -> None:
    with running(tmp_path / "data") as server:
        server.found()
        acme = cast(server)
        body = payloads.github_ping()
        for secret in ("", "guess", "None", "null"):
            assert post(server, secret, body) == 401
        made = httpx.post(
            f"{server.url}/form/webhook-secret",
            json={"kind": "github"},
            headers={"Origin": server.url, "Cookie": acme.cookies["alice"]},
        ).json()["secret"]
        assert post(server, made, body) == 200
        with opened(server) as db:
            db.write_now(EVERY_ORGANIZATION, break_envelopes)
            of_github = select(WebhookDelivery).where(WebhookDelivery.kind == "github")
            for secret in (made, ""):
                assert post(server, secret, body) == 401
            assert len(db.read_now(EVERY_ORGANIZATION, lambda s: s.exec(of_github).all())) == 1
        assert made not in server.log.read_text()


def post(server: Server, secret: str, body: bytes) -> int:
    headers = signed_for_github(secret, body, f"d-{secret}", "ping")
    return httpx.post(f"{server.url}/api/github/webhook", content=body, headers=headers).status_code


def break_envelopes(session: ScopedSession) -> None:
    for row in session.exec(select(WebhookSecret)):
        row.secret_sealed = row.secret_sealed[:-8] + "AAAAAAA="
        session.add(row)
