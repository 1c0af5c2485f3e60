"""What may be told of many deploys at once: what a list shows, and what each one came after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, tuple_
from sqlmodel import col, select

from blametrail.catalog.repositories import RepositoryLink, compare_url
from blametrail.catalog.services import ServiceView, list_services
from blametrail.deploys.filters import Filters
from blametrail.deploys.tables import Deploy
from blametrail.deploys.views import DeployView, deploy_view, newest_first
from blametrail.kit.db import ScopedSession

ENOUGH_FOR_A_TITLE = 1_000

Services = Mapping[UUID, ServiceView]

# Messages and descriptions have no bound; of many deploys, only what a title needs is read.
_COLUMNS: Any = (
    Deploy.id, Deploy.service_id, Deploy.environment, Deploy.commit_sha, Deploy.stated_previous_sha, Deploy.previous_sha,
    func.substr(Deploy.commit_message, 1, ENOUGH_FOR_A_TITLE).label("commit_message"),
    func.substr(Deploy.description, 1, ENOUGH_FOR_A_TITLE).label("description"),
    Deploy.branch, Deploy.version, Deploy.deployed_by, Deploy.kind, Deploy.rollback_of_id,
    Deploy.deployed_at, Deploy.received_at, Deploy.commit_count,
)  # fmt: skip
SELECT_SUMMARIES: Any = select(*_COLUMNS)


@dataclass(frozen=True, slots=True)
class DeploySummary:
    """`previous_sha`, `rollback_of_id` and `compare_url` are empty where there is none."""

    deploy: DeployView
    previous_sha: str
    rollback_of_id: str
    received_at: datetime
    compare_url: str


def services_by_id(session: ScopedSession) -> dict[UUID, ServiceView]:
    return {UUID(service.id): service for service in list_services(session)}


def summaries(session: ScopedSession, services: Services, statement: Any) -> list[DeploySummary]:
    """The deploys that a statement, made of `SELECT_SUMMARIES`, finds; in its order."""
    return [_summary(row, services) for row in session.exec(statement)]


def summaries_of(session: ScopedSession, services: Services, ids: Sequence[UUID]) -> dict[UUID, DeploySummary]:
    """Deploys by their ids."""
    # Told to compare the organization's column, SQLite would read all its deploys as soon as the ids are more than a few.
    mine = func.coalesce(col(Deploy.organization_id), None) == session.scope
    rows = session.connection().execute(SELECT_SUMMARIES.where(col(Deploy.id).in_(ids), mine))
    return {row.id: _summary(row, services) for row in rows}


def newest_deploys(
    session: ScopedSession,
    services: Services,
    *,
    service_id: UUID | None = None,
    environment: str = "",
    kind: str = "",
    filters: Filters | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    after: tuple[datetime, UUID] | None = None,
    limit: int,
) -> list[DeploySummary]:
    """The newest first, from `since` on and before `until`; `after` is the time and the id of the last one of the page before."""
    conditions = filters.conditions() if filters else []
    if service_id is not None:
        conditions.append(Deploy.service_id == service_id)
    if environment:
        conditions.append(Deploy.environment == environment)
    if kind:
        conditions.append(Deploy.kind == kind)
    if since is not None:
        conditions.append(Deploy.deployed_at >= since)
    if until is not None:
        conditions.append(Deploy.deployed_at < until)
    if after is not None:
        conditions.append(tuple_(col(Deploy.deployed_at), col(Deploy.id)) < after)
    order = newest_first(bool(service_id is not None or environment or kind))
    return summaries(session, services, SELECT_SUMMARIES.where(*conditions).order_by(*order).limit(limit))


def link_of(service: ServiceView | None) -> RepositoryLink | None:
    """The repository that a service's commits are compared in."""
    return service.repositories[0] if service and service.repositories else None


def difference_url(link: RepositoryLink | None, base: str, head: str) -> str:
    """Where the code host shows what lies between two commits; empty where there is nothing to show."""
    return compare_url(link, base, head) if link and base and head and base != head else ""


def _summary(row: Any, services: Services) -> DeploySummary:
    service, previous = services.get(row.service_id), row.stated_previous_sha or row.previous_sha
    return DeploySummary(
        deploy=deploy_view(row, service.name if service else ""),
        previous_sha=previous,
        rollback_of_id=str(row.rollback_of_id or ""),
        received_at=row.received_at,
        compare_url=difference_url(link_of(service), previous, row.commit_sha),
    )
