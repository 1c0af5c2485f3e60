"""An app is asked for as little as can be: one token an hour, renewed in time, whoever needs it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import jwt
import pytest

from blametrail.codehosts.access import Access, Level
from blametrail.codehosts.github.app import App, Installation, convert_manifest, installations
from blametrail.codehosts.github.client import GitHub
from blametrail.codehosts.host import BadAnswer, NotPermitted, NotVisible, RateLimited, TokenRefused
from tests.codehosts.github.conftest import Connect
from tests.peers.github import WRITE, FakeGitHub, Reply

SHOP = "acme/shop"


def tokens_made(github: FakeGitHub) -> int:
    return sum(seen.path.endswith("/access_tokens") for seen in github.requests)


async def ask(access: Access, path: str = SHOP) -> str:
    async with GitHub(access) as host:
        return (await host.repository(path)).path


async def test_it_asks_with_a_token_of_its_installation(github: FakeGitHub, connect: Connect) -> None:
    app = github.add_app(sees=frozenset({SHOP}))
    github.add_repository(SHOP, private=True)
    github.add_repository("acme/other", private=True)
    access = connect(app.private_key, app_id="7")
    assert await ask(access) == SHOP
    proof, question = github.requests
    claims = jwt.decode(proof.headers["authorization"].removeprefix("Bearer "), options={"verify_signature": False})
    assert claims["iss"] == "7" and 0 < claims["exp"] - claims["iat"] <= 600
    assert claims["iat"] <= datetime.now(UTC).timestamp() - 59
    assert question.headers["authorization"].startswith("Bearer ghs_")
    with pytest.raises(NotVisible, match=r"acme/other.* Install the app on this repository"):
        await ask(access, "acme/other")


async def test_it_asks_for_one_token_however_many_need_it(github: FakeGitHub, connect: Connect) -> None:
    app = github.add_app()
    github.add_repository(SHOP)
    access = connect(app.private_key, app_id="7")
    github.answer("/access_tokens", Reply(500, {}))
    with pytest.raises(BadAnswer):
        await ask(access)
    assert await asyncio.gather(*[ask(access) for _ in range(10)]) == [SHOP] * 10
    assert tokens_made(github) == 2


async def test_it_renews_a_token_before_it_ends(github: FakeGitHub, connect: Connect) -> None:
    app = github.add_app()
    github.add_repository(SHOP)
    access = connect(app.private_key, app_id="7")
    app.installations[70].token_lives = timedelta(minutes=4, seconds=59)
    async with GitHub(access) as host:
        await host.repository(SHOP)
        app.installations[70].token_lives = timedelta(minutes=5, seconds=30)
        await host.repository(SHOP)
        assert tokens_made(github) == 2
        await host.repository(SHOP)
        assert tokens_made(github) == 2


async def test_it_keeps_tokens_apart(github: FakeGitHub, connect: Connect) -> None:
    """By connection and by what is saved in it: a replaced key is tried anew."""
    app, other = github.add_app(), github.add_app(9, 90)
    github.add_repository(SHOP)
    access = connect(app.private_key, app_id="7")
    await ask(access)
    await ask(connect(app.private_key, app_id="7"))
    assert tokens_made(github) == 2
    swapped = Access(
        access.connection_id, access.kind, access.host_url, Level.READ, access.credential, other.private_key, "7", "70"
    )
    with pytest.raises(TokenRefused, match=r"key was revoked or is not of this app"):
        await ask(swapped)


async def test_it_asks_for_another_token_when_one_was_refused(github: FakeGitHub, connect: Connect) -> None:
    app = github.add_app()
    github.add_repository(SHOP)
    access = connect(app.private_key, app_id="7")
    await ask(access)
    github.tokens.clear()
    with pytest.raises(TokenRefused):
        await ask(access)
    assert await ask(access) == SHOP and tokens_made(github) == 2


async def test_it_tells_what_an_installation_may(github: FakeGitHub, connect: Connect) -> None:
    app = github.add_app()
    async with GitHub(connect(app.private_key, app_id="7")) as host:
        found = await host.token()
        assert (found.login, found.may_read, found.may_write, found.expires_at) == ("acme", True, False, None)
        assert found.granted == ("contents: read", "metadata: read", "pull_requests: read") and host.calls == 1
        app.installations[70].permissions = dict(WRITE)
        assert (await host.token()).may_write
        app.installations[70].permissions = {"metadata": "read", "contents": "read"}
        assert not (await host.token()).may_read


async def test_it_says_what_is_wrong_with_an_installation(github: FakeGitHub, connect: Connect) -> None:
    app = github.add_app()
    app.installations[71] = app.installations[70].__class__("acme", {}, suspended_at="2026-01-01T00:00:00Z")
    for id_, words in (("71", "suspended"), ("72", "has no installation 72")):
        access = connect(app.private_key, app_id="7", installation_id=id_)
        with pytest.raises(NotPermitted, match=words):
            await ask(access)
        async with GitHub(access) as host:
            with pytest.raises(NotPermitted, match=words):
                await host.token()
    with pytest.raises(TokenRefused, match="401"):
        await ask(connect(app.private_key, app_id="8"))
    with pytest.raises(TokenRefused, match="cannot be read"):
        await ask(connect("-----BEGIN nothing", app_id="7"))


async def test_it_passes_on_limits_and_wrong_answers(github: FakeGitHub, connect: Connect) -> None:
    app = github.add_app()
    access = connect(app.private_key, app_id="7")
    github.limit_secondary("/access_tokens", retry_after=20)
    with pytest.raises(RateLimited):
        await ask(access)
    bodies: list[Any] = [{}, [], {"token": 1, "expires_at": "2026-01-01T00:00:00Z"}, {"token": "x", "expires_at": "soon"}]
    for body in bodies:
        github.answer("/access_tokens", Reply(201, body))
        with pytest.raises(BadAnswer):
            await ask(access)


async def test_it_lists_where_an_app_is_installed(github: FakeGitHub) -> None:
    app = github.add_app()
    app.installations[71] = app.installations[70].__class__("initech", {}, suspended_at="2026-01-01T00:00:00Z")
    found = await installations(App(github.url, "7", app.private_key))
    assert found == (Installation("70", "acme", False), Installation("71", "initech", True))


async def test_it_converts_a_manifest_once(github: FakeGitHub, connect: Connect) -> None:
    offered = github.offer_manifest("code/1")
    offered.installations[70] = github.add_app(1, 10).installations[10]
    github.add_repository(SHOP)
    made = await convert_manifest(github.url, "code/1")
    assert (made.app.app_id, made.slug, made.webhook_secret) == ("8", "app-8", "hook-secret")
    assert made.url == f"{github.url}/apps/app-8" and made.app.host_url == github.url
    assert made.app.private_key not in repr(made) and "hook-secret" not in repr(made)
    assert await ask(connect(made.app.private_key, app_id="8")) == SHOP
    with pytest.raises(TokenRefused, match="used already, or is older"):
        await convert_manifest(github.url, "code/1")


def test_it_shows_no_key(connect: Connect) -> None:
    assert "KEY" not in repr(App("https://github.com", "1", "KEY")) and str(uuid4()) not in repr(connect())
