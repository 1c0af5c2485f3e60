"""What people, monitors and alerts do to an incident once it is open."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlmodel import select

from blametrail.incidents.open import absorbing, add_entry, affected, link, replace_links
from blametrail.incidents.reports import IncidentDraft, Onset, Symptom
from blametrail.incidents.states import EntryKind, Severity, Status
from blametrail.incidents.tables import Incident
from blametrail.kit.clock import now
from blametrail.kit.db import ScopedSession
from blametrail.kit.errors import Conflict, Invalid, NotFound

NO_INCIDENT = (
    "There is no such incident in this organization. It may have been deleted, or the link is of another organization."
)

SYMPTOM_WORDS = {
    "error_message": "error message",
    "stack_trace": "stack trace",
    "log_excerpt": "log excerpt",
    "endpoint": "affected endpoint",
}


def acknowledge(session: ScopedSession, incident_id: UUID, who: str) -> None:
    """Somebody is on it; raises NotFound, and Conflict when it is resolved."""
    incident = get_incident(session, incident_id)
    if incident.status == Status.RESOLVED:
        raise Conflict("This incident is resolved. Reopen it to acknowledge it.")
    if incident.status == Status.ACKNOWLEDGED:
        return
    incident.status, incident.acknowledged_at, incident.acknowledged_by = Status.ACKNOWLEDGED.value, now(), who
    session.add(incident)
    add_entry(session, incident_id, EntryKind.ACKNOWLEDGED, who)


def resolve(session: ScopedSession, incident_id: UUID, who: str, why: str = "", at: datetime | None = None) -> None:
    """It is over; nothing happens to one that was resolved already. Raises NotFound."""
    incident = get_incident(session, incident_id)
    if incident.status == Status.RESOLVED:
        return
    incident.status, incident.resolved_at, incident.resolved_by = Status.RESOLVED.value, at or now(), who
    session.add(incident)
    add_entry(session, incident_id, EntryKind.RESOLVED, who, why, at)


def reopen(session: ScopedSession, incident_id: UUID, who: str) -> None:
    """It is not over after all; raises NotFound, and Conflict when it was merged or another of its origin is open."""
    incident = get_incident(session, incident_id)
    if incident.status != Status.RESOLVED:
        return
    if incident.merged_into_id is not None:
        raise Conflict("This incident was merged into another. Work on that one.")
    if incident.origin and absorbing(session, incident.origin, (), ()) is not None:
        raise Conflict(
            "Another incident of the same monitor or alert is open already. Work on that one, or merge this into it."
        )
    incident.status = (Status.ACKNOWLEDGED if incident.acknowledged_at else Status.OPEN).value
    incident.resolved_at, incident.resolved_by = None, ""
    session.add(incident)
    add_entry(session, incident_id, EntryKind.REOPENED, who)


def merge(session: ScopedSession, incident_id: UUID, into_id: UUID, who: str) -> None:
    """Two incidents are the same one: what this one affects goes to the other, and this one is resolved. Raises NotFound, and
    Conflict when they are one already."""
    incident, into = get_incident(session, incident_id), get_incident(session, into_id)
    if incident.id == into.id or incident.merged_into_id is not None or into.merged_into_id is not None:
        raise Conflict("An incident can be merged once, into another that was not merged itself. Nothing was changed.")
    link(session, into.id, *affected(session, incident.id))
    if not into.onset_by and incident.onset_at < into.onset_at:
        set_onset_of(into, onset_of(incident))
    if Severity(incident.severity).is_worse_than(Severity(into.severity)):
        into.severity = incident.severity
    incident.merged_into_id = into.id
    incident.status, incident.resolved_by = Status.RESOLVED.value, incident.resolved_by or who
    incident.resolved_at = incident.resolved_at or now()
    session.add_all((incident, into))
    add_entry(session, incident.id, EntryKind.MERGED, who, f"into #{into.number} {into.title}")
    add_entry(session, into.id, EntryKind.MERGED, who, f"#{incident.number} {incident.title} is part of this one")


def edit(session: ScopedSession, incident_id: UUID, draft: IncidentDraft, who: str) -> None:
    """Other words or another extent; what changed is noted. Raises NotFound."""
    incident = get_incident(session, incident_id)
    before = affected(session, incident_id)
    changed = [name for name in ("title", "severity", "description") if getattr(incident, name) != getattr(draft, name)]
    for name in changed:
        setattr(incident, name, getattr(draft, name))
    if set(before[0]) != set(draft.service_ids) or set(before[1]) != set(draft.environments):
        changed.append("what it affects")
        replace_links(session, incident_id, draft.service_ids, draft.environments)
    if changed:
        session.add(incident)
        text = f"severity {incident.severity}" if changed == ["severity"] else ", ".join(changed)
        add_entry(session, incident_id, EntryKind.EDITED, who, text)


def set_symptom(session: ScopedSession, incident_id: UUID, symptom: Symptom, who: str) -> None:
    """What the incident shows, as a person knows it now. Raises NotFound."""
    incident = get_incident(session, incident_id)
    changed = [name for name in SYMPTOM_WORDS if getattr(incident, name) != getattr(symptom, name)]
    for name in changed:
        setattr(incident, name, getattr(symptom, name))
    if changed:
        session.add(incident)
        add_entry(session, incident_id, EntryKind.SYMPTOM, who, ", ".join(SYMPTOM_WORDS[name] for name in changed))


def correct_onset(session: ScopedSession, incident_id: UUID, onset: Onset, who: str) -> None:
    """A person knows better when it began; from here on no estimate moves it. Raises NotFound, and Invalid when the interval
    does not hold the moment or lies in the future."""
    if not onset.earliest <= onset.at <= onset.latest:
        raise Invalid({"onset": "must lie between its earliest and its latest moment"})
    if onset.at > now():
        raise Invalid({"onset": "lies in the future"})
    incident = get_incident(session, incident_id)
    before = incident.onset_at
    set_onset_of(incident, onset)
    incident.onset_by = who
    session.add(incident)
    add_entry(session, incident_id, EntryKind.ONSET, who, f"{onset.at.isoformat()}, was {before.isoformat()}")


def add_note(session: ScopedSession, incident_id: UUID, text: str, who: str) -> None:
    """Raises NotFound, and Invalid for an empty one."""
    if not text.strip():
        raise Invalid({"note": "must say something"})
    get_incident(session, incident_id)
    add_entry(session, incident_id, EntryKind.NOTE, who, text.strip())


def onset_of(incident: Incident) -> Onset:
    return Onset(incident.onset_at, incident.onset_earliest, incident.onset_latest, incident.onset_basis)


def set_onset_of(incident: Incident, onset: Onset) -> None:
    incident.onset_at, incident.onset_earliest = onset.at, onset.earliest
    incident.onset_latest, incident.onset_basis = onset.latest, onset.basis


def get_incident(session: ScopedSession, incident_id: UUID) -> Incident:
    """The row, locked; raises NotFound."""
    incident = session.exec(select(Incident).where(Incident.id == incident_id).with_for_update()).first()
    if incident is None:
        raise NotFound(NO_INCIDENT)
    return incident
