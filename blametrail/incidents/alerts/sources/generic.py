"""Our own form, for everything that can send JSON: see docs/alerts.md. One alert, or several in `alerts`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from blametrail.incidents.alerts.reading import (
    an_object,
    fingerprint_of,
    labels_of,
    line,
    link,
    moment,
    objects,
    severity_of,
    symptom_of,
    text,
)
from blametrail.incidents.alerts.shapes import Alert, AlertStatus, UnreadableAlert

NAMED = ("service", "environment")


def parse(payload: Any) -> tuple[Alert, ...]:
    """Each needs a title; without a fingerprint, the same title and labels are the same thing."""
    message = an_object(payload, "The message")
    several = objects(message["alerts"], "alerts") if "alerts" in message else [message]
    return tuple(_alert(one) for one in several)


def _alert(one: Mapping[str, Any]) -> Alert:
    title, status = line(one.get("title")), text(one.get("status")) or AlertStatus.FIRING.value
    if not title:
        raise UnreadableAlert("An alert must have a title.")
    if status not in list(AlertStatus):
        raise UnreadableAlert("The status must be firing or resolved.")
    given = one.get("labels")
    if given is not None and not isinstance(given, dict):
        raise UnreadableAlert("labels must be an object.")
    labels = labels_of([*(given or {}).items(), *((name, one[name]) for name in NAMED if one.get(name))])
    said = text(one.get("description"))
    return Alert(
        fingerprint=fingerprint_of(one["fingerprint"])
        if text(one.get("fingerprint"))
        else fingerprint_of(title, repr(sorted(labels.items()))),
        status=AlertStatus(status),
        severity=severity_of(one.get("severity")),
        title=title,
        description=said,
        labels=labels,
        starts_at=moment(one.get("starts_at")),
        url=link(one.get("url")),
        symptom=symptom_of(
            said=said, error=one.get("error_message"), trace=one.get("stack_trace"), endpoint=one.get("endpoint")
        ),
    )
