"""Connections to code hosts: forms that bring a token or a private key in; no answer holds one."""

from __future__ import annotations

from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from blametrail.accounts.roles import Actor, Role
from blametrail.api.answers import answer
from blametrail.api.forms.form import Fields, actor_of, id_of, routes_of, text
from blametrail.catalog.services import NO_SERVICE
from blametrail.codehosts import connections
from blametrail.codehosts.check import Check, check_connection
from blametrail.codehosts.connections import NO_CONNECTION
from blametrail.codehosts.draft import ConnectionDraft
from blametrail.kit.db import database
from blametrail.kit.keys import key_ring


async def add(request: Request, form: Fields) -> Response:
    """A new connection, saved whether or not the host takes its secret now; then tested."""
    actor = await actor_of(request, Role.ADMIN)
    fields = ("kind", "host_url", "level", "credential", "secret", "app_id", "installation_id")
    draft = ConnectionDraft.checked(
        **{name: text(form, name) for name in fields},
        service_id=id_of(form, "service_id", NO_SERVICE) if form.get("service_id") else None,
    )
    connection_id = await database().write(actor.organization_id, connections.add, key_ring(), actor, draft)
    return await _tested(request, actor, connection_id)


async def replace_secret(request: Request, form: Fields) -> Response:
    """Another secret for a connection; the one before is gone."""
    actor = await actor_of(request, Role.ADMIN)
    connection_id = id_of(form, "connection_id", NO_CONNECTION)
    secret = text(form, "secret")
    await database().write(actor.organization_id, connections.replace_secret, key_ring(), actor, connection_id, secret)
    return await _tested(request, actor, connection_id)


async def _tested(request: Request, actor: Actor, connection_id: UUID) -> Response:
    checked = await check_connection(database(), key_ring(), actor, connection_id)
    return answer(request, {"message": _words(checked)})


def _words(checked: Check) -> str:
    if checked.reason:
        return f"Saved, but it does not work yet. {checked.reason} {checked.remedy}"
    host = checked.host_url.partition("://")[2]
    hidden = [seen.path for seen in checked.repositories if seen.reason]
    if hidden:
        return f"Saved. {host} knows it as {checked.login}, but it cannot see {', '.join(hidden)}."
    return f"Saved, and it works: {host} knows it as {checked.login}."


routes = routes_of({"connection": add, "connection-secret": replace_secret})
