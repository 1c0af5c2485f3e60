"""Alert sources: forms that bring a vendor's secret in, and whose answer alone shows a token."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from blametrail.accounts.roles import Role
from blametrail.api.answers import answer
from blametrail.api.forms.form import Fields, actor_of, id_of, routes_of, text
from blametrail.catalog.services import NO_SERVICE
from blametrail.incidents.alerts import connect
from blametrail.incidents.alerts.connect import NO_SOURCE, SourceDraft
from blametrail.kit.db import database
from blametrail.kit.keys import key_ring


async def add_source(request: Request, form: Fields) -> Response:
    """A source with its token, which this answer alone shows."""
    actor = await actor_of(request, Role.ADMIN)
    draft = SourceDraft.checked(
        **{name: text(form, name) for name in ("name", "kind", "environment", "secret")},
        service_id=id_of(form, "service_id", NO_SERVICE) if form.get("service_id") else None,
        opens_unmapped=text(form, "opens_unmapped") == "on",
    )
    _, token = await database().write(actor.organization_id, connect.add_source, key_ring(), actor, draft)
    told = f"{draft.name} is there. Copy its token now: it is shown this once."
    return answer(request, {"secret": token, "secret_of": "alert-source", "message": told})


async def rotate_token(request: Request, form: Fields) -> Response:
    actor = await actor_of(request, Role.ADMIN)
    source_id = id_of(form, "source_id", NO_SOURCE)
    token = await database().write(actor.organization_id, connect.rotate_token, key_ring(), actor, source_id)
    return answer(request, {"secret": token, "secret_of": str(source_id), "message": "The old token is refused from now on."})


async def set_secret(request: Request, form: Fields) -> Response:
    """What the vendor signs with; the one before it is gone. Empty takes it away."""
    actor = await actor_of(request, Role.ADMIN)
    source_id, secret = id_of(form, "source_id", NO_SOURCE), text(form, "secret")
    await database().write(actor.organization_id, connect.set_secret, key_ring(), actor, source_id, secret)
    told = "Messages signed with it are taken from now on." if secret.strip() else "Only the token counts from now on."
    return answer(request, {"message": told})


routes = routes_of({"alert-source": add_source, "alert-token": rotate_token, "alert-secret": set_secret})
