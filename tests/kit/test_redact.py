"""What looks like a secret is masked; what does not is left alone."""

from __future__ import annotations

import json
import time

import pytest

from blametrail.kit.redact import redact, redact_event

RANDOM = "aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC1dE3fG5hJ7k"


@pytest.mark.parametrize(
    "secret",
    [
        f"bt_{RANDOM}",
        f"dpl_{RANDOM}",
        f"ses_{RANDOM}",
        f"inv_{RANDOM}",
        f"ghp_{RANDOM}",
        f"github_pat_{RANDOM}",
        f"glpat-{RANDOM}",
        f"xoxb-{RANDOM}",
        f"sk-{RANDOM}",
        "AKIAIOSFODNN7EXAMPLE",
        "https://hooks.slack.com/services/T000/B000/" + RANDOM,
        "sk_live_" + RANDOM,
        "sk_test_" + RANDOM,
        "rk_live_" + RANDOM,
        "AIza" + RANDOM[:35],
        "npm_" + RANDOM,
        "pypi-" + RANDOM,
        f"SG.{RANDOM[:22]}.{RANDOM}",
        "Bearer abc.DEF-123",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\\nMIIE and no end",
        "disconnected client '0b8f6c1e-7a52-4c52-9d7b-0c7f3f2f9a11'",
        f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.{RANDOM}",
    ],
)
def test_it_masks_tokens(secret: str) -> None:
    assert secret not in redact(f"before {secret} after")
    assert redact(f"before {secret} after").startswith("before ")
    assert secret not in redact(f"name_{secret}")


@pytest.mark.parametrize(
    "line", ["Cookie: a=b; c=d", 'password="hunter22"', "X-Deploy-Token: x", "https://me:pass@host/x", "redis://:pw@host/0"]
)
def test_it_masks_named_values(line: str) -> None:
    assert redact(line) != line


@pytest.mark.parametrize(
    "text",
    [
        "Retry payments on timeout",
        "commit 3f2a9c1",
        "https://example.com/a?b=c",
        "sha256:" + "a" * 64,
        "Fix token parsing",
        "Fix token parsing: keep the last one",
        "password reset page: new colours",
        "Call Token::parse once",
        "tokenizer: faster",
        "Bearer authentication is documented.",
        "Rename test_alt_text_for_all_the_images",
        "Merge pypi-publish-workflow-cleanup",
        "3f2a9c1e" * 5,
        "deploy 0b8f6c1e-7a52-4c52-9d7b-0c7f3f2f9a11",
        "http://127.0.0.1:8401/deploys/1",
        '{"commit_message": "Fix it", "keys": {"a": [1, 2]}}',
    ],
)
def test_it_leaves_words_alone(text: str) -> None:
    assert redact(text) == text


KEYS = [
    "client_secret",
    "AWS_SECRET_ACCESS_KEY",
    "db_password",
    "passwd",
    "token",
    "access_token",
    "refreshToken",
    "private_key",
    "privateKey",
    "api-key",
    "authorization",
    "Set-Cookie",
    "db.credentials",
    "X-Deploy-Token",
]


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("value", ["canary1", 'can"canary1', "a}canary1", {"v": ["x]}", "canary1"]}, ["canary1"]], ids=repr)
def test_it_masks_values_under_secret_names_at_every_depth_of_json(key: str, value: object) -> None:
    text = json.dumps({"extra": {key: value, "kept": "here"}})
    for _ in range(3):
        assert "canary1" not in redact(text)
        assert "here" in redact(text)
        text = json.dumps({"body": text})
    assert "canary1" not in redact(repr({key: value}))


@pytest.mark.parametrize(
    "line", ["{}=canary1", "{}: canary1", "export {} = 'canary1'", "GET /x?{}=canary1&y=1", "MY_{}_2=canary1"]
)
@pytest.mark.parametrize("key", KEYS)
def test_it_masks_named_values_in_lines(key: str, line: str) -> None:
    assert "canary1" not in redact(line.format(key))


def test_it_masks_pairs_of_headers() -> None:
    assert "canary1" not in redact(repr([(b"cookie", b"session=canary1"), ("authorization", "Basic canary1")]))


def test_it_masks_events_whatever_their_values() -> None:
    event = {"event": "x", "deep": {"token": 5, "list": [ValueError("password=canary1")]}, "db_password": {"v": "canary1"}}
    assert "canary1" not in repr(redact_event(None, "", dict(event)))
    assert "5" not in repr(redact_event(None, "", dict(event)))


CRAFTED = [
    "eyJAAAAAAAA-", "eyJAAAAAAAA.", "eyJAAAAAAAA.eyJ-", "-----BEGIN ", "-----BEGIN PRIVATE KEY-----x-----END ", "://a", "://a:",
    "://" + "a" * 199 + ":", "://" + "a:" * 100, "sk-A-", "sk-a", "xoxb-A ", "password", "password ", "password:", "password\\",
    "password=\\", "password='", 'password=\\"', "password={", "password=[\\", 'password={"a', "cookie-", "cookie', ", "token\"",
    "ghp_AAAAAAAAAAAAAAAAAAA ", "dpl_A-", "dpl_a-", "github_pat_A ", "glpat-A-", "pypi-a", "SG.AAAAAAAAAAAAAAAAA", "Bearer ", "bearer a",
    "https://hooks.slack.com/", "client '", " ", "\\", "{", '"', "b'",
]  # fmt: skip
CRAFTED += [
    "password\x00 ",
    "password=\x00 ",
    "password=\x00\\",
    "password={\x00\\",
    "eyJ\x00A-",
    "-----BEGIN\x00 ",
    "Bearer \x00a",
]


@pytest.mark.parametrize("unit", CRAFTED)
def test_it_takes_time_in_proportion_to_the_length(unit: str) -> None:
    """What stands before the zero begins the text once, the rest is repeated."""
    assert _seconds(unit, 200_000) / _seconds(unit, 20_000) < 40


def _seconds(unit: str, length: int) -> float:
    start, _, repeated = unit.rpartition("\0")
    text = (start + repeated * length)[:length]
    return min(_timed(text) for _ in range(5))


def _timed(text: str) -> float:
    began = time.thread_time()
    redact(text)
    return time.thread_time() - began
