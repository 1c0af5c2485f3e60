"""New services and deploy tokens: forms whose answer holds a token, this one time."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from blametrail.accounts.roles import Role
from blametrail.api.answers import answer
from blametrail.api.forms.form import Fields, actor_of, id_of, routes_of, text, texts
from blametrail.catalog import deploy_tokens, services
from blametrail.kit.db import database
from blametrail.kit.keys import key_ring


async def create_service(request: Request, form: Fields) -> Response:
    """A service with its deploy token, which this answer alone shows."""
    actor = await actor_of(request, Role.ADMIN)
    draft = services.ServiceDraft.checked(
        **{name: text(form, name) for name in ("name", "environment", "type", "url", "owner_team", "repositories")},
        depends_on=texts(form, "depends_on"),
    )
    service_id, token = await database().write(actor.organization_id, services.create_as, key_ring(), actor, draft)
    return answer(request, {"secret": token, "secret_of": str(service_id), "location": f"/services/{service_id}"})


async def rotate_token(request: Request, form: Fields) -> Response:
    actor = await actor_of(request, Role.ADMIN)
    service_id = id_of(form, "service_id", services.NO_SERVICE)
    token = await database().write(actor.organization_id, deploy_tokens.rotate, key_ring(), actor, service_id)
    return answer(
        request,
        {"secret": token, "secret_of": str(service_id), "message": "The old token is refused from now on."},
    )


routes = routes_of({"service": create_service, "rotate": rotate_token})
