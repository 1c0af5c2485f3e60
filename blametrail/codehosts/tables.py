"""Rows of connections to code hosts, and of the pull requests they told of."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlmodel import Field, Index, UniqueConstraint

from blametrail.kit.clock import now
from blametrail.kit.db import Tenanted, UtcTime

_OF_ORGANIZATION = text("service_id IS NULL")
_WHERE_OF_ORGANIZATION: Any = {"sqlite_where": _OF_ORGANIZATION, "postgresql_where": _OF_ORGANIZATION}


class Connection(Tenanted, table=True):
    """A way to ask one code host, for the whole organization or for one service."""

    __table_args__ = (
        UniqueConstraint("service_id", "host_url"),
        Index("uq_connection_host_url", "organization_id", "host_url", unique=True, **_WHERE_OF_ORGANIZATION),
    )

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    service_id: UUID | None = Field(default=None, foreign_key="service.id", ondelete="CASCADE", index=True)
    kind: str
    host_url: str
    level: str
    credential: str
    secret_sealed: str
    app_id: str = ""
    installation_id: str = ""
    set_by: str
    set_at: datetime = Field(default_factory=now, sa_type=UtcTime)
    used_at: datetime | None = Field(default=None, sa_type=UtcTime)
    checked_at: datetime | None = Field(default=None, sa_type=UtcTime)
    expires_at: datetime | None = Field(default=None, sa_type=UtcTime)
    # What the host says the secret may do, as it says it; and what is wrong with it, in words.
    login: str = ""
    granted: str = ""
    may_write: bool | None = None
    fault: str = ""
    remedy: str = ""


class PullRequest(Tenanted, table=True):
    """A pull request of a repository, however we learned of it."""

    __tablename__ = "pull_request"
    __table_args__ = (
        UniqueConstraint("organization_id", "host_url", "repository", "number", name="uq_pull_request_number"),
        Index("ix_pull_request_merged", "organization_id", "merged_at", "id"),
    )

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    host_url: str
    repository: str
    number: int
    title: str
    body: str = ""
    author: str = ""
    labels: str = ""  # one a line
    state: str
    url: str
    base_branch: str = ""
    head_sha: str = ""
    merge_sha: str = ""
    created_at: datetime = Field(sa_type=UtcTime)
    updated_at: datetime = Field(sa_type=UtcTime)
    merged_at: datetime | None = Field(default=None, sa_type=UtcTime)
    learned_at: datetime = Field(default_factory=now, sa_type=UtcTime)
    has_files: bool = False
    has_all_files: bool = False


class PullRequestFile(Tenanted, table=True):
    """A file that a pull request changed, most worth reading first."""

    __tablename__ = "pull_request_file"

    pull_request_id: UUID = Field(foreign_key="pull_request.id", ondelete="CASCADE", primary_key=True)
    position: int = Field(primary_key=True)
    path: str
    old_path: str = ""
    status: str
    added: int
    removed: int
    category: str
    relevance: float
    patch: str | None = None
