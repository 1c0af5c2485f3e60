"""What pages show of monitors: everything but the values of their headers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlmodel import case, col, func, select

from blametrail.catalog.tables import Service
from blametrail.incidents.monitors.edit import NO_MONITOR
from blametrail.incidents.monitors.judge import Health
from blametrail.incidents.monitors.maintenance import silent_services
from blametrail.incidents.monitors.tables import Monitor, MonitorDay
from blametrail.kit.clock import now
from blametrail.kit.db import ScopedSession
from blametrail.kit.errors import NotFound

MOST_SHOWN = 200
UPTIME_OVER = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class MonitorView:
    """`uptime` is the share of checks of the last 30 days that were not down, None before the first."""

    id: str
    name: str
    service_id: str
    service: str
    environment: str
    method: str
    url: str
    header_names: tuple[str, ...]
    expected_status: str
    body_text: str
    interval_seconds: float
    timeout_seconds: float
    latency_ms: int
    severity: str
    health: Health
    since: datetime
    is_paused: bool
    is_silent: bool
    run: Health
    run_length: int
    checked_at: datetime | None
    reason: str
    recent: str
    uptime: float | None
    incident_id: str


def list_monitors(session: ScopedSession, service_id: UUID | None = None) -> tuple[list[MonitorView], int]:
    """Monitors of the organization or of one service, those in trouble first, and how many there are; not all of very many."""
    of_service = () if service_id is None else (Monitor.service_id == service_id,)
    trouble = case(
        (col(Monitor.next_at).is_(None), 3), (Monitor.health == Health.DOWN, 0), (Monitor.health == Health.SLOW, 1), else_=2
    )
    wanted = _with_service(*of_service)
    rows = session.exec(wanted.order_by(trouble, func.lower(Monitor.name)).limit(MOST_SHOWN)).all()
    count = session.exec(select(func.count()).select_from(Monitor).where(*of_service)).one()
    silent, uptimes = silent_services(session, now()), _uptimes(session, [row.id for row, _ in rows])
    return [
        _view(row, service, silent is None or row.service_id in silent, uptimes.get(row.id)) for row, service in rows
    ], count


def view_monitor(session: ScopedSession, monitor_id: UUID) -> MonitorView:
    """One monitor; raises NotFound."""
    row = session.exec(_with_service(Monitor.id == monitor_id)).first()
    if row is None:
        raise NotFound(NO_MONITOR)
    monitor, service = row
    return _view(monitor, service, is_silent=False, uptime=None)


def _with_service(*conditions: Any) -> Any:
    return select(Monitor, Service.name).join(Service, col(Service.id) == col(Monitor.service_id)).where(*conditions)


def _uptimes(session: ScopedSession, ids: list[UUID]) -> dict[UUID, float]:
    counted = select(MonitorDay.monitor_id, func.sum(MonitorDay.checks), func.sum(MonitorDay.down)).where(
        col(MonitorDay.monitor_id).in_(ids), MonitorDay.day > now() - UPTIME_OVER
    )
    rows = session.exec(counted.group_by(col(MonitorDay.monitor_id)))
    return {monitor_id: 1 - int(down) / int(checks) for monitor_id, checks, down in rows if checks}


def _view(row: Monitor, service: str, is_silent: bool, uptime: float | None) -> MonitorView:
    return MonitorView(
        id=str(row.id),
        name=row.name,
        service_id=str(row.service_id),
        service=service,
        environment=row.environment,
        method=row.method,
        url=row.url,
        header_names=tuple(row.header_names.split()),
        expected_status=row.expected_status,
        body_text=row.body_text,
        interval_seconds=row.interval_seconds,
        timeout_seconds=row.timeout_seconds,
        latency_ms=row.latency_ms,
        severity=row.severity,
        health=Health(row.health),
        since=row.since,
        is_paused=row.next_at is None,
        is_silent=is_silent,
        run=Health(row.run),
        run_length=row.run_length,
        checked_at=row.checked_at,
        reason=row.reason,
        recent=row.recent,
        uptime=uptime,
        incident_id=str(row.incident_id or ""),
    )
