"""Rows of incidents."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlmodel import Field, Index, UniqueConstraint

from blametrail.incidents.states import Severity, Status
from blametrail.kit.clock import now
from blametrail.kit.db import Tenanted, UtcTime

UNRESOLVED = "resolved_at IS NULL AND origin <> ''"


class Incident(Tenanted, table=True):
    """A period in which something was broken. `origin` is what told of it first, such as `monitor:<id>`: no two incidents of
    one origin are open at a time. `onset_by` is the person who set the onset, empty while it is an estimate of ours."""

    __tablename__ = "incident"
    __table_args__ = (
        UniqueConstraint("organization_id", "number", name="uq_incident_number"),
        Index("ix_incident_detected", "organization_id", "detected_at", "id"),
        Index("ix_incident_onset", "organization_id", "onset_at"),
        Index(
            "uq_incident_origin",
            "organization_id",
            "origin",
            unique=True,
            sqlite_where=text(UNRESOLVED),
            postgresql_where=text(UNRESOLVED),
        ),
    )

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    number: int
    type: str
    severity: str = Severity.ERROR.value
    status: str = Status.OPEN.value
    title: str
    description: str = ""
    origin: str = ""
    error_message: str = ""
    stack_trace: str = ""
    log_excerpt: str = ""
    endpoint: str = ""
    onset_at: datetime = Field(sa_type=UtcTime)
    onset_earliest: datetime = Field(sa_type=UtcTime)
    onset_latest: datetime = Field(sa_type=UtcTime)
    onset_basis: str
    onset_by: str = ""
    detected_at: datetime = Field(default_factory=now, sa_type=UtcTime)
    acknowledged_at: datetime | None = Field(default=None, sa_type=UtcTime)
    acknowledged_by: str = ""
    resolved_at: datetime | None = Field(default=None, sa_type=UtcTime)
    resolved_by: str = ""
    last_told_at: datetime = Field(default_factory=now, sa_type=UtcTime)
    merged_into_id: UUID | None = Field(default=None, foreign_key="incident.id", ondelete="SET NULL")


class IncidentService(Tenanted, table=True):
    """A service that an incident affects."""

    __tablename__ = "incident_service"

    incident_id: UUID = Field(foreign_key="incident.id", ondelete="CASCADE", primary_key=True)
    service_id: UUID = Field(foreign_key="service.id", ondelete="CASCADE", primary_key=True, index=True)


class IncidentEnvironment(Tenanted, table=True):
    """An environment that an incident affects."""

    __tablename__ = "incident_environment"

    incident_id: UUID = Field(foreign_key="incident.id", ondelete="CASCADE", primary_key=True)
    environment: str = Field(primary_key=True)


class IncidentEntry(Tenanted, table=True):
    """Something that happened to an incident, by whom."""

    __tablename__ = "incident_entry"
    __table_args__ = (Index("ix_incident_entry_at", "incident_id", "at"),)

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    incident_id: UUID = Field(foreign_key="incident.id", ondelete="CASCADE")
    at: datetime = Field(default_factory=now, sa_type=UtcTime)
    kind: str
    who: str
    text: str = ""
