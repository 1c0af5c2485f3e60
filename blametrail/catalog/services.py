"""Create, list, edit and delete services."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Self
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import func
from sqlmodel import col, select

from blametrail.accounts.roles import Actor, Role
from blametrail.catalog import deploy_tokens
from blametrail.catalog.repositories import RepositoryLink, parse_repository
from blametrail.catalog.tables import Service, ServiceDependency, ServiceRepository
from blametrail.kit.db import ScopedSession
from blametrail.kit.errors import Invalid, NotFound
from blametrail.kit.jobs import announce_job
from blametrail.kit.keys import KeyRing

REPOSITORIES_CHANGED = "repositories_changed"
"""A job: what a service is linked to may have become another."""

NO_SERVICE = "There is no such service in this organization. It may have been deleted."


class Environment(StrEnum):
    PRODUCTION = "production"
    STAGING = "staging"
    DEVELOPMENT = "development"


class ServiceType(StrEnum):
    WEB = "web"
    API = "api"
    WORKER = "worker"
    DATABASE = "database"
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True)
class ServiceDraft:
    """What a person says of a service, checked: make it with `checked`."""

    name: str
    environment: Environment
    type: ServiceType
    url: str = ""
    owner_team: str = ""
    repositories: tuple[RepositoryLink, ...] = ()
    depends_on: tuple[UUID, ...] = ()

    @classmethod
    def checked(
        cls,
        *,
        name: str,
        environment: str,
        type: str,
        url: str = "",
        owner_team: str = "",
        repositories: str = "",
        depends_on: Sequence[str] = (),
    ) -> Self:
        """Parse a form; raises Invalid naming each wrong field. `repositories` has one a line."""
        wrong: dict[str, str] = {}
        name, url, owner_team = name.strip(), url.strip(), owner_team.strip()
        if not 1 <= len(name) <= 100:
            wrong["name"] = "must have 1 to 100 characters"
        if environment not in list(Environment):
            wrong["environment"] = "must be production, staging or development"
        if type not in list(ServiceType):
            wrong["type"] = "must be web, api, worker, database or internal"
        if url and not _is_address(url):
            wrong["url"] = "must be an http or https address"
        if len(owner_team) > 100:
            wrong["owner_team"] = "must have at most 100 characters"
        links, needed = _links(repositories, wrong), _ids(depends_on, wrong)
        if wrong:
            raise Invalid(wrong)
        return cls(name, Environment(environment), ServiceType(type), url, owner_team, links, needed)


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and len(url) <= 2048


@dataclass(frozen=True, slots=True)
class ServiceView:
    id: str
    name: str
    environment: str
    type: str
    url: str
    owner_team: str
    repositories: tuple[RepositoryLink, ...]
    depends_on: tuple[tuple[str, str], ...]
    created_at: datetime


def create(session: ScopedSession, keys: KeyRing, draft: ServiceDraft, created_by: str) -> tuple[UUID, str]:
    """Store a service with its deploy token; answers the id and the token, for this one time."""
    _refuse_taken_name(session, draft.name, None)
    row = Service(name=draft.name, environment=draft.environment, type=draft.type, url=draft.url, owner_team=draft.owner_team)
    session.add(row)
    session.flush()
    _link(session, row.id, draft)
    token = deploy_tokens.issue(session, keys, row.id, created_by)
    session.announce("services")
    return row.id, token


def create_as(session: ScopedSession, keys: KeyRing, actor: Actor, draft: ServiceDraft) -> tuple[UUID, str]:
    """`create` by a person, who must be an admin."""
    actor.require(Role.ADMIN)
    return create(session, keys, draft, actor.name)


def update(session: ScopedSession, actor: Actor, service_id: UUID, draft: ServiceDraft) -> None:
    actor.require(Role.ADMIN)
    row = _get(session, service_id)
    _refuse_taken_name(session, draft.name, service_id)
    row.name, row.environment, row.type = draft.name, draft.environment, draft.type
    row.url, row.owner_team = draft.url, draft.owner_team
    session.add(row)
    for old in session.exec(select(ServiceRepository).where(ServiceRepository.service_id == service_id)):
        session.delete(old)
    for edge in session.exec(select(ServiceDependency).where(ServiceDependency.service_id == service_id)):
        session.delete(edge)
    session.flush()
    _link(session, service_id, draft)
    session.announce("services")
    session.announce(f"service:{service_id}")


def delete(session: ScopedSession, actor: Actor, service_id: UUID) -> None:
    """Delete a service with its token, deploys and delivery log."""
    actor.require(Role.ADMIN)
    session.delete(_get(session, service_id))
    session.announce("services")
    session.announce("deploys")


def view(session: ScopedSession, service_id: UUID) -> ServiceView:
    """One service; raises NotFound."""
    _get(session, service_id)
    return next(v for v in list_services(session) if v.id == str(service_id))


def list_services(session: ScopedSession) -> list[ServiceView]:
    """All services of the organization, by name."""
    rows = session.exec(select(Service).order_by(func.lower(Service.name))).all()
    names = {row.id: row.name for row in rows}
    links: dict[UUID, list[RepositoryLink]] = {}
    for r in session.exec(select(ServiceRepository).order_by(col(ServiceRepository.position))):
        links.setdefault(r.service_id, []).append(RepositoryLink(r.host_url, r.path, r.path_prefix))
    needs: dict[UUID, list[tuple[str, str]]] = {}
    for edge in session.exec(select(ServiceDependency)):
        needs.setdefault(edge.service_id, []).append((str(edge.depends_on_id), names[edge.depends_on_id]))
    return [
        ServiceView(
            id=str(row.id),
            name=row.name,
            environment=row.environment,
            type=row.type,
            url=row.url,
            owner_team=row.owner_team,
            repositories=tuple(links.get(row.id, ())),
            depends_on=tuple(sorted(needs.get(row.id, ()), key=lambda pair: pair[1].lower())),
            created_at=row.created_at,
        )
        for row in rows
    ]


def names(session: ScopedSession) -> dict[UUID, str]:
    """Service names by id."""
    return dict(session.exec(select(Service.id, Service.name)).all())


def _get(session: ScopedSession, service_id: UUID) -> Service:
    row = session.exec(select(Service).where(Service.id == service_id)).first()
    if row is None:
        raise NotFound(NO_SERVICE)
    return row


def _refuse_taken_name(session: ScopedSession, name: str, own_id: UUID | None) -> None:
    same = select(Service.id).where(func.lower(Service.name) == name.lower())
    if any(id_ != own_id for id_ in session.exec(same)):
        raise Invalid({"name": "is the name of another service already"})


def _link(session: ScopedSession, service_id: UUID, draft: ServiceDraft) -> None:
    announce_job(session, REPOSITORIES_CHANGED, "")
    for position, link in enumerate(draft.repositories):
        session.add(
            ServiceRepository(
                service_id=service_id,
                host_url=link.host_url,
                path=link.path,
                path_prefix=link.path_prefix,
                position=position,
            )
        )
    known = set(session.exec(select(Service.id)))
    for needed in dict.fromkeys(draft.depends_on):
        if needed == service_id or needed not in known:
            raise Invalid({"depends_on": "must name other services of this organization"})
        session.add(ServiceDependency(service_id=service_id, depends_on_id=needed))


def _links(lines: str, wrong: dict[str, str]) -> tuple[RepositoryLink, ...]:
    try:
        return tuple(parse_repository(line) for line in lines.splitlines() if line.strip())
    except ValueError as error:
        wrong["repositories"] = str(error)
        return ()


def _ids(texts: Sequence[str], wrong: dict[str, str]) -> tuple[UUID, ...]:
    try:
        return tuple(UUID(text) for text in texts)
    except ValueError:
        wrong["depends_on"] = "must name services"
        return ()
