"""Rows of change events, and of what they touch."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import JSON
from sqlmodel import Field, Index, UniqueConstraint

from blametrail.kit.clock import now
from blametrail.kit.db import Tenanted, UtcTime


class ChangeEvent(Tenanted, table=True):
    """A change that is not code. `source` is the service whose token told of it, empty for
    people; `reverts` is what it takes back, as it was said: the id of a change event or a deploy, or any other name. One without
    environments is of all of them; `is_of_all_services` is for one that was told without any."""

    __tablename__ = "change_event"
    __table_args__ = (
        # A key belongs to its token and is remembered as long as its event.
        UniqueConstraint("token_id", "idempotency_key", name="uq_change_event_key"),
        Index("ix_change_event_started", "organization_id", "started_at", "id"),
        Index("ix_change_event_ended", "organization_id", "ended_at"),
    )

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    kind: str
    title: str
    description: str = ""
    started_at: datetime = Field(sa_type=UtcTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcTime)
    who: str = ""
    url: str = ""
    is_of_all_services: bool = False
    labels: dict[str, str] = Field(default_factory=dict, sa_type=JSON)
    reverts: str = ""
    source: str
    received_at: datetime = Field(default_factory=now, sa_type=UtcTime)
    token_id: UUID | None = Field(default=None, foreign_key="deploy_token.id", ondelete="SET NULL")
    idempotency_key: str | None = None


class ChangeEventService(Tenanted, table=True):
    """A service that a change event touches."""

    __tablename__ = "change_event_service"

    change_event_id: UUID = Field(foreign_key="change_event.id", ondelete="CASCADE", primary_key=True)
    service_id: UUID = Field(foreign_key="service.id", ondelete="CASCADE", primary_key=True, index=True)


class ChangeEventEnvironment(Tenanted, table=True):
    """An environment that a change event touches."""

    __tablename__ = "change_event_environment"

    change_event_id: UUID = Field(foreign_key="change_event.id", ondelete="CASCADE", primary_key=True)
    environment: str = Field(primary_key=True, index=True)
