"""What may be shown of a deploy."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from blametrail.deploys.tables import Deploy

SHORT_SHA = 9


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


def deploy_view(row: Deploy, service: str) -> DeployView:
    return DeployView(
        id=str(row.id),
        service_id=str(row.service_id),
        service=service,
        environment=row.environment,
        commit_sha=row.commit_sha,
        short_sha=short(row.commit_sha),
        title=title_of(row.commit_message) or row.description.strip()[:200] or short(row.commit_sha),
        branch=row.branch,
        version=row.version,
        deployed_by=row.deployed_by,
        kind=row.kind,
        deployed_at=row.deployed_at,
        commit_count=row.commit_count,
    )


def title_of(message: str) -> str:
    """The first line of a commit message that says something."""
    return next((line.strip()[:200] for line in message.splitlines() if line.strip()), "")


def short(sha: str) -> str:
    return sha[:SHORT_SHA]
