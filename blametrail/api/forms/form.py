"""What all forms share: who sent them, from where, and their fields, parsed."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from blametrail.accounts import sessions
from blametrail.accounts.roles import Actor, Role
from blametrail.api.body import read_body
from blametrail.kit.db import EVERY_ORGANIZATION, database
from blametrail.kit.errors import Invalid, NotAllowed, NotFound, NotSignedIn
from blametrail.kit.keys import key_ring
from blametrail.settings import settings

LARGEST_FORM = 65_536

Fields = dict[str, Any]
Handler = Callable[[Request, Fields], Awaitable[Response]]


def routes_of(handlers: Mapping[str, Handler]) -> list[Route]:
    """Routes below /form, by the last part of their address."""
    return [Route(f"/form/{path}", _form(handle), methods=["POST"]) for path, handle in handlers.items()]


async def actor_of(request: Request, needed: Role = Role.VIEWER) -> Actor:
    """Who sends the form; raises NotSignedIn, or NotAllowed when the role is below `needed`."""
    token = request.cookies.get(sessions.COOKIE, "")
    actor = await database().read(EVERY_ORGANIZATION, sessions.find_actor, key_ring(), token)
    if actor is None:
        raise NotSignedIn("Your session has ended. Sign in again; what you typed is still here.")
    actor.require(needed)
    return actor


def text(form: Fields, name: str) -> str:
    """A field's text, empty when it is absent; raises Invalid for anything else than text."""
    value = form.get(name)
    return "" if value is None else _checked(name, value)


def texts(form: Fields, name: str) -> list[str]:
    """A field's list of texts, empty when it is absent; raises Invalid for anything else."""
    values = form.get(name)
    if values is None:
        return []
    if not isinstance(values, list):
        raise Invalid({name: "must be a list"})
    return [_checked(name, value) for value in values]


def _checked(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise Invalid({name: "must be text"})
    if any("\ud800" <= c <= "\udfff" for c in value):
        # Half of a character: JSON can carry it, UTF-8 and so the database cannot.
        raise Invalid({name: "must be valid Unicode text"})
    return value.replace("\0", "")


def id_of(form: Fields, name: str, missing: str) -> UUID:
    """A field's id; raises Invalid for anything else than text, NotFound, in the words of `missing`, for text that is no id."""
    try:
        return UUID(text(form, name))
    except ValueError:
        raise NotFound(missing) from None


def _form(handle: Handler) -> Callable[[Request], Awaitable[Response]]:
    """JSON from our own pages only: the browser states the origin, other sites cannot set it."""

    async def endpoint(request: Request) -> Response:
        if request.headers.get("origin") not in settings().allowed_origins:
            raise NotAllowed("This form was sent from another site. Open it on the address of this server.")
        if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            raise Invalid({"Content-Type": "must be application/json"})
        try:
            form = json.loads((await read_body(request, LARGEST_FORM)).decode())
        except (ValueError, RecursionError):
            form = None
        if not isinstance(form, dict):
            raise Invalid({"body": "must be a JSON object"})
        return await handle(request, form)

    endpoint.__name__ = handle.__name__
    return endpoint
