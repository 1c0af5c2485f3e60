"""The door of the read API: who shows which token, how often; then one read of that organization."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response

from blametrail.accounts import api_tokens
from blametrail.accounts.api_tokens import Reader
from blametrail.api.answers import answer, refusal
from blametrail.api.body import address_block, client_address
from blametrail.kit.db import EVERY_ORGANIZATION, ScopedSession, database
from blametrail.kit.errors import NotSignedIn, TooMany, Unavailable
from blametrail.kit.keys import key_ring
from blametrail.kit.limits import rate_limits
from blametrail.settings import settings

log = structlog.get_logger(__name__)
WRONG_TOKENS = "30/minute"
LONGEST_TOKEN = 200
MISSING = "The API token is missing. Send it as `Authorization: Bearer bt_…`; admins make one in the settings."

Read = Callable[[ScopedSession], dict[str, Any]]
"""What an address answers; it may run twice."""


def reads(prepare: Callable[[Request], Read]) -> Callable[[Request], Awaitable[Response]]:
    """An endpoint that parses a request by `prepare`, which raises Invalid, and reads for whoever shows a token."""

    async def endpoint(request: Request) -> Response:
        presented = _presented(request)
        try:
            reader = await _reader(request, presented)
        except NotSignedIn as error:
            response = refusal(request, error)
            response.headers["WWW-Authenticate"] = 'Bearer realm="BlameTrail"'
            return response
        _count_use(reader)
        response = answer(request, await database().read(reader.organization_id, prepare(request)))
        address = client_address(request)
        if not reader.is_noted(address):
            response.background = BackgroundTask(_note_use, reader, presented, address)
        return response

    endpoint.__name__ = prepare.__name__
    return endpoint


def _presented(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").strip().partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


async def _reader(request: Request, presented: str) -> Reader:
    """Who reads; raises NotSignedIn, and TooMany when the sender's address has shown too many wrong tokens."""
    if not presented:
        raise NotSignedIn(MISSING)
    address = address_block(client_address(request))
    if wait := rate_limits().full(WRONG_TOKENS, "wrong-api-token", address):
        raise TooMany(f"Too many requests with wrong API tokens from {address}. Try again in {wait} seconds.", wait)
    try:
        if not presented.startswith(api_tokens.PREFIX) or len(presented) > LONGEST_TOKEN:
            raise NotSignedIn(api_tokens.UNKNOWN)
        return await database().read(EVERY_ORGANIZATION, api_tokens.check, key_ring(), presented)
    except NotSignedIn:
        rate_limits().hit(WRONG_TOKENS, "wrong-api-token", address)
        raise


def _count_use(reader: Reader) -> None:
    rate = settings().api_rate_limit
    if wait := rate_limits().hit(rate, "api", str(reader.token_id)):
        raise TooMany(
            f"More than {rate.replace('/', ' requests per ')} with this API token. Try again in {wait} seconds.", wait
        )


async def _note_use(reader: Reader, presented: str, address: str) -> None:
    """After the answer: reading goes on while nothing can be written."""
    try:
        await database().write(reader.organization_id, api_tokens.note_use, key_ring(), reader.token_id, presented, address)
    except Unavailable:
        log.warning("the use of an API token was not noted", id=str(reader.token_id))
