"""The closed sets of words of incidents."""

from __future__ import annotations

from enum import StrEnum


class Severity(StrEnum):
    CRITICAL = "critical"
    ERROR = "error"
    WARNING = "warning"
    INFO = "info"

    def is_worse_than(self, other: Severity) -> bool:
        order = list(Severity)
        return order.index(self) < order.index(other)


class Status(StrEnum):
    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class IncidentType(StrEnum):
    """What an incident is of: `availability` and `latency` come from monitors, the others are named after who told."""

    AVAILABILITY = "availability"
    LATENCY = "latency"
    MANUAL = "manual"
    ALERTMANAGER = "alertmanager"
    GRAFANA = "grafana"
    SENTRY = "sentry"
    DATADOG = "datadog"
    PAGERDUTY = "pagerduty"
    CLOUDWATCH = "cloudwatch"
    GENERIC = "generic"


class EntryKind(StrEnum):
    """What can happen to an incident."""

    OPENED = "opened"
    TOLD = "told"  # another alert or check said something about it
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    REOPENED = "reopened"
    MERGED = "merged"
    EDITED = "edited"
    ONSET = "onset"
    SYMPTOM = "symptom"
    NOTE = "note"
