"""Maintenance windows: monitors go on checking in them, and open nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import delete
from sqlmodel import col, select

from blametrail.accounts.roles import Actor, Role
from blametrail.catalog.services import NO_SERVICE
from blametrail.catalog.tables import Service
from blametrail.incidents.monitors.tables import MaintenanceService, MaintenanceWindow
from blametrail.kit.clock import now, parse_iso
from blametrail.kit.db import ScopedSession
from blametrail.kit.errors import Invalid, NotFound

NO_WINDOW = "There is no such maintenance window. It may be over, or somebody deleted it."
LONGEST = timedelta(days=30)
FURTHEST = timedelta(days=366)
KEPT = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class WindowDraft:
    """Make it with `checked`."""

    starts_at: datetime
    ends_at: datetime
    note: str
    service_ids: tuple[UUID, ...]

    @classmethod
    def checked(cls, *, starts: str, minutes: str, note: str, services: Sequence[str], time_zone: str) -> Self:
        """Parse a form; an empty start is now, and a start without a zone is in the organization's. Raises Invalid."""
        wrong: dict[str, str] = {}
        starts_at, length = now(), timedelta()
        try:
            if starts.strip():
                starts_at = parse_iso(starts, ZoneInfo(time_zone))
        except ValueError as error:
            wrong["starts"] = str(error)
        if abs(starts_at - now()) > FURTHEST:
            wrong["starts"] = "must lie within a year"
        minutes = minutes.strip()
        if minutes.isascii() and minutes.isdecimal() and len(minutes) <= 5:
            length = timedelta(minutes=int(minutes))
        if not timedelta() < length <= LONGEST:
            wrong["minutes"] = f"must be a whole number from 1 to {LONGEST // timedelta(minutes=1):,}"
        elif "starts" not in wrong and starts_at + length <= now():
            wrong["starts"] = "must not lie so far back that the window is over"
        if len(note) > 300:
            wrong["note"] = "must have at most 300 characters"
        try:
            service_ids = tuple(dict.fromkeys(UUID(text) for text in services))
        except ValueError:
            raise NotFound(NO_SERVICE) from None
        if wrong:
            raise Invalid(wrong)
        return cls(starts_at, starts_at + length, note.strip(), service_ids)


@dataclass(frozen=True, slots=True)
class WindowView:
    id: str
    starts_at: datetime
    ends_at: datetime
    note: str
    created_by: str
    services: tuple[str, ...]


def plan(session: ScopedSession, actor: Actor, draft: WindowDraft) -> UUID:
    """A new window; without services it is for all monitors. Raises NotFound."""
    actor.require(Role.ADMIN)
    known = set(session.exec(select(Service.id)))
    if not set(draft.service_ids) <= known:
        raise NotFound(NO_SERVICE)
    row = MaintenanceWindow(starts_at=draft.starts_at, ends_at=draft.ends_at, note=draft.note, created_by=actor.name)
    session.add(row)
    session.flush()
    session.add_all(MaintenanceService(window_id=row.id, service_id=service_id) for service_id in draft.service_ids)
    session.announce("monitors")
    return row.id


def cancel(session: ScopedSession, actor: Actor, window_id: UUID) -> None:
    """End or drop a window; what is down by then opens an incident with its next check."""
    actor.require(Role.ADMIN)
    row = session.exec(select(MaintenanceWindow).where(MaintenanceWindow.id == window_id)).first()
    if row is None:
        raise NotFound(NO_WINDOW)
    session.delete(row)
    session.announce("monitors")


def list_windows(session: ScopedSession, at: datetime) -> list[WindowView]:
    """Those that are not over, the next first."""
    rows = session.exec(
        select(MaintenanceWindow).where(MaintenanceWindow.ends_at > at).order_by(col(MaintenanceWindow.starts_at))
    ).all()
    named = select(MaintenanceService.window_id, Service.name).where(col(Service.id) == col(MaintenanceService.service_id))
    names: dict[UUID, list[str]] = {}
    for window_id, name in session.exec(named.order_by(Service.name)):
        names.setdefault(window_id, []).append(name)
    return [WindowView(str(r.id), r.starts_at, r.ends_at, r.note, r.created_by, tuple(names.get(r.id, ()))) for r in rows]


def silent_services(session: ScopedSession, at: datetime) -> frozenset[UUID] | None:
    """Services in a window at this moment; None when one is for all."""
    of_window = (
        select(MaintenanceWindow.id, MaintenanceService.service_id)
        .join(MaintenanceService, col(MaintenanceService.window_id) == col(MaintenanceWindow.id), isouter=True)
        .where(MaintenanceWindow.starts_at <= at, MaintenanceWindow.ends_at > at)
    )
    found = [service_id for _, service_id in session.exec(of_window)]
    return None if any(service_id is None for service_id in found) else frozenset(found)


def is_silent(session: ScopedSession, service_id: UUID, at: datetime) -> bool:
    silent = silent_services(session, at)
    return silent is None or service_id in silent


def forget_old_windows(session: ScopedSession) -> int:
    """Drop those that were over a while ago; answers how many."""
    return int(session.exec(delete(MaintenanceWindow).where(col(MaintenanceWindow.ends_at) < now() - KEPT)).rowcount)
