"""A message in the form of each source, as it could come: for trying a source out."""

from __future__ import annotations

import json
from typing import Any

from blametrail.incidents.alerts.shapes import SourceKind

BEGAN = "2026-01-31T14:02:00Z"
_RULE = {
    "status": "firing",
    "labels": {"alertname": "TestOfThePage", "severity": "critical", "service": "checkout"},
    "annotations": {"summary": "A test: nothing is broken", "description": "Sent by the page Alerts."},
    "startsAt": BEGAN,
    "endsAt": "0001-01-01T00:00:00Z",
    "generatorURL": "https://prometheus.example.com/graph",
    "fingerprint": "0123456789abcdef",
}
_GROUP = {"status": "firing", "receiver": "blametrail", "groupLabels": {"alertname": "TestOfThePage"}, "alerts": [_RULE]}

SAMPLES: dict[SourceKind, dict[str, Any]] = {
    SourceKind.ALERTMANAGER: {"version": "4", "groupKey": "{}:{alertname=TestOfThePage}", **_GROUP},
    SourceKind.GRAFANA: {"version": "1", "orgId": 1, "title": "[FIRING:1] TestOfThePage", "state": "alerting", **_GROUP},
    SourceKind.SENTRY: {
        "action": "triggered",
        "data": {
            "triggered_rule": "Test",
            "event": {
                "title": "PaymentError: a test, nothing is broken",
                "issue_id": "1",
                "level": "error",
                "datetime": BEGAN,
                "tags": [["service", "checkout"]],
                "metadata": {"type": "PaymentError", "value": "a test, nothing is broken"},
            },
        },
    },
    SourceKind.DATADOG: {
        "key": "test",
        "transition": "Triggered",
        "type": "error",
        "priority": "P2",
        "title": "[Triggered] A test: nothing is broken",
        "message": "Sent by the page Alerts.",
        "tags": "service:checkout,env:production",
        "date": "1769868120000",
    },
    SourceKind.PAGERDUTY: {
        "event": {
            "id": "TEST",
            "event_type": "incident.triggered",
            "resource_type": "incident",
            "occurred_at": BEGAN,
            "data": {
                "id": "TEST",
                "type": "incident",
                "title": "A test: nothing is broken",
                "urgency": "high",
                "service": {"summary": "checkout"},
            },
        }
    },
    SourceKind.CLOUDWATCH: {
        "Type": "Notification",
        "MessageId": "test",
        "TopicArn": "arn:aws:sns:eu-west-1:123456789012:alarms",
        "Message": json.dumps(
            {
                "AlarmName": "A test: nothing is broken",
                "NewStateValue": "ALARM",
                "NewStateReason": "Sent by the page Alerts.",
                "StateChangeTime": BEGAN,
                "Region": "EU (Ireland)",
                "Trigger": {"MetricName": "5XXError", "Dimensions": [{"name": "service", "value": "checkout"}]},
            }
        ),
    },
    SourceKind.GENERIC: {
        "title": "A test: nothing is broken",
        "status": "firing",
        "severity": "critical",
        "service": "checkout",
        "starts_at": BEGAN,
    },
}
