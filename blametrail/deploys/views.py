"""What may be shown of a deploy, and the cheap reads that many pages share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func
from sqlmodel import col, select

from blametrail.deploys.tables import Deploy
from blametrail.kit.db import ScopedSession

SHORT_SHA = 9
LONGEST_SHOWN = 200
MOST_ENVIRONMENTS = 100


@dataclass(frozen=True, slots=True)
class DeployView:
    """A deploy in a list, on a mark or beside another."""

    id: str
    service_id: str
    service: str
    environment: str
    commit_sha: str
    short_sha: str
    title: str
    branch: str
    version: str
    deployed_by: str
    kind: str
    deployed_at: datetime
    commit_count: int


def deploys_at(session: ScopedSession, moments: Sequence[datetime], services: Mapping[UUID, str]) -> list[DeployView]:
    """The deploys of exactly these moments, without the columns that no mark shows."""
    columns: Any = (
        Deploy.id, Deploy.service_id, Deploy.environment, Deploy.commit_sha, Deploy.commit_message, Deploy.description,
        Deploy.branch, Deploy.version, Deploy.deployed_by, Deploy.kind, Deploy.deployed_at, Deploy.commit_count,
    )  # fmt: skip
    rows: Any = session.exec(select(*columns).where(col(Deploy.deployed_at).in_(moments)))
    return [deploy_view(row, services.get(row.service_id, "")) for row in rows]


def newest_first(is_filtered: bool) -> tuple[Any, Any]:
    """The order of deploys in lists. The index that has it would be walked to its end for a filter by service, environment or
    kind that finds few: with such a filter, the order is one that no index has."""
    id_ = func.coalesce(col(Deploy.id), None) if is_filtered else col(Deploy.id)
    return col(Deploy.deployed_at).desc(), id_.desc()


def environments(session: ScopedSession) -> list[str]:
    """The environments that deploys went to, by name, as many as can be chosen from; each is one step in an index."""
    found: list[str] = []
    while len(found) < MOST_ENVIRONMENTS:
        following = select(Deploy.environment).order_by(Deploy.environment).limit(1)
        name = session.exec(following.where(Deploy.environment > found[-1]) if found else following).first()
        if name is None:
            break
        found.append(name)
    return found


def deploy_view(row: Any, service: str) -> DeployView:
    return DeployView(
        id=str(row.id),
        service_id=str(row.service_id),
        service=service,
        environment=row.environment,
        commit_sha=row.commit_sha,
        short_sha=short(row.commit_sha),
        title=title_of(row.commit_message) or row.description.strip()[:200] or short(row.commit_sha),
        branch=row.branch[:LONGEST_SHOWN],
        version=row.version[:LONGEST_SHOWN],
        deployed_by=row.deployed_by[:LONGEST_SHOWN],
        kind=row.kind,
        deployed_at=row.deployed_at,
        commit_count=row.commit_count,
    )


def title_of(message: str) -> str:
    """The first line of a commit message that says something."""
    return next((line.strip()[:200] for line in message.splitlines() if line.strip()), "")


def short(sha: str) -> str:
    return sha[:SHORT_SHA]
