"""GitHub Apps: an app proves itself by its private key and is given short-lived tokens for each place it is installed in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import quote
from uuid import UUID

import jwt

from blametrail.codehosts import shapes
from blametrail.codehosts.access import Access, Credential
from blametrail.codehosts.asking import Asker
from blametrail.codehosts.facts import TokenFact
from blametrail.codehosts.github.api import HEADERS, api_url, bearer, name_of
from blametrail.codehosts.github.refusals import explainer
from blametrail.codehosts.host import NotPermitted, NotVisible, TokenRefused
from blametrail.kit.clock import now

RENEW_BEFORE = timedelta(minutes=5)
MOST_INSTALLATIONS = 1_000
_NOBODY = UUID(int=0)


@dataclass(frozen=True, slots=True)
class App:
    """An app of one host with its private key."""

    host_url: str
    app_id: str
    private_key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class MadeApp:
    """What GitHub gives once for an app that was made from a manifest."""

    app: App
    slug: str
    url: str
    webhook_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Installation:
    """Where an app is installed: the account's login, and whether someone there suspended it."""

    id: str
    account: str
    is_suspended: bool


async def convert_manifest(host_url: str, code: str) -> MadeApp:
    """The app that the browser was sent back for, once within an hour (GitHub's app manifest flow); raises HostError."""
    asker = Asker(_NOBODY, api_url(host_url), HEADERS, explainer(name_of(host_url), Credential.APP))
    try:
        given = shapes.an_object((await asker.post(f"/app-manifests/{quote(code, safe='')}/conversions", {})).body)
    except NotVisible:
        raise TokenRefused(
            f"{asker.host} does not know this code: it was used already, or is older than an hour.", "Make the app once more."
        ) from None
    finally:
        await asker.aclose()
    app = App(host_url, str(shapes.number(given, "id", shapes.LARGEST_ID)), shapes.text(given, "pem"))
    return MadeApp(app, shapes.word(given, "slug"), shapes.link(given, "html_url"), shapes.word(given, "webhook_secret"))


async def installations(app: App) -> tuple[Installation, ...]:
    """Where the app is installed, at most 1,000 places; raises HostError."""
    found: list[Installation] = []
    async with _as_app(app) as asker:
        async for page in asker.pages("/app/installations", per_page=100):
            found += [_installation(one) for one in shapes.a_list(page.body, "installations")]
            if len(found) >= MOST_INSTALLATIONS:
                break
    return tuple(found[:MOST_INSTALLATIONS])


class InstallationTokens:
    """Tokens of installations, in memory: each asked for once and renewed five minutes before its end."""

    def __init__(self) -> None:
        self._kept: dict[str, _Token] = {}
        self._asking: dict[str, asyncio.Lock] = {}

    async def get(self, access: Access) -> str:
        """A token that lives for five minutes at least; raises HostError."""
        key = _key(access)
        # While one asks, the others wait for what it gets.
        async with self._asking.setdefault(key, asyncio.Lock()):
            kept = self._kept.get(key)
            if kept is None or kept.expires_at - now() < RENEW_BEFORE:
                kept = self._kept[key] = await _new_token(access)
                self._forget_ended()
        return kept.text

    def forget(self, access: Access) -> None:
        """Of a token that was refused: the next question asks for another."""
        self._kept.pop(_key(access), None)

    def _forget_ended(self) -> None:
        moment = now()
        self._kept = {key: token for key, token in self._kept.items() if token.expires_at > moment}
        self._asking = {key: lock for key, lock in self._asking.items() if key in self._kept or lock.locked()}


TOKENS = InstallationTokens()


async def token_fact(access: Access) -> TokenFact:
    """What the host says of an installation: its account and permissions; raises HostError."""
    async with _as_app(_app_of(access)) as asker:
        given = shapes.an_object(await _about(asker, access, f"/app/installations/{access.installation_id}"))
    if _installation(given).is_suspended:
        raise NotPermitted(
            f"The app's installation at {asker.host} is suspended.", "Ask the one who installed it to resume it."
        )
    rights = {str(name): str(level) for name, level in shapes.an_object(given.get("permissions")).items()}
    needed = (rights.get("contents"), rights.get("pull_requests"))
    return TokenFact(
        login=_installation(given).account,
        granted=tuple(f"{name}: {level}" for name, level in sorted(rights.items())),
        may_read=all(level in {"read", "write"} for level in needed),
        may_write=all(level == "write" for level in needed),
        expires_at=None,
    )


@dataclass(frozen=True, slots=True)
class _Token:
    text: str = field(repr=False)
    expires_at: datetime


async def _new_token(access: Access) -> _Token:
    async with _as_app(_app_of(access)) as asker:
        given = shapes.an_object(await _about(asker, access, f"/app/installations/{access.installation_id}/access_tokens", {}))
    return _Token(shapes.text(given, "token"), shapes.moment(given, "expires_at"))


async def _about(asker: Asker, access: Access, path: str, body: Mapping[str, Any] | None = None) -> Any:
    """What is said of an installation; a 404 here is about the installation, not about a repository."""
    try:
        return (await asker.get(path) if body is None else await asker.post(path, body)).body
    except NotVisible:
        raise NotPermitted(
            f"{asker.host} has no installation {access.installation_id} of this app (404).",
            "Install the app there, or check the installation's number.",
        ) from None


@asynccontextmanager
async def _as_app(app: App) -> AsyncIterator[Asker]:
    headers = {**HEADERS, **bearer(_proof(app))}
    asker = Asker(_NOBODY, api_url(app.host_url), headers, explainer(name_of(app.host_url), Credential.APP))
    try:
        yield asker
    finally:
        await asker.aclose()


def _proof(app: App) -> str:
    """A JWT for the next nine minutes. It begins a minute ago, for clocks that differ; GitHub takes ten minutes in all."""
    moment = now()
    claims = {"iat": moment - timedelta(minutes=1), "exp": moment + timedelta(minutes=9), "iss": app.app_id}
    try:
        return jwt.encode(claims, app.private_key, algorithm="RS256")
    except (jwt.PyJWTError, ValueError, TypeError):
        raise TokenRefused("The app's private key cannot be read.", "Make a new one there and replace the saved one.") from None


def _app_of(access: Access) -> App:
    return App(access.host_url, access.app_id, access.secret)


def _installation(body: Any) -> Installation:
    given = shapes.an_object(body)
    account = shapes.an_object(given.get("account") or {})
    # An enterprise has a slug where people and organizations have a login.
    login = shapes.word(account, "login") or shapes.word(account, "slug")
    return Installation(str(shapes.number(given, "id", shapes.LARGEST_ID)), login, given.get("suspended_at") is not None)


def _key(access: Access) -> str:
    parts = (access.connection_id.hex, access.host_url, access.app_id, access.installation_id, access.secret)
    return sha256("\0".join(parts).encode()).hexdigest()
