"""The door of the read API: who shows which token, how often; then one read of that organization."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from blametrail.accounts import api_tokens
from blametrail.accounts.api_tokens import Reader
from blametrail.api.answers import answer, refusal
from blametrail.api.body import address_block, client_address
from blametrail.api.operations import Operation, Parameter
from blametrail.api.parameters import Parameters
from blametrail.kit.db import EVERY_ORGANIZATION, ScopedSession, database
from blametrail.kit.errors import NotSignedIn, TooMany, Unavailable
from blametrail.kit.keys import key_ring
from blametrail.kit.limits import rate_limits
from blametrail.settings import settings

log = structlog.get_logger(__name__)
WRONG_TOKENS = "30/minute"
LONGEST_TOKEN = 200
MISSING = "The API token is missing. Send it as `Authorization: Bearer bt_…`; admins make one in the settings."

Read = Callable[[ScopedSession], Mapping[str, Any]]
"""What an address answers; it may run twice."""

Prepare = Callable[[Parameters], Read]
"""Parses what was asked; what it finds wrong is told before anything is read."""


@dataclass(frozen=True, slots=True)
class Reading:
    """An address that whoever shows an API token may read."""

    operation: Operation
    prepare: Prepare

    @property
    def route(self) -> Route:
        return Route(self.operation.path, self._endpoint, methods=["GET"])

    async def _endpoint(self, request: Request) -> Response:
        presented = _presented(request)
        try:
            reader = await _reader(request, presented)
        except NotSignedIn as error:
            response = refusal(request, error)
            response.headers["WWW-Authenticate"] = 'Bearer realm="BlameTrail"'
            return response
        _count_use(reader)
        response = answer(request, await database().read(reader.organization_id, self._asked(request)))
        address = client_address(request)
        if not reader.is_noted(address):
            response.background = BackgroundTask(_note_use, reader, presented, address)
        return response

    def _asked(self, request: Request) -> Read:
        asked = Parameters(request, self.operation.parameters)
        read = self.prepare(asked)
        asked.check()
        return read


def reads(path: str, *parameters: Parameter, answers: Any, **example: str) -> Callable[[Prepare], Reading]:
    """Make a function the address `/api/v1/…`: its docstring is the description, its name the operation's id. `answers` is
    the shape; `example` has values of parameters, with an underscore behind words of Python."""

    def made(prepare: Prepare) -> Reading:
        return Reading(
            Operation(
                method="get",
                path=f"/api/v1/{path}",
                id=prepare.__name__,
                about=prepare.__doc__ or "",
                door="api token",
                answer=answers,
                parameters=parameters,
                example={name.rstrip("_"): value for name, value in example.items()},
                refusals=(400, 401, *((404,) if "{" in path else ()), 429, 503),
            ),
            prepare,
        )

    return made


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
