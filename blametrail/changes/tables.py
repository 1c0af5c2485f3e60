"""Rows of the repositories that we watch, of the webhooks that tell of them, and of what can be searched."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import BigInteger, Integer
from sqlmodel import Field, Index, UniqueConstraint

from blametrail.codehosts.tables import PullRequestFile
from blametrail.kit.clock import now
from blametrail.kit.db import Tenanted, UtcTime


class WatchedRepository(Tenanted, table=True):
    """A repository that a service links to, and how far its merged pull requests are known."""

    __tablename__ = "watched_repository"
    __table_args__ = (UniqueConstraint("organization_id", "host_url", "path", name="uq_watched_repository_path"),)

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    host_url: str
    path: str
    linked_at: datetime = Field(default_factory=now, sa_type=UtcTime)
    known_since: datetime | None = Field(default=None, sa_type=UtcTime)
    # When it is asked next; when it was asked last, well or not, and when well.
    poll_at: datetime = Field(default_factory=now, sa_type=UtcTime, index=True)
    tried_at: datetime | None = Field(default=None, sa_type=UtcTime)
    polled_at: datetime | None = Field(default=None, sa_type=UtcTime)
    webhook_at: datetime | None = Field(default=None, sa_type=UtcTime)
    fault: str = ""
    remedy: str = ""


class WebhookSecret(Tenanted, table=True):
    """What a code host signs its webhooks with; the one before it counts until it is dropped."""

    __tablename__ = "webhook_secret"

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    kind: str = Field(index=True)
    secret_sealed: str
    created_by: str
    created_at: datetime = Field(default_factory=now, sa_type=UtcTime)
    used_at: datetime | None = Field(default=None, sa_type=UtcTime)


class WebhookDelivery(Tenanted, table=True):
    """A signed webhook, and what became of it; its id is what makes a replay known."""

    __tablename__ = "webhook_delivery"
    __table_args__ = (
        UniqueConstraint("organization_id", "kind", "delivery_id", name="uq_webhook_delivery_id"),
        Index("ix_webhook_delivery_received", "organization_id", "received_at"),
    )

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    kind: str
    delivery_id: str
    event: str
    repository: str = ""
    outcome: str
    reason: str = ""
    body: str = ""  # of those that could not be read
    received_at: datetime = Field(default_factory=now, sa_type=UtcTime)


# The paths of a change are looked through by an index alone, beside their patches. PostgreSQL's has no room for long ones.
_FILE = PullRequestFile.__table__.c  # type: ignore[attr-defined]
Index("ix_pull_request_file_path", _FILE.pull_request_id, _FILE.path, _FILE.old_path, _FILE.organization_id).ddl_if("sqlite")


class ChangeDocument(Tenanted, table=True):
    """What a merged pull request is found by. Its words are in `change_words`, a table of each database's own kind,
    under the same id, and go when this row goes; see `index.py`."""

    __tablename__ = "change_document"
    __table_args__ = (Index("ix_change_document_merged", "organization_id", "merged_at", "pull_request_id"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=BigInteger().with_variant(Integer, "sqlite"))
    pull_request_id: UUID = Field(foreign_key="pull_request.id", ondelete="CASCADE", unique=True)
    merged_at: datetime = Field(sa_type=UtcTime)
    # As they are compared: without case; labels one a line, with a line break around each.
    host_url: str
    repository: str
    author: str
    labels: str
