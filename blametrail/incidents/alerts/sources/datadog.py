"""Datadog's webhooks integration: docs.datadoghq.com/integrations/webhooks. Its payload is whatever one writes there; this
reads the template below, which our page shows to be copied. It signs nothing: the token goes into the custom headers."""

from __future__ import annotations

import json
from typing import Any

from blametrail.incidents.alerts.reading import (
    an_object,
    fingerprint_of,
    labels_of,
    line,
    link,
    moment,
    severity_of,
    symptom_of,
    text,
)
from blametrail.incidents.alerts.shapes import Alert, AlertStatus, UnreadableAlert
from blametrail.incidents.states import Severity

TEMPLATE = json.dumps(
    {
        "key": "$AGGREG_KEY",
        "transition": "$ALERT_TRANSITION",
        "type": "$ALERT_TYPE",
        "priority": "$ALERT_PRIORITY",
        "title": "$EVENT_TITLE",
        "message": "$TEXT_ONLY_MSG",
        "tags": "$TAGS",
        "scope": "$ALERT_SCOPE",
        "metric": "$ALERT_METRIC",
        "hostname": "$HOSTNAME",
        "date": "$DATE",
        "link": "$LINK",
    },
    indent=2,
)
TRANSITIONS: dict[str, Severity | None] = {
    "triggered": None,
    "re-triggered": None,
    "renotify": None,
    "no data": Severity.ERROR,
    "re-no data": Severity.ERROR,
    "warn": Severity.WARNING,
    "re-warn": Severity.WARNING,
}
"""Transitions that fire, with the severity that they settle."""


def parse(payload: Any) -> tuple[Alert, ...]:
    """The one alert of the message."""
    message = an_object(payload, "The message")
    key, title, transition = text(message.get("key")), line(message.get("title")), text(message.get("transition")).lower()
    if not key or not title:
        raise UnreadableAlert("There is no key or no title. Use the payload that the page Alerts shows.")
    if transition not in {"recovered", *TRANSITIONS}:
        raise UnreadableAlert(f"The transition {line(transition)!r} is not known. Use the payload that the page Alerts shows.")
    said = text(message.get("message"))
    alert = Alert(
        fingerprint=fingerprint_of(key),
        status=AlertStatus.RESOLVED if transition == "recovered" else AlertStatus.FIRING,
        severity=TRANSITIONS.get(transition) or severity_of(message.get("priority"), message.get("type")),
        title=title,
        description=said,
        labels=labels_of(
            [
                *_tags(message.get("tags")),
                *_tags(message.get("scope")),
                ("metric", message.get("metric")),
                ("host", message.get("hostname")),
            ]
        ),
        starts_at=moment(message.get("date")),
        url=link(message.get("link")),
        symptom=symptom_of(said=said),
    )
    return (alert,)


def _tags(value: Any) -> list[tuple[str, str]]:
    """`service:shop, env:prod` as pairs; a tag without a value says nothing to route by."""
    pairs = (tag.strip().partition(":") for tag in text(value).split(","))
    return [(name, rest) for name, _, rest in pairs if rest]
