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


class Enrichment(Tenanted, table=True):
    """How far we know what a deploy carries: its state, and what is missing and why."""

    __table_args__ = (Index("ix_enrichment_state", "organization_id", "state", "tried_at"),)

    deploy_id: UUID = Field(foreign_key="deploy.id", ondelete="CASCADE", primary_key=True)
    state: str
    reason: str = ""
    remedy: str = ""
    host_url: str = ""
    repository: str = ""
    base_sha: str = ""
    relation: str = ""
    total_commits: int = 0
    has_all_files: bool = False
    calls: int = 0
    tried_at: datetime | None = Field(default=None, sa_type=UtcTime)
    again_at: datetime | None = Field(default=None, sa_type=UtcTime)


class EnrichedCommit(Tenanted, table=True):
    """A commit that a deploy carries, as its code host says, oldest first."""

    __tablename__ = "enriched_commit"
    __table_args__ = (Index("ix_enriched_commit_sha", "organization_id", "sha"),)

    deploy_id: UUID = Field(foreign_key="deploy.id", ondelete="CASCADE", primary_key=True)
    position: int = Field(primary_key=True)
    sha: str
    message: str
    author: str = ""
    login: str = ""
    authored_at: datetime | None = Field(default=None, sa_type=UtcTime)
    committed_at: datetime | None = Field(default=None, sa_type=UtcTime)
    is_merge: bool = False
    is_taken_out: bool = False
    url: str = ""
    pull_request_id: UUID | None = Field(default=None, foreign_key="pull_request.id", ondelete="SET NULL", index=True)


class EnrichedFile(Tenanted, table=True):
    """A file that differs between a deploy and the one before it, most worth reading first."""

    __tablename__ = "enriched_file"

    deploy_id: UUID = Field(foreign_key="deploy.id", ondelete="CASCADE", primary_key=True)
    position: int = Field(primary_key=True)
    path: str
    old_path: str = ""
    status: str
    added: int
    removed: int
    category: str
    relevance: float
    reasons: str = ""  # one a line
    patch: str | None = None


class EnrichedPullRequest(Tenanted, table=True):
    """A pull request that a deploy carries."""

    __tablename__ = "enriched_pull_request"

    deploy_id: UUID = Field(foreign_key="deploy.id", ondelete="CASCADE", primary_key=True)
    pull_request_id: UUID = Field(foreign_key="pull_request.id", ondelete="CASCADE", primary_key=True, index=True)
