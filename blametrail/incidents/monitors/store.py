"""Keep checks, and turn monitors: what the checks of one make of it opens and resolves incidents."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete
from sqlmodel import col, or_, select

from blametrail.incidents import act
from blametrail.incidents.monitors.check import Result
from blametrail.incidents.monitors.edit import get_monitor
from blametrail.incidents.monitors.judge import Health, after, due, turned
from blametrail.incidents.monitors.maintenance import is_silent
from blametrail.incidents.monitors.recent import with_newest
from blametrail.incidents.monitors.standing import keep_standing, standing_of
from blametrail.incidents.monitors.tables import Monitor, MonitorCheck, MonitorDay
from blametrail.incidents.onset import MOST_CHECKS, Sample, estimate_onset
from blametrail.incidents.open import add_entry, open_or_absorb
from blametrail.incidents.reports import Onset, Report, Symptom
from blametrail.incidents.states import EntryKind, IncidentType, Severity, Status
from blametrail.incidents.tables import Incident
from blametrail.kit.clock import now
from blametrail.kit.db import EVERY_ORGANIZATION, Database, ScopedSession
from blametrail.kit.errors import NotFound

TYPES = {Health.DOWN: IncidentType.AVAILABILITY, Health.SLOW: IncidentType.LATENCY}
ORIGIN = "monitor:"
CHECKS_KEPT, DAYS_KEPT = timedelta(days=14), timedelta(days=400)
LONGEST_REASON = 500


def store_checks(session: ScopedSession, results: Sequence[tuple[UUID, Result]], *, is_told: bool) -> list[UUID]:
    """Keep checks of one organization, and count them; answers the monitors that are due to turn. What comes from before
    a monitor was changed, or while it is paused, is dropped."""
    wanted = select(Monitor).where(col(Monitor.id).in_({monitor_id for monitor_id, _ in results}))
    rows = {row.id: row for row in session.exec(wanted.order_by(col(Monitor.id)).with_for_update())}
    kept = [(rows[id_], result) for id_, result in results if id_ in rows and _counts(rows[id_], result)]
    for row, result in sorted(kept, key=lambda pair: pair[1].at):
        session.add(_check(row, result))
        keep_standing(row, after(standing_of(row), result.health, result.at))
        row.checked_at, row.reason = result.at, result.reason[:LONGEST_REASON]
        row.recent = with_newest(row.recent, result.health, result.latency_ms)
    _count_days(session, kept)
    if is_told and kept:
        session.announce("monitors")
    return [row.id for row in rows.values() if due(standing_of(row))]


async def settle(db: Database, organization_id: UUID, monitor_id: UUID) -> None:
    """Turn a monitor that is due: estimate when it began, beside everything else, then open or resolve."""
    health, samples = await db.read(organization_id, _series, monitor_id)
    onset = None
    if health in TYPES and samples:
        onset = await asyncio.to_thread(estimate_onset, samples, TYPES[health])
    await db.write(organization_id, turn, monitor_id, onset)


def turn(session: ScopedSession, monitor_id: UUID, onset: Onset | None) -> None:
    """Make a monitor what its checks say, with the incident that follows: both or neither. Not while it must be silent;
    it stays due, and the next check comes back to it."""
    try:
        row = get_monitor(session, monitor_id)
    except NotFound:
        return
    health, standing = due(standing_of(row)), turned(standing_of(row))
    if health is None or (health in TYPES and (onset is None or is_silent(session, row.service_id, now()))):
        return
    keep_standing(row, standing)
    session.add(row)
    session.announce("monitors")
    if health is Health.UP:
        _recover(session, row)
    elif onset is not None:
        row.incident_id = open_or_absorb(session, _report(row, health, onset)).incident_id


async def forget_old_checks(db: Database) -> None:
    """A monitor at a time: its checks lie together, so that each of these writes is short."""
    ids = await db.read(EVERY_ORGANIZATION, lambda s: s.exec(select(Monitor.id)).all())
    for monitor_id in ids:
        await db.write(EVERY_ORGANIZATION, _forget, monitor_id, now())


def _counts(row: Monitor, result: Result) -> bool:
    return row.next_at is not None and (row.run_length > 0 or result.at >= row.run_since)


def _check(row: Monitor, result: Result) -> MonitorCheck:
    return MonitorCheck(
        organization_id=row.organization_id,
        monitor_id=row.id,
        at=result.at,
        health=result.health.value,
        fault=result.fault.value,
        status=result.status,
        latency_ms=result.latency_ms,
        reason=result.reason[:LONGEST_REASON],
    )


def _count_days(session: ScopedSession, kept: Sequence[tuple[Monitor, Result]]) -> None:
    days = {result.at.replace(hour=0, minute=0, second=0, microsecond=0) for _, result in kept}
    ids = {row.id for row, _ in kept}
    found = session.exec(select(MonitorDay).where(col(MonitorDay.monitor_id).in_(ids), col(MonitorDay.day).in_(days)))
    counted = {(row.monitor_id, row.day): row for row in found}
    for row, result in kept:
        day = result.at.replace(hour=0, minute=0, second=0, microsecond=0)
        if (row.id, day) not in counted:
            counted[row.id, day] = MonitorDay(
                organization_id=row.organization_id, monitor_id=row.id, day=day, checks=0, down=0, slow=0
            )
            session.add(counted[row.id, day])
        count = counted[row.id, day]
        count.checks += 1
        count.down += result.health is Health.DOWN
        count.slow += result.health is Health.SLOW


def _series(session: ScopedSession, monitor_id: UUID) -> tuple[Health | None, list[Sample]]:
    """What a monitor is due to become, and its checks since it was last well."""
    row = session.exec(select(Monitor).where(Monitor.id == monitor_id)).first()
    health = due(standing_of(row)) if row else None
    if row is None or health not in TYPES:
        return health, []
    checks = select(MonitorCheck).where(MonitorCheck.monitor_id == monitor_id, MonitorCheck.at >= row.since)
    newest = session.exec(checks.order_by(col(MonitorCheck.at).desc()).limit(MOST_CHECKS))
    if health is Health.DOWN:
        return health, [Sample(c.at, c.health != Health.DOWN, c.latency_ms) for c in newest]
    return health, [Sample(c.at, c.health != Health.SLOW, c.latency_ms) for c in newest if c.health != Health.DOWN]


def _report(row: Monitor, health: Health, onset: Onset) -> Report:
    return Report(
        type=TYPES[health],
        severity=Severity(row.severity),
        title=f"{row.name} is {health}",
        onset=onset,
        detected_at=now(),
        who=f"monitor {row.name}",
        origin=f"{ORIGIN}{row.id}",
        symptom=Symptom(error_message=row.reason, endpoint=f"{row.method} {row.url}"),
        service_ids=(row.service_id,),
        environments=(row.environment,),
    )


def _recover(session: ScopedSession, row: Monitor) -> None:
    """Resolve what monitors opened once all of them pass; what somebody else opened is only told."""
    if row.incident_id is None:
        return
    incident = act.get_incident(session, row.incident_id)
    while incident.merged_into_id:
        incident = act.get_incident(session, incident.merged_into_id)
    row.incident_id = None
    session.flush()
    if incident.status == Status.RESOLVED:
        return
    same = select(Incident.id).where(or_(col(Incident.id) == incident.id, col(Incident.merged_into_id) == incident.id))
    failing = list(session.exec(select(Monitor.name).where(col(Monitor.incident_id).in_(same)).order_by(Monitor.name)))
    who, passes = f"monitor {row.name}", "Three checks in a row passed."
    if failing:
        add_entry(session, incident.id, EntryKind.TOLD, who, f"{passes} Still failing: {', '.join(failing)}.")
    elif not incident.origin.startswith(ORIGIN):
        add_entry(session, incident.id, EntryKind.TOLD, who, f"{passes} It did not open this incident and leaves it open.")
    else:
        act.resolve(session, incident.id, who, passes)


def _forget(session: ScopedSession, monitor_id: UUID, at: datetime) -> None:
    session.exec(
        delete(MonitorCheck).where(col(MonitorCheck.monitor_id) == monitor_id, col(MonitorCheck.at) < at - CHECKS_KEPT)
    )
    session.exec(delete(MonitorDay).where(col(MonitorDay.monitor_id) == monitor_id, col(MonitorDay.day) < at - DAYS_KEPT))
