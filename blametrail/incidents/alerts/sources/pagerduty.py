"""PagerDuty's V3 webhooks: developer.pagerduty.com/docs/webhooks-overview. Only what begins or ends an incident is told on."""

from __future__ import annotations

from typing import Any

from blametrail.incidents.alerts.reading import (
    an_object,
    fingerprint_of,
    labels_of,
    line,
    link,
    moment,
    part,
    severity_of,
    symptom_of,
    text,
)
from blametrail.incidents.alerts.shapes import Alert, AlertStatus, UnreadableAlert

TOLD = {
    "incident.triggered": AlertStatus.FIRING,
    "incident.reopened": AlertStatus.FIRING,
    "incident.resolved": AlertStatus.RESOLVED,
}


def parse(payload: Any) -> tuple[Alert, ...]:
    """The incident that was triggered, reopened or resolved; nothing for the other events."""
    event = an_object(an_object(payload, "The message").get("event"), "event")
    kind = text(event.get("event_type"))
    if not kind:
        raise UnreadableAlert("The event has no type.")
    if kind not in TOLD:
        return ()
    incident = an_object(event.get("data"), "data")
    if not (id_ := text(incident.get("id"))):
        raise UnreadableAlert("The incident has no id.")
    said = text(part(incident, "body", "details")) or text(incident.get("description"))
    alert = Alert(
        fingerprint=fingerprint_of(id_),
        status=TOLD[kind],
        severity=severity_of(part(incident, "priority", "summary"), incident.get("urgency")),
        title=line(incident.get("title"), incident.get("summary")) or f"PagerDuty incident {id_}",
        description=said,
        labels=labels_of(
            [
                ("service", part(incident, "service", "summary")),
                ("escalation_policy", part(incident, "escalation_policy", "summary")),
                ("urgency", incident.get("urgency")),
                ("priority", part(incident, "priority", "summary")),
            ]
        ),
        starts_at=moment(incident.get("created_at")) or moment(event.get("occurred_at")),
        url=link(incident.get("html_url")),
        symptom=symptom_of(said=said),
    )
    return (alert,)
