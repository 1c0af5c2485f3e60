"""Add, change, pause and remove monitors."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlmodel import col, func, select

from blametrail.accounts.roles import Actor, Role
from blametrail.catalog.services import NO_SERVICE
from blametrail.catalog.tables import Service
from blametrail.incidents.monitors.draft import MonitorDraft
from blametrail.incidents.monitors.judge import Health, Standing
from blametrail.incidents.monitors.spread import next_slot
from blametrail.incidents.monitors.standing import keep_standing
from blametrail.incidents.monitors.tables import Monitor
from blametrail.incidents.open import add_entry
from blametrail.incidents.states import EntryKind
from blametrail.kit.clock import now
from blametrail.kit.db import ScopedSession
from blametrail.kit.errors import Conflict, Invalid, NotFound
from blametrail.kit.keys import KeyRing
from blametrail.kit.vault import place_of, seal

NO_MONITOR = "There is no such monitor in this organization. It may have been deleted."
MOST_MONITORS = 1_000


def add(session: ScopedSession, keys: KeyRing, actor: Actor, draft: MonitorDraft) -> UUID:
    """A new monitor, which begins to check at once."""
    actor.require(Role.ADMIN)
    if session.exec(select(func.count()).select_from(Monitor)).one() >= MOST_MONITORS:
        raise Conflict(f"An organization has at most {MOST_MONITORS:,} monitors. Delete one that is not needed.")
    row = Monitor(
        id=uuid4(),
        organization_id=actor.organization_id,
        service_id=draft.service_id,
        environment=draft.environment,
        name=draft.name,
        url=draft.url,
    )
    _fill(session, keys, actor, row, draft)
    row.next_at = _first(row)
    _kept(session, row)
    return row.id


def change(session: ScopedSession, keys: KeyRing, actor: Actor, monitor_id: UUID, draft: MonitorDraft) -> None:
    """What was counted before says nothing any more; an open incident stays until three checks pass."""
    actor.require(Role.ADMIN)
    row = get_monitor(session, monitor_id)
    _fill(session, keys, actor, row, draft)
    keep_standing(row, Standing.fresh(now(), Health(row.health)))
    row.next_at = _first(row) if row.next_at else None
    _kept(session, row)


def pause(session: ScopedSession, actor: Actor, monitor_id: UUID) -> None:
    """No more checks until it is resumed; an open incident stays open, for nothing shows that it is over."""
    actor.require(Role.RESPONDER)
    row = get_monitor(session, monitor_id)
    row.next_at = None
    keep_standing(row, Standing.fresh(now(), Health(row.health)))
    _kept(session, row)


def resume(session: ScopedSession, actor: Actor, monitor_id: UUID) -> None:
    actor.require(Role.RESPONDER)
    row = get_monitor(session, monitor_id)
    row.next_at = row.next_at or _first(row)
    _kept(session, row)


def remove(session: ScopedSession, actor: Actor, monitor_id: UUID) -> None:
    """Delete it with its checks; an incident that it opened stays, and says that nothing will resolve it by itself."""
    actor.require(Role.ADMIN)
    row = get_monitor(session, monitor_id)
    if row.incident_id:
        add_entry(
            session, row.incident_id, EntryKind.NOTE, actor.name, f"The monitor {row.name} was deleted and tells no more."
        )
    session.delete(row)
    session.announce("monitors")


def get_monitor(session: ScopedSession, monitor_id: UUID) -> Monitor:
    """The row, locked; raises NotFound."""
    row = session.exec(select(Monitor).where(Monitor.id == monitor_id).with_for_update()).first()
    if row is None:
        raise NotFound(NO_MONITOR)
    return row


def _fill(session: ScopedSession, keys: KeyRing, actor: Actor, row: Monitor, draft: MonitorDraft) -> None:
    if session.exec(select(Service.id).where(Service.id == draft.service_id)).first() is None:
        raise NotFound(NO_SERVICE)
    same = select(Monitor.id).where(func.lower(Monitor.name) == draft.name.lower(), col(Monitor.id) != row.id)
    if session.exec(same).first():
        raise Invalid({"name": "is the name of another monitor already"})
    row.name, row.service_id, row.environment, row.severity = (
        draft.name,
        draft.service_id,
        draft.environment,
        draft.severity.value,
    )
    row.method, row.url, row.expected_status, row.body_text = draft.method, draft.url, str(draft.expected), draft.body_text
    row.interval_seconds, row.timeout_seconds, row.latency_ms = draft.interval_seconds, draft.timeout_seconds, draft.latency_ms
    row.set_by = actor.name
    if draft.headers is not None:
        row.header_names = "\n".join(draft.headers)
        sealed = json.dumps(dict(draft.headers))
        row.headers_sealed = seal(keys, place_of(row, "headers_sealed"), sealed) if draft.headers else ""


def _first(row: Monitor) -> datetime:
    """Soon, so that who has just saved it sees whether it works; from then on at its moments."""
    return min(now() + timedelta(seconds=1), next_slot(row.id, timedelta(seconds=row.interval_seconds), now()))


def _kept(session: ScopedSession, row: Monitor) -> None:
    session.add(row)
    session.flush()
    session.announce("monitors")
