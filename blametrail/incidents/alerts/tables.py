"""Rows of alert sources, of what they told, and of what became of it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid4

from sqlmodel import Field, Index, SQLModel, UniqueConstraint

from blametrail.kit.clock import now
from blametrail.kit.db import Tenanted, UtcTime


class AlertSource(Tenanted, table=True):
    """A named inbound: its token is kept as a hash, and what its vendor signs with (for SNS: its topic) is sealed."""

    __tablename__ = "alert_source"
    __table_args__ = (UniqueConstraint("organization_id", "name", name="uq_alert_source_name"),)

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    name: str
    kind: str = Field(index=True)
    token_hash: str = Field(unique=True)
    token_start: str
    secret_sealed: str = ""
    confirm_sealed: str = ""  # the address at Amazon that confirms a subscription, until that is done
    service_id: UUID | None = Field(default=None, foreign_key="service.id", ondelete="SET NULL", index=True)
    environment: str = ""
    opens_unmapped: bool = False
    created_by: str = ""
    created_at: datetime = Field(default_factory=now, sa_type=UtcTime)
    used_at: datetime | None = Field(default=None, sa_type=UtcTime)
    used_from: str = ""


class AlertRoute(Tenanted, table=True):
    """Labels as `name=value`, one a line; alerts that have all of them are of this service."""

    __tablename__ = "alert_route"
    __table_args__ = (Index("ix_alert_route_created", "organization_id", "created_at"),)

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    matchers: str
    service_id: UUID = Field(foreign_key="service.id", ondelete="CASCADE", index=True)
    environment: str = ""
    created_by: str = ""
    created_at: datetime = Field(default_factory=now, sa_type=UtcTime)


class AlertState(Tenanted, table=True):
    """What a source says of one thing: `count` times since it began to fire. `labels` is JSON."""

    __tablename__ = "alert_state"
    __table_args__ = (
        UniqueConstraint("source_id", "fingerprint", name="uq_alert_state_fingerprint"),
        Index("ix_alert_state_status", "organization_id", "status", "last_seen_at"),
    )

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    source_id: UUID = Field(foreign_key="alert_source.id", ondelete="CASCADE")
    fingerprint: str
    status: str
    severity: str
    title: str
    labels: str = "{}"
    url: str = ""
    count: int = 0
    service_id: UUID | None = Field(default=None, foreign_key="service.id", ondelete="SET NULL", index=True)
    incident_id: UUID | None = Field(default=None, foreign_key="incident.id", ondelete="SET NULL", index=True)
    first_seen_at: datetime = Field(default_factory=now, sa_type=UtcTime)
    last_seen_at: datetime = Field(default_factory=now, sa_type=UtcTime)
    resolved_at: datetime | None = Field(default=None, sa_type=UtcTime)


class AlertDelivery(Tenanted, table=True):
    """A message as it came, secrets masked, and what became of it."""

    __tablename__ = "alert_delivery"
    __table_args__ = (Index("ix_alert_delivery_received", "organization_id", "received_at"),)

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    source_id: UUID = Field(foreign_key="alert_source.id", ondelete="CASCADE", index=True)
    received_at: datetime = Field(default_factory=now, sa_type=UtcTime)
    payload: str
    result: str
    reason: str = ""
    incident_id: UUID | None = Field(default=None, foreign_key="incident.id", ondelete="SET NULL", index=True)
    address: str = ""
    request_id: str = ""


class SnsCertificate(SQLModel, table=True):
    """A certificate of Amazon's that SNS signs with, by its address at Amazon; the same for everybody."""

    __tablename__ = "sns_certificate"

    url: str = Field(primary_key=True)
    pem: str
    fetched_at: datetime = Field(default_factory=now, sa_type=UtcTime)
