"""Open an incident, or let an open one absorb what is told."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, func
from sqlmodel import col, select

from blametrail.accounts.tables import Organization
from blametrail.catalog.services import names
from blametrail.incidents.reports import LONGEST_TEXT, LONGEST_TITLE, Report
from blametrail.incidents.states import EntryKind, Severity
from blametrail.incidents.tables import Incident, IncidentEntry, IncidentEnvironment, IncidentService
from blametrail.kit.db import ScopedSession


@dataclass(frozen=True, slots=True)
class Taken:
    """The incident that a report went to, and whether it was opened by it."""

    incident_id: UUID
    is_new: bool


def open_incident(session: ScopedSession, report: Report) -> UUID:
    """A new incident, whatever else is open."""
    take_turns(session)
    return _open(session, report)


def open_or_absorb(session: ScopedSession, report: Report) -> Taken:
    """One incident for one thing that is broken: an open one of the same origin absorbs the report, else an open one of a
    service and environment that the report names; else it opens a new one."""
    take_turns(session)
    found = absorbing(session, report.origin, report.service_ids, report.environments)
    if found is None:
        return Taken(_open(session, report), is_new=True)
    _absorb(session, found, report)
    return Taken(found.id, is_new=False)


def absorbing(session: ScopedSession, origin: str, service_ids: Iterable[UUID], environments: Iterable[str]) -> Incident | None:
    """The open incident that a report of this origin, services and environments belongs to."""
    unresolved = (
        select(Incident).where(col(Incident.resolved_at).is_(None)).order_by(col(Incident.detected_at), col(Incident.id))
    )
    if origin and (same := session.exec(unresolved.where(Incident.origin == origin)).first()):
        return same
    of_services = select(IncidentService.incident_id).where(col(IncidentService.service_id).in_(list(service_ids)))
    wanted = set(environments)
    for incident in session.exec(unresolved.where(col(Incident.id).in_(of_services))):
        theirs = set(_environments(session, incident.id))
        if not wanted or not theirs or wanted & theirs:
            return incident
    return None


def take_turns(session: ScopedSession) -> None:
    """What opens incidents of one organization happens one after another, or two at once would open two for one thing. Whoever
    writes before opening calls this first, so that none waits for another that waits for it."""
    organization = select(Organization.id).where(Organization.id == session.scope)
    session.exec(organization.with_for_update(key_share=True)).one()  # rows that belong to it may be written meanwhile


def add_entry(
    session: ScopedSession, incident_id: UUID, kind: EntryKind, who: str, text: str = "", at: datetime | None = None
) -> None:
    """Note what happened, and tell who looks."""
    entry = IncidentEntry(incident_id=incident_id, kind=kind.value, who=who, text=text[:LONGEST_TEXT])
    if at is not None:
        entry.at = at
    session.add(entry)
    session.announce("incidents")
    session.announce(f"incident:{incident_id}")


def link(session: ScopedSession, incident_id: UUID, service_ids: Iterable[UUID], environments: Iterable[str]) -> None:
    """Services and environments that an incident affects, beside those it is known to affect; an unknown service is none."""
    already = set(session.exec(select(IncidentService.service_id).where(IncidentService.incident_id == incident_id)))
    known = set(names(session))
    for service_id in dict.fromkeys(service_ids):
        if service_id in known - already:
            session.add(IncidentService(incident_id=incident_id, service_id=service_id))
    here = set(_environments(session, incident_id))
    for environment in dict.fromkeys(environments):
        if environment and environment not in here:
            session.add(IncidentEnvironment(incident_id=incident_id, environment=environment))
    session.flush()


def affected(session: ScopedSession, incident_id: UUID) -> tuple[list[UUID], list[str]]:
    """The services and the environments that an incident affects."""
    ids = session.exec(select(IncidentService.service_id).where(IncidentService.incident_id == incident_id))
    return list(ids), _environments(session, incident_id)


def replace_links(session: ScopedSession, incident_id: UUID, service_ids: Iterable[UUID], environments: Iterable[str]) -> None:
    """Other services and environments than before."""
    for table in (IncidentService, IncidentEnvironment):
        session.exec(delete(table).where(col(table.incident_id) == incident_id))
    link(session, incident_id, service_ids, environments)


def _open(session: ScopedSession, report: Report) -> UUID:
    newest = session.exec(select(func.max(Incident.number))).one()
    incident = Incident(
        number=(newest or 0) + 1,
        type=report.type.value,
        severity=report.severity.value,
        title=report.title.strip()[:LONGEST_TITLE] or "Something is broken",
        description=report.description[:LONGEST_TEXT],
        origin=report.origin,
        error_message=report.symptom.error_message[:LONGEST_TEXT],
        stack_trace=report.symptom.stack_trace[:LONGEST_TEXT],
        log_excerpt=report.symptom.log_excerpt[:LONGEST_TEXT],
        endpoint=report.symptom.endpoint[:LONGEST_TITLE],
        onset_at=report.onset.at,
        onset_earliest=report.onset.earliest,
        onset_latest=report.onset.latest,
        onset_basis=report.onset.basis,
        detected_at=report.detected_at,
        last_told_at=report.detected_at,
    )
    session.add(incident)
    session.flush()
    link(session, incident.id, report.service_ids, report.environments)
    add_entry(session, incident.id, EntryKind.OPENED, report.who, report.title, report.detected_at)
    return incident.id


def _absorb(session: ScopedSession, incident: Incident, report: Report) -> None:
    """What is told again never makes an incident milder or its onset later, and fills in what was not known."""
    if report.severity.is_worse_than(Severity(incident.severity)):
        incident.severity = report.severity.value
    if not incident.onset_by and report.onset.at < incident.onset_at:
        incident.onset_at, incident.onset_basis = report.onset.at, report.onset.basis
        incident.onset_earliest, incident.onset_latest = report.onset.earliest, report.onset.latest
    for name in ("error_message", "stack_trace", "log_excerpt", "endpoint"):
        if not getattr(incident, name):
            setattr(incident, name, getattr(report.symptom, name)[:LONGEST_TEXT])
    incident.last_told_at = max(incident.last_told_at, report.detected_at)
    session.add(incident)
    link(session, incident.id, report.service_ids, report.environments)
    add_entry(session, incident.id, EntryKind.TOLD, report.who, report.title, report.detected_at)


def _environments(session: ScopedSession, incident_id: UUID) -> list[str]:
    return list(session.exec(select(IncidentEnvironment.environment).where(IncidentEnvironment.incident_id == incident_id)))
