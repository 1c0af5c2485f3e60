"""Secrets of webhooks: made on a page, shown by this answer alone."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from blametrail.accounts.roles import Role
from blametrail.api.answers import answer
from blametrail.api.forms.form import Fields, actor_of, routes_of, text
from blametrail.changes import webhook_secrets
from blametrail.kit.db import database
from blametrail.kit.keys import key_ring


async def make_secret(request: Request, form: Fields) -> Response:
    """A new secret; the one before it counts until it is dropped."""
    actor = await actor_of(request, Role.ADMIN)
    kind = text(form, "kind")
    made = await database().write(actor.organization_id, webhook_secrets.make, key_ring(), actor, kind)
    return answer(
        request, {"secret": made, "secret_of": f"webhook-{kind}", "message": "Webhooks signed with it are taken from now on."}
    )


routes = routes_of({"webhook-secret": make_secret})
