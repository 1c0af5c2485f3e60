"""What the alerts of a message do: they count, open an incident, are absorbed by one, or end it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID, uuid4

from sqlmodel import col, select

from blametrail.incidents.act import resolve
from blametrail.incidents.alerts.routing import Directory, Place, place_of
from blametrail.incidents.alerts.shapes import Alert, AlertStatus
from blametrail.incidents.alerts.tables import AlertSource, AlertState
from blametrail.incidents.open import absorbing, add_entry, open_or_absorb
from blametrail.incidents.reports import Onset, Report, Symptom
from blametrail.incidents.states import EntryKind, IncidentType, Severity
from blametrail.incidents.tables import Incident
from blametrail.kit.db import ScopedSession

ORIGIN = "alert:"
"""How the origin of an incident begins that an alert opened."""

NEEDED = {Severity.CRITICAL: 1, Severity.ERROR: 1, Severity.WARNING: 2, Severity.INFO: 3}
"""How often an alert must be told before it opens an incident."""

MOST_NAMED = 5
"""Alerts that one entry names."""

RULES_WAIT, UNTOLD = timedelta(minutes=10), timedelta(hours=1)
"""How long a rule may have waited before it fired; how far back an onset is looked for that nobody told."""


class Result(StrEnum):
    """What became of an alert, the weightiest first."""

    OPENED = "opened"
    RESOLVED = "resolved"
    ABSORBED = "absorbed"
    UNMAPPED = "unmapped"
    COUNTED = "counted"
    NOTED = "noted"
    UNREADABLE = "unreadable"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class Outcome:
    """A result, why, in words, and the incident that it concerns."""

    result: Result
    why: str
    incident_id: UUID | None = None


@dataclass(slots=True)
class Taking:
    """A message being acted on: whose it is, when it came, what it is routed by, what was known of its alerts, and which of
    their incidents are open."""

    source: AlertSource
    at: datetime
    directory: Directory
    states: dict[str, AlertState]
    open: dict[UUID, Incident] = field(default_factory=dict)

    @property
    def who(self) -> str:
        return f"{self.source.kind} {self.source.name}"

    def place(self, labels: Mapping[str, str]) -> Place:
        return place_of(labels, self.directory, self.source.service_id, self.source.environment)


@dataclass(slots=True)
class _Group:
    """Alerts of a message that belong to one incident, worst first; `known` is that incident if it is open already."""

    place: Place
    known: Incident | None
    told: list[tuple[Alert, AlertState]] = field(default_factory=list)

    @property
    def is_enough(self) -> bool:
        return self.known is not None or any(state.count >= NEEDED[alert.severity] for alert, state in self.told)


def take_alerts(session: ScopedSession, taking: Taking, alerts: Iterable[Alert]) -> list[tuple[Alert, Outcome]]:
    """Act on the alerts of a message; what fires goes first, so that no incident ends for a moment."""
    alerts = list(alerts)
    taking.open = _open_incidents(session, [state.incident_id for state in taking.states.values() if state.incident_id])
    firing = [alert for alert in alerts if alert.status is AlertStatus.FIRING]
    done = _fire(session, taking, firing)
    return done + _end(session, taking, [alert for alert in alerts if alert.status is AlertStatus.RESOLVED])


def _fire(session: ScopedSession, taking: Taking, alerts: Sequence[Alert]) -> list[tuple[Alert, Outcome]]:
    done: list[tuple[Alert, Outcome]] = []
    groups: dict[object, _Group] = {}
    for alert in alerts:
        state, place = _told(session, taking, alert), taking.place(alert.labels)
        state.service_id = place.service.id if place.service else None
        known = taking.open.get(state.incident_id) if state.incident_id else None
        if known and not alert.severity.is_worse_than(Severity(known.severity)):
            known.last_told_at = max(known.last_told_at, taking.at)
            done.append((alert, Outcome(Result.ABSORBED, "its incident is open", known.id)))
        elif place.service is None and not taking.source.opens_unmapped and known is None:
            done.append((alert, Outcome(Result.UNMAPPED, place.why)))
        else:
            alone = alert.fingerprint if place.service is None else ""
            key = known.id if known else (state.service_id, place.environment, alone)
            groups.setdefault(key, _Group(place, known)).told.append((alert, state))
    for group in groups.values():
        done += _fire_together(session, taking, group)
    return done


def _fire_together(session: ScopedSession, taking: Taking, group: _Group) -> list[tuple[Alert, Outcome]]:
    """One incident for all of a group: opened, or absorbing them, or none yet."""
    group.told.sort(key=lambda one: list(Severity).index(one[0].severity))
    report = _report(taking, group)
    if not group.is_enough and not absorbing(session, report.origin, report.service_ids, report.environments):
        return [(alert, Outcome(Result.COUNTED, _so_far(alert, state))) for alert, state in group.told]
    taken = open_or_absorb(session, report)
    for _, state in group.told:
        state.incident_id = taken.incident_id
    if others := [alert.title for alert, _ in group.told[1:]]:
        add_entry(session, taken.incident_id, EntryKind.TOLD, taking.who, _several(others), taking.at)
    first = Result.OPENED if taken.is_new else Result.ABSORBED
    results = [first, *[Result.ABSORBED] * len(others)]
    return [
        (alert, Outcome(result, group.place.why, taken.incident_id))
        for (alert, _), result in zip(group.told, results, strict=True)
    ]


def _end(session: ScopedSession, taking: Taking, alerts: Sequence[Alert]) -> list[tuple[Alert, Outcome]]:
    done: list[tuple[Alert, Outcome]] = []
    ended: dict[UUID, list[Alert]] = {}
    for alert in alerts:
        state = taking.states.get(alert.fingerprint)
        if state is None or state.status == AlertStatus.RESOLVED:
            done.append((alert, Outcome(Result.NOTED, "it ended, and was not known to fire")))
            continue
        state.status, state.resolved_at, state.last_seen_at = AlertStatus.RESOLVED.value, taking.at, taking.at
        session.add(state)
        if state.incident_id is None:
            done.append((alert, Outcome(Result.NOTED, "it ended, and no incident of it is open")))
        else:
            ended.setdefault(state.incident_id, []).append(alert)
    session.flush()
    for incident_id, theirs in ended.items():
        outcome = _end_together(session, taking, incident_id, theirs)
        done += [(alert, outcome) for alert in theirs]
    return done


def _end_together(session: ScopedSession, taking: Taking, incident_id: UUID, alerts: Sequence[Alert]) -> Outcome:
    """Resolve an incident that an alert opened once none of its alerts fires; others have more to say about theirs."""
    firing = select(AlertState.id).where(AlertState.incident_id == incident_id, AlertState.status == AlertStatus.FIRING.value)
    incident = _open_incidents(session, [incident_id]).get(incident_id)
    if incident is None:
        return Outcome(Result.NOTED, "it ended, and no incident of it is open")
    ended = f"Ended: {_several([alert.title for alert in alerts])}"
    if incident.origin.startswith(ORIGIN) and session.exec(firing.limit(1)).first() is None:
        resolve(session, incident_id, taking.who, f"{ended}. None of its alerts fires any more.")
        return Outcome(Result.RESOLVED, "none of its alerts fires any more", incident_id)
    add_entry(session, incident_id, EntryKind.TOLD, taking.who, ended)
    return Outcome(Result.NOTED, "it ended; its incident stays open for what else is wrong", incident_id)


def _told(session: ScopedSession, taking: Taking, alert: Alert) -> AlertState:
    """The state of what the alert is about, with what it says now; one that had ended begins anew."""
    state = taking.states.get(alert.fingerprint)
    if state is None:
        state = AlertState(
            id=uuid4(), source_id=taking.source.id, fingerprint=alert.fingerprint, status="", severity="", title=""
        )
        state.first_seen_at = taking.at
        taking.states[alert.fingerprint] = state
    elif state.status == AlertStatus.RESOLVED:
        state.count, state.first_seen_at, state.resolved_at, state.incident_id = 0, taking.at, None, None
    state.status, state.count, state.last_seen_at = AlertStatus.FIRING.value, state.count + 1, taking.at
    state.severity, state.title, state.url = alert.severity.value, alert.title, alert.url
    state.labels = json.dumps(dict(alert.labels), ensure_ascii=False)
    session.add(state)
    return state


def _open_incidents(session: ScopedSession, ids: Sequence[UUID]) -> dict[UUID, Incident]:
    wanted = list(dict.fromkeys(ids))
    if not wanted:
        return {}
    rows = session.exec(select(Incident).where(col(Incident.id).in_(wanted), col(Incident.resolved_at).is_(None)))
    return {row.id: row for row in rows}


def _report(taking: Taking, group: _Group) -> Report:
    """What a group says together: as bad as its worst, since the earliest, with the first symptom of each kind."""
    alerts = [alert for alert, _ in group.told]
    worst, place = alerts[0], group.place
    return Report(
        type=IncidentType(taking.source.kind),
        severity=worst.severity,
        title=worst.title,
        onset=min((_onset(alert, taking.at) for alert in alerts), key=lambda onset: onset.at),
        detected_at=taking.at,
        who=taking.who,
        origin=group.known.origin if group.known else f"{ORIGIN}{taking.source.id}:{worst.fingerprint}",
        description=worst.description,
        symptom=_symptom([alert.symptom for alert in alerts]),
        service_ids=(place.service.id,) if place.service else (),
        environments=(place.environment,) if place.environment else (),
    )


def _symptom(symptoms: Sequence[Symptom]) -> Symptom:
    return Symptom(
        error_message=next((one.error_message for one in symptoms if one.error_message), ""),
        stack_trace=next((one.stack_trace for one in symptoms if one.stack_trace), ""),
        log_excerpt=next((one.log_excerpt for one in symptoms if one.log_excerpt), ""),
        endpoint=next((one.endpoint for one in symptoms if one.endpoint), ""),
    )


def _onset(alert: Alert, at: datetime) -> Onset:
    """What the alert says; its rule may have waited before it fired."""
    if alert.starts_at is None:
        return Onset(at, at - UNTOLD, at, "the alert does not say when it began; this is when it came in")
    began = min(alert.starts_at, at)
    return Onset(began, began - RULES_WAIT, began, "the alert says that it began then; its rule may have waited before that")


def _so_far(alert: Alert, state: AlertState) -> str:
    article = "an" if alert.severity is Severity.INFO else "a"
    needed = NEEDED[alert.severity]
    return f"told {state.count} of the {needed} times after which {article} {alert.severity} opens an incident"


def _several(titles: Sequence[str]) -> str:
    more = f" and {len(titles) - MOST_NAMED} more" if len(titles) > MOST_NAMED else ""
    return ", ".join(titles[:MOST_NAMED]) + more
