"""New API tokens: a form whose answer holds one, this one time."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from blametrail.accounts import api_tokens
from blametrail.accounts.roles import Role
from blametrail.api.answers import answer
from blametrail.api.forms.form import Fields, actor_of, routes_of, text
from blametrail.kit.db import database
from blametrail.kit.keys import key_ring


async def make_api_token(request: Request, form: Fields) -> Response:
    """A token for the read API, which this answer alone shows."""
    actor = await actor_of(request, Role.ADMIN)
    name, days = text(form, "name"), text(form, "days")
    token = await database().write(actor.organization_id, api_tokens.make, key_ring(), actor, name, days)
    return answer(request, {"secret": token, "secret_of": "api-token"})


routes = routes_of({"api-token": make_api_token})
