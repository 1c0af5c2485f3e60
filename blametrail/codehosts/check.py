"""Test a connection: whose secret it is, what it may do, and whether it sees the repositories that it is for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import UUID

from sqlmodel import col, select

from blametrail.accounts.roles import Actor, Role
from blametrail.catalog.tables import ServiceRepository
from blametrail.codehosts.access import Access, Credential
from blametrail.codehosts.connections import access_to, choose_installation, note_check
from blametrail.codehosts.facts import TokenFact
from blametrail.codehosts.github.app import App, installations
from blametrail.codehosts.host import CodeHost, HostError, NotPermitted
from blametrail.codehosts.opening import open_host
from blametrail.codehosts.tables import Connection
from blametrail.kit.db import Database, ScopedSession
from blametrail.kit.keys import KeyRing

MOST_REPOSITORIES = 10
"""Asked for in one test."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A linked repository, and why it cannot be seen, or nothing."""

    path: str
    reason: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """The outcome of a test; `reason` and `remedy` are empty when the secret works."""

    host_url: str
    login: str
    reason: str
    remedy: str
    repositories: tuple[Seen, ...]


async def check_connection(db: Database, keys: KeyRing, actor: Actor, connection_id: UUID) -> Check:
    """Ask the host now, and keep what it says; raises NotFound."""
    actor.require(Role.ADMIN)
    access, paths = await db.read(actor.organization_id, _prepare, keys, connection_id)
    if access.credential == Credential.APP and not access.installation_id:
        try:
            installation_id = await _only_installation(access)
        except HostError as error:
            await db.write(actor.organization_id, note_check, connection_id, error)
            return Check(access.host_url, "", error.reason, error.remedy, ())
        await db.write(actor.organization_id, choose_installation, actor, connection_id, installation_id)
        access = replace(access, installation_id=installation_id)
    async with open_host(access) as host:
        told: TokenFact | HostError
        try:
            told = await host.token()
        except HostError as error:
            told, paths = error, []
        seen = [await _look(host, path) for path in paths]
    await db.write(actor.organization_id, note_check, connection_id, told)
    if isinstance(told, HostError):
        return Check(access.host_url, "", told.reason, told.remedy, ())
    return Check(access.host_url, told.login, "", "", tuple(seen))


async def _only_installation(access: Access) -> str:
    """Where an app is installed, when that is one place; raises HostError."""
    found = [one for one in await installations(App(access.host_url, access.app_id, access.secret)) if not one.is_suspended]
    if len(found) == 1:
        return found[0].id
    if found:
        places = ", ".join(f"{one.account} ({one.id})" for one in found[:MOST_REPOSITORIES])
        raise NotPermitted(
            f"The app is installed in several places: {places}.", "Remove this connection, and add it with the number of one."
        )
    raise NotPermitted("The app is not installed anywhere yet.", "Install it on its page at GitHub, then test again.")


async def _look(host: CodeHost, path: str) -> Seen:
    try:
        await host.repository(path)
    except HostError as error:
        return Seen(path, error.reason, error.remedy)
    return Seen(path)


def _prepare(session: ScopedSession, keys: KeyRing, connection_id: UUID) -> tuple[Access, list[str]]:
    """The connection, opened, and the repositories that are asked for with it."""
    access = access_to(session, keys, connection_id)
    of_service = session.exec(select(Connection.service_id).where(Connection.id == connection_id)).one()
    linked = select(ServiceRepository.path).where(ServiceRepository.host_url == access.host_url).distinct()
    if of_service:
        linked = linked.where(ServiceRepository.service_id == of_service)
    return access, list(session.exec(linked.order_by(col(ServiceRepository.path)).limit(MOST_REPOSITORIES)))
