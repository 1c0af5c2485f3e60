"""CloudWatch alarms by way of SNS: docs.aws.amazon.com/sns, "HTTP/HTTPS notification JSON format", with the alarm as JSON in
its `Message`. With raw message delivery the alarm comes alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from blametrail.incidents.alerts.reading import (
    an_object,
    decode,
    fingerprint_of,
    labels_of,
    line,
    moment,
    part,
    severity_of,
    symptom_of,
    text,
)
from blametrail.incidents.alerts.shapes import Alert, AlertStatus, UnreadableAlert

STATES = {"ALARM": AlertStatus.FIRING, "OK": AlertStatus.RESOLVED}
SUBSCRIPTIONS = frozenset({"SubscriptionConfirmation", "UnsubscribeConfirmation"})


def parse(payload: Any) -> tuple[Alert, ...]:
    """The alarm of a notification; nothing for what is about the subscription, and for an alarm that lacks data."""
    message = an_object(payload, "The message")
    if text(message.get("Type")) in SUBSCRIPTIONS:
        return ()
    alarm = message if "AlarmName" in message else _inside(message)
    name, state = text(alarm.get("AlarmName"), 300), text(alarm.get("NewStateValue"))
    if not name or state not in {*STATES, "INSUFFICIENT_DATA"}:
        raise UnreadableAlert("An alarm must have an AlarmName and a NewStateValue: ALARM, OK or INSUFFICIENT_DATA.")
    if state not in STATES:
        return ()
    said = "\n\n".join(filter(None, (text(alarm.get("AlarmDescription")), text(alarm.get("NewStateReason")))))
    labels = _labels(alarm)
    alert = Alert(
        fingerprint=fingerprint_of(alarm["AlarmArn"])
        if text(alarm.get("AlarmArn"))
        else fingerprint_of("alarm", name, labels.get("region", "")),
        status=STATES[state],
        severity=severity_of(labels.get("severity")),
        title=line(name),
        description=said,
        labels=labels,
        starts_at=moment(alarm.get("StateChangeTime")),
        symptom=symptom_of(said=said),
    )
    return (alert,)


def _inside(message: Mapping[str, Any]) -> Mapping[str, Any]:
    if text(message.get("Type")) != "Notification":
        raise UnreadableAlert("The Type must be Notification, SubscriptionConfirmation or UnsubscribeConfirmation.")
    return an_object(decode(text(message.get("Message"), 300_000).encode()), "The alarm in Message")


def _labels(alarm: Mapping[str, Any]) -> dict[str, str]:
    """Dimensions by their names, and what the alarm is of."""
    dimensions = part(alarm, "Trigger", "Dimensions")
    named = [
        (part(each, "name") or part(each, "Name"), part(each, "value") or part(each, "Value"))
        for each in (dimensions if isinstance(dimensions, list) else ())
    ]
    own = [
        ("alarm", alarm.get("AlarmName")),
        ("metric", part(alarm, "Trigger", "MetricName")),
        ("namespace", part(alarm, "Trigger", "Namespace")),
        ("region", alarm.get("Region")),
        ("account", alarm.get("AWSAccountId")),
    ]
    return labels_of([*named, *own])
