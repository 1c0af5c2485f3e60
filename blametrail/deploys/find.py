"""Find deploys: page by page, one by its id, and the ones around it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, tuple_
from sqlmodel import col, select

from blametrail.catalog.repositories import RepositoryLink, commit_url, compare_url
from blametrail.catalog.services import ServiceView, names
from blametrail.catalog.services import view as service_view
from blametrail.catalog.tables import Service
from blametrail.deploys import neighbours
from blametrail.deploys.enrichment.views import EnrichmentView, enrichment_of
from blametrail.deploys.filters import Filters
from blametrail.deploys.tables import Deploy, DeployCommit
from blametrail.deploys.timeline import Window
from blametrail.deploys.views import DeployView, deploy_view, newest_first, short
from blametrail.kit.cursors import cursor_of, read_cursor
from blametrail.kit.db import ScopedSession
from blametrail.kit.errors import NotFound

PAGE = 50
NO_DEPLOY = "There is no such deploy in this organization. It may have been deleted, or the link is of another organization."


@dataclass(frozen=True, slots=True)
class DeployPage:
    """Newest first; `next_cursor` is empty on the last page."""

    deploys: tuple[DeployView, ...]
    next_cursor: str


@dataclass(frozen=True, slots=True)
class CommitView:
    sha: str
    short_sha: str
    message: str
    author: str
    authored_at: datetime | None
    url: str


@dataclass(frozen=True, slots=True)
class DeployDetail:
    """Everything the page of a deploy shows."""

    deploy: DeployView
    message: str
    description: str
    url: str
    received_at: datetime
    from_sha: str
    from_is_stated: bool
    compare_url: str
    commit_url: str
    remarks: tuple[str, ...]
    commits: tuple[CommitView, ...]
    enrichment: EnrichmentView
    service: ServiceView
    previous: DeployView | None
    next: DeployView | None
    rollback_of: DeployView | None


def find_deploys(
    session: ScopedSession, filters: Filters, window: Window | None = None, cursor: str = "", limit: int = PAGE
) -> DeployPage:
    """A page of deploys, newest first; an unreadable cursor starts at the first page."""
    page = (
        select(Deploy)
        .where(*_conditions(filters, window))
        .order_by(*newest_first(bool(filters.services or filters.environments)))
    )
    if after := read_cursor(cursor):
        page = page.where(tuple_(col(Deploy.deployed_at), col(Deploy.id)) < after)
    rows = session.exec(page.limit(limit + 1)).all()
    services = names(session)
    return DeployPage(
        deploys=tuple(deploy_view(row, services.get(row.service_id, "")) for row in rows[:limit]),
        next_cursor=cursor_of(rows[limit - 1].deployed_at, rows[limit - 1].id) if len(rows) > limit else "",
    )


def count_deploys(session: ScopedSession, filters: Filters, window: Window | None = None) -> int:
    """How many deploys all pages hold together."""
    return session.exec(select(func.count()).select_from(Deploy).where(*_conditions(filters, window))).one()


def find_deploy(session: ScopedSession, deploy_id: UUID) -> DeployDetail:
    """One deploy with its neighbours; raises NotFound."""
    row = session.exec(select(Deploy).where(Deploy.id == deploy_id)).first()
    if row is None:
        raise NotFound(NO_DEPLOY)
    service = service_view(session, row.service_id)
    link = service.repositories[0] if service.repositories else None
    from_sha = row.stated_previous_sha or row.previous_sha
    place = neighbours.place_of(row)
    return DeployDetail(
        deploy=deploy_view(row, service.name),
        message=row.commit_message,
        description=row.description,
        url=row.url if row.url.startswith(("https://", "http://")) else "",
        received_at=row.received_at,
        from_sha=from_sha,
        from_is_stated=bool(row.stated_previous_sha),
        compare_url=compare_url(link, from_sha, row.commit_sha) if link and from_sha and from_sha != row.commit_sha else "",
        commit_url=commit_url(link, row.commit_sha) if link else "",
        remarks=tuple(row.remarks.splitlines()),
        commits=tuple(_commits(session, row, link)),
        enrichment=enrichment_of(session, row, service.name),
        service=service,
        previous=_view(_at(session, neighbours.before(session, place)), service.name),
        next=_view(_at(session, neighbours.after(session, place)), service.name),
        rollback_of=_view(_by_id(session, row.rollback_of_id), service.name),
    )


def newest_by_service(session: ScopedSession) -> dict[str, DeployView]:
    """The newest deploy of each service that has one, by the service's id; each is one step in an index."""
    services = names(session)
    of_service = select(Deploy.id).where(Deploy.service_id == Service.id).order_by(col(Deploy.deployed_at).desc()).limit(1)
    newest = select(Deploy).join(Service, col(Deploy.id) == of_service.correlate(Service).scalar_subquery())
    return {str(row.service_id): deploy_view(row, services.get(row.service_id, "")) for row in session.exec(newest)}


def _conditions(filters: Filters, window: Window | None) -> list[Any]:
    within = [Deploy.deployed_at >= window.start, Deploy.deployed_at <= window.end] if window else []
    return [*filters.conditions(), *within]


def _commits(session: ScopedSession, row: Deploy, link: RepositoryLink | None) -> list[CommitView]:
    rows = session.exec(select(DeployCommit).where(DeployCommit.deploy_id == row.id).order_by(col(DeployCommit.position)))
    return [
        CommitView(c.sha, short(c.sha), c.message, c.author, c.authored_at, commit_url(link, c.sha) if link else "")
        for c in rows
    ]


def _by_id(session: ScopedSession, deploy_id: UUID | None) -> Deploy | None:
    return session.exec(select(Deploy).where(Deploy.id == deploy_id)).first() if deploy_id else None


def _at(session: ScopedSession, place: neighbours.Place | None) -> Deploy | None:
    return _by_id(session, place.id) if place else None


def _view(row: Deploy | None, service: str) -> DeployView | None:
    return deploy_view(row, service) if row else None
