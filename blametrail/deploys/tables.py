"""Rows of deploys, their commits, and of what was delivered to us."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid4

from sqlmodel import Field, Index, UniqueConstraint

from blametrail.kit.clock import now
from blametrail.kit.db import Tenanted, UtcTime


class Deploy(Tenanted, table=True):
    """One act of putting a version of a service into an environment."""

    __table_args__ = (
        # A key belongs to its token and is remembered as long as its deploy.
        UniqueConstraint("token_id", "idempotency_key"),
        Index("ix_deploy_newest", "organization_id", "deployed_at", "id"),
        # Lanes of the timeline: their counts are answered by an index alone.
        Index("ix_deploy_service_lane", "organization_id", "service_id", "deployed_at", "environment"),
        Index("ix_deploy_environment_lane", "organization_id", "environment", "deployed_at", "service_id"),
        Index("ix_deploy_kind", "organization_id", "kind", "deployed_at", "service_id", "environment"),
        # What was live before, and whether it was live earlier.
        Index("ix_deploy_lineage", "organization_id", "service_id", "environment", "deployed_at", "commit_sha", "id"),
        Index("ix_deploy_commit", "organization_id", "service_id", "environment", "commit_sha", "deployed_at", "id"),
    )

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    service_id: UUID = Field(foreign_key="service.id", ondelete="CASCADE")
    environment: str
    commit_sha: str
    commit_message: str = ""
    branch: str = ""
    deployed_by: str = ""
    version: str = ""
    description: str = ""
    url: str = ""
    commit_count: int = 0
    deployed_at: datetime = Field(sa_type=UtcTime)
    received_at: datetime = Field(default_factory=now, sa_type=UtcTime)
    stated_previous_sha: str = ""
    previous_sha: str = ""
    kind: str
    rollback_of_id: UUID | None = None
    remarks: str = ""
    token_id: UUID | None = Field(default=None, foreign_key="deploy_token.id", ondelete="SET NULL")
    idempotency_key: str | None = None


class DeployCommit(Tenanted, table=True):
    """A commit that CI said a deploy carries, in the order it was sent."""

    __tablename__ = "deploy_commit"

    deploy_id: UUID = Field(foreign_key="deploy.id", ondelete="CASCADE", primary_key=True)
    position: int = Field(primary_key=True)
    sha: str
    message: str = ""
    author: str = ""
    authored_at: datetime | None = Field(default=None, sa_type=UtcTime)


class Delivery(Tenanted, table=True):
    """A request that carried a known deploy token, and what became of it."""

    __table_args__ = (Index("ix_delivery_log", "service_id", "received_at"),)

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    service_id: UUID = Field(foreign_key="service.id", ondelete="CASCADE")
    deploy_id: UUID | None = None
    received_at: datetime = Field(default_factory=now, sa_type=UtcTime, index=True)
    route: str
    status: int
    reason: str
    body: str = ""
    address: str = ""
    request_id: str = ""
