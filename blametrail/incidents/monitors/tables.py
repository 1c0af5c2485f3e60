"""Rows of monitors, their checks, and the windows in which they are silent."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid4

from sqlmodel import Field, Index

from blametrail.incidents.monitors.judge import Health
from blametrail.kit.clock import now
from blametrail.kit.db import Tenanted, UtcTime


class Monitor(Tenanted, table=True):
    """A check that is done again and again. It is paused while `next_at` is empty; `recent` has the newest checks in short,
    so that a list of monitors reads no others."""

    __table_args__ = (Index("ix_monitor_next", "next_at"),)

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    service_id: UUID = Field(foreign_key="service.id", ondelete="CASCADE", index=True)
    environment: str
    name: str
    method: str = "GET"
    url: str
    headers_sealed: str = ""
    header_names: str = ""  # one a line
    expected_status: str = "200-299"
    body_text: str = ""
    interval_seconds: float = 60
    timeout_seconds: float = 10
    latency_ms: int = 0  # slower is too slow; 0 is never
    severity: str = "error"
    set_by: str = ""
    created_at: datetime = Field(default_factory=now, sa_type=UtcTime)
    next_at: datetime | None = Field(default=None, sa_type=UtcTime)

    health: str = Health.UP.value
    since: datetime = Field(default_factory=now, sa_type=UtcTime)
    run: str = Health.UP.value
    run_length: int = 0
    run_since: datetime = Field(default_factory=now, sa_type=UtcTime)
    checked_at: datetime | None = Field(default=None, sa_type=UtcTime)
    reason: str = ""
    recent: str = ""
    incident_id: UUID | None = Field(default=None, foreign_key="incident.id", ondelete="SET NULL")


class MonitorCheck(Tenanted, table=True):
    """One check. The rows of a monitor lie together, in order."""

    __tablename__ = "monitor_check"
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012

    monitor_id: UUID = Field(foreign_key="monitor.id", ondelete="CASCADE", primary_key=True)
    at: datetime = Field(sa_type=UtcTime, primary_key=True)
    health: str
    fault: str = ""
    status: int | None = None
    latency_ms: float | None = None
    reason: str = ""


class MonitorDay(Tenanted, table=True):
    """How many checks of a day, in UTC, were what: kept longer than the checks."""

    __tablename__ = "monitor_day"

    monitor_id: UUID = Field(foreign_key="monitor.id", ondelete="CASCADE", primary_key=True)
    day: datetime = Field(sa_type=UtcTime, primary_key=True)
    checks: int
    down: int
    slow: int


class MaintenanceWindow(Tenanted, table=True):
    """A time in which monitors go on checking and open nothing; without services it is for all."""

    __tablename__ = "maintenance_window"

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    starts_at: datetime = Field(sa_type=UtcTime)
    ends_at: datetime = Field(sa_type=UtcTime, index=True)
    note: str = ""
    created_by: str = ""


class MaintenanceService(Tenanted, table=True):
    """A service that a window is for."""

    __tablename__ = "maintenance_service"

    window_id: UUID = Field(foreign_key="maintenance_window.id", ondelete="CASCADE", primary_key=True)
    service_id: UUID = Field(foreign_key="service.id", ondelete="CASCADE", primary_key=True, index=True)
