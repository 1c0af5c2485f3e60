"""Prometheus Alertmanager's webhook, version 4: prometheus.io/docs/alerting/latest/configuration, "webhook_config", and what
version 0.25 sends."""

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

ENDPOINTS = ("endpoint", "handler", "path", "route", "uri")


def parse(payload: Any) -> tuple[Alert, ...]:
    """One alert for each of the group."""
    group = an_object(payload, "The message")
    if text(group.get("version")) not in {"4", ""}:
        raise UnreadableAlert(f"Version {line(group.get('version'))} of Alertmanager's webhook is not known here, only 4 is.")
    return tuple(read_alert(alert) for alert in objects(group.get("alerts"), "alerts"))


def read_alert(alert: Mapping[str, Any], *, described_by: str = "", shown_at: tuple[str, ...] = ("generatorURL",)) -> Alert:
    """One of a group, by Alertmanager or by those that write as it does."""
    status = text(alert.get("status"))
    if status not in list(AlertStatus):
        raise UnreadableAlert("The status of an alert must be firing or resolved.")
    labels = labels_of(an_object(alert.get("labels"), "labels").items())
    notes = alert.get("annotations")
    noted: Mapping[str, Any] = notes if isinstance(notes, dict) else {}
    said = text(noted.get("description")) or text(noted.get("message")) or text(described_by)
    return Alert(
        fingerprint=fingerprint_of(alert["fingerprint"] if text(alert.get("fingerprint")) else repr(sorted(labels.items()))),
        status=AlertStatus(status),
        severity=severity_of(labels.get("severity"), labels.get("priority"), labels.get("level")),
        title=line(noted.get("summary"), noted.get("title"), labels.get("alertname"), said) or "Alert without a name",
        description=said,
        labels=labels,
        starts_at=moment(alert.get("startsAt")),
        url=link(*(alert.get(name) for name in shown_at)),
        symptom=symptom_of(
            said=said,
            error=noted.get("error") or noted.get("error_message"),
            trace=noted.get("stack_trace") or noted.get("stacktrace"),
            endpoint=next((labels[name] for name in ENDPOINTS if name in labels), ""),
        ),
    )
