"""Rows of the events that told of incidents."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid4

from sqlmodel import Field, Index, UniqueConstraint

from blametrail.kit.clock import now
from blametrail.kit.db import Tenanted, UtcTime


class IncidentEvent(Tenanted, table=True):
    """A CDEvent that told of an incident: which one it went to, if any. Its key makes a second delivery known; `origin` is what
    its source calls the incident."""

    __tablename__ = "incident_event"
    __table_args__ = (
        UniqueConstraint("organization_id", "service_id", "key", name="uq_incident_event_key"),
        Index("ix_incident_event_origin", "organization_id", "origin", "at"),
    )

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    service_id: UUID = Field(foreign_key="service.id", ondelete="CASCADE")
    key: str
    origin: str
    is_over: bool
    at: datetime = Field(sa_type=UtcTime)
    received_at: datetime = Field(default_factory=now, sa_type=UtcTime)
    incident_id: UUID | None = Field(default=None, foreign_key="incident.id", ondelete="SET NULL")
