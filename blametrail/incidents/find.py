"""Find incidents: page by page, one by its id, and those of a span of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import and_, case, func, or_, tuple_
from sqlmodel import col, select

from blametrail.catalog.services import names
from blametrail.incidents.act import NO_INCIDENT
from blametrail.incidents.states import Severity, Status
from blametrail.incidents.symptom import Recognised, recognise
from blametrail.incidents.tables import Incident, IncidentEntry, IncidentEnvironment, IncidentService
from blametrail.kit.cursors import cursor_of, read_cursor
from blametrail.kit.db import ScopedSession
from blametrail.kit.errors import NotFound

PAGE, MOST_ENTRIES, MOST_SPANS = 50, 500, 200


@dataclass(frozen=True, slots=True)
class IncidentFilters:
    """Empty fields filter nothing; `statuses` and `severities` are their words."""

    services: tuple[UUID, ...] = ()
    environments: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    severities: tuple[str, ...] = ()
    text: str = ""
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class IncidentView:
    """An incident as one of many. `services` are ids and names."""

    id: str
    number: int
    type: str
    severity: str
    status: str
    title: str
    services: tuple[tuple[str, str], ...]
    environments: tuple[str, ...]
    onset_at: datetime
    detected_at: datetime
    acknowledged_at: datetime | None
    resolved_at: datetime | None
    merged_into: str


@dataclass(frozen=True, slots=True)
class IncidentPage:
    """Newest first; `next_cursor` is empty on the last page."""

    incidents: tuple[IncidentView, ...]
    next_cursor: str


@dataclass(frozen=True, slots=True)
class EntryView:
    at: datetime
    kind: str
    who: str
    text: str


@dataclass(frozen=True, slots=True)
class IncidentDetail:
    """Everything the page of an incident shows; its entries oldest first."""

    incident: IncidentView
    description: str
    origin: str
    error_message: str
    stack_trace: str
    log_excerpt: str
    endpoint: str
    recognised: Recognised
    onset_earliest: datetime
    onset_latest: datetime
    onset_basis: str
    onset_by: str
    acknowledged_by: str
    resolved_by: str
    entries: tuple[EntryView, ...]
    merged: tuple[IncidentView, ...]
    into: IncidentView | None


def list_incidents(
    session: ScopedSession, filters: IncidentFilters = IncidentFilters(), cursor: str = "", limit: int = PAGE
) -> IncidentPage:
    """A page of incidents, those detected last first; an unreadable cursor starts at the first page. What was merged into
    another is found there."""
    newest = (col(Incident.detected_at), col(Incident.id))
    found = select(Incident).where(*_conditions(filters)).order_by(*(column.desc() for column in newest))
    if after := read_cursor(cursor):
        found = found.where(tuple_(*newest) < after)
    rows = session.exec(found.limit(limit + 1)).all()
    last = rows[limit - 1] if len(rows) > limit else None
    return IncidentPage(
        incidents=tuple(incident_views(session, rows[:limit])),
        next_cursor=cursor_of(last.detected_at, last.id) if last else "",
    )


def count_incidents(session: ScopedSession, filters: IncidentFilters = IncidentFilters()) -> int:
    """How many incidents all pages hold together."""
    return session.exec(select(func.count()).select_from(Incident).where(*_conditions(filters))).one()


def unresolved(session: ScopedSession, limit: int = PAGE) -> list[IncidentView]:
    """Open and acknowledged incidents, the worst first, then those that began first."""
    worst = case({severity.value: rank for rank, severity in enumerate(Severity)}, value=Incident.severity)
    found = select(Incident).where(col(Incident.resolved_at).is_(None), col(Incident.merged_into_id).is_(None))
    return incident_views(session, session.exec(found.order_by(worst, col(Incident.onset_at)).limit(limit)).all())


def incidents_between(session: ScopedSession, start: datetime, end: datetime, filters: IncidentFilters) -> list[IncidentView]:
    """Incidents of which some part lies between two moments, the latest onset first, as many as can be drawn."""
    is_over = and_(col(Incident.resolved_at).is_not(None), col(Incident.resolved_at) < start)
    here = (*_conditions(filters), Incident.onset_at <= end, ~is_over)
    return incident_views(
        session, session.exec(select(Incident).where(*here).order_by(col(Incident.onset_at).desc()).limit(MOST_SPANS)).all()
    )


def incident_detail(session: ScopedSession, incident_id: UUID) -> IncidentDetail:
    """One incident with what happened to it; raises NotFound."""
    row = session.exec(select(Incident).where(Incident.id == incident_id)).first()
    if row is None:
        raise NotFound(NO_INCIDENT)
    of_it = select(IncidentEntry).where(IncidentEntry.incident_id == incident_id)
    last = session.exec(of_it.order_by(col(IncidentEntry.at).desc(), col(IncidentEntry.id)).limit(MOST_ENTRIES)).all()
    merged = session.exec(select(Incident).where(Incident.merged_into_id == incident_id).order_by(col(Incident.number))).all()
    into = session.exec(select(Incident).where(Incident.id == row.merged_into_id)).all() if row.merged_into_id else []
    return IncidentDetail(
        incident=incident_views(session, [row])[0],
        description=row.description,
        origin=row.origin,
        error_message=row.error_message,
        stack_trace=row.stack_trace,
        log_excerpt=row.log_excerpt,
        endpoint=row.endpoint,
        recognised=recognise(row.error_message, row.stack_trace, row.log_excerpt, row.endpoint),
        onset_earliest=row.onset_earliest,
        onset_latest=row.onset_latest,
        onset_basis=row.onset_basis,
        onset_by=row.onset_by,
        acknowledged_by=row.acknowledged_by,
        resolved_by=row.resolved_by,
        entries=tuple(EntryView(e.at, e.kind, e.who, e.text) for e in reversed(last)),
        merged=tuple(incident_views(session, merged)),
        into=next(iter(incident_views(session, into)), None),
    )


def id_of_number(session: ScopedSession, number: int) -> UUID | None:
    """The incident that people call by this number."""
    return session.exec(select(Incident.id).where(Incident.number == number)).first()


def incident_views(session: ScopedSession, rows: Sequence[Incident]) -> list[IncidentView]:
    """What lists show of these rows, in their order."""
    ids = [row.id for row in rows]
    known = names(session)
    services: dict[UUID, list[tuple[str, str]]] = {id_: [] for id_ in ids}
    for link in session.exec(select(IncidentService).where(col(IncidentService.incident_id).in_(ids))):
        services[link.incident_id].append((str(link.service_id), known.get(link.service_id, "")))
    environments: dict[UUID, list[str]] = {id_: [] for id_ in ids}
    for here in session.exec(select(IncidentEnvironment).where(col(IncidentEnvironment.incident_id).in_(ids))):
        environments[here.incident_id].append(here.environment)
    return [_view(row, services[row.id], environments[row.id]) for row in rows]


def _view(row: Incident, services: list[tuple[str, str]], environments: list[str]) -> IncidentView:
    return IncidentView(
        id=str(row.id),
        number=row.number,
        type=row.type,
        severity=row.severity,
        status=row.status,
        title=row.title,
        services=tuple(sorted(services, key=lambda pair: pair[1].lower())),
        environments=tuple(sorted(environments)),
        onset_at=row.onset_at,
        detected_at=row.detected_at,
        acknowledged_at=row.acknowledged_at,
        resolved_at=row.resolved_at,
        merged_into=str(row.merged_into_id or ""),
    )


def _conditions(filters: IncidentFilters) -> list[Any]:
    """What an incident must fulfil, as SQL."""
    found: list[Any] = [col(Incident.merged_into_id).is_(None)]
    if filters.services:
        of_services = select(IncidentService.incident_id).where(col(IncidentService.service_id).in_(filters.services))
        found.append(col(Incident.id).in_(of_services))
    if filters.environments:
        here = select(IncidentEnvironment.incident_id).where(col(IncidentEnvironment.environment).in_(filters.environments))
        found.append(col(Incident.id).in_(here))
    if filters.statuses:
        found.append(col(Incident.status).in_([s for s in filters.statuses if s in set(Status)]))
    if filters.severities:
        found.append(col(Incident.severity).in_([s for s in filters.severities if s in set(Severity)]))
    if filters.text:
        searched = (Incident.title, Incident.description, Incident.error_message, Incident.endpoint)
        found.append(or_(*(col(c).icontains(filters.text, autoescape=True) for c in searched)))
    if filters.since:
        found.append(Incident.detected_at >= filters.since)
    if filters.until:
        found.append(Incident.detected_at <= filters.until)
    return found
